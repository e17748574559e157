"""What `ptrain-tui` is called with."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tui.glyphs import only_ascii
from tui.remembered import state_file
from tui.themes import names


@dataclass(frozen=True, kw_only=True)
class Options:
    """`folder` holds the experiments, `runs` the runs; both absolute. `state` is the file that
    remembers how one left the dashboard; None: nothing is remembered."""

    folder: Path
    runs: Path
    state: Path | None = None
    read_only: bool = False
    mouse: bool = True
    workbench: bool = True
    ascii: bool = False
    theme: str = ""  # empty: as it was left


def read_options(arguments: Sequence[str]) -> Options:
    """Leaves with exit code 2 and the reason when they are wrong, and after --help with 0."""
    parser = argparse.ArgumentParser(
        prog="ptrain-tui",
        description="Experiments and runs in one screen: start, watch, ask, stop. Leaving it stops "
        "no run.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        nargs="?",
        type=_folder,
        default=Path.cwd(),
        help="where the experiments' TOML files are; default: here",
    )
    parser.add_argument(
        "--runs",
        metavar="DIR",
        type=Path,
        help="default: $PTRAIN_RUNS, else FOLDER/runs if there is one, else ./runs",
    )
    parser.add_argument(
        "--read-only", action="store_true", help="look only: start, ask and stop nothing"
    )
    parser.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    parser.add_argument(
        "--no-workbench",
        action="store_true",
        help="keep no process with torch imported (500 MB): questions and starts take seconds",
    )
    parser.add_argument(
        "--ascii",
        action="store_true",
        help="draw with ASCII alone; always so where the locale (LC_ALL, LANG) is not UTF-8 and on "
        "the console of Linux",
    )
    parser.add_argument(
        "--theme",
        metavar="NAME",
        type=_theme,
        help="dark, light or one of Textual's; default: as it was left. T changes it. Where "
        "NO_COLOR is set there are only greys",
    )
    given = parser.parse_args(arguments)
    return Options(
        folder=given.folder.absolute(),
        runs=_runs(given.runs, given.folder).absolute(),
        state=state_file(),
        read_only=given.read_only,
        mouse=not given.no_mouse,
        workbench=not given.no_workbench,
        ascii=given.ascii or only_ascii(),
        theme=given.theme or "",
    )


def _folder(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is not a folder")
    return path


def _theme(text: str) -> str:
    if text not in names():
        raise argparse.ArgumentTypeError(f"{text} is none of {', '.join(names())}")
    return text


def _runs(given: Path | None, folder: Path) -> Path:
    told = given or os.environ.get("PTRAIN_RUNS")
    if told:
        return Path(told)
    beside = folder / "runs"
    return beside if beside.is_dir() else Path("runs")
