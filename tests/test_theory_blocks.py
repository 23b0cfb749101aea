"""Blocks: residual and tied blocks, dropout and attention scores, by enumeration of signs and masks."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import sympy as sp

from theory import blocks
from theory.blocks import attention, dropout, residual, tied
from theory.prediction import Exactness, TheoryError

Array = np.ndarray
LIMIT = 6.0


def z_of(sample: Array, expected: float) -> float:
    return float((sample.mean() - expected) / (sample.std(ddof=1) / math.sqrt(sample.size)))


def signs(count: int) -> Array:
    """All vectors of `count` signs."""
    return np.array(list(product((-1.0, 1.0), repeat=count)))


def branch(h: Array, W1: Array, W2: Array) -> Array:
    return np.einsum("rij,rj->ri", W2, np.maximum(np.einsum("rij,rj->ri", W1, h), 0))


@pytest.mark.entry("AR-01")
def test_residual_energy_by_enumeration() -> None:
    """Two blocks of width 2, hidden width 1, unequal alphas: the mean over all 2^8 sign weights is the product."""
    rows = signs(8)
    W1 = [rows[:, 4 * k : 4 * k + 2].reshape(-1, 1, 2) for k in range(2)]
    W2 = [rows[:, 4 * k + 2 : 4 * k + 4].reshape(-1, 2, 1) for k in range(2)]
    h = np.broadcast_to(np.array([1.0, -0.3]), (256, 2))
    start, alphas = 1.09, (0.5, 1.5)
    for k, alpha in enumerate(alphas):
        h = h + alpha * branch(h, W1[k], W2[k])
    rho = residual.branch_factor(2, 1, 1.0, 1.0)
    assert np.mean(np.sum(h**2, axis=1)) == pytest.approx(start * residual.energy(alphas, rho), rel=1e-14)
    assert np.mean(np.sum(h**2, axis=1)) != pytest.approx(start * (1 + sum(a**2 for a in alphas) * rho), rel=0.01)


@pytest.mark.entry("AR-01", "AR-03")
def test_residual_gradients_and_identity() -> None:
    """Backward energies have the same product (z < 6, 40,000 nets of width 3); alpha = 0 gives J = I."""
    rng = np.random.default_rng(2)
    count, n, m, alphas = 40_000, 3, 2, (0.6, 0.0, 0.9)
    h = np.broadcast_to(np.array([1.0, -2.0, 0.5]), (count, n))
    J = np.broadcast_to(np.eye(n), (count, n, n))
    for alpha in alphas:
        W1 = rng.standard_normal((count, m, n)) * math.sqrt(2 / n)
        W2 = rng.standard_normal((count, n, m)) * math.sqrt(1 / m)
        pre = np.einsum("rij,rj->ri", W1, h)
        step = alpha * W2 @ ((pre > 0)[:, :, None] * W1)
        assert alpha or not step.any()
        J = J + step @ J
        h = h + alpha * branch(h, W1, W2)
    g = np.array([0.0, 1.0, 2.0])
    backward = np.sum((g @ J) ** 2, axis=1) / (g @ g)
    forward = np.sum(h**2, axis=1) / 5.25
    for sample in (forward, backward):
        assert abs(z_of(sample, residual.energy(alphas))) < LIMIT
        assert abs(z_of(sample, 1.05 * residual.energy(alphas))) > LIMIT
    assert residual.energy([0.0] * 50) == residual.IDENTITY.at() == 1.0


@pytest.mark.entry("AR-01")
def test_deep_limit() -> None:
    """(1 + 1/L)^L is e (1 - 1/(2L)) to order 1/L^2, below e; the value at L = 10 is not e."""
    for depth in (100, 1000):
        value = residual.energy([depth**-0.5] * depth)
        assert value == pytest.approx(residual.deep_limit(1.0) * (1 - 1 / (2 * depth)), rel=1 / depth**2)
        assert value < math.e
    assert residual.energy([10**-0.5] * 10) != pytest.approx(math.e, rel=0.03)


@pytest.mark.entry("AR-02")
def test_one_layer_branch() -> None:
    """NC-7: sign weights enumerate one block for fixed h; Gaussian nets of width 4 refute 4 after two blocks."""
    h = np.array([1.0, -2.0, 0.5])
    W = signs(9).reshape(-1, 3, 3)
    values = np.sum((h + W @ np.maximum(h, 0)) ** 2, axis=1)
    share = 1.25 / 5.25
    assert values.mean() == pytest.approx(5.25 * residual.one_layer_factor(3, 1.0, share), rel=1e-14)
    assert values.mean() != pytest.approx(5.25 * residual.one_layer_factor(3, 1.0, 0.5), rel=0.1)
    rng, count, n = np.random.default_rng(3), 400_000, 4
    x = rng.choice([-1.0, 1.0], (count, n))
    for _ in range(2):
        noise = rng.standard_normal((count, n)) * np.sqrt(2 / n * np.sum(np.maximum(x, 0) ** 2, axis=1, keepdims=True))
        x = x + noise
    energy = np.sum(x**2, axis=1) / n
    assert abs(z_of(energy, residual.one_layer_two_blocks(n))) < LIMIT
    assert abs(z_of(energy, residual.energy([1.0, 1.0]))) > LIMIT


@pytest.mark.entry("AR-02")
def test_two_blocks_at_any_width() -> None:
    """The sum over all of Bin(n - 1, 1/2), and at 10^6 an excess that falls as 1/n."""
    n = 40
    total = sum(
        math.comb(n - 1, k)
        / 2 ** (n - 1)
        * (residual._half_square(1.0, 2 * (k + 1) / n) + residual._half_square(-1.0, 2 * k / n))
        for k in range(n)
    )
    assert residual.one_layer_two_blocks(n) == pytest.approx(2 + total, rel=1e-14)
    wide = [m * (residual.one_layer_two_blocks(m) - 4) for m in (10**5, 10**6)]
    assert wide[1] == pytest.approx(wide[0], rel=1e-4)


@pytest.mark.entry("AR-10")
def test_tied_weights_by_enumeration() -> None:
    """All sign matrices: 2 x 3 tied with its transpose, and 3 x 3 used twice (512 draws); untied differ."""
    x = np.array([1.0, -2.0, 0.5])
    A = signs(6).reshape(-1, 2, 3)
    tied_energy = np.sum((np.swapaxes(A, 1, 2) @ (A @ x)[:, :, None]) ** 2, axis=(1, 2)).mean() / (x @ x)
    assert tied_energy == pytest.approx(tied.transpose(2, 3, 1.0, kurtosis=1.0), rel=1e-14)
    assert tied_energy != pytest.approx(tied.transpose(2, 3, 1.0), rel=0.05)
    assert tied_energy != pytest.approx(tied.untied(2, 3, 1.0), rel=0.05)
    W = signs(9).reshape(-1, 3, 3)
    twice = np.sum((W @ W @ x) ** 2, axis=1).mean() / (9 * (x @ x))
    assert twice == pytest.approx(tied.twice(3, kurtosis=1.0), rel=1e-14)
    three = np.array(list(product((-1.0, 0.0, 1.0), repeat=4))).reshape(-1, 2, 2)  # variance 2/3, kurtosis 3/2
    energy = np.sum((three @ three @ x[:2]) ** 2, axis=1).mean() / (x[:2] @ x[:2]) / (4 * 4 / 9)
    assert energy == pytest.approx(tied.twice(2, kurtosis=1.5), rel=1e-14)
    assert energy != pytest.approx(1.0, rel=0.05)


@pytest.mark.entry("AR-10")
def test_self_logit() -> None:
    """Sign embeddings: e.e = d on every draw, E e.e' = 0 over all pairs."""
    e = signs(4)
    logits = e @ e.T
    assert set(np.diag(logits)) == {tied.self_logit(4)}
    assert logits.mean() == 0.0


