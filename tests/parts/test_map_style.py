from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets

from engine.contract.data import Data
from engine.contract.problems import InputError
from engine.parts.datasets import build_sources
from engine.parts.map_style import MapStyle
from engine.parts.target_counts import target_counts

OWN = '''
import random
import numpy as np
import torch
from PIL import Image

class Base:
    def __len__(self):
        return 10
    def __getitem__(self, index):
        return Image.new("RGB", (8, 6), (index, 0, 0)), self.target(index)

class Labels(Base):
    classes = ["round", "red"]
    def target(self, index):
        return [index % 2, int(index > 4)]

class LabelTensors(Base):
    def target(self, index):
        return torch.tensor([index % 2, 1, 0])

class LabelTwos(Base):
    def target(self, index):
        return np.array([0, 2])

class Age(Base):
    def target(self, index):
        return 0.5 * index

class Kept(Base):
    columns = ["age", "angle"]
    targets = [[n, -n] for n in range(10)]
    def __getitem__(self, index):
        assert index in (0, 5), "the others need not be drawn"
        return super().__getitem__(index)
    def target(self, index):
        return torch.tensor([index, -index])

class Ragged(Base):
    def target(self, index):
        return [1.0] * (1 + index // 7)

class NotANumber(Base):
    def target(self, index):
        return float("nan")

class Words(Base):
    def target(self, index):
        return "old"

class Shapes(Base):
    """Drawn anew each time, by all three generators."""
    classes = ["ground", "square"]
    def __init__(self, split="train"):
        self.split = split
    def __getitem__(self, index):
        mask = np.zeros((12, 12), dtype=np.uint8)
        x, y = random.randrange(6), int(np.random.randint(6))
        size = int(torch.randint(2, 6, ()))
        mask[y : y + size, x : x + size] = 1
        image = np.where(mask[..., None] == 1, np.uint8([255, 0, 0]), np.uint8([0, 0, 255]))
        return Image.fromarray(image), mask

class Unnamed(Base):
    def target(self, index):
        return Image.fromarray(np.full((6, 8), index % 3, dtype=np.uint8))

class White(Base):
    def target(self, index):
        mask = torch.zeros(6, 8, dtype=torch.int64)
        mask[0] = 255
        return mask

class Larger(Base):
    def target(self, index):
        return np.zeros((8, 8), dtype=np.int64)

class FloatMask(Base):
    def target(self, index):
        return np.zeros((6, 8))
'''


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    return tmp_path


def sources_of(folder, name, task, *, ignore_index=-100, **keys):
    section = Data(target=f"own.py:{name}", task=task, **({"val": "none"} | keys))
    return build_sources(section, folder, 0, task=task, ignore_index=ignore_index)


def problem_of(folder, name, task, **keys):
    with pytest.raises(InputError) as caught:
        sources_of(folder, name, task, **keys)
    (problem,) = caught.value.problems
    return problem


def test_labels_are_rows_of_0_and_1(own):
    train = sources_of(own, "Labels", "multilabel").train
    assert train.classes == ["round", "red"]
    assert train.targets.tolist() == [[n % 2, n > 4] for n in range(10)]
    assert train.targets.dtype == torch.float32
    assert train.read(5)[1].tolist() == [1.0, 1.0]
    assert sources_of(own, "LabelTensors", "multilabel").train.classes == ["0", "1", "2"]
    named = sources_of(own, "LabelTensors", "multilabel", classes=["a", "b", "c"])
    assert named.train.classes == ["a", "b", "c"]
    assert problem_of(own, "Labels", "multilabel", classes=["a"]).key == "data.classes"


def test_a_number_or_several_are_the_targets_of_a_regression(own):
    train = sources_of(own, "Age", "regression").train
    assert train.classes == ["0"]
    assert train.targets.tolist() == [[0.5 * n] for n in range(10)]
    assert train.read(3)[1].tolist() == [1.5]
    assert sources_of(own, "Age", "regression", targets=["age"]).train.classes == ["age"]
    assert problem_of(own, "Age", "regression", targets=["a", "b"]).key == "data.targets"


def test_targets_that_the_data_set_keeps_are_believed_where_samples_agree(own):
    train = sources_of(own, "Kept", "regression").train
    assert train.classes == ["age", "angle"]
    assert train.targets.tolist() == [[n, -n] for n in range(10)]


def test_a_split_of_other_tasks_is_a_fraction_of_all_samples(own):
    sources = sources_of(own, "Age", "regression", val=0.3)
    assert (len(sources.train), len(sources.val)) == (7, 3)
    assert sources.val.targets.shape == (3, 1)


@pytest.mark.parametrize(
    ("name", "task", "words"),
    [
        ("LabelTwos", "multilabel", "holds 2, where a label is 0 or 1"),
        ("Words", "multilabel", "a str, not a list of 0 and 1"),
        ("Words", "regression", "a str, not a number"),
        ("NotANumber", "regression", "is not finite"),
        ("Ragged", "regression", "sample 0 has 1 numbers, sample 7 has 2"),
        ("Larger", "segmentation", "the mask has 8x8 pixels, its image 8x6"),
        ("FloatMask", "segmentation", "whole numbers, not float64"),
        ("Words", "segmentation", "not a str"),
        ("Age", "segmentation", "not a float"),
    ],
)
def test_a_target_of_another_kind_is_told(own, name, task, words):
    problem = problem_of(own, name, task)
    assert problem.key == "data.target"
    assert words in problem.message


