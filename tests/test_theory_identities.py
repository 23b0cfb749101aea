"""Identities draw by draw, by a second route: finite differences, exact fractions, enumeration."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, pairwise, product

import numpy as np
import pytest
import sympy as sp
from scipy import integrate

from theory import forward, identities
from theory.identities import chain_rule, homogeneous, product_variance, profiles, singular_values
from theory.identities import sigmoid as sigmoid_bounds
from theory.prediction import Exactness, TheoryError

Array = np.ndarray
STEP = 1e-5

PHI: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "tanh": (np.tanh, lambda h: 1 - np.tanh(h) ** 2),
    "relu": (lambda h: np.maximum(h, 0), lambda h: (h > 0).astype(float)),
    "leaky": (lambda h: np.where(h > 0, h, 0.3 * h), lambda h: np.where(h > 0, 1.0, 0.3)),
    "sigmoid": (lambda h: 1 / (1 + np.exp(-h)), lambda h: 1 / (4 * np.cosh(h / 2) ** 2)),
}


@dataclass(frozen=True)
class Pass:
    """One forward and one backward pass, written out."""

    weights: list[Array]
    biases: list[Array]
    h: list[Array]
    x: list[Array]
    g: list[Array]
    delta: list[Array]

    @property
    def weight_gradients(self) -> list[Array]:
        return [np.outer(d, x) for d, x in zip(self.delta, self.x[:-1], strict=True)]


def run(phi: str, widths: tuple[int, ...], seed: int, biases: float = 0.0) -> Pass:
    rng = np.random.default_rng(seed)
    f, slope = PHI[phi]
    weights = [rng.normal(0, 1 / math.sqrt(n), (m, n)) for n, m in pairwise(widths)]
    b = [rng.normal(0, 1, m) * biases for m in widths[1:]]
    h, x = [], [rng.normal(0, 1, widths[0])]
    for w, c in zip(weights, b, strict=True):
        h.append(w @ x[-1] + c)
        x.append(f(h[-1]))
    g, delta = [rng.normal(0, 1, widths[-1])], []
    for w, one in zip(reversed(weights), reversed(h), strict=True):
        delta.insert(0, slope(one) * g[0])
        g.insert(0, w.T @ delta[0])
    return Pass(weights, b, h, x, g, delta)


def last_preactivation(done: Pass, weights: list[Array], phi: str) -> Array:
    x = done.x[0]
    for w, b in zip(weights, done.biases, strict=True):
        h = w @ x + b
        x = PHI[phi][0](h)
    return h


def differences(done: Pass, layer: int, phi: str) -> Array:
    """dh_L/dW_l by central differences, (N_L, N_l, N_{l-1})."""
    shape = done.weights[layer - 1].shape
    found = np.empty((done.h[-1].size, *shape))
    for i, j in np.ndindex(shape):
        ends = []
        for sign in (1, -1):
            moved = [w.copy() for w in done.weights]
            moved[layer - 1][i, j] += sign * STEP
            ends.append(last_preactivation(done, moved, phi))
        found[:, i, j] = (ends[0] - ends[1]) / (2 * STEP)
    return found


@pytest.mark.entry("A1")
@pytest.mark.parametrize("layer", [1, 2, 3])
def test_weight_derivative_is_a_product_of_jacobians(layer: int) -> None:
    """L - l factors give the central differences to 1e-8; one more, as printed, does not fit or is off."""
    done = run("tanh", (3, 4, 4, 4), seed=layer, biases=1.0)
    slopes = [PHI["tanh"][1](h) for h in done.h]
    by_rule = chain_rule.weight_derivative(done.weights, slopes, done.x[layer - 1], layer)
    measured = differences(done, layer, "tanh")
    assert np.abs(by_rule - measured).max() < 1e-8
    assert len(chain_rule.jacobian_labels(layer, 3)) == 3 - layer
    if layer > 1:  # M_l as printed: a factor too many
        extra = chain_rule.output_jacobian(done.weights, slopes, layer - 1)
        printed = np.multiply.outer(extra, done.x[layer - 1])
        assert np.abs(printed - measured).max() > 0.1


@pytest.mark.entry("A1")
def test_no_weights_outside_the_net() -> None:
    """Layers that do not exist are refused."""
    with pytest.raises(TheoryError, match="layers 1 to 3"):
        chain_rule.jacobian_labels(4, 3)


@pytest.mark.entry("A8")
def test_slope_in_the_backward_pass_is_that_of_the_layer_behind() -> None:
    """By central differences of <g_L, x_L> in x_l; with the slope of layer l it is off, or does not even fit."""
    done = run("tanh", (4, 5, 5, 3), seed=5, biases=0.5)
    loss = done.g[-1]

    def value(layer: int, x: Array) -> float:
        for w, b in zip(done.weights[layer:], done.biases[layer:], strict=True):
            x = np.tanh(w @ x + b)
        return float(loss @ x)

    for layer in (0, 1, 2):
        slope = PHI["tanh"][1](done.h[layer])
        mine = chain_rule.gradient_before(done.weights[layer], slope, done.g[layer + 1])
        moves = STEP * np.eye(done.x[layer].size)
        measured = [(value(layer, done.x[layer] + m) - value(layer, done.x[layer] - m)) / (2 * STEP) for m in moves]
        assert np.abs(mine - measured).max() < 1e-8
        if layer == 1:
            printed = done.weights[1].T @ (PHI["tanh"][1](done.h[0]) * done.g[2])
            assert np.abs(printed - measured).max() > 1e-2
    with pytest.raises(TheoryError, match="5 slopes for a gradient of 3"):
        chain_rule.gradient_before(done.weights[2], PHI["tanh"][1](done.h[1]), done.g[3])


@pytest.mark.entry("A2")
def test_eigenvalues_bound_nothing() -> None:
    """Exactly, in integers: the spectra of A and A^T are {0}, that of A A^T is {4, 0}."""
    a = sp.Matrix(singular_values.NILPOTENT)
    assert a.eigenvals() == a.T.eigenvals() == {0: 2}
    assert (a * a.T).eigenvals() == {4: 1, 0: 1}


def compound(matrix: Array, k: int) -> Array:
    """All minors of order k."""
    sets = list(combinations(range(matrix.shape[0]), k))
    return np.array([[np.linalg.det(matrix[np.ix_(i, j)]) for j in sets] for i in sets])


@pytest.mark.entry("A2")
def test_horn_by_compound_matrices() -> None:
    """The norm of the compound of AB is the product of its k largest singular values, and within the bound."""
    rng = np.random.default_rng(4)
    for _ in range(50):
        a, b = rng.normal(size=(2, 4, 4))
        sa, sb = (list(np.linalg.svd(m, compute_uv=False)) for m in (a, b))
        bounds = singular_values.horn_bounds(sa, sb)
        for k in (1, 2, 3, 4):
            assert np.linalg.norm(compound(a @ b, k), 2) <= bounds[k - 1] * (1 + 1e-10)
        assert abs(np.linalg.det(a @ b)) == pytest.approx(bounds[-1], rel=1e-9)
    with pytest.raises(TheoryError, match="square"):
        singular_values.horn_bounds([1.0], [1.0, 2.0])


@pytest.mark.entry("A2")
def test_horn_catches_eigenvalues() -> None:
    """With eigenvalues for singular values the bound fails on the nilpotent matrix."""
    a = np.array(singular_values.NILPOTENT, dtype=float)
    moduli = [list(np.abs(np.linalg.eigvals(m))) for m in (a, a.T)]
    assert np.linalg.norm(a @ a.T, 2) > singular_values.horn_bounds(*moduli)[0]


@pytest.mark.entry("A27")
def test_conditioning_neither_needed_nor_enough() -> None:
    """100 projectors keep a part of a gradient; 100 layers of condition 1 keep nothing; a saturated chain all."""
    rng = np.random.default_rng(6)
    u, g = rng.normal(size=(2, 5))
    layer = np.outer(u, u) / (u @ u)
    left = g
    for _ in range(100):
        left = layer.T @ left
    assert np.allclose(left, singular_values.kept_by_projectors(u, g, 100), rtol=1e-12)
    assert np.linalg.norm(left) > 0.1
    assert np.linalg.cond(0.2 * np.eye(5)) == pytest.approx(1.0)
    assert 0.2**100 < 1e-60
    x = 1 / (1 + math.exp(-4.0))
    assert (x * (1 - x) * 4 * math.cosh(2) ** 2) ** 100 == pytest.approx(1, abs=1e-12)


def moments(a: tuple[Fraction, ...], b: tuple[Fraction, ...], independent: bool) -> tuple[Fraction, ...]:
    """E A, E B, V A, V B, Cov, Cov of squares, V(AB) over equally likely pairs."""
    pairs = list(product(a, b)) if independent else list(zip(a, b, strict=True))

    def mean(f: Callable[[Fraction, Fraction], Fraction]) -> Fraction:
        return sum((f(x, y) for x, y in pairs), Fraction(0)) / len(pairs)

    ea, eb, ea2, eb2 = mean(lambda x, y: x), mean(lambda x, y: y), mean(lambda x, y: x * x), mean(lambda x, y: y * y)
    eab, eab2 = mean(lambda x, y: x * y), mean(lambda x, y: x * x * y * y)
    return ea, eb, ea2 - ea**2, eb2 - eb**2, eab - ea * eb, eab2 - ea2 * eb2, eab2 - eab**2


@pytest.mark.entry("A3")
def test_variance_of_a_product_in_fractions() -> None:
    """Independent and dependent laws, exactly; without the covariances A = B is wrong."""
    a, b = (Fraction(1), Fraction(-2), Fraction(5, 3)), (Fraction(1, 2), Fraction(7), Fraction(-1))
    for other, independent in ((b, True), (b, False), (a, False)):
        ea, eb, va, vb, cov, cov2, truth = moments(a, other, independent)
        assert product_variance.variance_of_dependent_product((ea, eb), (va, vb), cov, cov2) == truth
        plain = forward.variance_of_product(ea, va, eb, vb)
        assert (plain == truth) is independent
    uncorrelated = (Fraction(0), Fraction(1), Fraction(-1)), (Fraction(1), Fraction(0), Fraction(0))
    *_, cov, cov2, _ = moments(*uncorrelated, False)
    assert cov == 0 != cov2  # uncorrelated alone is not enough


@pytest.mark.entry("A13")
@pytest.mark.parametrize("phi", ["relu", "leaky"])
def test_euler(phi: str) -> None:
    """<W_l, dW_l> = <g_L, x_L> in every layer, to rounding; off with biases and for tanh."""
    done = run(phi, (6, 8, 5, 7), seed=8)
    whole = float(done.g[-1] @ done.x[-1])
    products = homogeneous.euler_products(done.weights, done.weight_gradients)
    assert products == pytest.approx([whole] * 3, rel=1e-12)
    for other in (run(phi, (6, 8, 5, 7), 8, biases=1.0), run("tanh", (6, 8, 5, 7), 8)):
        spread = homogeneous.euler_products(other.weights, other.weight_gradients)
        assert max(spread) - min(spread) > 1e-2


@pytest.mark.entry("A13")
def test_euler_is_the_derivative_by_a_scale() -> None:
    """<W_l, dW_l> against the difference quotient of the loss in a scale of W_l, relu."""
    done = run("relu", (6, 8, 5, 7), seed=8)
    for layer in (1, 2, 3):
        ends = []
        for c in (1 + STEP, 1 - STEP):
            weights = [w * (c if k == layer else 1.0) for k, w in enumerate(done.weights, start=1)]
            ends.append(float(done.g[-1] @ PHI["relu"][0](last_preactivation(done, weights, "relu"))))
        measured = (ends[0] - ends[1]) / (2 * STEP)
        assert homogeneous.euler_products(done.weights, done.weight_gradients)[layer - 1] == pytest.approx(
            measured, rel=1e-8
        )


@pytest.mark.entry("SY-07")
@pytest.mark.parametrize("phi", ["relu", "leaky"])
def test_units_balance(phi: str) -> None:
    """In = out at each unit of each hidden layer, biases included, to rounding; off for tanh."""
    for name, holds in ((phi, True), ("tanh", False)):
        done = run(name, (6, 8, 5, 7), seed=9, biases=0.7)
        d = done.weight_gradients
        for k in (0, 1):
            left = homogeneous.unit_imbalance(
                done.weights[k], d[k], done.biases[k], done.delta[k], done.weights[k + 1], d[k + 1]
            )
            assert bool(np.abs(left).max() < 1e-12) is holds


@pytest.mark.entry("A23")
def test_scale_passes_through_homogeneous_nets() -> None:
    """A power of 2 passes bitwise through relu; not through tanh."""
    for phi, holds in (("relu", True), ("tanh", False)):
        done = run(phi, (6, 8, 5, 7), seed=10)
        scaled = Pass(done.weights, done.biases, [], [8.0 * done.x[0]], [], [])
        ends = [last_preactivation(p, p.weights, phi) for p in (done, scaled)]
        assert np.array_equal(8 * ends[0], ends[1]) is holds


def exact_gradients(widths: tuple[int, ...], variances: list[Fraction]) -> list[Fraction]:
    """V(dW_l) of a linear net of signs times sqrt(v), unit input and output gradient, by counting paths."""
    depth = len(widths) - 1
    found = []
    for l in range(1, depth + 1):
        signal = math.prod((widths[q - 1] * variances[q - 1] for q in range(1, l)), start=Fraction(1))
        back = math.prod((widths[q] * variances[q - 1] for q in range(l + 1, depth + 1)), start=Fraction(1))
        found.append(signal * back)
    return found


@pytest.mark.entry("A13")
def test_profiles_in_fractions() -> None:
    """V(dW_l) by signal times gradient, forward and backward products apart, has the stated profile."""
    widths, v = (4, 16, 9, 25), [Fraction(1, 3), Fraction(2, 7), Fraction(1, 5)]
    exact = exact_gradients(widths, v)
    profile = profiles.entry_profile(widths, [float(x) for x in v])
    assert [float(e) / p for e, p in zip(exact, profile, strict=True)] == pytest.approx(
        [float(exact[0]) / profile[0]] * 3
    )
    equal = exact_gradients(widths, [Fraction(7, widths[k] * widths[k + 1]) for k in range(3)])
    assert len(set(equal)) == 1
    assert profiles.equal_entry_variances(widths, 7.0) == pytest.approx(
        [7 / (widths[k] * widths[k + 1]) for k in range(3)]
    )
    roots = [Fraction(1, math.isqrt(widths[k] * widths[k + 1])) for k in range(3)]  # widths are squares
    assert profiles.equal_update_variances(widths) == [float(r) for r in roots]
    assert len({e / r for e, r in zip(exact_gradients(widths, roots), roots, strict=True)}) == 1  # |dW|^2/|W|^2
    assert len(set(exact_gradients(widths, [Fraction(1, widths[k]) for k in range(3)]))) == 3  # 1/fan_in does not


@pytest.mark.entry("A13", "TR-06")
def test_update_profile_by_enumeration() -> None:
    """All 2^12 linear nets of signs, widths 2-3-2: means of |dW_l|^2 over |W_l|^2 have the stated ratio."""
    v = (0.5, 0.3)
    first = np.array(list(product((-1.0, 1.0), repeat=6))).reshape(-1, 3, 2) * math.sqrt(v[0])
    second = np.array(list(product((-1.0, 1.0), repeat=6))).reshape(-1, 2, 3) * math.sqrt(v[1])
    x, g = np.array([1.0, -2.0]), np.array(list(product((-1.0, 1.0), repeat=2)))
    back = np.einsum("bji,gj->bgi", second, g)
    one = np.mean(np.sum(back**2, axis=2)) * (x @ x)
    two = np.mean(np.sum((first @ x) ** 2, axis=1)) * 2
    ratios = np.array([one / (6 * v[0]), two / (6 * v[1])])
    profile = np.array(profiles.update_profile((2, 3, 2), v))
    assert ratios[0] / ratios[1] == pytest.approx(profile[0] / profile[1], rel=1e-12)
    assert ratios[0] / ratios[1] != pytest.approx(v[1] / v[0], rel=1e-2)


@pytest.mark.entry("A22")
@pytest.mark.parametrize("slope", [1.0, 0.0])
def test_fixed_defaults_fit_one_width(slope: float) -> None:
    """The factor is that of the catalogue's second moments, 1 at the stationary width; variances by quadrature."""
    uniform = integrate.quad(lambda w: w**2 / 0.14, -0.07, 0.07)[0]
    assert profiles.MXNET_DEFAULTS["uniform"] == pytest.approx(uniform, rel=1e-12)
    for v in profiles.MXNET_DEFAULTS.values():
        width = profiles.stationary_width(v, slope)
        below, above = math.floor(width), math.ceil(width + 1e-9)
        assert profiles.layer_factor(below, v, slope) <= 1 + 1e-12 < profiles.layer_factor(above + 1, v, slope)
        half = integrate.quad(lambda z: (z if z > 0 else slope * z) ** 2 * math.exp(-z * z / 2), -12, 12, points=[0])[0]
        assert profiles.layer_factor(100, v, slope) == pytest.approx(100 * v * half / math.sqrt(2 * math.pi), rel=1e-9)


