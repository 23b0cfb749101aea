"""Drives tasks over threads: a bounded number at a time, results handed to the thread that called."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from itertools import islice
from threading import Event
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")

IN_FLIGHT = 2
"""Tasks given to the pool at a time, for each worker: one in hand and one to go on with."""
NOTICE_SECONDS = 0.2
"""Longest wait without a look for Ctrl-C: a signal that comes just before a lock is taken does not wake its waiter."""


class Progress(Protocol):
    """What a run tells about itself, always from the thread that called."""

    def start(self, total_blocks: int, what: str) -> None:
        """A stage of so many blocks begins."""

    def advance(self, blocks: int = 1) -> None:
        """Some blocks are finished."""

    def finish(self) -> None:
        """The stage is over, however it ended."""


def processors() -> int:
    """Processors that this process may use.

    >>> processors() >= 1
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def drive(
    tasks: Iterable[T],
    work: Callable[[T, Event], R],
    on_done: Callable[[list[tuple[T, R]]], None],
    workers: int,
) -> None:
    """Do all tasks on `workers` threads and hand each result over once, in no fixed order.

    Args:
        tasks: Taken one by one as threads become free.
        work: Called in a worker thread. When its second argument is set it may give up by raising `CancelledError`.
        on_done: Called in this thread with the results that are new.
        workers: Number of threads.

    Raises:
        Exception: the first that `work` raised, after the results of all others in hand were handed over; or what
            `on_done` raised, after which it is not called again.
        KeyboardInterrupt: on Ctrl-C; nothing new is begun, what is finished is handed over (the list that was
            interrupted once more).

    >>> squares = {}
    >>> drive(range(5), lambda n, stop: n * n, squares.update, workers=2)
    >>> sorted(squares.items())
    [(0, 0), (1, 1), (2, 4), (3, 9), (4, 16)]
    """
    flight = _Flight[T, R]()
    waiting, stop = iter(tasks), Event()
    with ThreadPoolExecutor(workers, thread_name_prefix="mcverify") as pool:
        try:
            while True:
                for task in islice(waiting, IN_FLIGHT * workers - len(flight.running)):
                    flight.running[pool.submit(work, task, stop)] = task
                if not flight.running:
                    return
                flight.land(wait(flight.running, NOTICE_SECONDS, FIRST_COMPLETED).done)
                flight.hand_over(on_done)
                if flight.failure:
                    raise flight.failure
        except BaseException as error:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            if error is flight.failure or not isinstance(error, Exception):
                flight.land(set(flight.running))
                flight.hand_over(on_done)
            raise


class _Flight(Generic[T, R]):
    """What is under way, what came back and is not handed over, and the first failure."""

    def __init__(self) -> None:
        self.running: dict[Future[R], T] = {}
        self.landed: list[tuple[T, R]] = []
        self.failure: BaseException | None = None

    def land(self, done: set[Future[R]]) -> None:
        """Sort what is done into results and the first failure, in the order of submission."""
        for future in [future for future in self.running if future in done]:
            task = self.running.pop(future)
            error = CancelledError() if future.cancelled() else future.exception()
            if error is None:
                self.landed.append((task, future.result()))
            elif not isinstance(error, CancelledError):
                self.failure = self.failure or error

    def hand_over(self, on_done: Callable[[list[tuple[T, R]]], None]) -> None:
        """Pass on the results; they count as passed on when `on_done` returns."""
        if self.landed:
            on_done(self.landed)
            self.landed = []
