"""Claims of the sources that need a net, data or a batch, by a second route: fractions, quadrature, plain NumPy."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import integrate, special

from theory import activations, forward, products, sources
from theory.catalogue import lookup
from theory.identities import lsuv, normalization
from theory.net import DenseNet, Distribution
from theory.prediction import TheoryError

Array = np.ndarray


def relu(h: Array) -> Array:
    return np.maximum(h, 0)


def departure(values: Array, mean: float) -> float:
    """Standard errors between a sample's mean and a number."""
    return abs(float((values.mean() - mean) / (values.std() / math.sqrt(values.size))))


@pytest.mark.entry("A5", "A6")
def test_forward_and_backward_factors_by_simulation() -> None:
    """One linear layer 3 -> 12, 20,000 draws: factors n_in v and n_out v at Xavier; both 1 if square, at 1/n."""
    rng, count = np.random.default_rng(1), 20_000
    for into, out, v in ((3, 12, 2 / 15), (5, 5, 1 / 5)):
        a = math.sqrt(3 * v)
        w = rng.uniform(-a, a, (count, out, into))
        x, g = rng.normal(size=(count, into)), rng.normal(size=(count, out))
        ahead = np.mean(np.einsum("cij,cj->ci", w, x) ** 2, axis=1)
        back = np.mean(np.einsum("cij,ci->cj", w, g) ** 2, axis=1)
        if into != out:
            f, b = (float(factor) for factor in products.xavier_factors(into, out))
            assert departure(ahead, 1) > 6 < departure(back, 1)  # "unaffected" by n_in, n_out
        else:
            f = b = 1.0
        assert departure(ahead, f) < 5
        assert departure(back, b) < 5
    assert integrate.quad(lambda w: w**2 / (2 * a), -a, a)[0] == pytest.approx(1 / 5, rel=1e-12)


@pytest.mark.entry("A10", "NC-2", "TR-05")
@pytest.mark.parametrize("slope", [1.0, 0.0])
def test_torch_linear(slope: float) -> None:
    """The recursion in fractions is the catalogue's; its floor; and U(-1/sqrt n, 1/sqrt n) drawn, not of unit gain."""
    n, depth = 6, 12
    law = Distribution("uniform", 1 / (3 * n))
    name = "linear" if slope == 1 else "relu"
    net = DenseNet(
        (n,) * (depth + 1), activations.get(name), weights=(law,) * depth, biases=(law,) * depth, input=(2.0,) * n
    )
    q = Fraction(4)
    for layer in range(1, depth + 1):
        q = q / (3 if layer == 1 or slope == 1 else 6) + Fraction(1, 3 * n)
        found = lookup(net, "preactivation.second_moment", layer)
        assert found is not None
        assert found[1].value == pytest.approx(float(q), rel=1e-12)
    floor = Fraction(1, 2 * n) if slope == 1 else Fraction(2, 5 * n)
    assert float(q) == pytest.approx(float(floor), rel=1e-3)
    rng, bound, values = np.random.default_rng(2), 1 / math.sqrt(n), np.full((20_000, n), 2.0)
    for layer in (1, 2, 3):
        w, b = rng.uniform(-bound, bound, (20_000, n, n)), rng.uniform(-bound, bound, (20_000, n))
        values = np.einsum("cij,cj->ci", w, values if layer == 1 else np.where(values > 0, values, slope * values)) + b
    found = lookup(net, "preactivation.second_moment", 3)
    assert found is not None
    drawn = np.mean(values**2, axis=1)
    assert departure(drawn, found[1].value) < 5
    assert departure(drawn, sources.torch_linear_as_unit_gain(3).at(net).value) > 20


@pytest.mark.entry("A16")
def test_gain_holds_at_every_scale_for_homogeneous_activations_alone() -> None:
    """V(q)/q by quadrature is (1+a^2)/2 at every q for leaky ReLU; for tanh it varies."""

    def ratio(phi: object, q: float) -> float:
        return integrate.quad(
            lambda z: phi(math.sqrt(q) * z) ** 2 * math.exp(-z * z / 2) / math.sqrt(2 * math.pi) / q,  # type: ignore[operator]
            -12,
            12,
            points=[0],
        )[0]

    for a in (0.0, 0.3, 1.0):
        for q in (1e-3, 1.0, 40.0):
            assert ratio(lambda s, a=a: s if s > 0 else a * s, q) == pytest.approx((1 + a * a) / 2, rel=1e-9)
        weights = (Distribution("normal", 2 / ((1 + a * a) * 8)),) * 5
        net = DenseNet((8,) * 6, activations.get("leaky_relu", {"negative_slope": a}), weights=weights)
        found = lookup(net, "preactivation.second_moment", 5)
        assert found is not None
        assert forward.kept_from_layer(1, 5).at(net).value == pytest.approx(found[1].value, rel=1e-12)
    assert ratio(math.tanh, 1.0) < 0.8 * ratio(math.tanh, 0.1)


