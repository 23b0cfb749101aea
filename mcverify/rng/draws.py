"""Whole tensors of one replicate with NumPy: what every simulator draws, plainly."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcverify.distributions import Law
from mcverify.rng import variates
from mcverify.rng.philox import MASK, SHIFT, philox4x32
from mcverify.rng.streams import stream

Key = tuple[np.uint64, np.uint64]


def standardised(law: Law, size: int, kind: int, layer: int, replicate: int, key: Key) -> NDArray[np.float32]:
    """The first `size` variates of a tensor, before they are multiplied by the law's `std`.

    Entry e is lane e % per_block of counter block e // per_block.

    >>> law = Law("rademacher", variance=1.0)
    >>> standardised(law, 4, 1, 1, 0, (np.uint64(1), np.uint64(2))) ** 2
    array([1., 1., 1., 1.], dtype=float32)
    """
    per_block = law.per_block
    blocks = np.arange(-(-size // per_block), dtype=np.uint64)
    low, high = np.uint64(replicate) & MASK, np.uint64(replicate) >> SHIFT
    words = philox4x32(blocks, stream(kind, layer), low, high, *key)
    variate = variates.normal if law.name == "orthogonal" else getattr(variates, law.name)
    lanes = [variate(*words, lane, *law.constants) for lane in range(per_block)]
    return np.stack(lanes, axis=1).reshape(-1)[:size].astype(np.float32)


def matrix(law: Law, shape: tuple[int, int], kind: int, layer: int, replicate: int, key: Key) -> NDArray[np.float32]:
    """A standardised weight matrix (fan_out, fan_in)."""
    z = standardised(law, shape[0] * shape[1], kind, layer, replicate, key).reshape(shape)
    return orthogonal_factor(z) if law.name == "orthogonal" else z


def orthogonal_factor(z: NDArray[np.float32]) -> NDArray[np.float32]:
    """sqrt(max side) times the Q of z (of its transpose, where z is wide) whose R has a positive diagonal."""
    tall: NDArray[Any] = z if z.shape[0] >= z.shape[1] else z.T
    q, r = np.linalg.qr(tall.astype(np.float64))
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0) * np.sqrt(len(tall))
    return np.ascontiguousarray(q if tall is z else q.T, dtype=np.float32)
