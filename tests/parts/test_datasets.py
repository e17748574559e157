import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets

from engine.contract.data import Data
from engine.contract.problems import InputError
from engine.parts.datasets import build_sources, stratified_split

HERE = Path()


def write_images(folder: Path, **counts: int) -> Path:
    """`a=3`: the folder `a` with three images."""
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (6, 4), (number, 0, 0)).save(folder / name / f"{number}.png")
    return folder


def folder_of(root: Path, **keys):
    return build_sources(Data(dataset="ImageFolder", root=str(root), **keys), HERE, seed=0)


def problem_of(folder=HERE, **keys):
    with pytest.raises(InputError) as caught:
        build_sources(Data(**keys), folder, seed=0)
    (problem,) = caught.value.problems
    return problem


def test_the_digits_are_those_of_the_uci_repository():
    # Counts, the first image and its class as scikit-learn's load_digits documents them.
    sources = build_sources(Data(val="none"), HERE, seed=0)
    assert sources.val is None
    assert sources.train.targets.bincount().tolist() == [
        *(178, 182, 177, 183, 181, 182, 181, 179, 174, 180)
    ]
    image, target = sources.train.read(0)
    assert target == 0
    assert image.shape == (1, 8, 8)
    first_row = [0, 0, 5, 13, 9, 1, 0, 0]
    assert image[0, 0].tolist() == [round(value * 255 / 16) for value in first_row]


def test_the_default_split_takes_a_fifth_of_each_digit_for_validation():
    sources = build_sources(Data(), HERE, seed=0)
    assert sources.val.targets.bincount().tolist() == [36, 36, 35, 37, 36, 36, 36, 36, 35, 36]
    names = {s.name(i) for s in (sources.train, sources.val) for i in range(len(s))}
    assert len(names) == 1797


def test_a_split_keeps_every_class_on_both_sides():
    targets = torch.tensor([0] * 90 + [1] * 9 + [2, 2] + [3])
    train, val = stratified_split(targets, 0.1, seed=5)
    assert sorted(train + val) == list(range(102))
    assert targets[val].bincount(minlength=4).tolist() == [9, 1, 1, 0]
    assert targets[train].bincount(minlength=4).tolist() == [81, 8, 1, 1]


def test_a_split_depends_on_its_seed_alone():
    targets = torch.arange(10).repeat(20)
    torch.manual_seed(1)
    first = stratified_split(targets, 0.3, seed=5)
    torch.manual_seed(2)
    assert stratified_split(targets, 0.3, seed=5) == first
    assert stratified_split(targets, 0.3, seed=6) != first


def test_a_large_fraction_leaves_a_training_sample_of_each_class():
    train, _ = stratified_split(torch.tensor([0, 0, 1, 1, 1]), 0.99, seed=0)
    assert len(train) == 2


def test_an_image_folder_has_torchvisions_classes_samples_and_targets(tmp_path):
    write_images(tmp_path / "train", bee=2, ant=3)
    write_images(tmp_path / "val", bee=1, ant=1)
    sources = folder_of(tmp_path)
    torchvisions = datasets.ImageFolder(tmp_path / "train")
    assert sources.train.classes == torchvisions.classes == ["ant", "bee"]
    assert sources.train.targets.tolist() == torchvisions.targets
    assert [sources.train.name(i) for i in range(5)] == [path for path, _ in torchvisions.imgs]
    assert sources.train.relative_name(4) == "bee/1.png"
    image, target = sources.train.read(2)
    assert (image.getpixel((0, 0)), target) == ((2, 0, 0), 0)
    assert len(sources.val) == 2


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_the_usual_validation_folder_is_found(tmp_path, name):
    write_images(tmp_path / "train", ant=5, bee=5)
    write_images(tmp_path / name, ant=1, bee=2)
    assert len(folder_of(tmp_path).val) == 3
    assert folder_of(tmp_path, val="none").val is None
    assert len(folder_of(tmp_path, val=0.4).val) == 4


def test_without_a_validation_folder_a_fifth_is_split_off(tmp_path):
    write_images(tmp_path / "train", ant=10, bee=5)
    sources = folder_of(tmp_path)
    assert (len(sources.train), len(sources.val)) == (12, 3)


