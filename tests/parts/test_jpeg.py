"""JPEGs come out of torchvision.io as they come out of Pillow, or Pillow decodes them."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import functional as F

from engine.contract.data import Data
from engine.parts import jpeg
from engine.parts.batches import build_data
from engine.parts.images import as_rgb
from engine.parts.sources import load_image
from engine.parts.transforms import Preset

PRESET = Preset(16, 18, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "colour": ("RGB", {}),
    "every colour": ("RGB", {"subsampling": 0, "quality": 100}),
    "half the colours": ("RGB", {"subsampling": 1}),
    "progressive": ("RGB", {"progressive": True}),
    "restart markers": ("RGB", {"restart_marker_blocks": 4}),
    "grey": ("L", {}),
    "CMYK": ("CMYK", {}),
    "turned": ("RGB", {"exif": True}),
}


def photo(width: int = 83, height: int = 61, seed: int = 0) -> Image.Image:
    """Smooth, as photos are, and not of whole blocks."""
    steps = np.random.default_rng(seed).normal(size=(height, width, 3))
    values = steps.cumsum(0).cumsum(1) * 3 + 128
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def saved(path: Path, mode: str, keywords: dict[str, Any]) -> Path:
    if keywords.get("exif"):
        exif = Image.Exif()
        exif[0x0112] = 6  # turned by 90 degrees, which Pillow leaves to who asks for it
        keywords = {"exif": exif}
    photo().convert(mode).save(path, "JPEG", **keywords)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_a_jpeg_has_the_pixels_and_the_strides_that_pillow_gives(tmp_path: Path, kind: str) -> None:
    path = saved(tmp_path / "photo.jpg", *KINDS[kind])
    pixels = load_image(path, tensor=True)
    assert isinstance(pixels, Tensor)
    expected = F.pil_to_tensor(Image.open(path).convert("RGB"))
    assert torch.equal(pixels, expected)
    assert pixels.stride() == expected.stride()


def test_other_files_are_decoded_by_pillow_whatever_they_are_called(tmp_path: Path) -> None:
    for name, format in (("a.png", "PNG"), ("b.jpg", "BMP"), ("c.jpeg", "GIF")):
        photo().save(tmp_path / name, format)
        assert isinstance(load_image(tmp_path / name, tensor=True), Image.Image)


def test_a_damaged_jpeg_fails_as_it_fails_in_pillow_or_gives_the_same_pixels(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """libjpeg's own words about the damage go to standard error."""
    draw = random.Random(0)
    outcomes = {"failed": 0, "decoded": 0}
    for kind in ("colour", "progressive", "grey", "CMYK"):
        whole = saved(tmp_path / "whole.jpg", *KINDS[kind]).read_bytes()
        for number in range(60):
            content = bytearray(whole)
            if number % 3:
                content[draw.randrange(3, len(content))] ^= 1 << draw.randrange(8)
            else:
                del content[draw.randrange(4, len(content)) :]
            (tmp_path / "damaged.jpg").write_bytes(content)
            seen = [outcome(tmp_path / "damaged.jpg", tensor=tensor) for tensor in (True, False)]
            assert seen[0] == seen[1]
            outcomes["failed" if isinstance(seen[0], str) else "decoded"] += 1
    assert min(outcomes.values()) > 40
    capfd.readouterr()


def outcome(path: Path, *, tensor: bool) -> Any:
    try:
        image = as_rgb(load_image(path, tensor=tensor))
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return (image if isinstance(image, Tensor) else F.pil_to_tensor(image)).tolist()


@pytest.fixture
def tried_again() -> Iterator[None]:
    jpeg.agrees.cache_clear()
    yield
    jpeg.agrees.cache_clear()


def test_where_the_two_disagree_pillow_decodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tried_again: None
) -> None:
    path = saved(tmp_path / "photo.jpg", *KINDS["colour"])
    assert jpeg.agrees()
    jpeg.agrees.cache_clear()
    decode = jpeg.torchvision_io.decode_jpeg
    monkeypatch.setattr(
        jpeg.torchvision_io, "decode_jpeg", lambda *given, **how: decode(*given, **how) ^ 1
    )
    assert isinstance(load_image(path, tensor=True), Image.Image)


def test_where_torchvision_has_no_decoder_pillow_decodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tried_again: None
) -> None:
    path = saved(tmp_path / "photo.jpg", *KINDS["colour"])
    monkeypatch.delattr(jpeg.torchvision_io, "decode_jpeg")
    assert isinstance(load_image(path, tensor=True), Image.Image)


@pytest.mark.parametrize("workers", [0, 1])
def test_training_sees_the_images_that_pillow_decodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    for number in range(8):
        (tmp_path / "train" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        photo(40 + number, seed=number).save(
            tmp_path / "train" / "ab"[number % 2] / f"{number}.jpg"
        )
    keys: dict[str, Any] = {
        "dataset": "ImageFolder",
        "root": str(tmp_path),
        "val": 0.25,
        "augment": [{"name": "RandomResizedCrop", "size": 16}, {"name": "RandomHorizontalFlip"}],
        "workers": workers,
    }
    decoded = []
    for agree in (True, False):
        monkeypatch.setattr(jpeg, "agrees", lambda agree=agree: agree)
        data = build_data(Data.model_validate(keys), PRESET, seed=1, folder=tmp_path)
        decoded.append([b.inputs for b in (*data.train_batches(0), *data.val_batches())])
        data.close()
    for mine, theirs in zip(*decoded, strict=True):
        assert torch.equal(mine, theirs)


def test_a_file_that_is_gone_is_told_as_ever(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_image(tmp_path / "none.jpg", tensor=True)


def test_what_is_decoded_may_be_written_on(tmp_path: Path) -> None:
    file = io.BytesIO(saved(tmp_path / "photo.jpg", *KINDS["colour"]).read_bytes())
    pixels = jpeg.decoded(file)
    assert pixels is not None
    before = pixels.clone()
    pixels += 1
    file.seek(0)
    again = jpeg.decoded(file)
    assert again is not None
    assert torch.equal(again, before)
