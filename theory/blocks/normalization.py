"""Normalization layers: rates of gradient energy and scale invariance (catalogue AR-04, AR-05, AR-06, AR-07).

A rate is what one layer (weights, normalization, phi) multiplies E |gradient|^2 by on the way back, once the
covariance of the batch has settled. It does not depend on the weight variance, which the normalization removes.
"""

from __future__ import annotations

import math

import sympy as sp

from theory.activations import Activation, get
from theory.blocks.batch_sphere import batch_means
from theory.prediction import Exactness, TheoryError
from theory.statement import Statement, real, whole

Y19 = "Yang et al. 2019"


def layer_norm_rate(phi: str | Activation) -> float:
    """D(1)/V(1): gradient energy of a layer with LayerNorm before phi, width to infinity (AR-06).

    >>> from theory import activations
    >>> layer_norm_rate(activations.get("relu")), layer_norm_rate("relu")
    (1.0, 1.0)
    """
    phi = _activation(phi)
    second = phi.second_moment(1.0).value
    return _positive(phi.derivative_second_moment(1.0).value / second if second else math.nan, "V(1)", second)


def infinite_batch_rate(phi: str | Activation) -> float:
    """D(1)/(V(1) - M(1)^2): gradient energy of a layer with BatchNorm, batch and width to infinity (AR-04).

    >>> from theory import activations
    >>> round(infinite_batch_rate(activations.get("relu")), 9)  # pi/(pi - 1)
    1.466942207
    """
    phi = _activation(phi)
    centred = phi.second_moment(1.0).value - phi.mean(1.0).value ** 2
    slope = phi.derivative_second_moment(1.0).value
    return _positive(slope / centred if centred > 1e-14 else math.nan, "V(1) - M(1)^2", centred)


def _activation(phi: str | Activation) -> Activation:
    return get(phi) if isinstance(phi, str) else phi


def _positive(rate: float, name: str, value: float) -> float:
    if not (math.isfinite(rate) and rate > 0):
        raise TheoryError(f"the rate needs an activation with {name} > 0 and a derivative; here {name} = {value:g}.")
    return rate


def batch_rate(phi: str | Activation, batch: int) -> float:
    """R_B: gradient energy of a layer with BatchNorm over a batch of B samples, width to infinity (AR-05).

    R_B = B/((B-1)(B-3) lam) E tr[(P - u u^T) D' P D'], P = I - 11^T/B, u uniform on the unit sphere orthogonal to
    1, y = sqrt(B) u, D' = diag phi'(y), lam = E phi(y_1)^2 - E phi(y_1) phi(y_2).

    Args:
        phi: The activation, or its name.
        batch: B >= 4: the mean of 1/|P h|^2 is infinite at B = 3.

    >>> from theory import activations
    >>> round(batch_rate(activations.get("linear"), 8), 9), round(batch_rate(activations.get("relu"), 8), 6)
    (1.2, 1.78819)
    """
    size = whole("batch", batch, 4)
    phi = _activation(phi)
    if phi.slope is not None and phi.slope in (0.0, 1.0):
        return (size - 2) / (size - 3) if phi.slope == 1 else relu_batch_rate(size)
    mean = batch_means(phi, size)
    # E tr P D P D and E u^T D P D u, over the B entries and the B (B - 1) pairs
    trace = (size - 1) ** 2 / size * mean.slope_square + (size - 1) / size * mean.slope_product
    along = (size - 1) * mean.weighted_square - (size - 1) * mean.weighted_product
    lam = mean.square - mean.product
    if lam <= 1e-13 * mean.square:
        raise TheoryError(f"`phi={phi.name}`: a constant activation has no rate.")
    return size / ((size - 1) * (size - 3) * lam) * (trace - along / size)


def relu_batch_rate(batch: int) -> float:
    """R_B of ReLU in closed form; pi/(pi - 1) as B grows (AR-05).

    >>> round(relu_batch_rate(10**7), 6)
    1.466942
    """
    size = whole("batch", batch, 4)
    r = -1 / (size - 1)
    p = (math.pi - math.acos(r)) / (2 * math.pi)
    k = math.sqrt(1 - r * r) / (2 * math.pi) + r * p
    trace = (size - 1) ** 2 / (2 * size) + p * (size - 1) / size - 0.5 + (0.5 + (size - 1) * k) / size
    return size / ((size - 1) * (size - 3) * (0.5 - k)) * trace


def scaled_gradient(scale: float) -> float:
    """|dL/dW| at c W over that at W, for a scale-invariant layer: 1/c (AR-07).

    >>> scaled_gradient(4.0)
    0.25
    """
    return 1 / real("scale", scale, 0, above=True)