@pytest.mark.entry("A24")
def test_relu_keeps_the_mean_and_loses_the_typical_norm() -> None:
    """He, width 20, 30 layers: half of the units on; E log falls by 5/(2n) + 49/(12 n^2) a layer, not by 0."""
    rng, n, depth, count = np.random.default_rng(3), 20, 30, 4000
    logs, active = np.zeros(count), []
    for _ in range(depth):
        h = rng.normal(0, math.sqrt(2 / n), (count, n))  # h given |x| = 1
        active.append(np.mean(h > 0, axis=1))
        logs += np.log(np.sum(relu(h) ** 2, axis=1))
    assert departure(np.concatenate(active), 0.5) < 5
    expected = -depth * (5 / (2 * n) + 49 / (12 * n**2))
    assert departure(logs, expected) < 5  # the next term, of order n^-3, is below the error
    assert departure(logs, 0.0) > 20
    share = special.binom(n, np.arange(n + 1)) @ np.arange(n + 1) / 2**n / n
    assert share == pytest.approx(0.5, rel=1e-14)


@pytest.mark.entry("A28", "OR-09")
def test_orthogonal_layers_keep_norms_at_depth() -> None:
    """300 orthogonal layers keep |x| and |g| to rounding; 300 Gaussian ones of the same variance do not."""
    rng, n = np.random.default_rng(4), 12
    x = rng.normal(size=n)
    kept, lost, back = x, x, x
    for _ in range(300):
        gaussian = rng.normal(0, 1 / math.sqrt(n), (n, n))
        q, _ = np.linalg.qr(gaussian)
        kept, back, lost = q @ kept, q.T @ back, gaussian @ lost
    assert np.linalg.norm(kept) == pytest.approx(np.linalg.norm(x), rel=1e-12)
    assert np.linalg.norm(back) == pytest.approx(np.linalg.norm(x), rel=1e-12)
    assert abs(math.log(np.linalg.norm(lost) / np.linalg.norm(x))) > 1


@pytest.mark.entry("A23", "TR-08")
def test_normalized_training_data_in_fractions() -> None:
    """Mean squares after the snippets, exactly; 1 is wrong by 1/m."""
    data = [[Fraction(k * k + j * k, 1 + j) for j in range(3)] for k in range(5)]

    def mean_square(numbers: list[Fraction]) -> Fraction:
        centre = sum(numbers) / len(numbers)
        variance = sum((x - centre) ** 2 for x in numbers) / (len(numbers) - 1)
        return sum((x - centre) ** 2 for x in numbers) / variance / len(numbers)

    columns = [mean_square([row[j] for row in data]) for j in range(3)]
    assert set(columns) == {normalization.training_mean_square(5, 3, by_component=True)} == {Fraction(4, 5)}
    whole = mean_square([x for row in data for x in row])
    assert whole == normalization.training_mean_square(5, 3, by_component=False) == Fraction(14, 15)
    with pytest.raises(TheoryError, match="two numbers"):
        normalization.training_mean_square(1, 3, by_component=True)
    assert normalization.constant_components(np.array([[1.0, 0.0], [2.0, 0.0]])) == [1]


@pytest.mark.entry("TR-08")
def test_unseen_data_are_not_at_one() -> None:
    """Gaussian samples, m = 8, 200,000 draws: (m^2-1)/(m(m-3)) within |z| < 5; 1 and (m-1)/m are refuted."""
    rng, m = np.random.default_rng(12), 8
    train, test = rng.normal(3.0, 2.0, (200_000, m)), rng.normal(3.0, 2.0, 200_000)
    squares = ((test - train.mean(axis=1)) / train.std(axis=1, ddof=1)) ** 2
    error = squares.std() / math.sqrt(squares.size)
    assert abs(squares.mean() - float(normalization.unseen_mean_square(m))) < 5 * error
    assert all(abs(squares.mean() - wrong) > 5 * error for wrong in (1.0, (m - 1) / m))
    with pytest.raises(TheoryError, match="samples=3"):
        normalization.unseen_mean_square(3)


@pytest.mark.entry("A26", "TR-07")
def test_lsuv() -> None:
    """One pass: preactivations for every phi, activations for relu; tanh's never reach 1, elu's do by iteration."""
    rng = np.random.default_rng(13)
    w, batch = rng.normal(size=(6, 4)), rng.normal(1.0, 2.0, (50, 4))
    assert np.std(batch @ lsuv.one_pass(w, batch).T) == pytest.approx(1, rel=1e-13)
    assert np.std(relu(batch @ lsuv.one_pass(w, batch, relu).T)) == pytest.approx(1, rel=1e-13)

    def elu(h: Array) -> Array:
        return np.where(h > 0, h, np.expm1(np.minimum(h, 0)))

    assert abs(np.std(elu(batch @ lsuv.one_pass(w, batch, elu).T)) - 1) > 1e-3
    scaled, saturated = w, w
    for _ in range(60):
        scaled, saturated = lsuv.one_pass(scaled, batch, elu), lsuv.one_pass(saturated, batch, np.tanh)
    assert np.std(elu(batch @ scaled.T)) == pytest.approx(1, rel=1e-10)
    assert np.std(np.tanh(batch @ saturated.T)) < 1
    assert not lsuv.within_reach(-1, 1)
    with pytest.raises(TheoryError, match="standard deviation"):
        lsuv.one_pass(np.zeros((1, 4)), batch)
