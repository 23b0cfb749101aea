"""Each activation as an expression, and its integrals over a Gaussian.

V(q) = E phi(sqrt(q) z)^2, D(q) = E phi'(sqrt(q) z)^2, M(q) = E phi(sqrt(q) z), z ~ N(0,1). Homogeneous
activations have closed forms; the others are integrated by Gauss-Legendre panels split at 0, at the kinks
and where the function bends, with an estimate of the error from a coarser rule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import sympy as sp
from scipy import special

from theory.prediction import TheoryError

Array = npt.NDArray[np.float64]

x = sp.Symbol("x", real=True)
negative_slope = sp.Symbol("negative_slope", real=True)


@dataclass(frozen=True)
class Activation:
    """One activation function.

    Attributes:
        name: Its name.
        expression: phi(x) in the symbol `x` and its parameters.
        derivative: phi'(x); at a kink the value of the left side (0 at 0 for ReLU).
        parameters: Names and default values.
        homogeneous: phi(s) = s for s > 0 and a s for s < 0; `slope` gives a.
        odd: phi(-x) = -phi(x).
        function: phi on arrays, for the integrals; None where closed forms exist.
        slope_function: phi' on arrays.
    """

    name: str
    expression: sp.Expr
    derivative: sp.Expr
    parameters: Mapping[str, float]
    homogeneous: bool
    odd: bool
    function: Callable[[Array], Array] | None = None
    slope_function: Callable[[Array], Array] | None = None

    def slope(self, parameters: Mapping[str, float] | None = None) -> float | None:
        """Slope on the negative side of a homogeneous activation, None for the others.

        >>> TABLE["leaky_relu"].slope({"negative_slope": 0.2}), TABLE["tanh"].slope()
        (0.2, None)
        """
        if not self.homogeneous:
            return None
        if self.name == "linear":
            return 1.0
        return float({**self.parameters, **(parameters or {})}.get("negative_slope", 0.0))

    def slope_is_even(self, parameters: Mapping[str, float] | None = None) -> bool:
        """Whether phi'(-s) = phi'(s): of linear, tanh and sigmoid, not of ReLU.

        >>> [name for name in TABLE if TABLE[name].slope_is_even()]
        ['linear', 'tanh', 'sigmoid']
        """
        if self.slope_function is None:
            return self.slope(parameters) == 1
        s = np.linspace(0.0, 8.0, 65)
        return bool(np.allclose(self.slope_function(s), self.slope_function(-s), rtol=1e-9, atol=0))


@dataclass(frozen=True)
class Integral:
    """A Gaussian integral: its value and an estimate of its absolute error."""

    value: float
    error: float


def _sigmoid_slope(s: Array) -> Array:
    p: Array = special.expit(s)
    return p * special.expit(-s)


_SIGMOID = 1 / (1 + sp.exp(-x))

TABLE: dict[str, Activation] = {
    "linear": Activation("linear", x, sp.Integer(1), {}, True, True),
    "relu": Activation("relu", sp.Max(x, 0), sp.Piecewise((1, x > 0), (0, True)), {}, homogeneous=True, odd=False),
    "leaky_relu": Activation(
        "leaky_relu",
        sp.Piecewise((x, x > 0), (negative_slope * x, True)),
        sp.Piecewise((1, x > 0), (negative_slope, True)),
        {"negative_slope": 0.01},
        homogeneous=True,
        odd=False,
    ),
    "tanh": Activation(
        "tanh", sp.tanh(x), 1 - sp.tanh(x) ** 2, {}, False, True, np.tanh, lambda s: 4 * _sigmoid_slope(2 * s)
    ),
    "sigmoid": Activation(
        "sigmoid", _SIGMOID, _SIGMOID * (1 - _SIGMOID), {}, False, False, special.expit, _sigmoid_slope
    ),
}
"""The activations by name."""


def by_name(name: str) -> Activation:
    """The activation of that name.

    Raises:
        TheoryError: if the theory has none.
    """
    if name not in TABLE:
        raise TheoryError(f"the theory has no activation {name!r}; it has {', '.join(TABLE)}.")
    return TABLE[name]


def second_moment(name: str, q: float, parameters: Mapping[str, float] | None = None) -> Integral:
    """V(q) = E phi(sqrt(q) z)^2.

    >>> second_moment("relu", 2.0).value
    1.0
    >>> round(second_moment("tanh", 1.0).value, 12)
    0.394294490398
    """
    return power_mean(name, q, 2, parameters)


def mean(name: str, q: float, parameters: Mapping[str, float] | None = None) -> Integral:
    """M(q) = E phi(sqrt(q) z).

    >>> mean("sigmoid", 3.0).value
    0.5
    """
    activation = by_name(name)
    slope = activation.slope(parameters)
    if activation.odd:
        return Integral(0.0, 0.0)
    if slope is not None:
        return Integral((1 - slope) * math.sqrt(q / (2 * math.pi)), 0.0)
    if name == "sigmoid":  # sigmoid - 1/2 is odd
        return Integral(0.5, 0.0)
    return power_mean(name, q, 1, parameters)


def power_mean(name: str, q: float, power: int, parameters: Mapping[str, float] | None = None) -> Integral:
    """E phi(sqrt(q) z)^power; closed for even powers of homogeneous activations.

    >>> power_mean("relu", 2.0, 4).value
    6.0
    """
    activation = by_name(name)
    slope = activation.slope(parameters)
    if slope is not None and power % 2 == 0:
        normal = math.prod(range(1, power, 2))
        return Integral((1 + slope**power) / 2 * normal * q ** (power // 2), 0.0)
    function = activation.function
    if function is None:
        raise TheoryError(f"no integral of an odd power of {name!r} is known.")
    return _kept_integral(name, False, q, power)


def derivative_power_mean(name: str, q: float, power: int, parameters: Mapping[str, float] | None = None) -> Integral:
    """E phi'(sqrt(q) z)^power; D(q) for power 2.

    >>> derivative_power_mean("relu", 1.0, 2).value
    0.5
    """
    activation = by_name(name)
    slope = activation.slope(parameters)
    if slope is not None:
        return Integral((1 + slope**power) / 2, 0.0)
    return _kept_integral(name, True, q, power)


def derivative_second_moment(name: str, q: float, parameters: Mapping[str, float] | None = None) -> Integral:
    """D(q) = E phi'(sqrt(q) z)^2."""
    return derivative_power_mean(name, q, 2, parameters)


