"""One's own functions and classes are found by reading the files, never by running them."""

from __future__ import annotations

from pathlib import Path

from tui.own_code import definitions

CODE = '''
import nothing_like_this
raise SystemExit("nobody runs this")

def dice(output, target, *, smooth=1.0):
    """One minus the overlap,
    of all classes.

    More of it.
    """

class Dice(nn.Module):
    def __init__(self, smooth=1.0):
        pass

class Plain: ...

def _private(): ...
'''


def test_each_is_named_as_a_target_with_how_it_is_called_and_its_words(tmp_path: Path) -> None:
    (tmp_path / "losses.py").write_text(CODE)
    assert definitions(tmp_path) == [
        ("losses.py:dice", "(output, target, smooth)  One minus the overlap, of all classes."),
        ("losses.py:Dice", "class nn.Module (smooth)"),
        ("losses.py:Plain", "class ()"),
    ]


def test_what_is_no_python_gives_none_and_hides_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def f(:")
    (tmp_path / "bytes.py").write_bytes(b"\xff\x00")
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "good.py").write_text("def f(optimizer, epoch): ...")
    assert definitions(tmp_path) == [("good.py:f", "(optimizer, epoch)")]
    assert definitions(tmp_path / "nowhere") == []
