"""E5, E6, E7: energies of gradients against the explicit recursion, the tangent chain, and full nets with backprop."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import numpy.typing as npt
import pytest

from theory import activations, catalogue
from theory.corrections import gradients, hidden_layer, signal, tangents
from theory.corrections.integrals import integrals
from theory.corrections.signal import signal_of
from theory.net import DenseNet, Distribution
from theory.prediction import Exactness, TheoryError

Array = npt.NDArray[np.float64]
LIMIT = 6.0
BIAS = 0.05

PHI = {
    "tanh": (np.tanh, lambda s: 1 - np.tanh(s) ** 2),
    "hardtanh": (lambda s: np.clip(s, -1, 1), lambda s: (np.abs(s) < 1) * 1.0),
    "elu": (lambda s: np.where(s > 0, s, np.expm1(np.minimum(s, 0))), lambda s: np.exp(np.minimum(s, 0))),
    "linear": (lambda s: s, np.ones_like),
}


def network(widths: tuple[int, ...], name: str, sw2: float, output: str | None = None, **rest: object) -> DenseNet:
    weights = tuple(Distribution("normal", sw2 / n) for n in widths[:-1])
    biases = tuple(Distribution("normal", BIAS) for _ in weights)
    return DenseNet(widths, name, weights=weights, biases=biases, output_activation=output, **rest)  # type: ignore[arg-type]


NETS = {
    "tanh": network((10, 24, 16, 32, 24), "tanh", 1.6, input=(1.0,) * 10),
    "elu, linear output": network((16, 48, 64, 10), "elu", 0.6, "linear", input=(1.0,) * 16),
    "hardtanh, random input": network(
        (48, 32, 40, 32),
        "hardtanh",
        1.4,
        input=Distribution("uniform", 1.0),
        output_gradient=Distribution("uniform", 2.0),
    ),
}


def explicit(net: DenseNet, layer: int, B: float) -> tuple[float, float]:
    """(c, dc) at the output by the recursion of E6 as printed, with E z^2 phi'^2 by quadrature."""
    c, dc, C = 1.0, 0.0, 0.0
    for k in range(layer, net.depth + 1):
        at, n, phi = signal_of(net, k), net.widths[k], net.phi(k)
        q, eps, K = at.q, at.shift[0], at.scatter[0]
        s = n * (net.weight(k + 1).variance or 0.0) if k < net.depth else 1.0
        chi, dchi, ddchi = (
            s * phi.derivative_second_moment(q).value,
            s * phi.derivative_second_moment_slope(q).value,
            s * phi.derivative_second_moment_slope(q, 2).value,
        )
        tied = s * phi.gaussian_mean(lambda h, y, d, q=q: h**2 / q * d**2, q).value - chi
        dV, both = s * phi.second_moment_slope(q).value, phi.gaussian_mean(lambda h, y, d: y**2 * d**2, q).value
        V, D = phi.second_moment(q).value, phi.derivative_second_moment(q).value
        dc, C, B, c = (
            chi * dc + dchi * C + c * (dchi * eps + ddchi * K / 2) + B / q * tied,
            dV * (chi * C + c * dchi * K) + s**2 / n * c * (both - V * D),
            dV**2 * B + s**2 / n * c * both,
            chi * c,
        )
    return c, dc


@pytest.mark.entry("E6")
@pytest.mark.parametrize("name", NETS)
def test_moments_of_tangents_against_the_explicit_recursion(name: str) -> None:
    """The first two orders of the moment recursion are those of E6, from every layer, tied and not; B matters."""
    net = NETS[name]
    for layer in range(1, net.depth + 1):
        at, before = signal_of(net, layer), net.widths[layer - 1]
        for tied in (None, before):
            found = tangents.output_mean(net, tangents.start(at, BIAS, tied_to=tied), layer)
            c, dc = explicit(net, layer, 0.0 if tied is None else (at.q - BIAS) / before)
            assert found[0] == pytest.approx(c, rel=1e-9)
            assert found[1] == pytest.approx(dc, rel=1e-8, abs=1e-12)
        if net.phi(layer).slope is None:
            assert explicit(net, layer, 0.0)[1] != pytest.approx(dc, rel=1e-3)


