"""From sums of powers to the columns of observables; the same for every simulator.

Vectors are kept as v 2^e with an integer e for each network, so a second moment may be out of float64's range while
its log and its ratio to the next are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcverify.observables import GRADIENTS, TENSORS, layers, statistics_of

Array = NDArray[np.float64]
LARGEST_SHIFT = 1 << 20


@dataclass(frozen=True)
class Powers:
    """Means over the entries of v, v^2, v^4 for each layer of a tensor and each network; the tensor is v 2^exponent.

    Arrays of shape (layers, networks), layers in the order of `observables.layers(tensor, "mean", depth)`.
    """

    mean: Array
    second: Array
    fourth: Array
    exponent: NDArray[np.int64]

    @staticmethod
    def empty(n_layers: int, count: int) -> Powers:
        """Room for the powers of a tensor."""
        a, b, c = (np.zeros((n_layers, count)) for _ in range(3))
        return Powers(a, b, c, np.zeros((n_layers, count), np.int64))

    def __getitem__(self, rows: slice) -> Powers:
        return Powers(self.mean[rows], self.second[rows], self.fourth[rows], self.exponent[rows])

    def rows(self, row: int) -> tuple[Array, Array, Array, NDArray[np.int64]]:
        """Mean, second, fourth and exponent of one layer, to be written to."""
        return self.mean[row], self.second[row], self.fourth[row], self.exponent[row]

    def outer(self, other: Powers) -> Powers:
        """The powers of all products of an entry of one and an entry of the other."""
        products = (self.mean * other.mean, self.second * other.second, self.fourth * other.fourth)
        return Powers(*products, self.exponent + other.exponent)

    @staticmethod
    def joined(first: Powers, then: Powers) -> Powers:
        """The layers of `first`, then those of `then`."""
        fields = ("mean", "second", "fourth", "exponent")
        return Powers(*(np.concatenate([getattr(first, f), getattr(then, f)]) for f in fields))

    def statistic(self, name: str) -> Array:
        """A statistic of `observables.MOMENTS`, (layers, networks)."""
        if name == "mean":
            return shifted(self.mean, self.exponent)
        if name == "second_moment":
            return shifted(self.second, 2 * self.exponent)
        if name == "fourth_moment":
            return shifted(self.fourth, 4 * self.exponent)
        logs: Array = np.log(self.second) + 2 * np.log(2) * self.exponent
        return logs


def shifted(value: Array, exponent: NDArray[np.int64]) -> Array:
    """The value 2^exponent, to 0 or infinity out of range."""
    clipped = np.clip(exponent, -LARGEST_SHIFT, LARGEST_SHIFT).astype(np.int32)
    result: Array = np.ldexp(value, clipped)
    return result


def columns_of(depth: int, powers: Mapping[str, Powers], extra: Mapping[str, Array]) -> Array:
    """Every observable of every network, (networks, columns) in the order of `observables.columns(depth)`.

    Args:
        powers: By tensor.
        extra: `active_fraction` and `alive`, (depth, networks) each.
    """
    blocks = []
    with np.errstate(all="ignore"):
        for tensor in TENSORS:
            for statistic in statistics_of(tensor):
                if statistic in extra:
                    blocks.append(extra[statistic])
                elif statistic == "ratio":
                    blocks.append(_ratio(tensor, powers))
                else:
                    blocks.append(powers[tensor].statistic(statistic))
                if len(blocks[-1]) != len(layers(tensor, statistic, depth)):
                    raise ValueError(f"{tensor}.{statistic}: {len(blocks[-1])} layers")
    return np.ascontiguousarray(np.concatenate(blocks).T)


def _ratio(tensor: str, powers: Mapping[str, Powers]) -> Array:
    above, below = ratio_parts(tensor, powers)
    quotient = above.second / np.where(below.second == 0, np.nan, below.second)
    return shifted(quotient, 2 * (above.exponent - below.exponent))


def ratio_parts(tensor: str, powers: Mapping[str, Powers]) -> tuple[Powers, Powers]:
    """Numerators and denominators of a tensor's ratios."""
    these = powers[tensor]
    if tensor in GRADIENTS:
        return these[:-1], these[1:]
    if tensor == "activation":
        return these, Powers.joined(powers["input"], these[:-1])
    return these[1:], these[:-1]


def empty_powers(depth: int, count: int) -> dict[str, Powers]:
    """Room for the powers of every tensor."""
    return {tensor: Powers.empty(len(layers(tensor, "mean", depth)), count) for tensor in TENSORS}


def n_columns(depth: int) -> int:
    """How many observables a network has.

    >>> from mcverify.observables import columns
    >>> n_columns(7) == len(columns(7))
    True
    """
    return sum(len(layers(tensor, name, depth)) for tensor in TENSORS for name in statistics_of(tensor))
