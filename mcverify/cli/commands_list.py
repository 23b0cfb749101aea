"""`list` and `show`: what there is to run."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mcverify.statement import Statement
    from mcverify.study import Study

WHAT = ("studies", "laws", "schemes", "activations", "observables", "backends")


@click.command("list", short_help="List studies, laws, schemes, activations, observables, backends.")
@click.argument("what", type=click.Choice(WHAT), required=False)
def list_names(what: str | None) -> None:
    """List what a network, a study or a command can name; everything by default."""
    from mcverify.cli.output import emit

    names: dict[str, Callable[[], list[str]]] = {
        "studies": _studies,
        "laws": _laws,
        "schemes": _schemes,
        "activations": _activations,
        "observables": _observables,
        "backends": _backends,
    }
    if what is not None:
        emit("".join(f"{name}\n" for name in names[what]()))
        return
    emit("\n".join("\n  ".join([f"{section}:", *make()]) for section, make in names.items()) + "\n")


def _studies() -> list[str]:
    """Names and titles, read from the text of the files: importing them would take seconds."""
    from mcverify.study import SHIPPED

    width = max(map(len, SHIPPED))
    return [f"{name:{width}}  {_title(name)}".rstrip() for name in SHIPPED]


def _title(name: str) -> str:
    """The first line of a study's file."""
    spec = importlib.util.find_spec("studies")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        file = Path(folder, f"{name}.py")
        if file.is_file():
            text = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
            return text.partition("\n")[0].rstrip(".")
    return ""


def _laws() -> list[str]:
    from mcverify.distributions import laws

    return sorted(laws)


def _schemes() -> list[str]:
    from mcverify.initializers import ALIASES, schemes

    return sorted([*schemes, *ALIASES])


def _activations() -> list[str]:
    from mcverify.activations import activations

    return sorted(activations)


def _observables() -> list[str]:
    from mcverify.observables import PREDICTED_ONLY, names

    return [*names(), *(f"{name}  (predicted only)" for name in PREDICTED_ONLY)]


def _backends() -> list[str]:
    from mcverify.kernels import BACKENDS

    return sorted(BACKENDS)


@click.command(short_help="Show what a study claims, and where its statements are from.")
@click.argument("study")
def show(study: str) -> None:
    """Show the statements of a study with their sources, formulas and expected verdicts."""
    from mcverify.cli.output import emit
    from mcverify.study import find

    emit("\n".join(_shown(find(study))) + "\n")


def _shown(study: Study) -> Iterator[str]:
    from mcverify.report.prose import counted

    yield f"{study.id}: {study.title}" if study.title else study.id
    if study.question:
        yield study.question
    for statement in study.statements:
        yield ""
        yield from _statement(statement, study)
    loose = [claim.name for claim in study.all_claims if claim.statement is None]
    yield from (f"\n{line}" if number == 0 else line for number, line in enumerate(loose))
    yield f"\n{counted(len(study.claims), 'claim')}, {counted(len(study.controls), 'control')}, on these networks:"
    yield from (f"  {label}" for label in _labels(study))


def _statement(statement: Statement, study: Study) -> Iterator[str]:
    """One statement: what it says, where, and what should come of it."""
    claims = [claim for claim in study.all_claims if claim.statement and claim.statement.key == statement.key]
    from mcverify.report.prose import plain

    yield f"{statement.key} ({statement.role}): {plain(statement.says)}"
    if statement.source:
        yield f"  source: {statement.source.text}, {statement.source.section}, {statement.source.paragraph}"
        if statement.source.formula:
            yield f"  as printed: {statement.source.formula}"
    if statement.formula:
        yield f"  formula: {statement.formula}"
    yield f"  expected: {statement.expected}{f' - {plain(statement.why)}' if statement.why else ''}"
    if statement.correction:
        yield f"  what is true instead: {statement.correction}"
    yield f"  claims: {len(claims)}"


def _labels(study: Study) -> list[str]:
    """Every network of a study once, in the order of the claims."""
    from mcverify.claim import Claim

    claims = [claim for claim in study.all_claims if isinstance(claim, Claim)]
    return list(dict.fromkeys(network.label for claim in claims for network in claim.networks))
