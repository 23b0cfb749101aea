"""Moments of every law, from its definition (catalogue entry F4; elementary).

All laws but `constant` are symmetric about their mean. E z^{2k} is given for the standardised entry z.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

from scipy import special

from theory.net import Distribution
from theory.prediction import MissingMomentError, TheoryError

ATOMLESS = frozenset({"normal", "uniform", "truncated_normal", "laplace", "student_t", "orthogonal"})
SYMMETRIC = ATOMLESS | {"rademacher", "sparse"}


def mean(law: Distribution) -> float:
    """E of an entry: the `value` of a constant, the `mean` of an input, else 0."""
    return float(law.parameters.get("value" if law.name == "constant" else "mean", 0.0))


def is_zero(law: Distribution) -> bool:
    """Whether every entry is 0."""
    return (law.name == "constant" or law.variance == 0) and mean(law) == 0


def is_symmetric(law: Distribution) -> bool:
    """Whether an entry and its negative have one law.

    >>> is_symmetric(Distribution("uniform", 1.0)), is_symmetric(Distribution("constant", None, {"value": 1.0}))
    (True, False)
    """
    return is_zero(law) or (law.name in SYMMETRIC and mean(law) == 0)


def is_atomless(law: Distribution) -> bool:
    """Whether no single value has positive probability."""
    return law.name in ATOMLESS and law.variance != 0


def is_gaussian(law: Distribution) -> bool:
    """Whether an entry is normal, with a variance that is not 0."""
    return law.name == "normal" and law.variance != 0


def is_iid(law: Distribution) -> bool:
    """Whether the entries of one matrix are independent (orthogonal ones are not)."""
    return law.name != "orthogonal"


def variance(law: Distribution) -> float:
    """Variance of an entry.

    Raises:
        MissingMomentError: for a Student t with 2 degrees of freedom or fewer.

    >>> round(variance(Distribution("truncated_normal", 1.0, {"rescaled": False})), 4)
    0.7737
    >>> variance(Distribution("student_t", None, {"df": 4, "scale": 1.0}))
    2.0
    """
    if law.name == "constant":
        return 0.0
    if law.name == "student_t":
        return _student_variance(law)
    if law.variance is None:
        raise TheoryError(f"the law {law.name!r} of the network has no variance; give one.")
    if law.name == "truncated_normal" and not law.parameters.get("rescaled", True):
        return law.variance * _cut_normal_moment(float(law.parameters.get("bound", 2)), 1)
    return law.variance


def kurtosis(law: Distribution, size: int | None = None) -> float:
    """E (w - E w)^4 over the squared variance; 3 for a Gaussian.

    Args:
        law: The law of the entries.
        size: The larger side of the matrix, for `orthogonal` alone.

    >>> round(kurtosis(Distribution("uniform", 1.0)), 12), kurtosis(Distribution("rademacher", 1.0))
    (1.8, 1.0)
    """
    return standard_moment(law, 2, size)


def standard_moment(law: Distribution, half: int, size: int | None = None) -> float:
    """E z^(2 half) of the standardised entry, half = 0, 1, 2, ...

    Raises:
        MissingMomentError: for a Student t with 2 half degrees of freedom or fewer.
    """
    if law.name == "orthogonal":
        if size is None:
            raise TheoryError("the moments of an orthogonal matrix need its size.")
        return math.prod(size * (2 * i + 1) / (size + 2 * i) for i in range(half))
    if law.name not in _MOMENTS:
        raise TheoryError(f"no moments are known for the law {law.name!r}.")
    return _MOMENTS[law.name](law, half)


def raw_moment(law: Distribution, half: int) -> float:
    """E x^(2 half) of an entry, its mean included.

    >>> raw_moment(Distribution("normal", 1.0, {"mean": 2.0}), 1)
    5.0
    """
    second = mean(law) ** 2 + (0.0 if law.name == "constant" else variance(law))
    return second**half * relative_moment(law, half) if half > 1 else second**half


def relative_moment(law: Distribution, half: int) -> float:
    """E x^(2 half) / (E x^2)^half of an entry, its mean included: free of scale.

    >>> relative_moment(Distribution("normal", 1e-300), 2)
    3.0
    """
    if law.name == "constant":
        return 1.0
    centre, spread = mean(law), math.sqrt(variance(law))
    root = math.hypot(centre, spread)
    if root == 0:
        return math.nan
    centre, spread = centre / root, spread / root
    return sum(
        math.comb(2 * half, 2 * j) * centre ** (2 * (half - j)) * spread ** (2 * j) * standard_moment(law, j)
        for j in range(half + 1)
    )


@lru_cache(maxsize=4096)
def cumulants(law: Distribution) -> tuple[float, float, float]:
    """Cumulants of order 4, 6, 8 of an entry times a fair sign, over (E x^2)^2, ^3, ^4; NaN where the law lacks one.

    >>> cumulants(Distribution("normal", 0.5)), cumulants(Distribution("rademacher", 0.5))
    ((0.0, 0.0, 0.0), (-2.0, 16.0, -272.0))
    """
    moments = []
    for half in (2, 3, 4):
        try:
            moments.append(relative_moment(law, half))
        except MissingMomentError:
            moments.append(math.nan)
    return even_cumulants(*moments)


def even_cumulants(second: float, third: float, fourth: float) -> tuple[float, float, float]:
    """The same of a symmetric x from E x^4, E x^6, E x^8, with E x^2 = 1.

    >>> even_cumulants(3, 15, 105)
    (0, 0, 0)
    """
    third_cumulant = third - 15 * second + 30
    return second - 3, third_cumulant, fourth - 28 * third - 35 * second**2 + 420 * second - 630


def zero_probability(law: Distribution) -> float:
    """P(an entry is exactly 0)."""
    centre = mean(law)
    if law.name == "constant" or law.variance == 0:
        return float(centre == 0)
    if law.name == "sparse":
        return float(law.parameters["sparsity"]) if centre == 0 else 0.0
    if law.name == "rademacher":
        return 0.5 if abs(centre) == math.sqrt(variance(law)) else 0.0
    return 0.0


def _normal_moment(half: int) -> float:
    return float(math.prod(range(1, 2 * half, 2)))


def _cut_normal_moment(bound: float, half: int) -> float:
    """E z^(2 half) of a standard normal given |z| <= bound, by parts: m_k = (2k-1) m_{k-1} - 2 c^{2k-1} phi(c)/Z."""
    if bound < 1:  # by parts would cancel: E z^2k = int_0^c z^2k e^{-z^2/2} / int_0^c e^{-z^2/2}, as a series
        return _cut_series(bound, half) / _cut_series(bound, 0)
    density = math.exp(-(bound**2) / 2) / math.sqrt(2 * math.pi)
    inside = float(special.erf(bound / math.sqrt(2)))
    moment = 1.0
    for k in range(1, half + 1):
        moment = (2 * k - 1) * moment - 2 * bound ** (2 * k - 1) * density / inside
    return moment


def _cut_series(bound: float, half: int) -> float:
    terms = ((-0.5) ** j / math.factorial(j) * bound ** (2 * (half + j)) / (2 * (half + j) + 1) for j in range(30))
    return math.fsum(terms)


def _student_variance(law: Distribution) -> float:
    df = float(law.parameters["df"])
    if df <= 2:
        raise MissingMomentError(f"student_t with df={df:g} has no variance: it needs df > 2.")
    scale = law.parameters.get("scale")
    if law.variance is not None:
        return law.variance
    if scale is None:
        raise TheoryError("student_t needs a variance or a scale.")
    return float(scale) ** 2 * df / (df - 2)


def _student_moment(law: Distribution, half: int) -> float:
    df = float(law.parameters["df"])
    if df <= 2 * half:
        raise MissingMomentError(
            f"student_t with df={df:g} has no moment of order {2 * half}: it needs df > {2 * half}."
        )
    return math.prod((df - 2) * (2 * i - 1) / (df - 2 * i) for i in range(1, half + 1))


def _sparse_moment(sparsity: float, half: int) -> float:
    return _normal_moment(half) / (1 - sparsity) ** (half - 1) if half else 1.0


def _truncated_moment(law: Distribution, half: int) -> float:
    bound = float(law.parameters.get("bound", 2))
    return _cut_normal_moment(bound, half) / _cut_normal_moment(bound, 1) ** half


_MOMENTS: dict[str, Callable[[Distribution, int], float]] = {
    "constant": lambda law, half: 1.0,  # b^4 = (b^2)^2: powers of a constant, not deviations
    "normal": lambda law, half: _normal_moment(half),
    "uniform": lambda law, half: 3.0**half / (2 * half + 1),
    "rademacher": lambda law, half: 1.0,
    "laplace": lambda law, half: math.factorial(2 * half) / 2**half,
    "student_t": _student_moment,
    "truncated_normal": _truncated_moment,
    "sparse": lambda law, half: _sparse_moment(float(law.parameters["sparsity"]), half),
}

NAMES = frozenset({*_MOMENTS, "orthogonal"})
"""Every law that the theory knows."""
