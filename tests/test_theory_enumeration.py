"""Forward statements on nets of signs, by going through every one of them; symbols against numbers."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import sympy as sp

from theory import formulas, forward, power_sums, sources
from theory.catalogue import lookup
from theory.net import ZERO, DenseNet, Distribution
from theory.symbols import F, L, S, l, m, m0

WIDTHS = (2, 3, 2)


def signs(count: int) -> list[tuple[float, ...]]:
    return list(itertools.product([-1.0, 1.0], repeat=count))


def enumerated(slope: float, bias: float, variance: float) -> dict[tuple[str, int], tuple[float, float, float]]:
    """(E y, Var y, E mean fourth power) with y the mean square, over all sign nets of `WIDTHS`."""
    x0 = np.array([0.5, -2.0])
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    std = math.sqrt(variance)
    layer1 = [(w, b) for w in signs(6) for b in (signs(3) if bias else [(0.0,) * 3])]
    for w, b in layer1:
        h1 = std * np.reshape(w, (3, 2)) @ x0 + bias * np.array(b)
        x1 = np.where(h1 > 0, h1, slope * h1)
        found.setdefault(("preactivation", 1), []).append((np.mean(h1**2), np.mean(h1**4)))
        found.setdefault(("activation", 1), []).append((np.mean(x1**2), np.mean(x1**4)))
        for w2 in signs(6):
            h2 = std * np.reshape(w2, (2, 3)) @ x1
            x2 = np.where(h2 > 0, h2, slope * h2)
            found.setdefault(("preactivation", 2), []).append((np.mean(h2**2), np.mean(h2**4)))
            found.setdefault(("activation", 2), []).append((np.mean(x2**2), np.mean(x2**4)))
    summary = {}
    for key, rows in found.items():
        y = np.array(rows)
        summary[key] = (y[:, 0].mean(), y[:, 0].var(), y[:, 1].mean())
    return summary


def sign_net(activation: str, bias: float, variance: float, slope: float = 0.0) -> DenseNet:
    parameters = {"negative_slope": slope} if activation == "leaky_relu" else {}
    return DenseNet(
        WIDTHS,
        activation,
        parameters,
        weights=(Distribution("rademacher", variance),) * 2,
        biases=(Distribution("rademacher", bias**2) if bias else ZERO, ZERO),
        input=(0.5, -2.0),
    )


CASES = [
    ("relu", 0.0, 0.0),
    ("relu", 0.0, 0.7),
    ("linear", 1.0, 0.3),
    ("leaky_relu", 0.3, 0.0),
    ("leaky_relu", 0.3, 0.6),
]


@pytest.mark.entry("A7", "A14", "B1", "B2", "C1", "C2", "G8")
@pytest.mark.parametrize(("activation", "slope", "bias"), CASES)
def test_forward_moments_of_sign_nets_by_enumeration(activation: str, slope: float, bias: float) -> None:
    """B1, B2, C1, C2 hold exactly with ties and kurtosis 1: mean, variance and fourth moment, to rounding."""
    net = sign_net(activation, bias, 0.8, slope)
    for (tensor, layer), (mean, variance, fourth) in enumerated(slope, bias, 0.8).items():
        second = lookup(net, f"{tensor}.second_moment", layer)
        spread = lookup(net, f"{tensor}.second_moment", layer, "variance")
        quartic = lookup(net, f"{tensor}.fourth_moment", layer)
        assert second is not None
        assert quartic is not None
        assert second[1].value == pytest.approx(mean, rel=1e-13)
        assert second[1].variance == pytest.approx(variance, rel=1e-12, abs=1e-14)
        assert quartic[1].value == pytest.approx(fourth, rel=1e-13)
        assert (spread is None) == (variance < 1e-14)


@pytest.mark.entry("B2")
def test_enumeration_catches_a_wrong_kurtosis() -> None:
    """The same net read as uniform (kurtosis 9/5, not 1) has another variance: the comparison is not blind."""
    wrong = DenseNet(WIDTHS, "relu", weights=(Distribution("uniform", 0.8),) * 2, input=(0.5, -2.0))
    found = lookup(wrong, "activation.second_moment", 2)
    assert found is not None
    assert found[1].variance != pytest.approx(enumerated(0.0, 0.0, 0.8)["activation", 2][1], rel=1e-3)


@pytest.mark.entry("A4", "NC-15")
def test_printed_forms_that_are_false_differ() -> None:
    """Variance in place of second moment after a ReLU (NC-15) is off by 1 - 1/pi."""
    net = sign_net("relu", 0.0, 0.8)
    wrong = sources.variance_of_inputs_after_relu(2).at(net).value
    true = enumerated(0.0, 0.0, 0.8)["preactivation", 2][0]
    assert wrong / true == pytest.approx(1 - 1 / math.pi, rel=1e-12)


@pytest.mark.entry("B1", "B2", "C1")
def test_symbolic_recursion_equals_numeric_and_product() -> None:
    """Product over layers, recursion in symbols and recursion in numbers agree on an uneven leaky net with biases."""
    laws = (Distribution("uniform", 0.7), Distribution("laplace", 0.3), Distribution("normal", 1.1))
    biases = (Distribution("normal", 0.2), Distribution("uniform", 0.5), Distribution("laplace", 0.1))
    net = DenseNet((2, 5, 3, 4), "leaky_relu", {"negative_slope": 0.25}, weights=laws, biases=biases, input=(1.0, 3.0))
    state = power_sums.symbolic_forward(3, sp.Integer(10), sp.Integer(100), sp.Integer(82))
    sums = forward.power_sums_of(net, "activation", 3)
    mean, square, quartic = (formulas.substitute(e, net) for e in state)
    assert sums.mean == pytest.approx(mean / 4, rel=1e-13)
    assert sums.variance == pytest.approx((square - mean**2) / 16, rel=1e-11)
    assert sums.fourth_moment == pytest.approx(quartic / 4, rel=1e-13)
    closed = forward.activation_second_moment(3, biases=True).expression
    assert formulas.substitute(closed, net, 3) == pytest.approx(mean / 4, rel=1e-14)


def test_one_step_expressions_of_variance_and_fourth_moment() -> None:
    """The expressions in m, S, F of the layer before give the numbers of the recursion."""
    net = sign_net("relu", 0.6, 0.8)
    start = (sp.Rational(17, 4), sp.Rational(289, 16), sp.Rational(257, 16))
    before = [formulas.substitute(e, net) for e in power_sums.symbolic_forward(1, *start)]
    filled = dict(zip((m[1], S[1], F[1]), before, strict=True))
    for build in (forward.fourth_moment, forward.second_moment_variance):
        for tensor in ("preactivation", "activation"):
            prediction = build(tensor, 2)
            expression = prediction.expression.subs(l, 2).subs(filled)
            assert formulas.substitute(expression, net) == pytest.approx(prediction.at(net).value, rel=1e-12)


def test_product_forms_stay_in_finite_symbols() -> None:
    """The closed form keeps widths as symbols: no limit is taken."""
    expression = forward.preactivation_second_moment(4).expression
    assert expression.free_symbols >= {m0, l}
    assert L not in expression.free_symbols
