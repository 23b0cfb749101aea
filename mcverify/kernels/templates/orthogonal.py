"""Haar orthogonal factors of Gaussian matrices, by Householder reflections in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcverify.kernels.templates.jit import kernel


@kernel
def orthogonalize(z: Any, n_out: int, n_in: int, lanes: int) -> None:
    """Replace each network's Gaussian matrix (entry i * n_in + j, float32) by sqrt(max side) times its Q.

    Q has orthonormal columns (rows, where the matrix is wide) and is that of the factorization whose R has a
    positive diagonal, so that it is uniform (Mezzadri 2007).
    """
    long, short = max(n_out, n_in), min(n_out, n_in)
    by_long, by_short = (n_in, 1) if n_out >= n_in else (1, n_in)
    a, q = np.empty((short, long)), np.empty((short, long))  # columns in rows
    for lane in range(lanes):
        for c in range(short):
            for r in range(long):
                a[c, r] = z[(r * by_long + c * by_short) * lanes + lane]
        _factor(a, q)
        for c in range(short):
            for r in range(long):
                z[(r * by_long + c * by_short) * lanes + lane] = np.float32(q[c, r] * np.sqrt(np.float64(long)))


@kernel
def _factor(a: Any, q: Any) -> None:
    """Q of the matrix whose columns are the rows of a, into the rows of q; a is overwritten."""
    short = a.shape[0]
    signs = np.empty(short)
    for c in range(short):
        norm = np.sqrt(np.sum(a[c, c:] * a[c, c:]))
        signs[c] = -1.0 if a[c, c] >= 0 else 1.0  # of the diagonal of R
        a[c, c] -= signs[c] * norm
        square = np.sum(a[c, c:] * a[c, c:])
        a[c, c:] *= np.sqrt(2 / square) if square > 0 else 0.0
        for later in range(c + 1, short):
            a[later, c:] -= np.sum(a[c, c:] * a[later, c:]) * a[c, c:]
    q[:] = 0
    for c in range(short):
        q[c, c] = signs[c]
        for back in range(c, -1, -1):
            q[c, back:] -= np.sum(a[back, back:] * q[c, back:]) * a[back, back:]
