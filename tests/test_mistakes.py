"""Every kind of mistake that `ptrain check` tells: with the key, the line and the remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import models

from engine import check_memory
from engine.check import check
from engine.check_memory import Memory
from engine.contract.problems import InputError, Problem
from engine.contract.toml_file import read
from tests.training import draw_images

pytestmark = pytest.mark.usefixtures("one_thread")
MIB = 2**20
TRAIN = """
[optimizer]
name = "SGD"
lr = 0.01

[train]
epochs = 2
device = "cpu"
"""
CLASSES = f"""
[data]
dataset = "ImageFolder"
root = "images"
batch_size = 4
workers = 0
image_size = 32

[model]
backbone = "shufflenet_v2_x0_5"

[loss]
name = "CrossEntropyLoss"
{TRAIN}"""
TABLE = f"""
[data]
dataset = "ImageTable"
root = "numbers.csv"
batch_size = 4
workers = 0
val = 0.3
image_size = 32

[model]
backbone = "shufflenet_v2_x0_5"

[loss]
name = "MSELoss"
{TRAIN}"""
MASKS = f"""
[data]
dataset = "ImageMaskFolder"
root = "masked"
classes = ["ground", "thing"]
batch_size = 4
workers = 0
image_size = 32

[model]
backbone = "lraspp_mobilenet_v3_large"

[loss]
name = "CrossEntropyLoss"
{TRAIN}"""
LOSSES = """import torch
import torch.nn.functional as F


def raises(output, target):
    return F.cross_entropy(output, target) * (1 / len([]))


def one_a_sample(output, target):
    return F.cross_entropy(output, target, reduction="none")


def number(output, target):
    return F.cross_entropy(output, target).item()


def detached(output, target):
    return F.cross_entropy(output.detach(), target)


def choosing(output, target):
    return (output.argmax(1) != target).float().mean()


def infinite(output, target):
    return F.cross_entropy(output, target) + torch.log(torch.zeros(()))


def rooted(output, target):
    return torch.sqrt(output * 0).sum() + F.cross_entropy(output, target)


def flat(output, target):
    return F.relu(output - 1e6).mean()


def in_place(output, target):
    target.clamp_(max=0)
    return F.cross_entropy(output, target)


def smooth(output, target, smooth):
    return F.cross_entropy(output, target) * smooth


def squared(output, target):
    return F.mse_loss(output, target.float())


class Training:
    def __call__(self, output, target):
        if not torch.is_grad_enabled():
            raise RuntimeError("made for training only")
        return F.cross_entropy(output, target)
