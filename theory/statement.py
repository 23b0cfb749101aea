"""Statements about things that are no observable of a dense network: one matrix, one block, one layer of pixels.

A `Statement` is to such a thing what `theory.prediction.Prediction` is to a network: an expression in symbols, what
it assumes, how exact it is, where it is from, and `at(...)`, which puts numbers in.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

import sympy as sp

from theory.prediction import Exactness, TheoryError


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement of the catalogue, in symbols and in stable numbers.

    Attributes:
        entry: Identifier in the catalogue, such as "AR-01".
        statement: One sentence.
        expression: The value in symbols; what `evaluate` computes, where that has the numbers of its symbols.
        evaluate: The same as a function of numbers by name, stable where the plain expression is not.
        exactness: Its class.
        assumptions: What it assumes, one short sentence each.
        reference: Paper and section, or "elementary".
        derivation: The steps, one sentence each; formulas between dollar signs are LaTeX.
    """

    entry: str
    statement: str
    expression: sp.Expr
    evaluate: Callable[..., float] = field(repr=False)
    exactness: Exactness = Exactness.EXACT
    assumptions: tuple[str, ...] = ()
    reference: str = "elementary"
    derivation: tuple[str, ...] = ()

    def at(self, **numbers: Any) -> float:
        """The numbers put in, by the names of the arguments of `evaluate`.

        Raises:
            TheoryError: naming an argument that is missing, unknown or out of range, or a value that is not finite.

        >>> twice = Statement(entry="", statement="", expression=2 * sp.Symbol("x"), evaluate=lambda x: 2.0 * x)
        >>> twice.at(x=3.0)
        6.0
        >>> twice.at(y=3.0)
        Traceback (most recent call last):
        theory.prediction.TheoryError: the statement takes (x): missing a required argument: 'x'.
        """
        signature = inspect.signature(self.evaluate)
        try:
            signature.bind(**numbers)
        except TypeError as error:
            names = ", ".join(signature.parameters)
            raise TheoryError(f"the statement takes ({names}): {error}.") from None
        try:
            value = float(self.evaluate(**numbers))
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            raise TheoryError(f"{self.entry} at {numbers} is {value}: no float holds it.")
        return value


def whole(name: str, value: object, least: int = 1) -> int:
    """The value where it is a whole number of at least `least`.

    Raises:
        TheoryError: naming the argument and its value.

    >>> whole("stride", 0)
    Traceback (most recent call last):
    theory.prediction.TheoryError: `stride=0`: a whole number of at least 1 is needed.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise TheoryError(f"`{name}={value!r}`: a whole number of at least {least} is needed.")
    return int(value)


def real(name: str, value: object, low: float = -math.inf, high: float = math.inf, *, above: bool = False) -> float:
    """The value where it is a finite number from `low` (not `low` itself, given `above`) to `high`.

    Raises:
        TheoryError: naming the argument and its value.

    >>> real("keep", 0.0, 0.0, 1.0, above=True)
    Traceback (most recent call last):
    theory.prediction.TheoryError: `keep=0.0`: a finite number in (0, 1] is needed.
    """
    number = math.nan if isinstance(value, bool) or not isinstance(value, Real) else float(value)
    if math.isfinite(number) and low <= number <= high and not (above and number == low):
        return number
    left = "(" if above or low == -math.inf else "["
    right = ")" if high == math.inf else "]"
    raise TheoryError(f"`{name}={value!r}`: a finite number in {left}{low:g}, {high:g}{right} is needed.")
