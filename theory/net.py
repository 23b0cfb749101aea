"""The plain numbers of one dense network, as the theory reads them.

h_l = W_l x_{l-1} + b_l and x_l = phi_l(h_l) for l = 1..L; layer 0 is the input. Every random part is
independent of every other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

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
        activation: Name of phi in layers 1..L-1; `activation_parameters` such as {"negative_slope": 0.1}.
        output_activation: Name of phi in layer L; None for that of the other layers.
        weights: The laws of W_1..W_L.
        biases: The laws of b_1..b_L; empty for none.
        input: Law of the entries of x_0, or its values.
        output_gradient: Law of the entries of dL/dx_L, or its values, or the loss it comes from.

    >>> he = tuple(Distribution("normal", 2 / n) for n in (8, 8))
    >>> DenseNet(widths=(8, 8, 4), activation="relu", weights=he).depth
    2
    """

    widths: tuple[int, ...]
    activation: str
    activation_parameters: Mapping[str, float] = field(default_factory=dict, hash=False)
    output_activation: str | None = None
    output_activation_parameters: Mapping[str, float] = field(default_factory=dict, hash=False)
    weights: tuple[Distribution, ...] = ()
    biases: tuple[Distribution, ...] = ()
    input: Distribution | tuple[float, ...] = Distribution("normal", 1.0)
    output_gradient: Distribution | tuple[float, ...] | HalfSquaredError = Distribution("normal", 1.0)
    kept: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """What has been computed for this network already (see `once_per_net`)."""

    @property
    def depth(self) -> int:
        """Number of weight layers, L."""
        return len(self.widths) - 1

    def weight(self, layer: int) -> Distribution:
        """The law of the entries of W_l, l = 1..L."""
        return self.weights[layer - 1]

    def bias(self, layer: int) -> Distribution:
        """The law of the entries of b_l, l = 1..L."""
        return self.biases[layer - 1] if self.biases else ZERO

    def phi(self, layer: int) -> tuple[str, Mapping[str, float]]:
        """Name and parameters of the activation of a layer, l = 1..L."""
        if layer == self.depth and self.output_activation is not None:
            return self.output_activation, self.output_activation_parameters
        return self.activation, self.activation_parameters


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
