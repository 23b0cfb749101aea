"""`report`: the report of an earlier run once more, from what it stored."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from mcverify.cli.commands_run import Run, check, of_network, of_studies, verify
from mcverify.cli.options import with_json, with_quiet
from mcverify.cli.progress import Silent


@click.command(short_help="Write the report of an earlier run again.")
@click.argument("run", type=click.Path())
@click.option("--out", type=click.Path(), help="Folder to write, absent or empty  [default: reports/<time>-<what>]")
@with_json
@with_quiet
def report(run: str, out: str | None, as_json: bool, quiet: bool) -> None:
    """Write report.html, report.pdf and results.json of an earlier run again, simulating nothing.

    RUN is the folder that `verify` or `check` wrote. The studies or the network are read again from where the
    run's command names them.
    """
    from mcverify.cli.commands_run import print_outcome
    from mcverify.cli.folder import prepare
    from mcverify.errors import InputError

    command = _command_of(Path(run))
    again, what, store = _parsed(command, Path(run))
    folder = prepare(out, None, what)
    try:
        outcome = replace(again(store, Nothing(run, command)), command=command)
    except InputError:
        folder.discard()
        raise
    outcome.report(folder.path)
    print_outcome(outcome, folder.path, as_json=as_json, quiet=quiet)


class Nothing(Silent):
    """Progress of a run that may not simulate anything."""

    def __init__(self, run: str, command: str) -> None:
        self.run = run
        self.command = command

    def start(self, total_blocks: int, what: str) -> None:
        """Stop a run that begins to simulate.

        Raises:
            InputError: if any block is missing.
        """
        from mcverify.errors import InputError

        if total_blocks:
            raise InputError(
                f"`run={self.run}`: its store lacks {total_blocks} blocks of what its studies and this version of "
                f"mcverify need; run `{self.command}` again."
            )


def _command_of(run: Path) -> str:
    """The command that a run's results.json holds."""
    from mcverify.errors import InputError

    file = run / "results.json"
    if not file.is_file():
        raise InputError(f"`run={run}` holds no results.json; give a folder that `verify` or `check` wrote.")
    try:
        command = json.loads(file.read_text("utf-8"))["command"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InputError(f"{file} is not the results.json of a run ({type(error).__name__}).") from error
    return str(command)


def _parsed(command: str, run: Path) -> tuple[Run, str, Path]:
    """What the command runs, a word for it, and the store that it filled."""
    from mcverify.cli.folder import STORE
    from mcverify.errors import InputError

    try:
        program, name, *arguments = shlex.split(command)
    except ValueError:
        program, name, arguments = "", "", []
    known = {"verify": verify, "check": check}
    if program != "mcverify" or name not in known:
        raise InputError(f"{run / 'results.json'}: `command={command!r}` is no run of `mcverify verify` or `check`.")
    given: dict[str, Any] = known[name].make_context(name, arguments).params
    again, what = (
        of_studies(given.pop("studies"), given) if name == "verify" else of_network(given.pop("network"), given)
    )
    store = Path(given["store"]) if given["store"] else run / STORE
    if not store.is_file():
        raise InputError(f"`run={run}`: its store {store} is gone; run `{command}` again.")
    return again, what, store
