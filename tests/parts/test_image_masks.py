from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from engine.contract.data import Data
from engine.contract.problems import InputError
from engine.parts.datasets import build_sources

HERE = Path()


def write_pair(images: Path, masks: Path, name: str, mask, ending: str = "jpg") -> None:
    """An image of the mask's size, red in the first of its channels by the number in the name."""
    for folder in (images, masks):
        folder.mkdir(parents=True, exist_ok=True)
    pixels = np.array(mask, dtype=np.uint8)
    Image.new("RGB", pixels.shape[::-1], (60, 0, 0)).save(images / f"{name}.{ending}")
    Image.fromarray(pixels).save(masks / f"{name}.png")


def write_split(root: Path, split: str, count: int, mask=((0, 1, 2), (0, 2, 2))) -> None:
    for number in range(count):
        write_pair(root / split / "images", root / split / "masks", str(number), mask)


def sources_of(root: Path, *, ignore_index=-100, seed=0, **keys):
    section = Data(dataset="ImageMaskFolder", root=str(root), **keys)
    return build_sources(section, HERE, seed, task="segmentation", ignore_index=ignore_index)


def problems_of(root: Path, **keys):
    with pytest.raises(InputError) as caught:
        sources_of(root, **keys)
    return caught.value.problems


def test_images_and_masks_pair_by_name(tmp_path):
    write_split(tmp_path, "train", 3)
    write_split(tmp_path, "val", 2)
    sources = sources_of(tmp_path)
    train = sources.train
    assert (len(train), len(sources.val)) == (3, 2)
    assert train.task == "segmentation"
    assert train.targets is None
    assert train.name(1) == str(tmp_path / "train" / "images" / "1.jpg")
    assert train.relative_name(1) == "1.jpg"
    image, mask = train.read(1)
    assert (image.size, mask.tolist()) == ((3, 2), [[0, 1, 2], [0, 2, 2]])


def test_images_may_hold_the_splits_too(tmp_path):
    for split, count in (("train", 2), ("valid", 1)):
        for number in range(count):
            places = tmp_path / "images" / split, tmp_path / "masks" / split
            write_pair(*places, str(number), [[0, 1]])
    sources = sources_of(tmp_path)
    assert (len(sources.train), len(sources.val)) == (2, 1)


def test_without_splits_a_fraction_of_all_is_held_out_by_the_seed(tmp_path):
    for number in range(10):
        write_pair(tmp_path / "images", tmp_path / "masks", str(number), [[0, 1]])
    sources = sources_of(tmp_path, val=0.3)
    assert (len(sources.train), len(sources.val)) == (7, 3)
    names = [s.name(i) for s in (sources.train, sources.val) for i in range(len(s))]
    assert len(set(names)) == 10
    held_out = {seed: sources_of(tmp_path, val=0.3, seed=seed).val for seed in (0, 1)}
    assert held_out[0].relative_name(0) == sources.val.relative_name(0)
    assert [held_out[0].name(i) for i in range(3)] != [held_out[1].name(i) for i in range(3)]
    assert sources_of(tmp_path, val="none").val is None


def test_one_pair_is_too_few_to_hold_one_out(tmp_path):
    write_pair(tmp_path / "images", tmp_path / "masks", "a", [[0, 1]])
    (problem,) = problems_of(tmp_path)
    assert problem.key == "data.val"


def test_the_highest_value_of_all_masks_is_the_last_class(tmp_path):
    write_split(tmp_path, "train", 2, [[0, 1, 255]])
    write_split(tmp_path, "val", 1, [[0, 3, 255]])
    sources = sources_of(tmp_path, ignore_index=255)
    assert sources.train.classes == sources.val.classes == ["0", "1", "2", "3"]


def test_names_and_values_tell_the_classes_without_reading_any_mask(tmp_path):
    write_split(tmp_path, "train", 2, [[0, 255]])
    for mask in (tmp_path / "train" / "masks").iterdir():
        mask.write_bytes(b"not read yet")
    names = ["ground", "road", "sky"]
    assert sources_of(tmp_path, classes=names).train.classes == names
    assert sources_of(tmp_path, mask_values=[0, 255]).train.classes == ["0", "1"]


def test_mask_values_become_the_numbers_of_the_classes(tmp_path):
    write_split(tmp_path, "train", 2, [[0, 255, 7]])
    train = sources_of(tmp_path, mask_values=[0, 255], ignore_index=7, val="none").train
    assert train.read(0)[1].tolist() == [[0, 1, 7]]


def test_white_in_a_black_and_white_mask_is_asked_about(tmp_path):
    write_split(tmp_path, "train", 2, [[0, 255]])
    (problem,) = problems_of(tmp_path)
    assert problem.key == "data.root"
    assert "the values 0, 255" in problem.message
    assert problem.hint.startswith("write mask_values = [0, 255] under [data]")


def test_255_beside_the_numbers_of_classes_is_asked_about(tmp_path):
    write_split(tmp_path, "train", 2, [[0, 1, 2, 255]])
    (problem,) = problems_of(tmp_path)
    assert problem.hint.startswith("write ignore_index = 255 under [loss]")


