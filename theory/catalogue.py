"""Everything that the theory states of one network.

`STATEMENTS` lists, for each observable and statistic, the statements that may apply, the exact ones first. A
statement that does not apply to a network refuses, naming the condition that is missing; the first that does
not refuse is the one given.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial

from theory import backward, forward, gradient_means, jacobian, logs, losses, mean_field, parameters, ratios, units
from theory.corrections import forward as corrections
from theory.corrections import gradients, hidden_layer
from theory.net import DenseNet
from theory.prediction import Predicted, Prediction, TheoryError

Builder = Callable[[int], Prediction]
REFUSALS = (TheoryError, OverflowError, ZeroDivisionError)
"""What says that a statement does not apply; the last two: a moment is too large or too small for a float."""
GRADIENTS = ("activation_gradient", "preactivation_gradient", "bias_gradient", "weight_gradient")


def _forward() -> dict[tuple[str, str], list[Builder]]:
    table: dict[tuple[str, str], list[Builder]] = {}
    exact_ones = (forward.preactivation_second_moment, forward.activation_second_moment)
    for tensor, exact in zip(("preactivation", "activation"), exact_ones, strict=True):
        table[f"{tensor}.second_moment", "mean"] = [
            exact,
            partial(exact, biases=True),
            partial(mean_field.one_step, tensor, "second_moment"),
            partial(corrections.mean, tensor, "second_moment"),
            partial(mean_field.second_moment, tensor),
        ]
        table[f"{tensor}.second_moment", "variance"] = [
            partial(forward.second_moment_variance, tensor),
            partial(forward.second_moment_variance, tensor, orthogonal=True),
            partial(corrections.variance, tensor),
        ]
        table[f"{tensor}.fourth_moment", "mean"] = [
            partial(forward.fourth_moment, tensor),
            partial(forward.fourth_moment, tensor, orthogonal=True),
        ]
    table["activation.fourth_moment", "mean"].append(partial(mean_field.one_step, "activation", "fourth_moment"))
    for tensor in ("preactivation", "activation"):
        table[f"{tensor}.fourth_moment", "mean"].append(partial(corrections.mean, tensor, "fourth_moment"))
    table["preactivation.mean", "mean"] = [units.preactivation_mean]
    table["activation.mean", "mean"] = [
        units.activation_mean,
        units.homogeneous_activation_mean,
        partial(mean_field.one_step, "activation", "mean"),
        partial(corrections.mean, "activation", "mean"),
    ]
    table["preactivation.ratio", "mean"] = [ratios.preactivation_ratio, mean_field.preactivation_ratio]
    table["activation.ratio", "mean"] = [ratios.activation_ratio]
    table["preactivation.active_fraction", "mean"] = [units.active_fraction]
    table["activation.alive", "mean"] = [units.alive_probability]
    return table


def _backward() -> dict[tuple[str, str], list[Builder]]:
    table: dict[tuple[str, str], list[Builder]] = {}
    delta = backward.preactivation_gradient_second_moment
    exact: dict[str, Builder] = {
        "activation_gradient": backward.activation_gradient_second_moment,
        "preactivation_gradient": delta,
        "bias_gradient": partial(delta, tensor="bias_gradient"),
        "weight_gradient": backward.weight_gradient_second_moment,
    }
    for tensor in GRADIENTS:
        table[f"{tensor}.second_moment", "mean"] = [
            exact[tensor],
            partial(losses.fixed_gradient, tensor),
            partial(losses.loss_gradient, tensor),
            partial(hidden_layer.second_moment, tensor),
            partial(gradients.second_moment, tensor),
            partial(mean_field.gradient_second_moment, tensor),
        ]
        table[f"{tensor}.second_moment", "variance"] = [partial(backward.second_moment_variance, tensor)]
        table[f"{tensor}.fourth_moment", "mean"] = [partial(backward.fourth_moment, tensor)]
        table[f"{tensor}.mean", "mean"] = [partial(gradient_means.gradient_mean, tensor)]
    table["activation_gradient.second_moment", "variance"].append(
        partial(backward.second_moment_variance, "activation_gradient", orthogonal=True)
    )
    table["activation_gradient.fourth_moment", "mean"].append(
        partial(backward.fourth_moment, "activation_gradient", orthogonal=True)
    )
    with_biases: Builder = partial(backward.weight_gradient_second_moment, biases=True)
    table["weight_gradient.second_moment", "mean"].insert(1, with_biases)
    for tensor in ("preactivation_gradient", "bias_gradient"):
        first: Builder = partial(_first_gradient, tensor)
        table[f"{tensor}.second_moment", "mean"].insert(1, first)
        table[f"{tensor}.ratio", "mean"] = [
            partial(ratios.preactivation_gradient_ratio, tensor=tensor),
            partial(mean_field.gradient_ratio, tensor),
        ]
    table["activation_gradient.ratio", "mean"] = [
        ratios.activation_gradient_ratio,
        partial(mean_field.gradient_ratio, "activation_gradient"),
    ]
    table["weight_gradient.ratio", "mean"] = [ratios.weight_gradient_ratio]
    return table


def _first_gradient(tensor: str, layer: int) -> Prediction:
    return mean_field.first_gradient(tensor)


def _logs_and_draws() -> dict[tuple[str, str], list[Builder]]:
    table: dict[tuple[str, str], list[Builder]] = {}
    for tensor in ("preactivation", "activation", *GRADIENTS):
        table[f"{tensor}.log_second_moment", "mean"] = [partial(logs.log_second_moment, tensor)]
        table[f"{tensor}.log_second_moment", "variance"] = [partial(logs.log_second_moment_variance, tensor)]
    for tensor in ("weight", "bias", "input", "output_gradient"):
        for moment, statistic in parameters.EXPRESSIONS:
            table[f"{tensor}.{moment}", statistic] = [partial(parameters.entries, tensor, moment, statistic=statistic)]
    return table


def _limits() -> Iterator[tuple[tuple[str, str], Builder]]:
    """Infinite width where nothing before applies."""
    for tensor in ("preactivation", "activation"):
        yield (f"{tensor}.fourth_moment", "mean"), partial(mean_field.fourth_moment, tensor)
        yield (f"{tensor}.correlation", "mean"), partial(mean_field.correlation, tensor)
    yield ("activation.mean", "mean"), mean_field.activation_mean
    yield ("activation.ratio", "mean"), mean_field.activation_ratio
    yield ("preactivation.active_fraction", "mean"), mean_field.active_fraction
    yield ("weight_gradient.ratio", "mean"), mean_field.weight_gradient_ratio


def _spectra() -> dict[tuple[str, str], list[Builder]]:
    """Of tr(J J^T)/N_l and tr((J J^T)^2)/N_l with J = dx_l/dx_0 or dh_l/dx_0."""
    table: dict[tuple[str, str], list[Builder]] = {}
    for tensor in ("preactivation", "activation"):
        for observable, build in (("spectrum_1", jacobian.first_moment), ("spectrum_2", jacobian.second_moment)):
            table[f"{tensor}.{observable}", "mean"] = [partial(build, tensor), partial(build, tensor, exact=False)]
        table[f"{tensor}.spectrum_1", "variance"] = [partial(jacobian.first_moment_variance, tensor)]
    return table


STATEMENTS: dict[tuple[str, str], list[Builder]] = {
    **_forward(),
    **_backward(),
    **_logs_and_draws(),
    **_spectra(),
}
"""(observable, statistic) to the functions of a layer that may state something, the exact ones first."""
for _key, _builder in _limits():
    STATEMENTS.setdefault(_key, []).append(_builder)

OBSERVABLES = frozenset(observable for observable, _ in STATEMENTS)
"""Every observable of which something is stated."""


def layers(observable: str, depth: int) -> range:
    """The layers at which an observable exists.

    >>> list(layers("preactivation.ratio", 3)), list(layers("activation_gradient.ratio", 3))
    ([2, 3], [0, 1, 2])
    """
    tensor, statistic = observable.split(".")
    first = {"input": 0, "activation_gradient": 0, "output_gradient": depth}.get(tensor, 1)
    last = 0 if tensor == "input" else depth
    if statistic == "ratio":
        first += tensor == "preactivation"
        last -= tensor in GRADIENTS
    return range(first, last + 1)


def predict(net: DenseNet, observables: Collection[str] | None = None) -> list[tuple[Prediction, Predicted]]:
    """Every statement about every layer of the network, with its numbers; or those of some observables alone.

    >>> from theory.net import Distribution
    >>> he = tuple(Distribution("normal", 2 / 8) for _ in range(3))
    >>> found = predict(DenseNet(widths=(8, 8, 8, 8), activation="relu", weights=he))
    >>> [round(n.value, 12) for p, n in found if p.observable == "activation.second_moment" and p.statistic == "mean"]
    [1.0, 1.0, 1.0]
    """
    with _no_collector():
        return list(_statements(net, OBSERVABLES if observables is None else observables))


@contextmanager
def _no_collector() -> Iterator[None]:
    """Pause the garbage collector: what is built here is kept, and looking through it over and over costs a third."""
    paused = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if paused:
            gc.enable()


def _statements(net: DenseNet, observables: Collection[str]) -> Iterator[tuple[Prediction, Predicted]]:
    for observable, statistic in STATEMENTS:
        if observable not in observables:
            continue
        for layer in layers(observable, net.depth):
            found = lookup(net, observable, layer, statistic)
            if found is not None:
                yield found


def lookup(net: DenseNet, observable: str, layer: int, statistic: str = "mean") -> tuple[Prediction, Predicted] | None:
    """The statement about one observable of one layer with its numbers, or None where there is none.

    >>> from theory.net import Distribution
    >>> xavier = (Distribution("normal", 1 / 8),)
    >>> net = DenseNet(widths=(8, 8), activation="linear", weights=xavier, input=(1.0,) * 8)
    >>> found = lookup(net, "preactivation.second_moment", 1)
    >>> found[0].entry, found[1].value, found[1].law.name
    ('A4', 1.0, 'linear_ratio')
    """
    for builder in STATEMENTS.get((observable, statistic), []):
        prediction = builder(layer)
        try:
            return prediction, prediction.at(net)
        except REFUSALS:
            continue
    return None


def refusals(net: DenseNet, observable: str, layer: int, statistic: str = "mean") -> list[Exception]:
    """Why each statement about this observable does not apply to the network; empty where the first does.

    >>> from theory.net import Distribution
    >>> net = DenseNet((2, 2), "relu", weights=(Distribution("rademacher", 1.0),))
    >>> print(*refusals(net, "activation.alive", 1))
    the statement needs that the weights are symmetric and without atoms; this network differs.
    """
    reasons: list[Exception] = []
    for builder in STATEMENTS.get((observable, statistic), []):
        try:
            builder(layer).at(net)
        except REFUSALS as error:
            reasons.append(error)
        else:
            break
    return reasons