_V, _M, _D = sp.Function("V"), sp.Function("M"), sp.Function("D")
_B, _c = sp.Symbol("B", integer=True, positive=True), sp.Symbol("c", positive=True)
_trace, _lam = sp.Symbol("E_tr", positive=True), sp.Symbol("lambda", positive=True)

LAYER_NORM = Statement(
    entry="AR-06",
    statement="With LayerNorm before phi a layer multiplies the gradient energy by D(1)/V(1).",
    expression=_D(1) / _V(1),
    evaluate=layer_norm_rate,
    exactness=Exactness.INFINITE_WIDTH,
    assumptions=("Gaussian weights, no biases", "normalization before phi, eps = 0"),
    derivation=(
        r"Normalized preactivations are $N(0,1)$ as the width grows: $E x^2 = V(1)$, so $|h|^2/N = \sigma_w^2 V(1)$.",
        r"The derivative of the normalization is $1/\sqrt{\sigma_w^2 V(1)}$ off two directions, of weight $O(1/N)$.",
        r"$\sigma_w^2 D(1)$ back through weights and phi, over $\sigma_w^2 V(1)$.",
    ),
)
INFINITE_BATCH = Statement(
    entry="AR-04",
    statement="With BatchNorm and a large batch a layer multiplies the gradient energy by D(1)/(V(1) - M(1)^2) >= 1: "
    "pi/(pi - 1) for ReLU; 1 only for an affine phi.",
    expression=_D(1) / (_V(1) - _M(1) ** 2),
    evaluate=infinite_batch_rate,
    exactness=Exactness.INFINITE_WIDTH,
    assumptions=("batch, then width to infinity: R_B at batch B", "normalization before phi, eps = 0"),
    reference=Y19,
    derivation=(
        r"Samples are equally correlated, so a unit's variance over the batch is $\sigma_w^2(V(1) - M(1)^2)$.",
        r"The normalization divides by its root; back through phi and weights: $\sigma_w^2 D(1)$.",
        r"Gaussian Poincare, $\mathrm{Var}\,\varphi(z) \leq E\varphi'(z)^2$, gives a rate of at least 1.",
    ),
)
BATCH = Statement(
    entry="AR-05",
    statement="With BatchNorm over B samples a layer multiplies the gradient energy by R_B > 1: gradients explode for "
    "every weight variance; (B-2)/(B-3) for a linear net.",
    expression=_B * _trace / ((_B - 1) * (_B - 3) * _lam),
    evaluate=batch_rate,
    exactness=Exactness.INFINITE_WIDTH,
    assumptions=("batch B >= 4, width far above B", "normalization before phi, eps = 0", "the covariance has settled"),
    reference=Y19,
    derivation=(
        r"A row of $P h$ over the batch is $N(0, s P)$: direction $u$ uniform, $E|Ph|^{-2} = 1/((B-3)s)$, independent.",
        r"$s = N v \lambda$ with $\lambda = E\varphi(y_1)^2 - E\varphi(y_1)\varphi(y_2)$, as $E\varphi\varphi^T = "
        r"\lambda I + \mathrm{const}\,11^T$.",
        r"Back: $\delta h = \frac{\sqrt B}{|Ph|}(P - uu^T) D' \delta x$, with $\delta x$ of covariance "
        r"$\propto P$, as every gradient behind a BatchNorm sums to 0.",
        r"$W^T$ multiplies by $N v$: $R_B = \frac{B}{(B-1)(B-3)\lambda} E\,\mathrm{tr}[(P-uu^T)D'PD']$.",
    ),
)
INVARIANCE = Statement(
    entry="AR-07",
    statement="A normalized layer does not see the scale of its weights: at c W the loss is the same and the gradient "
    "is 1/c of what it is at W, on every draw.",
    expression=1 / _c,
    evaluate=scaled_gradient,
    assumptions=("normalization right after W x, no bias, eps = 0", "c > 0"),
    reference="Ioffe and Szegedy 2015; Salimans and Kingma 2016",
    derivation=(r"$L(cW) = L(W)$; differentiate by $W$: $c\,\nabla L(cW) = \nabla L(W)$.",),
)
ORTHOGONALITY = Statement(
    entry="AR-07",
    statement="The gradient is orthogonal to the weights: for each row w_i with BatchNorm, for the whole matrix W with "
    "LayerNorm (whose rows are not invariant one by one).",
    expression=sp.Integer(0),
    evaluate=lambda: 0.0,
    assumptions=INVARIANCE.assumptions,
    reference=INVARIANCE.reference,
    derivation=(
        r"$L(cW) = L(W)$; differentiate by $c$ at 1: $\langle W, \nabla L\rangle = 0$.",
        r"BatchNorm normalizes each unit by itself, so each row may be scaled; LayerNorm mixes the units.",
    ),
)

STATEMENTS = (LAYER_NORM, INFINITE_BATCH, BATCH, INVARIANCE, ORTHOGONALITY)
