"""Freezing: the module tree with a checkbox at each module; it writes the shortest patterns."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, Static

from engine.contract.backbones import BACKBONES
from tui.freeze_patterns import shortest
from tui.freeze_section import Freezes
from tui.freeze_tree import ModuleTree, all_but_heads, begins, share, toggled
from tui.launching import Launcher, read_outcome
from tui.toml_document import TomlDocument
from tui.toml_edit import toml_value
from tui.widgets.module_tree import ModuleTreeView, Shown

WARMING = "the engine is warming up; the first time takes ten seconds …"
REST_SECONDS = 0.1  # after the last toggle, before the patterns are written anew


class FreezingScreen(ModalScreen[list[str] | None]):
    """Dismissed with the patterns, or with None where nothing is to be changed."""

    DEFAULT_CSS = """
    FreezingScreen > Vertical { background: $surface; }
    FreezingScreen .line { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    FreezingScreen #share { background: $panel; text-style: bold; }
    FreezingScreen #notes { height: auto; max-height: 6; padding: 0 1; color: $text-warning; }
    FreezingScreen #heading { color: $text-muted; padding: 0; }
    FreezingScreen #word { display: none; }
    FreezingScreen #word.-shown { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "apply", "Apply", priority=False),
        Binding("escape", "leave", "Cancel"),
        Binding("a", "all_but_head", "All but head", tooltip="Freeze everything but the new head"),
        Binding("n", "nothing", "None", tooltip="Let everything train"),
        Binding("slash", "filter", "Filter", tooltip="Show modules by a part of their name"),
        Binding("t", "matching", "Toggle found", tooltip="Freeze all that the filter found"),
    ]

    def __init__(self, path: Path, text: str, values: Mapping[str, Any], launcher: Launcher):
        """`text` is what is edited, which the file may not hold yet; `values` what it says."""
        super().__init__()
        self._path, self._text, self._launcher = path, text, launcher
        self._freezes = Freezes.of(values)
        self._before: frozenset[str] = frozenset()
        self._writes = 0
        self.shown: Shown | None = None
        self.patterns = self._freezes.patterns

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(WARMING, id="share", classes="line", markup=False)
            yield Static("", id="patterns", classes="line", markup=False)
            yield Static("", id="notes", markup=False)
            yield Input(placeholder="part of a name, or a glob", compact=True, id="word")
            yield Static("", id="heading", classes="line", markup=False)
            yield ModuleTreeView()
        yield Footer(compact=True, show_command_palette=False)

    @property
    def tree_view(self) -> ModuleTreeView:
        return self.query_one(ModuleTreeView)

    def on_mount(self) -> None:
        self.query_one("#notes").display = False
        self.tree_view.focus()
        self._load()

    @work(exclusive=True, group="load")
    async def _load(self) -> None:
        notes: list[str] = []
        # What freeze itself says is looked at here, and a mistake in it is mended here.
        plain = ("--set", "model.freeze=[]", "--set", "model.unfreeze=[]")
        asked = ("layers", str(self._path), "--stdin", "--json", *plain)
        answer = await self._launcher.ask(*asked, text=self._text)
        if answer.code != 0:
            outcome = read_outcome(answer)
            notes += [str(replace(problem, file=None)) for problem in outcome.errors]
            notes += [outcome.words] if outcome.words else []
            if self._freezes.backbone in BACKBONES:
                notes.append(f"until that is mended, this is {self._freezes.backbone} by itself")
                answer = await self._launcher.ask("layers", self._freezes.backbone, "--json")
        try:
            if answer.code != 0:
                raise ValueError("there is no module tree to show")
            tree = ModuleTree(answer.out)
        except ValueError as error:
            self.query_one("#share", Static).update(f"{error}; escape goes back")
            self._tell(notes)
            return
        notes += answer.err.strip().splitlines() if answer.code == 0 else []
        self._begin(tree, notes)

    def _begin(self, tree: ModuleTree, notes: list[str]) -> None:
        freezes = self._freezes
        unmatched = tree.unmatched(freezes.patterns)
        if unmatched:
            notes = [*notes, f"matches nothing and goes when you apply: {', '.join(unmatched)}"]
        known = [pattern for pattern in freezes.patterns if pattern not in unmatched]
        self._before = tree.frozen_by(known)
        self.patterns = known
        self.shown = Shown(
            tree,
            self._before,
            begins(tree, known, freezes.stages),
            freezes.freeze_norm,
        )
        self._tell(notes)
        self._show()

    def _tell(self, notes: Sequence[str]) -> None:
        widget = self.query_one("#notes", Static)
        widget.display = bool(notes)
        widget.update("\n".join(notes))

    # What is frozen

    def freeze(self, frozen: frozenset[str]) -> None:
        """From now on these leaves are."""
        if self.shown is not None and frozen != self.shown.frozen:
            self.shown = replace(self.shown, frozen=frozen)
            self._show()
            self._write()

    def _show(self) -> None:
        """The share and the boxes at once."""
        shown = self.shown
        if shown is None:
            return
        told = share(shown.tree, shown.frozen, freeze_norm=shown.freeze_norm)
        self.query_one("#share", Static).update(f"{shown.tree.backbone} {told.words}")
        self.tree_view.show(shown)
        self._show_heading()
        self._show_patterns()

    def _show_heading(self) -> None:
        width = self.tree_view.scrollable_content_region.width
        self.query_one("#heading", Static).update(self.tree_view.heading(width))

    def on_resize(self) -> None:
        self.call_after_refresh(self._show_heading)

    def _show_patterns(self) -> None:
        same = self.shown is not None and self.shown.frozen == self._before
        note = "  (as it was)" if same else ""
        words = f"freeze = {toml_value(self.patterns)}{note}"
        self.query_one("#patterns", Static).update(words)

    @work(exclusive=True, group="write")
    async def _write(self) -> None:
        """The patterns a moment later, beside: scattered ones take a second in a large model."""
        await asyncio.sleep(REST_SECONDS)
        await self._written()

    async def _written(self) -> None:
        shown = self.shown
        if shown is None:
            return
        if shown.frozen == self._before:
            known = self._freezes.patterns
            unmatched = shown.tree.unmatched(known)
            patterns = [pattern for pattern in known if pattern not in unmatched]
        else:
            patterns = await asyncio.to_thread(shortest, shown.tree, shown.frozen)
        later = begins(shown.tree, patterns, self._freezes.stages)
        self.patterns = patterns
        if self.shown is shown and self.is_running:
            self.shown = replace(shown, later=later)
            self.tree_view.show(self.shown)
            self._show_patterns()

    def on_module_tree_view_toggled(self, message: ModuleTreeView.Toggled) -> None:
        message.stop()
        if self.shown is not None:
            self.freeze(toggled(message.node, self.shown.frozen))

    def action_all_but_head(self) -> None:
        if self.shown is not None:
            self.freeze(all_but_heads(self.shown.tree))

    def action_nothing(self) -> None:
        self.freeze(frozenset())

    def action_matching(self) -> None:
        """Freeze what the filter found, or if all of it is frozen, let it train."""
        if self.shown is None or not self.tree_view.word:
            return
        nodes = self.shown.tree.matching(self.tree_view.word)
        found = {leaf.name for node in nodes for leaf in node.leaves}
        frozen = self.shown.frozen
        self.freeze(frozen - found if found <= frozen else frozen | found)

    # The filter, and leaving

    def action_filter(self) -> None:
        word = self.query_one("#word", Input)
        word.add_class("-shown")
        word.focus()

    @on(Input.Changed, "#word")
    def _narrow(self, event: Input.Changed) -> None:
        event.stop()
        self.tree_view.narrow(event.value.strip())

    @on(Input.Submitted, "#word")
    def _narrowed(self, event: Input.Submitted) -> None:
        event.stop()
        self.tree_view.focus()

    @work(exclusive=True, group="apply")
    async def action_apply(self) -> None:
        if self.shown is None:
            return
        self.workers.cancel_group(self, "write")
        await self._written()
        changed = self.patterns != self._freezes.patterns
        self.dismiss(self.patterns if changed else None)

    def action_leave(self) -> None:
        """First out of the filter, then out of the screen."""
        word = self.query_one("#word", Input)
        if word.has_class("-shown"):
            word.value = ""
            word.remove_class("-shown")
            self.tree_view.focus()
        else:
            self.workers.cancel_node(self)  # what is still asked or worked out has no use any more
            self.dismiss(None)


async def ask_freezing(
    app: App[Any], document: TomlDocument, launcher: Launcher
) -> list[str] | None:
    """What `model.freeze` is to be, from a person; None for what it is."""
    values = document.values
    if values is None:
        app.notify("the text is no TOML now: mend that first", severity="warning")
        return None
    return await app.push_screen_wait(
        FreezingScreen(document.path, document.text, values, launcher)
    )
