"""[train] compile: torch.compile for what the loop calls, and the plain module where that fails.

One size of batch is compiled for, and the whole forward or nothing. A batch of another size (the
short one at an epoch's end) goes through the plain module: compiling for it would cost a minute to
save milliseconds, or leave one compiled form for all sizes, which is slower for each. So what is
done with a batch depends on its size alone, never on which came before: resuming relies on that.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from engine.contract.training import Train

Forward = Callable[..., Any]
BACKEND = "inductor"  # torch's default


class Told(Protocol):
    """Who hears of it; the first call stands still between the first and one of the others."""

    def compiling(self) -> None: ...
    def compiled(self, seconds: float) -> None: ...
    def not_compiled(self, why: str) -> None: ...


class Compiled:
    """Called in the module's place. Its names, its state and its mode stay the module's own.

    `size`: of the batches that are compiled for. The first of them takes the time: the backward is
    compiled with the forward, as far as this torch can. Where it fails the module itself is called,
    from then on.
    """

    def __init__(self, module: nn.Module, mode: str, size: int, told: Told) -> None:
        self.module, self._size, self._told = module, size, told
        # Not in parts: of a half that is compiled and has run, nothing could be taken back.
        self._compiled = torch.compile(
            module, fullgraph=True, dynamic=False, mode=mode, backend=BACKEND
        )
        self._graphs = mode == "reduce-overhead"
        self._shapes: list[torch.Size] | None = None  # of the inputs; None before the first call
        self._failed = False

    def __call__(self, *inputs: Tensor) -> Any:
        shapes = [part.shape for part in inputs]
        if self._failed or len(inputs[0]) != self._size or shapes != (self._shapes or shapes):
            return self.module(*inputs)
        if self._shapes is None:
            self._shapes = shapes
            return self._first(inputs)
        if self._graphs:  # what the step before gave is not needed any more
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        return self._own(self._compiled(*inputs))

    def _first(self, inputs: tuple[Tensor, ...]) -> Any:
        self._told.compiling()
        began = time.monotonic()
        try:
            with warnings.catch_warnings(), _backward_too():
                # That matrices could be multiplied in TF32: fp32 was asked for.
                warnings.filterwarnings("ignore", message="TensorFloat32 tensor cores")
                output = self._own(self._compiled(*inputs))
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # no compiler on this machine, or what torch can't compile
            self._failed = True
            self._told.not_compiled(_why(error))
            return self.module(*inputs)  # which tells it again if the fault is the model's
        self._told.compiled(time.monotonic() - began)
        return output

    def _own(self, output: Any) -> Any:
        """Validation keeps outputs, and a CUDA graph writes the next ones into the same memory."""
        if self._graphs and isinstance(output, Tensor) and not output.requires_grad:
            return output.clone()
        return output


def _backward_too() -> AbstractContextManager[object]:
    """Otherwise it would be compiled in the first backward, whose failure nobody could mend."""
    from torch._functorch import config

    if not hasattr(config, "force_non_lazy_backward_lowering"):
        return nullcontext()
    patched: AbstractContextManager[object] = config.patch(force_non_lazy_backward_lowering=True)
    return patched


def _why(error: Exception) -> str:
    """The innermost cause, one line: torch wraps it in what it was doing."""
    inner = getattr(error, "inner_exception", None) or error
    lines = [line.strip() for line in str(inner).splitlines() if line.strip()]
    return f"{type(inner).__name__}: {lines[0]}" if lines else type(inner).__name__


def compiled(train: Train, module: nn.Module, size: int, told: Told) -> Forward:
    """The module itself where nothing is to be compiled."""
    return module if train.compile == "off" else Compiled(module, train.compile, size, told)


def forget_compiled() -> None:
    """What was compiled for layers that have begun to train since: torch keeps eight of a kind."""
    torch.compiler.reset()
