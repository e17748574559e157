from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from engine.contract.data import Data
from engine.contract.problems import InputError
from engine.parts.datasets import build_sources
from engine.parts.target_counts import count_mask, target_counts, total


def as_dict(counts) -> dict[int, int]:
    assert counts.values.dtype == counts.counts.dtype == torch.int64
    assert counts.values.tolist() == sorted(counts.values.tolist())
    return dict(zip(counts.values.tolist(), counts.counts.tolist(), strict=True))


def write(root: Path, *masks, size=None) -> Path:
    for folder in ("images", "masks"):
        (root / folder).mkdir()
    for number, mask in enumerate(masks):
        pixels = np.array(mask, dtype=np.uint8)
        Image.new("RGB", size or pixels.shape[::-1]).save(root / "images" / f"{number}.png")
        Image.fromarray(pixels).save(root / "masks" / f"{number}.png")
    return root


def masks_of(root: Path, *, ignore_index=-100, **keys):
    section = Data(dataset="ImageMaskFolder", root=str(root), **({"val": "none"} | keys))
    return build_sources(section, Path(), 0, task="segmentation", ignore_index=ignore_index)


def test_classes_are_counted_by_samples():
    counts = target_counts(build_sources(Data(val="none"), Path(), 0).train, key="data.root")
    # As scikit-learn's load_digits documents them.
    expected = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert as_dict(counts) == dict(enumerate(expected))


def test_masks_are_counted_by_pixels_the_ignored_ones_too(tmp_path):
    write(tmp_path, [[0, 1, 1], [255, 2, 1]], [[2, 2, 2]])
    for names in (None, ["a", "b", "c"]):
        source = masks_of(tmp_path, ignore_index=255, classes=names).train
        assert as_dict(target_counts(source, key="data.root")) == {0: 1, 1: 3, 2: 4, 255: 1}


def test_mask_values_are_counted_as_their_classes(tmp_path):
    write(tmp_path, [[0, 255, 255]], [[255, 9, 0]])
    source = masks_of(tmp_path, mask_values=[255, 0], ignore_index=9).train
    assert as_dict(target_counts(source, key="data.root")) == {0: 3, 1: 2, 9: 1}


def test_only_the_training_part_of_a_split_is_counted(tmp_path):
    write(tmp_path, *[[[0, 1], [number, number]] for number in (0, 1)] * 4)
    for names in (None, ["a", "b"]):
        sources = masks_of(tmp_path, val=0.25, classes=names)
        train, val = (target_counts(s, key="") for s in (sources.train, sources.val))
        assert sum(as_dict(train).values()) == 6 * 4
        assert as_dict(total([train, val])) == {0: 16, 1: 16}


def test_many_masks_are_counted_in_several_goes(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.parts.target_counts.AT_ONCE", 2)
    write(tmp_path, *[[[0, 1]]] * 5)
    source = masks_of(tmp_path, classes=["a", "b"]).train
    assert as_dict(target_counts(source, key="")) == {0: 5, 1: 5}


def test_masks_that_are_wrong_are_named_together(tmp_path):
    write(tmp_path, *[[[0, 1, 7]]] * 5)
    source = masks_of(tmp_path, classes=["a", "b"]).train
    with pytest.raises(InputError) as caught:
        target_counts(source, key="data.root")
    *first, rest = caught.value.problems
    assert [problem.key for problem in first] == ["data.root"] * 3
    assert "masks/0.png: the value 7 (1 pixels) is no class" in first[0].message
    assert "ignore_index = 7" in first[0].hint
    assert "2 more" in rest.message


def test_a_mask_of_another_size_than_its_image_is_told(tmp_path):
    write(tmp_path, [[0, 1]], size=(3, 3))
    source = masks_of(tmp_path, classes=["a", "b"]).train
    with pytest.raises(InputError, match="the mask has 2x1 pixels, its image 3x3"):
        target_counts(source, key="data.root")


def test_what_can_not_be_read_is_left_out_where_that_is_wanted(tmp_path):
    write(tmp_path, [[0, 1]], [[1, 1]])
    (tmp_path / "masks" / "0.png").write_bytes(b"")
    source = masks_of(tmp_path, classes=["a", "b"]).train
    with pytest.raises(InputError):
        target_counts(source, key="data.root")
    assert as_dict(target_counts(source, key="data.root", skip_unreadable=True)) == {1: 2}


def test_values_far_apart_are_counted_too():
    mask = torch.tensor([[0, 2**30, 0]], dtype=torch.int32)
    assert as_dict(count_mask(mask)) == {0: 2, 2**30: 1}


def test_negative_values_are_counted():
    assert as_dict(count_mask(torch.tensor([[-100, 1, -100, 0]]))) == {-100: 2, 0: 1, 1: 1}
