"""Bounds on products of matrices by singular values; none by eigenvalues (catalogue A2, A27)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from theory.identities.identity import Array, Identity
from theory.prediction import Exactness, TheoryError

IDENTITIES = (
    Identity(
        entry="A2",
        statement="The eigenvalues of the factors bound nothing about a product: a matrix all of whose eigenvalues "
        "are 0 times its transpose can have eigenvalue 4, or any other.",
        derivation=(
            r"$A = \begin{pmatrix} 0 & 2 \\ 0 & 0 \end{pmatrix}$ is nilpotent: both eigenvalues are 0, and so are "
            r"those of $A^T$.",
            r"$A A^T = \mathrm{diag}(4, 0)$.",
        ),
        false_as_stated="The d2l editions explain very large and very small products by the eigenvalues of the "
        "factors.",
    ),
    Identity(
        entry="A2",
        statement="The k largest singular values of a product have a product at most that of the k largest of each "
        "factor, with equality for all n of them.",
        exactness=Exactness.BOUND,
        assumptions=("square matrices; equality needs all n singular values",),
        derivation=(
            r"The $k$-th compound matrix of $A$ has the minors of order $k$ for entries, and is multiplicative: "
            r"$C_k(AB) = C_k(A)\,C_k(B)$ (Cauchy-Binet).",
            r"Its largest singular value is $s_1(A) \cdots s_k(A)$, and the largest singular value is "
            r"submultiplicative.",
            r"For $k = n$ the compound is the determinant, which is multiplicative: equality.",
        ),
        reference="Horn 1950",
    ),
    Identity(
        entry="A27",
        statement="Ill-conditioned weights are neither necessary nor sufficient for gradients to vanish, nor are "
        "saturated activations.",
        assumptions=("the factors are chosen freely",),
        derivation=(
            r"Not necessary: $W_l = \frac15 I$ has condition number 1 and leaves $5^{-L}$ of every gradient.",
            r"Not sufficient: $W_l = u u^T$ with $|u| = 1$ has infinite condition number and keeps the gradient $u$ "
            r"through any number of layers.",
            r"Saturation: at $h = 4$ a sigmoid has slope $0.0177$; a weight of $1/0.0177 = 56.6$ undoes it.",
        ),
        false_as_stated="The lecture says the gradient vanishes exponentially if weights are ill-conditioned or "
        "activations saturate.",
    ),
)

NILPOTENT = ((0, 2), (0, 0))
"""A matrix whose eigenvalues are 0, while A A^T has eigenvalue 4 (A2)."""


def horn_bounds(first: Sequence[float], second: Sequence[float]) -> list[float]:
    """Upper bounds on prod_{i<=k} s_i(AB), k = 1..n, from the singular values of A and of B; exact for k = n (A2).

    Raises:
        TheoryError: if there are not as many of one as of the other.

    >>> horn_bounds([2.0, 1.0], [3.0, 0.5])
    [6.0, 3.0]
    """
    if len(first) != len(second):
        raise TheoryError(f"{len(first)} and {len(second)} singular values: the bounds are for square matrices.")
    largest = np.sort(np.asarray(first))[::-1] * np.sort(np.asarray(second))[::-1]
    return [float(bound) for bound in np.cumprod(largest)]


def kept_by_projectors(direction: Array, gradient: Array, layers: int) -> Array:
    """What layers W = u u^T / |u|^2 leave of a gradient, however many: its part along u (A27).

    >>> kept_by_projectors(np.array([1.0, 0.0]), np.array([3.0, 4.0]), 100)
    array([3., 0.])
    """
    if layers == 0:
        return gradient
    part: Array = direction * (direction @ gradient) / (direction @ direction)
    return part
