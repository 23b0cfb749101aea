"""Eighth moments of layers, against the plain recursion in fractions, enumeration, closed forms and simulation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

import mpmath as mp
import numpy as np
import pytest

from theory import central_moments, distributions, forward, partitions, power_sums
from theory.catalogue import lookup
from theory.central_moments import CentralMoments
from theory.net import ZERO, DenseNet, Distribution
from theory.partitions import Moments

Partition = tuple[int, ...]
State = dict[Partition, Fraction]
PARTITIONS: list[Partition] = [
    (), (1,), (2,), (1, 1), (3,), (2, 1), (1, 1, 1), (4,), (3, 1), (2, 2), (2, 1, 1), (1, 1, 1, 1),
]  # fmt: skip
"""lambda stands for E prod_i sum_j y_j^(2 lambda_i)."""


# The plain form: raw moments of power sums, over set partitions into distinct rows


def set_partitions(count: int) -> list[list[list[int]]]:
    if count == 0:
        return [[]]
    found = []
    for smaller in set_partitions(count - 1):
        found.append([*smaller, [count - 1]])
        found += [[*smaller[:i], [*block, count - 1], *smaller[i + 1 :]] for i, block in enumerate(smaller)]
    return found


def merged(parts: Partition, blocks: list[list[int]]) -> Partition:
    return tuple(sorted((sum(parts[i] for i in block) for block in blocks), reverse=True))


def times(one: State, two: State) -> State:
    found: State = {}
    for a, x in one.items():
        for b, y in two.items():
            key = tuple(sorted(a + b, reverse=True))
            found[key] = found.get(key, Fraction(0)) + x * y
    return found


def plus(*terms: tuple[int, State]) -> State:
    found: State = {}
    for factor, term in terms:
        for key, x in term.items():
            found[key] = found.get(key, Fraction(0)) + factor * x
    return found


def falling(n: int, count: int) -> int:
    return math.prod(n - i for i in range(count))


Cumulants = tuple[Fraction, Fraction, Fraction, Fraction]


def plain_rows(
    x: State, width: int, weight: Cumulants, bias: Cumulants, count: Callable[[int, int], int] = falling
) -> State:
    """E prod p of W x + b: products over distinct rows by falling factorials, moments from cumulants."""
    k = [{}, *({(i,): weight[i - 1], (): bias[i - 1]} for i in (1, 2, 3, 4))]
    one: State = {(): Fraction(1)}
    square = times(k[1], k[1])
    mu = [
        one,
        k[1],
        plus((1, k[2]), (3, square)),
        plus((1, k[3]), (15, times(k[1], k[2])), (15, times(k[1], square))),
        plus(
            (1, k[4]),
            (28, times(k[1], k[3])),
            (35, times(k[2], k[2])),
            (210, times(k[2], square)),
            (105, times(square, square)),
        ),
    ]
    found = {}
    for parts in PARTITIONS:
        total = Fraction(0)
        for blocks in set_partitions(len(parts)):
            polynomial = one
            for block in blocks:
                polynomial = times(polynomial, mu[sum(parts[i] for i in block)])
            total += count(width, len(blocks)) * sum(c * x[key] for key, c in polynomial.items())
        found[parts] = total
    return found


def plain_masks(y: State, slope: Fraction) -> State:
    """E prod p of masked entries: sums over distinct indices by inversion, a coin moment for each index."""
    coin = [(1 + slope ** (2 * k)) / 2 for k in range(5)]

    @lru_cache
    def distinct(parts: Partition) -> Fraction:
        coarser = [blocks for blocks in set_partitions(len(parts)) if len(blocks) < len(parts)]
        return y[parts] - sum(distinct(merged(parts, blocks)) for blocks in coarser)

    found = {}
    for parts in PARTITIONS:
        found[parts] = Fraction(0)
        for blocks in set_partitions(len(parts)):
            key = merged(parts, blocks)
            found[parts] += math.prod((coin[k] for k in key), start=Fraction(1)) * distinct(key)
    return found


def central(raw: State) -> list[Fraction]:
    """The numbers of `Moments` from raw ones."""
    m = raw[1,]
    r = [raw[(1,) * j] / m**j for j in range(5)]
    q = [raw[(2, *(1,) * j)] / m ** (2 + j) for j in range(3)]
    s = [raw[(3, *(1,) * j)] / m ** (3 + j) for j in range(2)]
    r2 = r[2] - 1
    return [
        r2,
        q[0],
        r[3] - 3 * r[2] + 2,
        q[1] - q[0],
        s[0],
        r[4] - 4 * r[3] + 6 * r[2] - 3,
        q[2] - 2 * q[1] + q[0] - r2 * q[0],
        raw[2, 2] / m**4 - q[0] ** 2,
        s[1] - s[0],
        raw[4,] / m**4,
    ]


def of_vector(x: tuple[Fraction, ...]) -> State:
    return {parts: math.prod((sum(v ** (2 * k) for v in x) for k in parts), start=Fraction(1)) for parts in PARTITIONS}


def cumulants_of(values: list[tuple[Fraction, Fraction]]) -> Cumulants:
    """Of a symmetric law of (value, probability)."""
    m = [sum(p * v ** (2 * k) for v, p in values) for k in range(5)]
    k4, k6 = m[2] - 3 * m[1] ** 2, m[3] - 15 * m[2] * m[1] + 30 * m[1] ** 3
    k8 = m[4] - 28 * m[3] * m[1] - 35 * m[2] ** 2 + 420 * m[2] * m[1] ** 2 - 630 * m[1] ** 4
    return (m[1], k4, k6, k8)


def relative(k: Cumulants) -> tuple[float, float, float]:
    a, b, c = (float(k[i] / k[0] ** (i + 1)) for i in (1, 2, 3))
    return a, b, c


HALF = Fraction(1, 2)
SIGNS = cumulants_of([(Fraction(1), HALF), (Fraction(-1), HALF)])
THREE = cumulants_of([(Fraction(0), Fraction(2, 3)), (Fraction(2), Fraction(1, 6)), (Fraction(-2), Fraction(1, 6))])
GAUSS: Cumulants = (HALF, Fraction(0), Fraction(0), Fraction(0))
NONE: Cumulants = (Fraction(0),) * 4
LAWS = {"signs": SIGNS, "three": THREE, "gauss": GAUSS}


def step(
    x: State, y: Moments, width: int, weight: Cumulants, bias: Cumulants, slope: Fraction
) -> tuple[State, Moments]:
    """One layer by both routes."""
    share = float(weight[0] * x[1,] / (weight[0] * x[1,] + bias[0]))
    of_bias = relative(bias) if bias[0] else (0.0, 0.0, 0.0)
    entry = partitions.of_rows(y, share, relative(weight), of_bias)
    x, y = plain_rows(x, width, weight, bias), partitions.rows(width, entry)
    return plain_masks(x, slope), partitions.masks(y, float(slope))


def gap(found: Moments, true: list[Fraction]) -> float:
    return max(abs(f / float(t) - 1) if t else abs(f) for f, t in zip(found, true, strict=True))


@pytest.mark.entry("B2", "B4", "C2")
@pytest.mark.parametrize("bias", [NONE, THREE])
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("slope", [Fraction(0), Fraction(1), Fraction(-1), Fraction(1, 3)])
def test_three_layers_equal_the_plain_recursion(law: str, slope: Fraction, bias: Cumulants) -> None:
    """All ten numbers in fractions, widths 3, 1 and 4, to 1e-12: rows, masks, biases."""
    vector = (Fraction(1), Fraction(-2), Fraction(1, 3))
    x, y = of_vector(vector), partitions.of_values(tuple(map(float, vector)))
    for width in (3, 1, 4):
        x, y = step(x, y, width, LAWS[law], bias, slope)
        assert gap(y, central(x)) < 1e-12


@pytest.mark.entry("B2")
def test_plain_recursion_catches_a_wrong_cumulant_and_a_wrong_count_of_rows() -> None:
    """Sixth cumulants off by a tenth, or N^2 pairs of rows in place of N (N-1), are seen."""
    x = of_vector((Fraction(1), Fraction(2)))
    y = partitions.of_values((1.0, 2.0))
    right = partitions.rows(3, partitions.of_rows(y, 1.0, relative(THREE), (0.0,) * 3))
    assert gap(right, central(plain_rows(x, 3, THREE, NONE))) < 1e-13
    k4, k6, k8 = relative(THREE)
    wrong = partitions.rows(3, partitions.of_rows(y, 1.0, (k4, 1.1 * k6, k8), (0.0,) * 3))
    assert gap(wrong, central(plain_rows(x, 3, THREE, NONE))) > 1e-3
    counted = plain_rows(x, 3, THREE, NONE, lambda n, k: n**k)
    assert gap(right, central(counted)) > 1e-2


@lru_cache
def matrix(width: int, weight: str, slope: Fraction) -> list[list[mp.mpf]]:
    """The plain step of one layer, which is linear, as a matrix of exact numbers."""
    columns = []
    for unit in PARTITIONS:
        x = {parts: Fraction(int(parts == unit)) for parts in PARTITIONS}
        x = plain_masks(plain_rows(x, width, LAWS[weight], NONE), slope)
        columns.append([x[parts] for parts in PARTITIONS])
    return [[mp.mpf(c[i].numerator) / c[i].denominator for c in columns] for i in range(len(PARTITIONS))]


@pytest.mark.entry("B2", "C2", "C7")
@pytest.mark.parametrize("depth", [1, 30, 1000])
@pytest.mark.parametrize("width", [1, 4, 1000, 10**6])
@pytest.mark.parametrize("law", ["signs", "gauss"])
def test_accuracy_at_any_width_and_depth(width: int, depth: int, law: str) -> None:
    """1e-11 relative in all ten numbers, against 200 digits, at widths 1 to 1e6 and 1000 layers of ReLU."""
    if width < 10:
        depth = min(depth, 60)  # E R^4 grows by up to 840 a layer, and 840^1000 is beyond a float
    with mp.workdps(200):
        rows = matrix(width, law, Fraction(0))
        start = of_vector((Fraction(1),) * 2)
        x = [mp.mpf(start[parts].numerator) / start[parts].denominator for parts in PARTITIONS]
        y = partitions.of_values((1.0, 1.0))
        weight = relative(LAWS[law])
        for _ in range(depth):
            x = [mp.fdot(row, x) for row in rows]
            y = partitions.masks(partitions.rows(width, partitions.of_rows(y, 1.0, weight, (0.0,) * 3)), 0.0)
        true = central(dict(zip(PARTITIONS, x, strict=True)))  # type: ignore[arg-type]
        worst = max(float(abs(f / t - 1)) if t else abs(f) for f, t in zip(y, true, strict=True))
    assert worst < 1e-11


@pytest.mark.entry("B3", "C2")
@pytest.mark.parametrize("slope", [1.0, 0.0, 0.3])
def test_gaussian_nets_are_products_of_chi_squares(slope: float) -> None:
    """Central moments of |x_l|^2 are those of a product of independent factors, one a layer."""
    widths = (3, 5, 2, 7)
    c2, c4, c6, c8 = ((1 + slope**k) / 2 for k in (2, 4, 6, 8))
    raw = (3 * c4 / c2**2, 15 * c6 / c2**3, 105 * c8 / c2**4)
    product = CentralMoments()
    net = DenseNet(
        widths,
        "leaky_relu",
        {"negative_slope": slope},
        weights=(Distribution("normal", 0.3),) * 3,
        input=(1.0, -2.0, 0.5),
    )
    for layer, width in enumerate(widths[1:], 1):
        product = product * central_moments.of_mean(width, *raw)
        found = forward.power_sums_of(net, "activation", layer).central
        assert (found.second, found.third, found.fourth) == pytest.approx(
            (product.second, product.third, product.fourth), rel=1e-13
        )


# Whole nets of signs, by going through every one


def sign_units(slope: float, bias: int) -> dict[tuple[str, int], np.ndarray]:
    """(mean square, mean fourth power) in every net 2 -> 3 -> 2 of signs, with biases +-1 in layer 1 if asked."""
    signs = lambda k: np.array(list(itertools.product([-1.0, 1.0], repeat=k)))  # noqa: E731
    w1 = signs(6).reshape(-1, 1, 3, 2)
    b1 = bias * signs(3).reshape(1, -1, 3) if bias else np.zeros((1, 1, 3))
    phi = lambda h: np.where(h > 0, h, slope * h)  # noqa: E731
    h1 = (w1 @ np.array([1.0, -2.0]) + b1).reshape(-1, 3)
    h2 = np.einsum("kij,nj->nki", signs(6).reshape(-1, 2, 3), phi(h1)).reshape(-1, 2)
    found = {("preactivation", 1): h1, ("activation", 1): phi(h1), ("preactivation", 2): h2, ("activation", 2): phi(h2)}
    return {key: np.stack([np.mean(h**2, axis=1), np.mean(h**4, axis=1)]) for key, h in found.items()}


@pytest.mark.entry("B2", "C1", "C2")
@pytest.mark.parametrize("bias", [0, 1])
@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
def test_scatter_of_sign_nets_by_enumeration(slope: float, bias: int) -> None:
    """The scatter of all three rows (mean square, its variance, fourth moment) is that over every net, to rounding."""
    biases = (Distribution("rademacher", 1.0), ZERO) if bias else ()
    net = DenseNet(
        (2, 3, 2),
        "leaky_relu",
        {"negative_slope": slope},
        weights=(Distribution("rademacher", 1.0),) * 2,
        biases=biases,
        input=(1.0, -2.0),
    )
    for (tensor, layer), (square, fourth) in sign_units(slope, bias).items():
        spread = lookup(net, f"{tensor}.second_moment", layer, "variance")
        rows = lookup(net, f"{tensor}.second_moment", layer), lookup(net, f"{tensor}.fourth_moment", layer), spread
        for row, unit in zip(rows, (square, fourth, (square - square.mean()) ** 2), strict=True):
            assert row is not None
            assert row[1].value == pytest.approx(unit.mean(), rel=1e-13)
            assert row[1].variance == pytest.approx(unit.var(), rel=1e-11, abs=1e-12)


def test_enumeration_sees_another_law() -> None:
    """Uniform weights in place of signs: other scatter of the fourth moment, by far."""
    wrong = DenseNet((2, 3, 2), "relu", weights=(Distribution("uniform", 1.0),) * 2, input=(1.0, -2.0))
    row = lookup(wrong, "activation.fourth_moment", 2)
    assert row is not None
    assert row[1].variance != pytest.approx(sign_units(0.0, 0)["activation", 2][1].var(), rel=1e-2)


@pytest.mark.entry("B4")
def test_random_inputs_by_enumeration() -> None:
    """Uniform inputs with a mean: E sum x^4 sum x^4 and E |x|^8 from moments of one entry, over a sum of three."""
    law = Distribution("uniform", 0.75, {"mean": 0.5})  # on [-1, 2]
    power = [Fraction(2 ** (k + 1) - (-1) ** (k + 1), 3 * (k + 1)) for k in range(9)]
    n = 3
    raw = {}
    for parts in PARTITIONS:
        raw[parts] = sum(
            (
                math.prod((power[2 * k] for k in merged(parts, blocks)), start=Fraction(falling(n, len(blocks))))
                for blocks in set_partitions(len(parts))
            ),
            Fraction(0),
        )
    assert gap(power_sums.of_tensor(law, n).moments, central(raw)) < 1e-13


@pytest.mark.entry("C7", "C8")
@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_gradients_of_sign_nets_by_enumeration(slope: float) -> None:
    """Gradients of every net 2 -> 3 -> 2 with a linear output: masks are fair coins, dW a product of independent ones.

    Inputs 1 and -2 leave no ties. All ten numbers of the gradients, and moments of dW_1 and dW_2 up to the eighth.
    """
    signs = lambda k: np.array(list(itertools.product([-1.0, 1.0], repeat=k)))  # noqa: E731
    x0 = np.array([1.0, -2.0])
    w1 = signs(6).reshape(-1, 1, 1, 3, 2)
    w2, g2 = signs(6).reshape(1, -1, 1, 2, 3), signs(2)[None, None]
    h1 = w1 @ x0
    mask = np.where(h1 > 0, 1.0, slope)
    delta1 = mask * np.einsum("abij,abci->abcj", w2[:, :, 0], g2)
    g0 = np.einsum("abcij,abci->abcj", np.broadcast_to(w1, (64, 64, 4, 3, 2)), delta1)
    x1 = np.broadcast_to(mask * h1, delta1.shape)

    y = partitions.of_entries(2, relative(SIGNS))
    signal = relative(SIGNS), (0.0, 0.0, 0.0)
    y = partitions.masks(partitions.rows(3, partitions.of_rows(y, 1.0, *signal)), slope)
    x = partitions.of_rows(partitions.of_values((1.0, -2.0)), 1.0, *signal)
    x = partitions.masks(partitions.rows(3, x), slope)
    assert enumerated(delta1) == pytest.approx(y, rel=1e-12)
    assert enumerated(x1) == pytest.approx(x, rel=1e-12)
    assert enumerated(g0) == pytest.approx(partitions.rows(2, partitions.of_rows(y, 1.0, *signal)), rel=1e-12)

    of_dw1 = enumerated((delta1[..., :, None] * x0).reshape(64, 64, 4, 6))
    assert (of_dw1.r2, of_dw1.r3, of_dw1.r4) == pytest.approx((y.r2, y.r3, y.r4), rel=1e-12)
    g = np.broadcast_to(g2, (64, 64, 4, 2))
    of_dw2 = enumerated((g[..., :, None] * x1[..., None, :]).reshape(64, 64, 4, 6))
    relative_qq = of_dw2.qq / of_dw2.q**2
    assert relative_qq == pytest.approx(x.qq / x.q**2, rel=1e-12)


def enumerated(entries: np.ndarray) -> Moments:
    """`Moments` of vectors along the last axis, all equally likely."""
    p = [(entries ** (2 * k)).sum(axis=-1) for k in range(5)]
    m = p[1].mean()
    r, q, s = p[1] / m - 1, p[2] / m**2, p[3] / m**3
    cov = lambda a, b: float(np.mean((a - a.mean()) * (b - b.mean())))  # noqa: E731
    mean = lambda a: float(np.mean(a))  # noqa: E731
    return Moments(
        mean(r**2), mean(q), mean(r**3), cov(r, q), mean(s), mean(r**4), cov(r**2, q), cov(q, q), cov(r, s),
        mean(p[4] / m**4),
    )  # fmt: skip


def test_even_cumulants_are_those_of_the_definition() -> None:
    """The logarithm of E e^{th} up to t^8, for a law of three values."""
    import sympy as sp

    t = sp.Symbol("t")
    moments = [sp.Rational(1, 3) * 2 ** (2 * k) if k else sp.Integer(1) for k in range(5)]
    series = sp.series(sp.log(sum(m * t ** (2 * k) / sp.factorial(2 * k) for k, m in enumerate(moments))), t, 0, 10)
    found = [series.removeO().coeff(t, 2 * k) * sp.factorial(2 * k) for k in (1, 2, 3, 4)]
    assert tuple(found) == tuple(map(sp.Rational, THREE))
    assert relative(THREE) == pytest.approx(distributions.even_cumulants(3, 9, 27), rel=1e-14)
