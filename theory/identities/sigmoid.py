"""Bounds on what a sigmoid layer leaves of a gradient (catalogue A17). Its slope is `mean_field.sigmoid_slope`."""

from __future__ import annotations

import math

from theory.identities.identity import Identity
from theory.prediction import Exactness, TheoryError

IDENTITIES = (
    Identity(
        entry="A17",
        statement="The derivative of the sigmoid is sigma (1 - sigma) = 1/(4 cosh(x/2)^2): even, largest at 0 "
        "where it is "
        "1/4, and between e^-|x|/4 and e^-|x| everywhere.",
        derivation=(
            r"$\sigma = 1/(1 + e^{-x})$ has $\sigma' = e^{-x}/(1 + e^{-x})^2 = \sigma(1-\sigma)$.",
            r"Multiply numerator and denominator by $e^{x}$: $\sigma' = 1/(e^{x/2} + e^{-x/2})^2 = 1/(4\cosh^2(x/2))$.",
            r"It is even, so take $x > 0$: $\sigma' = e^{-x}/(1 + e^{-x})^2$ with $1 \le (1 + e^{-x})^2 \le 4$.",
        ),
        false_as_stated="That it vanishes for small inputs is false: it is largest at 0. It vanishes for large "
        "ones of either "
        "sign.",
    ),
    Identity(
        entry="A17",
        statement="A sigmoid layer leaves at most smax(W)/4 of the norm of a gradient, even at its centre: staying "
        "near 0 "
        "does not prevent vanishing.",
        exactness=Exactness.BOUND,
        derivation=(
            r"$|W^T(\sigma'(h) \odot g)| \le s_{\max}(W)\,\max_i\sigma'(h_i)\,|g| \le \frac14 s_{\max}(W)\,|g|$.",
            r"At infinite width the energy factor is $\chi_1 = \sigma_w^2\,E\sigma'(h)^2 \le \sigma_w^2/16$.",
        ),
        false_as_stated="The d2l editions offer a zone about 0 in which gradients would not vanish.",
    ),
)


def slope_bounds(x: float) -> tuple[float, float]:
    """Bounds e^-|x|/4 and min(1/4, e^-|x|) on the derivative of the sigmoid (A17).

    >>> slope_bounds(0.0)
    (0.25, 0.25)
    """
    tail = math.exp(-abs(x))
    return tail / 4, min(0.25, tail)


def gradient_bound(largest_singular_value: float, norm: float, edge: float = 0.0) -> float:
    """Bound on |g_l| from smax(W_{l+1}) and |g_{l+1}|, given all |h_{l+1}| >= edge (A17).

    Raises:
        TheoryError: for a negative singular value, norm or edge.

    >>> gradient_bound(2.0, 3.0)
    1.5
    """
    if min(largest_singular_value, norm, edge) < 0:
        raise TheoryError(f"smax={largest_singular_value}, norm={norm}, edge={edge}: none of them can be negative.")
    tail = math.exp(-edge)
    return largest_singular_value * norm * tail / (1 + tail) ** 2


def energy_bound(sw2: float, layers: int = 1) -> float:
    """Bound (sw2/16)^layers on what sigmoid layers leave of |g|^2 at infinite width (A17).

    >>> energy_bound(1.0)
    0.0625
    """
    return (sw2 / 16) ** layers
