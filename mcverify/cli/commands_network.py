"""`predict` and `simulate`: one side alone of what `check` compares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mcverify.cli.commands_run import command_of
from mcverify.cli.options import of_a_network, with_backend, with_json, with_quiet, with_seed, with_workers
from mcverify.cli.shell import Session, say

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from mcverify.network import Network

DEFAULT_REPLICATES = 4000


@click.command(short_help="What the theory says of one network.")
@of_a_network
@click.option("--explain", is_flag=True, help="Each formula with its assumptions and derivation.")
@click.option("--latex", is_flag=True, help="Each formula, in LaTeX; so are those of --json.")
@click.option("--observable", "observables", multiple=True, metavar="NAME", help="This one alone; can be repeated.")
@with_json
@click.pass_obj
def predict(
    session: Session,
    /,
    network: str | None,
    explain: bool,
    latex: bool,
    observables: tuple[str, ...],
    as_json: bool,
    **given: Any,
) -> None:
    """Print every prediction that the theory makes of one network, from a TOML file or from flags."""
    from mcverify.cli import output
    from mcverify.cli.flags import network_from, take_flags

    net = network_from(network, take_flags(given))
    from mcverify import api  # after the network: its mistakes need not wait for numba

    for sentence in api.silences(net, observables):
        say(sentence)
    if as_json:
        records = _records(api.predict(net, observables or None), latex)
        counts = {"predictions": len(records)}
        output.emit(output.document(command_of(session.arguments), records, counts, _provenance(net)))
    elif explain or latex:
        from mcverify.cli.explain import explained, in_the_limit

        pairs = api.predictions(net, observables or None)
        text = explained(pairs, width=output.columns(), latex=latex, steps=explain) if pairs else ""
        limit = in_the_limit(net, output.columns()) if explain and not observables and net.input_rows is None else ""
        output.emit(text + limit)
    elif rows := _records(api.predict(net, observables or None)):
        columns = ("layer", "observable", "statistic", "value", "exactness")
        entries = [
            [output.number(row[name]).replace("_WIDTH", " WIDTH").replace("_ORDER", " ORDER") for name in columns]
            for row in rows
        ]
        output.emit_rich(output.table(columns, entries, right=("layer", "value")))
    elif not observables:
        say("The theory states nothing of this network.")


@click.command(short_help="What random networks of one kind do.")
@of_a_network
@click.option(
    "--replicates", type=click.IntRange(min=2), default=DEFAULT_REPLICATES, show_default=True, help="Networks to draw."
)
@with_seed
@with_backend
@with_workers
@with_json
@with_quiet
@click.pass_obj
def simulate(session: Session, /, network: str | None, as_json: bool, quiet: bool, **given: Any) -> None:
    """Draw random networks of one kind and print what is observed, from a TOML file or from flags."""
    from mcverify.cli import output
    from mcverify.cli.flags import network_from, take_flags
    from mcverify.cli.progress import progress

    net = network_from(network, take_flags(given))
    from mcverify.simulate import simulate as draw  # after the network: its mistakes need not wait for numba

    given["backend"] = "cpu" if given["backend"] == "auto" else given["backend"]
    with progress(quiet) as shown:
        result = draw(net, keep_values=False, progress=shown, **given)
    frame, counts = result.frame(), dict(result.counts)
    if as_json:
        provenance = {**_provenance(net), "seed": given["seed"], "backend": given["backend"]}
        output.emit(output.document(command_of(session.arguments), _records(frame), counts, provenance))
        return
    output.emit_rich(_observed(frame))
    output.emit("\nnetworks: " + ", ".join(f"{count} {kind}" for kind, count in counts.items() if count) + "\n")


def _observed(frame: pd.DataFrame) -> Table:
    """What was observed, with its standard error, within 80 columns."""
    from mcverify.cli.output import number, table

    rows = [
        (
            row["layer"],
            row["observable"],
            row["statistic"],
            number(row["value"], digits=5),
            number(row["standard_error"], digits=2),
        )
        for row in _records(frame)
    ]
    return table(("layer", "observable", "statistic", "value", "error"), rows, right=("layer", "value", "error"))


def _records(frame: pd.DataFrame, latex: bool = False) -> list[dict[str, Any]]:
    """The rows of a frame; with expressions in LaTeX where that is asked for."""
    from theory import notation

    rows = [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]
    return [{**row, "expression": notation.latex(row["expression"])} for row in rows] if latex else rows


def _provenance(net: Network) -> dict[str, Any]:
    from mcverify import __version__

    return {"mcverify": __version__, "network": net.content()}
