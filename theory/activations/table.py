"""The activations by name: one row each, with expression, functions, kinks and symmetry."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import sympy as sp

from theory.activations import entire, erf_family, piecewise
from theory.activations import functions as f
from theory.activations.activation import Activation, x
from theory.activations.closed import NONE, Closed, homogeneous
from theory.prediction import TheoryError

negative_slope = sp.Symbol("negative_slope", real=True)
alpha = sp.Symbol("alpha", real=True)


@dataclass(frozen=True)
class Row:
    """One activation before its parameters have values.

    Attributes:
        expression: phi in `x` and the symbols of its parameters.
        derivative: phi'.
        function: phi on arrays, followed by the parameters.
        slope_function: phi' on arrays.
        parameters: Names and default values.
        kinks: Where phi or phi' jumps.
        slope: The negative slope of a homogeneous activation, of the parameters.
        odd, even, slope_is_even, zeros: As of `Activation`.
        closed: Its closed forms, of the parameters.
        positive: Whether the parameters must be positive.
        even_part: (phi(s) + phi(-s))/2 without cancellation.
        growth, slope_growth: As of `Activation`.
    """

    expression: sp.Expr
    derivative: sp.Expr
    function: Callable[..., f.Array]
    slope_function: Callable[..., f.Array]
    parameters: Mapping[str, float] = field(default_factory=dict)
    kinks: tuple[float, ...] = ()
    slope: Callable[..., float] | None = None
    odd: bool = False
    even: bool = False
    slope_is_even: bool = False
    zeros: str = "origin"
    closed: Callable[..., Closed] = lambda *_: NONE
    positive: bool = False
    even_part: Callable[[f.Array], f.Array] | None = None
    growth: float = 1.0
    slope_growth: float = 0.0

    def activation(self, name: str, parameters: Mapping[str, float]) -> Activation:
        """The activation with numbers in place of the parameters."""
        values = tuple(parameters.values())
        numbers = {sp.Symbol(key, real=True): value for key, value in parameters.items()}
        a = self.slope(*values) if self.slope else None
        return Activation(
            name=name,
            expression=self.expression.subs(numbers),
            derivative=self.derivative.subs(numbers),
            function=lambda s: self.function(s, *values),
            slope_function=lambda s: self.slope_function(s, *values),
            parameters=dict(parameters),
            kinks=() if a == 1 else self.kinks,
            slope=a,
            odd=self.odd if a is None else a == 1,
            even=self.even if a is None else a == -1,
            slope_is_even=self.slope_is_even if a is None else a == 1,
            zeros=self.zeros if a is None else "negative" if a == 0 else "origin",
            closed=self.closed(*values),
            even_part=self.even_part,
            growth=self.growth,
            slope_growth=self.slope_growth,
        )


def _homogeneous(a: sp.Expr, **parameters: float) -> Row:
    return Row(
        expression=sp.Piecewise((x, x > 0), (a * x, True)) if a not in (0, 1) else sp.Max(x, 0) if a == 0 else x,
        derivative=sp.Piecewise((1, x > 0), (a, True)) if a != 1 else sp.Integer(1),
        function=(lambda s, *given: f.leaky(s, *(given or (float(a),)))),
        slope_function=(lambda s, *given: f.leaky_slope(s, *(given or (float(a),)))),
        parameters=parameters,
        kinks=(0.0,),
        slope=lambda *given: float(given[0] if given else a),
        closed=lambda *given: homogeneous(float(given[0] if given else a)),
    )


_SIGMOID = 1 / (1 + sp.exp(-x))
_PHI = sp.erfc(-x / sp.sqrt(2)) / 2
_DENSITY = sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi)
_TANH_ARGUMENT = sp.sqrt(2 / sp.pi) * (x + sp.Rational(44715, 1000000) * x**3)
_GELU_TANH = x * (1 + sp.tanh(_TANH_ARGUMENT)) / 2
_SOFTPLUS = sp.log(1 + sp.exp(x))
_MISH = x * sp.tanh(_SOFTPLUS)
_LAMBDA, _ALPHA = sp.Float(f.SELU_LAMBDA, 17), sp.Float(f.SELU_ALPHA, 17)

TABLE: dict[str, Row] = {
    "linear": _homogeneous(sp.Integer(1)),
    "relu": _homogeneous(sp.Integer(0)),
    "leaky_relu": _homogeneous(negative_slope, negative_slope=0.01),
    "prelu": _homogeneous(negative_slope, negative_slope=0.25),
    "abs": _homogeneous(sp.Integer(-1)),
    "relu6": Row(
        sp.Min(sp.Max(x, 0), 6),
        sp.Piecewise((1, (x > 0) & (x < 6)), (0, True)),
        lambda s: np.clip(s, 0, 6),
        lambda s: f.between(s, 0, 6),
        closed=lambda: piecewise.clipped(6.0, 1),
        kinks=(0.0, 6.0),
        zeros="negative",
    ),
    "hardtanh": Row(
        sp.Min(sp.Max(x, -1), 1),
        sp.Piecewise((1, (x > -1) & (x < 1)), (0, True)),
        lambda s: np.clip(s, -1, 1),
        lambda s: f.between(s, -1, 1),
        closed=lambda: piecewise.clipped(1.0, 2),
        kinks=(-1.0, 1.0),
        odd=True,
        slope_is_even=True,
    ),
    "tanh": Row(sp.tanh(x), 1 - sp.tanh(x) ** 2, np.tanh, f.tanh_slope, odd=True, slope_is_even=True),
    "sigmoid": Row(
        _SIGMOID,
        _SIGMOID * (1 - _SIGMOID),
        f.sigmoid,
        f.sigmoid_slope,
        slope_is_even=True,
        zeros="never",
        closed=lambda: Closed(mean=lambda q: 0.5),  # sigmoid - 1/2 is odd
    ),
    "erf": Row(
        sp.erf(x),
        2 * sp.exp(-(x**2)) / sp.sqrt(sp.pi),
        f.erf,
        f.erf_slope,
        odd=True,
        slope_is_even=True,
        closed=erf_family.erf,
    ),
    "probit": Row(
        _PHI, _DENSITY, f.probit, f.probit_slope, slope_is_even=True, zeros="never", closed=erf_family.probit
    ),
    "gelu": Row(x * _PHI, _PHI + x * _DENSITY, f.gelu, f.gelu_slope, closed=erf_family.gelu),
    "gelu_tanh": Row(_GELU_TANH, sp.diff(_GELU_TANH, x), f.gelu_tanh, f.gelu_tanh_slope, even_part=f.gelu_tanh_even),
    "silu": Row(x * _SIGMOID, _SIGMOID * (1 + x * (1 - _SIGMOID)), f.silu, f.silu_slope, even_part=f.silu_even),
    "mish": Row(_MISH, sp.diff(_MISH, x), f.mish, f.mish_slope, even_part=f.mish_even),
    "elu": Row(
        sp.Piecewise((x, x > 0), (alpha * (sp.exp(x) - 1), True)),
        sp.Piecewise((1, x > 0), (alpha * sp.exp(x), True)),
        f.elu,
        f.elu_slope,
        closed=lambda alpha: piecewise.exponential_below(1.0, alpha, 1.0),
        parameters={"alpha": 1.0},
        kinks=(0.0,),
    ),
    "selu": Row(
        sp.Piecewise((_LAMBDA * x, x > 0), (_LAMBDA * _ALPHA * (sp.exp(x) - 1), True)),
        sp.Piecewise((_LAMBDA, x > 0), (_LAMBDA * _ALPHA * sp.exp(x), True)),
        f.selu,
        f.selu_slope,
        closed=lambda: piecewise.exponential_below(f.SELU_LAMBDA, f.SELU_ALPHA, 1.0),
        kinks=(0.0,),
    ),
    "celu": Row(
        sp.Piecewise((x, x > 0), (alpha * (sp.exp(x / alpha) - 1), True)),
        sp.Piecewise((1, x > 0), (sp.exp(x / alpha), True)),
        f.celu,
        f.celu_slope,
        closed=lambda alpha: piecewise.exponential_below(1.0, alpha, 1 / alpha),
        parameters={"alpha": 1.0},
        kinks=(0.0,),
        positive=True,
    ),
    "softplus": Row(_SOFTPLUS, _SIGMOID, f.softplus, f.sigmoid, zeros="never"),
    "softsign": Row(
        x / (1 + sp.Abs(x)),
        1 / (1 + sp.Abs(x)) ** 2,
        f.softsign,
        f.softsign_slope,
        kinks=(0.0,),
        odd=True,
        slope_is_even=True,
    ),
    "sine": Row(
        sp.sin(x), sp.cos(x), np.sin, np.cos, odd=True, slope_is_even=True, zeros="isolated", closed=entire.sine
    ),
    "exp": Row(
        sp.exp(x),
        sp.exp(x),
        np.exp,
        np.exp,
        zeros="never",
        closed=entire.exponential,
        growth=math.inf,
        slope_growth=math.inf,
    ),
    "square": Row(
        x**2,
        2 * x,
        np.square,
        lambda s: 2 * s,
        even=True,
        closed=entire.square,
        growth=2.0,
        slope_growth=1.0,
    ),
}
"""The activations by name, with default parameters."""


def get(name: str, parameters: Mapping[str, float] | None = None) -> Activation:
    """The activation of that name, with these parameters or its defaults.

    Raises:
        TheoryError: if the theory has none of that name, or a parameter is unknown or out of range.

    >>> get("leaky_relu", {"negative_slope": 0.2}).slope, get("tanh").slope
    (0.2, None)
    """
    return _get(name, tuple(sorted((parameters or {}).items())))


@lru_cache(maxsize=4096)
def _get(name: str, given: tuple[tuple[str, float], ...]) -> Activation:
    if name not in TABLE:
        raise TheoryError(f"the theory has no activation {name!r}; it has {', '.join(TABLE)}.")
    row, parameters = TABLE[name], dict(given)
    if unknown := [key for key in parameters if key not in row.parameters]:
        raise TheoryError(f"{name} has no parameter {unknown[0]!r}; it has {', '.join(row.parameters) or 'none'}.")
    values = {key: float(parameters.get(key, default)) for key, default in row.parameters.items()}
    for key, value in values.items():
        if not math.isfinite(value) or (row.positive and value <= 0):
            kind = "positive finite" if row.positive else "finite"
            raise TheoryError(f"{key} of {name} is a {kind} number, here {value!r}.")
    return row.activation(name, values)
