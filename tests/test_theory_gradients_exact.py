"""Gradients whose every moment is known: linear nets of signs by enumeration, ReLU nets of width 1 by products.

Simulation cannot hold the scatter of fourth moments: one draw outweighs the rest. Here nothing is drawn.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from theory.catalogue import lookup
from theory.net import DenseNet, Distribution
from theory.prediction import Exactness, Predicted

ROWS = (("second_moment", "mean"), ("second_moment", "variance"), ("fourth_moment", "mean"))


def row(net: DenseNet, tensor: str, layer: int, moment: str, statistic: str) -> Predicted | None:
    found = lookup(net, f"{tensor}.{moment}", layer, statistic)
    assert found is None or found[0].exactness is Exactness.EXACT
    return None if found is None else found[1]


def signs(count: int) -> np.ndarray:
    return np.array(list(product((-1.0, 1.0), repeat=count)))


@pytest.mark.entry("C7", "C8")
def test_every_row_of_linear_sign_nets() -> None:
    """2 -> 3 -> 2, all 2^14 nets and output gradients: the three rows of every gradient and their scatter."""
    x = np.array([1.0, -2.0])
    every = signs(12)
    W1, W2 = every[:, :6].reshape(-1, 1, 3, 2), every[:, 6:].reshape(-1, 1, 2, 3)
    g2 = signs(2)[None]
    g1 = np.einsum("aij,bi->abj", W2[:, 0], g2[0])
    g0 = np.einsum("aij,abi->abj", W1[:, 0], g1)
    x1 = np.broadcast_to(W1 @ x, g1.shape)
    both = np.broadcast_to(g2, (len(every), 4, 2))
    entries = {
        ("activation_gradient", 1): g1,
        ("activation_gradient", 0): g0,
        ("preactivation_gradient", 1): g1,
        ("weight_gradient", 1): (g1[..., :, None] * x).reshape(len(every), 4, -1),
        ("weight_gradient", 2): (both[..., :, None] * x1[..., None, :]).reshape(len(every), 4, -1),
    }
    law = Distribution("rademacher", 1.0)
    net = DenseNet((2, 3, 2), "linear", weights=(law, law), input=(1.0, -2.0), output_gradient=law)
    seen = 0
    for (tensor, layer), values in entries.items():
        square, fourth = np.mean(values**2, axis=-1), np.mean(values**4, axis=-1)
        for (moment, statistic), unit in zip(ROWS, (square, (square - square.mean()) ** 2, fourth), strict=True):
            found = row(net, tensor, layer, moment, statistic)
            assert found is not None, (tensor, layer, moment, statistic)
            assert found.value == pytest.approx(unit.mean(), rel=1e-12)
            assert found.variance == pytest.approx(unit.var(), rel=1e-11)
            seen += 1
    assert seen == 15
    normal = Distribution("normal", 1.0)
    wrong = DenseNet((2, 3, 2), "linear", weights=(normal, normal), input=(1.0, -2.0), output_gradient=law)
    found = row(wrong, "weight_gradient", 2, "fourth_moment", "mean")
    assert found is not None
    assert found.value > 1.1 * np.mean(entries["weight_gradient", 2] ** 4)


def uniform(power: int) -> float:
    """E u^(2 power) of a uniform law of variance 1."""
    return 3.0**power / (2 * power + 1)


@pytest.mark.entry("C7", "C8", "C5")
def test_every_row_of_width_one() -> None:
    """ReLU 1 -> 1 -> 1, uniform weights: each gradient is two fair coins times a product of weights, g and x."""
    law = Distribution("uniform", 1.0)
    net = DenseNet((1, 1, 1), "relu", weights=(law, law), input=(2.0,), output_gradient=law)
    factors = {  # how many independent uniform factors stand beside the coins, and the input
        ("activation_gradient", 1): (2, 1.0),
        ("activation_gradient", 0): (3, 1.0),
        ("preactivation_gradient", 2): (1, 1.0),
        ("preactivation_gradient", 1): (2, 1.0),
        ("weight_gradient", 2): (2, 2.0),
        ("weight_gradient", 1): (2, 2.0),
    }
    for (tensor, layer), (count, scale) in factors.items():
        raw = [1.0, *(scale ** (2 * k) * uniform(k) ** count / 4 for k in (1, 2, 3, 4))]
        mean, spread = raw[1], raw[2] - raw[1] ** 2
        fourth = raw[4] - 4 * raw[3] * mean + 6 * raw[2] * mean**2 - 3 * mean**4
        expected = ((mean, spread), (spread, fourth - spread**2), (raw[2], raw[4] - raw[2] ** 2))
        for (moment, statistic), (value, variance) in zip(ROWS, expected, strict=True):
            found = row(net, tensor, layer, moment, statistic)
            assert found is not None, (tensor, layer, moment)
            assert found.value == pytest.approx(value, rel=1e-13), (tensor, layer, moment)
            assert found.variance == pytest.approx(variance, rel=1e-12), (tensor, layer, moment)
            assert found.variance != pytest.approx(variance * 4 / 2, rel=0.1)  # one coin for two


@pytest.mark.entry("C5", "C7")
@pytest.mark.parametrize("depth", [300, 600, 900])
def test_rare_signals_have_values(depth: int) -> None:
    """Width 1: P(reached) = 2^-(L-1), whose square no float holds; value and variance are still known."""
    widths = (1,) * (depth + 1)
    net = DenseNet(widths, "relu", weights=(Distribution("normal", 2.0),) * depth, input=(1.0,))
    found = row(net, "activation_gradient", depth - 1, "second_moment", "mean")
    assert found is not None
    assert math.log2(found.value) == pytest.approx(1 - depth, rel=1e-12)
    expected = 18 / 2  # E (m w^2 g^2)^2 = 1/2 3 (2)^2 3, over its squared mean 1, per network reached
    assert found.variance == pytest.approx(found.value * expected, rel=1e-9)
