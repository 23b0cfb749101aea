"""The sigmoid, its derivative, and single sigmoid networks: the exact checks and measurements of `vanishing_sigmoid`."""

from __future__ import annotations

import math

import numpy as np

from mcverify import Network, simulate
from mcverify.activations import Activation
from mcverify.claim import Residual
from studies.exact import Array, Function, draw, forward

GRID = np.arange(-8.0, 8.0, 0.1)  # that of the snippets
EDGE = 4.0  # of the zone


def sigmoid_net(n: int, depth: int = 4, gain: float = 1.0) -> Network:
    """Equal widths, weights of variance gain^2/n."""
    return Network(widths=(n,) * (depth + 1), activation="sigmoid", weights={"scheme": "lecun_normal", "gain": gain})


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-x))


def printed(x: Array) -> Array:
    """1 + exp(-x), as the 2018 edition prints the sigmoid."""
    return 1 + np.exp(-x)


def slope(x: Array) -> Array:
    """The derivative of the sigmoid."""
    return sigmoid(x) * sigmoid(-x)


def definition_residual(seed: int, f: Function = sigmoid) -> Residual:
    """Largest |log(f/(1-f)) - x| on the grid, where f is between 0 and 1; infinite where it is not."""
    del seed
    y = f(GRID)
    inside = bool(np.all((y > 0) & (y < 1)))
    residual = float(np.abs(np.log(y / (1 - y)) - GRID).max()) if inside else math.inf
    return Residual(largest=residual, bound=1e-11, draws=GRID.size)


def threshold_excess(seed: int, rate: float = 1.0) -> Residual:
    """By how much the distance of the sigmoid to the step from 0 to 1 exceeds exp(-rate |x|), relative, away from 0."""
    del seed
    x = GRID[np.abs(GRID) > 0.05]
    distance = np.where(x > 0, sigmoid(-x), sigmoid(x))  # 1 - sigmoid(x) = sigmoid(-x)
    return Residual(max(0.0, float((distance * np.exp(rate * np.abs(x))).max()) - 1), bound=1e-12, draws=x.size)


def snippet_residual(seed: int, activation: str = "sigmoid") -> Residual:
    """The simulator's float32 sigmoid and derivative on the snippets' grid against 1/(1+e^-x) and 1/(4 cosh^2(x/2))."""
    del seed
    simulated, x = Activation(activation), GRID.astype(np.float32)
    values, slopes = (np.array([f(one) for one in x], dtype=np.float64) for f in (simulated, simulated.derivative))
    errors = np.abs(values - sigmoid(GRID)).max(), np.abs(slopes - 1 / (4 * np.cosh(GRID / 2) ** 2)).max()
    return Residual(largest=float(max(errors)), bound=1e-6, draws=GRID.size)


def derivative_residual(seed: int, f: Function = slope) -> Residual:
    """A derivative against 1/(4 cosh^2) and central differences; its evenness; by how much it exceeds 1/4."""
    del seed
    step = 1e-5
    differences = (sigmoid(GRID + step) - sigmoid(GRID - step)) / (2 * step)
    residuals = (
        np.abs(f(GRID) - 1 / (4 * np.cosh(GRID / 2) ** 2)).max(),
        np.abs(f(GRID) - f(-GRID)).max(),
        np.abs(f(GRID) - differences).max(),
        f(GRID).max() - 0.25,
    )
    return Residual(largest=float(max(residuals)), bound=1e-10, draws=GRID.size)


def exponential_excess(seed: int, rate: float = 1.0) -> Residual:
    """By how much the derivative exceeds exp(-rate |x|), relative, anywhere out to 300."""
    del seed
    x = np.linspace(-300.0, 300.0, 6001)
    return Residual(max(0.0, float((slope(x) * np.exp(rate * np.abs(x))).max()) - 1), bound=1e-12, draws=x.size)


def slope_at(seed: int, x: float = 1e-6) -> Residual:
    """The derivative at a point, which would be about 0 if it vanished there."""
    del seed
    return Residual(largest=float(slope(np.array([x]))[0]), bound=1e-3, draws=1)


