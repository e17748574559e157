"""The imports of torch and of what is built on it, without the garbage collector."""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """What is made in it stays for good, 400,000 objects: the collector looks at none of them. Not
    now, which is a tenth of the seconds that importing takes; not in the middle of a step, which
    would then take 25 ms; and not in a forked worker, which would copy the pages they are on.

    Does nothing where torch is there already.
    """
    if "torch" in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        atexit.register(gc.unfreeze)  # what is never freed, nanobind would report at the end
        gc.enable()
