"""`verify` and `check`: what ends with verdicts and a report."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcverify.cli.options import of_a_network, of_a_run
from mcverify.cli.shell import Session, say

if TYPE_CHECKING:
    from mcverify.cli.folder import RunFolder
    from mcverify.cli.progress import Silent
    from mcverify.outcome import Outcome

Run = Callable[[Path, "Silent"], "Outcome"]


@click.command(short_help="Run studies and judge their claims.")
@click.argument("studies", nargs=-1, metavar="[STUDY]...")
@of_a_run
@click.pass_obj
def verify(session: Session, /, studies: tuple[str, ...], **given: Any) -> int:
    """Run studies, by name or by the path of a Python or TOML file; all that ship by default.

    Prints the verdicts and writes report.html, report.pdf and results.json.
    """
    return _conclude(session, *of_studies(studies, given), given)


@click.command(short_help="Verify what the theory says of one network.")
@of_a_network
@of_a_run
@click.pass_obj
def check(session: Session, /, network: str | None, **given: Any) -> int:
    """Verify every claim that the theory makes of one network, from a TOML file or from flags.

    Prints the verdicts and writes report.html, report.pdf and results.json.
    """
    return _conclude(session, *of_network(network, given), given)


def of_studies(studies: Sequence[str], given: dict[str, Any]) -> tuple[Run, str]:
    """What `verify` does with its arguments, once it is told where its store is; and a word for it."""
    from mcverify.study import SHIPPED, find

    found = [find(name) for name in dict.fromkeys(studies or SHIPPED)]

    def run(store: Path, progress: Silent) -> Outcome:
        from mcverify import api

        return api.run(found, store=store, progress=progress, **_of_run(given))

    return run, found[0].id if len(found) == 1 else "verify"


def of_network(network: str | None, given: dict[str, Any]) -> tuple[Run, str]:
    """What `check` does with its arguments, and a word for it."""
    from mcverify.cli.flags import network_from, take_flags

    net = network_from(network, take_flags(given))

    def run(store: Path, progress: Silent) -> Outcome:
        from mcverify import api

        return api.verify(net, store=store, progress=progress, **_of_run(given))

    return run, Path(network).stem if network else "check"


def _of_run(given: dict[str, Any]) -> dict[str, Any]:
    """The options that the run itself takes; a margin that is not given is left to it."""
    names = ("replicates", "seed", "backend", "budget", "workers")
    taken = {name: given[name] for name in names}
    return taken if given["margin"] is None else {**taken, "margin": given["margin"]}


def _conclude(session: Session, run: Run, what: str, given: dict[str, Any]) -> int:
    """Run, write the report, print the verdicts; the exit code."""
    from mcverify.cli.folder import prepare
    from mcverify.errors import InputError

    folder = prepare(given["out"], given["store"], what)
    session.hint = f"What is finished is kept; go on with:\n  {_resume(session.arguments, folder)}"
    try:
        outcome = _run(run, folder, given["quiet"])
    except InputError:
        folder.discard()
        raise
    outcome = replace(outcome, command=command_of(session.arguments))
    outcome.report(folder.path)
    print_outcome(outcome, folder.path, as_json=given["as_json"], quiet=given["quiet"])
    code: int = outcome.exit_code
    return 0 if given["undecided"] == "ok" and code == 3 else code


def _run(run: Run, folder: RunFolder, quiet: bool) -> Outcome:
    from mcverify.cli.progress import progress

    with progress(quiet) as shown:
        return run(folder.store, shown)


def print_outcome(outcome: Outcome, folder: Path, *, as_json: bool, quiet: bool) -> None:
    """The verdicts, or all rows as JSON, on stdout; and where the report is."""
    from mcverify.cli import output, verdicts

    if as_json:
        output.emit(outcome.to_json())
        if not quiet:
            say(f"report: {folder / 'report.html'}")
        return
    output.emit_rich(*verdicts.parts(outcome))
    output.emit(f"report: {folder / 'report.html'}\n")


def command_of(arguments: Sequence[str]) -> str:
    """The command that runs the same again, into a new folder.

    >>> command_of(["verify", "relu_halving", "--json", "--out", "here"])
    'mcverify verify relu_halving'
    """
    return shlex.join(["mcverify", *_without(arguments, ("--out",), ("--json", "-q", "--quiet"))])


def _resume(arguments: Sequence[str], folder: RunFolder) -> str:
    """The command that goes on from what the folder's store holds."""
    return shlex.join(["mcverify", *_without(arguments, ("--out",), ()), "--out", str(folder.path)])


def _without(arguments: Sequence[str], options_with_value: Sequence[str], flags: Sequence[str]) -> list[str]:
    kept: list[str] = []
    skip = False
    for argument in arguments:
        if skip:
            skip = False
        elif argument in options_with_value:
            skip = True
        elif argument not in flags and argument.partition("=")[0] not in options_with_value:
            kept.append(argument)
    return kept
