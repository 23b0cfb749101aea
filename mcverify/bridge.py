"""Where theory and simulation meet: a network's numbers put into a prediction, and what a test is asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mcverify.claim import THEORY, Claim, margin_of
from mcverify.errors import InputError, MissingMomentError
from mcverify.statistics.question import Question
from theory import activations as theory_activations
from theory import catalogue
from theory.net import DenseNet, Distribution, HalfSquaredError
from theory.prediction import Exactness, Predicted, Prediction, TheoryError
from theory.prediction import MissingMomentError as TheoryMissesMoment

if TYPE_CHECKING:
    from mcverify.activations import Activation
    from mcverify.distributions import Law
    from mcverify.network import Network

CONDITIONAL = ("ratio", "log_second_moment")
"""Statistics whose predictions are for networks in which they are defined (alive ones)."""

LEADING_ORDER_BOUND = 2.0
"""Times a variance stated to leading order in 1/width: the terms left out are small where it is stated at all."""


@dataclass(frozen=True)
class Asked:
    """A claim about one network with its numbers: the question for a test, and what the theory says beside it."""

    question: Question
    prediction: Prediction | None  # what the claim states, with derivation; None for a bare number
    truth: tuple[Prediction, Predicted] | None  # what the theory states of the same observable


_NETS: dict[str, DenseNet] = {}


def to_theory(network: Network) -> DenseNet:
    """The network as the theory reads it: names and numbers, nothing shared with the simulator."""
    key = network.canonical
    if key not in _NETS:
        _NETS[key] = _to_theory(network)
    return _NETS[key]


def _to_theory(network: Network) -> DenseNet:
    return DenseNet(
        widths=tuple(network.widths),
        activation=_activation(network.activation),
        activation_parameters=dict(network.activation.parameters),
        output_activation=_activation(network.output_activation),
        output_activation_parameters=dict(network.output_activation.parameters),
        weights=_distributions(network.weight_laws),
        biases=_distributions(network.bias_laws),
        input=network.input_rows or _vector(network.input_law, network.input_values),
        output_gradient=(
            HalfSquaredError(network.target)
            if network.target is not None
            else _vector(network.output_gradient_law, network.output_gradient_values)
        ),
    )


def _activation(activation: Activation) -> str | theory_activations.Activation:
    """A name of the table, or what a user's expression states; where that is nothing, a name that says why."""
    if not activation.is_own:
        return activation.name
    if activation.expression is None:
        return f"{activation.name} (the activation has no expression)"
    try:
        return theory_activations.of_expression(activation.expression, activation.name)
    except TheoryError as error:
        return f"{activation.name} ({error})"


def _distributions(laws: Sequence[Law]) -> tuple[Distribution, ...]:
    """One object for all equal laws that follow each other: deep nets have few."""
    found: list[Distribution] = []
    for before, law in zip((None, *laws), laws, strict=False):
        found.append(found[-1] if law == before else _distribution(law))
    return tuple(found)


def _distribution(law: Law) -> Distribution:
    """Name, variance and parameters; the theory knows the moments of each law by itself."""
    extra = {"scale": law.scale, "mean": law.mean or None}
    given = {key: value for key, value in extra.items() if value is not None}
    return Distribution(law.name, law.variance, {**law.parameters, **given})


def _vector(law: Law | None, values: tuple[float, ...] | None) -> Distribution | tuple[float, ...]:
    return _distribution(law) if law is not None else tuple(values or ())


def ask(claim: Claim, network: Network, default_margin: float | None = None) -> Asked:
    """The question that a claim asks of one of its networks.

    Raises:
        InputError: if the theory says nothing of the observable and the claim relies on it.
        MissingMomentError: if a law lacks the moment that the claim needs.
    """
    dense, observable = to_theory(network), claim.observable
    try:
        truth = catalogue.lookup(dense, observable.name, observable.layer, claim.statistic)
        prediction, predicted = _stated(claim, dense, truth)
    except TheoryMissesMoment as error:
        raise MissingMomentError(f"claim {claim.name!r}: {error}") from error
    except TheoryError as error:
        raise InputError(f"claim {claim.name!r}: {error}") from error
    return Asked(_question(claim, network, prediction, predicted, truth, default_margin), prediction, truth)


