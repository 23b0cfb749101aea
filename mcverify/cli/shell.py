"""What happens around every command: errors and signals become one line on stderr and an exit code."""

from __future__ import annotations

import difflib
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, NoReturn

import click

from mcverify.dates import date_of_report
from mcverify.errors import InputError, OutputError

USAGE, INTERNAL = 2, 4  # exit codes; the others are those of an outcome
BY_SIGNAL = 128  # added to the number of the signal


@dataclass
class Session:
    """One call of the command line.

    Attributes:
        arguments: What followed `mcverify`.
        hint: Printed on interruption: what was kept and how to go on.
        signal: The signal that interrupted it; 0 until then.
    """

    arguments: tuple[str, ...]
    hint: str = ""
    signal: int = 0


class Shell(click.Group):
    """The group of all commands."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is named, or an error with the closest name."""
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            close = difflib.get_close_matches(args[0], self.commands, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            ctx.fail(f"There is no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Commands in the order in which they were added."""
        return list(self.commands)

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Run a command and exit with its code."""
        arguments = tuple(sys.argv[1:] if args is None else args)
        session = Session(arguments)
        extra["standalone_mode"] = False
        with _signals(session):
            code = _guarded(
                lambda: super(Shell, self).main(arguments, prog_name or "mcverify", obj=session, **extra), session
            )
        sys.exit(code)


def say(line: str) -> None:
    """Print a line on stderr."""
    click.echo(line, err=True)


def _guarded(run: Callable[[], Any], session: Session) -> int:
    """The exit code of a command, whatever becomes of it."""
    try:
        code = _outcome(run, session)
        if sys.stdout is not None:  # None where it was closed before the start
            sys.stdout.flush()
    except BrokenPipeError:
        drop_stdout()
        code = 0
    return code


def _outcome(run: Callable[[], Any], session: Session) -> int:
    try:
        date_of_report()  # a bad SOURCE_DATE_EPOCH stops libraries too, without a word for the user
        code = run()
    except click.ClickException as error:
        error.show()
        return USAGE
    except (InputError, OutputError) as error:
        say(f"mcverify: {error}")
        return USAGE
    except (KeyboardInterrupt, click.Abort):
        say(_interrupted(session))
        return BY_SIGNAL + (session.signal or signal.SIGINT)
    except SystemExit:  # click's answer to a reader of its help that went away
        return 0
    except BrokenPipeError:
        raise
    except Exception as error:
        say(f"mcverify: {_one_line(error)}; traceback in {_keep_traceback()}")
        return INTERNAL
    return code if isinstance(code, int) else 0


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _keep_traceback() -> str:
    """Write the traceback of the error in hand to a new file and return its path."""
    handle, path = tempfile.mkstemp(prefix="mcverify-error-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        traceback.print_exc(file=file)
    return path


def _interrupted(session: Session) -> str:
    return f"mcverify: interrupted. {session.hint}" if session.hint else "mcverify: interrupted; nothing was kept."


def drop_stdout() -> None:
    """Whoever read stdout is gone: write what is left of it to nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


@contextmanager
def _signals(session: Session) -> Iterator[None]:
    """The first SIGINT or SIGTERM interrupts the command, a second one ends the process at once.

    Stored results survive both: they are written in transactions.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        if session.signal:
            os.write(2, f"\n{_interrupted(session)}\n".encode())
            os._exit(BY_SIGNAL + number)
        session.signal = number
        raise KeyboardInterrupt

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    if not session.signal:  # else threads may still end their last block, and a second signal must stay quiet
        for number, handler in before.items():
            signal.signal(number, handler)
