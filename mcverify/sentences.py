"""A verdict as a sentence that says what it means and what to do next."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mcverify.verdict import Verdict

REASONS: Mapping[str, str] = {
    "UNDERPOWERED": "too few networks for this margin",
    "OUTSIDE_CLT": "one network's values are too skewed for a normal test at this level",
    "TAIL_DOMINATED": "a single network makes up more than a tenth of the sum: test the log instead",
    "NONFINITE": "some networks overflowed or became NaN",
    "DEAD": "some networks died, and the prediction does not say what becomes of them",
    "NO_VARIANCE_PREDICTED": "the scatter of one network's value is not known, so that one side cannot be tested",
    "WIDTH_TOO_SMALL": "at this width the neglected terms exceed the margin",
    "WIDTH_LADDER_NEEDED": "the claim is about infinite width: test it on a ladder of at least five widths",
    "LACK_OF_FIT": "the values at growing width do not follow the declared order in 1/width",
}


def sentence(verdict: Verdict, margin: float, scale: str) -> str:
    """What a verdict says, with its numbers, and the next step where there is one."""
    bound = f"{margin:.3g} nats" if scale == "log" else f"{margin:.3g} sd" if scale == "zero" else f"{margin:.2%}"
    if verdict.verdict == "SUPPORTED":
        return (
            f"The departure is within the margin of {bound}: between {_departure(verdict.support_low, scale)} and "
            f"{_departure(verdict.support_high, scale)}, by {verdict.replicates:,} networks."
        )
    if verdict.verdict == "REFUTED":
        small = " It is smaller than the margin, but an exact statement has no right to it." if verdict.reason else ""
        return (
            f"The departure is {_departure(verdict.delta, scale)} (log10 p = {verdict.log10_p:.1f}, "
            f"{verdict.replicates:,} networks).{small}"
        )
    why = REASONS.get(verdict.reason, verdict.reason.lower().replace("_", " "))
    needed = verdict.replicates_needed
    advice = f" About {needed:,} networks (`--replicates`) would decide it." if needed and math.isfinite(needed) else ""
    return f"Undecided with {verdict.replicates:,} networks: {why}.{advice}"


def _departure(delta: float, scale: str) -> str:
    if scale == "log":
        return f"{delta:+.3g} nats"
    if scale == "zero":
        return f"{delta:+.3g} standard deviations"
    return f"{math.expm1(delta):+.2%}" if delta < 20 else f"a factor e^{delta:.0f}"


def residual_sentence(verdict: str, row: Mapping[str, Any]) -> str:
    """What an exact check says."""
    word = "within" if verdict == "SUPPORTED" else "beyond"
    return (
        f"Largest residual {row['estimate']:.3g} over {row['replicates']:,} draws, {word} the bound "
        f"{row['margin']:.3g} that rounding allows; an identity spends no error level."
    )