@lru_cache(maxsize=4096)
def _kept_integral(name: str, derivative: bool, q: float, power: int) -> Integral:
    activation = TABLE[name]
    function = activation.slope_function if derivative else activation.function
    if function is None:
        raise TheoryError(f"{name!r} has no function to integrate.")
    return gaussian_mean(lambda s: function(s) ** power, q)


def gaussian_mean(function: Callable[[Array], Array], q: float) -> Integral:
    """E function(sqrt(q) z), smooth but for a kink at 0, by panels in s = sqrt(q) z.

    Panels are split at 0 and at 1/2, 1, 2, 4, ... on either side of it, in s (large q makes tanh a step) and
    in z (the Gaussian); beyond |z| = 12 lies less than 1e-32.
    """
    if q < 0:
        raise TheoryError(f"a second moment cannot be negative, here {q!r}.")
    if q == 0:
        return Integral(float(function(np.zeros(1))[0]), 0.0)
    fine, coarse = (_panels(function, q, order) for order in (48, 32))
    return Integral(fine, abs(fine - coarse) + 1e-16 * abs(fine))


def _panels(function: Callable[[Array], Array], q: float, order: int) -> float:
    std = math.sqrt(q)
    bends = [b for k in range(-1, 6) for b in (2.0**k, 2.0**k * std / 2) if b < 12 * std]
    edges = np.array(sorted({0.0, 12 * std, *bends}))
    nodes, weights = np.polynomial.legendre.leggauss(order)
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    s = middle[:, None] + half[:, None] * nodes
    density = np.exp(-(s**2) / (2 * q)) / math.sqrt(2 * math.pi * q)
    both = (function(s) + function(-s)) * density
    return float(np.sum(half[:, None] * weights * both))
