"""`[data]`: what the model learns from, how it is split, and how images become batches."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from engine.contract.section import ExperimentPath, Section
from engine.contract.tasks import Task

NO_VALIDATION = "none"
VAL_NAMES = ("val", "valid", "validation")  # looked for, in this order, where `val` is left out
# What each of our own data sets can be learnt for. Of torchvision's and one's own only a look at a
# sample can tell.
TASKS: dict[str, tuple[Task, ...]] = {
    "digits": ("classification",),
    "ImageFolder": ("classification",),
    "ImageMaskFolder": ("segmentation",),
    "ImageTable": ("classification", "multilabel", "regression"),
}


class Transform(Section):
    """One class of torchvision.transforms.v2, with that class's own keywords beside its name."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(min_length=1)
    """A class of torchvision.transforms.v2, such as `RandomHorizontalFlip`."""

    @property
    def keywords(self) -> dict[str, Any]:
        """What stands beside `name`, as written."""
        return dict(self.model_extra or {})


class Data(Section):
    """The data set, its split into training and validation, and its way into the model."""

    dataset: str = Field(default="digits", min_length=1)
    """`digits` (bundled, 8x8 handwritten digits), `ImageFolder` (a folder of images for each
    class), `ImageTable` (a CSV: the image's path, then its targets), `ImageMaskFolder` (images/ and
    masks/, for segmentation), or any class of torchvision.datasets by its name."""
    target: str | None = Field(default=None, min_length=1)
    """One's own data set instead: `mydata.py:build` or `package.module:Name`, a function or class
    that gives a map-style Dataset of (image, target). Called with `args`, and with
    `split="train"` or `split="val"` if it takes that. The target is a class index, a list of 0 and
    1 (multilabel), a number or several (regression), or a mask of class indices (segmentation)."""
    task: Task | None = None
    """What the targets are. Default: `segmentation` for ImageMaskFolder, what the loss is for with
    ImageTable, else `classification`."""
    root: Annotated[str | None, ExperimentPath] = Field(
        default=None, min_length=1, validate_default=True
    )
    """The folder of the data, or the CSV file of an ImageTable, relative to this file. Needed by
    the Image... data sets and by most of torchvision's."""
    train: str = Field(default="train", min_length=1)
    """What to train on: a subfolder of `root`, a CSV in it, or a split of the data set. An
    ImageFolder whose `root` holds the class folders themselves, an ImageMaskFolder whose `root`
    holds images and masks, and an ImageTable whose `root` is the CSV need no `train`."""
    val: Annotated[float, Field(gt=0, lt=1)] | str | None = None
    """What to validate on: a subfolder, CSV or split, a fraction of the training samples such as
    0.2 (drawn by the seed; of classes, the same share of each), or `none`. Default: the folder,
    CSV or split `val`, `valid` or `validation` where the data set has one, else 0.2."""
    image_column: str | None = Field(default=None, min_length=1)
    """The column of an ImageTable that holds the images' paths. Default: the first."""
    targets: list[str] | None = Field(default=None, min_length=1)
    """The target columns of an ImageTable. Default: all but the image column. For one's own data
    with several numbers, what each is called."""
    classes: list[str] | None = Field(default=None, min_length=1)
    """The names of the classes or labels, in the order of their numbers: for ImageMaskFolder and
    for data that doesn't tell. In an ImageTable it fixes the order, which is sorted by default."""
    mask_values: list[Annotated[int, Field(ge=0, le=65535)]] | None = Field(
        default=None, min_length=2
    )
    """The pixel value of each class in a mask, such as [0, 255]. Default: a pixel's value is the
    number of its class. `ignore_index` of the loss is always allowed."""
    standardize: bool = False
    """Regression: train on (target - mean) / std of the training targets. Metrics stay in the
    targets' own unit."""
    batch_size: int = Field(default=32, ge=1)
    """Samples in a batch."""
    drop_last: bool = False
    """Leave out the last training batch of an epoch when it is short. Needed by models that can't
    train on a batch of one sample."""
    workers: Annotated[int, Field(ge=0)] | Literal["auto"] = "auto"
    """Processes that load images; changes the speed, never the numbers. `auto`: none for small
    data in memory, else one less than the cores there are, but 2 on two, and at
    most 8."""
    image_size: int | None = Field(default=None, ge=1)
    """Height and width of the images for the model, in pixels. Default: what the backbone's
    weights were trained at."""
    augment: list[Transform] = []
    """Random changes to the training images: torchvision.transforms.v2 classes, in this order, on
    uint8 images. When one of them resizes, training images are not resized before."""
    views: Annotated[int, Field(ge=1)] | None = None
    """Draw only so many augmented views of each training image, one an epoch in turn: what frozen
    layers make of them is then computed once (`train.cache`). Default: a new one each epoch."""
    preprocess: list[Transform] | None = None
    """Replaces the resizing and cropping that the backbone's weights were trained with, in
    training and validation; with ToDtype or Normalize at its end, the normalization too."""
    args: dict[str, Any] = {}
    """Keywords of the torchvision class or of `target`, such as `download = true`."""
    skip_unreadable: bool = False
    """Go on without images that can't be read, and list them, instead of failing at the first."""

    @field_validator("val", mode="before")
    @classmethod
    def _fraction_or_name(cls, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float | str | None):
            raise ValueError('should be a fraction such as 0.2, a name such as "val", or "none"')
        if isinstance(value, int | float) and not 0 < value < 1:
            raise ValueError(
                f"a fraction is more than 0 and less than 1, not {value}; "
                'write 0.2 for a fifth of the training samples, or "none" for no validation'
            )
        if value == "":
            raise ValueError('names nothing; write "none" for no validation')
        return value

    @field_validator("val")
    @classmethod
    def _val_is_not_train(cls, value: float | str | None, info: ValidationInfo) -> Any:
        if value is not None and value == info.data.get("train"):
            raise ValueError(
                f'is "{value}", as data.train is: a model is not validated on what it was trained '
                "on; write a fraction such as 0.2"
            )
        return value

    @field_validator("workers", mode="before")
    @classmethod
    def _count_or_auto(cls, value: Any) -> Any:
        if value == "auto" or (type(value) is int and value >= 0):
            return value
        raise ValueError(f'should be 0 or more processes, or "auto", not {value!r}')

    @field_validator("target")
    @classmethod
    def _instead_of_dataset(cls, value: str | None, info: ValidationInfo) -> str | None:
        dataset = info.data.get("dataset", "digits")
        if value is not None and dataset != "digits":
            raise ValueError(f'replaces the dataset "{dataset}"; keep one of the two')
        return value

    @field_validator("task")
    @classmethod
    def _task_of_the_data_set(cls, value: Task | None, info: ValidationInfo) -> Task | None:
        fitting = _fitting(info)
        if value is not None and fitting is not None and value not in fitting:
            other = "; an ImageTable has other targets" if fitting == ("classification",) else ""
            raise ValueError(
                f"{info.data['dataset']} is for {' or '.join(fitting)}, not {value}{other}"
            )
        return value

    @field_validator("root")
    @classmethod
    def _root_where_needed(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "dataset" not in info.data or info.data.get("target") is not None:
            return value
        dataset = info.data["dataset"]
        if dataset in TASKS and dataset != "digits" and value is None:
            what = "the CSV file" if dataset == "ImageTable" else "the folder that holds the images"
            raise ValueError(f"is missing: {dataset} needs {what}")
        if dataset == "digits" and value is not None:
            raise ValueError('is not for the bundled digits; write dataset = "ImageFolder" too')
        return value

    @field_validator("image_column")
    @classmethod
    def _of_a_table(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and (info.data.get("target") or _dataset(info) != "ImageTable"):
            raise ValueError('is only for dataset = "ImageTable"')
        return value

    @field_validator("targets")
    @classmethod
    def _target_columns(cls, value: list[str] | None, info: ValidationInfo) -> list[str] | None:
        if value is None:
            return value
        if _fitting(info) is not None and _dataset(info) != "ImageTable":
            raise ValueError(f"names columns of a table; {_dataset(info)} is none")
        _no_twice(value)
        if info.data.get("image_column") in value:
            raise ValueError(f'holds "{info.data["image_column"]}", which is the image column')
        return value

    @field_validator("classes")
    @classmethod
    def _names_for_numbers(cls, value: list[str] | None, info: ValidationInfo) -> list[str] | None:
        if value is None:
            return value
        if _fitting(info) == ("classification",):
            what = "its folders" if _dataset(info) == "ImageFolder" else "the digits"
            raise ValueError(f"can't be chosen: the classes of {_dataset(info)} are {what}")
        if info.data.get("task") == "regression":
            raise ValueError("is not for a regression; `targets` names the numbers")
        _no_twice(value)
        return value

    @field_validator("mask_values")
    @classmethod
    def _value_of_each_class(cls, value: list[int] | None, info: ValidationInfo) -> Any:
        if value is None:
            return value
        task, fitting, names = info.data.get("task"), _fitting(info), info.data.get("classes")
        if "segmentation" not in (fitting or (task or "segmentation",)):
            raise ValueError('is only for masks: dataset = "ImageMaskFolder", or a segmentation')
        _no_twice(value)
        if names is not None and len(names) != len(value):
            raise ValueError(f"has {len(value)} values for {len(names)} classes; one for each")
        return value

    @field_validator("standardize")
    @classmethod
    def _only_numbers(cls, value: bool, info: ValidationInfo) -> bool:
        task, fitting = info.data.get("task"), _fitting(info)
        if value and (
            "regression" not in (fitting or ("regression",))
            or (task or "regression") != "regression"
        ):
            raise ValueError("is only for a regression: classes have no mean")
        return value

    @field_validator("args")
    @classmethod
    def _args_where_taken(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if value and _fitting(info) is not None:
            names = ", ".join(map(repr, value))
            raise ValueError(f"{_dataset(info)} takes no keywords, but has {names}")
        return value


def _dataset(info: ValidationInfo) -> str:
    return str(info.data.get("dataset", ""))


def _fitting(info: ValidationInfo) -> tuple[Task, ...] | None:
    """What the data set can be learnt for, or None where the file can't tell."""
    return None if info.data.get("target") is not None else TASKS.get(_dataset(info))


def _no_twice(values: list[Any]) -> None:
    twice = next((value for value in values if values.count(value) > 1), None)
    if twice is not None:
        raise ValueError(f"holds {twice!r} twice")
