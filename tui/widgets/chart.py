"""One chart: zoom, pan, a cursor that reads the lines, a logarithmic axis, the whole screen."""

from __future__ import annotations

from textual import events
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui.chart_view import View, cursor_at, cursor_moved, panned, zoomed
from tui.glyphs import is_ascii
from tui.picture import Content, draw, x_at
from tui.themes import on_light

ZOOM = 0.5  # the window's width after one step in, of the width before
PAN = 0.25  # of the window


class Chart(Widget, can_focus=True):
    """Draws its content anew only when that, the view or the size has changed."""

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
        Binding("left", "cursor(-1)", "Cursor", show=False),
        Binding("right", "cursor(1)", "Cursor", show=False),
        Binding("home", "cursor(-1000000)", "First point", show=False),
        Binding("end", "cursor(1000000)", "Last point", show=False),
        Binding("escape", "no_cursor", "No cursor", show=False),
        Binding("up,equals_sign", "zoom_in", "Zoom in", key_display="↑"),
        Binding("down,minus", "zoom_out", "Zoom out", key_display="↓"),
        Binding("0", "fit", "All"),
        Binding("comma,shift+left", "pan(-1)", "Pan left", show=False),
        Binding("full_stop,shift+right", "pan(1)", "Pan right", show=False),
        Binding("l", "log", "Log"),
        Binding("f", "full_screen", "Full"),
    ]

    content: reactive[Content] = reactive(Content, always_update=True)
    view: reactive[View] = reactive(View())
    logarithmic: reactive[bool] = reactive(False)

    def __init__(self, *, ascii: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self.ascii = ascii
        self._strips: list[Strip] = []
        self._drawn: tuple[object, ...] = ()

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

    def on_click(self, event: events.Click) -> None:
        at = self._x_at(event)
        if at is not None:
            event.stop()
            self._show(cursor_at(self.view, self.content.points, at))

    def _x_at(self, event: events.MouseEvent) -> float | None:
        """What x is under the pointer; None beside the plot."""
        offset = event.get_content_offset(self)
        if offset is None:
            return None
        return x_at(
            self.content, self.view, self.size.width, self.size.height, offset.x, self.logarithmic
        )
