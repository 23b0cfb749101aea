"""Moments of every law, by quadrature or enumeration of its definition."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
from scipy import integrate, stats

from theory import distributions
from theory.net import Distribution
from theory.prediction import MissingMomentError, TheoryError

CUT = {"bound": 1.5, "rescaled": False}
DENSITIES: list[tuple[Distribution, Callable[[float], float], float]] = [
    (Distribution("normal", 2.0), lambda w: stats.norm.pdf(w, scale=math.sqrt(2)), 40),
    (Distribution("uniform", 2.0), lambda w: float(abs(w) < math.sqrt(6)) / (2 * math.sqrt(6)), math.sqrt(6)),
    (Distribution("laplace", 2.0), lambda w: math.exp(-abs(w)) / 2, 120),
    (Distribution("truncated_normal", 1.0, CUT), lambda w: stats.truncnorm.pdf(w, -1.5, 1.5), 1.5),
    (Distribution("truncated_normal", 1.0, {"bound": 0.5, "rescaled": False}),
     lambda w: stats.truncnorm.pdf(w, -0.5, 0.5), 0.5),
    (Distribution("student_t", None, {"df": 12, "scale": 1.0}), lambda w: stats.t.pdf(w, 12), 4000),
]  # fmt: skip


@pytest.mark.entry("F4", "FW")
@pytest.mark.parametrize(("law", "density", "reach"), DENSITIES)
@pytest.mark.parametrize("half", [0, 1, 2, 3, 4])
def test_raw_moments_are_integrals(
    law: Distribution, density: Callable[[float], float], reach: float, half: int
) -> None:
    """E w^(2k) is the integral of w^(2k) over the density."""
    points = [0.0, 1.0, 5.0, 30.0, reach] if reach > 30 else [0.0, min(reach, 1.0), reach]
    parts = itertools.pairwise(points)
    total = 2 * sum(
        integrate.quad(lambda w: w ** (2 * half) * density(w), a, b, epsabs=0, epsrel=1e-12)[0] for a, b in parts
    )
    assert distributions.raw_moment(law, half) == pytest.approx(total, rel=1e-8)


@pytest.mark.entry("F4")
def test_discrete_laws_by_enumeration() -> None:
    """Rademacher is +-std; sparse is 0 with probability s, else a normal of variance v/(1 - s)."""
    assert distributions.raw_moment(Distribution("rademacher", 3.0), 3) == pytest.approx(27, rel=1e-15)
    sparse = Distribution("sparse", 2.0, {"sparsity": 0.75})
    assert distributions.raw_moment(sparse, 2) == pytest.approx(0.25 * 3 * 8.0**2, rel=1e-14)
    assert distributions.kurtosis(sparse) == pytest.approx(12, rel=1e-14)
    shifted = Distribution("rademacher", 1.0, {"mean": 1.0})
    assert distributions.raw_moment(shifted, 2) == pytest.approx((2.0**4 + 0) / 2)
    assert distributions.zero_probability(shifted) == 0.5


@pytest.mark.entry("F4", "FW")
def test_known_kurtoses() -> None:
    """Catalogue values: uniform 9/5, Laplace 6, Student 3 + 6/(df - 4), Haar 3n/(n+2), cut normal by F4."""
    assert distributions.kurtosis(Distribution("uniform", 5.0)) == pytest.approx(1.8, rel=1e-15)
    assert distributions.kurtosis(Distribution("laplace", 5.0)) == 6
    assert distributions.kurtosis(Distribution("student_t", 1.0, {"df": 9})) == pytest.approx(3 + 6 / 5, rel=1e-14)
    assert distributions.kurtosis(Distribution("orthogonal", 1.0), 10) == pytest.approx(30 / 12, rel=1e-14)
    c, density = 2.0, stats.norm.pdf(2.0)
    inside = 2 * stats.norm.cdf(2.0) - 1
    factor = 1 - 2 * c * density / inside
    printed = (3 - 2 * (c**3 + 3 * c) * density / inside) / factor**2
    assert distributions.kurtosis(Distribution("truncated_normal", 1.0)) == pytest.approx(printed, rel=1e-12)
    assert distributions.variance(Distribution("truncated_normal", 1.0)) == 1.0


def test_missing_moments_name_law_degrees_and_order() -> None:
    """Student t has moments below df only; the error says which one is missing."""
    with pytest.raises(MissingMomentError, match="student_t with df=2 has no variance"):
        distributions.variance(Distribution("student_t", None, {"df": 2, "scale": 1.0}))
    with pytest.raises(MissingMomentError, match="df=4 has no moment of order 4"):
        distributions.kurtosis(Distribution("student_t", 1.0, {"df": 4}))
    with pytest.raises(TheoryError, match="gumbel"):
        distributions.kurtosis(Distribution("gumbel", 1.0))


def test_symmetry_and_atoms() -> None:
    """What the statements ask of a law."""
    assert distributions.is_symmetric(Distribution("rademacher", 1.0))
    assert not distributions.is_symmetric(Distribution("normal", 1.0, {"mean": 0.1}))
    assert not distributions.is_atomless(Distribution("sparse", 1.0, {"sparsity": 0.1}))
    assert distributions.is_zero(Distribution("constant", None, {"value": 0.0}))
