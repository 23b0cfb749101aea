"""BatchNorm and LayerNorm: rates against nets with hand-written backward passes, invariances on every draw."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from theory import activations
from theory.blocks import normalization
from theory.blocks.batch_sphere import batch_means
from theory.prediction import TheoryError

Array = np.ndarray
LIMIT = 6.0
Norm = Callable[[Array], tuple[Array, Callable[[Array], Array]]]


def z_of(sample: Array, expected: float) -> float:
    return float((sample.mean() - expected) / (sample.std(ddof=1) / math.sqrt(sample.size)))


def normalize(h: Array, axis: int) -> tuple[Array, Callable[[Array], Array]]:
    """(h - mean)/std along an axis, and the map from gradients of the result to gradients of h."""
    centred = h - h.mean(axis=axis, keepdims=True)
    std = np.sqrt(np.mean(centred**2, axis=axis, keepdims=True))
    y = centred / std

    def back(g: Array) -> Array:
        along = np.mean(g * y, axis=axis, keepdims=True)
        return (g - g.mean(axis=axis, keepdims=True) - y * along) / std

    return y, back


def log_energies(name: str, n: int, batch: int, depth: int, axis: int, seed: int) -> Array:
    """log of the mean squared gradient at the input of each layer, of one net; axis 1 is the batch, 0 the units."""
    phi, rng = activations.get(name), np.random.default_rng(seed)
    x, steps = rng.standard_normal((n, batch)), []
    for _ in range(depth):
        W = rng.standard_normal((n, n)) / math.sqrt(n)
        y, back = normalize(W @ x, axis)
        steps.append((W, back, phi.slope_function(y)))
        x = phi.function(y)
    g, found = rng.standard_normal((n, batch)), []
    for W, back, slope in steps[::-1]:
        g = W.T @ back(slope * g)
        found.append(math.log(np.mean(g**2)))
    return np.array(found[::-1])


def slope_per_layer(name: str, n: int, batch: int, axis: int, nets: int) -> Array:
    """Growth of the log energy a layer, between layers 3 and 9 of 12, one number a net."""
    return np.array([(e[2] - e[8]) / 6 for e in (log_energies(name, n, batch, 12, axis, s) for s in range(nets))])


@pytest.mark.entry("AR-05", "AR-04")
@pytest.mark.parametrize(("name", "batch"), [("relu", 8), ("tanh", 6), ("linear", 5)])
def test_batch_norm_gradients_grow_at_the_stated_rate(name: str, batch: int) -> None:
    """Nets of width 400: log energies grow by log R_B a layer within 0.02 (B/n effects); NC-8: not by that of B -> inf.

    At B of 5 to 8 the infinite-batch rate is off by 0.19 to 0.4 nats: ten margins.
    """
    phi = activations.get(name)
    slopes = slope_per_layer(name, 400, batch, 1, 30)
    error = slopes.std(ddof=1) / math.sqrt(slopes.size)
    assert error < 0.01
    assert abs(slopes.mean() - math.log(normalization.batch_rate(phi, batch))) < 0.02 + 4 * error
    assert abs(slopes.mean() - math.log(normalization.infinite_batch_rate(phi))) > 0.1


@pytest.mark.entry("AR-06")
@pytest.mark.parametrize("name", ["relu", "tanh"])
def test_layer_norm_rate(name: str) -> None:
    """LayerNorm, width 400: log D(1)/V(1) a layer within 0.02; ReLU does not grow, tanh does."""
    rate = normalization.layer_norm_rate(activations.get(name))
    slopes = slope_per_layer(name, 400, 4, 0, 30)
    error = slopes.std(ddof=1) / math.sqrt(slopes.size)
    assert error < 0.01
    assert abs(slopes.mean() - math.log(rate)) < 0.02 + 4 * error
    assert abs(slopes.mean() - math.log(normalization.infinite_batch_rate(activations.get("relu")))) > 0.1


@pytest.mark.entry("AR-05")
@pytest.mark.parametrize("batch", [4, 5, 9, 64])
def test_closed_form_of_relu_is_the_integral(batch: int) -> None:
    """The general quadrature over the sphere gives the closed form of ReLU, and (B-2)/(B-3) of linear nets, to 1e-9."""
    for name, closed in (("relu", normalization.relu_batch_rate(batch)), ("linear", (batch - 2) / (batch - 3))):
        m = batch_means(activations.get(name), batch)
        trace = (batch - 1) ** 2 / batch * m.slope_square + (batch - 1) / batch * m.slope_product
        along = (batch - 1) / batch * (m.weighted_square - m.weighted_product)
        rate = batch / ((batch - 1) * (batch - 3) * (m.square - m.product)) * (trace - along)
        assert rate == pytest.approx(closed, rel=1e-9)
        assert rate != pytest.approx(normalization.infinite_batch_rate(activations.get(name)), rel=1e-3)


@pytest.mark.entry("AR-05")
@pytest.mark.parametrize(("name", "batch"), [("tanh", 4), ("hardtanh", 5), ("gelu", 12)])
def test_trace_by_explicit_matrices(name: str, batch: int) -> None:
    """E tr[(P - u u^T) D' P D'] and lam by 60,000 directions, multiplied out as matrices."""
    phi, rng = activations.get(name), np.random.default_rng(5)
    P = np.eye(batch) - 1 / batch
    u = rng.standard_normal((60_000, batch)) @ P
    u /= np.sqrt(np.sum(u**2, axis=1, keepdims=True))
    y = math.sqrt(batch) * u
    d, f = phi.slope_function(y), phi.function(y)
    left = (P - u[:, :, None] * u[:, None, :]) * d[:, None, :]
    trace = np.einsum("rij,rji->r", left, P * d[:, None, :])
    lam = np.mean(f**2, axis=1) - (np.sum(f, axis=1) ** 2 - np.sum(f**2, axis=1)) / (batch * (batch - 1))
    rate = normalization.batch_rate(phi, batch)
    scaled = rate * (batch - 1) * (batch - 3) / batch
    assert abs(z_of(trace - scaled * lam, 0.0)) < LIMIT
    assert abs(z_of(trace - 1.02 * scaled * lam, 0.0)) > LIMIT


@pytest.mark.entry("AR-04", "AR-05")
def test_large_batches() -> None:
    """R_B tends to D/(V - M^2) as 1/B; ReLU to pi/(pi - 1); every rate is above 1, and 1 for linear."""
    huge = [normalization.batch_rate(activations.get("tanh"), b) for b in (10**5, 10**6)]
    limit = normalization.infinite_batch_rate(activations.get("tanh"))
    assert huge[1] - limit == pytest.approx((huge[0] - limit) / 10, rel=1e-2)
    for name in ("relu", "tanh", "gelu", "sigmoid"):
        phi = activations.get(name)
        limit = normalization.infinite_batch_rate(phi)
        gaps = [normalization.batch_rate(phi, b) - limit for b in (100, 200)]
        assert gaps[1] == pytest.approx(gaps[0] / 2, rel=0.06)
        assert limit > 1
    assert normalization.infinite_batch_rate(activations.get("relu")) == pytest.approx(
        math.pi / (math.pi - 1), rel=1e-12
    )
    assert normalization.infinite_batch_rate(activations.get("linear")) == pytest.approx(1.0, rel=1e-12)


@pytest.mark.entry("AR-07")
@pytest.mark.parametrize("axis", [1, 0])
def test_scale_invariance(axis: int) -> None:
    """BatchNorm (axis 1): <w_i, dL/dw_i> = 0 for each row; LayerNorm (axis 0): for W; at 4 W gradients are 1/4."""
    rng = np.random.default_rng(6)
    W, x, g = rng.standard_normal((5, 3)), rng.standard_normal((3, 7)), rng.standard_normal((5, 7))

    def gradient(weights: Array) -> Array:
        y, back = normalize(weights @ x, axis)
        return back((1 - np.tanh(y) ** 2) * g) @ x.T

    def loss(weights: Array) -> float:
        return float(np.sum(g * np.tanh(normalize(weights @ x, axis)[0])))

    dW, scale = gradient(W), np.linalg.norm(W) * np.linalg.norm(gradient(W))
    step = 1e-6 * rng.standard_normal(W.shape)
    assert (loss(W + step) - loss(W - step)) / 2 == pytest.approx(np.sum(dW * step), rel=1e-6)
    assert abs(np.sum(W * dW)) < 1e-13 * scale
    rows = np.abs(np.sum(W * dW, axis=1)) / scale
    assert (rows.max() < 1e-13) if axis == 1 else (rows.max() > 1e-3)
    assert loss(4 * W) == pytest.approx(loss(W), rel=1e-12)
    assert gradient(4 * W) == pytest.approx(normalization.scaled_gradient(4.0) * dW, rel=1e-10)
    assert normalization.ORTHOGONALITY.at() == 0.0


@pytest.mark.entry("AR-04", "AR-05", "AR-07")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: normalization.batch_rate(activations.get("relu"), 3), "batch=3"),
        (lambda: normalization.relu_batch_rate(4.5), "batch=4.5"),  # type: ignore[arg-type]
        (lambda: normalization.BATCH.at(phi=activations.get("relu"), batch=0), "batch=0"),
        (lambda: normalization.scaled_gradient(0.0), "scale=0.0"),
    ],
)
def test_bad_input(call: object, message: str) -> None:
    """The argument and its value are named."""
    with pytest.raises(TheoryError, match=message):
        call()  # type: ignore[operator]