@pytest.mark.entry("AR-08")
def test_scores_by_enumeration() -> None:
    """Entries -1, 0, 1 (variance 2/3, kurtosis 3/2) at d = 3: variance and kurtosis of q.k over all 729 pairs."""
    entries = np.array(list(product((-1.0, 0.0, 1.0), repeat=3))) / math.sqrt(2 / 3)
    scores = (entries @ entries.T).ravel()
    assert scores.var() == pytest.approx(attention.score_variance(3), rel=1e-13)
    kurtosis = np.mean(scores**4) / scores.var() ** 2
    assert kurtosis == pytest.approx(attention.score_kurtosis(3, 1.5, 1.5), rel=1e-13)
    assert kurtosis != pytest.approx(attention.score_kurtosis(3), rel=0.05)
    assert np.mean(np.sum(entries**2, axis=1)) == pytest.approx(attention.tied_score_mean(3), rel=1e-13)


@pytest.mark.entry("AR-08")
def test_normal_scores_have_kurtosis_3_plus_6_over_d() -> None:
    """The characteristic function of q.k is (1 + t^2)^(-d/2): its cumulants, by sympy."""
    t, d = sp.symbols("t d", positive=True)
    log = sp.series(-d / 2 * sp.log(1 + t**2), t, 0, 6).removeO()
    second, fourth = -2 * log.coeff(t, 2), 24 * log.coeff(t, 4)
    assert sp.simplify(second - d) == 0
    assert sp.simplify(3 + fourth / second**2 - (3 + 6 / d)) == 0
    assert attention.score_kurtosis(64) == pytest.approx(3 + 6 / 64, rel=1e-15)


