import json
import math
from typing import get_args

import msgspec
import pytest

from engine.contract.events import (
    AnyEvent,
    CheckpointSaved,
    Compiled,
    Compiling,
    Event,
    Parameters,
    PrefixKept,
    RequestDone,
    RunFailed,
    RunFinished,
    RunResumed,
    RunStarted,
    RunStopped,
    Step,
    System,
    Unfrozen,
    Validated,
    Warned,
    as_dict,
    decode,
    encode,
    finite,
    non_finite,
)

EVENTS: list[Event] = [
    RunStarted(
        time=1.5, version="1", pid=7, host="h", device="cpu", name="x", steps_per_epoch=3, epochs=2,
        planned_end=6, groups=["default", "head"], parameters=Parameters(10, 4), train_samples=9,
        val_samples=3, classes=["ant", "bee"], workers=0, precision="fp32", frozen=["conv1"],
    ),
    RunResumed(
        time=2.0, step=4, epoch=1, checkpoint="checkpoints/last.pt", version="1", pid=8, host="h",
        device="cuda:0", epochs=3, planned_end=9, changed=["train.epochs"],
    ),
    Step(time=2.5, step=4, epoch=1, loss=0.25, lr=[0.1, 0.01], samples_per_second=30.5),
    Step(time=2.5, step=5, epoch=1, loss=None, lr=[0.1], samples_per_second=0.0,
         non_finite={"loss": "nan"}, skipped="the gradient is not finite"),
    Validated(time=3.0, step=6, epoch=1, metrics={"val/loss": 0.5, "val/f1": None}, seconds=1.25,
              non_finite={"val/f1": "nan"}, requested=True),
    Unfrozen(time=3.2, step=6, epoch=2, layers=["layer4", "layer3"], trainable=12),
    PrefixKept(time=3.3, step=6, epoch=1, train="computed once", val=""),
    Compiling(time=3.3, step=0, epoch=0, split="train", mode="default"),
    Compiled(time=3.4, step=0, epoch=0, split="train", seconds=31.5),
    CheckpointSaved(time=3.5, step=6, epoch=2, path="checkpoints/best.pt", kind="best", metric=0.5,
                    sha256="ab", bytes=123),
    System(time=4.0, memory=1 << 40, cpu=99.5, device_memory=5, device_memory_total=6,
           device_utilisation=99),
    Warned(time=4.5, what="a", where="b", remedy="ü\n\u2028"),
    RequestDone(time=5.0, id="1f", request="epochs", outcome="done", epochs=5, planned_end=15),
    RunFinished(time=6.0, step=9, epochs=3.0, seconds=4.5, best=0.5, metrics={"val/loss": 0.5}),
    RunStopped(time=6.0, step=7, epochs=2.5, seconds=4.5, reason="asked", last_checkpoint="c/l.pt"),
    RunFailed(time=6.0, step=7, epochs=2.5, seconds=4.5, error="NaN", remedy="a smaller lr"),
]  # fmt: skip


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_is_one_line_and_reads_back_as_it_was(event: Event) -> None:
    line = encode(event)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line) == event
    assert decode(line.rstrip()) == event


def test_every_type_of_event_is_among_those_above() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(AnyEvent))


NAMES = [
    "run_started", "run_resumed", "step", "step", "validated", "unfrozen", "prefix_kept",
    "compiling", "compiled", "checkpoint_saved", "system", "warning", "request_done",
    "run_finished", "run_stopped", "run_failed",
]  # fmt: skip


@pytest.mark.parametrize(("event", "name"), list(zip(EVENTS, NAMES, strict=True)), ids=NAMES)
def test_an_event_is_json_tagged_with_its_type_and_time(event: Event, name: str) -> None:
    plain = json.loads(encode(event))
    assert plain["type"] == name
    assert plain["time"] == event.time
    assert as_dict(event)["type"] == name


def test_keys_that_this_version_does_not_know_are_skipped() -> None:
    plain = json.loads(encode(EVENTS[2])) | {"mood": "good", "more": {"a": [1]}}
    assert decode(json.dumps(plain).encode()) == EVENTS[2]


@pytest.mark.parametrize(
    "line",
    [
        b"", b"{", b"null", b"3", b"[]", b"{}", b'{"type":"dream","time":1.0}', b'{"time":1.0}',
        b'{"type":"step","time":1.0}', b'{"type":"warning","time":"x","what":"","where":""}',
        b"\xff\xfe", b"\x00" * 20, encode(EVENTS[0])[:-20], b"[" * 100_000,
        b'{"type":"step","time":1.0,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"type":"step","time":NaN}',
    ],
)  # fmt: skip
def test_unknown_types_and_damage_are_no_events(line: bytes) -> None:
    assert decode(line) is None


def test_what_is_at_its_default_is_not_written() -> None:
    assert set(json.loads(encode(EVENTS[2]))) == {
        "type", "time", "step", "epoch", "loss", "lr", "samples_per_second"
    }  # fmt: skip


def test_numbers_that_are_not_finite_are_null_with_their_name_beside_them() -> None:
    values = {"a": math.nan, "b": math.inf, "c": -math.inf, "d": 1.0}
    assert [finite(value) for value in values.values()] == [None, None, None, 1.0]
    assert non_finite(values) == {"a": "nan", "b": "inf", "c": "-inf"}
    assert non_finite({"d": 1.0}) is None
    event = Validated(
        time=1.0, step=1, epoch=0, seconds=0.5, non_finite=non_finite(values),
        metrics={name: finite(value) for name, value in values.items()},
    )  # fmt: skip
    plain = json.loads(encode(event), parse_constant=pytest.fail)  # NaN is no JSON
    assert plain["metrics"] == {"a": None, "b": None, "c": None, "d": 1.0}
    assert plain["non_finite"] == {"a": "nan", "b": "inf", "c": "-inf"}


def test_an_event_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        EVENTS[2].time = 0.0  # type: ignore[misc]
    assert isinstance(EVENTS[2], msgspec.Struct)
