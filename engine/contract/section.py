"""The base of every section of the experiment file."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic_core import CoreSchema


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

    @classmethod
    def needs_no_name(cls) -> bool:
        """Whether a table without a `name` can be one of this class."""
        return False

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The schema of the table as it is written: one without its `name` is not of each class
        that it could be of, which an editor would take for a mistake, but of one."""
        written = handler(core)
        table = handler.resolve_ref_schema(written)
        if not cls.needs_no_name() and "const" in table.get("properties", {}).get("name", {}):
            table["required"] = ["name", *table.get("required", [])]
        return written


class ExperimentPath:
    """Marks a field that holds a path relative to the experiment's file: `Annotated[str, ...]`."""


def target_name(value: str) -> str:
    """What one's own code is named by: `file.py:name` or `package.module:name`."""
    place, _, name = value.rpartition(":")
    if not place or not all(part.isidentifier() for part in name.split(".")):
        raise ValueError('must be "file.py:name", or "package.module:name" of an installed library')
    return value
