"""The activations by name, with their parameters; their scalar functions are in `mcverify.functions`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcverify import functions
from mcverify.checks import number
from mcverify.errors import InputError, unknown


@dataclass(frozen=True)
class Form:
    """An activation without its parameters: the two functions, whether phi(c h) = c phi(h), c > 0, and defaults."""

    phi: Callable[[Any, Any], Any]
    derivative: Callable[[Any, Any], Any]
    homogeneous: bool
    defaults: Mapping[str, float] = field(default_factory=dict)


activations: dict[str, Form] = {
    "linear": Form(functions.linear, functions.linear_derivative, homogeneous=True),
    "relu": Form(functions.relu, functions.relu_derivative, homogeneous=True),
    "leaky_relu": Form(
        functions.leaky_relu, functions.leaky_relu_derivative, homogeneous=True, defaults={"negative_slope": 0.01}
    ),
    "tanh": Form(functions.tanh, functions.tanh_derivative, homogeneous=False),
    "sigmoid": Form(functions.sigmoid, functions.sigmoid_derivative, homogeneous=False),
}
"""Every activation by name."""


@dataclass(frozen=True)
class Activation:
    """An activation with its parameters.

    >>> import numpy as np
    >>> leaky = Activation("leaky_relu", {"negative_slope": 0.5})
    >>> float(leaky(np.float64(-2))), leaky.homogeneous
    (-1.0, True)
    """

    name: str
    parameters: Mapping[str, float] = field(default_factory=dict, hash=False)

    @property
    def form(self) -> Form:
        """Its functions."""
        return activations[self.name]

    @property
    def homogeneous(self) -> bool:
        """Whether phi(c h) = c phi(h) for every c > 0."""
        return self.form.homogeneous

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
        """Its name and numbers.

        >>> Activation("relu").content()
        {'activation': 'relu'}
        """
        return {"activation": self.name, **self.parameters}

    @property
    def label(self) -> str:
        """Short text, such as relu or leaky_relu(0.1)."""
        inside = ", ".join(f"{value:g}" for value in self.parameters.values())
        return f"{self.name}({inside})" if inside else self.name


def read_activation(argument: str, spec: str | Mapping[str, Any] | Activation) -> Activation:
    """A checked activation from its name, or from {"activation": "leaky_relu", "negative_slope": 0.1}.

    Raises:
        InputError: for what does not make one.

    >>> read_activation("activation", "leaky_relu").parameters
    {'negative_slope': 0.01}
    """
    if isinstance(spec, str):
        given: dict[str, Any] = {"activation": spec}
    elif isinstance(spec, Activation):
        given = spec.content()
    elif isinstance(spec, Mapping):
        given = dict(spec)
    else:
        raise InputError(f"`{argument}={spec!r}`: give a name such as 'relu', or a table with the key `activation`.")
    name = given.pop("activation", None)
    if not isinstance(name, str) or name not in activations:
        raise unknown(argument, name, activations)
    defaults = activations[name].defaults
    for key in given:
        if key not in defaults:
            takes = f"takes {', '.join(defaults)}" if defaults else "takes no parameters"
            raise InputError(f"`{argument}.{key}={given[key]!r}`: the activation {name!r} {takes}.")
    numbers = {key: number(f"{argument}.{key}", given.get(key, default)) for key, default in defaults.items()}
    return Activation(name, numbers)