def _stated(
    claim: Claim, dense: DenseNet, truth: tuple[Prediction, Predicted] | None
) -> tuple[Prediction | None, Predicted]:
    if isinstance(claim.prediction, str):
        if truth is None:
            raise _silence(claim, dense)
        return truth
    if isinstance(claim.prediction, Prediction):
        return claim.prediction, claim.prediction.at(dense)
    return None, Predicted(value=float(claim.prediction))


def _silence(claim: Claim, dense: DenseNet) -> InputError:
    """The error for a claim that relies on the theory where it says nothing, with the theory's own reason."""
    observable = claim.observable
    reasons = catalogue.refusals(dense, observable.name, observable.layer, claim.statistic)
    missing = [reason for reason in reasons if isinstance(reason, TheoryMissesMoment)]
    if missing:
        return MissingMomentError(f"claim {claim.name!r}: {missing[0]}")
    why = f" ({reasons[0]})" if reasons else ""
    return InputError(
        f"claim {claim.name!r} has `prediction={THEORY!r}`, but the theory says nothing of the {claim.statistic} of "
        f"{observable.name} at layer {observable.layer} of this network{why}; give the prediction as a number or "
        "a formula."
    )


def _question(
    claim: Claim,
    network: Network,
    prediction: Prediction | None,
    predicted: Predicted,
    truth: tuple[Prediction, Predicted] | None,
    default_margin: float | None,
) -> Question:
    observable, value = claim.observable, predicted.value
    log = observable.statistic == "log_second_moment" and claim.statistic == "mean"
    scale = "log" if log else "zero" if value == 0 else "relative"
    known = _bounded(*truth) if truth else Predicted(value=value)
    rescale = _square_of_ratio(value, known.value) if scale == "relative" else 1.0
    order = prediction.next_order(to_theory(network)) if prediction and prediction.next_order else None
    return Question(
        predicted=value,
        margin=margin_of(claim, default_margin),
        scale=scale,
        statistic=claim.statistic,
        center=_center(claim, network),
        variance=None if known.variance is None else known.variance * rescale,
        variance_is_bound=known.variance_is_bound,
        law=known.law,
        exactness=claim.exactness or (str(prediction.exactness) if prediction else "EXACT"),
        next_order=order,
        width=float(min(network.widths[1:])),
        layers_spanned=_layers_spanned(claim, network.depth),
        expected=str(claim.expected or (claim.statement.expected if claim.statement else "SUPPORTED")),
        undeclared_dead_ok=observable.statistic in CONDITIONAL,
    )


def _bounded(said: Prediction, known: Predicted) -> Predicted:
    """What is known of the scatter, as tests may use it: a scatter to leading order is bounded by twice its value."""
    if said.exactness is Exactness.EXACT or known.variance is None:
        return known
    return replace(known, variance=LEADING_ORDER_BOUND * known.variance, variance_is_bound=True)


def _square_of_ratio(stated: float, true: float) -> float:
    """(stated/true)^2, by which the variance of a scale family goes with its mean; 1 where it cannot be held."""
    ratio = stated / true if true else 1.0
    return ratio**2 if 1e-100 < abs(ratio) < 1e100 else 1.0


def _center(claim: Claim, network: Network) -> float | None:
    """The exact mean, about which a claim on the variance takes squares; None for the sample's own."""
    if claim.statistic != "variance":
        return None
    found = catalogue.lookup(to_theory(network), claim.observable.name, claim.observable.layer, "mean")
    return found[1].value if found and found[0].exactness is Exactness.EXACT else None


def _layers_spanned(claim: Claim, depth: int) -> int:
    """How many layers' rounding a value holds: one for a ratio or a parameter, else all that it passed."""
    if claim.observable.statistic == "ratio" or claim.observable.tensor in ("weight", "bias", "input"):
        return 1
    if claim.observable.tensor in ("preactivation", "activation"):
        return claim.observable.layer
    return depth
