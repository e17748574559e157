"""What an image costs on its way from its file to the model, and what the choices save.

    uv run python benchmarks/input.py [FOLDER] [--images N] [--repeats N]

FOLDER holds JPEGs (default: ../data/ants_bees), read from the page cache. One thread, ms an image,
the median over all images of all repeats. `draft` (JPEG decoded at a half or a quarter of its size)
is shown for its speed: its pixels are others. With a GPU, what torchvision decodes there is
compared as well.

What was chosen, and why, stands in engine/parts: decoding in jpeg.py, batches of bytes in
finish.py.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torchvision
from PIL import Image, features
from torch import Tensor
from torchvision.io import ImageReadMode, decode_jpeg, read_file
from torchvision.transforms import functional as F
from torchvision.transforms import v2

from engine.parts.finish import Finish, finish_steps

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BATCH = 32


def with_pillow(path: Path) -> Image.Image:
    with path.open("rb") as file:
        return Image.open(file).convert("RGB")


def with_draft(path: Path) -> Image.Image:
    with path.open("rb") as file:
        image = Image.open(file)
        image.draft("RGB", (256, 256))
        return image.convert("RGB")


def with_torchvision(path: Path) -> Tensor:
    decoded: Tensor = decode_jpeg(read_file(str(path)), mode=ImageReadMode.RGB)
    return decoded


def timed(what: Callable[[Any], object], items: Sequence[Any], repeats: int, each: int = 1) -> str:
    """ms, by the number of images in an item."""
    seconds = []
    for _ in range(repeats):
        for item in items:
            began = time.perf_counter()
            what(item)
            seconds.append(time.perf_counter() - began)
    return f"{1000 * statistics.median(seconds) / each:8.3f}"


def on_one_core(paths: list[Path], repeats: int) -> None:
    images = [with_pillow(path) for path in paths]
    tensors = [F.pil_to_tensor(image) for image in images]
    small = [F.center_crop(F.resize(image, [256]), [224]) for image in images]
    bytes_ = [F.pil_to_tensor(image) for image in small]
    crop, finish = v2.RandomResizedCrop(224), Finish(finish_steps([], MEAN, STD))
    floats = [finish(image) for image in bytes_]
    batches = [bytes_[:BATCH]]
    stacked, count = [torch.stack(batches[0])], len(batches[0])
    rows: dict[str, tuple[Callable[[Any], object], Sequence[Any], int]] = {
        "decode: Pillow": (with_pillow, paths, 1),
        "decode: Pillow, draft (other pixels)": (with_draft, paths, 1),
        "decode: Pillow, to tensor": (lambda p: F.pil_to_tensor(with_pillow(p)), paths, 1),
        "decode: torchvision.io, a tensor": (with_torchvision, paths, 1),
        "resize, crop: Pillow, to tensor": (
            lambda image: F.pil_to_tensor(F.center_crop(F.resize(image, [300]), [224])), images, 1,
        ),
        "resize, crop: tensor (other pixels)": (
            lambda image: F.center_crop(F.resize(image, [300], antialias=True), [224]), tensors, 1,
        ),
        "RandomResizedCrop: Pillow": (crop, images, 1),
        "RandomResizedCrop: tensor": (crop, tensors, 1),
        "normalize: each image": (finish, bytes_, 1),
        "normalize: a batch": (finish, stacked, count),
        "put together: floats": (torch.stack, [floats[:BATCH]], count),
        "put together: bytes": (torch.stack, batches, count),
    }  # fmt: skip
    for name, (what, items, each) in rows.items():
        print(f"{name:40}{timed(what, items, repeats if len(items) > 1 else 20, each)}", flush=True)


def same_pixels(paths: list[Path]) -> None:
    pairs = [(F.pil_to_tensor(with_pillow(path)), with_torchvision(path)) for path in paths]
    same = sum(torch.equal(one, other) for one, other in pairs)
    print(f"{same} of {len(pairs)} have the same pixels from torchvision.io as from Pillow")


def on_the_gpu(paths: list[Path], repeats: int) -> None:
    data = [read_file(str(path)) for path in paths]
    parts = [data[at : at + BATCH] for at in range(0, len(data) - BATCH + 1, BATCH)]

    def decode(part: list[Tensor]) -> list[Tensor]:
        decoded: list[Tensor] = decode_jpeg(part, mode=ImageReadMode.RGB, device="cuda")
        torch.cuda.synchronize()
        return decoded

    decode(parts[0])
    print(f"{'decode: torchvision.io, the GPU':40}{timed(decode, parts, repeats, BATCH)}")
    differences = [
        (one.cpu().int() - with_torchvision(path).int()).abs()
        for part, at in zip(parts, range(0, len(paths), BATCH), strict=False)
        for one, path in zip(decode(part), paths[at : at + BATCH], strict=True)
    ]
    same = sum(not difference.any() for difference in differences)
    largest = max(int(difference.max()) for difference in differences)
    mean = statistics.fmean(float(difference.float().mean()) for difference in differences)
    print(f"{same} of {len(differences)} have the same pixels from the GPU")
    print(f"they differ by {largest} of 255 at most, by {mean:.2f} in the mean")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("../data/ants_bees"))
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", DeprecationWarning)  # of torchvision.io
    paths = sorted(options.folder.rglob("*.jpg"))[: options.images]
    if len(paths) < BATCH:
        parser.error(f"{len(paths)} JPEGs in {options.folder}; a batch has {BATCH}")
    pixels = statistics.median(with_pillow(path).width * with_pillow(path).height for path in paths)
    print(
        f"{len(paths)} photos of {pixels / 1e6:.2f} megapixels (median); torchvision "
        f"{torchvision.__version__}, libjpeg-turbo {features.version('libjpeg_turbo')} in Pillow"
    )
    on_one_core(paths, options.repeats)
    same_pixels(paths)
    if torch.cuda.is_available():
        on_the_gpu(paths, options.repeats)


if __name__ == "__main__":
    main()
