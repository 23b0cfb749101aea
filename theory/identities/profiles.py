"""Which variances make layers learn alike, and what fixed defaults do (catalogue A13, A22, TR-06).

Linear nets, or homogeneous ones with symmetric weights, and an output gradient that is independent of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from theory.identities.identity import Array, Identity
from theory.prediction import TheoryError

MXNET_DEFAULTS = {"uniform": 0.07**2 / 3, "normal": 0.01**2}
"""Variance of a weight under MXNet's Uniform(0.07) and Normal(0.01), whatever the width (A22)."""

_GRADIENT = (
    r"$E|dW_l|_F^2 = E|\delta_l|^2\,E|x_{l-1}|^2$, as $\delta_l$ and $x_{l-1}$ are independent.",
    r"Each layer but $l$ puts the factor $N_q v_q$ into one of the two; $N_l$ comes from $|\delta_l|^2$.",
    r"So $v_l\,E|dW_l|_F^2$ is the same in every layer; divide by the $N_l N_{l-1}$ entries: "
    r"$V(dW_l) \propto 1/(N_l N_{l-1} v_l)$.",
)

IDENTITIES = (
    Identity(
        entry="A13",
        statement="The variance of a weight's gradient varies over layers as 1/(N_l N_{l-1} v_l): a choice of v_l "
        "makes it equal.",
        assumptions=("linear or homogeneous activations, symmetric weights, no biases", "independent output gradient"),
        derivation=(
            *_GRADIENT,
            r"$v_l \propto 1/(N_l N_{l-1})$ makes $V(dW_l)$ equal.",
            r"$E|W_l|_F^2 = N_l N_{l-1} v_l$, so $E|dW_l|_F^2/E|W_l|_F^2 \propto 1/(N_l N_{l-1} v_l^2)$: "
            r"$v_l = 1/\sqrt{N_l N_{l-1}}$ makes it equal.",
        ),
        false_as_stated="The lecture concludes that nothing can control the variance of the weights' gradients.",
    ),
    Identity(
        entry="A22",
        statement="Weights of one fixed variance v keep second moments at one width alone, 2/(v (1 + a^2)).",
        assumptions=("equal widths n", "homogeneous activation with slope a for negative s"),
        derivation=(
            r"A layer multiplies the second moment by $n v (1 + a^2)/2$.",
            r"Uniform on $[-0.07, 0.07]$: $v = 0.07^2/3$, so $n = 1/v = 612.2$ (linear) or $2/v = 1224.5$ (ReLU).",
            r"Normal with $\sigma = 0.01$: $v = 10^{-4}$, so $n = 10^4$ or $2 \cdot 10^4$.",
        ),
        false_as_stated="The d2l editions say that these defaults work well for moderate sizes.",
    ),
    Identity(
        entry="TR-06",
        statement="Layerwise rates eta |W_l|/|dW_l| make every layer move by the fraction eta of its norm; without "
        "them E|W_l|^2/E|dW_l|^2 goes as N_l N_{l-1} v_l^2.",
        assumptions=("neither norm is 0",),
        derivation=(
            r"$|\Delta W_l| = \eta\,(|W_l|/|dW_l|)\,|dW_l| = \eta\,|W_l|$ by construction.",
            *_GRADIENT,
            r"Only norms are fixed: neither directions, nor conditioning, nor $0/0$ in a dead layer.",
        ),
        reference="You, Gitman and Ginsburg 2017",
    ),
)


def entry_profile(widths: Sequence[int], variances: Sequence[float]) -> list[float]:
    """V(dW_l) for l = 1..L up to a common factor: 1/(N_l N_{l-1} v_l) (A13).

    >>> entry_profile((2, 4, 2), (1 / 8, 1 / 8))
    [1.0, 1.0]
    """
    return [1 / (out * into * v) for into, out, v in _layers(widths, variances)]


def update_profile(widths: Sequence[int], variances: Sequence[float]) -> list[float]:
    """E|dW_l|_F^2/E|W_l|_F^2 for l = 1..L up to a common factor: 1/(N_l N_{l-1} v_l^2) (A13, TR-06).

    >>> update_profile((4, 4, 1), (1 / 4, 1 / 2))
    [1.0, 1.0]
    """
    return [1 / (out * into * v**2) for into, out, v in _layers(widths, variances)]


def equal_update_variances(widths: Sequence[int]) -> list[float]:
    """v_l = 1/sqrt(N_{l-1} N_l): each layer moves by the same fraction of itself (A13).

    >>> equal_update_variances((4, 4, 1))
    [0.25, 0.5]
    """
    return [1 / math.sqrt(into * out) for into, out in pairwise(widths)]


def equal_entry_variances(widths: Sequence[int], scale: float = 1.0) -> list[float]:
    """v_l = scale/(N_{l-1} N_l): weights' gradients have one variance in all layers (A13).

    >>> equal_entry_variances((4, 4, 1), 4.0)
    [0.25, 1.0]
    """
    return [scale / (into * out) for into, out in pairwise(widths)]


def layer_factor(width: int, variance: float, slope: float = 1.0) -> float:
    """Factor n v (1 + a^2)/2 of the second moment from layer to layer (A22).

    >>> round(layer_factor(128, MXNET_DEFAULTS["normal"], slope=0.0), 6)
    0.0064
    """
    return width * variance * (1 + slope**2) / 2


def stationary_width(variance: float, slope: float = 1.0) -> float:
    """The one width at which weights of that variance keep second moments, 2/(v (1 + a^2)) (A22).

    >>> [round(stationary_width(MXNET_DEFAULTS["uniform"], slope), 1) for slope in (1.0, 0.0)]
    [612.2, 1224.5]
    """
    return 2 / (variance * (1 + slope**2))


def layerwise_rates(weights: Sequence[Array], gradients: Sequence[Array], eta: float) -> list[float]:
    """eta |W_l|/|dW_l|, the rates with which each layer moves by the fraction eta of its norm (TR-06).

    Raises:
        TheoryError: where a gradient is 0: the rate is not defined.

    >>> layerwise_rates([np.array([[3.0, 4.0]])], [np.array([[0.0, 2.0]])], 0.1)
    [0.25]
    """
    norms = [(float(np.linalg.norm(w)), float(np.linalg.norm(dw))) for w, dw in zip(weights, gradients, strict=True)]
    for layer, (_, d) in enumerate(norms, start=1):
        if d == 0:
            raise TheoryError(f"the gradient of layer {layer} is 0: |W|/|dW| is not defined; leave the layer out.")
    return [eta * w / d for w, d in norms]


def _layers(widths: Sequence[int], variances: Sequence[float]) -> list[tuple[int, int, float]]:
    return [(into, out, v) for (into, out), v in zip(pairwise(widths), variances, strict=True)]
