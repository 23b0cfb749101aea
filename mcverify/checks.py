"""Checks at the door: plain numbers, named as the user wrote them."""

from __future__ import annotations

import math
import operator
from typing import Any

from mcverify.errors import InputError


def number(argument: str, value: Any, *, low: float = -math.inf, above: float = -math.inf) -> float:
    """A finite number, at least `low` and above `above`.

    Raises:
        InputError: for text, truth values, NaN, infinities and numbers out of range.

    >>> number("variance", 0.25, low=0)
    0.25
    >>> number("variance", -1, low=0)
    Traceback (most recent call last):
        ...
    mcverify.errors.InputError: `variance=-1`: give a number that is at least 0.
    """
    try:
        result = math.nan if isinstance(value, bool | str | bytes) else float(value)
    except (TypeError, ValueError, OverflowError):
        result = math.nan
    if not math.isfinite(result):
        raise InputError(f"`{argument}={value!r}`: give a finite number.")
    if result < low:
        raise InputError(f"`{argument}={value!r}`: give a number that is at least {low:g}.")
    if result <= above:
        raise InputError(f"`{argument}={value!r}`: give a number above {above:g}.")
    return result


def margin(value: float) -> None:
    """Refuse a margin that supports nothing.

    Raises:
        InputError: unless it is a finite number above 0.

    >>> margin(0.02)
    """
    if not 0 < value < math.inf:
        raise InputError(
            f"`margin={value}` leaves nothing to support a claim with; "
            "give the smallest departure that matters, such as 0.01."
        )


def integer(argument: str, value: Any, *, low: int) -> int:
    """A whole number, at least `low`.

    Raises:
        InputError: for anything else, 3.0 and True among it.

    >>> integer("replicates", 12, low=1)
    12
    """
    try:
        result = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        result = None
    if result is None or result < low:
        raise InputError(f"`{argument}={value!r}`: give a whole number that is at least {low}.")
    return result