"""


@dataclass(frozen=True)
class Mistake:
    """`change`: old → new in the text of `base`. `at`: a piece of the line that is told."""

    change: dict[str, str]
    key: str
    at: str
    told: str
    remedy: str
    base: str = CLASSES
    severity: Literal["error", "warning"] = "error"
    more: Sequence[str] = field(default=())  # lines at the end


def own(name: str) -> dict[str, str]:
    return {'name = "CrossEntropyLoss"': f'target = "losses.py:{name}"'}


def loss(lines: str) -> dict[str, str]:
    return {'name = "CrossEntropyLoss"': lines}


def scheduler(*lines: str) -> list[str]:
    return ["[[scheduler]]", *lines]


HEAD = 'backbone = "shufflenet_v2_x0_5"'
NAME = 'name = "CrossEntropyLoss"'

IN_THE_FILE = {
    "a key that there is not": Mistake(
        {"epochs = 2": "epocs = 2"}, "train.epocs", "epocs", "unknown key", '"epochs"'
    ),
    "a text where a number belongs": Mistake(
        {"epochs = 2": 'epochs = "two"'}, "train.epochs", "epochs",
        'should be a whole number, not "two"', "How often each training sample is seen",
    ),
    "a loss that there is not": Mistake(
        loss('name = "CrossEntropyLos"'), "loss.name", "Los", "CrossEntropyLos",
        '"CrossEntropyLoss"',
    ),
    "size_average, which torch has given up": Mistake(
        loss(f"{NAME}\nsize_average = true"),
        "loss.size_average", "size_average", "unknown key", 'reduction = "mean"',
    ),
    "a loss that needs more than outputs and targets": Mistake(
        loss('name = "CTCLoss"'), "loss.name", "CTC", "the lengths of sequences",
        "one of: CrossEntropyLoss",
    ),
    "a label smoothing of more than all": Mistake(
        loss(f"{NAME}\nlabel_smoothing = 1.5"),
        "loss.label_smoothing", "1.5", "should be at most 1, not 1.5", "0.1 moves a tenth",
    ),
    "a reduction that there is not": Mistake(
        loss(f'{NAME}\nreduction = "avg"'), "loss.reduction", "avg",
        'should be "mean", "sum" or "none"', '"mean": over what counts',
    ),
    "a loss of numbers for classes": Mistake(
        loss('name = "MSELoss"'), "loss.name", "MSE", "no loss for a classification",
        "regression",
    ),
    "a segmentation with a backbone for classes": Mistake(
        {"lraspp_mobilenet_v3_large": "resnet18"}, "model.backbone", "resnet18",
        "no output for each pixel", "lraspp_mobilenet_v3_large", base=MASKS,
    ),
    "a backbone that there is not": Mistake(
        {"v2_x0_5": "v2_x0_4"}, "model.backbone", "x0_4", "is not a torchvision",
        '"shufflenet_v2_x0_5"',
    ),
    "a monitor that nobody measures": Mistake(
        {}, "checkpoint.monitor", "monitor", 'no metric is called "val/acuracy"', '"val/accuracy"',
        more=["[checkpoint]", 'monitor = "val/acuracy"'],
    ),
    "a negative learning rate": Mistake(
        {"lr = 0.01": "lr = -0.01"}, "optimizer.lr", "lr =", "should be at least 0",
        "the step size before",
    ),
    "OneCycleLR beside another scheduler": Mistake(
        {}, "scheduler.0", "[[scheduler]]", "cannot be chained", "let it stand alone",
        more=[*scheduler('name = "OneCycleLR"'), *scheduler('name = "StepLR"', "step_size = 1")],
    ),
    "unfreezing stages out of order": Mistake(
        {HEAD: f'{HEAD}\nfreeze = ["*"]\nunfreeze = [ {{ epoch = 1, layers = ["conv5"] }},\n'
               '{ epoch = 1, layers = ["stage4"] } ]'},
        "model.unfreeze.1.epoch", '["stage4"]', "1 comes after 1", "one list",
    ),
    "code for an lr that runs away": Mistake(
        {}, "scheduler.0.lr_lambda", "lr_lambda", 'no function "__import__"', "known are",
        more=scheduler('name = "LambdaLR"', """lr_lambda = "__import__('os')" """),
    ),
}  # fmt: skip

IN_THE_MODEL = {
    "weights of another backbone": Mistake(
        {HEAD: f'{HEAD}\nweights = "other.pth"'}, "model.weights", "other.pth",
        "does not fit shufflenet_v2_x0_5",
        'backbone = "squeezenet1_1"',
    ),
    "weights that are not there": Mistake(
        {HEAD: f'{HEAD}\nweights = "no.pth"'}, "model.weights", "no.pth", "no.pth",
        "relative to the experiment's file",
    ),
    "weights that a training spoilt": Mistake(
        {HEAD: f'{HEAD}\nweights = "spoilt.pth"'}, "model.weights", "spoilt.pth",
        "holds NaN or infinity in conv1.0.weight", "earlier checkpoint",
    ),
    "a frozen pattern that matches nothing": Mistake(
        {HEAD: f'{HEAD}\nfreeze = ["stage5"]'}, "model.freeze.0", "stage5",
        "matches no module", '"stage4"',
    ),
    "a group that matches nothing": Mistake(
        {}, "optimizer.group.0.match.0", "match", "matches no", '"fc"',
        more=["[[optimizer.group]]", 'name = "head"', 'match = ["fcc"]'],
    ),
    "a stage that unfreezes nothing": Mistake(
        {HEAD: f'{HEAD}\nfreeze = ["conv1"]\nunfreeze = [{{ epoch = 1, layers = ["fc"] }}]'},
        "model.unfreeze.0.layers.0", "unfreeze", "trains already", "conv1",
    ),
    "a stage after the end": Mistake(
        {HEAD: f'{HEAD}\nweights = "good.pth"\nfreeze = ["conv1"]\n'
               'unfreeze = [{ epoch = 5, layers = ["conv1"] }]'},
        "model.unfreeze.0.epoch", "unfreeze", "never happens", "below 2", severity="warning",
    ),
    "nothing left to train": Mistake(
        {HEAD: f'{HEAD}\nfreeze = ["*", "fc"]'}, "model.freeze", "freeze",
        "nothing is left to train", "fc",
    ),
    "frozen layers that have learned nothing": Mistake(
        {HEAD: f'{HEAD}\nfreeze = ["conv1"]'}, "model.freeze", "freeze",
        "random weights", 'weights = "DEFAULT"', severity="warning",
    ),
    "fewer outputs than classes": Mistake(
        {HEAD: f"{HEAD}\noutputs = 1"}, "model.outputs", "outputs", "one output only",
        "BCEWithLogitsLoss",
    ),
    "an image too small for the backbone": Mistake(
        {HEAD: 'backbone = "inception_v3"'}, "data.image_size", "image_size",
        "cannot train on images of 32 px", "299 or more",
    ),
    "a keyword that the backbone has not": Mistake(
        {HEAD: f"{HEAD}\nargs = {{ dropuot = 0.2 }}"}, "model.args.dropuot", "dropuot",
        "no keyword dropuot", "known",
    ),
}  # fmt: skip

IN_THE_DATA = {
    "a folder that is not there": Mistake(
        {'root = "images"': 'root = "imagse"'}, "data.root", "imagse", "imagse", '"images"'
    ),
    "an image that can't be read": Mistake(
        {'root = "images"': 'root = "broken"'}, "data.root", "broken",
        "can't be read as an image", "skip_unreadable = true",
    ),
    "a CSV without the column": Mistake(
        {"val = 0.3": 'val = 0.3\ntargets = ["agee"]'}, "data.targets", "agee",
        'no column "agee"', '"age"',
        base=TABLE,
    ),
    "a class that only validation has": Mistake(
        {'root = "images"': 'root = "rare.csv"', "ImageFolder": "ImageTable",
         "batch_size = 4": 'batch_size = 4\nval = "rare_val.csv"\nclasses = '
                           '["ant", "bee", "moth"]'},
        "data.val", "rare_val.csv", "moth", "training data", severity="warning",
    ),
    "a class without samples": Mistake(
        {'root = "images"': 'root = "rare.csv"', "ImageFolder": "ImageTable",
         "batch_size = 4": 'batch_size = 4\nval = 0.3\nclasses = ["ant", "bee", "moth"]'},
        "data.train", "[data]", "no training sample is of: moth", "can't be learned",
        severity="warning",
    ),
    "a class that hardly occurs": Mistake(
        {'root = "images"': 'root = "lopsided"'}, "loss.weight", "[loss]",
        "ant has 44 training samples and bee 2", 'weight = "balanced"', severity="warning",
    ),
    "a target that is no class": Mistake(
        {'root = "images"': 'target = "data.py:negative"', 'dataset = "ImageFolder"': ""},
        "data.target", "data.py", "is -1, and classes are numbered from 0",
        "leave such samples out",
    ),
    "a mask with a value of no class": Mistake(
        {'root = "masked"': 'root = "odd"'}, "data.root", "odd", "7", "ignore_index", base=MASKS
    ),
    "an image without a mask": Mistake(
        {'root = "masked"': 'root = "alone"'}, "data.root", "alone", "lacks the partner",
        "masks/", base=MASKS,
    ),
    "an ignore_index that never occurs": Mistake(
        loss(f"{NAME}\nignore_index = 255"), "loss.ignore_index", "255",
        "no training target is 255", "take it out", severity="warning",
    ),
    "an ignore_index that is every target": Mistake(
        {'root = "masked"': 'root = "unknown"', NAME: f"{NAME}\nignore_index = 255"},
        "loss.ignore_index", "255", "every training target is 255", "such as -100", base=MASKS,
    ),
    "an ignore_index that is most targets": Mistake(
        {'root = "masked"': 'root = "mostly"', NAME: f"{NAME}\nignore_index = 255"},
        "loss.ignore_index", "255", "75 % of the training pixels are 255", "left out", base=MASKS,
        severity="warning",
    ),
    "a label that no sample has": Mistake(
        {"numbers.csv": "labels.csv", "MSELoss": "BCEWithLogitsLoss"}, "data.train", "[data]",
        "no training sample has the label never", "can't be learned", base=TABLE,
        severity="warning",
    ),
    "numbers far from 0 and 1": Mistake(
        {"numbers.csv": "far.csv"}, "data.standardize", "[data]", "age is", "standardize = true",
        base=TABLE, severity="warning",
    ),
    "a number that never changes": Mistake(
        {"numbers.csv": "constant.csv"}, "data.targets", "[data]", "angle is the same number",
        "take it out", base=TABLE, severity="warning",
    ),
    "counts that are negative": Mistake(
        {"MSELoss": "PoissonNLLLoss"}, "loss.name", "Poisson", "is for counts", "MSELoss",
        base=TABLE,
    ),
    "probabilities that don't add up": Mistake(
        {"MSELoss": "KLDivLoss", "val = 0.3": 'val = 0.3\ntask = "regression"'}, "loss.name",
        "KLDiv", "add up to 1", "by their sum", base=TABLE,
    ),
    "the logarithm of a class": Mistake(
        loss('name = "KLDivLoss"\nlog_target = true'), "loss.log_target", "log_target", "-inf",
        "take it out",
    ),
}  # fmt: skip

IN_THE_STEP = {
    "weights for more classes than there are": Mistake(
        loss(f"{NAME}\nweight = [1.0, 2.0, 3.0]"), "loss.weight", "weight",
        "3 weights for 2 classes (ant, bee)", '"balanced"',
    ),
    "a loss file that is not there": Mistake(
        {NAME: 'target = "lossse.py:flat"'}, "loss.target", "lossse", "no file", '"losses.py"'
    ),
    "a loss that its file has not": Mistake(
        own("flatt"), "loss.target", "flatt", 'no "flatt"', '"flat"'
    ),
    "a loss that needs an argument": Mistake(
        own("smooth"), "loss.args", "[loss]", "missing", "args"
    ),
    "a loss that raises": Mistake(
        own("raises"), "loss.target", "raises",
        "losses.py, line 6: ZeroDivisionError", "f(output, target)",
    ),
    "a loss that gives one number a sample": Mistake(
        own("one_a_sample"), "loss.target", "one_a_sample",
        "a tensor of shape (4,), where one number is wanted", 'reduction = "none"',
    ),
    "a loss that gives no tensor": Mistake(
        own("number"), "loss.target", "number", "a float, not a tensor", "give the mean"
    ),
    "a loss that detaches": Mistake(
        own("detached"), "loss.target", "detached", "gives no gradient", "detaches"
    ),
    "a loss that chooses instead of weighing": Mistake(
        own("choosing"), "loss.target", "choosing", "gives no gradient", "argmax"
    ),
    "a loss that is not finite": Mistake(
        own("infinite"), "loss.target", "infinite", "gives -inf for outputs that are finite", "eps"
    ),
    "a loss whose slope is not finite": Mistake(
        own("rooted"), "loss", "[loss]", "its gradient is not", "eps"
    ),
    "a loss from which nothing is learned": Mistake(
        own("flat"), "loss", "[loss]", "every gradient of the first batch is 0", "flat",
        severity="warning",
    ),
    "a loss that changes the targets": Mistake(
        own("in_place"), "loss.target", "in_place", "changes the targets", "clone()"
    ),
    "a loss that compares each output with every target": Mistake(
        {**own("squared"), HEAD: f"{HEAD}\noutputs = 1"}, "loss.target", "squared",
        "broadcasts outputs (4, 1) float32 and targets (4,) int64", "target.view_as(output)",
    ),
    "a loss that fails in validation only": Mistake(
        own("Training"), "loss.target", "Training", "made for training only", "f(output, target)"
    ),
    "a last batch of one sample with BatchNorm": Mistake(
        {"batch_size = 4": "batch_size = 13"}, "data.drop_last", "[data]",
        "the last batch of an epoch has one sample (14 samples)", "drop_last = true",
    ),
    "batches of one sample with BatchNorm": Mistake(
        {"batch_size = 4": "batch_size = 1"}, "data.batch_size", "batch_size",
        "BatchNorm", "batch_size = 2",
    ),
    "a metric that torchmetrics has not": Mistake(
        {}, "metric.0.name", 'name = "AUROCC"', "AUROCC", "AUROC",
        more=["[[metric]]", 'name = "AUROCC"'],
    ),
    "a metric that fails": Mistake(
        {}, "metric.0", "[[metric]]", "val/tweedie can't be computed", "arguments",
        base=TABLE, more=["[[metric]]", 'name = "TweedieDevianceScore"', 'label = "tweedie"',
                          "power = 2.0"],
    ),
}  # fmt: skip

IN_THE_CHAIN = {
    "a member that never acts": Mistake(
        {}, "scheduler.0.step_size", "step_size", "never acts", "smaller step_size",
        severity="warning", more=scheduler('name = "StepLR"', "step_size = 30"),
    ),
    "one max_lr for groups that differ": Mistake(
        {}, "scheduler.0.max_lr", "max_lr", "is 0.1 for all groups", "max_lr = [",
        severity="warning",
        more=["[[optimizer.group]]", 'name = "head"', 'match = ["fc"]', "lr = 0.1",
              *scheduler('name = "OneCycleLR"', "max_lr = 0.1")],
    ),
    "a learning rate of 0 in the middle": Mistake(
        {"epochs = 2": "epochs = 8"}, "scheduler.0", "[[scheduler]]",
        "the learning rate of every group is 0", "end", severity="warning",
        more=scheduler('name = "PolynomialLR"', "total_iters = 3"),
    ),
    "a cosine that climbs again": Mistake(
        {"epochs = 2": "epochs = 8"}, "scheduler.0.T_max", "T_max", "climbs again", "T_max = 8",
        severity="warning", more=scheduler('name = "CosineAnnealingLR"', "T_max = 4"),
    ),
    "a function for the lr that raises": Mistake(
        {}, "scheduler.0.target", "rates.py", "rates.py, line 2: ZeroDivisionError",
        "f(optimizer, epoch)", more=scheduler('target = "rates.py:adjust"'),
    ),
}  # fmt: skip

MISTAKES = {**IN_THE_FILE, **IN_THE_MODEL, **IN_THE_DATA, **IN_THE_STEP, **IN_THE_CHAIN}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small data of each kind, good and bad."""
    folder = tmp_path_factory.mktemp("mistakes")
    for name, train in (("images", {"ant": 8, "bee": 6}), ("lopsided", {"ant": 44, "bee": 2})):
        draw_images(folder / name / "train", train)
        draw_images(folder / name / "val", {"ant": 2, "bee": 2})
    draw_images(folder / "broken" / "train", {"ant": 4, "bee": 4})
    draw_images(folder / "broken" / "val", {"ant": 2, "bee": 2})
    for path in (folder / "broken" / "train").glob("*/*.png"):
        path.write_bytes(b"")
    _tables(folder)
    for name, value in (("masked", 1), ("odd", 7), ("alone", 1), ("unknown", 255), ("mostly", 255)):
        _masks(folder / name, value)
    for path in (folder / "unknown").glob("*/masks/*"):
        Image.new("L", (32, 32), 255).save(path)
    (folder / "alone/train/masks/0.png").rename(folder / "extra.png")
    (folder / "losses.py").write_text(LOSSES)
    (folder / "rates.py").write_text("def adjust(optimizer, epoch):\n    1 / 0\n")
    (folder / "data.py").write_text(
        "from PIL import Image\n\n\ndef negative():\n"
        "    return [(Image.new('RGB', (32, 32)), n % 3 - 1) for n in range(9)]\n"
    )
    _weights(folder)
    return folder


