"""What was observed on the random networks of one kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mcverify import observables
from mcverify.errors import InputError
from mcverify.moments import Moments
from mcverify.observables import Observable

if TYPE_CHECKING:
    import pandas as pd

    from mcverify.network import Network


@lru_cache(maxsize=16)
def column_indexes(depth: int) -> Mapping[Observable, int]:
    """Where each observable stands among the columns of a simulator."""
    return {observable: index for index, observable in enumerate(observables.columns(depth))}


@dataclass(frozen=True, eq=False)
class Simulation:
    """Moments over networks of everything that is observed, and single networks' values where they were kept.

    Attributes:
        network: What was simulated.
        seed: Seed of the draws.
        backend: Name of the simulator.
        replicates: Number of networks.
        counts: How many of them were `ok, dead, underflow, overflow, nan`; they add up to `replicates`.
        all_moments: Of all columns, in the order of `observables.columns(depth)`.
        kept: (replicates,) float64 by observable.
        measured: Dotted names of the observables that the simulator measured; the other columns are NaN.
    """

    network: Network
    seed: int
    backend: str
    replicates: int
    counts: Mapping[str, int]
    all_moments: Moments = field(repr=False)
    kept: Mapping[Observable, NDArray[np.float64]] = field(repr=False)
    measured: frozenset[str] = field(repr=False, default=frozenset(observables.names()))

    def moments(self, observable: str, layer: int) -> Moments:
        """Moments of one observable over networks, as arrays of shape ().

        Raises:
            InputError: if there is no such observable at this layer, or the simulator does not measure it.
        """
        found = self._measured(observable, layer)
        return self.all_moments[column_indexes(self.network.depth)[found]]

    def values(self, observable: str, layer: int) -> NDArray[np.float64]:
        """One number a network, (replicates,) float64 in the order of the replicates, not to be written to.

        Raises:
            InputError: if there is no such observable at this layer, the simulator does not measure it, or its values
                were not kept.
        """
        found = self._measured(observable, layer)
        if found not in self.kept:
            raise InputError(
                f"values of {observable} at layer {layer} were not kept; simulate with `keep_values=True`, "
                "or use its moments."
            )
        return self.kept[found]

    def _measured(self, observable: str, layer: int) -> Observable:
        found = observables.parse(observable, layer, self.network.depth)
        if found.name not in self.measured:
            raise InputError(
                f"`backend={self.backend!r}` does not measure {observable} on {self.network.label!r}; "
                "simulate with backend='cpu', which measures everything."
            )
        return found

    def frame(self) -> pd.DataFrame:
        """One row a layer, measured observable and statistic, over the networks in which the observable is finite.

        Columns: `layer, observable, statistic` ("mean" or "variance"), `value, replicates` (finite values),
        `standard_error` (of a variance by the fourth moment; NaN where there are too few values).
        """
        import pandas as pd

        columns = [column for column in column_indexes(self.network.depth) if column.name in self.measured]
        moments = self.all_moments[[column_indexes(self.network.depth)[column] for column in columns]]
        return pd.DataFrame(
            {
                "layer": np.repeat([column.layer for column in columns], 2),
                "observable": np.repeat([column.name for column in columns], 2),
                "statistic": np.tile(["mean", "variance"], len(columns)),
                "value": _alternate(moments.mean, moments.variance),
                "replicates": np.repeat(moments.count, 2),
                "standard_error": _alternate(moments.mean_error, moments.variance_error),
            }
        )


def _alternate(means: NDArray[np.float64], variances: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([means, variances]).ravel()
