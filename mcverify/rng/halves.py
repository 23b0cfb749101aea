"""How many of n fair signs are positive: Binomial(n, 1/2) by inversion of its distribution function in float64.

One bit of the word says which side of n/2 the number is on, 63 bits say how far: on the lower side the cumulative
sums are right to a relative 1e-12, down to 2^-64.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

N_GUIDES = 4096
LEAST_PROBABILITY = 2.0**-70
STEPS_AT_ONCE = 4096
TO_UNIT_63 = 2.0**-63
LOW_63 = np.uint64((1 << 63) - 1)
SIDE_BIT = np.uint64(63)


@dataclass(frozen=True, eq=False)
class Table:
    """The law of the smaller of the numbers of positive and negative signs.

    Attributes:
        least: The number that the first entry of `below` is about; fewer are never drawn.
        below: P(that number or fewer), for least, least + 1, ... n // 2; the last is above 1.
        guide: (N_GUIDES,) int64, for each of as many equal parts of [0, 1) the first entry that can be drawn there.
    """

    least: int
    below: NDArray[np.float64]
    guide: NDArray[np.int64]


@lru_cache(maxsize=256)
def table(n: int) -> Table:
    """The table of n signs: some 9 sqrt(n) / 2 entries.

    >>> table(3).below.tolist()
    [0.25, 2.0]
    """
    middle = n // 2
    masses = [np.array([1.0])]  # relative to that of the middle, downwards
    while len(masses) == 1 or (masses[-1][-1] > LEAST_PROBABILITY and masses[-1].size):
        done = sum(part.size for part in masses) - 1
        k = np.arange(middle - done, max(middle - done - STEPS_AT_ONCE, 0), -1, dtype=np.float64)
        if not k.size:
            break
        masses.append(masses[-1][-1] * np.cumprod(k / (n - k + 1)))
    mass = np.concatenate(masses)[::-1]
    mass = mass[mass > LEAST_PROBABILITY]
    if n % 2 == 0:
        mass[-1] /= 2  # the middle is its own mirror image
    below = np.cumsum(mass)
    below /= below[-1]
    guide = np.searchsorted(below, np.arange(N_GUIDES) / N_GUIDES, side="right").astype(np.int64)
    below[-1] = 2.0
    return Table(middle + 1 - len(mass), below, guide)


def positive_signs(word: Any, n: int, least: int, below: Any, guide: Any) -> Any:
    """The number of positive ones of n signs that a 64-bit word gives."""
    u = (np.float64(word & LOW_63) + 0.5) * TO_UNIT_63
    entry = guide[min(np.int64(u * N_GUIDES), N_GUIDES - 1)]
    while below[entry] <= u:
        entry += 1
    few = least + entry
    return few if np.uint64(word >> SIDE_BIT) == 0 else n - few
