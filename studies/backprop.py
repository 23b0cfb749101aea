"""Gradients of single networks against central differences of the loss: the exact checks of `gradient_variance`.

The loss is linear in the output: its gradient with respect to x_L is the network's own output gradient.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mcverify import Network, simulate
from mcverify.claim import Residual
from studies.exact import Array, Draw, Function, backward, draw, forward, relative, tanh_slope

STEP = 1e-5
DRAWS = 20

with_biases = Network(
    widths=(5, 7, 4, 6), activation="tanh", weights="lecun_normal", biases={"law": "normal", "variance": 0.2}
)
equal_widths = Network(widths=(6, 6, 6, 6), activation="tanh", weights="lecun_normal")
relu_chain = Network(widths=(12, 16, 12, 16, 8), activation="relu", weights="he_normal")


def relu(h: Array) -> Array:
    """max(h, 0)."""
    return np.maximum(h, 0)


def relu_slope(h: Array) -> Array:
    """1 where h > 0, else 0."""
    return (h > 0).astype(np.float64)


def identity(h: Array) -> Array:
    """A layer without nonlinearity."""
    return h


def forward_residual(seed: int, biases: bool = True) -> Residual:
    """Mean squares of all activations by the printed forward pass against those of the simulator, relative."""
    simulation, worst = simulate(with_biases, replicates=DRAWS, seed=seed), 0.0
    for replicate in range(DRAWS):
        d = draw(with_biases, seed, replicate)
        _, x = forward(d.weights, d.input, np.tanh, d.biases if biases else None)
        for layer in range(1, with_biases.depth + 1):
            simulated = float(simulation.values("activation.second_moment", layer)[replicate])
            worst = max(worst, abs(float(np.mean(x[layer] ** 2)) / simulated - 1))
    return Residual(largest=worst, bound=1e-5, draws=DRAWS)  # float32 weights and sums in the simulator


def activation_gradient_residual(seed: int, slope: Function = tanh_slope) -> Residual:
    """Gradients at all activations by the printed backward pass against central differences, relative."""
    worst = 0.0
    for replicate in range(DRAWS):
        d = draw(with_biases, seed, replicate)
        h, x = forward(d.weights, d.input, np.tanh, d.biases)
        g, _ = backward(d.weights, h, d.output_gradient, slope)
        for layer in range(with_biases.depth):
            worst = max(worst, relative(g[layer], _differences(_loss_above(d, layer), x[layer])))
    return Residual(largest=worst, bound=1e-6, draws=DRAWS)


def parameter_gradient_residual(seed: int, slope: Function = tanh_slope) -> Residual:
    """Gradients of all weights and biases by the printed backward pass against central differences, relative."""
    worst = 0.0
    for replicate in range(DRAWS):
        d = draw(with_biases, seed, replicate)
        h, x = forward(d.weights, d.input, np.tanh, d.biases)
        _, delta = backward(d.weights, h, d.output_gradient, slope)
        for layer in range(with_biases.depth):
            by_weights, by_biases = (_differences(loss, at) for loss, at in _losses_of(d, layer, np.tanh))
            worst = max(worst, relative(np.outer(delta[layer], x[layer]).ravel(), by_weights))
            worst = max(worst, relative(delta[layer], by_biases))
    return Residual(largest=worst, bound=1e-6, draws=DRAWS)


def linear_regime_residual(seed: int, parameter: str = "weight", phi: Function = identity) -> Residual:
    """dl/dw_ij = dl/dx_i x_j, or dl/db_i = dl/dx_i, against central differences in a network of layers phi, relative."""
    slope = tanh_slope if phi is np.tanh else np.ones_like
    worst = 0.0
    for replicate in range(DRAWS):
        d = draw(with_biases, seed, replicate)
        h, x = forward(d.weights, d.input, phi, d.biases)
        g, _ = backward(d.weights, h, d.output_gradient, slope)
        for layer in range(with_biases.depth):
            loss, at = _losses_of(d, layer, phi)[parameter == "bias"]
            claimed = g[layer + 1] if parameter == "bias" else np.outer(g[layer + 1], x[layer]).ravel()
            worst = max(worst, relative(claimed, _differences(loss, at)))
    return Residual(largest=worst, bound=1e-6, draws=DRAWS)


def recursion_residual(seed: int, printed: bool) -> Residual:
    """Gradient at x_1 by the recursion against central differences, relative; equal widths, so that `printed` fits."""
    worst = 0.0
    for replicate in range(DRAWS):
        d = draw(equal_widths, seed, replicate)
        h, x = forward(d.weights, d.input, np.tanh)
        g = d.output_gradient
        for layer in (2, 1):
            g = d.weights[layer].T @ (tanh_slope(h[layer - 1 if printed else layer]) * g)
        worst = max(worst, relative(g, _differences(_loss_above(d, 1), x[1])))
    return Residual(largest=worst, bound=1e-6, draws=DRAWS)


def euler_residual(seed: int, phi: Function = relu, slope: Function = relu_slope) -> Residual:
    """Spread over layers of <W_l, dW_l> about <g_L, x_L>, relative to |g_L||x_L|."""
    worst = 0.0
    for replicate in range(DRAWS):
        d = draw(relu_chain, seed, replicate)
        h, x = forward(d.weights, d.input, phi)
        g, delta = backward(d.weights, h, d.output_gradient, slope)
        whole = float(g[-1] @ x[-1])
        scale = float(np.linalg.norm(g[-1]) * np.linalg.norm(x[-1])) + 1e-300
        for layer, matrix in enumerate(d.weights):
            inner = float(np.sum(matrix * np.outer(delta[layer], x[layer])))
            worst = max(worst, abs(inner - whole) / scale)
    return Residual(largest=worst, bound=1e-12, draws=DRAWS)


Loss = Callable[[Array], float]


def _differences(loss: Loss, at: Array) -> Array:
    """Central differences of a loss with respect to each entry of a vector."""
    moves = STEP * np.eye(at.size)
    return np.array([(loss(at + move) - loss(at - move)) / (2 * STEP) for move in moves])


def _loss_above(d: Draw, layer: int) -> Loss:
    """The loss as a function of x_layer."""
    weights, biases = d.weights[layer:], d.biases[layer:]
    return lambda x: float(d.output_gradient @ forward(weights, x, np.tanh, biases)[1][-1])


def _losses_of(d: Draw, layer: int, phi: Function) -> list[tuple[Loss, Array]]:
    """The loss as a function of the weights (flattened) and of the biases of layer + 1, each with where it stands."""

    def loss(w: Array, b: Array) -> float:
        weights, biases = list(d.weights), list(d.biases)
        weights[layer], biases[layer] = w.reshape(weights[layer].shape), b
        return float(d.output_gradient @ forward(weights, d.input, phi, biases)[1][-1])

    w, b = d.weights[layer].ravel(), d.biases[layer]
    return [(lambda moved: loss(moved, b), w), (lambda moved: loss(w, moved), b)]
