"""`[data]`: what the model learns from, how it is split, and how images become batches."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from engine.contract.section import ExperimentPath, Section
from engine.contract.tasks import Task

NO_VALIDATION = "none"


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
    class), or any classification class of torchvision.datasets by its name."""
    target: str | None = Field(default=None, min_length=1)
    """One's own data set instead: `mydata.py:build` or `package.module:Name`, a function or class
    that gives a map-style Dataset of (image, class index). Called with `args`, and with
    `split="train"` or `split="val"` if it takes that."""
    task: Task | None = None
    """What the targets are."""
    standardize: bool = False
    """Standardize."""
    root: Annotated[str | None, ExperimentPath] = Field(
        default=None, min_length=1, validate_default=True
    )
    """The folder of the data, relative to this file. Needed by ImageFolder and by most of
    torchvision's data sets."""
    train: str = Field(default="train", min_length=1)
    """What to train on: a subfolder of `root`, or a split of the data set. An ImageFolder whose
    `root` holds the class folders themselves needs no `train` folder."""
    val: Annotated[float, Field(gt=0, lt=1)] | str | None = None
    """What to validate on: a subfolder or split, a fraction of the training samples such as 0.2
    (the same share of each class, drawn by the seed), or `none`. Default: the folder or split
    `val`, `valid` or `validation` where the data set has one, else 0.2."""
    batch_size: int = Field(default=32, ge=1)
    """Samples in a batch."""
    drop_last: bool = False
    """Leave out the last training batch of an epoch when it is short. Needed by models that can't
    train on a batch of one sample."""
    workers: Annotated[int, Field(ge=0)] | Literal["auto"] = "auto"
    """Processes that load images; changes the speed, never the numbers. `auto`: none for small
    data in memory, else one less than the cores there are, at most 8."""
    image_size: int | None = Field(default=None, ge=1)
    """Height and width of the images for the model, in pixels. Default: what the backbone's
    weights were trained at."""
    augment: list[Transform] = []
    """Random changes to the training images: torchvision.transforms.v2 classes, in this order, on
    uint8 images. When one of them resizes, training images are not resized before."""
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

    @field_validator("root")
    @classmethod
    def _root_where_needed(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "dataset" not in info.data or info.data.get("target") is not None:
            return value
        dataset = info.data["dataset"]
        if dataset == "ImageFolder" and value is None:
            raise ValueError("is missing: ImageFolder needs the folder that holds the images")
        if dataset == "digits" and value is not None:
            raise ValueError('is not for the bundled digits; write dataset = "ImageFolder" too')
        return value

    @field_validator("args")
    @classmethod
    def _args_where_taken(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        own = info.data.get("target") is None
        dataset = info.data.get("dataset")
        if value and own and dataset in ("digits", "ImageFolder"):
            raise ValueError(f"{dataset} takes no keywords, but has {', '.join(map(repr, value))}")
        return value
