"""Symmetries of a layer's parameters, and what equal weights do (catalogue A19, A20).

One hidden layer: h = W_1 x + b_1, y = W_2 phi(h) + b_2. Each transformation gives other parameters of the
same function; in a deep net it applies to any hidden layer and the one behind it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from theory.identities.identity import Array, Identity
from theory.prediction import Exactness, TheoryError

IDENTITIES = (
    Identity(
        entry="A19",
        statement="Hidden units with equal incoming weights, equal biases and equal outgoing weights stay equal under "
        "every gradient method that acts on all entries alike, whatever the mini-batches.",
        assumptions=("exact arithmetic, or loops in one fixed order", "no noise that differs between the units"),
        derivation=(
            r"Equal units have equal $h_i$, equal $x_i$ and, as their outgoing weights are equal, equal $\delta_i$.",
            r"So $dW_1[i] = \delta_i x^T$, $db_i = \delta_i$ and $dW_2[:,i] = \delta^{out} x_i$ are equal too.",
            r"Momentum, Adam and weight decay keep one state an entry: equal histories make equal states and steps.",
        ),
        false_as_stated="The d2l editions say that all entries of a constant W_1 stay equal. The gradient "
        "delta_i x_j varies with j; and with random outgoing weights delta_i varies with i, so that rows separate.",
    ),
    Identity(
        entry="A19",
        statement="After one step from W_1 = c the change of W_1 has rank at most min(n_out, batch).",
        exactness=Exactness.BOUND,
        assumptions=("all entries of W_1 equal, all biases of the hidden layer equal",),
        derivation=(
            r"All units are in one state, so $\varphi'(h_i) = s_b$ depends on the sample $b$ alone.",
            r"$dW_1 = \sum_b s_b\,W_2^T\delta^{out}_b x_b^T = W_2^T\sum_b s_b\,\delta^{out}_b x_b^T$: rank at most "
            r"that of $W_2^T$ and at most the number of samples.",
        ),
    ),
    Identity(
        entry="A19",
        statement="With phi(0) = 0 and all parameters 0 every gradient but that of the output bias is 0.",
        assumptions=("phi(0) = 0", "all weights and biases 0"),
        derivation=(
            r"$x_1 = \varphi(0) = 0$, so $dW_2 = \delta^{out} x_1^T = 0$.",
            r"$\delta_1 = \varphi'(0)\,W_2^T\delta^{out} = 0$, so $dW_1 = 0$ and $db_1 = 0$; $db_2 = \delta^{out}$ "
            r"remains.",
        ),
    ),
    Identity(
        entry="A20",
        statement="A hidden layer of N units has N! relabelings; for odd phi 2^N sign flips; for homogeneous phi a "
        "positive scale for each unit; for the sigmoid 2^N flips with a shift of the next bias.",
        derivation=(
            r"Permuting the rows of $W_1$, $b_1$ and the columns of $W_2$ alike permutes the terms of a sum.",
            r"Odd: $\varphi(-h) = -\varphi(h)$, so $-W_1[i], -b_i, -W_2[:,i]$ give the same term.",
            r"Homogeneous: $\varphi(ch) = c\,\varphi(h)$, so $c\,W_1[i], c\,b_i, W_2[:,i]/c$ give the same term, "
            r"$c > 0$.",
            r"Sigmoid: $\sigma(-h) = 1 - \sigma(h)$, so $-W_1[i], -b_i, -W_2[:,i]$ and $b_2 + W_2[:,i]$ give the "
            r"same sum.",
        ),
    ),
)


@dataclass(frozen=True)
class TwoLayers:
    """Parameters of one hidden layer and the next: shapes (H, N), (H,), (M, H), (M,)."""

    w1: Array
    b1: Array
    w2: Array
    b2: Array


def n_relabelings(hidden: Sequence[int]) -> int:
    """prod N_l! over the hidden layers (A20).

    >>> n_relabelings((3, 4))
    144
    """
    return math.prod(math.factorial(width) for width in hidden)


def n_sign_flips(hidden: Sequence[int]) -> int:
    """prod 2^N_l over the hidden layers, for odd activations (A20).

    >>> n_sign_flips((3, 4))
    128
    """
    return int(2 ** sum(hidden))


def relabel(net: TwoLayers, order: Sequence[int]) -> TwoLayers:
    """The same function with its hidden units in another order (A20)."""
    index = list(order)
    return TwoLayers(net.w1[index], net.b1[index], net.w2[:, index], net.b2)


def rescale(net: TwoLayers, factors: Array) -> TwoLayers:
    """The same function of a homogeneous net: unit i in times factors[i] > 0, out divided by it (A20).

    Raises:
        TheoryError: for a factor that is not positive.
    """
    if not np.all(factors > 0):
        raise TheoryError(f"factors={factors!r}: a homogeneous activation allows positive factors alone.")
    return TwoLayers(net.w1 * factors[:, None], net.b1 * factors, net.w2 / factors, net.b2)


def flip(net: TwoLayers, unit: int) -> TwoLayers:
    """The same function of a net with odd phi: one unit with all its signs turned (A20)."""
    sign = np.where(np.arange(net.b1.size) == unit, -1.0, 1.0)
    return TwoLayers(net.w1 * sign[:, None], net.b1 * sign, net.w2 * sign, net.b2)


def flip_sigmoid(net: TwoLayers, unit: int) -> TwoLayers:
    """The same function of a sigmoid net: signs turned, and the next bias takes up W_2[:, i] (A20)."""
    turned = flip(net, unit)
    return TwoLayers(turned.w1, turned.b1, turned.w2, net.b2 + net.w2[:, unit])


def first_gradient_rank(n_out: int, batch: int) -> int:
    """Largest rank of the first step of W_1 from W_1 = c (A19).

    >>> first_gradient_rank(3, 8)
    3
    """
    return min(n_out, batch)


def symmetric_subspace(hidden: int, n_in: int, n_out: int) -> tuple[int, int]:
    """Free parameters while all units of a hidden layer are equal, and without that: H is in effect 1 (A19).

    >>> symmetric_subspace(16, 4, 2)
    (9, 114)
    """
    return _parameters(1, n_in, n_out), _parameters(hidden, n_in, n_out)


def _parameters(hidden: int, n_in: int, n_out: int) -> int:
    return hidden * (n_in + 1) + n_out * (hidden + 1)
