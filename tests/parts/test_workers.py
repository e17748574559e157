"""What processes that load need of the one that starts them. Each test has one of its own to start
from: its heap and its folder for temporary files are those of nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_processes import environment
from tests.training import draw_images

START = """
from pathlib import Path
import psutil, torch
from engine.contract.data import Data
from engine.parts.batches import build_data
from engine.parts.transforms import Preset

def data():
    section = Data(dataset="ImageFolder", root="images", workers=1, batch_size=4)
    return build_data(section, Preset(16, 18, (0.5,) * 3, (0.25,) * 3), seed=0, folder=Path())
"""
KEEP_FREE = """
loaded = data()
torch.ones(2**22)  # the heap has what is smaller, once such a one was freed
blocks = [torch.ones(2**18) for _ in range(2 * 300)]
between = blocks[::2]  # what is free cannot go to the system by itself
del blocks
batches = loaded.train_batches(0)
next(batches)
anew = [torch.zeros(2**18) for _ in range(300)]
print(sum(child.memory_full_info().uss for child in psutil.Process().children()))
loaded.close()
"""
READ = """
loaded = data()
print(sum(len(batch.indices) for batch in loaded.train_batches(0)))
loaded.close()
"""
# Another thread takes the signal while a worker is being started. (What a shell starts in the
# background ignores Ctrl+C, and so do its children, unless they say otherwise.)
INTERRUPT = """
import multiprocessing, os, signal, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)
loaded = data()
started = threading.Event()

def interrupt():
    started.wait()
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt, daemon=True).start()
start = multiprocessing.context.ForkProcess.start

def interrupted_start(process):
    start(process)
    started.set()
    for _ in range(20):
        time.sleep(0.01)

multiprocessing.context.ForkProcess.start = interrupted_start
try:
    next(loaded.train_batches(0))
except KeyboardInterrupt:
    loaded.close()
print(len(psutil.Process().children()))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for split in ("train", "val"):
        draw_images(tmp_path / "images" / split, {"ant": 4, "bee": 4}, size=20)
    return tmp_path


def printed(code: str, folder: Path, **more: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", START + code],
        cwd=folder,
        env=environment() | more,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere workers are not forked")
def test_a_worker_keeps_nothing_of_what_was_free_when_it_began(folder: Path) -> None:
    """300 blocks of a MiB are free then, and written anew afterwards."""
    assert int(printed(KEEP_FREE, folder)) < 150e6


def test_a_long_folder_for_temporary_files_loses_no_batch(folder: Path) -> None:
    long = folder / ("long" * 25)
    long.mkdir()
    assert printed(READ, folder, TMPDIR=str(long)) == "8"
    assert not list(long.glob("pymp-*"))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere workers are not forked")
def test_ctrl_c_while_workers_start_leaves_none_of_them(folder: Path) -> None:
    """They are deaf to it, and Python would wait for them at its end."""
    assert printed(INTERRUPT, folder) == "0"