@pytest.mark.parametrize(
    ("name", "task"),
    [("Age", "regression"), ("Labels", "multilabel"), ("Unnamed", "segmentation")],
)
def test_a_target_that_is_no_class_index_says_which_task_it_is_for(own, name, task):
    problem = problem_of(own, name, "classification")
    assert "not a class index" in problem.message
    assert f'task = "{task}"' in problem.hint


def test_masks_may_be_drawn_anew_each_time(own):
    train = sources_of(own, "Shapes", "segmentation").train
    assert (train.classes, train.targets) == (["ground", "square"], None)
    image, mask = train.read(0)
    assert image.size == (12, 12)
    assert mask.dtype == torch.int32
    assert set(mask.unique().tolist()) == {0, 1}
    state = torch.get_rng_state()
    first, second = (target_counts(train, key="", seed=1) for _ in range(2))
    assert first.values.tolist() == [0, 1]
    assert int(first.counts.sum()) == 10 * 144
    assert torch.equal(first.counts, second.counts)
    assert not torch.equal(first.counts, target_counts(train, key="", seed=2).counts)
    assert torch.equal(torch.get_rng_state(), state)


def test_classes_of_masks_that_nobody_names_are_counted(own):
    assert sources_of(own, "Unnamed", "segmentation").train.classes == ["0", "1", "2"]
    named = sources_of(own, "Unnamed", "segmentation", classes=["a", "b", "c", "d"])
    assert named.train.classes == ["a", "b", "c", "d"]
    problem = problem_of(own, "Unnamed", "segmentation", classes=["a", "b"])
    assert "a mask of Unnamed: the value 2 (48 pixels) is no class" in problem.message
    problem = problem_of(own, "White", "segmentation")
    assert problem.key == "data.target"
    assert "mask_values = [0, 255]" in problem.hint
    white = sources_of(own, "White", "segmentation", mask_values=[0, 255]).train
    assert white.read(0)[1].unique().tolist() == [0, 1]


def test_validation_has_the_classes_of_the_training(own):
    sources = sources_of(own, "Shapes", "segmentation", val=None, classes=["a", "b"])
    assert sources.val.classes == ["a", "b"]
    assert len(sources.val) == 10


def test_classes_of_ones_own_data_may_be_named_in_the_file(tmp_path):
    code = "from PIL import Image\nDATA = [(Image.new('RGB', (4, 4)), n % 2) for n in range(8)]\n"
    (tmp_path / "own.py").write_text(code + "def build():\n    return DATA\n")
    train = sources_of(tmp_path, "build", "classification", classes=["cat", "dog"]).train
    assert train.classes == ["cat", "dog"]
    problem = problem_of(tmp_path, "build", "classification", classes=["cat"])
    assert "names 1 classes, but" in problem.message


def of_torchvision(dataset, task, **keys):
    section = Data(dataset="FakeData", task=task, **keys)
    return MapStyle(dataset, "Given", "data.dataset", draws=False, section=section, task=task)


class Given(list):
    """A list of samples with an attribute or two, as torchvision's data sets are."""


def test_the_attributes_of_celeba_are_labels_with_names():
    # CelebA keeps them as `attr`; the header of its file gives an empty name at the end.
    image = Image.new("RGB", (4, 4))
    attributes = torch.tensor([[0, 1], [1, 1], [1, 0]])
    given = Given([(image, row) for row in attributes])
    given.attr, given.attr_names = attributes, ["Bald", "Smiling", ""]
    source = of_torchvision(given, "multilabel")
    assert source.classes == ["Bald", "Smiling"]
    assert source.targets.tolist() == attributes.tolist()


def test_the_breeds_of_the_pets_are_no_names_of_their_masks():
    # OxfordIIITPet: 37 classes, and masks of 1 (pet), 2 (ground) and 3 (border).
    mask = Image.fromarray(np.array([[1, 2], [3, 2]], dtype=np.uint8))
    given = Given([(Image.new("RGB", (2, 2)), mask)] * 3)
    given.classes = [f"breed {n}" for n in range(37)]
    source = of_torchvision(given, "segmentation", mask_values=[1, 2, 3])
    assert source.classes == ["0", "1", "2"]
    assert source.read(0)[1].tolist() == [[0, 1], [2, 1]]


def write_voc(root: Path) -> None:
    """VOC2012 with two images, their masks in its palette, 255 at the border of things."""
    folder = root / "VOCdevkit" / "VOC2012"
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (folder / name).mkdir(parents=True)
    for split in ("train", "val"):
        (folder / "ImageSets" / "Segmentation" / f"{split}.txt").write_text(f"{split}1\n{split}2\n")
        for name in (f"{split}1", f"{split}2"):
            Image.new("RGB", (4, 2)).save(folder / "JPEGImages" / f"{name}.jpg")
            mask = Image.fromarray(np.array([[0, 1, 255, 2], [0, 0, 0, 0]], dtype=np.uint8))
            mask.putpalette([5, 5, 5] * 256)
            mask.save(folder / "SegmentationClass" / f"{name}.png")


def test_voc_is_read_by_its_palette(tmp_path):
    write_voc(tmp_path)
    section = Data(dataset="VOCSegmentation", root=str(tmp_path), task="segmentation")
    sources = build_sources(section, Path(), 0, task="segmentation", ignore_index=255)
    assert isinstance(sources.train._dataset, datasets.VOCSegmentation)
    assert sources.train.classes == sources.val.classes == ["0", "1", "2"]
    assert sources.train.read(0)[1].tolist() == [[0, 1, 255, 2], [0, 0, 0, 0]]
    with pytest.raises(InputError) as caught:
        build_sources(section, Path(), 0, task="segmentation")
    assert "ignore_index = 255" in caught.value.problems[0].hint
