"""The backbones are found by words and bounds, in the order that is asked for."""

from __future__ import annotations

import pytest

from tui.backbone_table import COLUMNS, ORDERS, cells, found

NAME = ("name", False)


def names(query: str, order: tuple[str, bool] = NAME) -> list[str]:
    return [row.name for row in found(query, order)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("resnet18", ["resnet18"]),
        ("RESNET18", ["resnet18"]),
        ("segmentation lraspp", ["lraspp_mobilenet_v3_large"]),
        ("299 incep", ["inception_v3"]),
        ("squeezenet <1.24", ["squeezenet1_1"]),
        ("vit >600m", ["vit_h_14"]),
        ("nothing like it", []),
    ],
)
def test_every_word_has_to_fit(query: str, expected: list[str]) -> None:
    assert names(query) == expected


def test_it_is_sorted_by_each_column_of_numbers_up_and_down() -> None:
    up = names("resnet", ("parameters", False))
    assert up.index("resnet18") < up.index("resnet50") < up.index("resnet152")
    assert names("resnet", ("parameters", True))[0] == up[-1]
    sizes = [row.image_size for row in found("", ("px", True))]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 224
    assert {column for column, _ in ORDERS} <= set(COLUMNS)


def test_a_row_says_what_one_chooses_by() -> None:
    row = next(row for row in found("resnet50", NAME) if row.name == "resnet50")
    assert [cell.strip() for cell in cells(row)] == [
        "resnet50", "25.6 M", "224", "classification", "IMAGENET1K_V1, IMAGENET1K_V2",
    ]  # fmt: skip
