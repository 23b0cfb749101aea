"""From planned networks to the samples that tests are given: simulated, or read from the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mcverify import observables
from mcverify.kernels import backend as backend_of
from mcverify.simulate import Cell, read_cell, run_cells
from mcverify.statistics.question import Sample

if TYPE_CHECKING:
    from mcverify.claim import Claim
    from mcverify.engine import Progress
    from mcverify.network import Network
    from mcverify.observables import Observable
    from mcverify.plan import Wanted
    from mcverify.simulation import Simulation
    from mcverify.store import Store

MAX_SAMPLE_BYTES = 128 * 2**20
"""Single values kept of one network's cell; beyond, tests have the moments alone."""


@dataclass(frozen=True)
class Samples:
    """What was observed on each planned network."""

    by_network: Mapping[Network, Simulation]

    def of(self, claim: Claim) -> Sample | list[Sample]:
        """What a test of the claim is given: one sample, or one a rung of its ladder."""
        found = [self._sample(network, claim.observable) for network in claim.networks]
        return found[0] if len(found) == 1 else found

    def _sample(self, network: Network, observable: Observable) -> Sample:
        simulation = self.by_network[network]
        moments = simulation.moments(observable.name, observable.layer)
        values = simulation.kept.get(observable)
        lost = {kind: simulation.counts[kind] for kind in ("underflow", "overflow", "nan") if simulation.counts[kind]}
        n_infinite, n_nan = int(moments.n_pos_inf), int(moments.n_nan)
        log = observable.statistic == "log_second_moment"
        if n_infinite or (not log and int(moments.n_neg_inf)):
            lost.setdefault("overflow", n_infinite or int(moments.n_neg_inf))
        return Sample(
            count=int(moments.count),
            mean=float(moments.mean),
            m2=float(moments.m2),
            m3=float(moments.m3),
            m4=float(moments.m4),
            min=float(moments.min),
            max=float(moments.max),
            values=None if values is None else values[np.isfinite(values)],
            dead=int(moments.n_neg_inf) if log else 0,
            undefined=n_nan,
            nonfinite=lost,
        )

    def values(self, network: Network, observable: Observable) -> NDArray[np.float64] | None:
        """One number a network, where they were kept."""
        return self.by_network[network].kept.get(observable)

    def replicates(self, network: Network) -> int:
        """Number of networks."""
        return self.by_network[network].replicates

    def profile(self, network: Network, name: str) -> tuple[tuple[int, ...], tuple[float, ...], tuple[float, ...]]:
        """Layers, means over networks and their standard errors, of one observable."""
        tensor, statistic = name.split(".")
        layers = tuple(observables.layers(tensor, statistic, network.depth))
        moments = [self.by_network[network].moments(name, layer) for layer in layers]
        return layers, tuple(float(m.mean) for m in moments), tuple(float(m.mean_error) for m in moments)


def simulate_cells(
    wanted: Mapping[Network, Wanted],
    store: Store,
    seed: int,
    backend: str,
    workers: int | None,
    progress: Progress | None,
) -> Samples:
    """Simulate what the store lacks, and read everything back from it."""
    simulator = backend_of(backend)
    cells = {network: Cell(network, seed, want.replicates, _columns(want)) for network, want in wanted.items()}
    run_cells(cells.values(), store, simulator, workers=workers, progress=progress, what="simulating networks")
    return Samples({network: read_cell(cell, store, simulator) for network, cell in cells.items()})


def _columns(want: Wanted) -> tuple[Observable, ...]:
    """The columns whose values are kept, while they fit: first those whose tests need them, then those for plots."""
    fitting = MAX_SAMPLE_BYTES // (8 * want.replicates)
    return tuple(sorted(want.columns, key=lambda column: (not want.columns[column], column)))[:fitting]
