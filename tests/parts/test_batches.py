import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from PIL import Image

from engine.contract.data import Data
from engine.contract.problems import InputError, RunError
from engine.parts import named_datasets
from engine.parts.batches import build_data
from engine.parts.transforms import Preset, build_transforms

PRESET = Preset(16, 18, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
AUGMENT = [
    {"name": "RandomResizedCrop", "size": 16},
    {"name": "RandomHorizontalFlip"},
    {"name": "ColorJitter", "brightness": 0.4, "hue": 0.1},
]

OWN = """
import random
import numpy as np
import torch
from PIL import Image

class Noise:
    classes = ["a", "b"]
    targets = [0, 1] * 6
    def __len__(self):
        return 12
    def __getitem__(self, index):
        rgb = random.randrange(256), int(np.random.randint(256)), int(torch.randint(256, ()))
        return Image.new("RGB", (20, 20), rgb), index % 2
"""

THREADS = """
import torch

class Threads:
    classes = ["a", "b"]
    targets = [0, 1, 0, 1]
    def __len__(self):
        return 4
    def __getitem__(self, index):
        return torch.full((3, 16, 16), torch.get_num_threads(), dtype=torch.uint8), index % 2
"""


@pytest.fixture
def images(tmp_path) -> Path:
    """23 images of noise for training, in two classes, and 5 for validation."""
    draw = np.random.default_rng(0)
    for split, name, count in (
        *(("train", "ant", 12), ("train", "bee", 11)),
        *(("val", "ant", 2), ("val", "bee", 3)),
    ):
        folder = tmp_path / "images" / split / name
        folder.mkdir(parents=True)
        for number in range(count):
            pixels = draw.integers(0, 256, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return tmp_path / "images"


@pytest.fixture
def build():
    built = []

    def build(*, seed=3, folder=Path(), ignore_index=-100, **keys):
        section = Data.model_validate({"workers": 0, "batch_size": 5, **keys})
        task = section.task or "classification"
        data = build_data(
            section, PRESET, seed=seed, folder=folder, task=task, ignore_index=ignore_index
        )
        built.append(data)
        return data

    yield build
    for data in built:
        data.close()


def of_folder(root: Path, **keys):
    return {"dataset": "ImageFolder", "root": str(root), **keys}


def same(first, second) -> bool:
    return [b.indices for b in first] == [b.indices for b in second] and all(
        torch.equal(a.inputs, b.inputs) and torch.equal(a.targets, b.targets)
        for a, b in zip(first, second, strict=True)
    )


def finished(data, batch):
    return batch._replace(inputs=data.inputs(batch))


def generators():
    return (
        torch.get_rng_state().tolist(),
        random.getstate(),
        np.random.get_state()[1].tolist(),
    )


def test_an_epoch_holds_every_training_sample_once(images, build):
    data = build(**of_folder(images))
    batches = list(data.train_batches(0))
    assert [len(batch.indices) for batch in batches] == [5, 5, 5, 5, 3]
    assert sorted(index for batch in batches for index in batch.indices) == list(range(23))
    assert data.batches_per_epoch == 5
    assert (data.train_samples, data.val_samples) == (23, 5)
    assert data.classes == ["ant", "bee"]
    for batch in batches:
        assert batch.inputs.shape == (len(batch.indices), 3, 16, 16)
        assert batch.targets.dtype == torch.int64
        assert torch.equal(batch.targets, data.train_targets[batch.indices])


def test_drop_last_leaves_the_short_batch_out(images, build):
    data = build(**of_folder(images, drop_last=True))
    assert [len(batch.indices) for batch in data.train_batches(0)] == [5, 5, 5, 5]
    assert data.batches_per_epoch == 4
    assert [len(batch.indices) for batch in data.val_batches()] == [5]


def test_a_whole_batch_too_large_for_drop_last_is_told(images, build):
    with pytest.raises(InputError) as caught:
        build(**of_folder(images, drop_last=True, batch_size=24))
    assert caught.value.problems[0].key == "data.batch_size"


def test_problems_of_the_transforms_and_of_the_folder_are_told_together(build):
    with pytest.raises(InputError) as caught:
        build(dataset="ImageFolder", root="/nowhere", augment=[{"name": "Flip"}])
    keys = [problem.key for problem in caught.value.problems]
    assert keys == ["data.augment.0.name", "data.root"]


def test_each_epoch_and_each_seed_is_shuffled_differently(images, build):
    data, other = build(**of_folder(images)), build(**of_folder(images), seed=4)
    orders = [
        [index for batch in source.train_batches(epoch) for index in batch.indices]
        for source, epoch in ((data, 0), (data, 1), (other, 0), (data, 0))
    ]
    assert orders[0] == orders[3]
    assert orders[0] != orders[1]
    assert orders[0] != orders[2]


def test_augmentation_is_the_same_for_any_number_of_workers(images, build):
    loaded = []
    for workers in (0, 1, 2):
        data = build(**of_folder(images, workers=workers, augment=AUGMENT))
        assert data.workers == workers
        loaded.append([*data.train_batches(0), *data.train_batches(1), *data.val_batches()])
    assert same(loaded[0], loaded[1])
    assert same(loaded[0], loaded[2])
    assert not torch.equal(loaded[0][0].inputs, loaded[0][5].inputs)


@pytest.mark.parametrize("workers", [0, 1])
def test_bytes_are_handed_over_and_finished_to_the_bits_of_each_image_by_itself(
    images, build, workers
):
    keys = of_folder(images, workers=workers, augment=AUGMENT)
    data = build(**keys)
    transforms = build_transforms(Data.model_validate(keys), PRESET)
    for batch in data.val_batches():
        assert batch.inputs.dtype == torch.uint8
        names = [data.sample_name(index, "val") for index in batch.indices]
        expected = torch.stack([transforms.eval(Image.open(name)) for name in names])
        inputs = data.inputs(batch)
        assert torch.equal(inputs, expected)
        assert inputs.stride() == expected.stride()  # kernels, and so bits, depend on it
        assert data.inputs(batch).equal(inputs), "a batch can be asked for more than once"
    assert all(batch.inputs.dtype == torch.uint8 for batch in data.train_batches(0))


def test_floats_of_ones_own_augmentation_are_finished_too(images, build):
    steps = [{"name": "ToDtype", "dtype": "float32", "scale": True}, {"name": "RandomErasing"}]
    own = {"name": "Normalize", "mean": [0.5] * 3, "std": [0.2] * 3, "inplace": True}
    keys = of_folder(images, augment=steps, batch_size=23)
    for preprocess in (None, [{"name": "Resize", "size": [16, 16]}, own]):
        data = build(**keys, preprocess=preprocess)
        (batch,) = data.train_batches(0)
        before = batch.inputs.clone()
        first, second = data.inputs(batch), data.inputs(batch)
        mean, std = (0.5, 0.25) if preprocess is None else (0.5, 0.2)
        assert torch.equal(first, (before - mean) / torch.tensor(std))
        assert torch.equal(first, second)
        assert torch.equal(batch.inputs, before)


def test_reading_uses_one_thread_and_leaves_the_number_as_it_was(tmp_path, build):
    (tmp_path / "threads.py").write_text(THREADS)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        (batch,) = build(target="threads.py:Threads", folder=tmp_path, val="none").train_batches(0)
        assert batch.inputs.unique().tolist() == [1]
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_an_image_is_augmented_differently_in_each_epoch(images, build):
    data = build(**of_folder(images, augment=AUGMENT, batch_size=23))
    (first,), (second,) = data.train_batches(0), data.train_batches(1)
    for index in range(23):
        a = first.inputs[first.indices.index(index)]
        b = second.inputs[second.indices.index(index)]
        assert not torch.equal(a, b)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_goes_on_at_any_batch(images, build, workers):
    data = build(**of_folder(images, workers=workers, augment=AUGMENT))
    whole = list(data.train_batches(2))
    for start in (1, 4, 5):
        assert same(list(data.train_batches(2, start)), whole[start:])


def test_an_epoch_left_in_the_middle_does_not_disturb_the_next(images, build):
    data = build(**of_folder(images, workers=2, augment=AUGMENT))
    whole = list(data.train_batches(1))
    left = data.train_batches(0)
    next(left)
    assert same(list(data.train_batches(1)), whole)


def test_validating_in_the_middle_of_an_epoch_does_not_disturb_it(images, build):
    data = build(**of_folder(images, workers=1, augment=AUGMENT))
    whole = list(data.train_batches(0))
    batches = []
    for batch in data.train_batches(0):
        batches.append(batch)
        assert len(list(data.val_batches())) == 1
    assert same(batches, whole)


@pytest.mark.parametrize("workers", [0, 1])
def test_the_global_generators_stay_as_they_were(images, build, workers):
    before = generators()
    data = build(**of_folder(images, workers=workers, augment=AUGMENT))
    for _ in data.train_batches(0):
        assert generators() == before
    for _ in data.val_batches():
        assert generators() == before
    data.close()
    assert generators() == before


@pytest.mark.parametrize("workers", [0, 1])
def test_data_of_ones_own_draws_the_same_whatever_was_drawn_before(tmp_path, build, workers):
    (tmp_path / "noise.py").write_text(OWN)
    data = build(target="noise.py:Noise", folder=tmp_path, workers=workers)
    first = list(data.train_batches(0))
    random.random(), np.random.rand(), torch.rand(())
    before = generators()
    second = list(build(target="noise.py:Noise", folder=tmp_path).train_batches(0))
    assert same(first, second)
    assert generators() == before
    pixels = torch.cat([batch.inputs[:, :, 0, 0] for batch in first])
    for channel in range(3):  # random, numpy, torch
        assert len(pixels[:, channel].unique()) > 5


def test_validation_is_in_order_and_the_same_each_time(images, build):
    data = build(**of_folder(images, batch_size=2, augment=AUGMENT))
    first, second = list(data.val_batches()), list(data.val_batches())
    assert [batch.indices for batch in first] == [[0, 1], [2, 3], [4]]
    assert same(first, second)


def test_there_need_be_no_validation(images, build):
    data = build(**of_folder(images, val="none"))
    assert data.val_samples == 0
    assert list(data.val_batches()) == []


def test_the_digits_are_prepared_once_and_equal_to_those_read_one_by_one(build, monkeypatch):
    prepared = build(batch_size=100)
    first, val = list(prepared.train_batches(1)), list(prepared.val_batches())
    monkeypatch.setattr("engine.parts.batches.PREPARED_BYTES", 0)
    each = build(batch_size=100)
    assert same(first, [finished(each, batch) for batch in each.train_batches(1)])
    assert same(val, [finished(each, batch) for batch in each.val_batches()])
    assert prepared.workers == 0


def test_batches_of_prepared_digits_go_on_at_any_batch(build):
    data = build(batch_size=100)
    assert same(list(data.train_batches(0, 7)), list(data.train_batches(0))[7:])


def test_workers_are_none_for_small_data_in_memory_and_the_spare_cores_else(
    images, build, monkeypatch
):
    assert build(workers="auto", augment=AUGMENT).workers == 0
    for cores, workers in ((1, 0), (2, 2), (3, 2), (4, 3), (64, 8)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, n=cores: range(n), raising=False)
        assert build(**of_folder(images, workers="auto")).workers == workers


def test_more_workers_than_cores_give_no_warning(images, build):
    # Warnings are errors in the tests.
    workers = len(os.sched_getaffinity(0)) + 1
    assert len(list(build(**of_folder(images, workers=workers)).train_batches(0))) == 5


def spoil(folder: Path) -> dict[str, str]:
    """Four of the training images, each unreadable in its way: the name, and the words told."""
    whole = folder / "bee" / "00.png"
    pixels = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "ant" / "truncated.jpg")
    photo = (folder / "ant" / "truncated.jpg").read_bytes()
    (folder / "ant" / "truncated.jpg").write_bytes(photo[: len(photo) // 2])
    (folder / "ant" / "empty.png").touch()
    (folder / "ant" / "text.png").write_text("not an image")
    corrupt = bytearray(whole.read_bytes())
    corrupt[60:90] = bytes(30)
    (folder / "bee" / "00.png").write_bytes(corrupt)
    return {
        "ant/truncated.jpg": "truncated",
        "ant/empty.png": "not an image",
        "ant/text.png": "not an image",
        "bee/00.png": "",
        "bee/01.png": "not there any more",
    }


@pytest.mark.parametrize("workers", [0, 1])
def test_what_can_not_be_read_is_listed_and_the_rest_is_there(images, build, workers):
    told = spoil(images / "train")
    data = build(**of_folder(images, workers=workers))
    (images / "train" / "bee" / "01.png").unlink()
    batches = list(data.train_batches(0))
    unreadable = [entry for batch in batches for entry in batch.unreadable]
    names = {str(Path(e.name).relative_to(images / "train")): e.error for e in unreadable}
    assert names.keys() == told.keys()
    assert all(words in names[name] and names[name] for name, words in told.items())
    assert all(data.sample_name(entry.index) == entry.name for entry in unreadable)
    assert sum(len(batch.indices) for batch in batches) == 26 - 5
    for batch in batches:
        assert len(batch.inputs) == len(batch.targets) == len(batch.indices)
        assert torch.equal(batch.targets, data.train_targets[batch.indices])


def test_a_batch_may_be_empty(images, build):
    for path in (images / "val").rglob("*.png"):
        path.write_bytes(b"")
    (batch,) = build(**of_folder(images)).val_batches()
    assert (len(batch.inputs), len(batch.targets), batch.indices) == (0, 0, [])
    assert len(batch.unreadable) == 5
    assert batch.targets.dtype == torch.int64


def test_sample_names_are_the_files(images, build):
    data = build(**of_folder(images))
    assert data.sample_name(12) == str(images / "train" / "bee" / "00.png")
    assert data.sample_name(0, "val") == str(images / "val" / "ant" / "00.png")


def test_the_fingerprint_is_of_names_targets_and_split_but_not_of_the_place(images, build):
    first = build(**of_folder(images)).fingerprint
    moved = images.rename(images.with_name("moved"))
    assert build(**of_folder(moved)).fingerprint == first
    assert build(**of_folder(moved), seed=9).fingerprint == first
    assert build(**of_folder(moved, val="none")).fingerprint != first
    (moved / "train" / "ant" / "00.png").rename(moved / "train" / "ant" / "new.png")
    assert build(**of_folder(moved)).fingerprint != first


def test_another_random_split_has_another_fingerprint(build):
    assert build(seed=1).fingerprint == build(seed=1).fingerprint
    assert build(seed=1).fingerprint != build(seed=2).fingerprint


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_a_transform_can_not_take_is_named(images, build, workers):
    # The images are 20 x 24 pixels.
    crop = [{"name": "RandomCrop", "size": 22}, {"name": "Resize", "size": [16, 16]}]
    data = build(**of_folder(images, workers=workers, augment=crop))
    with pytest.raises(RunError) as caught:
        list(data.train_batches(0))
    assert str(images / "train") in caught.value.message
    assert "RandomCrop (data.augment.0)" in caught.value.message
    assert "Traceback" not in caught.value.message


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


def test_a_worker_that_is_killed_is_told_with_a_remedy(images, build):
    others = children()
    data = build(**of_folder(images, workers=1, batch_size=1))
    batches = data.train_batches(0)
    next(batches)
    (worker,) = children() - others
    os.kill(worker, signal.SIGKILL)
    time.sleep(0.2)  # here a handler of torch's would raise, wherever the program is
    with pytest.raises(RunError) as caught:
        list(batches)
    assert "died (killed by SIGKILL)" in caught.value.message
    assert "workers" in caught.value.remedy


def test_workers_leave_stopping_to_the_engine_and_are_gone_when_closed(images, build):
    others = children()
    data = build(**of_folder(images, workers=2, batch_size=1))
    batches = data.train_batches(0)
    next(batches)
    workers = children() - others
    assert len(workers) == 2
    for worker in workers:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(worker, number)
    assert len(list(batches)) == 22
    assert len(list(data.train_batches(1))) == 23
    assert children() - others == workers  # they last from epoch to epoch
    data.close()
    assert children() == others


SHAPES = """
import random
import numpy as np
from PIL import Image

class Squares:
    classes = ["ground", "square"]
    def __len__(self):
        return 7
    def __getitem__(self, index):
        mask = np.zeros((20, 24), dtype=np.uint8)
        x, y = random.randrange(10), int(np.random.randint(10))
        mask[y : y + 8, x : x + 8] = 1
        image = np.where(mask == 1, 255, 0).astype(np.uint8)
        return Image.fromarray(image), mask
"""
MOVES = [
    {"name": "RandomAffine", "degrees": 20, "translate": [0.2, 0.2]},
    {"name": "RandomHorizontalFlip"},
    {"name": "ColorJitter", "brightness": 0.1},
]


@pytest.mark.parametrize("workers", [0, 1])
def test_masks_come_in_batches_beside_their_images(tmp_path, build, workers):
    (tmp_path / "shapes.py").write_text(SHAPES)
    keys = {"target": "shapes.py:Squares", "folder": tmp_path, "val": 0.3, "augment": MOVES}
    data = build(**keys, task="segmentation", ignore_index=255, workers=workers, batch_size=3)
    batches = list(data.train_batches(0))
    assert [tuple(batch.targets.shape) for batch in batches] == [(3, 16, 16), (2, 16, 16)]
    for batch in batches:
        assert batch.targets.dtype == torch.int64
        assert set(batch.targets.unique().tolist()) == {0, 1, 255}
        # PRESET's mean and std make white 2 and black -2: bright is where the square is.
        inputs = data.inputs(batch)
        bright, dark = inputs[:, 0] > 1, inputs[:, 0] < -1.8
        assert float((bright & (batch.targets == 0)).float().mean()) < 0.02
        assert float((dark & (batch.targets == 1)).float().mean()) < 0.02
    assert data.task == "segmentation"
    assert data.train_targets is None
    again = build(**keys, task="segmentation", ignore_index=255, batch_size=3)
    assert same(batches, list(again.train_batches(0)))
    (val,) = data.val_batches()
    assert val.targets.unique().tolist() == [0, 1]


def pairs(root: Path, count: int = 6) -> Path:
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for number in range(count):
        Image.new("RGB", (20, 24), (number, 0, 0)).save(root / "images" / f"{number}.jpg")
        mask = np.full((24, 20), number % 2, dtype=np.uint8)
        Image.fromarray(mask).save(root / "masks" / f"{number}.png")
    return root


def test_masks_are_counted_once_the_training_ones_alone(tmp_path, build):
    root = pairs(tmp_path / "pairs")
    data = build(dataset="ImageMaskFolder", root=str(root), val=0.5, task="segmentation")
    assert data.classes == ["0", "1"]
    assert int(data.target_counts.counts.sum()) == 3 * 24 * 20
    assert data.target_counts is data.target_counts


def test_a_mask_that_is_wrong_is_unreadable_and_named(tmp_path, build):
    root = pairs(tmp_path / "pairs")
    Image.new("L", (20, 24), 9).save(root / "masks" / "2.png")
    keys = {"dataset": "ImageMaskFolder", "root": str(root), "val": "none", "classes": ["a", "b"]}
    data = build(**keys, task="segmentation", batch_size=6)
    (batch,) = data.train_batches(0)
    assert batch.targets.shape == (5, 16, 16)
    (entry,) = batch.unreadable
    assert entry.error.startswith("masks/2.png: the value 9 (480 pixels) is no class (2 classes")
    assert entry.name == str(root / "images" / "2.jpg")
    with pytest.raises(InputError, match=r"masks/2.png: the value 9"):
        _ = data.target_counts
    for mask in (root / "masks").iterdir():
        mask.write_bytes(b"")
    (empty,) = build(**keys, task="segmentation", batch_size=6).train_batches(0)
    assert (len(empty.inputs), len(empty.targets), empty.targets.dtype) == (0, 0, torch.int64)


class InMemory:
    """As torchvision's data sets that hold all their images."""

    def __init__(self, split="train"):
        self.data = torch.arange(6 * 20 * 24).remainder(256).byte().reshape(6, 1, 20, 24)

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return self.data[index], (self.data[index, 0] > 100).int()


def test_masks_in_memory_are_prepared_once_and_equal_to_those_read_one_by_one(build, monkeypatch):
    monkeypatch.setitem(named_datasets.KNOWN, "InMemory", InMemory)
    keys = {"dataset": "InMemory", "task": "segmentation", "val": "val", "mask_values": [0, 1]}
    prepared = build(**keys)
    first = list(prepared.train_batches(1))
    monkeypatch.setattr("engine.parts.batches.PREPARED_BYTES", 0)
    each = build(**keys)
    assert same(first, [finished(each, batch) for batch in each.train_batches(1)])
    assert first[0].targets.shape == (5, 16, 16)


def test_a_wrong_mask_in_memory_is_told_and_moves_no_other(build, monkeypatch):
    class OneWrong(InMemory):
        def __getitem__(self, index):
            image, mask = super().__getitem__(index)
            return image, mask + 7 * (index == 4)

    monkeypatch.setitem(named_datasets.KNOWN, "Right", InMemory)
    monkeypatch.setitem(named_datasets.KNOWN, "Wrong", OneWrong)
    keys = {"task": "segmentation", "val": "none", "mask_values": [0, 1], "batch_size": 6}
    data = build(dataset="Wrong", **keys)
    (right,), (wrong,) = build(dataset="Right", **keys).train_batches(0), data.train_batches(0)
    assert [entry.index for entry in wrong.unreadable] == [4]
    kept = [place for place, index in enumerate(right.indices) if index != 4]
    assert wrong.indices == [right.indices[place] for place in kept]
    assert torch.equal(data.inputs(wrong), right.inputs[kept])
    assert torch.equal(wrong.targets, right.targets[kept])


@pytest.mark.parametrize(
    ("task", "text", "targets"),
    [
        ("regression", "image,age,angle\n0.png,1.5,2\n1.png,3,4\n", [[1.5, 2.0], [3.0, 4.0]]),
        ("multilabel", "image,labels\n0.png,red|big\n1.png,red\n", [[1.0, 1.0], [0.0, 1.0]]),
        ("classification", "image,kind\n0.png,red\n1.png,big\n", [1, 0]),
    ],
)
def test_tables_come_in_batches_of_their_targets(tmp_path, build, task, text, targets):
    (tmp_path / "train.csv").write_text(text)
    for number in range(2):
        Image.new("RGB", (20, 20)).save(tmp_path / f"{number}.png")
    keys = {"dataset": "ImageTable", "root": str(tmp_path), "val": "none", "task": task}
    data = build(**keys)
    (batch,) = data.train_batches(0)
    order = torch.tensor(batch.indices)
    assert batch.targets.tolist() == torch.tensor(targets)[order].tolist()
    assert batch.targets.dtype == data.train_targets.dtype
    (tmp_path / "0.png").write_bytes(b"")
    (tmp_path / "1.png").write_bytes(b"")
    (empty,) = build(**keys).train_batches(0)
    assert empty.targets.shape == data.train_targets[:0].shape
    assert empty.targets.dtype == data.train_targets.dtype


def test_the_fingerprint_tells_other_numbers_and_other_masks(tmp_path, build):
    table = {"dataset": "ImageTable", "root": str(tmp_path), "val": "none", "task": "regression"}
    Image.new("RGB", (20, 20)).save(tmp_path / "0.png")
    prints = set()
    for age in (1.5, 1.5, 2.5):
        (tmp_path / "train.csv").write_text(f"image,age\n0.png,{age}\n")
        prints.add(build(**table).fingerprint)
    assert len(prints) == 2
    root = pairs(tmp_path / "pairs")
    masks = {"dataset": "ImageMaskFolder", "root": str(root), "task": "segmentation"}
    before = build(**masks).fingerprint
    assert build(**masks).fingerprint == before
    for folder, ending in (("images", "jpg"), ("masks", "png")):
        (root / folder / f"0.{ending}").rename(root / folder / f"00.{ending}")
    assert build(**masks).fingerprint != before


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_that_were_looked_at_are_those_of_the_first_epoch(build, images, workers):
    data = build(**of_folder(images, workers=workers))
    first = data.first_batches(2)
    assert data.first_batches(1)[0] is first[0]
    taken = list(data.train_batches(0))
    assert taken[0] is first[0]
    assert taken[1] is first[1]
    assert same(list(data.train_batches(0)), taken)


def test_looking_ahead_changes_no_other_epoch(build, images):
    keys = of_folder(images, augment=AUGMENT)
    data, other = build(**keys), build(**keys)
    data.first_batches(1)
    for epoch in (1, 0):
        assert same(list(data.train_batches(epoch)), list(other.train_batches(epoch)))


def test_a_few_validation_samples_are_those_of_the_first_batch(build, images):
    data = build(**of_folder(images))
    batch = data.first_val_samples(3)
    assert batch is not None
    whole = next(iter(data.val_batches()))
    assert torch.equal(batch.inputs, whole.inputs[:3])
    assert torch.equal(batch.targets, whole.targets[:3])