@pytest.mark.entry("E7")
def test_weighted_start_is_the_printed_formula() -> None:
    """(q - sb2)(c + dc) + eps c + K dc/dq, with dc/dq by differences of the whole orbit."""
    net = NETS["tanh"]

    def c_at(q: float, layer: int) -> float:
        c = 1.0
        for k in range(layer, net.depth + 1):
            I = integrals(net.phi(k), q)
            s = net.widths[k] * (net.weight(k + 1).variance or 0.0) if k < net.depth else 1.0
            c, q = s * I.D[0] * c, s * I.V[0] + BIAS
        return float(c)

    for layer in range(1, 5):
        at = signal_of(net, layer)
        c, dc = explicit(net, layer, 0.0)
        slope = (c_at(at.q + 1e-5, layer) - c_at(at.q - 1e-5, layer)) / 2e-5
        first = (at.q - BIAS) * dc + at.shift[0] * c + at.scatter[0] * slope
        found = tangents.output_mean(net, tangents.start(at, BIAS, weighted=True), layer)
        assert found[0] == pytest.approx((at.q - BIAS) * c, rel=1e-9)
        assert found[1] == pytest.approx(first, rel=1e-6)
        assert tangents.output_scatter(net, layer, 0.0).slope == pytest.approx(slope, rel=1e-6)


def tangent_chain(net: DenseNet, count: int, seed: int) -> tuple[Array, Array]:
    """Given (G, T, beta) draw pairs (h, t); from layer 1 of a fixed input, a random direction, T = 1. Returns T, G."""
    rng, n0 = np.random.default_rng(seed), net.widths[0]
    f, df = PHI[str(net.activation)]
    G = np.full(count, signal_of(net, 1).q)
    u = rng.standard_normal((count, n0))
    T, beta = np.ones(count), np.sqrt(G - BIAS) * u[:, 0] / np.sqrt((u**2).sum(axis=1))
    for k in range(1, net.depth + 1):
        z, xi = rng.standard_normal((2, count, net.widths[k]))
        h = np.sqrt(G)[:, None] * z
        t = (beta / np.sqrt(G))[:, None] * z + np.sqrt(T - beta**2 / G)[:, None] * xi
        s = net.widths[k] * (net.weight(k + 1).variance or 0.0) if k < net.depth else 1.0
        x, d = f(h), df(h) * t
        G, T, beta = s * (x**2).mean(1) + BIAS, s * (d**2).mean(1), s * (x * d).mean(1)
    return T, G


@pytest.mark.entry("E6")
def test_next_order_against_the_tangent_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """At n = 6 the sum with the 1/n^2 term beats the stated value, which beats infinite width; 2 10^6 chains."""
    monkeypatch.setattr(signal, "LARGEST_SCATTER", 1.0)  # narrower than the gate lets through, to see the rest
    net = network((6, 6, 6, 6, 6), "elu", 1.2, input=(0.8,) * 6)
    at = signal_of(net, 1)
    found = tangents.output_mean(net, tangents.start(at, BIAS, tied_to=6), 1)
    sample = np.concatenate([tangent_chain(net, 200_000, seed)[0] for seed in range(10)])
    error = sample.std() / math.sqrt(sample.size)
    gaps = [abs(sample.mean() - found[: k + 1].sum()) for k in range(3)]
    assert gaps[0] > 40 * error  # without the 1/n term
    assert gaps[1] > LIMIT * error  # without the 1/n^2 term
    assert gaps[2] < LIMIT * error + abs(found[2]) / 2
    assert gaps[2] < gaps[1] / 2


