"""Chi-squares of whole degrees of freedom, float64, by Marsaglia and Tsang (2000).

One attempt takes a normal and a word; it is rejected with probability at most 0.05. No degree of freedom gives 0, one
the square of the normal.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mcverify.functions.log_scaled import log_scaled

SQUEEZE = 0.0331 * 2 / 3
"""Of 1 - SQUEEZE z^4 / d, at most the probability of acceptance: Marsaglia and Tsang have 1 - 0.0331 z^4 for every
d >= 2/3, and as that probability is exp(d f(z / sqrt d)), its value for a times the d is the a-th power, to which
(1 - y)^a >= 1 - a y applies."""

WORD_UNIT = 2.0**-32


def uniform_of(word: Any) -> Any:
    """A uniform on (0, 1) from a word of 32 bits."""
    return (np.float64(np.uint32(word)) + 0.5) * WORD_UNIT


def shape_of(k: Any) -> Any:
    """d of Marsaglia and Tsang for k >= 2 degrees of freedom."""
    return 0.5 * max(k, 2.0) - 0.3333333333333333


def proposed(k: Any, z: Any) -> Any:
    """The chi-square that a normal proposes."""
    d = shape_of(k)
    v = 1.0 + z / np.sqrt(9.0 * d)
    few = z * z if k == 1.0 else 0.0
    return 2.0 * d * (v * v * v) if k > 1.0 else few


def is_clear(k: Any, z: Any, word: Any) -> Any:
    """Whether it is accepted without a look at logarithms; never where v <= 0."""
    square = z * z
    return (uniform_of(word) < 1.0 - SQUEEZE * (square * square) / shape_of(k)) | (k < 2.0)


def is_accepted(k: Any, z: Any, word: Any) -> Any:
    """Whether it is accepted."""
    if is_clear(k, z, word):
        return True
    d = shape_of(k)
    v = 1.0 + z / np.sqrt(9.0 * d)
    if v <= 0.0:
        return False
    cube = v * v * v
    return log_scaled(uniform_of(word), 0) < 0.5 * z * z + d * (1.0 - cube + log_scaled(cube, 0))
