"""With images kept as they are before what is random, a training is the one that reads them."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from engine.contract.feature_folder import MARKS, RECORDS, cache_folder, entries
from engine.contract.run_directory import RunDirectory
from tests.test_frozen_prefix import PLAIN, assert_same, assert_same_but_for_limits, said, trained
from tests.training import Zygote, draw_images

# The first layers train, so nothing of the network is computed once. Flips and colours come after
# the resize and the crop, which are the same each time.
KEYS = (
    "train.epochs=3",
    'model.freeze=["layers.8"]',
    'data.augment=[{name="RandomHorizontalFlip"},{name="ColorJitter",brightness=0.4}]',
)
OFF, ON = "train.cache=off", "train.cache=auto"


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    shutil.rmtree(cache_folder(), ignore_errors=True)
    yield
    shutil.rmtree(cache_folder(), ignore_errors=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """23 images for training, with a short last batch, and 8 for validation."""
    draw_images(tmp_path / "images" / "train", {"bee": 8, "ant": 15})
    draw_images(tmp_path / "images" / "val", {"bee": 4, "ant": 4})
    for path in (tmp_path / "images").rglob("*.png"):  # so large that keeping them pays, for sure
        Image.open(path).resize((360, 300), Image.Resampling.NEAREST).save(path)
    (tmp_path / "small.toml").write_text(PLAIN)
    return tmp_path


def kept() -> list[str]:
    return sorted(entry.about["split"] for entry in entries(cache_folder()))


@pytest.mark.parametrize("workers", [0, 2])
def test_the_numbers_are_bit_for_bit_those_of_reading_each_time(
    zygote: Zygote, folder: Path, workers: int
) -> None:
    keys = (*KEYS, f"data.workers={workers}")
    anew = trained(zygote, folder, "anew", *keys, OFF)
    assert not entries(cache_folder())
    once = trained(zygote, folder, "once", *keys, ON)
    assert kept() == ["train", "val"]
    for entry in entries(cache_folder()):
        marks = (entry.path / MARKS).read_bytes()
        assert all(marks[at : at + 4] != bytes(4) for at in range(0, len(marks), 8)), "all of them"
    again = trained(zygote, folder, "again", *keys, ON)
    assert_same(once, anew)
    assert_same(again, anew)
    assert "prepared once" in said(once)[0].train
    assert "prepared once" in said(once)[0].val
    assert "prepared by an earlier run" in said(again)[0].train


def test_from_the_second_epoch_on_no_image_file_is_read(zygote: Zygote, folder: Path) -> None:
    anew = trained(zygote, folder, "anew", *KEYS, OFF)
    trained(zygote, folder, "once", *KEYS, ON)
    for image in (folder / "images").rglob("*.png"):
        found = image.stat()
        image.write_bytes(bytes(found.st_size))  # no image any more, but of the same size and time
        os.utime(image, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert_same(trained(zygote, folder, "again", *KEYS, ON), anew)


@pytest.mark.parametrize("step", [1, 4, 7])
def test_a_run_killed_in_its_first_epochs_goes_on_with_what_it_has_kept(
    zygote: Zygote, folder: Path, step: int
) -> None:
    anew = trained(zygote, folder, "anew", *KEYS, OFF)
    run = trained(zygote, folder, "once", *KEYS, ON, at={step: "SIGKILL"})
    assert zygote.train(path=run.path, resume=True) == 0
    assert_same(run, anew)


@pytest.mark.parametrize("damage", ["flipped", "unmarked", "no about"])
def test_what_is_damaged_is_read_again(zygote: Zygote, folder: Path, damage: str) -> None:
    anew = trained(zygote, folder, "anew", *KEYS, OFF)
    trained(zygote, folder, "once", *KEYS, ON)
    for entry in entries(cache_folder()):
        match damage:
            case "flipped":
                content = bytearray((entry.path / RECORDS).read_bytes())
                content[100] ^= 1
                (entry.path / RECORDS).write_bytes(content)
            case "unmarked":
                marks = entry.path / MARKS
                marks.write_bytes(bytes(len(marks.read_bytes())))
            case "no about":
                (entry.path / "about.json").write_text("{")
    assert_same(trained(zygote, folder, "again", *KEYS, ON), anew)


def test_a_changed_image_is_read_again_and_only_that(zygote: Zygote, folder: Path) -> None:
    trained(zygote, folder, "before", *KEYS, ON)
    Image.new("RGB", (400, 400), (250, 10, 10)).save(folder / "images/train/ant/003.png")
    anew = trained(zygote, folder, "anew", *KEYS, OFF)
    assert_same(trained(zygote, folder, "once", *KEYS, ON), anew)
    assert kept() == ["train", "val"], "no new ones: the others are still good"


def test_another_augmentation_after_the_same_beginning_finds_the_same_images(
    zygote: Zygote, folder: Path
) -> None:
    trained(zygote, folder, "once", *KEYS, ON)
    other = (*KEYS[:2], 'data.augment=[{name="RandomVerticalFlip"}]')
    anew = trained(zygote, folder, "anew", *other, OFF)
    again = trained(zygote, folder, "again", *other, ON)
    assert_same(again, anew)
    assert "earlier run" in said(again)[0].train
    assert kept() == ["train", "val"]


def test_two_runs_at_once_share_one_cache(
    zygote: Zygote, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Zygote(tmp_path_factory.mktemp("other"))
    anew = trained(zygote, folder, "anew", *KEYS, OFF)
    runs: dict[str, RunDirectory] = {}

    def train(name: str, by: Zygote) -> None:
        runs[name] = trained(by, folder, name, *KEYS, ON)

    pair = [threading.Thread(target=train, args=given) for given in [("a", zygote), ("b", other)]]
    for thread in pair:
        thread.start()
    for thread in pair:
        thread.join()
    other.close()
    assert_same(runs["a"], anew)
    assert_same(runs["b"], anew)
    assert kept() == ["train", "val"]


@pytest.mark.parametrize("workers", [0, 2])
def test_without_room_on_the_disk_they_are_kept_in_memory_and_without_that_not_at_all(
    zygote: Zygote, folder: Path, workers: int
) -> None:
    keys = (*KEYS, f"data.workers={workers}")
    anew = trained(zygote, folder, "anew", *keys, OFF)
    memory = trained(zygote, folder, "memory", *keys, ON, "train.cache_disk=1000")
    limits = ("train.cache_disk=1000", "train.cache_memory=1000")
    none = trained(zygote, folder, "none", *keys, ON, *limits)
    assert not entries(cache_folder())
    assert_same_but_for_limits(memory, anew)
    assert_same_but_for_limits(none, anew)
    assert "prepared once" in said(memory)[0].train
    assert "more than may be kept in memory" in said(none)[0].train


def test_images_that_a_random_crop_takes_as_they_are_differ_in_size_and_are_not_kept(
    zygote: Zygote, folder: Path
) -> None:
    Image.new("RGB", (50, 30), (250, 10, 10)).save(folder / "images/train/ant/001.png")
    crop = (*KEYS[:2], 'data.augment=[{name="RandomResizedCrop",size=32}]')
    anew = trained(zygote, folder, "anew", *crop, OFF)
    once = trained(zygote, folder, "once", *crop, ON)
    assert_same(once, anew)
    assert kept() == ["val"]
    assert "differ in size" in said(once)[0].train


def test_layers_that_begin_to_train_leave_the_images_to_be_kept(
    zygote: Zygote, folder: Path
) -> None:
    at = PLAIN.index("[loss]")
    soon = "[[model.unfreeze]]\nepoch = 1\nlayers = ['*']\n\n"
    (folder / "small.toml").write_text(PLAIN[:at] + soon + PLAIN[at:])
    keys = ("train.epochs=3", 'model.freeze=["*"]')
    anew = trained(zygote, folder, "anew", *keys, OFF)
    once = trained(zygote, folder, "once", *keys, ON)
    assert_same(once, anew)
    assert kept() == ["train", "train", "val", "val"]
    assert "prepared once" in said(once)[-1].train


def test_what_can_not_be_read_is_left_out_as_ever(zygote: Zygote, folder: Path) -> None:
    (folder / "images/train/ant/000.png").write_bytes(b"no image")
    keys = (*KEYS, "data.skip_unreadable=true")
    anew = trained(zygote, folder, "anew", *keys, OFF)
    assert_same(trained(zygote, folder, "once", *keys, ON), anew)