def _tables(folder: Path) -> None:
    chance = np.random.default_rng(0)
    paths = sorted((folder / "images/train").glob("*/*.png"))
    rows = [(str(path), *chance.normal(size=2)) for path in paths]
    (folder / "numbers.csv").write_text(_csv("image,age,angle", rows))
    (folder / "far.csv").write_text(_csv("image,age", [(a, 5000 + 900 * b) for a, b, _ in rows]))
    (folder / "constant.csv").write_text(_csv("image,age,angle", [(a, b, 2) for a, b, _ in rows]))
    labels = [(path, n % 2, 0) for n, (path, *_) in enumerate(rows)]
    (folder / "labels.csv").write_text(_csv("image,often,never", labels))
    classes = [(path, ("ant", "bee")[n % 2]) for n, (path, *_) in enumerate(rows)]
    (folder / "rare.csv").write_text(_csv("image,kind", classes))
    (folder / "rare_val.csv").write_text(_csv("image,kind", [*classes[:3], (rows[0][0], "moth")]))


def _csv(head: str, rows: Sequence[Sequence[object]]) -> str:
    return "\n".join([head, *(",".join(map(str, row)) for row in rows)]) + "\n"


def _masks(folder: Path, value: int) -> None:
    """A quarter of each mask is 1, the rest 0; of training masks half of them is `value` too."""
    for split, count in (("train", 6), ("val", 2)):
        for kind in ("images", "masks"):
            (folder / split / kind).mkdir(parents=True)
        for index in range(count):
            Image.new("RGB", (32, 32), (40 * index, 90, 9)).save(
                folder / split / "images" / f"{index}.png"
            )
            mask = np.zeros((32, 32), np.uint8)
            mask[:16, :16] = 1
            mask[16:, :] = value
            mask[:16, 16:] = value if value == 255 else 0
            Image.fromarray(mask).save(folder / split / "masks" / f"{index}.png")


