"""Jacobians of whole nets of signs by going through every net: no tails, so that every moment is held to rounding."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from theory import jacobian, parameters
from theory.catalogue import lookup
from theory.net import DenseNet, Distribution
from theory.prediction import TheoryError

Array = np.ndarray
SLOPE = 0.3


def signs(count: int) -> Array:
    return np.array(list(product((-1.0, 1.0), repeat=count)))


def coins(net: DenseNet, k: int) -> tuple[float, float]:
    """Fair coins 1 and `SLOPE`, by the definition of (mu_1, rho)."""
    first, second = (1 + SLOPE**2) / 2, (1 + SLOPE**4) / 2
    return first, second / first**2


def moments(J: Array) -> tuple[float, float, float, float]:
    """(trace, excess, square, diagonal) of `jacobian.Spectrum`, over equally likely J."""
    A = J @ np.swapaxes(J, -1, -2)
    trace = np.einsum("...ii->...", A)
    mean = trace.mean()
    square, diagonal = np.sum(A * A, axis=(-1, -2)), np.einsum("...ii,...ii->...", A, A)
    return mean, trace.var() / mean**2, square.mean() / mean**2, diagonal.mean() / mean**2


def stated(net: DenseNet, tensor: str, layer: int) -> tuple[float, float, float, float]:
    found = jacobian.spectrum(net, tensor, layer, coins)
    return found.trace, found.excess, found.square, found.diagonal


def leaky(widths: tuple[int, ...]) -> DenseNet:
    weights = (Distribution("rademacher", 1.0),) * (len(widths) - 1)
    return DenseNet(widths, "leaky_relu", {"negative_slope": SLOPE}, weights=weights, input=(1.0, -2.0))


@pytest.mark.entry("OR-05")
def test_real_masks_of_every_sign_net() -> None:
    """2 -> 3 -> 2, all 4096 nets with the masks of their own signs: inputs 1 and -2 and slope 0.3 leave no ties."""
    W1, W2 = signs(6).reshape(-1, 1, 3, 2), signs(6).reshape(1, -1, 2, 3)
    h1 = W1 @ np.array([1.0, -2.0])
    d1 = np.where(h1 > 0, 1.0, SLOPE)
    h2 = np.einsum("abij,abj->abi", np.broadcast_to(W2, (64, 64, 2, 3)), np.broadcast_to(d1 * h1, (64, 64, 3)))
    assert np.abs(h1).min() > 0.1
    assert np.abs(h2).min() > 0.09
    J1 = d1[..., None] * W1
    J2 = W2 @ J1
    net = leaky((2, 3, 2))
    for tensor, layer, J in (
        ("activation", 1, J1),
        ("preactivation", 2, J2),
        ("activation", 2, np.where(h2 > 0, 1.0, SLOPE)[..., None] * J2),
    ):
        assert stated(net, tensor, layer) == pytest.approx(moments(J), rel=1e-12), (tensor, layer)


@pytest.mark.entry("OR-05")
def test_three_layers_of_coins_and_signs() -> None:
    """2 -> 2 -> 1 -> 2, all 2^13 choices of signs and coins: trace, excess, square and diagonal to rounding."""
    masks = np.where(signs(5) > 0, 1.0, SLOPE)
    J: Array = np.eye(2)[None]
    offset = 0
    every = signs(8)
    shapes = ((2, 2), (1, 2), (2, 1))
    start = 0
    for layer, (rows, columns) in enumerate(shapes, 1):
        W = every[:, offset : offset + rows * columns].reshape(-1, 1, rows, columns)
        d = masks[None, :, start : start + rows]
        J = d[..., None] * (W @ J)
        offset, start = offset + rows * columns, start + rows
        found = stated(leaky((2, 2, 1, 2)), "activation", layer)
        assert found == pytest.approx(moments(J), rel=1e-12), layer
    state = jacobian.identity(2)
    for rows, _ in shapes:  # Gaussian kurtosis for signs: another excess, by far
        state = jacobian.mask(jacobian.multiply(state, rows, 1.0), *coins(leaky((2, 2, 1, 2)), 1))
    assert state.excess > 1.3 * moments(J)[1]


@pytest.mark.entry("OR-01", "OR-05")
def test_scatter_of_wide_rectangles_does_not_cancel() -> None:
    """m -> n -> m at n = 2 m = 10^6 with Haar weights: a relative variance of 2e-12, as in exact fractions."""
    n, m = 10**6, 5 * 10**5
    state = jacobian.rotate(jacobian.rotate(jacobian.identity(m), n, 1 / n), m, 1 / n)
    whole, square = Fraction(1), Fraction(1, m)
    cross = ((n + 1) * whole - 2 * square) / (n * (n - 1) * (n + 2))
    one = (whole + 2 * square) / (n * (n + 2))
    exact = Fraction(n * n, m) * (one + (m - 1) * cross) - 1
    assert state.excess == pytest.approx(float(exact), rel=1e-12)
    assert float(exact) == pytest.approx(2e-12, rel=1e-3)
    assert jacobian.first_moment_variance("activation", 1).at(_linear(3 * 10**6)).value > 0


def _linear(n: int) -> DenseNet:
    return DenseNet((n, n), "linear", weights=(Distribution("normal", 1 / n),), input=Distribution("normal", 1.0))


@pytest.mark.entry("F4", "OR-05")
def test_what_no_float_holds_is_no_zero() -> None:
    """Variances of 1e-200: second moments are known, their scatter is not (nor 0); fourth powers are refused."""
    tiny = DenseNet((2, 2), "relu", weights=(Distribution("normal", 1e-200),), input=(1.0, 2.0))
    for observable in ("activation.spectrum_1", "weight.second_moment"):
        found = lookup(tiny, observable, 1)
        assert found is not None
        assert found[1].value == pytest.approx(1e-200, rel=1e-12)
        assert found[1].variance is None
        assert lookup(tiny, observable, 1, "variance") is None
    assert lookup(tiny, "activation.spectrum_2", 1) is None
    assert lookup(tiny, "weight.fourth_moment", 1) is None
    huge = DenseNet((2, 2), "relu", weights=(Distribution("normal", 1e200),), input=(1.0, 2.0))
    with pytest.raises(TheoryError, match="a float can hold"):
        parameters.entries("weight", "fourth_moment", 1).at(huge)
    signs_alone = DenseNet((2, 2), "linear", weights=(Distribution("rademacher", 0.5),), input=(1.0, 2.0))
    found = lookup(signs_alone, "weight.second_moment", 1)
    assert found is not None
    assert found[1].variance == 0.0
