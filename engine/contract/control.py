"""Requests to a running engine: lines of control.jsonl, answered by `request_done` events."""

from __future__ import annotations

import os
import secrets
import time
from typing import Literal

import msgspec

from engine.contract.run_directory import RunDirectory

Kind = Literal["stop", "checkpoint", "evaluate", "epochs"]


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`after`: whether a stop waits for the end of the epoch. `epochs`: the new number of them."""

    id: str
    time: float
    request: Kind
    after: Literal["step", "epoch"] = "step"
    epochs: int | None = None


_decoder = msgspec.json.Decoder(Request)


def ask(
    run: RunDirectory,
    request: Kind,
    *,
    after: Literal["step", "epoch"] = "step",
    epochs: int | None = None,
) -> Request:
    """Append a request, as one write so that two askers can't mix their lines."""
    asked = Request(
        id=secrets.token_hex(4), time=time.time(), request=request, after=after, epochs=epochs
    )
    line = msgspec.json.encode(asked) + b"\n"
    handle = os.open(run.control, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, line)
    finally:
        os.close(handle)
    return asked


def decode(line: bytes) -> Request | str:
    """The request of a line, or why it is none."""
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return str(error)
