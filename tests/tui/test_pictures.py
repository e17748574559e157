"""How the dashboard looks in six states, at three sizes: cell by cell as in tests/tui/pictures, in
text and in colours.

A picture that has become another one on purpose: `uv run python -m tests.tui.states`, and look.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.segment import Segment
from rich.style import Style

from engine.contract.events import CheckpointSaved, RunFinished, Step, Validated
from tests.training import effective_events
from tests.tui.made_run import EPOCHS, EXPERIMENT, PARAMETERS, PER_EPOCH, TRAIN, MadeRun, ptrain
from tests.tui.pictured import Pictured
from tests.tui.states import DOCS, README, SIZES, STATES, file_of, taken


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", STATES)
def test_it_looks_as_in_its_picture(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    wanted = Pictured.read(file_of(name, size).read_text())
    seen, _ = taken(STATES[name], size, tmp_path, wanted)
    assert seen.differences(wanted) == []


def pictured(text: str, *styles: str) -> Pictured:
    """A row whose words have those styles."""
    parts = zip(text.split(" "), styles, strict=True)
    return Pictured.of([[Segment(word, Style.parse(style)) for word, style in parts]])


def test_a_picture_is_read_as_it_was_written() -> None:
    made = pictured("one two three", "bold red", "blue on #102030", "bold red")
    assert Pictured.read(str(made)) == made
    assert made.looks[0][3] == "#000080 on #102030"


@pytest.mark.parametrize(
    "other", ["bold blue", "red", "bold red on blue", "bold underline red", "bold reverse red"]
)
def test_a_cell_that_only_looks_otherwise_is_a_difference(other: str) -> None:
    made = pictured("one two", "bold red", "bold red")
    (told,) = pictured("one two", "bold red", other).differences(made)
    assert told.startswith("row 1, columns 4 to 6: ")
    assert made.differences(made) == []


def test_a_cell_with_another_letter_is_a_difference() -> None:
    (told,) = pictured("one two", "red", "red").differences(pictured("one too", "red", "red"))
    assert told == "row 1 is\nonetwo\nand was\nonetoo"


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeRun:
    monkeypatch.chdir(tmp_path)
    return MadeRun(1, final=0.1, lr=0.03).train(EPOCHS)


def test_what_a_made_run_says_of_its_learning_rate_is_what_its_file_gives(made: MadeRun) -> None:
    """By hand: five epochs from a tenth to the whole, a tenth of it at 15 and again at 20."""
    warm = [0.1, 0.28, 0.46, 0.64, 0.82]
    factors = [*warm, *[1.0] * 10, *[0.1] * 5, *[0.01] * 5]
    steps = [event for event in effective_events(made.run) if isinstance(event, Step)]
    assert [event.step for event in steps] == list(range(EPOCHS * PER_EPOCH))
    for step in steps:
        assert step.lr == pytest.approx([0.03 * factors[step.epoch]])


def test_what_it_calls_the_best_is_the_least_of_what_it_validated(made: MadeRun) -> None:
    made.finish()
    events = effective_events(made.run)
    losses = {e.epoch + 1: e.metrics["val/loss"] for e in events if isinstance(e, Validated)}
    least = min(losses, key=lambda epoch: losses[epoch] or 0)
    best = [e for e in events if isinstance(e, CheckpointSaved) and e.kind == "best"][-1]
    assert (best.epoch, best.metric) == (least, losses[least])
    assert [e.best for e in events if isinstance(e, RunFinished)] == [losses[least]]
    kept = sorted(losses, key=lambda epoch: losses[epoch] or 0)[:3]
    there = {path.name for path in made.run.checkpoints.iterdir()}
    assert there == {"best.pt", "last.pt", *(f"epoch-{epoch:04d}.pt" for epoch in kept)}


def test_what_it_counts_is_what_torch_and_the_data_count() -> None:
    from torchvision.models import resnet18

    model = resnet18(num_classes=10)
    total = sum(p.numel() for p in model.parameters())
    trains = sum(p.numel() for part in (model.layer4, model.fc) for p in part.parameters())
    assert (PARAMETERS.total, PARAMETERS.trainable) == (total, trains)
    answer = ptrain(("lr", "digits.toml", "--stdin", "--json", "--most-points", "2"), EXPERIMENT)
    assert f'"steps_per_epoch":{PER_EPOCH},"epochs":{EPOCHS}' in answer.out
    assert -(-TRAIN // 32) == PER_EPOCH


def test_the_readmes_pictures_show_what_is_compared_here() -> None:
    for name, size in README.items():
        svg = (DOCS / f"{name.replace(' ', '-')}.svg").read_text()
        for row in Pictured.read(file_of(name, size).read_text()).rows:
            for word in row.split():
                if word.isascii() and word.isalnum():
                    assert word in svg
