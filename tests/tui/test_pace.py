"""How often the dashboard looks for news, and that a slow line is not filled with frames."""

from __future__ import annotations

import pytest

from tui.pace import LOST, Pace


class Line:
    """A clock, and the questions that were sent."""

    def __init__(self, *, remote: bool) -> None:
        self.now, self.asked = 100.0, 0
        self.pace = Pace(self._ask, remote=remote, clock=lambda: self.now)

    def _ask(self) -> None:
        self.asked += 1


@pytest.mark.parametrize(("remote", "looks"), [(False, 10), (True, 4)])
def test_it_looks_ten_times_a_second_here_and_four_over_ssh(remote: bool, looks: int) -> None:
    line = Line(remote=remote)
    count = 0
    while line.now < 110.0:
        line.now += line.pace.seconds(busy=True)
        line.now += 0.03  # what a look takes
        count += 1
    assert count / 10 == pytest.approx(looks, abs=0.2)


def test_it_looks_seldom_while_nothing_runs() -> None:
    line = Line(remote=False)
    line.now += line.pace.seconds(busy=True)
    assert line.pace.seconds(busy=False) == pytest.approx(1.0)


def test_a_look_that_takes_long_leaves_time_for_the_keys_and_is_not_caught_up_with() -> None:
    line = Line(remote=False)
    line.now += line.pace.seconds(busy=True) + 5.0
    assert line.pace.seconds(busy=True) == pytest.approx(0.02)
    line.now += 0.02
    assert line.pace.seconds(busy=True) == pytest.approx(0.1)


def test_over_ssh_it_waits_until_the_terminal_has_what_was_sent() -> None:
    line = Line(remote=True)
    line.pace.answered()  # the question that Textual asks at the start
    line.pace.changed()
    assert (line.asked, line.pace.waits) == (1, True)
    line.pace.changed()  # a key's doing
    assert line.asked == 1
    line.pace.answered()
    assert not line.pace.waits


def test_an_answer_that_is_lost_is_not_waited_for_for_ever() -> None:
    line = Line(remote=True)
    line.pace.answered()
    line.pace.changed()
    line.now += LOST
    assert not line.pace.waits
    line.pace.changed()
    assert line.asked == 2


@pytest.mark.parametrize("remote", [False, True])
def test_a_terminal_that_never_answers_and_one_of_this_machine_are_asked_nothing(
    remote: bool,
) -> None:
    line = Line(remote=remote)
    if not remote:
        line.pace.answered()
    line.pace.changed()
    assert (line.asked, line.pace.waits) == (0, False)
