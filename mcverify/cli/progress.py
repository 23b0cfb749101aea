"""Progress on stderr: a bar on a terminal, one line a stage elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mcverify.cli.shell import say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Silent:
    """Progress that nobody wants to see."""

    def start(self, total_blocks: int, what: str) -> None:
        """A stage of so many blocks begins."""

    def advance(self, blocks: int = 1) -> None:
        """Some blocks are finished."""

    def finish(self) -> None:
        """The stage is over."""


class Lines(Silent):
    """One line a stage, for logs."""

    def start(self, total_blocks: int, what: str) -> None:
        """Print what begins."""
        if total_blocks:
            say(f"{what}: {total_blocks} blocks")


class Bar(Silent):
    """A bar for the stage in hand."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.task: TaskID | None = None

    def start(self, total_blocks: int, what: str) -> None:
        """Show a new bar."""
        self.finish()
        self.task = self.progress.add_task(what, total=total_blocks)

    def advance(self, blocks: int = 1) -> None:
        """Move the bar on."""
        if self.task is not None:
            self.progress.advance(self.task, blocks)

    def finish(self) -> None:
        """Take the bar away."""
        if self.task is not None:
            self.progress.remove_task(self.task)
            self.task = None


@contextmanager
def progress(quiet: bool) -> Iterator[Silent]:
    """What a run tells its progress to; the terminal is restored however the run ends."""
    if quiet or not sys.stderr.isatty():
        yield Silent() if quiet else Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as shown:
        yield Bar(shown)
