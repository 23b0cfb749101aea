"""Numbers as a reader wants them: sensible digits, true minus signs, decimal points in one line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

NOTHING = "–"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_DIGIT_SPACE, _POINT_SPACE = "\u2007", "\u2008"  # as wide as a digit, as a point


def real(value: Any) -> float:
    """A row's entry as a float; None and what is no number become NaN."""
    return float(value) if isinstance(value, int | float) or hasattr(value, "item") else math.nan


def number(value: Any, digits: int = 4, *, trim: bool = False) -> str:
    """A number to so many significant digits; `trim` drops zeros at the end (for exact values).

    >>> number(0.5), number(0.5, trim=True), number(-1234567.0), number(3.16e20, 3), number(None)
    ('0.5000', '0.5', '−1.235×10⁶', '3.16×10²⁰', '–')
    """
    x = real(value)
    if math.isnan(x):
        return NOTHING
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    if x == 0:
        return "0"
    exponent = int(f"{x:.{digits - 1}e}".split("e")[1])
    if -4 <= exponent < 6:
        text = _trimmed(f"{x:.{max(0, digits - 1 - exponent)}f}", trim)
    else:
        text = _trimmed(f"{x / 10.0**exponent:.{digits - 1}f}", trim) if abs(exponent) < 300 else _mantissa(x, digits)
        text += power_of_ten(exponent)
    return text.replace("-", "−")


def power_of_ten(exponent: int) -> str:
    """The factor of a number in scientific notation.

    >>> power_of_ten(-12)
    '×10⁻¹²'
    """
    return "×10" + str(exponent).translate(_SUPERSCRIPT)


def _mantissa(x: float, digits: int) -> str:
    return f"{x:.{digits - 1}e}".split("e")[0]


def _trimmed(text: str, trim: bool) -> str:
    return text.rstrip("0").rstrip(".") if trim and "." in text else text


def estimate(value: Any, low: Any, high: Any) -> str:
    """An estimate with the digits that the width of its interval for the logarithm warrants.

    >>> estimate(0.498765432, -0.01, 0.01), estimate(0.498765432, -1e-4, 1e-4)
    ('0.499', '0.49877')
    """
    half = (real(high) - real(low)) / 2
    digits = 4 if not 0 < half < math.inf else min(6, max(2, 1 + math.ceil(-math.log10(half))))
    return number(value, digits)


def count(value: Any) -> str:
    """A count with thousands apart.

    >>> count(65536), count(None)
    ('65\u202f536', '–')
    """
    x = real(value)
    return NOTHING if not math.isfinite(x) else f"{round(x):,}".replace(",", "\u202f")


def departure(delta: Any, scale: str) -> str:
    """A departure from the prediction in words that fit its scale: "relative", "log" or "zero".

    >>> departure(0.01, "relative"), departure(-3.0, "relative"), departure(0.2, "log"), departure(0.001, "zero")
    ('+1.005 %', '×0.0498', '+0.2000 nats', '+0.0010 sd')
    """
    x = real(delta)
    if math.isnan(x):
        return NOTHING
    if scale == "log":
        return f"{signed(x)} nats"
    if scale == "zero":
        return f"{signed(x)} sd"
    return percent_or_ratio(x)


def percent_or_ratio(delta: float) -> str:
    """exp(delta) as a signed percentage near 1, as a factor far from it.

    >>> percent_or_ratio(-1e-4), percent_or_ratio(1000.0), percent_or_ratio(-math.inf)
    ('−0.010 %', '×1.97×10⁴³⁴', '×0')
    """
    if abs(delta) < math.log(1.5):
        percent = 100 * math.expm1(delta)
        return f"{percent:+.3f} %".replace("-", "−") if abs(percent) < 10 else f"{percent:+.1f} %".replace("-", "−")
    if math.isinf(delta):
        return "×∞" if delta > 0 else "×0"
    if abs(delta) < 690:
        return "×" + number(math.exp(delta), 3)
    exponent = math.floor(delta / math.log(10))
    mantissa = math.exp(delta - exponent * math.log(10))
    return f"×{mantissa:.2f}{power_of_ten(exponent)}"


def signed(value: float) -> str:
    """A number that always shows its sign, to four decimals.

    >>> signed(-0.01234567), signed(25.0), signed(-math.inf)
    ('−0.0123', '+25.0000', '−∞')
    """
    if math.isinf(value):
        return "+∞" if value > 0 else "−∞"
    return f"{value:+.4f}".replace("-", "−") if abs(value) < 1e5 else number(value)


def interval(low: Any, high: Any, scale: str) -> str:
    """Two ends of an interval for a departure, the unit written once.

    >>> interval(-0.01, 0.02, "relative"), interval(None, None, "log")
    ('[−0.995, +2.020] %', '–')
    """
    ends = [departure(low, scale), departure(high, scale)]
    if NOTHING in ends:
        return NOTHING
    for unit in (" %", " nats", " sd"):
        if all(end.endswith(unit) for end in ends):
            return f"[{ends[0].removesuffix(unit)}, {ends[1].removesuffix(unit)}]{unit}"
    return f"[{ends[0]}, {ends[1]}]"


def aligned(texts: Sequence[str]) -> list[str]:
    """Texts padded on the right, so that right-aligned in figures of equal width their points stand in one line.

    >>> aligned(["1.25", "10"]) == ["1.25", "10" + _POINT_SPACE + 2 * _DIGIT_SPACE]
    True
    """
    tails = [_tail(text) for text in texts]
    longest = max((len(tail) for tail in tails), default=0)
    return [text if "×" in text else text + _pad(tail, longest) for text, tail in zip(texts, tails, strict=True)]


def _tail(text: str) -> str:
    return text[text.index(".") :] if "." in text and "×" not in text else ""


def _pad(tail: str, longest: int) -> str:
    missing = longest - len(tail)
    if missing and not tail:
        return _POINT_SPACE + _DIGIT_SPACE * (missing - 1)
    return _DIGIT_SPACE * missing
