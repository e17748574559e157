"""What a run's events add up to."""

import math

import msgspec

from engine.contract.events import (
    AnyEvent,
    CheckpointSaved,
    Compiled,
    Compiling,
    Parameters,
    RequestDone,
    RunFinished,
    RunResumed,
    RunStarted,
    RunStopped,
    Step,
    System,
    Validated,
    Warned,
    decode_lines,
    encode,
)
from engine.contract.run_state import RunState, fold, fold_all


def folded(*events: AnyEvent) -> RunState:
    state = RunState()
    for event in events:
        assert fold(state, event) is state
    return state


def started(epochs: int = 4, planned_end: int = 12) -> RunStarted:
    return RunStarted(
        time=1.0, version="1", pid=7, host="h", device="cpu", name="x", steps_per_epoch=3,
        epochs=epochs, planned_end=planned_end, groups=["default"], parameters=Parameters(1, 1),
        train_samples=9, val_samples=3, classes=[], workers=0, precision="fp32", frozen=[],
    )  # fmt: skip


def resumed(step: int, epoch: int) -> RunResumed:
    return RunResumed(
        time=50.0, step=step, epoch=epoch, checkpoint="checkpoints/last.pt", version="1", pid=8,
        host="h", device="cpu", epochs=6, planned_end=18,
    )  # fmt: skip


def step(number: int, loss: float | None = 0.5) -> Step:
    return Step(
        time=10.0 + number, step=number, epoch=number // 3, loss=loss, lr=[0.1],
        samples_per_second=1.0,
    )  # fmt: skip


def rates(number: int, *lr: float) -> Step:
    return Step(time=1.0, step=number, epoch=0, loss=0.5, lr=list(lr), samples_per_second=1.0)


def validated(step: int, epoch: int, *, requested: bool = False) -> Validated:
    return Validated(
        time=2.0, step=step, epoch=epoch, metrics={"val/loss": 1.0}, seconds=1.0,
        requested=requested,
    )  # fmt: skip


def saved(step: int, epoch: int, kind: str = "last") -> CheckpointSaved:
    return CheckpointSaved(
        time=3.0, step=step, epoch=epoch, path=f"checkpoints/{kind}.pt", kind=kind, metric=1.0,
        sha256="", bytes=1,
    )  # fmt: skip


def test_a_state_begins_empty() -> None:
    state = RunState()
    assert (state.steps_done, state.epochs, state.best, state.last_word) == (0, 0, None, None)


def test_steps_add_up_to_a_curve() -> None:
    state = folded(started(), step(0, 0.75), step(1, None), step(2, 0.25))
    assert list(state.curve.step) == [0, 1, 2]
    assert [state.curve.loss[0], state.curve.loss[2]] == [0.75, 0.25]
    assert math.isnan(state.curve.loss[1])
    assert list(state.curve.time) == [10.0, 11.0, 12.0]
    assert (state.steps_done, state.last_step, state.last_time) == (3, step(2, 0.25), 12.0)
    assert (state.epochs, state.planned_end) == (4, 12)


def test_the_learning_rate_of_each_group_is_a_column() -> None:
    state = folded(rates(0, 0.1, 0.01), rates(1, 0.2, 0.02))
    assert [list(column) for column in state.curve.lr] == [[0.1, 0.2], [0.01, 0.02]]
    fold(state, resumed(1, 0))
    assert [list(column) for column in state.curve.lr] == [[0.1], [0.01]]


def test_a_step_with_a_rate_that_is_not_finite_is_not_lost() -> None:
    (event,) = decode_lines(encode(rates(0, math.nan, 0.01)))
    state = folded(event)
    assert math.isnan(state.curve.lr[0][0])
    assert (list(state.curve.step), list(state.curve.lr[1])) == ([0], [0.01])


def test_a_group_that_comes_later_or_goes_has_no_rate_where_it_is_not() -> None:
    events = [rates(0, 0.1), rates(1, 0.1, 0.01), rates(2), rates(3, 0.1)]
    for state in (folded(*events), fold_all(RunState(), events)):
        first, second = (list(column) for column in state.curve.lr)
        assert [first[:2], first[3], second[1]] == [[0.1, 0.1], 0.1, 0.01]
        assert [math.isnan(rate) for rate in (first[2], second[0], *second[2:])] == [True] * 4


def test_many_events_at_once_add_up_to_the_same_as_one_after_another() -> None:
    events: list[AnyEvent] = [
        started(), *map(step, range(8)), validated(3, 0), step(8, None), saved(3, 1),
        resumed(6, 2), step(6), step(7),
    ]  # fmt: skip
    assert fold_all(RunState(), events) == folded(*events)
    assert fold_all(RunState(), []) == RunState()


def test_each_event_is_kept_where_it_belongs() -> None:
    warned = Warned(time=5.0, what="a", where="b", remedy="c")
    system = System(time=6.0, memory=1)
    word = RunStopped(time=7.0, step=3, epochs=1.0, seconds=1.0, reason="asked")
    state = folded(started(), validated(3, 0), saved(3, 1), warned, system, word)
    assert state.started == started()
    assert (state.validated, state.checkpoints) == ([validated(3, 0)], [saved(3, 1)])
    assert (state.warnings, state.system, state.last_word) == ([warned], system, word)


