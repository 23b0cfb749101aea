"""What `predict --explain` prints: each statement with formula, values by layer, and derivation in steps."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from mcverify.cli.output import number
from mcverify.report.plainmath import in_plain_text, in_symbols, to_text

if TYPE_CHECKING:
    from mcverify.network import Network
    from theory.prediction import Predicted, Prediction

Pair = tuple["Prediction", "Predicted"]

NOTATION = (
    "h_l = W_l x_(l−1) + b_l and x_l = φ(h_l), layers l = 1..L; layer 0 is the input.",
    "g_l = ∂loss/∂x_l and δ_l = ∂loss/∂h_l. E is a mean over networks; |·|² is a sum of squares over a layer.",
    "`one network` is the standard deviation of one network's value about the prediction.",
)
CLASSES = {
    "EXACT": "exact at every finite width",
    "LEADING_ORDER": "to leading order in 1/width",
    "INFINITE_WIDTH": "in the limit of infinite width",
    "BOUND": "a bound",
}


def explained(pairs: Sequence[Pair], *, width: int, latex: bool, steps: bool) -> str:
    """All statements as text, those that differ in the layer alone together, with the symbols at the top.

    Args:
        pairs: Statements with their numbers.
        width: Columns to fill.
        latex: Formulas as LaTeX instead of plain text.
        steps: Assumptions and derivation too.
    """
    parts = [_symbols(pairs, width, latex)] if steps else []
    parts += ["\n".join(_statement(group, width, latex, steps)) for group in _alike(pairs)]
    return "\n\n".join(parts) + "\n"


def in_the_limit(network: Network, width: int) -> str:
    """What the network does at infinite width: fixed points, their stability, rates and depth scales."""
    from mcverify.bridge import to_theory
    from theory.mean_field.summary import summary

    lines = [line for text in summary(to_theory(network)) for line in _filled(text, width, "  ", "    ")]
    return "\n".join(["", "In the limit of infinite width", *lines]) + "\n"


def _symbols(pairs: Sequence[Pair], width: int, latex: bool) -> str:
    from theory import notation

    rows = notation.legend([prediction.expression for prediction, _ in pairs])
    lines = ["Notation", *(line for text in NOTATION for line in _filled(text, width, "  "))]
    for symbol, meaning in rows:
        shown = f"{symbol}: {meaning}" if latex else f"{to_text(symbol)}: {in_plain_text(meaning)}"
        lines += _filled(shown, width, "  ", "      ")
    return "\n".join(lines)


def _alike(pairs: Sequence[Pair]) -> list[list[Pair]]:
    groups: dict[tuple[str, ...], list[Pair]] = {}
    for pair in pairs:
        said = pair[0]
        key = (said.observable, said.statistic, str(said.expression), said.entry, *said.derivation)
        groups.setdefault(key, []).append(pair)
    return list(groups.values())


def _statement(group: list[Pair], width: int, latex: bool, steps: bool) -> Iterator[str]:
    from theory import notation

    said = group[0][0]
    yield f"{said.statistic} of {said.observable}"
    formula = notation.latex(said.expression)
    yield from _filled("= " + (formula if latex else to_text(formula)), width, "  ", "    ")
    yield from _filled(_values(group), width, "  ", "    ")
    if not steps:
        return
    yield from _filled(in_symbols(said.statement), width, "  ")
    yield from _filled(f"{CLASSES[str(said.exactness)].capitalize()} [{said.entry}; {said.reference}].", width, "  ")
    for assumption in said.assumptions:
        yield from _filled(f"- assumes {in_symbols(assumption)}", width, "  ", "    ")
    for count, step in enumerate(said.derivation, 1):
        yield from _filled(f"{count}. {step if latex else in_plain_text(step)}", width, "  ", "     ")


def _values(group: list[Pair]) -> str:
    """The values by layer, equal neighbours together."""
    shown = [(prediction.layer, _value(predicted, prediction.statistic)) for prediction, predicted in group]
    runs = [(value, [layer for layer, _ in run]) for value, run in groupby(shown, key=lambda item: item[1])]
    return "; ".join(f"{_layers(layers)}: {value}" for value, layers in runs)


def _value(predicted: Predicted, statistic: str) -> str:
    if predicted.variance is None or statistic != "mean":
        return number(predicted.value)
    return f"{number(predicted.value)} (one network ± {number(predicted.variance**0.5, digits=3)})"


def _layers(layers: list[int]) -> str:
    return f"layer {layers[0]}" if len(layers) == 1 else f"layers {layers[0]} to {layers[-1]}"


def _filled(text: str, width: int, first: str, later: str | None = None) -> list[str]:
    indent = first if later is None else later
    lines = textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return lines or [first]
