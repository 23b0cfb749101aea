"""Options that several commands share, with their checks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
MAX_SEED = 2**64 - 1


def _positive(_ctx: click.Context, _param: click.Parameter, value: float | None) -> float | None:
    if value is not None and not 0 < value < math.inf:
        raise click.BadParameter(f"{value!r} is not a finite number above 0.")
    return value


def _together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several options as one decorator, listed in the order given."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


with_replicates = click.option(
    "--replicates", type=click.IntRange(min=2), help="Networks to draw of each kind, rounded up to whole blocks."
)
with_seed = click.option("--seed", type=click.IntRange(0, MAX_SEED), default=0, show_default=True)
with_backend = click.option(
    "--backend",
    type=click.Choice(["auto", "reference", "cpu", "chain"]),
    default="auto",
    show_default=True,
    help="Simulator.",
)
with_workers = click.option("--workers", type=click.IntRange(min=1), help="Threads  [default: one a core]")
with_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a table.")
with_quiet = click.option("-q", "--quiet", is_flag=True, help="No progress and no hints.")

of_a_run = _together(
    with_replicates,
    click.option(
        "--budget",
        type=click.Choice(["quick", "standard", "thorough"]),
        default="standard",
        show_default=True,
        help="Twice, once or half the margins that studies declare.",
    ),
    click.option(
        "--margin",
        type=float,
        callback=_positive,
        metavar="NUMBER",
        help="Smallest relative departure that matters, such as 0.01.",
    ),
    with_seed,
    with_backend,
    with_workers,
    click.option("--store", type=click.Path(), help="SQLite file of results to add to  [default: in the run's folder]"),
    click.option("--out", type=click.Path(), help="Folder to write, absent or empty  [default: reports/<time>-<what>]"),
    click.option("--undecided", type=click.Choice(["ok"]), help="Exit with 0 also where something is undecided."),
    with_json,
    with_quiet,
)
"""Options of a run that ends with verdicts."""

of_a_network = _together(
    click.argument("network", required=False, metavar="[NETWORK.toml]"),
    click.option("--widths", metavar="LIST", help="Such as 784,512x10,10: ten layers of 512."),
    click.option(
        "--activation", metavar="SPEC", help="Such as relu, leaky_relu:negative_slope=0.1, or 'expression=x*tanh(x)'."
    ),
    click.option("--output-activation", metavar="SPEC", help="Activation of the last layer  [default: as the others]"),
    click.option("--weights", metavar="SPEC", help="A scheme or law: he_normal, or normal:variance=2/fan_in."),
    click.option("--biases", metavar="SPEC", help="A scheme or law, such as normal:variance=0.01  [default: zeros]"),
    click.option("--input", metavar="SPEC", help="A law or values: normal:variance=1:mean=0.5, or 1,0,-1."),
    click.option("--output-gradient", metavar="SPEC", help="A law, values, or half_squared_error:target=0,1."),
)
"""The network, from a file or from flags."""
