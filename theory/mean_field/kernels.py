"""Kernels of k inputs at infinite width: NNGP and NTK, layer by layer (catalogue MF-02, MF-11).

A Gram matrix G[a, b] = E h_a h_b of the preactivations of k inputs goes to sw2 E phi(u)phi(v) + sb2, with (u, v)
Gaussian of the covariance that G gives the pair: the kernel of the Gaussian process that wide networks tend to
(NNGP). The neural tangent kernel, the Gram matrix of gradients with respect to all parameters in the NTK
parametrization h = sqrt(sw2/n) W x + sqrt(sb2) b, follows beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from theory.activations import Activation
from theory.mean_field.maps import Phi, activation_of
from theory.prediction import TheoryError
from theory.statement import whole

Array = npt.NDArray[np.float64]


def input_gram(inputs: npt.ArrayLike, sw2: float, sb2: float = 0.0) -> Array:
    """K_1 = sw2 X X^T / N_0 + sb2, of shape (k, k), from inputs of shape (k, N_0) (MF-11).

    >>> input_gram([[1.0, 1.0], [1.0, -1.0]], 2.0, 0.5)
    array([[2.5, 0.5],
           [0.5, 2.5]])
    """
    x = np.asarray(inputs, dtype=np.float64)
    if x.ndim != 2 or not x.size:
        raise TheoryError(f"inputs are k rows of N_0 values, not an array of shape {x.shape}.")
    return np.asarray(sw2 * (x @ x.T) / x.shape[1] + sb2, dtype=np.float64)


def activated(phi: Phi, gram: Array, *, derivative: bool = False) -> Array:
    """E phi(u)phi(v) (or E phi'(u)phi'(v)) for every pair of a Gram matrix, of its shape (MF-02).

    >>> np.round(activated("relu", np.array([[2.0, 2.0], [2.0, 2.0]])), 12)
    array([[1., 1.],
           [1., 1.]])
    """
    activation = activation_of(phi)
    result = np.empty_like(gram)
    for a in range(len(gram)):
        for b in range(a + 1):
            result[a, b] = result[b, a] = _pair(activation, gram, a, b, derivative)
    return result


def _pair(activation: Activation, gram: Array, a: int, b: int, derivative: bool) -> float:
    q1, q2 = float(gram[a, a]), float(gram[b, b])
    if not (0 < q1 < math.inf and 0 < q2 < math.inf):
        raise TheoryError(
            f"inputs {a} and {b} have preactivations with E h^2 = {q1} and {q2}: a kernel needs a signal."
        )
    if a == b:
        moment = activation.derivative_second_moment if derivative else activation.second_moment
        return moment(q1).value
    bound = math.sqrt(q1) * math.sqrt(q2)
    covariance = min(max(float(gram[a, b]), -bound), bound)
    kernel = activation.derivative_kernel if derivative else activation.kernel
    return kernel(q1, q2, covariance).value


Variances = float | Sequence[float]


def _each(value: Variances, depth: int, name: str) -> list[float]:
    values = [float(value)] * depth if isinstance(value, int | float) else [float(v) for v in value]
    if len(values) != depth:
        raise TheoryError(f"`{name}` has {len(values)} values for {depth} layers.")
    return values


def nngp(phi: Phi, inputs: npt.ArrayLike, sw2: Variances, sb2: Variances = 0.0, *, depth: int) -> list[Array]:
    """K_1, ..., K_depth: covariances of the preactivations of one unit over k inputs (MF-11; Lee et al. 2018).

    `inputs` has shape (k, N_0); sw2 and sb2 are one number, or one a layer. Each K has shape (k, k).

    >>> kernels = nngp("relu", [[1.0, 1.0], [1.0, -1.0]], 2.0, depth=2)
    >>> np.round(kernels[1], 6)
    array([[2.     , 0.63662],
           [0.63662, 2.     ]])
    """
    return [k for k, _ in _both(phi, inputs, sw2, sb2, depth, tangent=False)]


def ntk(phi: Phi, inputs: npt.ArrayLike, sw2: Variances, sb2: Variances = 0.0, *, depth: int) -> list[Array]:
    """Theta_1, ..., Theta_depth, the tangent kernels of nets of 1..depth layers (MF-11; Jacot et al. 2018).

    Theta_1 = K_1 and Theta_{l+1} = K_{l+1} + sw2 Kdot Theta_l, entry by entry: the parameters of the last layer, and
    those before it seen through one layer. A net of l layers ends with the preactivation h_l.

    >>> [float(round(k[0, 0], 9)) for k in ntk("relu", [[1.0, 1.0]], 2.0, depth=3)]
    [2.0, 4.0, 6.0]
    """
    return [theta for _, theta in _both(phi, inputs, sw2, sb2, depth, tangent=True)]


def _both(
    phi: Phi, inputs: npt.ArrayLike, sw2: Variances, sb2: Variances, depth: int, *, tangent: bool
) -> list[tuple[Array, Array]]:
    activation = activation_of(phi)
    whole("depth", depth)
    weights, biases = _each(sw2, depth, "sw2"), _each(sb2, depth, "sb2")
    kernel = input_gram(inputs, weights[0], biases[0])
    states = [(kernel, kernel)]
    for weight, bias in zip(weights[1:], biases[1:], strict=True):
        kernel, theta = states[-1]
        following = weight * activated(activation, kernel) + bias
        through = weight * activated(activation, kernel, derivative=True) * theta if tangent else 0.0
        states.append((following, following + through))
    return states


def cosine(gram: Array) -> float:
    """Mean over the distinct pairs of G[a, b]/sqrt(G[a, a] G[b, b]).

    >>> cosine(np.array([[4.0, 1.0], [1.0, 1.0]]))
    0.5
    """
    if len(gram) < 2:
        raise TheoryError(f"a correlation needs two inputs or more, here {len(gram)}.")
    lengths = np.sqrt(np.diag(gram))
    if not (lengths > 0).all():
        raise TheoryError("a correlation needs that no input is 0 in this layer.")
    upper = np.triu_indices(len(gram), 1)
    return float(np.mean((gram / np.outer(lengths, lengths))[upper]))
