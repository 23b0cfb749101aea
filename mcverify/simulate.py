"""Simulates networks block by block: into a store, where it resumes what is there, or into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from mcverify import kernels, observables
from mcverify.blocks import MAX_REPLICATES, Measured, block_size, cell_content, cell_key, measure, simulator
from mcverify.checks import integer
from mcverify.engine import Progress, drive, processors
from mcverify.errors import InputError
from mcverify.kernels import KINDS
from mcverify.moments import Tree
from mcverify.network import Network
from mcverify.observables import Observable
from mcverify.simulation import Simulation, column_indexes
from mcverify.store import StoredBlock

if TYPE_CHECKING:
    from mcverify.kernels import Backend
    from mcverify.store import Store

__all__ = ["Cell", "Simulation", "block_size", "cell_key", "read_cell", "run_cells", "simulate"]

T = TypeVar("T")

MAX_KEPT_BYTES = 2**30


@dataclass(frozen=True)
class Cell:
    """A network to be simulated into a store.

    Attributes:
        network: What is drawn.
        seed: Seed of the draws.
        replicates: At least so many; whole blocks are simulated.
        columns: The observables of which each network's value is kept, beside the moments of all.
    """

    network: Network
    seed: int
    replicates: int
    columns: tuple[Observable, ...] = ()

    def n_blocks(self, backend: Backend) -> int:
        """Whole blocks that hold the replicates.

        >>> Cell(Network(widths=(64, 64)), seed=0, replicates=300).n_blocks(kernels.backend("cpu"))
        2
        """
        return -(-self.replicates // block_size(self.network, backend))

    def key(self, backend: Backend) -> str:
        """The key of its results when simulated by `backend`."""
        return cell_key(self.network, self.seed, block_size(self.network, backend), simulator(backend))


def run_cells(
    cells: Iterable[Cell],
    store: Store,
    backend: Backend,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    what: str = "simulating",
) -> None:
    """Simulate what the store lacks of the cells; every block is stored as soon as it is finished.

    Args:
        cells: Several of one network and seed are simulated once.
        workers: Number of threads; None for one a processor.
        progress: Told of the blocks that have to be done, if there are any.
        what: What it is told that this is.

    Raises:
        InputError: for a seed, number or observable that cannot be.
        IntegrityError: if a block is stored with other bytes than were computed now.
        OutputError: if the store cannot be written; what was stored before is kept.
        KeyboardInterrupt: on Ctrl-C, with what is finished stored.
    """
    workers = _workers(workers)
    tasks = _missing(cells, store, backend)
    if tasks:
        _drive(tasks, partial(_work, backend), partial(_save, store), workers, watched=(progress, what))


def read_cell(cell: Cell, store: Store, backend: Backend) -> Simulation:
    """What the store holds of a cell that `run_cells` simulated: its whole blocks, and its columns' values.

    Raises:
        IntegrityError: if a block or the values of a column are missing or damaged.
    """
    key, n_blocks = cell.key(backend), cell.n_blocks(backend)
    return Simulation(
        network=cell.network,
        seed=cell.seed,
        backend=backend.name,
        replicates=n_blocks * block_size(cell.network, backend),
        counts=_counts(store.kinds(key, n_blocks)),
        all_moments=store.moments(key, n_blocks),
        kept={column: _read_only(store.values(key, _name(column), n_blocks)) for column in cell.columns},
        measured=backend.measures(cell.network),
    )


def simulate(
    net: Network,
    replicates: int = 4000,
    seed: int = 0,
    backend: str | Backend = "cpu",
    *,
    keep_values: bool = True,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Simulation:
    """Draw random networks and measure everything on each, in memory.

    Args:
        replicates: Number of networks.
        seed: Replicate r depends on the network, the seed and r alone.
        backend: Name of a simulator.
        keep_values: Keep every network's value of every observable that the simulator measures, 8 bytes each; without,
            only their moments.
        workers: Number of threads; None for one a processor. It changes no bit of the result.
        progress: Told of the blocks that are done.

    Raises:
        InputError: for an argument that cannot be used, a network that the backend cannot simulate, and where more than
            1 GiB of values would be kept.

    >>> sim = simulate(Network(widths=(8, 8), weights="lecun_normal"), replicates=20, backend="reference")
    >>> sim.values("preactivation.second_moment", 1).shape, sim.counts["ok"]
    ((20,), 20)
    """
    if not isinstance(net, Network):
        raise InputError(f"`net={net!r}`: give a Network.")
    net.require_one_input()
    integer("replicates", replicates, low=1)
    if replicates > MAX_REPLICATES:
        raise InputError(f"`replicates={replicates}`: give at most {MAX_REPLICATES:,} networks.")
    integer("seed", seed, low=0)
    simulates = kernels.backend(backend) if isinstance(backend, str) else backend
    measured = simulates.measures(net)
    kept = {column: k for column, k in column_indexes(net.depth).items() if keep_values and column.name in measured}
    columns = list(kept.values())
    _check_size(replicates, len(columns))
    gathered = _Gathered(simulates, net, seed, replicates, columns)
    starts = range(0, replicates, block_size(net, simulates))
    _drive(starts, gathered.work, gathered.save, _workers(workers), watched=(progress, "simulating"))
    return Simulation(
        network=net,
        seed=seed,
        backend=simulates.name,
        replicates=replicates,
        counts=_counts(gathered.kinds),
        all_moments=gathered.tree.total(),
        kept=dict(zip(kept, _read_only(gathered.table), strict=True)),
        measured=measured,
    )


def _drive(
    tasks: Sequence[T],
    work: Callable[[T, Event], Measured],
    save: Callable[[list[tuple[T, Measured]]], None],
    workers: int,
    *,
    watched: tuple[Progress | None, str],
) -> None:
    """Drive the tasks, and tell the progress how far they are."""
    progress, what = watched
    if progress is None:
        return drive(tasks, work, save, workers)

    def save_and_tell(done: list[tuple[T, Measured]]) -> None:
        save(done)
        progress.advance(len(done))

    progress.start(len(tasks), what)
    try:
        return drive(tasks, work, save_and_tell, workers)
    finally:
        progress.finish()


class _Gathered:
    """A simulation in memory, to which blocks add as they come; a task is a block's first replicate."""

    def __init__(self, backend: Backend, net: Network, seed: int, replicates: int, columns: Sequence[int]) -> None:
        self.size = block_size(net, backend)
        self.measure = partial(measure, backend, net, seed, columns=columns)
        self.tree = Tree()
        self.kinds = np.zeros(len(KINDS), dtype=np.int64)
        self.table = np.empty((len(columns), replicates))

    def work(self, start: int, stop: Event) -> Measured:
        """Simulate one block, the last one perhaps in part."""
        return self.measure(start, min(self.size, self.table.shape[1] - start), stop=stop)

    def save(self, done: list[tuple[int, Measured]]) -> None:
        """Put blocks in their places."""
        for start, measured in done:
            self.tree.add(start // self.size, measured.moments)
            self.kinds += measured.kinds
            self.table[:, start : start + self.size] = measured.samples


@dataclass(frozen=True)
class _Task:
    """A block to simulate, and the columns of which single values are stored."""

    key: str
    network: Network
    seed: int
    block: int
    columns: tuple[Observable, ...]

    def stored(self, measured: Measured) -> StoredBlock:
        """What the store keeps of it."""
        samples = dict(zip(map(_name, self.columns), measured.samples, strict=True))
        count = int(measured.kinds.sum())
        return StoredBlock(self.key, self.block, count, measured.kinds, measured.moments, samples)


def _work(backend: Backend, task: _Task, stop: Event) -> Measured:
    size, index = block_size(task.network, backend), column_indexes(task.network.depth)
    columns = [index[column] for column in task.columns]
    return measure(backend, task.network, task.seed, task.block * size, size, columns=columns, stop=stop)


def _save(store: Store, done: list[tuple[_Task, Measured]]) -> None:
    store.add(*(task.stored(measured) for task, measured in done))


def _missing(cells: Iterable[Cell], store: Store, backend: Backend) -> list[_Task]:
    """A task for each block that is not stored, or not with the values of all columns asked for."""
    n_blocks: dict[tuple[Network, int], int] = {}
    columns: dict[tuple[Network, int], dict[Observable, None]] = {}
    for cell in cells:
        _check(cell, backend)
        place = cell.network, cell.seed
        n_blocks[place] = max(n_blocks.get(place, 0), cell.n_blocks(backend))
        columns.setdefault(place, {}).update(dict.fromkeys(cell.columns))
    tasks = []
    for (network, seed), n in n_blocks.items():
        cell = Cell(network, seed, n * block_size(network, backend), tuple(columns[network, seed]))
        tasks += _missing_of(cell, store, backend)
    return tasks


def _missing_of(cell: Cell, store: Store, backend: Backend) -> list[_Task]:
    key = cell.key(backend)
    store.add_cell(key, cell_content(cell.network, cell.seed, block_size(cell.network, backend), simulator(backend)))
    complete = store.blocks(key).intersection(*(store.sampled(key, _name(column)) for column in cell.columns))
    return [
        _Task(key, cell.network, cell.seed, block, cell.columns)
        for block in range(cell.n_blocks(backend))
        if block not in complete
    ]


def _check(cell: Cell, backend: Backend) -> None:
    cell.network.require_one_input()
    integer("replicates", cell.replicates, low=1)
    integer("seed", cell.seed, low=0)
    measured = backend.measures(cell.network)
    for column in cell.columns:
        observables.parse(column.name, column.layer, cell.network.depth)
        if column.name not in measured:
            raise InputError(
                f"`columns`: backend={backend.name!r} does not measure {column.name} on {cell.network.label!r}; "
                "give backend='cpu'."
            )


def _check_size(replicates: int, n_columns: int) -> None:
    size = 8 * replicates * n_columns
    if size > MAX_KEPT_BYTES:
        raise InputError(
            f"`replicates={replicates}`: the values of {n_columns} observables would take {size / 2**30:.1f} GiB, more "
            "than 1 GiB; give `keep_values=False` for their moments alone, or fewer replicates."
        )


def _workers(workers: int | None) -> int:
    return processors() if workers is None else integer("workers", workers, low=1)


def _counts(kinds: NDArray[np.int64]) -> dict[str, int]:
    return dict(zip(KINDS, kinds.tolist(), strict=True))


def _name(column: Observable) -> str:
    """As it stands in the store: preactivation.ratio@3."""
    return f"{column.name}@{column.layer}"


def _read_only(values: NDArray[np.float64]) -> NDArray[np.float64]:
    values.flags.writeable = False
    return values
