"""The base of every section of the experiment file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Strict (no `"5"` for 5), closed (unknown keys are errors), immutable.

    The string under each field is its help text everywhere: in `ptrain schema`, `ptrain new`, the
    documentation and the dashboard's form.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        validate_default=True,  # so that 0 becomes 0.0 in a float field here too
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )


class ExperimentPath:
    """Marks a field that holds a path relative to the experiment's file: `Annotated[str, ...]`."""


def target_name(value: str) -> str:
    """What one's own code is named by: `file.py:name` or `package.module:name`."""
    place, _, name = value.rpartition(":")
    if not place or not all(part.isidentifier() for part in name.split(".")):
        raise ValueError('must be "file.py:name", or "package.module:name" of an installed library')
    return value