def test_class_folders_directly_in_the_root_are_enough(tmp_path):
    write_images(tmp_path, ant=5, bee=5)
    sources = folder_of(tmp_path)
    assert sources.train.classes == ["ant", "bee"]
    assert (len(sources.train), len(sources.val)) == (8, 2)


def test_a_relative_root_is_relative_to_the_folder_given(tmp_path):
    write_images(tmp_path / "images", ant=2, bee=2)
    data = Data(dataset="ImageFolder", root="images")
    assert len(build_sources(data, tmp_path, seed=0).train) == 2


def test_hidden_folders_and_files_are_neither_classes_nor_images(tmp_path):
    write_images(tmp_path / "train", ant=2, bee=2)
    (tmp_path / "train" / ".ipynb_checkpoints").mkdir()
    (tmp_path / "train" / "ant" / "._0.png").write_bytes(b"resource fork")
    sources = folder_of(tmp_path, val="none")
    assert sources.train.classes == ["ant", "bee"]
    assert len(sources.train) == 4


def test_a_name_that_is_not_utf_8_is_read(tmp_path):
    write_images(tmp_path, ant=2, bee=2)
    (tmp_path / "ant" / "0.png").rename(tmp_path / "ant" / "\udcff.png")
    train = folder_of(tmp_path, val="none").train
    assert [train.read(i)[1] for i in range(4)] == [0, 0, 1, 1]


def test_a_folder_that_is_not_there_is_told(tmp_path):
    (tmp_path / "images").mkdir()
    problem = problem_of(dataset="ImageFolder", root=str(tmp_path / "imags"))
    assert problem.key == "data.root"
    assert problem.hint == 'did you mean "images"?'


def test_a_file_in_place_of_the_folder_is_told(tmp_path):
    (tmp_path / "a.zip").touch()
    problem = problem_of(dataset="ImageFolder", root=str(tmp_path / "a.zip"))
    assert "is a file" in problem.message


def test_a_split_folder_that_is_not_there_is_told(tmp_path):
    write_images(tmp_path / "Training", ant=1, bee=1)
    write_images(tmp_path / "val", ant=1, bee=1)
    root = str(tmp_path)
    problem = problem_of(dataset="ImageFolder", root=root)
    assert (problem.key, problem.hint) == ("data.train", 'did you mean "Training"?')
    problem = problem_of(dataset="ImageFolder", root=root, train="Training", val="vall")
    assert (problem.key, problem.hint) == ("data.val", 'did you mean "val"?')


def test_a_folder_without_class_folders_is_told(tmp_path):
    (tmp_path / "train").mkdir()
    Image.new("RGB", (2, 2)).save(tmp_path / "train" / "a.png")
    problem = problem_of(dataset="ImageFolder", root=str(tmp_path))
    assert problem.key == "data.root"
    assert "no class folders" in problem.message


def test_class_folders_without_images_are_told(tmp_path):
    write_images(tmp_path / "train", ant=1, bee=0)
    (tmp_path / "train" / "bee" / "readme.txt").touch()
    problem = problem_of(dataset="ImageFolder", root=str(tmp_path))
    assert problem.key == "data.root"
    assert str(tmp_path / "train" / "bee") in problem.message


def test_one_class_is_not_enough(tmp_path):
    write_images(tmp_path / "train", ant=3)
    problem = problem_of(dataset="ImageFolder", root=str(tmp_path))
    assert problem.key == "data.root"
    assert "only one class" in problem.message


def test_validation_with_other_classes_is_refused(tmp_path):
    # torchvision would number bee as 0 there, and the accuracy would be of the wrong class.
    write_images(tmp_path / "train", ant=1, bee=1)
    write_images(tmp_path / "val", bee=1, wasp=1)
    problem = problem_of(dataset="ImageFolder", root=str(tmp_path))
    assert problem.key == "data.val"
    assert "lacks ant and has also wasp" in problem.message


def test_a_validation_split_of_single_samples_is_refused(tmp_path):
    write_images(tmp_path / "train", ant=1, bee=1)
    assert problem_of(dataset="ImageFolder", root=str(tmp_path), val=0.5).key == "data.val"