def _weights(folder: Path) -> None:
    good = models.shufflenet_v2_x0_5(weights=None).state_dict()
    torch.save(good, folder / "good.pth")
    torch.save({**good, "conv1.0.weight": good["conv1.0.weight"] * np.nan}, folder / "spoilt.pth")
    torch.save(models.squeezenet1_1(weights=None).state_dict(), folder / "other.pth")


def told(path: Path) -> list[Problem]:
    try:
        return check(read(path))
    except InputError as error:  # the file itself is wrong
        return list(error.problems)


@pytest.mark.parametrize("base", [CLASSES, TABLE, MASKS], ids=["classes", "numbers", "masks"])
def test_nothing_is_told_of_what_is_right(folder: Path, base: str) -> None:
    path = folder / "right.toml"
    path.write_text(base)
    assert told(path) == []


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_it_is_told_with_key_line_and_remedy(folder: Path, mistake: Mistake) -> None:
    text = mistake.base
    for old, new in mistake.change.items():
        assert old in text
        text = text.replace(old, new)
    text += "\n".join(mistake.more)
    path = folder / "wrong.toml"
    path.write_text(text)
    found = told(path)
    problem = next((p for p in found if p.key == mistake.key and mistake.told in p.message), None)
    lines = text.split("\n")
    assert problem is not None, found
    assert problem.file == path
    assert problem.line is not None
    assert mistake.at in lines[problem.line - 1]
    assert mistake.remedy in problem.hint
    assert problem.severity == mistake.severity
    errors = [p for p in found if p.severity == "error"]
    assert bool(errors) == (mistake.severity == "error"), errors