def backprop(net: DenseNet, count: int, seed: int) -> dict[tuple[str, int], Array]:
    """Mean squares of every gradient of `count` full nets, matrices and all."""
    rng, depth, widths = np.random.default_rng(seed), net.depth, net.widths
    if isinstance(net.input, Distribution):
        x = rng.uniform(-math.sqrt(3), math.sqrt(3), (count, widths[0])) * math.sqrt(net.input.variance or 0.0)
    else:
        x = np.broadcast_to(np.array(net.input), (count, widths[0]))
    xs, Ws, hs = [x], [], []
    for k in range(1, depth + 1):
        W = rng.standard_normal((count, widths[k], widths[k - 1])) * math.sqrt(net.weight(k).variance or 0.0)
        h = np.einsum("rij,rj->ri", W, xs[-1]) + math.sqrt(BIAS) * rng.standard_normal((count, widths[k]))
        Ws.append(W)
        hs.append(h)
        xs.append(PHI[net.phi(k).name][0](h))
    law = net.output_gradient
    assert isinstance(law, Distribution)
    std = math.sqrt(law.variance or 0.0)
    uniform = law.name == "uniform"
    g = rng.uniform(-math.sqrt(3), math.sqrt(3), xs[-1].shape) if uniform else rng.standard_normal(xs[-1].shape)
    g, found = g * std, {}
    for k in range(depth, 0, -1):
        delta = PHI[net.phi(k).name][1](hs[k - 1]) * g
        found["preactivation_gradient", k] = (delta**2).mean(1)
        found["weight_gradient", k] = (delta**2).mean(1) * (xs[k - 1] ** 2).mean(1)
        g = np.einsum("rij,ri->rj", Ws[k - 1], delta)
        found["activation_gradient", k - 1] = (g**2).mean(1)
    return found


def many(net: DenseNet, blocks: int) -> dict[tuple[str, int], Array]:
    runs = [backprop(net, 1000, seed) for seed in range(blocks)]
    return {key: np.concatenate([run[key] for run in runs]) for key in runs[0]}


@pytest.mark.entry("E6", "E7")
@pytest.mark.parametrize("name", NETS)
def test_gradients_of_full_nets(name: str) -> None:
    """Every gradient of 40,000 nets: mean within the left-out term and 6 se, scatter within 30 % and 6 se."""
    net = NETS[name]
    for (tensor, layer), sample in many(net, 40).items():
        prediction = gradients.second_moment(tensor, layer)
        value = prediction.at(net)
        assert prediction.next_order is not None
        allowed = 1.5 * prediction.next_order(net)[0] * value.value
        error = sample.std() / math.sqrt(sample.size)
        label = f"{tensor} at {layer}"
        assert abs(sample.mean() - value.value) < allowed + LIMIT * error, label
        assert abs(sample.mean() - sum(gradients.orders(tensor, layer, net))) < LIMIT * error, label
        assert value.variance is not None
        spread = (sample - sample.mean()) ** 2
        slack = 0.3 * value.variance + LIMIT * float(spread.std()) / math.sqrt(sample.size)
        assert abs(spread.mean() - value.variance) < slack, f"scatter of {label}"


@pytest.mark.entry("E6", "E7")
@pytest.mark.parametrize("fault", ["infinite width", "independent directions"])
def test_planted_faults_are_caught(fault: str) -> None:
    """The product of chi_1 alone, or B = 0, lies beyond the left-out term and six standard errors."""
    net = NETS["tanh"]
    sample = many(net, 60)["activation_gradient", 0]
    leading, first, second = gradients.orders("activation_gradient", 0, net)
    error = sample.std() / math.sqrt(sample.size)
    unit = leading / explicit(net, 1, 0.0)[0]
    wrong = leading if fault == "infinite width" else unit * sum(explicit(net, 1, 0.0))
    assert abs(sample.mean() - wrong) > 1.5 * abs(second) + LIMIT * error
    assert abs(sample.mean() - leading - first) < 1.5 * abs(second) + LIMIT * error


