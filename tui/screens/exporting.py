"""From what is seen to a file: the format, its name, whether one may be overwritten."""

from __future__ import annotations

import asyncio
from pathlib import Path

from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from engine.contract.run_directory import write_atomically
from tui.acting import Choice
from tui.content import Line
from tui.export import Exported, contents, proposed
from tui.figure import Seen
from tui.screens.choice import ChoiceDialog
from tui.screens.dialog import Dialog
from tui.summary import facts
from tui.widgets.run_charts import RunCharts

OVER = (Choice("yes", "overwrite it"), Choice("no", "choose another name"))
FORMATS = {"csv": "CSV", "svg": "SVG", "png": "PNG", "md": "Markdown"}


class ExportName(Dialog[Path]):
    """Answers with a path; relative ones are of the working directory."""

    def __init__(self, title: str, path: Path, why: str = "") -> None:
        super().__init__(title, f"{why + '   ' if why else ''}enter: write   escape: back")
        self._path = path

    def content(self) -> list[Widget]:
        return [Input(str(self._path), compact=True)]

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        text = event.value.strip()
        if text:
            self.dismiss(Path(text).expanduser())


async def export(screen: Screen[object], charts: RunCharts) -> None:
    """Ask, write, and tell where it is."""
    watched = charts.watched
    if watched is None or charts.curves is None:
        screen.notify("no run is chosen: there is nothing to export", severity="warning")
        return
    key = charts.focused_key()
    titles = {named.key: named.title for named in charts.named}
    answer = await screen.app.push_screen_wait(
        ChoiceDialog("Export what is seen", lambda: _choices(titles[key], len(charts.charts)))
    )
    if answer is None:
        return
    ending, _, which = answer.partition(" ")
    keys = [key] if which == "one" else list(charts.charts)
    name = f"{watched.run.name}-{watched.run.id}"
    what = titles[key] if which == "one" else "charts"
    path = await _path(screen, proposed(Path.cwd(), name, what, ending), FORMATS[ending])
    if path is not None:
        taken = Exported(name, facts(watched), *_seen(charts, keys), charts.curves)
        await _write(screen, path, taken, ending)


def _choices(title: str, shown: int) -> list[Choice]:
    every = {1: title, 2: "both charts"}.get(shown, f"all {shown} charts")
    pictures = [
        Choice(f"{ending} {which}", f"{FORMATS[ending]}: a picture of {what}")
        for ending in ("svg", "png")
        for which, what in (("one", title), ("all", every))[: 2 if shown > 1 else 1]
    ]
    return [
        Choice("csv all", f"CSV: the numbers of {every}, a row a step that is seen"),
        *pictures,
        Choice("md all", f"Markdown: the run, its values and {every} in characters"),
    ]


def _seen(charts: RunCharts, keys: list[str]) -> tuple[list[Seen], list[list[Line]]]:
    shown = [charts.charts[key] for key in keys]
    seen = [Seen(chart.content, chart.view, chart.logarithmic) for chart in shown]
    return seen, [list(charts.content(key, "step").lines) for key in keys]


async def _path(screen: Screen[object], path: Path, kind: str) -> Path | None:
    """A path that may be written to; asked again until it is one, or escape."""
    found = await screen.app.push_screen_wait(ExportName(f"{kind} file", path))
    while found is not None and found.exists():
        if found.is_dir():
            found = await screen.app.push_screen_wait(
                ExportName(f"{kind} file", found / path.name, f"{found} is a folder.")
            )
            continue
        answer = await screen.app.push_screen_wait(
            ChoiceDialog(f"{found} is there already", lambda: OVER)
        )
        if answer == "yes":
            return found
        if answer is None:
            return None
        found = await screen.app.push_screen_wait(ExportName(f"{kind} file", found))
    return found


async def _write(screen: Screen[object], path: Path, taken: Exported, ending: str) -> None:
    """In a thread: a million rows take seconds, in which one goes on looking."""
    path = path.absolute()

    def write() -> None:
        made = contents(taken, ending)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, made)

    try:
        await asyncio.to_thread(write)
    except OSError as error:
        screen.notify(f"{path}: {error.strerror}", title="not exported", severity="error",
            markup=False)  # fmt: skip
        return
    screen.app.copy_to_clipboard(str(path))
    screen.notify(
        str(path), title="exported; its path is copied, if your terminal allows it", timeout=10,
        markup=False,
    )  # fmt: skip
