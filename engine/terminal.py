"""Where the commands print what is wider than words."""

from __future__ import annotations

from rich.console import Console


def console(*, soft_wrap: bool = False) -> Console:
    """Standard output. Names are printed as they are, not as emoji; where it is no terminal at
    their full width: nothing may be cut off in a pipe."""
    made = Console(highlight=False, emoji=False, soft_wrap=soft_wrap)
    if made.is_terminal:
        return made
    return Console(highlight=False, emoji=False, soft_wrap=soft_wrap, width=1000)
