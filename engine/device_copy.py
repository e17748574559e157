"""A copy of a run's state on its device, made without waiting; a thread brings it to the CPU.

Copying on the device is fast and in order with the steps around it, so the loop need not wait for
it. The way to the CPU is slow: it goes beside the training, on a CUDA stream of its own and through
pinned memory. (A copy to pageable memory, as `.cpu()` makes it, holds up the launch of kernels in
every other thread: the 300 MB of a ResNet-50 and its Adam stop an H100 for 250 ms.)
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import Tensor

USABLE = 0.95  # of a device's memory; the rest is lost between the allocator's blocks
STAGE = 16 * 2**20  # bytes of pinned memory: allocating it stops the device too, so it is little


class DeviceCopy:
    """What `content` is now, whatever becomes of its tensors, lists and dicts.

    The tensors that are in `unchanging` are shared, the others take their size once more on the
    device, until `on_cpu`. Where a step could then lack that memory, they are copied to the CPU at
    once instead, and the caller waits for it.
    """

    def __init__(
        self, content: dict[str, Any], device: torch.device, unchanging: Collection[Tensor] = ()
    ) -> None:
        shared = set(map(id, unchanging))
        stays = device.type != "cuda" or fits(content, device, shared)
        copies: dict[tuple[Any, ...], Tensor] = {}

        def copied(tensor: Tensor) -> Tensor:
            if id(tensor) in shared:
                return tensor
            # Tied weights stay tied: torch.save writes them once.
            place = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype, tensor.device)
            if place not in copies:
                copies[place] = tensor.clone() if stays or not tensor.is_cuda else tensor.cpu()
            return copies[place]

        self._content: dict[str, Any] = _with_tensors(content, copied)
        # Of the copies alone, wherever they are.
        self.nbytes = sum(copy.nbytes for copy in copies.values())
        self._made: torch.cuda.Event | None = None
        if device.type == "cuda":
            self._made = torch.cuda.current_stream(device).record_event()
        self._device = device

    def on_cpu(self) -> dict[str, Any]:
        """The content, on the CPU; the copies on the device are given up, so only once.

        Waits until the copies are made and moved, not for the steps that came after them.
        """
        content, self._content = self._content, {}
        if self._made is None:
            return _moved(content, Tensor.cpu)
        stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        stream.wait_event(self._made)
        stage = torch.empty(STAGE, dtype=torch.uint8, pin_memory=True)  # torch keeps it for later
        with torch.cuda.stream(stream):
            return _moved(content, lambda tensor: _through(stage, tensor, stream))


def _moved(content: dict[str, Any], move: Callable[[Tensor], Tensor]) -> dict[str, Any]:
    """Each tensor moved once: those that are one stay one."""
    moved: dict[int, Tensor] = {}

    def once(tensor: Tensor) -> Tensor:
        if id(tensor) not in moved:
            moved[id(tensor)] = move(tensor)
        return moved[id(tensor)]

    found: dict[str, Any] = _with_tensors(content, once)
    return found


def _through(stage: Tensor, tensor: Tensor, stream: torch.cuda.Stream) -> Tensor:
    """The tensor on the CPU, by way of the pinned `stage`, a part at a time.

    Every part is waited for: what is freed on the device after that is not read any more.
    """
    if not tensor.is_cuda:
        return tensor
    host = torch.empty_like(tensor, device="cpu")
    if host.stride() != tensor.stride():  # it has gaps, as a part of a larger one may
        return tensor.cpu()
    flat, count = (tensor.numel(),), STAGE // tensor.itemsize
    source, target = tensor.as_strided(flat, (1,)), host.as_strided(flat, (1,))
    for part, into in zip(torch.split(source, count), torch.split(target, count), strict=True):
        staged = stage[: part.nbytes].view(tensor.dtype)
        staged.copy_(part, non_blocking=True)
        stream.synchronize()
        into.copy_(staged)
    return host


def fits(content: dict[str, Any], device: torch.device, shared: set[int]) -> bool:
    """Whether the copies leave the steps the most memory that they have needed so far."""
    sizes: dict[int, int] = {}

    def measured(tensor: Tensor) -> Tensor:
        if tensor.is_cuda and id(tensor) not in shared:
            sizes[tensor.data_ptr()] = tensor.nbytes
        return tensor

    _with_tensors(content, measured)
    free, _ = torch.cuda.mem_get_info(device)
    usable = USABLE * (free + torch.cuda.memory_reserved(device))
    return torch.cuda.max_memory_allocated(device) + sum(sizes.values()) <= usable


def _with_tensors(value: Any, of: Callable[[Tensor], Tensor]) -> Any:
    """The same tree of new dicts, lists and tuples, with `of` each of its tensors."""
    if isinstance(value, Tensor):
        return of(value)
    if isinstance(value, dict):
        tree = copy.copy(value)  # of its own class, with the _metadata of a module's state dict
        for key, inside in value.items():
            tree[key] = _with_tensors(inside, of)
        return tree
    if isinstance(value, list | tuple):
        return type(value)([_with_tensors(inside, of) for inside in value])
    return value
