"""Simulators by name. A backend draws blocks of networks and measures every observable on each of them."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from mcverify.errors import unknown

if TYPE_CHECKING:
    from mcverify.network import Network

OK, DEAD, UNDERFLOW, OVERFLOW, NAN = range(5)
KINDS = ("ok", "dead", "underflow", "overflow", "nan")
"""What became of a network's vectors: every entry of some x_l exactly 0 (dead); the argument of an activation that is
not homogeneous beyond 2^1000 or not finite (overflow), or what it gives, forward or backward, lost to 0 (underflow); an
activation that is not a number. Second moments may be 0 or infinite in a network that is `ok`: its vectors are kept
scaled, and the logs of the moments are finite."""

BACKENDS = {
    "reference": "mcverify.kernels.reference",
    "cpu": "mcverify.kernels.cpu",
    "chain": "mcverify.kernels.chain",
}


@dataclass(frozen=True)
class Block:
    """The observables of consecutive networks.

    Attributes:
        values: (count, n_columns) float64, columns in the order of `observables.columns(depth)`.
        kinds: (count,) uint8, an index into `KINDS`.
    """

    values: NDArray[np.float64]
    kinds: NDArray[np.uint8]


class Backend(Protocol):
    """A simulator; a module of this package is one.

    Attributes:
        name: As in `backend("cpu")`.
        assumes: Facts about random networks that it may build on; empty for those that draw every weight.
        version: Part of the key of stored results: raised when results change.
    """

    name: str
    assumes: frozenset[str]
    version: int

    def simulate_block(self, net: Network, seed: int, first: int, count: int) -> Block:
        """Networks first .. first + count - 1 of a seed; serial, and without the GIL where compiled."""

    def work(self, net: Network) -> float:
        """What one network costs, as a number of weights that `cpu` draws in that time."""

    def measures(self, net: Network) -> frozenset[str]:
        """Dotted names of the observables that it measures on a network; the columns of others are NaN.

        Raises:
            InputError: if it cannot simulate the network, saying which backend can.
        """

    def assumes_for(self, net: Network) -> frozenset[str]:
        """Those of its assumptions that it builds on for this network.

        Raises:
            InputError: if it cannot simulate the network.
        """


def backend(name: str) -> Backend:
    """The simulator of this name.

    Raises:
        InputError: if there is none.

    >>> backend("reference").assumes
    frozenset()
    """
    if name not in BACKENDS:
        raise unknown("backend", name, BACKENDS)
    return cast(Backend, importlib.import_module(BACKENDS[name]))
