"""Dropout on identical hidden units: how likely one step tells them apart, and how far t steps get (catalogue A21)."""

from __future__ import annotations

import math
from fractions import Fraction

from theory.identities.identity import Identity
from theory.prediction import TheoryError

IDENTITIES = (
    Identity(
        entry="A21",
        statement="Dropout with keep probability p tells H identical hidden units apart in one step on one sample "
        "with probability 1 - p^H - (1-p)^H; after t masks the expected number of distinct units is "
        "sum_j C(t,j)(1 - (1 - p^j (1-p)^(t-j))^H).",
        assumptions=(
            "units with equal weights in and out",
            "masks independent over units and steps",
            "one sample a step",
            "gradients generic: different mask histories give different weights",
        ),
        derivation=(
            r"Units that are kept get one and the same step, units that are dropped get none: two units differ after a "
            r"step if and only if one is kept and the other dropped.",
            r"All kept has probability $p^H$, all dropped $(1-p)^H$.",
            r"After $t$ masks units are equal if and only if their histories of kept and dropped are. A given history "
            r"with $j$ kept has probability $p_j = p^j(1-p)^{t-j}$.",
            r"It occurs among the $H$ units with probability $1 - (1-p_j)^H$; sum over the $\binom{t}{j}$ histories.",
        ),
    ),
    Identity(
        entry="A21",
        statement="Dropout on the inputs breaks no tie between hidden units.",
        assumptions=("one mask of the input for all units of the layer, as it is",),
        derivation=(
            r"The masked input is the same vector for every hidden unit: equal units see equal inputs and stay equal.",
        ),
    ),
)


def broken_probability(units: int, keep: Fraction | float) -> Fraction | float:
    """P(one step tells identical units apart) = 1 - p^H - (1-p)^H (A21).

    Raises:
        TheoryError: for fewer than one unit, or p outside [0, 1].

    >>> broken_probability(2, Fraction(1, 2)), broken_probability(1, 0.5)
    (Fraction(1, 2), 0.0)
    """
    _check(units, keep)
    return 1 - keep**units - (1 - keep) ** units


def expected_distinct(units: int, keep: Fraction | float, masks: int) -> Fraction | float:
    """E of the number of distinct units after so many masks, exact for a Fraction (A21).

    >>> expected_distinct(2, Fraction(1, 2), 1), expected_distinct(3, Fraction(1, 2), 0)
    (Fraction(3, 2), Fraction(1, 1))
    """
    _check(units, keep)
    total = 0 * keep
    for kept in range(masks + 1):
        history = keep**kept * (1 - keep) ** (masks - kept)
        total += math.comb(masks, kept) * (1 - (1 - history) ** units)
    return total


def _check(units: int, keep: Fraction | float) -> None:
    if units < 1 or not 0 <= keep <= 1:
        raise TheoryError(f"units={units}, keep={keep}: at least one unit, and a probability between 0 and 1.")