@pytest.mark.entry("AR-08")
def test_entropy_falls_with_the_scale() -> None:
    """dH/ds is that of finite differences, negative at every scale; equal logits keep log n."""
    logits, step = [0.3, -1.2, 2.0, 0.0], 1e-5
    for scale in (0.1, 1.0, 4.0):
        change = attention.softmax_entropy(logits, scale + step) - attention.softmax_entropy(logits, scale - step)
        slope = attention.softmax_entropy_slope(logits, scale)
        assert change / (2 * step) == pytest.approx(slope, rel=1e-7)
        assert slope < 0
        assert change / (2 * step) != pytest.approx(slope / scale if scale != 1 else 2 * slope, rel=0.1)
    assert attention.softmax_entropy([1.0] * 8, 5.0) == pytest.approx(math.log(8), rel=1e-14)


@pytest.mark.entry("AR-09")
def test_dropout_by_enumeration() -> None:
    """All masks of 4 inputs and all sign weights of one row, keep 0.3: E (w.(m x/p))^2 and the two-mask product."""
    keep, x = 0.3, np.array([1.0, -2.0, 0.5, 0.7])
    masks = (signs(4) + 1) / 2
    chances = np.prod(np.where(masks == 1, keep, 1 - keep), axis=1)
    dropped = masks * x / keep
    h = dropped @ signs(4).T  # (mask, weights)
    assert chances @ np.mean(h**2, axis=1) == pytest.approx(dropout.second_moment(1, 1.0, keep, x @ x), rel=1e-14)
    both = np.mean((chances @ h) ** 2)  # two masks, the same weights
    correlation = both / (chances @ np.mean(h**2, axis=1))
    assert correlation == pytest.approx(dropout.correlation_at_one(1.0, 0.0, x @ x, keep), rel=1e-14) == keep
    with_bias = (both + 2.0) / (chances @ np.mean(h**2, axis=1) + 2.0)
    assert with_bias == pytest.approx(dropout.correlation_at_one(1.0, 2.0, x @ x, keep), rel=1e-14)
    assert with_bias < 1 == dropout.correlation_at_one(1.0, 2.0, x @ x, 1.0)
    variance = dropout.homogeneous_variance(5, keep, 0.0)
    assert dropout.second_moment(5, variance, keep) / 2 == pytest.approx(1.0, rel=1e-14)


