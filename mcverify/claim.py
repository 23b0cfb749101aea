"""Claims: where a prediction and what is simulated meet.

A `Claim` is statistical: a prediction for one observable, tested on many random networks. A `Check` is exact:
a residual that must vanish to rounding. A `Measurement` is reported and never judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mcverify import checks, observables
from mcverify.errors import InputError, unknown
from mcverify.statement import Expected, Statement

if TYPE_CHECKING:
    from mcverify.network import Network
    from mcverify.observables import Observable
    from theory.prediction import Prediction

THEORY = "theory"
"""As a claim's prediction: whatever the theory says of this observable of this network."""

MARGIN_OF_MEANS = 0.02
MARGIN_OF_HIGHER_MOMENTS = 0.10


@dataclass(frozen=True)
class Claim:
    """A prediction for one observable of a network, or of a ladder of networks of growing width.

    Attributes:
        name: One line, unique in its study.
        network: The network; a tuple of at least five for a claim about the limit of infinite width.
        observable: What is measured on one network.
        prediction: What is predicted for it: a `Prediction`, a plain number, or `THEORY`.
        statistic: Over networks, the "mean" or the "variance" of the observable.
        margin: Smallest departure that matters: relative, or in nats for logs, or in standard deviations of one
            network's value where the prediction is 0. None: 2 % for means, 10 % for variances and fourth moments.
        expected: The verdict it should get; by default that of its statement.
        statement: What it is evidence for.
        exactness: Overrides the prediction's exactness (a mean-field value claimed as exact, say).
    """

    name: str
    network: Network | tuple[Network, ...]
    observable: Observable
    prediction: Prediction | float | str = THEORY
    statistic: str = "mean"
    margin: float | None = None
    expected: Expected | None = None
    statement: Statement | None = None
    exactness: str | None = None
    kind: str = field(default="statistical", init=False)

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.statistic not in ("mean", "variance"):
            raise InputError(f"`statistic={self.statistic!r}` is not taken over networks; give 'mean' or 'variance'.")
        if self.margin is not None:
            checks.margin(self.margin)
        if isinstance(self.prediction, str) and self.prediction != THEORY:
            raise unknown("prediction", self.prediction, [THEORY])
        if (isinstance(self.prediction, int | float) and not abs(self.prediction) < 1e300) or self.prediction is None:
            raise InputError(
                f"`prediction={self.prediction}` of claim {self.name!r}: give a finite number, or a formula."
            )
        if not self.networks:
            raise InputError(f"`network=()`: claim {self.name!r} has no network to be tested on.")
        for network in self.networks:
            network.require_one_input()

    @property
    def networks(self) -> tuple[Network, ...]:
        """The networks it is tested on, one or a ladder."""
        return self.network if isinstance(self.network, tuple) else (self.network,)

    def on(self, network: Network | tuple[Network, ...], *, name: str | None = None) -> Claim:
        """The same claim about another network, expected to be refuted: a control."""
        other = network[0] if isinstance(network, tuple) else network
        return replace(self, network=network, name=name or f"{self.name} [{other.label}]", expected=Expected.REFUTED)


@dataclass(frozen=True)
class Residual:
    """Result of an exact check: the largest residual over all draws, and the bound that rounding allows."""

    largest: float
    bound: float
    draws: int


@dataclass(frozen=True)
class Check:
    """An identity that must hold on every draw, to rounding; it spends no error level.

    Attributes:
        compute: Draws what it needs from the seed and returns the residual.
    """

    name: str
    compute: Callable[[int], Residual]
    expected: Expected | None = None
    statement: Statement | None = None
    kind: str = field(default="identity", init=False)

    def __post_init__(self) -> None:
        _check_name(self.name)


@dataclass(frozen=True)
class Measurement:
    """A number that is computed and shown, never judged: a quantified qualitative claim or a definition.

    Attributes:
        compute: Returns the number from the seed.
        unit: What the number is, in words.
    """

    name: str
    compute: Callable[[int], float]
    unit: str = ""
    statement: Statement | None = None
    kind: str = field(default="report", init=False)

    def __post_init__(self) -> None:
        _check_name(self.name)


AnyClaim = Claim | Check | Measurement


def expected_of(claim: AnyClaim) -> Expected:
    """The verdict that a claim should get: its own, else its statement's, else SUPPORTED."""
    own = getattr(claim, "expected", None)
    if own is not None:
        return Expected(own)
    return claim.statement.expected if claim.statement else Expected.SUPPORTED


def margin_of(claim: Claim, default: float | None = None) -> float:
    """The margin of a claim: its own, else the study's default, else that of its statistic."""
    if claim.margin is not None:
        return claim.margin
    higher = claim.statistic == "variance" or claim.observable.statistic == "fourth_moment"
    if higher:
        return max(MARGIN_OF_HIGHER_MOMENTS, default or 0.0)
    return default if default is not None else MARGIN_OF_MEANS


def claims(
    statement: Statement,
    networks: Iterable[Network],
    observable: str,
    layers: Iterable[int],
    prediction: Callable[[int], Prediction | float] | float | str = THEORY,
    *,
    statistic: str = "mean",
    margin: float | None = None,
) -> list[Claim]:
    """One claim for each network and layer, named after the statement.

    Args:
        observable: Dotted name; layers at which a network does not have it are left out.
        layers: Layers; negative ones count from the last (-1).
        prediction: Of a layer; or the same number for all; or `THEORY`.
    """
    found = []
    tensor, name = observable.split(".")
    for network in networks:
        valid = observables.layers(tensor, name, network.depth)
        for layer in dict.fromkeys(k if k >= 0 else network.depth + 1 + k for k in layers):
            if layer in valid:
                what = observable if statistic == "mean" else f"{statistic} of {observable}"
                found.append(
                    Claim(
                        f"{statement.key}: {what} at layer {layer}, {network.label}",
                        network,
                        observables.parse(observable, layer),
                        prediction(layer) if callable(prediction) else prediction,
                        statistic,
                        margin,
                        statement=statement,
                    )
                )
    return found


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"`name={name!r}`: a claim needs a name of at least one letter.")
