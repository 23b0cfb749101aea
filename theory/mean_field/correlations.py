"""The statement about several inputs: how alike they are in each layer (catalogue MF-02).

A net whose `input` is k rows of values has as observable the mean over the distinct pairs of inputs of the cosine of
their preactivations, or activations, in a layer.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import sympy as sp

from theory import distributions
from theory.conditions import gaussian_biases, require, zero_mean_weights
from theory.mean_field.kernels import Array, activated, cosine, input_gram
from theory.mean_field.symbols import MAPS, P16, K
from theory.net import DenseNet, once_per_net
from theory.prediction import Exactness, Predicted, Prediction, TheoryError
from theory.symbols import N, beta, l, v

Qa, Qb, Qab = (sp.IndexedBase(name, real=True) for name in ("Q_a", "Q_b", "Q_ab"))
"""Q_a[l] and Q_b[l]: E h_l^2 for two inputs a and b; Q_ab[l]: E h_l(a) h_l(b)."""
_X0 = sp.Symbol("E_xa_xb", real=True)


def correlation(tensor: str, layer: int) -> Prediction:
    """Mean cosine of the preactivations or activations of several inputs at infinite width (MF-02)."""
    before = _X0 if layer == 1 else K(Qa[l - 1], Qb[l - 1], Qab[l - 1])
    if tensor == "preactivation":
        expression = (N[l - 1] * v[l] * before + beta[l]) / sp.sqrt(Qa[l] * Qb[l])
    else:
        expression = K(Qa[l], Qb[l], Qab[l]) / sp.sqrt(K(Qa[l], Qa[l], Qa[l]) * K(Qb[l], Qb[l], Qb[l]))
    return Prediction(
        entry="MF-02",
        statement="At large width the cosine of two inputs in a layer is that of a Gaussian pair, whose covariance "
        "follows the kernel of phi from layer to layer; the value is the mean over the pairs of inputs.",
        observable=f"{tensor}.correlation",
        layer=layer,
        expression=expression,
        evaluate=partial(_correlation, tensor, layer),
        exactness=Exactness.INFINITE_WIDTH,
        assumptions=(*MAPS, "two or more fixed inputs, through the same weights"),
        reference=P16,
        derivation=(
            r"Two inputs $a, b$ go through the same weights: $h_{l,i}(a) = \sum_j w_{ij} x_j(a) + b_i$.",
            r"Weights and biases are independent with mean 0, so given $x_{l-1}$ each unit has "
            r"$E h(a) h(b) = v_l \sum_j x_j(a) x_j(b) + \beta_l$; for $a = b$ this is the second moment.",
            r"As widths grow a unit's pair $(h(a), h(b))$ tends to a Gaussian pair, and the sum over $j$ to $N_{l-1}$ "
            r"times its mean $K(Q_a, Q_b, Q_{ab}) = E\varphi(u)\varphi(v)$, with $(u, v)$ Gaussian of variances "
            r"$Q_a, Q_b$ and covariance $Q_{ab}$.",
            r"So $Q_{ab}[l] = N_{l-1} v_l K(Q_a[l-1], Q_b[l-1], Q_{ab}[l-1]) + \beta_l$, with $Q_a, Q_b$ alike; in "
            r"layer 1 $K$ is the mean over entries of $x_0(a) x_0(b)$.",
            r"The cosine $h(a) \cdot h(b)/(|h(a)||h(b)|)$ is a ratio of means over units: it tends to "
            r"$Q_{ab}/\sqrt{Q_a Q_b}$.",
            r"For activations it tends to $K(Q_a, Q_b, Q_{ab})/\sqrt{V(Q_a) V(Q_b)}$ with $V(q) = K(q, q, q)$.",
        ),
        inputs="several",
    )


def _correlation(tensor: str, layer: int, net: DenseNet) -> Predicted:
    if tensor == "activation":
        require(gaussian_biases(net, layer), f"the biases of layer {layer} are Gaussian or absent")
        return Predicted(value=cosine(activated(net.phi(layer), _gram(net, layer))))
    return Predicted(value=cosine(_gram(net, layer)))


def _gram(net: DenseNet, layer: int) -> Array:
    """Q_ab of layer l, shape (k, k)."""
    found = grams(net)
    if len(found) < layer or isinstance(found[layer - 1], TheoryError):
        error = found[-1]
        raise type(error)(str(error)) if isinstance(error, TheoryError) else TheoryError("no such layer")
    gram = found[layer - 1]
    assert isinstance(gram, np.ndarray)
    return gram


@once_per_net
def grams(net: DenseNet) -> list[Array | TheoryError]:
    """Covariances of the preactivations of a unit over the inputs, layers 1, 2, ...; last, why there are no more."""
    found: list[Array | TheoryError] = []
    try:
        for layer in range(1, net.depth + 1):
            found.append(_next(net, layer, found[-1] if found else None))
    except TheoryError as error:
        found.append(error)
    return found


def _next(net: DenseNet, layer: int, before: Array | TheoryError | None) -> Array:
    require(zero_mean_weights(net, layer), f"the weights of layer {layer} are random with mean 0")
    sw2 = net.widths[layer - 1] * distributions.variance(net.weight(layer))
    sb2 = distributions.raw_moment(net.bias(layer), 1)
    require(distributions.mean(net.bias(layer)) == 0, f"the biases of layer {layer} have mean 0")
    if before is None:
        return input_gram(net.inputs, sw2, sb2)
    assert isinstance(before, np.ndarray)
    require(gaussian_biases(net, layer - 1), f"the biases of layer {layer - 1} are Gaussian or absent")
    gram = sw2 * activated(net.phi(layer - 1), before) + sb2
    require(bool(np.isfinite(gram).all()), "second moments are ones that a float can hold")
    return gram