def test_the_digits_have_no_splits():
    assert problem_of(val="test").key == "data.val"
    assert problem_of(train="all").key == "data.train"


def test_a_data_set_of_torchvision_is_built_with_its_keywords():
    args = {"size": 20, "image_size": [3, 8, 8], "num_classes": 3}
    sources = build_sources(Data(dataset="FakeData", args=args), HERE, seed=0)
    torchvisions = datasets.FakeData(20, (3, 8, 8), 3)
    assert sources.train.classes == ["0", "1", "2"]
    assert len(sources.train) + len(sources.val) == 20
    targets = torch.cat([sources.train.targets, sources.val.targets])
    assert sorted(targets.tolist()) == sorted(int(t) for _, t in torchvisions)


def test_an_unknown_data_set_is_told_with_the_nearest():
    problem = problem_of(dataset="CIFAR11", root="x")
    assert problem.key == "data.dataset"
    assert '"CIFAR10"' in problem.hint


def test_wrong_keywords_of_a_data_set_are_told_at_their_keys():
    data = Data(dataset="FakeData", args={"sizes": 10, "transform": "x"})
    with pytest.raises(InputError) as caught:
        build_sources(data, HERE, seed=0)
    problems = {problem.key: problem.hint for problem in caught.value.problems}
    assert problems == {
        "data.args.sizes": 'did you mean "size"?',
        "data.args.transform": "write data.augment instead",
    }


def test_a_data_set_that_is_not_there_says_how_to_get_it(tmp_path):
    problem = problem_of(dataset="MNIST", root=str(tmp_path))
    assert problem.key == "data.root"
    assert "download = true" in problem.hint


def test_a_data_set_without_its_folder_is_told():
    assert problem_of(dataset="CIFAR10").key == "data.root"
    assert problem_of(dataset="FakeData", root="x").key == "data.root"


def test_an_unknown_split_lists_those_that_there_are(tmp_path):
    problem = problem_of(dataset="Food101", root=str(tmp_path), train="trian")
    assert problem.key == "data.train"
    assert "test" in problem.message


def test_a_class_with_train_true_or_false_has_the_splits_train_and_test(tmp_path):
    problem = problem_of(dataset="MNIST", root=str(tmp_path), train="val", val=0.2)
    assert problem.key == "data.train"
    assert '"test"' in problem.hint


def test_emnist_asks_for_its_letters(tmp_path):
    assert problem_of(dataset="EMNIST", root=str(tmp_path)).key == "data.args.split"


def test_a_data_set_without_splits_says_so():
    problem = problem_of(dataset="FakeData", args={"size": 4}, val="val")
    assert problem.key == "data.val"
    assert "no splits" in problem.message


def write_cifar10(folder: Path) -> None:
    """A CIFAR10 of 3 images a batch, with the checksums left out."""
    import pickle

    folder = folder / "cifar-10-batches-py"
    folder.mkdir()
    for number, name in enumerate(["data_batch_1", "test_batch"]):
        data = np.full((3, 3072), number, dtype=np.uint8)
        (folder / name).write_bytes(pickle.dumps({"data": data, "labels": [0, 1, 1]}))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": ["cat", "dog"]}))


def test_train_and_val_choose_the_parts_of_a_data_set(tmp_path, monkeypatch):
    write_cifar10(tmp_path)
    monkeypatch.setattr(datasets.CIFAR10, "train_list", [["data_batch_1", None]])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [["test_batch", None]])
    meta = {"filename": "batches.meta", "key": "label_names", "md5": None}
    monkeypatch.setattr(datasets.CIFAR10, "meta", meta)
    sources = build_sources(Data(dataset="CIFAR10", root=str(tmp_path), val="test"), HERE, seed=0)
    assert sources.train.classes == ["cat", "dog"]
    assert sources.train.targets.tolist() == sources.val.targets.tolist() == [0, 1, 1]
    assert sources.train.read(0)[0].getpixel((0, 0)) == (0, 0, 0)
    assert sources.val.read(0)[0].getpixel((0, 0)) == (1, 1, 1)
    assert sources.train.in_memory