@pytest.mark.parametrize(("total", "severity"), [(1024, "warning"), (3, "error")])
def test_a_batch_too_large_for_the_memory_is_told_before_it_is_tried(
    folder: Path, monkeypatch: pytest.MonkeyPatch, total: int, severity: str
) -> None:
    memory = Memory(total * MIB, 2 * MIB)  # what a step takes here is 2.7, beside weights of 1.3
    monkeypatch.setattr(check_memory, "device_memory", lambda _device: memory)
    path = folder / "large.toml"
    path.write_text(CLASSES.replace("batch_size = 4", "batch_size = 12"))
    (problem,) = told(path)
    assert (problem.key, problem.line) == ("data.batch_size", 5)
    assert problem.severity == severity
    assert "a step with a batch of 12 takes about" in problem.message
    assert "write batch_size = 6 here and accumulate = 2 under [train]" in problem.hint


def test_everything_is_told_at_once(folder: Path) -> None:
    path = folder / "several.toml"
    text = CLASSES.replace(NAME, f"{NAME}\nweight = [1.0]")
    lines = ["[[metric]]", 'name = "AUROCC"', *scheduler('name = "StepLR"', "step_size = 30")]
    path.write_text(text + "\n".join(lines))
    keys = {problem.key for problem in told(path)}
    assert keys == {"loss.weight", "metric.0.name", "scheduler.0.step_size"}
