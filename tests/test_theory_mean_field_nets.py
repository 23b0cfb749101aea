"""Kernels and statements at infinite width against wide random nets in NumPy, which share no code with the theory.

A mean over nets of width n departs from its limit by a/n + b/n^2 + ...: with nets of widths n and 4n the combination
(4 T(4n) - T(n))/3 leaves b/(4 n^2). At n = 100 and b of order 10 that is 3e-4, well below the standard errors here, so
z-scores need no other allowance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from theory import catalogue, mean_field
from theory.net import DenseNet, Distribution
from theory.prediction import Exactness, TheoryError

Phi = Callable[[np.ndarray], np.ndarray]
TANH: tuple[Phi, Phi] = (np.tanh, lambda s: 1 / np.cosh(s) ** 2)
RELU: tuple[Phi, Phi] = (lambda s: np.maximum(s, 0), lambda s: (s > 0).astype(float))
SOFTPLUS: tuple[Phi, Phi] = (lambda s: np.log1p(np.exp(s)), lambda s: 1 / (1 + np.exp(-s)))

INPUTS = np.array([[1.0, 0.2, -0.5, 0.9], [0.8, 0.5, 0.3, -1.2], [2.0, -1.0, 0.4, 0.6]])


def draw(rng: np.random.Generator, widths: list[int], sw2: float, sb2: float) -> list[tuple[np.ndarray, np.ndarray]]:
    return [
        (rng.standard_normal((m, n)) * math.sqrt(sw2 / n), rng.standard_normal(m) * math.sqrt(sb2))
        for n, m in pairwise(widths)
    ]


def forward(layers: list[tuple[np.ndarray, np.ndarray]], x: np.ndarray, phi: Phi) -> tuple[list, list]:
    """h_1.. and x_0, x_1.. for inputs in rows."""
    h, xs = [], [x]
    for w, b in layers:
        h.append(xs[-1] @ w.T + b)
        xs.append(phi(h[-1]))
    return h, xs


def extrapolated(samples: Callable[[int], np.ndarray], n: int) -> tuple[np.ndarray, np.ndarray]:
    """(4 T(4n) - T(n))/3 and its standard error, from rows of samples (one net a row)."""
    small, large = samples(n), samples(4 * n)
    mean = (4 * large.mean(0) - small.mean(0)) / 3
    variance = 16 * large.var(0, ddof=1) / len(large) + small.var(0, ddof=1) / len(small)
    return mean, np.sqrt(variance) / 3


def cosines(t: np.ndarray) -> float:
    unit = t / np.linalg.norm(t, axis=1, keepdims=True)
    return float((unit @ unit.T)[np.triu_indices(len(t), 1)].mean())


def net(activation: str, widths: tuple[int, ...], sw2: float, sb2: float, **more: object) -> DenseNet:
    weights = tuple(Distribution("normal", sw2 / n) for n in widths[:-1])
    biases = tuple(Distribution("normal", sb2) for _ in widths[1:]) if sb2 else ()
    return DenseNet(widths, activation, weights=weights, biases=biases, **more)  # type: ignore[arg-type]


# Several inputs


@pytest.mark.entry("MF-02")
@pytest.mark.parametrize(
    ("name", "phi", "sw2", "sb2"),
    [("tanh", TANH, 2.5, 0.1), ("relu", RELU, 2.0, 0.0), ("softplus", SOFTPLUS, 1.0, 0.2)],
)
def test_correlations_of_wide_nets(name: str, phi: tuple[Phi, Phi], sw2: float, sb2: float) -> None:
    """Mean cosine by layer, inputs of different lengths; a recursion at equal lengths is seen."""
    rows = tuple(map(tuple, INPUTS.tolist()))
    wide = net(name, (4, *[1000] * 3), sw2, sb2, input=rows)
    found = []
    for layer in (1, 2, 3):
        for tensor in ("preactivation", "activation"):
            got = catalogue.lookup(wide, f"{tensor}.correlation", layer)
            assert got is not None
            assert (got[0].exactness, got[1].variance) == (Exactness.INFINITE_WIDTH, None)
            found.append(got[1].value)

    def samples(n: int) -> np.ndarray:
        rng, out = np.random.default_rng(7), []
        for _ in range(150):
            h, xs = forward(draw(rng, [4, n, n, n], sw2, sb2), INPUTS, phi[0])
            out.append([cosines(t) for pair in zip(h, xs[1:], strict=True) for t in pair])
        return np.array(out)

    mean, error = extrapolated(samples, 100)
    assert np.all(np.abs(mean - found) < 6 * error)
    assert np.all(error < 0.01)
    gram = mean_field.input_gram(INPUTS, sw2, sb2)
    gram = 20 * gram / np.sqrt(np.outer(np.diag(gram), np.diag(gram)))  # the right cosines, all lengths 20
    for _ in range(2):
        gram = sw2 * mean_field.activated(name, gram) + sb2
    assert name == "relu" or abs(mean_field.cosine(gram) - mean[4]) > 6 * error[4]  # lengths are nothing to ReLU


@pytest.mark.entry("MF-02")
def test_first_layer_correlation_by_hand() -> None:
    """(v x.y + beta)/sqrt((v x^2 + beta)(v y^2 + beta)); the cosine of the inputs is not it."""
    two = net("tanh", (4, 8), 2.0, 0.5, input=((1.0, 0.0, 1.0, 0.0), (0.0, 0.0, 1.0, 0.0)))
    got = catalogue.lookup(two, "preactivation.correlation", 1)
    assert got is not None
    assert got[1].value == pytest.approx((0.5 + 0.5) / math.sqrt(1.5 * 1.0))
    assert got[1].value != pytest.approx(1 / math.sqrt(2), rel=0.05)


def test_other_statements_refuse_several_inputs() -> None:
    """Only correlations, and the laws of weights and biases, are stated; every refusal names the inputs."""
    rows = ((1.0, 0.0), (0.5, 2.0))
    for name in ("relu", "tanh", "linear"):
        two = net(name, (2, 3, 3), 1.0, 0.1, input=rows)
        for observable, statistic in catalogue.STATEMENTS:
            for layer in catalogue.layers(observable, 2):
                got = catalogue.lookup(two, observable, layer, statistic)
                expected = observable.endswith(".correlation") or observable.split(".")[0] in ("weight", "bias")
                if not expected:
                    assert got is None, observable
                    reasons = catalogue.refusals(two, observable, layer, statistic)
                    assert any("one input" in str(reason) for reason in reasons), observable
    one = net("tanh", (2, 3), 1.0, 0.0, input=rows[0])
    assert catalogue.lookup(one, "preactivation.correlation", 1) is None
    with pytest.raises(TheoryError, match="two or more inputs"):
        mean_field.correlation("preactivation", 1).at(one)
    dead = net("tanh", (2, 3), 1.0, 0.0, input=(rows[0], (0.0, 0.0)))
    with pytest.raises(TheoryError, match="no input is 0"):
        mean_field.correlation("preactivation", 1).at(dead)
    fixed = net("tanh", (2, 3, 3), 1.0, 0.0, input=rows)
    with pytest.raises(TheoryError, match="one input"):
        _ = fixed.one_input


# Kernels


@pytest.mark.entry("MF-11")
def test_relu_kernels_by_hand() -> None:
    """Arc-cosine kernels and the NTK recursion written out; Theta(x, x) = layers * K(x, x) at (2, 0)."""
    k = mean_field.nngp("relu", INPUTS, 2.0, depth=6)
    theta = mean_field.ntk("relu", INPUTS, 2.0, depth=6)
    gram = 2.0 * INPUTS @ INPUTS.T / 4
    tangent = gram.copy()
    for layer in range(6):
        assert k[layer] == pytest.approx(gram, rel=1e-12)
        assert theta[layer] == pytest.approx(tangent, rel=1e-12)
        assert np.diag(theta[layer]) == pytest.approx((layer + 1) * np.diag(k[layer]), rel=1e-12)
        size = np.sqrt(np.outer(np.diag(gram), np.diag(gram)))
        angle = np.arccos(np.clip(gram / size, -1, 1))
        slope = (np.pi - angle) / np.pi
        gram = size * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / np.pi
        tangent = gram + slope * tangent
    assert theta[5][0, 1] != pytest.approx(6 * k[5][0, 1], rel=0.05)
    by_layer = mean_field.nngp("relu", INPUTS, [2.0, 1.0, 3.0], [0.0, 0.1, 0.2], depth=3)
    assert by_layer[2] == pytest.approx(3.0 * mean_field.activated("relu", by_layer[1]) + 0.2)
    with pytest.raises(TheoryError, match="2 values for 3 layers"):
        mean_field.nngp("relu", INPUTS, [2.0, 1.0], depth=3)


@pytest.mark.entry("MF-11")
@pytest.mark.parametrize(("name", "phi", "sw2", "sb2"), [("tanh", TANH, 1.5, 0.2), ("relu", RELU, 2.0, 0.1)])
def test_ntk_is_the_gram_of_the_jacobian(name: str, phi: tuple[Phi, Phi], sw2: float, sb2: float) -> None:
    """J J^T of a net of 3 layers with one output, J written out parameter by parameter in the NTK parametrization."""
    k = mean_field.nngp(name, INPUTS, sw2, sb2, depth=3)[-1]
    theta = mean_field.ntk(name, INPUTS, sw2, sb2, depth=3)[-1]

    def jacobian(layers: list[tuple[np.ndarray, np.ndarray]], x: np.ndarray) -> np.ndarray:
        h, xs = forward(layers, x[None], phi[0])
        delta, parts = np.ones(1), []
        for layer in (2, 1, 0):
            parts += [math.sqrt(sw2 / xs[layer].size) * np.outer(delta, xs[layer][0]).ravel(), math.sqrt(sb2) * delta]
            if layer:
                delta = (layers[layer][0].T @ delta) * phi[1](h[layer - 1][0])
        return np.concatenate(parts)

    def samples(n: int) -> np.ndarray:
        rng, out = np.random.default_rng(11), []
        for _ in range(200):
            layers = draw(rng, [4, n, n, 1], sw2, sb2)
            j = np.array([jacobian(layers, x) for x in INPUTS])
            out.append((j @ j.T)[np.triu_indices(3)])
        return np.array(out)

    mean, error = extrapolated(samples, 60)
    expected = theta[np.triu_indices(3)]
    assert np.all(np.abs(mean - expected) < 6 * error)
    assert np.all(error < 0.03 * np.diag(theta).max())
    for fault in (theta - k, k, theta / sw2):
        assert np.any(np.abs(mean - fault[np.triu_indices(3)]) > 12 * error)


# One input


@pytest.mark.entry("E1", "MF-01", "E2", "TR-03", "A24")
def test_statements_against_wide_nets() -> None:
    """Moments and ratios of a softplus net (neither odd nor homogeneous) of 3 layers, each at infinite width."""
    sw2, sb2, n_layers = 0.9, 0.3, 3
    x0 = (0.7, -0.4, 1.5, 0.2)
    wide = net("softplus", (4, *[1000] * n_layers), sw2, sb2, input=x0)
    names = [
        ("activation.mean", 3),
        ("preactivation.fourth_moment", 3),
        ("activation.fourth_moment", 2),
        ("preactivation.second_moment", 3),
        ("activation.ratio", 3),
    ]
    found = []
    for name, layer in names:
        got = catalogue.lookup(wide, name, layer)
        assert got is not None, name
        found.append(got[1].value)

    def samples(n: int) -> np.ndarray:
        rng, out = np.random.default_rng(5), []
        for _ in range(200):
            h, xs = forward(draw(rng, [4, n, n, n], sw2, sb2), np.array([x0]), SOFTPLUS[0])
            squares = [(x**2).mean() for x in xs]
            row = [xs[3].mean(), (h[2] ** 4).mean(), (xs[2] ** 4).mean(), (h[2] ** 2).mean(), squares[3] / squares[2]]
            out.append(row)
        return np.array(out)

    mean, error = extrapolated(samples, 100)
    assert np.all(np.abs(mean - found) < 6 * error)
    assert np.all(error < 0.03 * np.abs(found))
    faults = [found[3] ** 0.5, found[3] ** 2, found[1], 2 * found[3], 1 / found[4]]
    assert np.all(np.abs(mean - faults) > 6 * error)


@pytest.mark.entry("TR-03", "E2", "TR-02")
def test_weight_gradient_ratio_against_wide_nets() -> None:
    """E(dW_1)^2/E(dW_2)^2 and E(dW_2)^2/E(dW_3)^2 of a tanh net; 1, and the inverse, are seen."""
    sw2, x0 = 2.2, np.full(4, 1.2)
    wide = net("tanh", (4, *[1000] * 3), sw2, 0.0, input=tuple(x0))
    found = []
    for layer in (1, 2):
        got = catalogue.lookup(wide, "weight_gradient.ratio", layer)
        assert got is not None
        found.append(got[1].value)

    def samples(n: int) -> np.ndarray:
        rng, out = np.random.default_rng(3), []
        for _ in range(300):
            layers = draw(rng, [4, n, n, n], sw2, 0.0)
            h, xs = forward(layers, x0[None], TANH[0])
            g, energies = rng.standard_normal(n), []
            for layer in (2, 1, 0):
                delta = g * TANH[1](h[layer][0])
                energies.append((delta**2).mean() * (xs[layer] ** 2).mean())
                g = layers[layer][0].T @ delta
            out.append([energies[2] / energies[1], energies[1] / energies[0]])
        return np.array(out)

    mean, error = extrapolated(samples, 100)
    assert np.all(np.abs(mean - found) < 6 * error)
    assert np.all(np.abs(mean - 1) > 6 * error)
    q = mean_field.length_map("tanh", sw2 * 1.44, sw2, 0.0, 3)
    assert found == pytest.approx([1 / mean_field.weight_gradient_growth("tanh", s) for s in q[:2]], rel=1e-12)


@pytest.mark.entry("E1")
def test_statements_without_a_value_refuse() -> None:
    """Weights of mean not 0, biases that are not Gaussian, laws without a fourth moment: each is named."""
    uniform_bias = DenseNet(
        (4, 8, 8),
        "tanh",
        weights=(Distribution("normal", 0.25), Distribution("normal", 0.125)),
        biases=(Distribution("uniform", 0.1),) * 2,
    )
    with pytest.raises(TheoryError, match="Gaussian"):
        mean_field.activation_mean(2).at(uniform_bias)
    heavy = DenseNet(
        (4, 8, 8), "tanh", weights=(Distribution("student_t", 0.25, {"df": 3}), Distribution("normal", 0.125))
    )
    with pytest.raises(TheoryError, match="moment"):
        mean_field.fourth_moment("preactivation", 2).at(heavy)
    skewed = DenseNet((4, 8, 8), "relu", weights=(Distribution("normal", 0.25), Distribution("normal", 0.25)))
    share = catalogue.lookup(skewed, "preactivation.active_fraction", 2)
    assert share is not None
    assert share[0].exactness == Exactness.EXACT
