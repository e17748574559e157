"""One JSON object a line: what events.jsonl and samples.jsonl consist of."""

from __future__ import annotations

from typing import Any

import msgspec

_encoder = msgspec.json.Encoder()


def json_line(value: msgspec.Struct) -> bytes:
    """The object and its newline. The name of a file may be any bytes, which Python keeps in a text
    that is no Unicode: of that, JSON gets the escape."""
    try:
        return _encoder.encode(value) + b"\n"
    except UnicodeEncodeError:
        return _encoder.encode(_unicode(msgspec.to_builtins(value))) + b"\n"


def _unicode(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_unicode(key): _unicode(inner) for key, inner in value.items()}
    return [_unicode(inner) for inner in value] if isinstance(value, list) else value