def zone_excess(seed: int, gain: float = 1.0) -> Residual:
    """How far the largest |h| from the second layer on is beyond the zone, over networks of widths 16 to 128."""
    worst = 0.0
    for n in (16, 32, 64, 128):
        net = sigmoid_net(n, gain=gain)
        for replicate in range(50):
            drawn = draw(net, seed, replicate)
            h, _ = forward(drawn.weights, drawn.input, sigmoid)
            worst = max(worst, *(float(np.abs(one).max()) for one in h[1:]))
    return Residual(largest=max(0.0, worst - EDGE), bound=0.0, draws=200)


def bound_excess(seed: int, largest_slope: float = 0.25) -> Residual:
    """Excess of |g_l| over its bound by the largest slope, relative, for every layer and 100 networks of width 32.

    Each network is tried with its own output gradient and with the one that its last layer passes best.
    """
    net, worst = sigmoid_net(32), 0.0
    for replicate in range(100):
        drawn = draw(net, seed, replicate)
        h, _ = forward(drawn.weights, drawn.input, sigmoid)
        for g in (drawn.output_gradient, np.linalg.svd(drawn.weights[-1])[0][:, 0]):
            for w, one in zip(reversed(drawn.weights), reversed(h), strict=True):
                bound = largest_slope * np.linalg.norm(w, 2) * np.linalg.norm(g)
                g = w.T @ (slope(one) * g)  # noqa: PLW2901
                worst = max(worst, float(np.linalg.norm(g) / bound - 1))
    return Residual(largest=worst, bound=1e-12, draws=800)


def outside_excess(seed: int, edge: float = EDGE) -> Residual:
    """Excess of a gradient behind a layer whose preactivations are all 4 or more from 0, over slope(edge) smax |g|, relative."""
    net, random, worst = sigmoid_net(32, depth=1), np.random.default_rng(seed), 0.0
    for replicate in range(200):
        w = draw(net, seed, replicate).weights[0]
        h = random.choice([-1.0, 1.0], 32) * (EDGE + random.exponential(0.01, 32))
        g = np.linalg.svd(w)[0][:, 0]  # what w.T stretches most
        bound = slope(np.array([edge]))[0] * np.linalg.norm(w, 2)
        worst = max(worst, float(np.linalg.norm(w.T @ (slope(h) * g)) / bound - 1))
    return Residual(largest=worst, bound=1e-12, draws=200)


def ten_layers_at_four(seed: int) -> float:
    """sigma'(4)^10."""
    del seed
    return float(slope(np.array([EDGE]))[0] ** 10)


def share_cut_off(seed: int, layers: int) -> float:
    """Share of 100 networks, width 32, weights of variance 9/n, with a unit outside the zone in one of so many layers."""
    net = sigmoid_net(32, depth=11, gain=3.0)
    found = 0
    for replicate in range(100):
        drawn = draw(net, seed, replicate)
        h, _ = forward(drawn.weights, drawn.input, sigmoid)
        found += any(np.abs(one).max() > EDGE for one in h[1 : layers + 1])
    return found / 100


def largest_on_grid(seed: int) -> float:
    """Largest derivative on the grid of the snippets."""
    del seed
    return float(slope(GRID).max())


def log10_left(seed: int, activation: str) -> float:
    """Mean log10 of the gradient's mean square at layer 1 of ten, over 256 networks of width 64; at layer 10 it is about 1."""
    net = Network(
        widths=(64,) * 11, activation=activation, weights="he_normal" if activation == "relu" else "lecun_normal"
    )
    values = simulate(net, replicates=256, seed=seed).values("activation_gradient.log_second_moment", 1)
    return float(np.mean(values[np.isfinite(values)]) / math.log(10))


def relu_slope_residual(seed: int, activation: str = "relu") -> Residual:
    """|phi'(h) - 1| of the simulator's activation, by differences, at positive h from 1e-3 to 1e6."""
    h = np.exp(np.random.default_rng(seed).uniform(math.log(1e-3), math.log(1e6), 1000))
    phi, x = Activation(activation), h.astype(np.float32)
    steps = x * np.float32(2.0**-4)
    ends = [np.array([phi(one) for one in x + np.float32(sign) * steps], dtype=np.float64) for sign in (1, -1)]
    return Residual(float(np.abs((ends[0] - ends[1]) / (2.0 * steps) - 1).max()), bound=1e-5, draws=1000)