@pytest.mark.entry("E5")
def test_one_hidden_layer_exactly() -> None:
    """|J|_F^2 of 10^5 narrow nets and an integral by mpmath: |z| < 6; independence (N_0 E phi'^2) is caught."""
    n0, n1, n2, v1, v2, bias = 3, 2, 4, 0.9, 0.5, 0.2
    x = np.array([1.0, -2.0, 0.5])
    rng, count = np.random.default_rng(0), 100_000
    W1 = rng.standard_normal((count, n1, n0)) * math.sqrt(v1)
    h = W1 @ x + math.sqrt(bias) * rng.standard_normal((count, n1))
    W2 = rng.uniform(-1, 1, (count, n2, n1)) * math.sqrt(3 * v2)
    J = np.einsum("rij,rj,rjk->rik", W2, 1 - np.tanh(h) ** 2, W1)
    sample = (J**2).sum(axis=(1, 2))
    stated = hidden_layer.jacobian_second_moment(activations.get("tanh"), (n0, n1, n2), v1, v2, float(x @ x), bias)
    error = sample.std() / math.sqrt(count)
    assert abs(sample.mean() - stated) < LIMIT * error
    q = v1 * float(x @ x) + bias
    r = (q - bias) / q
    E = [mp.quad(lambda z, k=k: mp.npdf(z) * z**k * mp.sech(mp.sqrt(q) * z) ** 4, [-12, -3, 0, 3, 12]) for k in (0, 2)]
    assert stated == pytest.approx(float(n2 * v2 * n1 * v1 * ((n0 - r) * E[0] + r * E[1])), rel=1e-12)
    assert abs(sample.mean() - float(n2 * v2 * n1 * v1 * n0 * E[0])) > LIMIT * error


@pytest.mark.entry("E5", "E6")
def test_hidden_layer_statements() -> None:
    """E5 as statements: exact on a narrow net by backprop, and one step of E6 with nothing left out."""
    net = network((3, 4, 5), "tanh", 2.0, "linear", input=(1.0, -1.5, 0.5))
    found = many(net, 60)
    for key in (("activation_gradient", 0), ("preactivation_gradient", 1), ("weight_gradient", 1)):
        row = catalogue.lookup(net, f"{key[0]}.second_moment", key[1])
        assert row is not None
        assert row[0].exactness is Exactness.EXACT
        sample = found[key]
        assert abs(sample.mean() - row[1].value) < LIMIT * sample.std() / math.sqrt(sample.size), key
    orders = gradients.orders("activation_gradient", 0, network((3, 400, 5), "tanh", 2.0, "linear", input=(1.0,) * 3))
    exact = hidden_layer.second_moment("activation_gradient", 0).at(
        network((3, 400, 5), "tanh", 2.0, "linear", input=(1.0,) * 3)
    )
    assert orders[2] == pytest.approx(0, abs=1e-12)
    assert orders[0] + orders[1] == pytest.approx(exact.value, rel=1e-9)


@pytest.mark.entry("E5")
def test_homogeneous_layers_have_no_error_of_independence() -> None:
    """E z^2 phi'^2 = E phi'^2 for ReLU: the Jacobian is the product of its factors."""
    J = hidden_layer.jacobian_second_moment(activations.get("relu"), (5, 4, 3), 0.3, 0.2, 2.0, 0.1)
    assert abs(J - 3 * 0.2 * 4 * 0.3 * 5 / 2) < 1e-12
    with pytest.raises(TheoryError, match="needs a signal"):
        hidden_layer.jacobian_second_moment(activations.get("tanh"), (5, 4, 3), 0.3, 0.2, 0.0)


@pytest.mark.entry("E6", "E7")
def test_refusals_name_what_is_missing() -> None:
    """Weights that are not Gaussian behind the layer, an output gradient with a mean behind phi' that is not even."""
    tanh, elu = NETS["tanh"], network((16, 64, 64, 64), "elu", 1.3, input=(1.0,) * 16, output_gradient=(1.0,) * 64)
    laws = (*tanh.weights[:-1], Distribution("uniform", 0.05))
    cases = {
        "weights of layers 2 to 4 are Gaussian": (
            DenseNet(tanh.widths, "tanh", weights=laws, biases=tanh.biases, input=tanh.input),
            ("preactivation_gradient", 2),
        ),
        "entries of mean 0": (elu, ("weight_gradient", 2)),
        "relative scatter": (network((4, 4, 4, 4), "tanh", 2.0, input=(1.0,) * 4), ("activation_gradient", 1)),
    }
    for message, (net, (tensor, layer)) in cases.items():
        with pytest.raises(TheoryError, match=message):
            gradients.second_moment(tensor, layer).at(net)
