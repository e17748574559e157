"""With what frozen layers give computed once, a training is the training that computes it anew."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from engine.checkpoint import load
from engine.contract.events import PrefixKept
from engine.contract.feature_folder import MARKS, RECORDS, cache_folder, entries
from engine.contract.follower import Follower
from engine.contract.run_directory import RunDirectory
from tests.training import EXPERIMENT, Numbers, Zygote, differences, draw_images, only_run

PLAIN = EXPERIMENT[: EXPERIMENT.index("augment")] + EXPERIMENT[EXPERIMENT.index("[model]") :]
HEAD = ("train.epochs=3", 'model.freeze=["*"]')
TAIL = ("train.epochs=3", 'model.freeze=["*","!layers.14","!layers.15","!classifier.0"]')
SOON = "[[model.unfreeze]]\nepoch = 1\nlayers = ['layers.14']\n\n"


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    shutil.rmtree(cache_folder(), ignore_errors=True)
    yield
    shutil.rmtree(cache_folder(), ignore_errors=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """24 images, so that every batch of 4 is whole, and an experiment without random input."""
    draw_images(tmp_path / "images" / "train", {"bee": 8, "ant": 16})
    draw_images(tmp_path / "images" / "val", {"bee": 4, "ant": 4})
    (tmp_path / "small.toml").write_text(PLAIN)
    return tmp_path


def trained(
    zygote: Zygote, folder: Path, name: str, *overrides: str, **more: object
) -> RunDirectory:
    runs = folder / name
    asked = {"path": folder / "small.toml", "runs": runs, "overrides": list(overrides), **more}
    assert zygote.train(**asked) == (0 if "at" not in more else -9)
    return only_run(runs)


def assert_same(run: RunDirectory, other: RunDirectory) -> None:
    """All numbers of the events, and whole checkpoints but for the key that differs."""
    assert Numbers.of(run) == Numbers.of(other)
    for name in ("last.pt", "best.pt"):
        mine, theirs = load(run.checkpoints / name), load(other.checkpoints / name)
        for content in (mine, theirs):
            content["experiment"]["train"].pop("cache")
        assert differences(mine, theirs) == []


def said(run: RunDirectory) -> list[PrefixKept]:
    return [event for event in Follower(run.events).events() if isinstance(event, PrefixKept)]


AUGMENT = 'data.augment=[{name="RandomHorizontalFlip"},{name="ColorJitter",brightness=0.4}]'


@pytest.mark.parametrize(
    "overrides",
    [HEAD, TAIL, (*HEAD, "data.views=2", AUGMENT), (*TAIL, 'optimizer={name="LBFGS"}')],
    ids=["head", "tail with BatchNorm and dropout", "two views", "L-BFGS"],
)
def test_the_numbers_are_bit_for_bit_those_of_computing_each_time(
    zygote: Zygote, folder: Path, overrides: tuple[str, ...]
) -> None:
    if "LBFGS" in overrides[-1]:
        without = PLAIN[: PLAIN.index("[optimizer]")] + PLAIN[PLAIN.index("[train]") :]
        (folder / "small.toml").write_text(without)
    anew = trained(zygote, folder, "anew", *overrides, "train.cache=off")
    assert not entries(cache_folder())
    once = trained(zygote, folder, "once", *overrides, "train.cache=on")
    assert len(entries(cache_folder())) == 2
    again = trained(zygote, folder, "again", *overrides, "train.cache=on")
    assert_same(once, anew)
    assert_same(again, anew)
    assert [
        ("earlier run" in event.train, "earlier run" in event.val) for event in said(again)
    ] == [(True, True)]


def test_random_images_are_computed_each_time_and_validation_once(
    zygote: Zygote, folder: Path
) -> None:
    anew = trained(zygote, folder, "anew", *HEAD, AUGMENT, "train.cache=off")
    once = trained(zygote, folder, "once", *HEAD, AUGMENT)
    assert_same(once, anew)
    (event,) = said(once)
    assert "other images" in event.train
    assert "frozen up to" in event.val


def test_layers_that_begin_to_train_move_the_border(zygote: Zygote, folder: Path) -> None:
    at = PLAIN.index("[loss]")
    (folder / "small.toml").write_text(PLAIN[:at] + SOON + PLAIN[at:])
    anew = trained(zygote, folder, "anew", *HEAD, "train.cache=off")
    once = trained(zygote, folder, "once", *HEAD, "train.cache=on")
    assert_same(once, anew)
    assert len(entries(cache_folder())) == 4


@pytest.mark.parametrize("step", [1, 2, 4])
def test_a_run_killed_in_its_first_epochs_goes_on_with_what_it_has_kept(
    zygote: Zygote, folder: Path, step: int
) -> None:
    anew = trained(zygote, folder, "anew", *HEAD, "train.cache=off")
    run = trained(zygote, folder, "once", *HEAD, "train.cache=on", at={step: "SIGKILL"})
    assert zygote.train(path=run.path, resume=True) == 0
    assert_same(run, anew)


@pytest.mark.parametrize("damage", ["torn", "flipped", "short", "unmarked", "no about"])
def test_what_is_damaged_is_computed_again(zygote: Zygote, folder: Path, damage: str) -> None:
    anew = trained(zygote, folder, "anew", *HEAD, "train.cache=off")
    trained(zygote, folder, "once", *HEAD, "train.cache=on")
    for entry in entries(cache_folder()):
        _damage(entry.path, damage)
    assert_same(trained(zygote, folder, "again", *HEAD, "train.cache=on"), anew)


def _damage(path: Path, damage: str) -> None:
    records, marks = path / RECORDS, path / MARKS
    match damage:
        case "torn":  # as a power cut leaves it: room that was never written
            records.write_bytes(records.read_bytes()[:-9000] + bytes(9000))
        case "flipped":
            content = bytearray(records.read_bytes())
            content[100] ^= 1
            records.write_bytes(content)
        case "short":
            os.truncate(records, 1000)
        case "unmarked":
            marks.write_bytes(bytes(len(marks.read_bytes())))
        case "no about":
            (path / "about.json").write_text("{")


def test_a_changed_image_is_computed_again_and_only_that(zygote: Zygote, folder: Path) -> None:
    trained(zygote, folder, "before", *HEAD, "train.cache=on")
    image = folder / "images" / "train" / "ant" / "003.png"
    Image.new("RGB", (40, 40), (250, 10, 10)).save(image)
    anew = trained(zygote, folder, "anew", *HEAD, "train.cache=off")
    once = trained(zygote, folder, "once", *HEAD, "train.cache=on")
    assert_same(once, anew)
    assert len(entries(cache_folder())) == 2, "no new ones: the others' features are still good"


def test_two_runs_at_once_share_one_cache(
    zygote: Zygote, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Zygote(tmp_path_factory.mktemp("other"))
    anew = trained(zygote, folder, "anew", *HEAD, "train.cache=off")
    runs: dict[str, RunDirectory] = {}

    def train(name: str, by: Zygote) -> None:
        runs[name] = trained(by, folder, name, *HEAD, "train.cache=on")

    pair = [threading.Thread(target=train, args=given) for given in [("a", zygote), ("b", other)]]
    for thread in pair:
        thread.start()
    for thread in pair:
        thread.join()
    other.close()
    assert_same(runs["a"], anew)
    assert_same(runs["b"], anew)
    assert len(entries(cache_folder())) == 2


def test_without_room_on_the_disk_it_is_kept_in_memory_and_without_that_not_at_all(
    zygote: Zygote, folder: Path
) -> None:
    anew = trained(zygote, folder, "anew", *HEAD, "train.cache=off")
    small = trained(zygote, folder, "small", *HEAD, "train.cache=on", "train.cache_disk=1000")
    none = trained(
        zygote, folder, "none", *HEAD, "train.cache=on", "train.cache_disk=1000",
        "train.cache_memory=1000",
    )  # fmt: skip
    assert not entries(cache_folder())
    assert_same_but_for_limits(small, anew)
    assert_same_but_for_limits(none, anew)
    assert "more than is left of cache_disk" in said(none)[0].train
    assert "more than may be kept in memory" in said(none)[0].train
    assert "not kept" not in said(small)[0].train


def assert_same_but_for_limits(run: RunDirectory, other: RunDirectory) -> None:
    assert Numbers.of(run) == Numbers.of(other)
    mine, theirs = load(run.checkpoints / "last.pt"), load(other.checkpoints / "last.pt")
    assert differences(mine["model"], theirs["model"]) == []


def test_a_short_last_batch_changes_nothing_that_counts(zygote: Zygote, folder: Path) -> None:
    """A sample that was computed in a batch of 2 may differ in its last bits from one of 4."""
    draw_images(folder / "more", {"bee": 1, "ant": 1})
    for name in ("bee", "ant"):
        (folder / "more" / name / "000.png").rename(folder / "images" / "train" / name / "more.png")
    anew = Numbers.of(trained(zygote, folder, "anew", *HEAD, "train.cache=off"))
    once = Numbers.of(trained(zygote, folder, "once", *HEAD, "train.cache=on"))
    for mine, theirs in zip(once.steps, anew.steps, strict=True):
        assert mine[:2] == theirs[:2]
        assert mine[2] == pytest.approx(theirs[2], rel=1e-6)
