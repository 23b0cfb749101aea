"""The simulator without matrices, exact in law for Gaussian weights: a layer costs O(n), or O(1) where norms suffice.

Homogeneous networks with Gaussian (or no) biases and a Gaussian output gradient take the O(1) form of `chain_norms`,
which measures norms and nothing else; all others the O(n) form of `chain_vectors`, which measures everything but the
weights. Both build on what Gaussian matrices do to vectors, so they can test no statement that follows from it.
"""

from __future__ import annotations

from mcverify.errors import InputError
from mcverify.kernels import Block, chain_norms, chain_vectors
from mcverify.network import Network
from mcverify.observables import ACTIVE_FRACTION, ALIVE, RATIO, names

name = "chain"
assumes = frozenset({"gaussian_projection", "fair_signs"})
version = 1

LAYER_WORK, UNIT_WORK = 40, 12
"""A weight takes about a nanosecond; what is made of the statistics, the same everywhere, is not counted."""

NORM_STATISTICS = ("second_moment", "log_second_moment", RATIO, ACTIVE_FRACTION, ALIVE)


def simulate_block(net: Network, seed: int, first: int, count: int) -> Block:
    """Networks first .. first + count - 1 of a seed.

    >>> net = Network(widths=(2, 3), activation="relu", weights="he_normal")
    >>> simulate_block(net, seed=0, first=0, count=5).values.shape
    (5, 48)
    """
    if takes_norms(net):
        return chain_norms.simulate_block(net, seed, first, count)
    return chain_vectors.simulate_block(net, seed, first, count)


def work(net: Network) -> float:
    """By the layer in the O(1) form, by the unit in the other.

    >>> work(Network(widths=(500, 500, 500), activation="relu", weights="he_normal"))
    80.0
    """
    return float(LAYER_WORK * net.depth if takes_norms(net) else UNIT_WORK * sum(net.widths))


def takes_norms(net: Network) -> bool:
    """Whether the O(1) form serves a network.

    Raises:
        InputError: if its weights are not Gaussian.
    """
    for layer, law in enumerate(net.weight_laws, 1):
        if law.name != "normal":
            raise InputError(
                f"`backend='chain'` draws no weights and is exact for Gaussian ones alone; layer {layer} of "
                f"{net.label!r} has the law {law.name!r}; give backend='cpu', which draws every weight."
            )
    return chain_norms.takes(net)


def measures(net: Network) -> frozenset[str]:
    """What it measures on a network.

    Raises:
        InputError: if its weights are not Gaussian.

    >>> sorted(measures(Network(widths=(2, 3), activation="relu")) & {"activation.mean", "activation.second_moment"})
    ['activation.second_moment']
    >>> "activation.mean" in measures(Network(widths=(2, 3), activation="tanh"))
    True
    """
    unmeasured = {"weight"}
    if not takes_norms(net):
        return frozenset(name for name in names() if _tensor(name) not in unmeasured)
    if any(not law.is_zero for law in net.bias_laws):
        unmeasured.add("bias")
    norms = {name for name in names() if name.split(".")[1] in NORM_STATISTICS or _tensor(name) == "bias"}
    return frozenset(name for name in norms if _tensor(name) not in unmeasured)


def assumes_for(net: Network) -> frozenset[str]:
    """What it builds on for a network.

    Raises:
        InputError: if its weights are not Gaussian.

    >>> sorted(assumes_for(Network(widths=(2, 3), activation="tanh")))
    ['gaussian_projection']
    """
    return assumes if takes_norms(net) else assumes - {"fair_signs"}


def _tensor(name: str) -> str:
    return name.partition(".")[0]
