"""The activations by name, with their parameters, and a user's own; their functions are in `mcverify.functions`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcverify.checks import number
from mcverify.errors import InputError, unknown
from mcverify.functions import error, exponential, gated, logarithm, piecewise, sine

Function = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Form:
    """An activation without its parameters.

    Attributes:
        phi: phi(h, a) on NumPy arrays. `derivative`: phi'(h, a). Both from one module, which is compiled, or from
            Python functions of h that are `given`.
        homogeneous: Whether phi(c h) = c phi(h) for every c > 0.
        flat: Whether phi or phi' is 0 on an interval, so that a zero is no number lost to rounding.
        defaults: Its parameters.
        positive: Whether these are above 0.
        given: The Python functions phi and phi' of h that a user gave, with a hash of all that they do.
    """

    phi: Function
    derivative: Function
    homogeneous: bool = False
    flat: bool = False
    defaults: Mapping[str, float] = field(default_factory=dict)
    positive: bool = False
    given: tuple[Callable[[Any], Any], Callable[[Any], Any], str] | None = None


activations: dict[str, Form] = {
    "linear": Form(piecewise.linear, piecewise.linear_derivative, homogeneous=True),
    "relu": Form(piecewise.relu, piecewise.relu_derivative, homogeneous=True, flat=True),
    "leaky_relu": Form(
        piecewise.leaky_relu, piecewise.leaky_relu_derivative, homogeneous=True, defaults={"negative_slope": 0.01}
    ),
    "prelu": Form(
        piecewise.leaky_relu, piecewise.leaky_relu_derivative, homogeneous=True, defaults={"negative_slope": 0.25}
    ),
    "abs": Form(piecewise.absolute, piecewise.absolute_derivative, homogeneous=True),
    "relu6": Form(piecewise.relu6, piecewise.relu6_derivative, flat=True),
    "hardtanh": Form(piecewise.hardtanh, piecewise.hardtanh_derivative, flat=True),
    "tanh": Form(exponential.tanh, exponential.tanh_derivative),
    "sigmoid": Form(exponential.sigmoid, exponential.sigmoid_derivative),
    "erf": Form(error.erf, error.erf_derivative),
    "probit": Form(error.probit, error.probit_derivative),
    "gelu": Form(error.gelu, error.gelu_derivative),
    "gelu_tanh": Form(gated.gelu_tanh, gated.gelu_tanh_derivative),
    "silu": Form(gated.silu, gated.silu_derivative),
    "mish": Form(gated.mish, gated.mish_derivative),
    "elu": Form(gated.elu, gated.elu_derivative, defaults={"alpha": 1.0}),
    "selu": Form(gated.selu, gated.selu_derivative),
    "celu": Form(gated.celu, gated.celu_derivative, defaults={"alpha": 1.0}, positive=True),
    "softplus": Form(logarithm.softplus, logarithm.softplus_derivative),
    "softsign": Form(piecewise.softsign, piecewise.softsign_derivative),
    "sine": Form(sine.sine, sine.sine_derivative),
    "exp": Form(exponential.exp, exponential.exp_derivative),
    "square": Form(piecewise.square, piecewise.square_derivative),
}
"""Every activation by name."""


class Activation:
    """An activation with its parameters, or a user's own.

    Args:
        name: One of the table, or any other name for one's own.
        parameters: Those of one of the table.
        expression: One's own, as a sympy expression in one real symbol, or as text in x such as "x*tanh(x)".
            Predictions are made from it, and so are the simulators' functions where none are given.
        function: One's own as a Python function of one number, which Numba compiles; with its `derivative`.
        derivative: The derivative of `function`.
        version: What stands for the code of `function` and `derivative` where Python cannot show it; any text that
            changes when they do.

    Attributes:
        name, parameters: As above; the name of an expression without one is its text.
        expression: The sympy expression of one's own activation in `expression_forms.x`, if there is one.
        form: The functions.

    Raises:
        InputError: for a function that does not compile, a derivative that is not that of the function (by finite
            differences), or a function that is not the expression.

    >>> import numpy as np
    >>> leaky = Activation("leaky_relu", {"negative_slope": 0.5})
    >>> float(leaky(np.float64(-2))), leaky.homogeneous
    (-1.0, True)
    >>> import sympy
    >>> s = sympy.Symbol("s", real=True)
    >>> bump = Activation("bump", expression=s * sympy.exp(-(s**2)))
    >>> float(bump(1.0)), float(bump.derivative(0.0)), bump.label
    (0.36787944117144233, 1.0, 'bump')
    """

    def __init__(
        self,
        name: str | None = None,
        parameters: Mapping[str, float] | None = None,
        *,
        expression: Any = None,
        function: Callable[[Any], Any] | None = None,
        derivative: Callable[[Any], Any] | None = None,
        version: str | None = None,
    ) -> None:
        self.parameters: dict[str, float] = dict(parameters or {})
        self.expression: Any = None
        self._own: dict[str, Any] = {}
        self._given = {"expression": expression, "function": function, "derivative": derivative, "version": version}
        if any(part is not None for part in self._given.values()):
            self._make_own(name)
        else:
            self.name, self.parameters = _checked("activation", name, self.parameters)
            self.form: Form = activations[self.name]

    def _make_own(self, name: str | None) -> None:
        from mcverify.own_activations import make

        if self.parameters:
            raise InputError(
                f"`parameters={self.parameters!r}`: an activation of your own has none; write them into it."
            )
        if name in activations:
            raise InputError(f"`name={name!r}` is that of an activation of the table; give your own another name.")
        made = make(**self._given)
        self.form, self.expression, self._own = made.form, made.expression, made.content
        self.name = name or made.name

    @property
    def is_own(self) -> bool:
        """Whether it is a user's own."""
        return bool(self._own)

    @property
    def homogeneous(self) -> bool:
        """Whether phi(c h) = c phi(h) for every c > 0."""
        return self.form.homogeneous

    @property
    def flat(self) -> bool:
        """Whether phi or phi' is 0 on an interval."""
        return self.form.flat

    @property
    def constant(self) -> float:
        """The parameter `a` of the functions."""
        return next(iter(self.parameters.values()), 0.0)

    def __call__(self, h: Any) -> Any:
        """phi(h) of a NumPy scalar or array."""
        return self.form.phi(h, self.constant)

    def derivative(self, h: Any) -> Any:
        """phi'(h) of a NumPy scalar or array."""
        return self.form.derivative(h, self.constant)

    def content(self) -> dict[str, Any]:
        """All that decides what it computes: its name and numbers, or one's own expression or code.

        >>> Activation("relu").content()
        {'activation': 'relu'}
        """
        return dict(self._own) if self.is_own else {"activation": self.name, **self.parameters}

    @property
    def label(self) -> str:
        """Short text, such as relu or leaky_relu(0.1)."""
        inside = ", ".join(f"{value:g}" for value in self.parameters.values())
        return f"{self.name}({inside})" if inside else self.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Activation) and self.content() == other.content()

    def __hash__(self) -> int:
        return hash(json.dumps(self.content(), sort_keys=True))

    def __repr__(self) -> str:
        own = f", {', '.join(self._own)}" if self.is_own else f", {self.parameters!r}" if self.parameters else ""
        return f"Activation({self.name!r}{own})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (self.name, self.parameters, self._given)