@pytest.mark.entry("TR-06")
def test_layerwise_rates_fix_relative_steps() -> None:
    """Each layer moves by eta of its norm; one rate for all does not; a dead layer is refused."""
    done = run("relu", (6, 8, 5, 7), seed=11)
    rates = profiles.layerwise_rates(done.weights, done.weight_gradients, 0.01)
    pairs = list(zip(done.weights, done.weight_gradients, strict=True))
    moved = [float(np.linalg.norm(r * d) / np.linalg.norm(w)) for r, (w, d) in zip(rates, pairs, strict=True)]
    assert moved == pytest.approx([0.01] * 3, rel=1e-13)
    assert np.ptp([np.linalg.norm(d) / np.linalg.norm(w) for w, d in pairs]) > 0.1
    with pytest.raises(TheoryError, match="layer 2 is 0"):
        profiles.layerwise_rates([np.ones((1, 1))] * 2, [np.ones((1, 1)), np.zeros((1, 1))], 0.01)


@pytest.mark.entry("A17")
def test_sigmoid_bounds() -> None:
    """The slope by differences of 1/(1+e^-x) is within its bounds; every draw within smax/4; at 1/5 none is."""
    x = np.linspace(-12, 12, 241)
    f = PHI["sigmoid"][0]
    measured = (f(x + STEP) - f(x - STEP)) / (2 * STEP)
    for one, value in zip(x, measured, strict=True):
        low, high = sigmoid_bounds.slope_bounds(float(one))
        assert low - 1e-10 <= value <= high + 1e-10
    h = np.array([0.0, 1e-4, -1e-4])  # the bound is attained at the centre
    w = np.diag([1.0, 2.0, 3.0])
    g = np.array([0.0, 0.0, 2.0])
    left = np.linalg.norm(w.T @ (PHI["sigmoid"][1](h) * g))
    assert left <= sigmoid_bounds.gradient_bound(3.0, 2.0) < left * (1 + 1e-6)
    assert left > sigmoid_bounds.gradient_bound(3.0, 2.0) * 4 / 5
    assert sigmoid_bounds.gradient_bound(1.0, 1.0, edge=4.0) == pytest.approx(float(PHI["sigmoid"][1](np.array(4.0))))


