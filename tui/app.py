"""`ptrain-tui [FOLDER]`: the runs of a folder, live. Torch is never loaded here."""

from __future__ import annotations

import sys
from pathlib import Path

from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.widgets import Footer, Header

from engine.contract.run_directory import runs_root
from tui.run_list import RunList, WatchedRun
from tui.widgets.run_detail import RunDetail
from tui.widgets.run_table import RunTable

LOOK_SECONDS = 0.5  # over SSH two updates a second are enough, and an unchanged row is none


class Dashboard(App[None]):
    """Watches the runs. Quitting it disturbs none of them."""

    TITLE = "ptrain"
    BINDINGS = [Binding("q", "quit", "Quit")]
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, runs: Path) -> None:
        super().__init__()
        self.runs = RunList(runs)
        self.watched: dict[Path, WatchedRun] = {}
        self.chosen: Path | None = None

    def compose(self) -> ComposeResult:
        yield Header()
        yield RunTable()
        yield RunDetail()
        yield Footer()

    def on_mount(self) -> None:
        self.sub_title = str(self.runs.root)
        self.look()
        self.set_interval(LOOK_SECONDS, self.look)

    def look(self) -> None:
        """Read what is new and hand it down."""
        runs = self.runs.look()
        self.watched = {watched.run.path: watched for watched in runs}
        self.query_one(RunTable).show(runs)
        self._show_detail()

    def on_run_table_chosen(self, message: RunTable.Chosen) -> None:
        message.stop()
        self.chosen = message.path
        self._show_detail()

    def _show_detail(self) -> None:
        detail = self.query_one(RunDetail)
        if not self.watched:
            detail.text = f"no runs in {self.runs.root} yet; `ptrain run FILE` makes one"
        elif self.chosen is not None:
            detail.show(self.watched.get(self.chosen))


def main() -> None:
    """The console script. FOLDER is where `runs` is; default: as for `ptrain runs`."""
    arguments = sys.argv[1:]
    if any(argument in ("-h", "--help") for argument in arguments):
        print("Usage: ptrain-tui [FOLDER]\n\nShows the runs of FOLDER/runs, live.")
        return
    if len(arguments) > 1 or (arguments and not Path(arguments[0]).is_dir()):
        print(f"ptrain-tui: {arguments[-1]} is not a folder", file=sys.stderr)
        sys.exit(2)
    root = Path(arguments[0]).absolute() / "runs" if arguments else runs_root(None)
    Dashboard(root).run()