def _remade(name: str, parameters: dict[str, float], given: dict[str, Any]) -> Activation:
    return Activation(name, parameters, **given)


def read_activation(argument: str, spec: Any) -> Activation:
    """A checked activation from any of the forms that `Network` takes.

    Args:
        argument: The name under which the user gave it.
        spec: A name; {"activation": "leaky_relu", "negative_slope": 0.1}; {"expression": "x*tanh(x)"}, with a `name`
            if wanted; a sympy expression in one real symbol; or an `Activation`.

    Raises:
        InputError: for what does not make one.

    >>> read_activation("activation", "leaky_relu").parameters
    {'negative_slope': 0.01}
    >>> read_activation("activation", {"expression": "x*sigmoid(2*x)", "name": "swish2"}).label
    'swish2'
    """
    if isinstance(spec, Activation):
        return spec if spec.is_own else _named(argument, spec.content())
    if isinstance(spec, str):
        return _named(argument, {"activation": spec})
    if isinstance(spec, Mapping) and "expression" in spec:
        return _expressed(argument, dict(spec))
    if isinstance(spec, Mapping):
        if "activation" not in spec:
            raise InputError(f"`{argument}={dict(spec)!r}`: give the key `activation` or `expression`.")
        return _named(argument, dict(spec))
    if hasattr(spec, "free_symbols"):
        return _expressed(argument, {"expression": spec})
    raise InputError(
        f"`{argument}={spec!r}`: give a name such as 'relu', a table with the key `activation` or `expression`, "
        "a sympy expression in one real symbol, or an `Activation`."
    )


def _named(argument: str, given: dict[str, Any]) -> Activation:
    return Activation(*_checked(argument, given.pop("activation", None), given))


def _checked(argument: str, name: Any, given: Mapping[str, Any]) -> tuple[str, dict[str, float]]:
    """A name of the table, with all its parameters."""
    if not isinstance(name, str) or name not in activations:
        raise unknown(argument, name, activations)
    form = activations[name]
    for key, value in given.items():
        if key not in form.defaults:
            takes = f"takes {', '.join(form.defaults)}" if form.defaults else "takes no parameters"
            raise InputError(f"`{argument}.{key}={value!r}`: the activation {name!r} {takes}.")
    low = {"above": 0.0} if form.positive else {}
    numbers = {
        key: number(f"{argument}.{key}", given.get(key, default), **low) for key, default in form.defaults.items()
    }
    return name, numbers


def _expressed(argument: str, given: dict[str, Any]) -> Activation:
    expression, name = given.pop("expression"), given.pop("name", None)
    if given:
        key = next(iter(given))
        raise InputError(f"`{argument}.{key}={given[key]!r}`: beside `expression` there may be a `name` alone.")
    if name is not None and not (isinstance(name, str) and name.strip()):
        raise InputError(f"`{argument}.name={name!r}`: give a short text, such as 'swish2'.")
    try:
        return Activation(name, expression=expression)
    except InputError as error:
        raise InputError(f"`{argument}`: {error}") from error
