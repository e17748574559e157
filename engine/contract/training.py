"""[train] and [checkpoint]: how long, on what, and what is kept."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, ByteSize, Field

from engine.contract.section import Section


def _device(value: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:[0-9]{1,3})?", value):
        raise ValueError(f'"{value}" is no device; write "auto", "cpu", "cuda", "cuda:1" or "mps"')
    return value


# In the names of metrics, torchmetrics' and ours. A test holds them against what torchmetrics says.
LESS_IS_BETTER = (
    "loss", "error", "mae", "mse", "distance", "divergence", "deviance", "rankedprobability",
    "eer",
)  # fmt: skip


class Train(Section):
    """How long, on what device and in what precision."""

    epochs: int = Field(ge=1)
    """How often each training sample is seen."""
    device: Annotated[str, AfterValidator(_device)] = "auto"
    """auto | cpu | cuda | cuda:1 | mps. "auto": the CUDA device with the most free memory, else
    mps, else the CPU."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """bf16 and fp16 run the model in autocast; fp16 with a gradient scaler."""
    channels_last: Literal["auto", "on", "off"] = "auto"
    """Whether images lie in memory by pixel, not by channel, which is how a GPU convolves in half
    precision. "auto": on CUDA with bf16 or fp16, for a backbone with convolutions; elsewhere the
    numbers are those of torch's own order, bit by bit."""
    compile: Literal["off", "default", "reduce-overhead", "max-autotune-no-cudagraphs"] = "off"
    """The mode of torch.compile for the model: faster steps after a first one that takes a minute
    or so, and numbers that differ in their last digits. Batches of another size, such as a short
    last one, are not compiled for."""
    accumulate: int = Field(default=1, ge=1)
    """Batches an optimizer step: the gradient is that of one batch of their samples together."""
    clip_norm: float | None = Field(default=None, gt=0)
    """Scale the gradient down to this 2-norm when it is longer. Default: no clipping."""
    validate_every: int = Field(default=1, ge=1)
    """Epochs between validations; the last epoch is always validated."""
    deterministic: bool = False
    """Only torch's deterministic algorithms: the same numbers again on a GPU too, slower."""

    cache: Literal["auto", "on", "off"] = "auto"
    """Whether what frozen layers make of each image is computed once and kept, where nothing about
    it is random; else the image itself, as it is before what is random: read, resized, cropped.
    "auto": where that pays; "on": always, and a problem where it can't be exact."""
    cache_memory: ByteSize | None = None
    """What may be kept in memory where the disk has no room for it, such as "4GB". Default: a
    quarter of what is free."""
    cache_disk: ByteSize = ByteSize(20_000_000_000)
    """What may be kept on the disk, for later runs too, such as "20GB", of all runs together; 0 for
    none. It is in $PTRAIN_CACHE, else ~/.cache/ptrain."""

    def validates(self, epoch: int, epochs: int) -> bool:
        """Whether the validation is due after this epoch (from 0) of so many."""
        done = epoch + 1
        return done % self.validate_every == 0 or done == epochs


class Checkpoint(Section):
    """What is kept of the training, and which is the best."""

    monitor: str = "val/loss"
    """The metric that decides which checkpoint is the best. Without validation: train/loss."""
    mode: Literal["min", "max"] | None = None
    """Whether less or more of it is better. Default, by the metric's name: "min" for a loss, an
    error, a distance or a divergence, else "max"."""
    every: int = Field(default=1, ge=1)
    """Epochs between checkpoints; the last epoch always writes one. Of epochs shorter than a second
    those of a second are written together."""
    every_steps: int | None = Field(default=None, ge=1)
    """Also after this many optimizer steps, for long epochs. Default: none."""
    keep: int = Field(default=3, ge=0)
    """How many of the best are kept, beside `best` and `last`."""

    @property
    def better(self) -> Literal["min", "max"]:
        """The mode, worked out from the metric's name when it is not given."""
        if self.mode is not None:
            return self.mode
        name = "".join(self.monitor.lower().split("/")[1:2])  # val/r2/error_mm is an r2
        return "min" if any(word in name for word in LESS_IS_BETTER) else "max"
