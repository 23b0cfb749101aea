"""A block: the replicates that are simulated, stored and resumed as one, and the hash that names its cell."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mcverify import observables
from mcverify.kernels import KINDS
from mcverify.moments import Moments, Tree

if TYPE_CHECKING:
    from mcverify.kernels import Backend
    from mcverify.network import Network

MAX_REPLICATES = 10**8  # of one network: a day's work and more
REPLICATES, FEW_REPLICATES, MANY_REPLICATES = 256, 16, 4096
LARGE_NETWORK = 1e7  # weights, or what takes as long as these
SMALL_BLOCK = 2**20  # weights that a block of small networks holds: storing fewer would cost more than drawing them

CHUNK_VALUES = 2**23  # 64 MiB of float64
CHUNK_WEIGHTS = 2**29  # about a second


def block_size(net: Network, backend: Backend) -> int:
    """Replicates in a block: 256; 16 of a network of more than 1e7 weights, up to 4096 of one below 4096 weights.

    >>> from mcverify.kernels import backend
    >>> from mcverify.network import Network
    >>> widths = (4, 4), (32, 32, 32), (128, 128), (4000, 4000)
    >>> [block_size(Network(widths=each), backend("cpu")) for each in widths]
    [4096, 512, 256, 16]
    >>> [block_size(Network(widths=each), backend("chain")) for each in widths]
    [4096, 4096, 4096, 4096]
    """
    work = backend.work(net)
    if work > LARGE_NETWORK:
        return FEW_REPLICATES
    wanted = max(1, int(SMALL_BLOCK // work))
    return min(MANY_REPLICATES, max(REPLICATES, 1 << (wanted.bit_length() - 1)))


def cell_content(net: Network, seed: int, block: int, version: str) -> dict[str, Any]:
    """All that decides a cell's results: network, seed, block size and simulator."""
    return {"network": net.content(), "seed": seed, "block_size": block, "simulator": version}


def cell_key(net: Network, seed: int, block: int, version: str) -> str:
    """SHA-256, in hexadecimal, of the canonical JSON of the cell's content.

    >>> from mcverify.network import Network
    >>> cell_key(Network(widths=(2, 2)), 0, 256, "cpu-1") == cell_key(Network(widths=[2, 2]), 0, 256, "cpu-1")
    True
    """
    content = cell_content(net, seed, block, version)
    return hashlib.sha256(
        json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    ).hexdigest()


def simulator(backend: Backend) -> str:
    """The simulator's name and version, as it stands in keys."""
    return f"{backend.name}-{backend.version}"


@dataclass(frozen=True)
class Measured:
    """What is kept of some consecutive networks.

    Attributes:
        kinds: (len(KINDS),) int64, how many networks were of each kind.
        moments: Of all columns.
        samples: (columns asked for, networks) float64.
    """

    kinds: NDArray[np.int64]
    moments: Moments
    samples: NDArray[np.float64]


def measure(
    backend: Backend, net: Network, seed: int, first: int, count: int, *, columns: Sequence[int], stop: Event
) -> Measured:
    """Simulate networks first .. first + count - 1, in chunks that bound memory and the wait after `stop`.

    The chunks depend on the network and the backend alone, so the bits of the moments do too.

    Raises:
        CancelledError: if `stop` is set before the last chunk.
    """
    tree, kinds, samples = Tree(), np.zeros(len(KINDS), dtype=np.int64), np.empty((len(columns), count))
    step, measured = chunk_size(net, backend), measured_columns(backend, net)
    for index, start in enumerate(range(0, count, step)):
        if stop.is_set():
            raise CancelledError
        rows = min(step, count - start)
        block = backend.simulate_block(net, seed, first + start, rows)
        tree.add(index, Moments.of(block.values if measured is None else block.values.take(measured, axis=1)))
        kinds += np.bincount(block.kinds, minlength=len(KINDS))
        samples[:, start : start + rows] = block.values[:, columns].T
    moments = tree.total() if measured is None else tree.total().among(measured, block.values.shape[1])
    return Measured(kinds, moments, samples)


def measured_columns(backend: Backend, net: Network) -> NDArray[np.int64] | None:
    """Where the columns that a backend measures stand; None where it measures all."""
    measured = backend.measures(net)
    if measured >= frozenset(observables.names()):
        return None
    return np.array([k for k, column in enumerate(observables.columns(net.depth)) if column.name in measured])


def chunk_size(net: Network, backend: Backend) -> int:
    """Replicates simulated by one call of a backend: a power of two, at most a block."""
    n_values = 40 * net.depth  # about the number of columns
    bound = min(CHUNK_VALUES / n_values, CHUNK_WEIGHTS / backend.work(net))
    size = block_size(net, backend)
    while size > 1 and size > bound:
        size //= 2
    return size
