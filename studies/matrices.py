"""Products of matrices, one by one: the exact checks and the measurements of `exploding_products`."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import digamma, polygamma

from mcverify import Network, simulate
from mcverify.claim import Residual
from studies.exact import Array, draw, forward, relative, tanh_slope

FACTORS = 101  # the snippets draw one matrix and multiply by a hundred more

PRINTED = np.array(
    [
        [3.1575275e20, -5.0052276e19, 2.0565092e21, -2.3741922e20],
        [-4.6332600e20, 7.3445046e19, -3.0176513e21, 3.4838066e20],
        [-5.8487235e20, 9.2711797e19, -3.8092853e21, 4.3977330e20],
        [-6.2947415e19, 9.9783660e18, -4.0997977e20, 4.7331174e19],
    ]
)
"""What the 2018 edition prints after multiplying its matrices."""

tanh_chain = Network(widths=(5, 5, 5, 5), activation="tanh", weights="lecun_normal")
pairs = Network(widths=(5, 5, 5), activation="linear", weights={"law": "normal", "variance": 1.0})
deep_relu = Network(widths=(64,) * 101, activation="relu", weights="he_normal")


def product_of(n: int, factors: int, variance: float = 1.0) -> Network:
    """A product of n x n Gaussian matrices applied to the first unit vector."""
    unit = [1.0] + [0.0] * (n - 1)
    return Network(
        widths=(n,) * (factors + 1), activation="linear", weights={"law": "normal", "variance": variance}, input=unit
    )


def log_chi_square(n: int) -> tuple[float, float]:
    """Mean and variance of log chi2_n."""
    return float(math.log(2) + digamma(n / 2)), float(polygamma(1, n / 2))


def composition_residual(seed: int, reverse: bool = False) -> Residual:
    """The output f_3(f_2(f_1(x))), its mean square, against the simulator's, relative; `reverse`: f_1 last."""
    simulation, worst = simulate(tanh_chain, replicates=20, seed=seed), 0.0
    for replicate in range(20):
        drawn = draw(tanh_chain, seed, replicate)
        _, x = forward(drawn.weights[::-1] if reverse else drawn.weights, drawn.input, np.tanh)
        simulated = float(simulation.values("activation.second_moment", 3)[replicate])
        worst = max(worst, abs(float(np.mean(x[-1] ** 2)) / simulated - 1))
    return Residual(largest=worst, bound=1e-5, draws=20)  # float32 weights and sums in the simulator


def chain_rule_residual(seed: int, printed: bool = False) -> Residual:
    """d h_3 / d W_1[0, 1] by the product of Jacobians against central differences, relative, over 20 networks.

    `printed` multiplies by one matrix more, M_1, as the labels of the 2018 edition say.
    """
    step, worst = 1e-5, 0.0
    for replicate in range(20):
        drawn = draw(tanh_chain, seed, replicate)
        w, x = drawn.weights, drawn.input
        h, _ = forward(w, x, np.tanh)
        product = w[2] @ np.diag(tanh_slope(h[1])) @ w[1] @ np.diag(tanh_slope(h[0]))  # M_3 M_2
        if printed:
            product = product @ w[0]  # M_1
        by_rule = product[:, 0] * x[1]  # W_1[0, 1] enters h_1 at unit 0 with x_1
        move = np.zeros((5, 5))
        move[0, 1] = step
        up, down = (forward([w[0] + sign * move, *w[1:]], x, np.tanh)[0][-1] for sign in (1, -1))
        worst = max(worst, relative(by_rule, (up - down) / (2 * step)))
    return Residual(largest=worst, bound=1e-6, draws=20)


NILPOTENT = np.array([[0.0, 2.0], [0.0, 0.0]])


def radius_excess(seed: int, a: Array = NILPOTENT) -> Residual:
    """By how much the spectral radius of A A^T exceeds the product of those of A and A^T."""
    del seed
    radius = [max(abs(np.linalg.eigvals(m))) for m in (a @ a.T, a, a.T)]
    return Residual(largest=float(radius[0] - radius[1] * radius[2]), bound=1e-12, draws=1)


def singular(matrix: Array) -> Array:
    """Singular values, the largest first."""
    return np.asarray(np.linalg.svd(matrix, compute_uv=False), dtype=np.float64)


def eigenvalue_sizes(matrix: Array) -> Array:
    """Absolute values of the eigenvalues, the largest first."""
    return np.sort(np.abs(np.linalg.eigvals(matrix)))[::-1]


