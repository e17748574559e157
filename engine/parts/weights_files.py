"""The files that weights come in: fetched, verified, and read without running code in them."""

from __future__ import annotations

import hashlib
import http.client
import pickle
import re
import urllib.error
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import torch
import torchvision
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from engine.contract.backbones import BACKBONES
from engine.contract.problems import InputError, Problem

Entries = dict[str, Tensor]

# torchvision's file names carry the beginning of the SHA-256: `resnet18-f37072fd.pth`.
HASH = re.compile(r"-([0-9a-f]{8,})\.")
_WRAPPERS = ("state_dict", "model_state_dict", "model")
# DataParallel's and DistributedDataParallel's, Lightning's, torch.compile's.
_PREFIXES = ("module.", "model.", "_orig_mod.")
# Entries as older torchvision releases named them, in files that are still its downloads:
# DenseNet's `norm.1` and ViT's `mlp.linear_2` (torchvision's pull request 6053).
_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")
_VIT = re.compile(r"(\.mlp)\.linear_([12])\.")


def fetch(
    backbone: str, weights: str, folder: Path | None, *, refetch: bool = False
) -> tuple[Path, str]:
    """torchvision's weights by name, downloaded unless they are there, and their SHA-256.

    Torch hub trusts a file that is already in its cache; here each is hashed at every load, at
    about a second a gigabyte. With `refetch`, one that is damaged is downloaded again, and replaced
    when the new one is there and intact.
    Errors: InputError where there is no network, no writable folder, or a damaged file.
    """
    url = torchvision.models.get_model_weights(backbone)[weights].url
    folder = folder or Path(torch.hub.get_dir()) / "checkpoints"
    path = folder / url.rsplit("/", 1)[1]
    if not path.exists() or (refetch and not _intact(path, sha256(path))):
        _download(url, path)
    digest = sha256(path)
    if not _intact(path, digest):
        hint = f"--refetch downloads it again; or put a good copy there, from {url}"
        refuse(_damage(path, digest), hint)
    return path, digest


def verified(path: Path) -> str:
    """The SHA-256 of a person's file. One that is named as a download of torchvision's has to be
    it; in other names eight digits may be a date. Errors: InputError."""
    digest = sha256(path)
    downloads = {file.file for row in BACKBONES.values() for file in row.weights.values()}
    if path.name in downloads and not _intact(path, digest):
        hint = "take a good copy; if it is another file, give it another name"
        refuse(_damage(path, digest), hint)
    return digest


def _intact(path: Path, digest: str) -> bool:
    named = HASH.search(path.name)
    return named is not None and digest.startswith(named[1])


def _damage(path: Path, digest: str) -> str:
    named = HASH.search(path.name)
    return (
        f"{path} is damaged or only a part: its SHA-256 begins with {digest[:8]}, "
        f"torchvision's with {named[1] if named else '?'}"
    )


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(url: str, path: Path) -> None:
    """Progress goes to standard error; an interrupted download leaves nothing behind."""
    where = f"download {url} where there is a network, and put it at {path}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = HASH.search(path.name)
        torch.hub.download_url_to_file(url, str(path), prefix[1] if prefix else None)
    except urllib.error.URLError as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it is the response too, with its connection
        refuse(f"the weights could not be downloaded from {url}: {error.reason}", where)
    except http.client.HTTPException as error:
        refuse(f"the weights could not be downloaded from {url}: {error!r}", where)
    except RuntimeError as error:  # torch.hub's word for a hash that differs
        refuse(f"the download from {url} arrived damaged: {error}", f"try again, or {where}")
    except OSError as error:
        refuse(f"the weights could not be downloaded to {path}: {error}", where)


def read(path: Path) -> Entries:
    """The state dict in a .pth, .pt or .safetensors file, without wrappers and prefixes.

    Code in a file is never run. Errors: InputError for what is missing, damaged or no state dict.
    """
    if not path.is_file():
        refuse(f"there is no file {path}", "relative paths are relative to the experiment's file")
    try:
        if path.suffix.lower() == ".safetensors":
            return _plain(load_file(path))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of pickle protocols and TorchScript
            held = torch.load(
                path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
            )
    except pickle.UnpicklingError as error:
        code = re.search(r"GLOBAL ([\w.]+)", str(error))
        if code is None:
            refuse(f"{path} is not a file of weights, or it is damaged", "save it again")
        refuse(
            f"{path} holds Python objects ({code[1]}), and reading them would run code",
            "save the weights alone: torch.save(model.state_dict(), ...)",
        )
    except (RuntimeError, EOFError, ValueError, OSError, SafetensorError) as error:
        first = (str(error) or "it ends too early").splitlines()[0].split(". ")[0]
        refuse(f"{path} cannot be read: {first}", "save or download it again")
    return _plain(_unwrapped(held, path))


def _unwrapped(held: Any, path: Path) -> Entries:
    """The innermost dictionary that holds nothing but tensors."""
    if not isinstance(held, Mapping):
        refuse(f"{path} holds a {type(held).__name__}, not a state dict", "save the state_dict()")
    if held and all(isinstance(value, Tensor) for value in held.values()):
        return dict(held)
    for wrapper in _WRAPPERS:
        if isinstance(held.get(wrapper), Mapping):
            return _unwrapped(held[wrapper], path)
    keys = ", ".join(str(key) for key in list(held)[:5]) or "nothing"
    return refuse(
        f"{path} holds no state dict, but {keys}",
        f"save the state_dict() itself, or under one of {', '.join(_WRAPPERS)}",
    )


def _plain(entries: Entries) -> Entries:
    """Without the prefixes that all names share, and with today's names."""
    shared = next((p for p in _PREFIXES if all(name.startswith(p) for name in entries)), None)
    if entries and shared:
        return _plain({name.removeprefix(shared): value for name, value in entries.items()})
    return {_current_name(name): value for name, value in entries.items()}


def _current_name(name: str) -> str:
    name = _DENSENET.sub(r"\1\2", name)
    return _VIT.sub(lambda old: f"{old[1]}.{3 * (int(old[2]) - 1)}.", name)


def refuse(message: str, hint: str) -> NoReturn:
    raise InputError(Problem(message, "model.weights", hint))
