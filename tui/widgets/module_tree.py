"""A model's modules with checkboxes: what is frozen, what trains, and how much that is."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from rich.text import Text
from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.freeze_tree import ModuleTree, Node, short, state

BOXES = {"frozen": "[x]", "part": "[-]", "trains": "[ ]", "": "   "}
GREY = "dim"
FEW = 6  # outermost modules: where there are no more, those inside are shown too


@dataclass(frozen=True)
class Shown:
    """What is known of a tree: the leaves that are frozen, and the epoch in which some begin."""

    tree: ModuleTree
    frozen: frozenset[str] = frozenset()
    later: Mapping[str, int] = field(default_factory=dict)
    freeze_norm: bool = True

    def words(self, node: Node) -> str:
        """What becomes of it, for a person."""
        if not node.leaves:
            return "nothing to freeze"
        now = state(node, self.frozen)
        epochs = {self.later.get(leaf.name) for leaf in node.leaves if leaf.name in self.frozen}
        begins = [f"from epoch {epoch}" for epoch in sorted(filter(None, epochs))]
        if now != "trains" and begins:
            return " and ".join(begins[:2]) if now == "frozen" and None not in epochs else "partly"
        if now == "frozen" and not self.freeze_norm and any(leaf.norm for leaf in node.leaves):
            alone = all(leaf.norm for leaf in node.leaves)
            return "norm: trains" if alone else "frozen, norms train"
        return {"part": "partly"}.get(now, now)


class ModuleTreeView(ScrollView, can_focus=True):
    """Draws the lines that are seen; says what was toggled."""

    DEFAULT_CSS = """
    ModuleTreeView { height: 1fr; }
    """
    BINDINGS = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "move(-1000000)", "First", show=False),
        Binding("end", "move(1000000)", "Last", show=False),
        Binding("space", "freeze", "Freeze", tooltip="Freeze it with all inside, or let it train"),
        Binding("right", "open", "Open", key_display="→", tooltip="Show what is inside"),
        Binding("left", "close", "Close", key_display="←", tooltip="Hide it, or go to its parent"),
        Binding("plus", "open_all", "Open all", show=False, tooltip="Show everything inside"),
        Binding("minus", "close_all", "Close all", show=False, tooltip="Only the outermost"),
    ]

    class Toggled(Message):
        """These are to be frozen with all that is inside, or if they are, to train."""

        def __init__(self, node: Node) -> None:
            super().__init__()
            self.node = node

    def __init__(self) -> None:
        super().__init__()
        self.shown: Shown | None = None
        self.word = ""
        self.cursor = 0
        self._open: set[str] = {""}
        self._rows: list[tuple[Node, int]] = []

    @property
    def rows(self) -> list[Node]:
        """What could be scrolled to."""
        return [node for node, _ in self._rows]

    @property
    def node(self) -> Node | None:
        """Where the cursor is."""
        return self._rows[self.cursor][0] if self._rows else None

    def show(self, shown: Shown) -> None:
        fresh = self.shown is None or shown.tree is not self.shown.tree
        self.shown = shown
        if fresh:
            root = shown.tree.root
            inner = [node for node in root.children if any(n.children for n in node.children)]
            self._open = {"", *(node.name for node in inner if len(root.children) < FEW)}
            self._lay()
        self.refresh()

    def narrow(self, word: str) -> None:
        """Only what has the word in its name, with what it is in; everything for an empty one."""
        self.word = word
        self._lay()
        if word and self.shown is not None:
            found = set(self.shown.tree.matching(word))
            self._go(next((at for at, (node, _) in enumerate(self._rows) if node in found), 0))

    def _lay(self) -> None:
        if self.shown is None:
            return
        here, tree = self.node, self.shown.tree
        found = {node.name for node in tree.matching(self.word)} if self.word else None
        self._rows = list(_visible(tree.root, self._open, found))
        self.virtual_size = Size(self.size.width, len(self._rows))
        rows = self.rows
        self._go(rows.index(here) if here in rows else 0)
        self.refresh()

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._rows))

    def _go(self, row: int) -> None:
        self.cursor = max(0, min(row, len(self._rows) - 1))
        self.scroll_to_region(
            Region(0, self.cursor, 1, 1), animate=False, force=True, x_axis=False, immediate=True
        )
        self.refresh()

    # Drawing

    def render_line(self, y: int) -> Strip:
        row = self.scroll_offset.y + y
        width = self.scrollable_content_region.width
        if self.shown is None or not 0 <= row < len(self._rows):
            return Strip.blank(width, self.rich_style)
        text = self._line(*self._rows[row], width)
        style = self.rich_style
        if row == self.cursor:
            text.stylize("reverse" if self.has_focus else "underline")
        text.truncate(width, pad=True)
        return Strip(text.render(self.app.console), width).apply_style(style)

    def _line(self, node: Node, depth: int, width: int) -> Text:
        shown = self.shown
        assert shown is not None
        is_open = node.name in self._open or bool(self.word)
        sign = " " if not node.children else "▾" if is_open else "▸"
        now = state(node, shown.frozen)
        name = node.last_name or shown.tree.backbone
        text = Text("  " * depth).append(f"{sign} ").append(BOXES[now])
        text.append(f" {name}", "" if node.leaves else GREY)
        if shown.tree.is_head(node):
            text.append("  the new head", GREY)
        elif not node.is_parameter:
            text.append(f"  {node.kind}", GREY)
        return _with_columns(text, self.columns(node), width)

    def columns(self, node: Node) -> list[tuple[str, int]]:
        """Parameters, what becomes of them, and their groups of the optimizer."""
        assert self.shown is not None
        count = short(node.parameters) if node.parameters else ""
        return [
            (f"{count:>8}", 8),
            (self.shown.words(node), 19),
            (", ".join(node.groups), 12),
        ]

    def heading(self, width: int) -> Text:
        """What stands above the columns."""
        names = [("  params", 8), ("state", 19), ("group", 12)]
        return _with_columns(Text("  [x] = frozen"), names, width)

    # Acting

    def action_move(self, by: int) -> None:
        self._go(self.cursor + by)

    def action_page(self, by: int) -> None:
        self._go(self.cursor + by * max(1, self.size.height - 1))

    def action_freeze(self) -> None:
        if self.node is not None and self.node.leaves:
            self.post_message(self.Toggled(self.node))

    def action_open(self) -> None:
        """What is inside; what is open already is gone into."""
        node = self.node
        if node is None or not node.children or self.word:
            return
        if node.name in self._open:
            self.action_move(1)
            return
        self._open.add(node.name)
        self._lay()

    def action_close(self) -> None:
        node = self.node
        if node is None:
            return
        if node.children and node.name in self._open and not self.word:
            self._open.discard(node.name)
            self._lay()
        elif node.name and self.shown is not None:
            parent = self.shown.tree.by_name[node.name.rpartition(".")[0]]
            self._go(self.rows.index(parent))

    def action_open_all(self) -> None:
        """Down to the modules; their parameters stay closed."""
        if self.shown is not None:
            modules = (node for node in self.shown.tree.root.walk() if not node.is_parameter)
            inner = {n.name for n in modules if any(not c.is_parameter for c in n.children)}
            self._open |= inner
            self._lay()

    def action_close_all(self) -> None:
        self._open = {""}
        self._lay()

    def on_click(self, event: events.Click) -> None:
        """On the box it toggles, on the sign before it opens, elsewhere it goes there."""
        row = self.scroll_offset.y + event.y
        if not 0 <= row < len(self._rows):
            return
        self._go(row)
        node, depth = self._rows[row]
        place = event.x - 2 * depth
        if 2 <= place < 5:
            self.action_freeze()
        elif 0 <= place < 2 and node.children:
            (self.action_close if node.name in self._open else self.action_open)()


def _visible(
    node: Node, opened: Set[str], found: Set[str] | None, depth: int = 0
) -> list[tuple[Node, int]]:
    """The lines: under open modules, or with `found` what leads to that."""
    inside = []
    if found is not None or node.name in opened:
        for child in node.children:
            inside += _visible(child, opened, found, depth + 1)
    if found is None or inside or node.name in found or not node.name:
        return [(node, depth), *inside]
    return []


def _with_columns(text: Text, columns: list[tuple[str, int]], width: int) -> Text:
    """Right of what may be cut; the last columns go where there is no room for them."""
    while columns and sum(size + 1 for _, size in columns) > width * 0.6:
        columns = columns[:-1]
    room = width - sum(size + 1 for _, size in columns)
    text.truncate(room, overflow="ellipsis", pad=True)
    for words, size in columns:
        text.append(" ")
        text.append(words[:size].ljust(size))
    return text
