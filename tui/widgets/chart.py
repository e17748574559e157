"""One chart: zoom, pan, a cursor that reads the lines, a logarithmic axis, the whole screen."""

from __future__ import annotations

from dataclasses import replace

from textual import events
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui.chart_view import View, chosen, cursor_at, cursor_moved, dragged, panned, zoomed
from tui.content import Content
from tui.glyphs import is_ascii
from tui.picture import draw, x_at
from tui.themes import on_light

ZOOM = 0.5  # the window's width after one step in, of the width before
PAN = 0.25  # of the window
ZOOMS = "Zoom in and out, as the wheel does"


class Chart(Widget, can_focus=True):
    """Draws its content anew only when that, the view or the size has changed. `key`: which of a
    run's charts it is."""

    class ViewChanged(Message):
        """A person has moved the window or the cursor."""

        def __init__(self, chart: Chart, view: View) -> None:
            super().__init__()
            self.chart, self.view = chart, view

    DEFAULT_CSS = """
    Chart { height: 1fr; min-height: 1; padding: 0 1; }
    Chart:focus { background: $boost; }
    """
    BINDINGS = [
        Binding("left", "cursor(-1)", "Cursor", show=False, tooltip="Cursor: read the lines there"),
        Binding("right", "cursor(1)", "Cursor", show=False, tooltip="Cursor: read the lines there"),
        Binding("home", "cursor(-1000000)", "First", show=False, tooltip="Cursor to the start"),
        Binding("end", "cursor(1000000)", "Last", show=False, tooltip="Cursor to the end"),
        Binding("escape", "no_cursor", "No cursor", show=False, tooltip="Take the cursor away"),
        # One entry of the footer for both: 80 columns have to hold it.
        Binding("up,equals_sign", "zoom_in", "Zoom", key_display="↑↓", tooltip=ZOOMS),
        Binding("down,minus", "zoom_out", "Zoom", key_display="↑↓", tooltip=ZOOMS, show=False),
        Binding("0", "fit", "All", tooltip="See the whole run, as a double click does"),
        Binding(
            "comma,shift+left", "pan(-1)", "Pan left", show=False,
            tooltip="Move the window left, as dragging does",
        ),
        Binding(
            "full_stop,shift+right", "pan(1)", "Pan right", show=False,
            tooltip="Move the window right, as dragging does",
        ),
        Binding(
            "w", "window", "Window", show=False,
            tooltip="Choose a window: here and then at its other end, as dragging with shift does",
        ),
        Binding("l", "log", "Log", tooltip="A logarithmic axis, and back"),
        Binding("f", "full_screen", "Full", tooltip="This chart on the whole screen, and back"),
    ]  # fmt: skip

    content: reactive[Content] = reactive(Content, always_update=True)
    view: reactive[View] = reactive(View())
    logarithmic: reactive[bool] = reactive(False)

    def __init__(self, *, key: str = "", ascii: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self.key, self.ascii = key, ascii
        self._strips: list[Strip] = []
        self._drawn: tuple[object, ...] = ()
        self._held: tuple[int, View] | None = None  # where the mouse was pressed, and what was seen
        self._moved = False  # since then

    def render_line(self, y: int) -> Strip:
        size = self.size
        light = not self.app.current_theme.dark
        shown = (self.content, self.view, self.logarithmic, size, self.rich_style, light)
        if shown != self._drawn:
            self._strips, self._drawn = self._draw(size, light), shown
        return self._strips[y] if y < len(self._strips) else Strip.blank(size.width)

    def _draw(self, size: Size, light: bool) -> list[Strip]:
        ascii = self.ascii or is_ascii(self)
        rows = draw(
            self.content, self.view, size.width, size.height, log=self.logarithmic, ascii=ascii
        )
        rows = [on_light(row) for row in rows] if light else rows
        console, style = self.app.console, self.rich_style
        return [
            Strip(row.render(console), size.width).apply_style(style).simplify() for row in rows
        ]

    def _show(self, view: View) -> None:
        if view != self.view:
            self.view = view
            self.post_message(self.ViewChanged(self, view))

    def action_zoom_in(self) -> None:
        self._show(zoomed(self.view, self.content.whole, ZOOM))

    def action_zoom_out(self) -> None:
        self._show(zoomed(self.view, self.content.whole, 1 / ZOOM))

    def action_fit(self) -> None:
        self._show(View(None, self.view.cursor))

    def action_pan(self, direction: int) -> None:
        self._show(panned(self.view, self.content.whole, PAN * direction))

    def action_cursor(self, cells: int) -> None:
        width = max(1, self.size.width)
        self._show(cursor_moved(self.view, self.content.whole, self.content.points, cells, width))

    def action_no_cursor(self) -> None:
        self._show(View(self.view.window, None))

    def action_window(self) -> None:
        """From the cursor, and at the second time to it."""
        if self.view.cursor is None:
            self.action_cursor(-1)
        if self.view.anchor is None:
            self._show(replace(self.view, anchor=self.view.cursor))
        else:
            self._show(chosen(self.view))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without a cursor, escape is left to whatever the chart is in."""
        return action != "no_cursor" or self.view.cursor is not None

    def action_log(self) -> None:
        self.logarithmic = not self.logarithmic

    def action_full_screen(self) -> None:
        if self.screen.maximized is None:
            self.screen.maximize(self, container=False)
        else:
            self.screen.minimize()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._wheel(event, -1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._wheel(event, 1)

    def _wheel(self, event: events.MouseEvent, direction: int) -> None:
        """Zooms around the pointer; with shift or ctrl it pans."""
        event.stop()
        whole = self.content.whole
        if event.shift or event.ctrl:
            self._show(panned(self.view, whole, PAN * direction))
            return
        at = self._x_at(event)
        around = View(self.view.window, at)
        window = zoomed(around, whole, ZOOM if direction < 0 else 1 / ZOOM).window
        self._show(View(window, self.view.cursor))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Here a drag may begin: of the window, or with shift of a new one."""
        event.stop()
        self.capture_mouse()
        self._moved, self._held = False, (event.screen_x, self.view)
        at = self._x_at(event)
        if event.shift and at is not None:
            placed = cursor_at(self.view, self.content.points, at)
            self._show(replace(placed, anchor=placed.cursor))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._held is None:
            return
        begin, before = self._held
        if event.screen_x == begin and not self._moved:
            return
        self._moved = True
        if self.view.anchor is not None:
            at = self._x_at(event)
            if at is not None:
                self._show(cursor_at(self.view, self.content.points, at))
        else:
            part = (begin - event.screen_x) / max(1, self.size.width)
            self._show(dragged(self.view, self.content.whole, before, part))

    def on_mouse_up(self, event: events.MouseUp) -> None:
        self.release_mouse()
        if self._held is not None and self._moved and self.view.anchor is not None:
            self._show(chosen(self.view))
        self._held = None

    def on_click(self, event: events.Click) -> None:
        """Sets the cursor; twice sees the whole. The end of a drag is no click."""
        event.stop()
        at = self._x_at(event)
        if self._moved or at is None:
            return
        if event.chain == 2:
            self.action_fit()
        elif not event.shift:
            self._show(cursor_at(self.view, self.content.points, at))

    def _x_at(self, event: events.MouseEvent) -> float | None:
        """What x is under the pointer; None beside the plot."""
        offset = event.get_content_offset(self)
        if offset is None:
            return None
        return x_at(
            self.content, self.view, self.size.width, self.size.height, offset.x, self.logarithmic
        )
