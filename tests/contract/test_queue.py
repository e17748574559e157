"""The queue of a runs folder: its order, its file, and who may start what."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from engine.contract.problems import InputError
from engine.contract.queue import Entry, Queue, canonical, next_to_start, on_devices, reclaim
from engine.contract.run_directory import Holder, create

FILE = Path("/experiments/ants.toml")


def add(queue: Queue, device: str = "cpu", name: str = "ants") -> Entry:
    return queue.add(FILE.with_name(f"{name}.toml"), b"[data]\n", [], device)


def names(queue: Queue) -> list[str]:
    return [Path(entry.file).stem for entry in queue.entries()]


def test_what_is_queued_is_in_the_file_with_its_text(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "runs")
    assert queue.entries() == []
    entry = add(queue)
    assert Queue(tmp_path / "runs").entries() == [entry]
    assert (entry.text, entry.file, entry.state) == ("[data]\n", str(FILE), "waiting")


def test_entries_are_moved_and_removed(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    one, two, three = (add(queue, name=name) for name in ("one", "two", "three"))
    assert queue.move(three.id, -1)
    assert names(queue) == ["one", "three", "two"]
    assert not queue.move(one.id, -1), "it is the first"
    assert not queue.move(two.id, 1), "it is the last"
    assert queue.remove(three.id)
    assert not queue.remove(three.id)
    assert names(queue) == ["one", "two"]


def test_what_is_being_started_is_not_removed(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    entry = add(queue)
    with queue.changing() as entries:
        entries[0].state = "starting"
    assert not queue.remove(entry.id)


def test_many_who_add_at_once_lose_nothing(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    threads = [threading.Thread(target=lambda: [add(queue) for _ in range(5)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({entry.id for entry in queue.entries()}) == 20


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "queue.json").write_text("{")
    with pytest.raises(InputError, match=r"queue\.json can't be read"):
        Queue(tmp_path).entries()


def test_one_process_at_a_time_may_start_entries(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    assert not queue.moves()
    with queue.moving_on() as right:
        assert right is not None
        assert queue.moves()
        with queue.moving_on() as other:
            assert other is None
        queue.give_up(right)
        assert not queue.moves()


def test_one_that_died_without_a_word_is_not_taken_for_alive(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    with queue.moving_on():
        pass
    (lock,) = tmp_path.glob("queue.*.lock")
    holder = json.loads(lock.read_text())
    lock.write_text(json.dumps(holder | {"start": 1.0}))
    assert not queue.moves()


def test_of_one_device_the_first_starts_and_another_device_does_not_wait(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    first, second, other = add(queue, "cuda:0"), add(queue, "cuda:0"), add(queue, "cuda:1")
    entries = queue.entries()
    assert next_to_start(entries, []) == first
    assert next_to_start(entries, ["cuda:0"]) == other
    assert next_to_start(entries, ["cuda:0", "cuda:1"]) is None
    entries[0].state = "failed"
    assert next_to_start(entries, []) == second, "one that could not start holds up nobody"


def test_one_that_needs_two_devices_is_not_overtaken_for_ever(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    both = queue.add(FILE, b"", [], ["cuda:0", "cuda:1"])  # type: ignore[arg-type]
    add(queue, "cuda:1")
    assert next_to_start(queue.entries(), ["cuda:0"]) is None
    assert next_to_start(queue.entries(), []) == both


def test_what_another_host_queued_is_left_to_it(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    add(queue)
    entries = queue.entries()
    entries[0].host = "elsewhere"
    assert next_to_start(entries, []) is None


def test_devices_are_compared_by_one_name() -> None:
    assert canonical("cuda") == ["cuda:0"]
    assert canonical(["cuda:1", "cpu"]) == ["cuda:1", "cpu"]
    assert len(canonical("auto")) == 1


def test_a_device_is_busy_while_the_process_of_a_run_lives(tmp_path: Path) -> None:
    run = create(tmp_path, "ants", '[train]\ndevice = "cuda:3"\n', b"")
    assert on_devices(tmp_path) == {}
    me = vars(Holder.this_process())
    run.lock.write_text(json.dumps(me))
    assert on_devices(tmp_path) == {"cuda:3": [run]}
    run.lock.write_text(json.dumps(me | {"host": "elsewhere"}))
    assert on_devices(tmp_path) == {}


@pytest.mark.parametrize("begun", [True, False])
def test_what_a_process_that_died_had_begun_is_a_run_or_waits_again(
    tmp_path: Path, begun: bool
) -> None:
    queue = Queue(tmp_path)
    add(queue)
    run = create(tmp_path, "ants", "", b"")
    entries = queue.entries()
    entries[0].state, entries[0].run, entries[0].starter = "starting", str(run.path), 1
    if begun:
        run.events.write_bytes(b"{}\n")
    reclaim(entries)
    assert [entry.state for entry in entries] == ([] if begun else ["waiting"])
