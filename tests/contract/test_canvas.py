"""Lines of characters: which dots are drawn, and what tells lines apart."""

from __future__ import annotations

from engine.contract.canvas import Canvas, sample


def drawn(canvas: Canvas) -> list[str]:
    return [row.plain for row in canvas.text()]


def test_a_cell_has_two_columns_and_four_rows_of_dots() -> None:
    canvas = Canvas(2, 1)
    canvas.line([(0, 0), (3, 3), (0, 3), (1, 2)], 0)
    # Dots 7 (bottom left) and 4 (top right); then the whole left column and 5, 6 of the right one.
    assert drawn(canvas) == [chr(0x2800 + 0x40 + 0x08) + chr(0x2800 + 0x47 + 0x10 + 0x20)]


def test_lines_differ_by_more_than_colour() -> None:
    for ascii in (False, True):
        samples = [sample(style, ascii=ascii).plain for style in range(5)]
        assert len(set(samples)) == 5


def test_a_gap_has_no_dots() -> None:
    canvas = Canvas(3, 1, ascii=True)
    canvas.line([(0, 0), None, (0, 0)], 0)
    assert drawn(canvas) == ["* *"]


def test_a_line_behind_shows_only_where_no_other_is() -> None:
    canvas = Canvas(3, 1)
    canvas.line([(0, 0)] * 2, 0, colour="red")
    canvas.line([(0, 3)] * 4, 0, colour="blue", behind=True)
    # Dots 7 and 8 in front; the whole cell where there is nothing else.
    assert drawn(canvas) == [chr(0x2800 + 0x40 + 0x80) + chr(0x28FF) + " "]
    assert [str(span.style) for span in canvas.text()[0].spans] == ["red", "blue"]
    plain = Canvas(2, 1, ascii=True)
    plain.line([(0, 0)] * 2, 1, behind=True)
    plain.line([(0, 0)], 1)
    assert drawn(plain) == ["o."]


def test_a_mark_is_over_everything() -> None:
    canvas = Canvas(2, 1)
    canvas.mark(1, 0, "◆")
    canvas.line([(0, 3)] * 4, 0)
    assert drawn(canvas) == [chr(0x28FF) + "◆"]
