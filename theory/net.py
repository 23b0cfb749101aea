"""The plain numbers of one dense network, as the theory reads them.

h_l = W_l x_{l-1} + b_l and x_l = phi_l(h_l) for l = 1..L; layer 0 is the input. Every random part is
independent of every other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from theory.activations import Activation, get
from theory.prediction import TheoryError

Result = TypeVar("Result")


@dataclass(frozen=True)
class Distribution:
    """The law of one entry of a tensor.

    Attributes:
        name: normal, uniform, truncated_normal, rademacher, laplace, student_t, sparse, orthogonal or constant.
        variance: Variance of an entry; of the normal before cutting for a truncated normal that is not
            rescaled; None for a constant, and for a Student t given by its `scale`.
        parameters: `bound` and `rescaled` (truncated_normal), `df` and `scale` (student_t), `sparsity`
            (sparse), `value` (constant), and `mean` for inputs.

    >>> Distribution("student_t", 1.0, {"df": 9}).parameters["df"]
    9
    """

    name: str
    variance: float | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict, hash=False)


DEEP = 200
"""Depth from which on an interpolant of V and D costs less than an integral a layer."""

ZERO = Distribution("constant", None, {"value": 0.0})
"""No biases."""


@dataclass(frozen=True)
class HalfSquaredError:
    """Loss |x_L - target|^2 / 2, whose gradient at x_L is x_L - target."""

    target: tuple[float, ...]


@dataclass(frozen=True)
class DenseNet:
    """One dense network: widths, activations and laws.

    Attributes:
        widths: N_0..N_L.
        activation: Name of phi in layers 1..L-1, with `activation_parameters` such as {"negative_slope": 0.1}, or
            an `Activation` (of an expression, say).
        output_activation: The same of phi in layer L; None for that of the other layers.
        weights: The laws of W_1..W_L.
        biases: The laws of b_1..b_L; empty for none.
        input: Law of the entries of x_0, or its values, or k rows of values: several inputs, of which correlations
            alone are stated.
        output_gradient: Law of the entries of dL/dx_L, or its values, or the loss it comes from.

    >>> he = tuple(Distribution("normal", 2 / n) for n in (8, 8))
    >>> DenseNet(widths=(8, 8, 4), activation="relu", weights=he).depth
    2
    """

    widths: tuple[int, ...]
    activation: str | Activation
    activation_parameters: Mapping[str, float] = field(default_factory=dict, hash=False)
    output_activation: str | Activation | None = None
    output_activation_parameters: Mapping[str, float] = field(default_factory=dict, hash=False)
    weights: tuple[Distribution, ...] = ()
    biases: tuple[Distribution, ...] = ()
    input: Distribution | tuple[float, ...] | tuple[tuple[float, ...], ...] = Distribution("normal", 1.0)
    output_gradient: Distribution | tuple[float, ...] | HalfSquaredError = Distribution("normal", 1.0)
    kept: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """What has been computed for this network already (see `once_per_net`)."""

    @property
    def depth(self) -> int:
        """Number of weight layers, L."""
        return len(self.widths) - 1

    @property
    def inputs(self) -> tuple[tuple[float, ...], ...]:
        """The rows of several inputs; empty where the net has one, given by its law or its values.

        >>> DenseNet((2, 1), "relu", input=((1.0, 2.0), (3.0, 4.0))).inputs
        ((1.0, 2.0), (3.0, 4.0))
        """
        if isinstance(self.input, Distribution) or not (self.input and isinstance(self.input[0], tuple)):
            return ()
        return tuple(row for row in self.input if isinstance(row, tuple))

    @property
    def one_input(self) -> Distribution | tuple[float, ...]:
        """The law or the values of x_0.

        Raises:
            TheoryError: if the net has several inputs.
        """
        if isinstance(self.input, Distribution):
            return self.input
        if rows := self.inputs:
            raise TheoryError(f"the statement needs that the network has one input; this one has {len(rows)}.")
        return tuple(value for value in self.input if not isinstance(value, tuple))

    @property
    def is_deep(self) -> bool:
        """Whether it has so many layers that integrals are read off an interpolant (to 1e-12) instead of done anew."""
        return self.depth > DEEP

    def weight(self, layer: int) -> Distribution:
        """The law of the entries of W_l, l = 1..L."""
        return self.weights[layer - 1]

    def bias(self, layer: int) -> Distribution:
        """The law of the entries of b_l, l = 1..L."""
        return self.biases[layer - 1] if self.biases else ZERO

    def phi(self, layer: int) -> Activation:
        """The activation of a layer, l = 1..L.

        Raises:
            TheoryError: if the theory has none of that name.
        """
        output = layer == self.depth and self.output_activation is not None
        key = "phi of the output" if output else "phi"
        if key not in self.kept:
            self.kept[key] = self._output_phi() if output else _activation(self.activation, self.activation_parameters)
        found: Activation = self.kept[key]
        return found

    def _output_phi(self) -> Activation:
        given = self.activation if self.output_activation is None else self.output_activation
        return _activation(given, self.output_activation_parameters)


def _activation(given: str | Activation, parameters: Mapping[str, float]) -> Activation:
    return given if isinstance(given, Activation) else get(given, parameters)


def once_per_net(function: Callable[[DenseNet], Result]) -> Callable[[DenseNet], Result]:
    """Compute `function(net)` at the first call only, and keep it with the net."""
    key = f"{function.__module__}.{function.__qualname__}"

    def remembered(net: DenseNet) -> Result:
        if key not in net.kept:
            net.kept[key] = function(net)
        result: Result = net.kept[key]
        return result

    remembered.__doc__ = function.__doc__
    return remembered


@once_per_net
def kinds(net: DenseNet) -> list[int]:
    """The kind of each layer 1..L: a number, equal for layers whose laws and activation are the same.

    >>> law = Distribution("normal", 0.5)
    >>> kinds(DenseNet((2, 2, 2, 2), "relu", output_activation="linear", weights=(law, law, law)))
    [0, 0, 1]
    """
    found: dict[tuple[Distribution, Distribution, bool], int] = {}
    numbers: list[int] = []
    before: tuple[Distribution, Distribution] | None = None
    for layer in range(1, net.depth + 1):
        laws, output = (net.weight(layer), net.bias(layer)), layer == net.depth
        if output or before is None or laws[0] is not before[0] or laws[1] is not before[1]:
            numbers.append(found.setdefault((*laws, output), len(found)))
        else:
            numbers.append(numbers[-1])
        before = laws
    return numbers


def once_per_kind(function: Callable[[DenseNet, int], Result]) -> Callable[[DenseNet, int], Result]:
    """Compute `function(net, layer)`, which depends on the layer's laws and activation alone, once for each kind."""
    key = f"{function.__module__}.{function.__qualname__} {id(function)}"  # lambdas share a name

    def remembered(net: DenseNet, layer: int) -> Result:
        values: dict[int, Result] = net.kept.setdefault(key, {})
        kind = kinds(net)[layer - 1]
        if kind not in values:
            values[kind] = function(net, layer)
        return values[kind]

    remembered.__doc__ = function.__doc__
    return remembered