def singular_value_excess(seed: int, values: Callable[[Array], Array] = singular) -> Residual:
    """Largest violation of the bounds by the values of AB, relative, over 100 pairs of Gaussian matrices."""
    worst = 0.0
    for replicate in range(100):
        a, b = draw(pairs, seed, replicate).weights
        s, sa, sb = values(a @ b), values(a), values(b)
        horn = np.cumsum(np.log(s)) - np.cumsum(np.log(sa * sb))
        worst = max(worst, s[0] / (sa[0] * sb[0]) - 1, sa[-1] * sb[-1] / s[-1] - 1, float(horn.max()), abs(horn[-1]))
    return Residual(largest=float(worst), bound=1e-9, draws=100)


def positive_excess(seed: int, positive: bool = True) -> Residual:
    """Largest violation of the eigenvalue bounds by AB, relative, over 100 pairs; `positive`: of X X^T + 1, else of X."""
    worst = 0.0
    for replicate in range(100):
        a, b = (x @ x.T + np.eye(5) if positive else x for x in draw(pairs, seed, replicate).weights)
        e, ea, eb = eigenvalue_sizes(a @ b), eigenvalue_sizes(a), eigenvalue_sizes(b)
        worst = max(worst, e[0] / (ea[0] * eb[0]) - 1, ea[-1] * eb[-1] / e[-1] - 1)
    return Residual(largest=float(worst), bound=1e-9, draws=100)


def condition_excess(seed: int, values: Callable[[Array], Array] = singular) -> Residual:
    """Largest excess of cond(AB) over cond(A) cond(B), relative, over 100 pairs of Gaussian matrices."""
    worst = 0.0
    for replicate in range(100):
        a, b = draw(pairs, seed, replicate).weights
        product, first, second = ((s := values(m))[0] / s[-1] for m in (a @ b, a, b))
        worst = max(worst, product / (first * second) - 1)
    return Residual(largest=float(worst), bound=1e-9, draws=100)


def left_by_layers(seed: int, ill_conditioned: bool = True) -> Residual:
    """What 100 linear layers leave of a gradient: projectors on one direction, or well-conditioned ones, a fifth of it."""
    u = np.random.default_rng(seed).standard_normal(8)
    layer = np.outer(u, u) / (u @ u) if ill_conditioned else 0.2 * np.eye(8)
    g = u.copy()
    for _ in range(100):
        g = layer.T @ g
    return Residual(largest=float(np.linalg.norm(g) / np.linalg.norm(u)), bound=1e-6, draws=1)


def left_by_saturated(seed: int, weight: float = 4 * math.cosh(2.0) ** 2) -> Residual:
    """What 100 sigmoid units in a row, with preactivation 4 each, leave of a gradient; weight 57 is one over the derivative."""
    del seed
    g = 1.0
    for _ in range(100):
        x = 1 / (1 + math.exp(-4.0))
        g *= weight * x * (1 - x)
    return Residual(largest=g, bound=1e-6, draws=1)


def printed_score(seed: int) -> float:
    """Standard score of the printed matrix: mean log squared norm of its columns against the law of one column."""
    del seed
    mean, variance = log_chi_square(4)
    logs = np.log(np.sum(PRINTED**2, axis=0))
    return float((logs.mean() - FACTORS * mean) / math.sqrt(FACTORS * variance))


def rank_one_residual(seed: int, matrix: Array = PRINTED) -> Residual:
    """Second over first singular value of the printed matrix, which prints eight digits of float32."""
    del seed
    s = singular(matrix)
    return Residual(largest=float(s[1] / s[0]), bound=4 * 2.0**-23, draws=1)


def log_norm_of_2000(seed: int) -> float:
    """Mean over 64 products of log |Mv|^2 after 2000 factors; the norms themselves overflow."""
    simulation = simulate(product_of(4, 2000), replicates=64, seed=seed, keep_values=False)
    return float(simulation.moments("preactivation.log_second_moment", 2000).mean + math.log(4))


def share_out_of_scale(seed: int) -> float:
    """Share of 256 He-initialized ReLU networks, 100 layers of width 64, whose gradient changed tenfold or more."""
    values = simulate(deep_relu, replicates=256, seed=seed).values("preactivation_gradient.log_second_moment", 1)
    return float(np.mean(~(np.abs(values) < math.log(10))))  # a dead network is out of scale too
