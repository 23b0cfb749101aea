"""Rescaling a layer by the standard deviation over one batch (catalogue A26; Mishkin and Matas 2016)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from theory.identities.identity import Array, Identity
from theory.prediction import TheoryError

REFERENCE = "Mishkin and Matas 2016"

IDENTITIES = (
    Identity(
        entry="A26",
        statement="Dividing W_l by the standard deviation of W_l x over a batch makes the variance of the "
        "preactivation 1 on "
        "that batch, in one pass and for every activation.",
        assumptions=("no bias", "the preactivations are not all equal", "on that batch alone"),
        derivation=(r"$h = Wx$ is linear in $W$, so $\mathrm{Var}((W/s)x) = \mathrm{Var}(Wx)/s^2 = 1$.",),
        reference=REFERENCE,
    ),
    Identity(
        entry="A26",
        statement="For the variance of the activation one pass is enough if phi is homogeneous; otherwise the "
        "scale is the root "
        "of Var phi(t h) = 1, which bounded activations within (-1, 1), such as tanh and the sigmoid, do not have.",
        assumptions=("no bias", "on that batch alone"),
        derivation=(
            r"Homogeneous: $\varphi(h/s) = \varphi(h)/s$ for $s > 0$, so $s = \mathrm{sd}\,\varphi(h)$ does it at "
            r"once.",
            r"Otherwise repeat $W \leftarrow W/\mathrm{sd}\,\varphi(Wx)$: a fixed point has $\mathrm{sd} = 1$, and "
            r"attracts if "
            r"$0 < d\log\mathrm{sd}/d\log t < 2$ there.",
            r"Numbers in $(-1, 1)$ have variance below 1: for tanh each pass enlarges $W$, without end.",
        ),
        reference=REFERENCE,
        false_as_stated="That the desired moments are always reached: for tanh variance 1 of the activations never is.",
    ),
)


def one_pass(weight: Array, batch: Array, phi: Callable[[Array], Array] | None = None) -> Array:
    """W over the standard deviation of W x, or of phi(W x), over a batch of shape (samples, N) (A26).

    Raises:
        TheoryError: if that is 0.

    >>> w = one_pass(np.array([[2.0]]), np.array([[1.0], [-1.0]]))
    >>> w
    array([[1.]])
    """
    h = batch @ weight.T
    spread = float(np.std(h if phi is None else phi(h)))
    if spread == 0:
        raise TheoryError("all outputs on this batch are equal: there is no standard deviation to divide by.")
    return weight / spread


def within_reach(lowest: float, highest: float, target: float = 1.0) -> bool:
    """Whether an activation with values between the two can have that variance: at most (highest - lowest)^2/4 (A26).

    Popoviciu's bound; it is not attained by an activation that stays strictly inside.

    >>> within_reach(-1.0, 1.0), within_reach(0.0, float("inf"))
    (False, True)
    """
    return (highest - lowest) ** 2 / 4 > target
