"""Euler's identity and the balance of units, on every draw of a homogeneous net (catalogue A13, SY-07, A23)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from theory.identities.identity import Array, Identity

IDENTITIES = (
    Identity(
        entry="A13",
        statement="In a homogeneous net without biases the inner product of the weights and their gradient is the "
        "same in every layer: that of the output and its gradient.",
        assumptions=("activations homogeneous: linear, relu, leaky_relu", "no biases"),
        derivation=(
            r"Multiplying $W_l$ by $c > 0$ multiplies $x_L$ by $c$, since $\varphi(cs) = c\,\varphi(s)$.",
            r"Differentiate $\ell(c\,x_L)$ at $c = 1$ in two ways: $\langle W_l, dW_l\rangle$ by the chain rule in "
            r"$W_l$, and $\langle g_L, x_L\rangle$ by the chain rule in $x_L$.",
        ),
        reference="Euler's theorem on homogeneous functions",
    ),
    Identity(
        entry="SY-07",
        statement="At every hidden unit of a homogeneous net what comes in balances what goes out: "
        "incoming weights and bias times their gradients equal outgoing weights times theirs.",
        assumptions=("the activation of that layer is homogeneous",),
        derivation=(
            r"Scale row $i$ of $W_1$ and $b_i$ by $c > 0$, and column $i$ of $W_2$ by $1/c$: the function is the same.",
            r"So the derivative of the loss by $c$ at $c = 1$ is 0: "
            r"$\langle W_1[i], dW_1[i]\rangle + b_i\,db_i - \langle W_2[:,i], dW_2[:,i]\rangle = 0$.",
        ),
    ),
    Identity(
        entry="A23",
        statement="A homogeneous net without biases passes a scale on unchanged: its output at c x is c times that "
        "at x, for every c > 0, so the variance of the data does not matter to what changes from layer to layer.",
        assumptions=("activations homogeneous", "no biases", "c > 0"),
        derivation=(
            r"$W_l(c\,x) = c\,W_l x$ and $\varphi(c\,h) = c\,\varphi(h)$; repeat for every layer.",
            r"Every second moment is multiplied by $c^2$ and every ratio of layers by 1.",
        ),
        false_as_stated="The lecture asks for variance 1 of the data so that variances stay constant; it matters for "
        "activations like tanh alone.",
    ),
)


def euler_products(weights: Sequence[Array], gradients: Sequence[Array]) -> list[float]:
    """<W_l, dW_l> for each layer: all equal <g_L, x_L> in a homogeneous net without biases (A13).

    >>> euler_products([np.array([[2.0]]), np.array([[3.0]])], [np.array([[3.0]]), np.array([[2.0]])])
    [6.0, 6.0]
    """
    return [float(np.sum(w * dw)) for w, dw in zip(weights, gradients, strict=True)]


def unit_imbalance(incoming: Array, d_incoming: Array, bias: Array, d_bias: Array, out: Array, d_out: Array) -> Array:
    """<W_1[i], dW_1[i]> + b_i db_i - <W_2[:,i], dW_2[:,i]> for each hidden unit: 0 for homogeneous phi (SY-07).

    Args:
        incoming, d_incoming: (H, N), weights into the units and their gradient.
        bias, d_bias: (H,).
        out, d_out: (M, H), weights out of the units and their gradient.

    >>> one = np.ones((1, 1))
    >>> unit_imbalance(2 * one, 3 * one, np.zeros(1), np.ones(1), one, 6 * one)
    array([0.])
    """
    into = np.sum(incoming * d_incoming, axis=1) + bias * d_bias
    balance: Array = into - np.sum(out * d_out, axis=0)
    return balance