def test_the_speed_and_each_term_of_the_loss_are_columns() -> None:
    def of_terms(number: int, **terms: float | None) -> Step:
        return msgspec.structs.replace(step(number), samples_per_second=64.5, terms=terms or None)

    events = [of_terms(0), of_terms(1, ce=0.5, dice=None), of_terms(2, dice=0.25), of_terms(3)]
    for state in (folded(*events), fold_all(RunState(), events)):
        assert list(state.curve.speed) == [64.5] * 4
        ce, dice = (list(state.curve.terms[name]) for name in ("ce", "dice"))
        assert (ce[1], dice[2]) == (0.5, 0.25)
        assert [math.isnan(value) for value in (ce[0], *ce[2:], *dice[:2], dice[3])] == [True] * 6
        fold(state, resumed(2, 0))
        assert [len(state.curve.speed), *map(len, state.curve.terms.values())] == [2, 2, 2]


def test_what_the_system_measured_is_kept_with_the_steps_that_were_done() -> None:
    first = System(time=6.0, memory=1)
    second = System(time=9.0, memory=2, cpu=97.5, device_memory=3, device_utilisation=40)
    state = folded(started(), first, step(0), step(1), second)
    gauges = state.gauges
    assert (list(gauges.step), list(gauges.time)) == ([0, 2], [6.0, 9.0])
    assert list(gauges.values["memory"]) == [1, 2]
    assert [gauges.values[name][1] for name in ("cpu", "device_memory")] == [97.5, 3]
    assert math.isnan(gauges.values["cpu"][0])
    assert math.isnan(gauges.values["device_memory_total"][1])
    fold(state, resumed(1, 0))
    assert list(gauges.step) == [0]


def test_the_best_checkpoint_is_the_newest_of_its_kind() -> None:
    state = folded(saved(3, 1, "best"), saved(3, 1), saved(6, 2, "best"), saved(6, 2), saved(9, 3))
    assert state.best == saved(6, 2, "best")
    assert folded(saved(3, 1)).best is None


def test_a_request_may_change_how_many_epochs_are_planned() -> None:
    done = RequestDone(time=5.0, id="a", request="epochs", outcome="done", epochs=9, planned_end=27)
    state = folded(started(), done)
    assert (state.epochs, state.planned_end) == (9, 27)
    assert state.requests == {"a": done}


def test_a_resume_forgets_exactly_what_is_done_again() -> None:
    state = folded(
        started(),
        *map(step, range(8)),
        validated(3, 0),
        saved(3, 1),
        validated(6, 1),
        saved(6, 2, "best"),
        saved(6, 2),
        validated(8, 2, requested=True),
        resumed(step=6, epoch=2),
    )
    assert list(state.curve.step) == [0, 1, 2, 3, 4, 5]
    assert len(state.curve.loss) == len(state.curve.time) == 6
    assert state.validated == [validated(3, 0), validated(6, 1)]
    assert state.checkpoints == [saved(3, 1), saved(6, 2, "best"), saved(6, 2)]
    assert (state.last_step, state.steps_done) == (None, 6)
    assert (state.epochs, state.planned_end) == (6, 18)


def test_a_resume_before_the_validation_of_its_step_forgets_that_validation() -> None:
    state = folded(
        *map(step, range(6)), validated(3, 0), saved(6, 1), validated(6, 1), saved(6, 2),
        resumed(step=6, epoch=1),
    )  # fmt: skip
    assert state.validated == [validated(3, 0)]
    assert state.checkpoints == [saved(6, 1)]


def test_a_resume_keeps_a_validation_that_was_asked_for_at_its_step() -> None:
    asked = validated(4, 1, requested=True)
    assert folded(*map(step, range(5)), asked, resumed(step=4, epoch=1)).validated == [asked]


def test_a_resume_from_the_beginning_forgets_all() -> None:
    state = folded(started(), *map(step, range(4)), validated(3, 0), saved(3, 1), resumed(0, 0))
    assert (len(state.curve.step), state.validated, state.checkpoints) == (0, [], [])
    assert state.steps_done == 0


def test_a_resume_takes_the_last_word_back() -> None:
    word = RunFinished(time=9.0, step=6, epochs=2.0, seconds=1.0)
    state = folded(started(), *map(step, range(6)), word, resumed(6, 2))
    assert (state.last_word, state.resumed) == (None, resumed(6, 2))


def test_steps_that_were_lost_before_a_resume_are_done_all_the_same() -> None:
    state = folded(*map(step, range(4)), resumed(6, 2))
    assert (state.steps_done, len(state.curve.step)) == (6, 4)
    assert fold(state, step(6)).steps_done == 7


def test_what_was_told_to_people_is_not_forgotten() -> None:
    warned = Warned(time=5.0, what="a", where="b", remedy="c")
    assert folded(*map(step, range(6)), warned, resumed(3, 1)).warnings == [warned]


def test_a_run_is_compiling_until_that_ends_in_whatever_way() -> None:
    begun = Compiling(time=2.0, step=0, epoch=0, split="train", mode="default")
    assert folded(started(), begun).compiling == begun
    stopped = RunStopped(time=4.0, step=0, epochs=0.0, seconds=1.0, reason="asked")
    for ended in (
        Compiled(time=3.0, step=0, epoch=0, split="train", seconds=1.0),
        Warned(time=3.0, what="it can't be compiled", where="train.compile", remedy=""),
        stopped,
        resumed(0, 0),
    ):
        assert folded(started(), begun, ended).compiling is None