def test_a_data_set_without_class_indices_is_refused_with_the_reason(monkeypatch):
    monkeypatch.setattr(datasets.FakeData, "__getitem__", lambda *_: (Image.new("L", (2, 2)), 0.5))
    problem = problem_of(dataset="FakeData")
    assert problem.key == "data.dataset"
    assert "not a class index" in problem.message


OWN = """
import random
import numpy as np
import torch
from PIL import Image

class Squares:
    classes = ["black", "white"]
    def __init__(self, size=10, split="train"):
        self.size = size if split == "train" else 4
    def __len__(self):
        return self.size
    def __getitem__(self, index):
        return Image.new("RGB", (8, 8), (255 * (index % 2),) * 3), index % 2

def halves(split):
    a, b = torch.utils.data.random_split(Squares(20), [10, 10])
    return a if split == "train" else b

def plain():
    return Squares()

def broken():
    return {}["no"]

def nothing():
    return None

def stream():
    return iter([1])

class Empty(Squares):
    def __len__(self):
        return 0

class Triple(Squares):
    def __getitem__(self, index):
        return 1, 2, 3

class Text(Squares):
    def __getitem__(self, index):
        return "image", 0

class Floats(Squares):
    def __getitem__(self, index):
        return torch.rand(3, 8, 8), 0

class Boxes(Squares):
    def __getitem__(self, index):
        return Image.new("RGB", (8, 8)), torch.zeros(4)

class Fails(Squares):
    def __getitem__(self, index):
        raise KeyError("label")

class TooMany(Squares):
    def __getitem__(self, index):
        return Image.new("RGB", (8, 8)), index

class OneClass(Squares):
    classes = ["black"]
    def __getitem__(self, index):
        return Image.new("RGB", (8, 8)), 0

LIST = [1]
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    return tmp_path


def test_a_class_of_ones_own_is_called_for_both_splits(own):
    data = Data(target="own.py:Squares", args={"size": 6})
    sources = build_sources(data, own, seed=0)
    assert sources.train.classes == ["black", "white"]
    assert sources.train.targets.tolist() == [0, 1, 0, 1, 0, 1]
    assert len(sources.val) == 4
    assert sources.train.name(3) == "Squares[3]"


def test_a_function_without_split_is_split_off_from(own):
    sources = build_sources(Data(target="own.py:plain", val=0.4), own, seed=0)
    assert (len(sources.train), len(sources.val)) == (6, 4)
    with pytest.raises(InputError, match="takes no `split`"):
        build_sources(Data(target="own.py:plain", val="val"), own, seed=0)


def test_a_random_split_in_ones_own_code_gives_disjoint_halves(own):
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    sources = build_sources(Data(target="own.py:halves"), own, seed=0)
    subsets = sources.train._dataset, sources.val._dataset
    assert sorted([*subsets[0].indices, *subsets[1].indices]) == list(range(20))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert np.random.get_state()[1].tolist() == before[2]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("broken", "KeyError"),
        ("nothing", "not a map-style Dataset"),
        ("stream", "not a map-style Dataset"),
        ("Empty", "no samples"),
        ("Triple", "a tuple of 3"),
        ("Text", "a str"),
        ("Floats", "should be uint8"),
        ("Boxes", "not a class index"),
        ("Fails", "KeyError"),
        ("TooMany", "names 2 classes, but has the target 9"),
        ("LIST", "not a function or a class"),
    ],
)
def test_what_is_no_data_set_of_images_and_classes_is_told(own, name, words):
    problem = problem_of(own, target=f"own.py:{name}")
    assert problem.key == "data.target"
    assert words in problem.message


def test_wrong_keywords_of_ones_own_are_told(own):
    problem = problem_of(own, target="own.py:Squares", args={"sise": 3})
    assert (problem.key, problem.hint) == ("data.args.sise", 'did you mean "size"?')
    assert problem_of(own, target="own.py:Squares", root="x").key == "data.root"


def test_one_class_of_ones_own_is_not_enough(own):
    assert "only one class" in problem_of(own, target="own.py:OneClass").message
