"""Which weights there are for the chosen backbone, and in the folders that are named."""

from __future__ import annotations

from pathlib import Path

from tui.form_model import Row
from tui.offers import offered

WEIGHTS = Row(("model", "weights"), "weights", '"none"', offers="weights")


def names(model: object, folder: Path) -> list[str]:
    return [name for name, _ in offered(WEIGHTS, {"model": model}, folder)]


def test_the_backbones_own_weights_come_first_then_files_as_the_experiment_names_them(
    tmp_path: Path,
) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "a.pth").write_bytes(b"1")
    (tmp_path / "b.safetensors").write_bytes(b"22")
    (tmp_path / "notes.txt").write_text("")
    model = {"backbone": "resnet50", "weights_dir": "kept"}
    assert names(model, tmp_path) == [
        "DEFAULT", "IMAGENET1K_V1", "IMAGENET1K_V2", "none", "kept/a.pth", "b.safetensors",
    ]  # fmt: skip
    helped = dict(offered(WEIGHTS, {"model": model}, tmp_path))
    assert helped["DEFAULT"] == "the best of them: IMAGENET1K_V2, 224 px"
    assert helped["IMAGENET1K_V1"] == "224 px, resnet50-0676ba61.pth"


def test_a_backbone_that_is_not_known_leaves_none_and_the_files(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"")
    for model in ({"backbone": "resnet"}, {"weights_dir": 3}, [], None):
        assert names(model, tmp_path) == ["none", "a.pt"]
    assert names({"weights_dir": "gone"}, tmp_path / "gone") == ["none"]
