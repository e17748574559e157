"""What every member of the scheduler chain has, and the keys of torch's that a file cannot give."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import (
    Discriminator,
    Field,
    ModelWrapValidatorHandler,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails

from engine.contract.section import Section

T = TypeVar("T")
# One value for all groups, or a list with one for each group, in the groups' order.
OneOrEach = Annotated[
    Annotated[T, Tag("one")] | Annotated[list[T], Tag("each")],
    Discriminator(lambda value: "each" if isinstance(value, list) else "one"),
]


def refusals(data: dict[str, Any], reasons: dict[str, str]) -> list[InitErrorDetails]:
    """An error at each key of `data` that has a reason against it, for pydantic to report."""
    return [
        InitErrorDetails(
            type="value_error", loc=(key,), input=data[key], ctx={"error": ValueError(reason)}
        )
        for key, reason in reasons.items()
        if key in data
    ]


def _again(error: ValidationError) -> list[InitErrorDetails]:
    """What pydantic found, in the form in which it can be reported once more."""
    return [
        InitErrorDetails(
            type=found["type"], loc=found["loc"], input=found["input"], ctx=found.get("ctx", {})
        )
        for found in error.errors(include_url=False)
    ]


class SchedulerSection(Section):
    """What every member of the chain has."""

    refused: ClassVar[dict[str, str]] = {
        "optimizer": "is the [optimizer] section; leave it out here",
        "last_epoch": "is computed, never typed: `ptrain resume` goes on where a run was",
        "verbose": "is gone from torch; `ptrain lr` shows the planned learning rates",
    }

    begin: int = Field(default=0, ge=0)
    """The count of its interval from which it acts; its own count starts there. Default: 0."""
    end: int | None = Field(default=None, ge=1)
    """The count at which it advances for the last time; its effect stays. Default: no end."""

    @field_validator("end")
    @classmethod
    def _after_begin(cls, end: int | None, info: ValidationInfo) -> int | None:
        begin = info.data.get("begin", 0)
        if end is not None and end <= begin:
            raise ValueError(f"must be greater than begin, which is {begin}")
        return end

    @model_validator(mode="wrap")
    @classmethod
    def _refuse(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Each refused key is told its reason, beside all that is wrong with the other keys."""
        errors = refusals(data, cls.refused) if isinstance(data, dict) else []
        if not errors:
            return handler(data)
        try:
            handler({key: value for key, value in data.items() if key not in cls.refused})
        except ValidationError as error:
            errors += _again(error)
        raise ValidationError.from_exception_data(cls.__name__, errors)


class ByEpoch(SchedulerSection):
    """Those that torch's documentation advances once an epoch."""

    interval: Literal["epoch", "step"] = "epoch"
    """When it advances: after each epoch's validation, or after each optimizer step."""


class ByStep(SchedulerSection):
    """Those that torch's documentation advances once a batch."""

    interval: Literal["epoch", "step"] = "step"
    """When it advances: after each epoch's validation, or after each optimizer step."""
