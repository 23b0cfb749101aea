"""The chain rule of a dense net: how many Jacobian factors, which preactivation belongs where (catalogue A1, A8)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from theory.identities.identity import Array, Identity
from theory.prediction import TheoryError

IDENTITIES = (
    Identity(
        entry="A1",
        statement="The derivative of the output by the weights of layer l is a product of exactly L - l Jacobians "
        "and the derivative of layer l by its own weights.",
        assumptions=("activations differentiable where they are met",),
        derivation=(
            r"$W_l$ enters only through $h_l$, so $\partial h_L/\partial W_l = (\partial h_L/\partial h_l)\, v_l$ "
            r"with $v_l = \partial h_l/\partial W_l$.",
            r"$h_L$ depends on $h_l$ through $h_{l+1}, \ldots, h_L$ in turn: "
            r"$\partial h_L/\partial h_l = M_L M_{L-1} \cdots M_{l+1}$.",
            r"$M_k = \partial h_k/\partial h_{k-1} = W_k\,\mathrm{diag}\,\varphi'(h_{k-1})$: one factor for each "
            r"$k = l+1, \ldots, L$.",
        ),
        false_as_stated="The 2018 edition counts d - t matrices and labels them M_d ... M_t, which are d - t + 1.",
    ),
    Identity(
        entry="A8",
        statement="Going back, the gradient at x_l takes the derivative of the activation at the preactivation of "
        "layer l + 1.",
        assumptions=("l < L",),
        derivation=(
            r"$x_{l+1} = \varphi(h_{l+1})$, so $\partial\ell/\partial h_{l+1} = "
            r"\varphi'(h_{l+1}) \odot \partial\ell/\partial x_{l+1}$.",
            r"$h_{l+1} = W_{l+1} x_l + b_{l+1}$, so $\partial\ell/\partial x_l = "
            r"W_{l+1}^T\,\partial\ell/\partial h_{l+1}$.",
            r"With $\varphi'(h_l)$ instead the entrywise product joins vectors of lengths $N_l$ and $N_{l+1}$.",
        ),
        false_as_stated="The lecture writes the derivative at the preactivation of layer l.",
    ),
)


def jacobian_labels(layer: int, depth: int) -> range:
    """The labels k of the factors M_k, from left to right, for the weights of a layer 1..L (A1).

    Raises:
        TheoryError: for a layer that the network does not have.

    >>> list(jacobian_labels(2, 5)), len(jacobian_labels(5, 5))
    ([5, 4, 3], 0)
    """
    if not 1 <= layer <= depth:
        raise TheoryError(f"layer={layer}: a network of depth {depth} has weights in layers 1 to {depth}.")
    return range(depth, layer, -1)


def output_jacobian(weights: Sequence[Array], slopes: Sequence[Array], layer: int) -> Array:
    """dh_L/dh_l = M_L ... M_{l+1}, shape (N_L, N_l), from W_1..W_L and phi'(h_1)..phi'(h_L) of one draw (A1).

    >>> w = [np.eye(2), np.array([[1.0, 2.0]])]
    >>> output_jacobian(w, [np.array([1.0, 0.5]), np.ones(1)], 1)
    array([[1., 1.]])
    """
    product = np.eye(weights[-1].shape[0])
    for k in jacobian_labels(layer, len(weights)):
        product = product @ (weights[k - 1] * slopes[k - 2])
    return product


def weight_derivative(weights: Sequence[Array], slopes: Sequence[Array], x: Array, layer: int) -> Array:
    """dh_L/dW_l, shape (N_L, N_l, N_{l-1}): the Jacobians times v_l, which is x_{l-1} in each row (A1).

    >>> w = [np.eye(2), np.array([[1.0, 2.0]])]
    >>> weight_derivative(w, [np.ones(2), np.ones(1)], np.array([3.0, 4.0]), 1)[0]
    array([[3., 4.],
           [6., 8.]])
    """
    return np.multiply.outer(output_jacobian(weights, slopes, layer), x)


def gradient_before(weight: Array, slope: Array, gradient: Array) -> Array:
    """g_l = W_{l+1}^T (phi'(h_{l+1}) * g_{l+1}) (A8).

    Args:
        weight: (N_{l+1}, N_l).
        slope: (N_{l+1},), phi' at the preactivation of layer l + 1.
        gradient: (N_{l+1},).

    Raises:
        TheoryError: if the slopes are not those of layer l + 1 by their number.

    >>> gradient_before(np.array([[1.0, 2.0]]), np.array([0.5]), np.array([4.0]))
    array([2., 4.])
    """
    if slope.shape != gradient.shape:
        raise TheoryError(f"{slope.size} slopes for a gradient of {gradient.size}: they are those of layer l + 1.")
    return weight.T @ (slope * gradient)
