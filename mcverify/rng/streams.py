"""Where a draw stands in the generator: seed and cell make the key, what is drawn makes the counter.

Counter words: element block; tensor kind << 28 | attempt << 22 | layer; replicate, low and high half. So the
tensors of replicate r depend on (seed, cell, r) alone.
"""

from __future__ import annotations

import hashlib

import numpy as np

WEIGHT, BIAS, INPUT, OUTPUT_GRADIENT = 1, 2, 3, 4
"""Tensor kinds."""

FORWARD_DIRECTION, BACKWARD_DIRECTION = 5, 6
"""Directions of W x and W^T delta, where no W is drawn."""

UNITS, FORWARD_NORM, BACKWARD_NORM = 7, 8, 9
"""How many units are active, and the parts of squared norms, where no vector is drawn either."""

MAX_LAYER = (1 << 22) - 1
MAX_BLOCK = (1 << 32) - 1


def key(seed: int, content: str) -> tuple[np.uint64, np.uint64]:
    """The two key words: the first 64 bits of SHA-256 of the canonical JSON of [seed, content].

    Args:
        content: Canonical JSON (sorted keys, no blanks) of what is simulated: `Network.canonical`.

    >>> key(0, "{}") == key(0, "{}"), key(0, "{}") == key(1, "{}")
    (True, False)
    """
    digest = hashlib.sha256(f"[{seed},{content}]".encode()).digest()
    return np.uint64(int.from_bytes(digest[:4], "big")), np.uint64(int.from_bytes(digest[4:8], "big"))


def stream(kind: int, layer: int, attempt: int = 0) -> np.uint64:
    """The second counter word.

    >>> hex(stream(WEIGHT, layer=3))
    '0x10000003'
    """
    return np.uint64(kind << 28 | attempt << 22 | layer)