def test_masks_of_nothing_but_one_class_or_none_are_told(tmp_path):
    write_split(tmp_path, "train", 2, [[0, 0]])
    (problem,) = problems_of(tmp_path)
    assert "only one class" in problem.message
    (problem,) = problems_of(tmp_path, ignore_index=0)
    assert "every pixel of the masks is 0" in problem.message


def test_a_value_that_is_no_class_names_the_file_when_it_is_read(tmp_path):
    write_split(tmp_path, "train", 2, [[0, 255]])
    train = sources_of(tmp_path, classes=["a", "b"], val="none").train
    with pytest.raises(ValueError, match=r"masks/1.png: the value 255 \(1 pixels\) is no class"):
        train.read(1)


def test_a_mask_of_another_size_names_the_file(tmp_path):
    write_split(tmp_path, "train", 2)
    Image.new("L", (2, 2)).save(tmp_path / "train" / "masks" / "0.png")
    train = sources_of(tmp_path, classes=["a", "b", "c"], val="none").train
    with pytest.raises(ValueError, match=r"masks/0.png: the mask has 2x2 pixels, its image 3x2"):
        train.read(0)
    (problem,) = problems_of(tmp_path)
    assert "masks/0.png: the mask has 2x2 pixels" in problem.message


def test_masks_in_colours_are_told_with_what_to_save(tmp_path):
    write_split(tmp_path, "train", 4)
    for number in range(4):
        Image.new("RGB", (3, 2)).save(tmp_path / "train" / "masks" / f"{number}.png")
    *first, rest = problems_of(tmp_path)
    assert len(first) == 3
    assert "not the colours of RGB" in first[0].message
    assert "mode L or P" in first[0].hint
    assert "and 1 more masks" in rest.message


def test_a_mask_that_can_not_be_read_is_told_or_left_out(tmp_path):
    write_split(tmp_path, "train", 3)
    (tmp_path / "train" / "masks" / "1.png").write_bytes(b"no image")
    (problem,) = problems_of(tmp_path)
    assert problem.message.endswith("1.jpg: not an image, or an empty or damaged one")
    assert "skip_unreadable = true" in problem.hint
    sources = sources_of(tmp_path, skip_unreadable=True, val="none")
    assert sources.train.classes == ["0", "1", "2"]


def test_those_without_a_partner_are_named(tmp_path):
    write_split(tmp_path, "train", 8)
    for number in range(6):
        (tmp_path / "train" / "masks" / f"{number}.png").unlink()
    (tmp_path / "train" / "images" / "7.jpg").unlink()
    images, masks = problems_of(tmp_path)
    assert "masks lacks the partner of 6 in" in images.message
    assert images.message.endswith("0.jpg, 1.jpg, 2.jpg, 3.jpg, 4.jpg, …")
    assert "images lacks the partner of 1 in" in masks.message
    assert masks.message.endswith(": 7.png")
    assert "a mask has the name of its image" in masks.hint


def test_two_images_of_one_name_are_told(tmp_path):
    write_split(tmp_path, "train", 1)
    Image.new("RGB", (3, 2)).save(tmp_path / "train" / "images" / "0.png")
    (problem,) = problems_of(tmp_path)
    assert "both 0.jpg and 0.png" in problem.message


def test_hidden_files_and_notes_are_no_images(tmp_path):
    write_split(tmp_path, "train", 2)
    (tmp_path / "train" / "images" / ".1.jpg").write_bytes(b"")
    (tmp_path / "train" / "masks" / "readme.txt").touch()
    assert len(sources_of(tmp_path, val="none").train) == 2


def test_folders_that_are_not_there_are_told(tmp_path):
    (problem,) = problems_of(tmp_path / "no")
    assert (problem.key, "does not exist" in problem.message) == ("data.root", True)
    write_split(tmp_path, "training", 2)
    (problem,) = problems_of(tmp_path)
    assert (problem.key, problem.hint) == ("data.train", 'did you mean "training"?')
    (problem,) = problems_of(tmp_path, train="training", val="test")
    assert problem.key == "data.val"
    assert "test/images and test/masks" in problem.hint
    (tmp_path / "empty" / "images").mkdir(parents=True)
    (tmp_path / "empty" / "masks").mkdir()
    (problem,) = problems_of(tmp_path / "empty")
    assert "no images in" in problem.message


def test_it_is_for_a_segmentation_alone(tmp_path):
    write_split(tmp_path, "train", 2)
    with pytest.raises(InputError) as caught:
        build_sources(
            Data(dataset="ImageMaskFolder", root=str(tmp_path)), HERE, 0, task="regression"
        )
    assert caught.value.problems[0].key == "data.task"


def test_palette_masks_are_read_by_their_index(tmp_path):
    write_split(tmp_path, "train", 1)
    image = Image.fromarray(np.array([[0, 1, 2], [2, 1, 0]], dtype=np.uint8)).convert("L")
    image.putpalette([9, 9, 9] * 256)
    image.save(tmp_path / "train" / "masks" / "0.png")
    mask = sources_of(tmp_path, val="none").train.read(0)[1]
    assert torch.equal(mask, torch.tensor([[0, 1, 2], [2, 1, 0]], dtype=torch.int32))
