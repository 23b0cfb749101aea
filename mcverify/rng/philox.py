"""Philox4x32-10, the counter-based generator of Random123 (Salmon et al. 2011), as plain integer arithmetic.

All words are 32-bit values in unsigned 64-bit variables, masked before each multiplication: in this form LLVM
multiplies eight of them at once. The same text runs on NumPy scalars, on NumPy arrays and, compiled, on numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

MASK = np.uint64(0xFFFFFFFF)
SHIFT = np.uint64(32)
M0 = np.uint64(0xD2511F53)
M1 = np.uint64(0xCD9E8D57)
W0 = np.uint64(0x9E3779B9)
W1 = np.uint64(0xBB67AE85)
TWO_W0 = np.uint64(2 * 0x9E3779B9)
TWO_W1 = np.uint64(2 * 0xBB67AE85)


def two_rounds(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> tuple[Any, Any, Any, Any]:
    """Two of the ten rounds, with keys k and k + W; written out, as loops keep LLVM from vectorising."""
    p0, p1 = M0 * c0, M1 * c2
    a0, a2 = ((p1 >> SHIFT) ^ c1 ^ k0) & MASK, ((p0 >> SHIFT) ^ c3 ^ k1) & MASK
    q0, q1 = M0 * a0, M1 * a2
    return (
        ((q1 >> SHIFT) ^ p1 ^ (k0 + W0)) & MASK,
        q1 & MASK,
        ((q0 >> SHIFT) ^ p0 ^ (k1 + W1)) & MASK,
        q0 & MASK,
    )


def philox4x32(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> tuple[Any, Any, Any, Any]:
    """Four random words from a counter of four words and a key of two, all uint64 below 2^32.

    >>> zero = np.uint64(0)
    >>> [hex(word) for word in philox4x32(zero, zero, zero, zero, zero, zero)]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    c0, c1, c2, c3 = two_rounds(c0, c1, c2, c3, k0, k1)
    k0, k1 = k0 + TWO_W0, k1 + TWO_W1
    c0, c1, c2, c3 = two_rounds(c0, c1, c2, c3, k0, k1)
    k0, k1 = k0 + TWO_W0, k1 + TWO_W1
    c0, c1, c2, c3 = two_rounds(c0, c1, c2, c3, k0, k1)
    k0, k1 = k0 + TWO_W0, k1 + TWO_W1
    c0, c1, c2, c3 = two_rounds(c0, c1, c2, c3, k0, k1)
    k0, k1 = k0 + TWO_W0, k1 + TWO_W1
    return two_rounds(c0, c1, c2, c3, k0, k1)
