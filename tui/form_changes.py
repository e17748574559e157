"""Adding, removing and moving in the form: done to the document, and where one is then.

Each raises EditError with the words for a person where it can't be done, and changes nothing then.
"""

from __future__ import annotations

from tui.form_model import Form, Path, Table
from tui.toml_blocks import EditError
from tui.toml_document import TomlDocument


def can_add(table: Table | None) -> Table:
    """The section that one is in, if it can have something more."""
    if table is None:
        raise EditError("go to a section of the form first: keys are added to that")
    if not table.addable:
        raise EditError(f"{table.title} has all the keys that it can have")
    return table


def add(document: TomlDocument, form: Form, table: Table, name: str) -> Path:
    """A key to a section, or a member at the end of a list."""
    value = next(choice.value for choice in table.addable if choice.name == name)
    if table.is_list:
        members = sum(each.path[:-1] == table.path for each in form.tables)
        document.add_element(table.path, value)
        return (*table.path, members)
    document.set((*table.path, name), value)
    return (*table.path, name)


def remove(document: TomlDocument, table: Table | None, path: Path | None) -> Path:
    """The key, or at its head the section or member."""
    if table is None or not path:
        raise EditError("go to a key, or to the head of a section, to remove that")
    if table.is_list and path == table.path:
        raise EditError("go to one of its members to remove that")
    document.delete(path)
    return table.path


def move(document: TomlDocument, table: Table | None, by: int) -> Path:
    """A member of a list past the one before or after it."""
    if table is None or table.member is None:
        raise EditError("go to a member of a list: [[scheduler]], [[loss]], …")
    holder, (place, _) = table.path[:-1], table.member
    document.move_element(holder, place, place + by)
    return (*holder, place + by)