@pytest.mark.entry("A17", "TR-01")
def test_energy_bound_of_sigmoid_layers() -> None:
    """E sigma'(sqrt q z)^2 <= 1/16 by quadrature, with equality as q -> 0 alone."""
    for q in (1e-8, 0.3, 5.0):
        energy = integrate.quad(
            lambda z, q=q: PHI["sigmoid"][1](np.sqrt(q) * z) ** 2 * math.exp(-z * z / 2) / math.sqrt(2 * math.pi),
            -12,
            12,
        )[0]
        assert energy <= sigmoid_bounds.energy_bound(1.0) * (1 + 1e-12)
    assert energy < 0.8 / 16


def test_records_are_complete() -> None:
    """Every statement has steps and a known entry; false claims are named where the entry refutes one."""
    for statement in identities.IDENTITIES:
        assert statement.derivation
        assert statement.exactness in (Exactness.EXACT, Exactness.BOUND)
        assert statement.derivation[0].count("$") % 2 == 0
    assert {"A1", "A2", "A8", "A13", "A17", "A19", "A22", "A26", "A27"} <= {
        s.entry for s in identities.IDENTITIES if s.false_as_stated
    }
    assert not identities.of_entry("no such entry")


def test_modules_say_what_they_hold() -> None:
    """The entries of a module's records are those of its first line."""
    for name in ("chain_rule", "dropout", "regression", "symmetry", "normalization", "product_variance"):
        module = importlib.import_module(f"theory.identities.{name}")
        assert all(s.entry in (module.__doc__ or "") for s in module.IDENTITIES)
