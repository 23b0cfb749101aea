"""The engine: every result once, few tasks in flight, and nothing finished lost."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from threading import Event

import pytest

from mcverify.engine import IN_FLIGHT, drive, processors

Pairs = list[tuple[int, int]]


def double(task: int, stop: Event) -> int:
    return 2 * task


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_every_result_once(workers: int) -> None:
    """All results come, each once, to the thread that called."""
    seen: Pairs = []
    threads = set()

    def on_done(done: Pairs) -> None:
        threads.add(threading.current_thread())
        seen.extend(done)

    drive(range(50), double, on_done, workers)
    assert sorted(seen) == [(n, 2 * n) for n in range(50)]
    assert threads == {threading.main_thread()}


def test_no_tasks() -> None:
    """Nothing to do is nothing done."""
    calls: list[Pairs] = []
    drive([], double, calls.append, 2)
    assert not calls


def test_tasks_are_taken_as_needed() -> None:
    """Never more than two tasks a worker are taken and not handed over."""
    taken = handed = most = 0

    def tasks() -> Iterator[int]:
        nonlocal taken, most
        for n in range(40):
            taken += 1
            most = max(most, taken - handed)
            yield n

    def on_done(done: Pairs) -> None:
        nonlocal handed
        handed += len(done)

    drive(tasks(), double, on_done, 3)
    assert most <= 3 * IN_FLIGHT


def test_failure_of_one_task_keeps_the_others() -> None:
    """The first error is raised, and what others had finished is handed over."""
    seen: Pairs = []

    def work(task: int, stop: Event) -> int:
        if task == 1:
            raise ZeroDivisionError("task 1")
        time.sleep(0.02)
        return task

    with pytest.raises(ZeroDivisionError, match="task 1"):
        drive(range(100), work, seen.extend, 2)
    assert (0, 0) in seen
    assert len(seen) < 10


def test_failure_of_the_receiver_stops_at_once() -> None:
    """When results cannot be saved nothing more is begun, and it is not tried again."""
    calls = begun = 0

    def work(task: int, stop: Event) -> int:
        nonlocal begun
        begun += 1
        return task

    def on_done(done: Pairs) -> None:
        nonlocal calls
        calls += 1
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        drive(range(100), work, on_done, 2)
    assert calls == 1
    assert begun <= 2 * IN_FLIGHT


def interrupt_main_thread() -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def test_ctrl_c_keeps_what_is_finished() -> None:
    """On a real SIGINT the blocks in hand are finished and handed over, nothing new is begun, and it goes on up."""
    seen: Pairs = []
    begun: list[int] = []

    def work(task: int, stop: Event) -> int:
        begun.append(task)
        if task == 5:
            interrupt_main_thread()
            stop.wait(10)
        return task

    with pytest.raises(KeyboardInterrupt):
        drive(range(1000), work, seen.extend, 2)
    assert sorted(task for task, _ in seen) == sorted(begun)
    assert 5 in begun
    assert len(begun) < 1000


def test_ctrl_c_lets_a_long_task_give_up() -> None:
    """A task may answer the stop signal by giving up; it is not handed over."""
    seen: Pairs = []

    def work(task: int, stop: Event) -> int:
        if task == 1:
            interrupt_main_thread()
            stop.wait(10)
            raise CancelledError
        return task

    with pytest.raises(KeyboardInterrupt):
        drive(range(1000), work, seen.extend, 1)
    assert seen == [(0, 0)]


def test_ctrl_c_while_saving_saves_again() -> None:
    """A list whose saving was interrupted is handed over once more, so that nothing of it is lost."""
    calls: list[Pairs] = []

    def on_done(done: Pairs) -> None:
        calls.append(list(done))
        if len(calls) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drive(range(100), double, on_done, 1)
    assert calls[1][: len(calls[0])] == calls[0]


def test_threads_end() -> None:
    """No thread outlives the call."""
    drive(range(3), double, lambda done: None, 2)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("mcverify")]


def test_processors() -> None:
    """At least one, and not more than the machine has."""
    assert processors() >= 1
