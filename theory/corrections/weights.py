r"""One layer of weights that are not Gaussian: kurtosis (F1), ties (F2), skewness (F3).

h = sum_j w_j x_j with fixed inputs x_j and independent weights of mean 0 and variance v.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from theory.activations import Activation
from theory.activations.quadrature import Array
from theory.prediction import TheoryError


def kurtosis_share(inputs: Sequence[float]) -> float:
    """tau = sum x^4 / (sum x^2)^2: 1/n for n equal inputs, 1 for a single one (F1).

    >>> kurtosis_share((1.0,) * 8)
    0.125
    """
    squares = np.asarray(inputs, dtype=float) ** 2
    if not squares.sum() > 0:
        raise TheoryError("the share of kurtosis needs an input that is not 0.")
    shares = squares / squares.sum()
    return float((shares**2).sum())


def kurtosis_corrected_mean(
    activation: Activation, f: Callable[[Array, Array, Array], Array], q: float, kurtosis: float, share: float
) -> tuple[float, float]:
    """E f(h) for weights of a given kurtosis: at Gaussian h, and the term (kappa - 3) tau/24 E f He4(z) (F1).

    The sum of the two is right up to O(1/n^2) for smooth f, or weights with a density.

    Args:
        activation: phi.
        f: Function of arrays (s, phi(s), phi'(s)).
        q: E h^2 = v |x|^2.
        kurtosis: E w^4 / (E w^2)^2.
        share: tau of `kurtosis_share`.

    >>> from theory import activations
    >>> round(kurtosis_corrected_mean(activations.get("relu"), lambda s, y, dy: s**4, 1.0, 1.0, 1 / 8)[1], 12)
    -0.25
    """

    def tilted(s: Array, y: Array, dy: Array) -> Array:
        z2 = s**2 / q
        return (z2**2 - 6 * z2 + 3) * f(s, y, dy)

    plain = activation.gaussian_mean(f, q).value
    return plain, (kurtosis - 3) * share / 24 * activation.gaussian_mean(tilted, q).value


def tie_probability(n: int) -> float:
    """P(h = 0) of Rademacher weights on n equal inputs: C(n, n/2)/2^n for even n, else 0 (F2).

    >>> tie_probability(2), tie_probability(3), round(tie_probability(1000), 6)
    (0.5, 0.0, 0.025225)
    """
    if n < 1:
        raise TheoryError(f"a unit has at least one input, here {n}.")
    if n % 2:
        return 0.0
    return float(Fraction(math.comb(n, n // 2), 2**n))


def tied_halving(n: int) -> tuple[float, float]:
    """E relu(h)^2 / E h^2 and E relu'(h)^2 of Rademacher weights on n equal inputs, relu'(0) = 0 (F2).

    Forward halving is exact whatever ties there are; backward only (1 - P(h = 0))/2 is left.

    >>> tied_halving(2)
    (0.5, 0.25)
    """
    return 0.5, (1 - tie_probability(n)) / 2


def skewed_halving(skewness: float, inputs: Sequence[float]) -> float:
    """E relu(h)^2 / E h^2 = (1 + skew(h) sqrt(2/pi)/3)/2 + O(1/n) for weights of a given skewness (F3).

    By Edgeworth's series the density of h/sqrt(q) is that of z times 1 + skew(h) He3(z)/6, and
    E [He3(z) z^2; z > 0] = sqrt(2/pi); skew(h) = skew(w) sum x^3/|x|^3.

    >>> round(skewed_halving(1.0, (1.0,) * 100), 6)
    0.513298
    """
    x = np.asarray(inputs, dtype=float)
    size = float(np.linalg.norm(x))
    if size == 0:
        raise TheoryError("the skewness of h needs an input that is not 0.")
    skew = skewness * float(((x / size) ** 3).sum())
    return (1 + skew * math.sqrt(2 / math.pi) / 3) / 2
