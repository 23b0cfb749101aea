"""What a statement of the theory is: an expression, what it assumes, how exact it is, and where it is from.

A `Prediction` holds symbols only. `Prediction.at(net)` puts the numbers of one network in and returns a
`Predicted`: the value, and how one network's value scatters about it (variance, and the law where known).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import sympy as sp

if TYPE_CHECKING:
    from theory.net import DenseNet


class TheoryError(ValueError):
    """A statement does not apply to this network; the message names the condition that is missing."""


class MissingMomentError(TheoryError):
    """A law lacks the moment that the statement needs."""


class Exactness(StrEnum):
    """How far a statement can be trusted at finite width."""

    EXACT = "EXACT"
    LEADING_ORDER = "LEADING_ORDER"
    INFINITE_WIDTH = "INFINITE_WIDTH"
    BOUND = "BOUND"


@dataclass(frozen=True)
class Law:
    """The law of one network's value, as data: a name and its parameters.

    Laws of a value are given relative to their mean (a scale family, mean 1); laws of a log are given
    about their mean (a location family), and their names start with `log_`.

    >>> Law("relu_ratio", n=32).parameters
    {'n': 32}
    """

    name: str
    parameters: dict[str, float | int | tuple[int, ...]]

    def __init__(self, name: str, **parameters: float | int | tuple[int, ...]) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "parameters", parameters)


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """A statement in symbols about one observable of one layer.

    Attributes:
        entry: Identifier in the catalogue of docs/, such as "A14".
        statement: One sentence.
        observable: Dotted name, such as "preactivation.second_moment".
        layer: Layer of the observable.
        statistic: What is taken over networks: "mean" or "variance" of the per-network value.
        expression: The value in the symbols of `theory.symbols`.
        exactness: Its class.
        assumptions: What it assumes, one short sentence each.
        reference: Paper and section, or "elementary".
        derivation: The steps, one sentence each; formulas between dollar signs are LaTeX.
        states: Facts from which the value follows by arithmetic; no backend may assume one of them.
        evaluate: Puts a network's numbers in; stable where the plain expression is not.
        inputs: What of the input it is about: "one", "several" (fixed rows), or "any" where the input plays no part.
        next_order: Relative size c/n^k of the first neglected term at a network, with k (LEADING_ORDER).
    """

    entry: str
    statement: str
    observable: str
    layer: int
    expression: sp.Expr
    evaluate: Callable[[DenseNet], Predicted] = field(repr=False)
    statistic: str = "mean"
    exactness: Exactness = Exactness.EXACT
    assumptions: tuple[str, ...] = ()
    reference: str = "elementary"
    derivation: tuple[str, ...] = ()
    states: frozenset[str] = frozenset()
    inputs: str = "one"
    next_order: Callable[[DenseNet], tuple[float, int]] | None = field(default=None, repr=False)

    def at(self, net: DenseNet) -> Predicted:
        """The numbers of one network put in.

        Raises:
            TheoryError: if the network does not meet the assumptions, or no float holds the value.
        """
        rows = len(net.inputs)
        if self.inputs == "one" and rows:
            raise TheoryError(f"the statement needs that the network has one input; this one has {rows}.")
        if self.inputs == "several" and rows < 2:
            raise TheoryError("the statement needs that the network has two or more inputs, as rows of values.")
        predicted = self.evaluate(net)
        if not math.isfinite(predicted.value):
            raise TheoryError(f"the value is {predicted.value}, which no float holds; take the log.")
        return _with_scatter(predicted)


@dataclass(frozen=True, kw_only=True, slots=True)
class Predicted:
    """A prediction with numbers: the value, and the scatter of one network's value.

    Attributes:
        value: The predicted mean (or variance) over networks.
        variance: Variance over networks of one network's unit: of the value itself for "mean"; of
            (value - mean)^2 for "variance". None where it is not known.
        law: Law of one network's value where it is known.
        log: The unit is already a log; departures are differences in nats.
        variance_is_bound: `variance` is an upper bound (kurtosis at most 3), not the value.
    """

    value: float
    variance: float | None = None
    law: Law | None = None
    log: bool = False
    variance_is_bound: bool = False


_ROUNDING = 1e-12


def _with_scatter(predicted: Predicted) -> Predicted:
    """The same with a variance that is one: 0 where it is below 0 by rounding, None where it is not known.

    Raises:
        TheoryError: if it is below 0 by more.
    """
    variance = predicted.variance
    if variance is None or 0 <= variance < math.inf:
        return predicted
    if not math.isfinite(variance):
        return replace(predicted, variance=None)
    if -variance > _ROUNDING * predicted.value**2:
        raise TheoryError(f"the variance over networks comes out as {variance}, below 0: its integrals are not exact.")
    return replace(predicted, variance=0.0)