NUMBERS: dict[str, dict[str, object]] = {
    "second_moment": {"width": 4, "variance": 0.5, "keep": 0.5, "x_squared": 3.0},
    "correlation_at_one": {"sw2": 1.5, "sb2": 0.2, "second": 0.7, "keep": 0.5},
    "same_average": {"kernel": 5, "size": 9, "dimensions": 2},
    "keras_depthwise_factor": {"channels": 7},
    "flattened_factor": {"channels_in": 2, "channels_out": 3, "taps": 9},
    "deep_limit": {"total": 0.7},
    "one_layer_factor": {"width": 4, "variance": 0.5, "positive_share": 0.3},
    "scaled_gradient": {"scale": 3.0},
    "score_variance": {"dimension": 8, "scale": 0.5},
    "score_kurtosis": {"dimension": 8, "query_kurtosis": 2.0, "key_kurtosis": 3.0},
    "tied_score_mean": {"dimension": 8, "second_moment": 0.5},
    "transpose": {"rows": 3, "columns": 4, "variance": 0.5, "kurtosis": 1.8},
    "untied": {"rows": 3, "columns": 4, "variance": 0.5},
    "twice": {"width": 4, "kurtosis": 1.8},
    "self_logit": {"dimension": 8, "variance": 0.5},
}
LETTERS = {
    "N": ("width",), "v": ("variance",), "p": ("keep",), "x2": ("x_squared",), "V": ("second",), "k": ("kernel",),
    "H": ("size",), "d": ("dimensions", "dimension"), "C": ("channels",), "c_in": ("channels_in",), "t": ("taps",),
    "c_out": ("channels_out",), "c": ("total", "scale"), "s": ("positive_share", "scale"), "m": ("rows",),
    "n": ("columns", "width"), "kappa": ("kurtosis",), "kappa_q": ("query_kurtosis",), "kappa_k": ("key_kurtosis",),
    "q2": ("second_moment",),
}  # fmt: skip


def test_expressions_have_the_values_of_their_functions() -> None:
    """Where a statement's expression is in its numbers, putting them in gives the value."""
    checked = set()
    for statement in blocks.STATEMENTS:
        name = getattr(statement.evaluate, "__name__", "")
        assert statement.entry
        assert statement.derivation
        assert isinstance(statement.exactness, Exactness)
        if name in NUMBERS:
            numbers = NUMBERS[name]
            values = {}
            for symbol in statement.expression.free_symbols:
                letters = LETTERS.get(str(symbol), (str(symbol),))
                values[symbol] = next(numbers[letter] for letter in letters if letter in numbers)
            assert statement.at(**numbers) == pytest.approx(float(statement.expression.subs(values)), rel=1e-13), name
            checked.add(name)
    assert checked == set(NUMBERS)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dropout.second_moment(4, 1.0, 0.0), "keep=0.0"),
        (lambda: dropout.CORRELATION.at(sw2=1.0, sb2=0.0, second=1.0, keep=1.5), "keep=1.5"),
        (lambda: residual.energy([1.0], [1.0, 1.0]), "factors"),
        (lambda: residual.one_layer_factor(4, 0.5, 1.5), "positive_share=1.5"),
        (lambda: tied.twice(0), "width=0"),
        (lambda: attention.score_kurtosis(True), "dimension=True"),
        (lambda: attention.softmax([]), "logits"),
        (lambda: attention.softmax([1e308, 0.0], 10.0), "logits=inf"),
        (lambda: residual.deep_limit(1000.0), "beyond what a float"),
        (lambda: residual.energy([1e3] * 1000), "beyond what a float"),
        (lambda: attention.VARIANCE.at(dimension=3, scale=1e200), "no float holds it"),
        (lambda: residual.DEEP_LIMIT.at(total=700.0, depth=3), r"takes \(total\)"),
    ],
)
def test_bad_input(call: object, message: str) -> None:
    """The argument and its value are named."""
    with pytest.raises(TheoryError, match=message):
        call()  # type: ignore[operator]
