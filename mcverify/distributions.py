"""The laws of weights, biases, inputs and gradients: their parameters, and what scales a standardised variate.

The variates themselves are in `mcverify.rng.variates`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mcverify.checks import number
from mcverify.errors import InputError, unknown


@dataclass(frozen=True)
class Form:
    """What a law takes.

    Attributes:
        per_block: Variates that one block of four random words gives.
        defaults: Its parameters with their defaults; None where one must be given.
    """

    per_block: int
    defaults: Mapping[str, float | bool | None] = field(default_factory=dict)


laws: dict[str, Form] = {
    "normal": Form(4),
    "uniform": Form(4),
    "truncated_normal": Form(4, {"bound": 2.0, "rescaled": True}),
    "rademacher": Form(4),
    "laplace": Form(4),
    "student_t": Form(1, {"df": None}),
    "sparse": Form(2, {"sparsity": None}),
    "orthogonal": Form(4),
    "constant": Form(4, {"value": None}),
}
"""Every law by name. `orthogonal` is a matrix law: the Haar orthogonal factor of a Gaussian matrix."""


@dataclass(frozen=True)
class Law:
    """The law of one entry of a tensor (of a whole matrix, for `orthogonal`).

    Attributes:
        name: A key of `laws`.
        variance: Variance of an entry; for a truncated normal with rescaled=False that of the normal before
            cutting; None for `constant` and for a `student_t` that is given by its scale.
        parameters: `bound` and `rescaled`, `df`, `sparsity`, or `value`, by law.
        scale: A `student_t` without a variance is this times a t variable; else None.
        mean: Added to every entry (inputs only).

    >>> Law("normal", variance=0.25).std
    0.5
    >>> Law("constant", parameters={"value": 0.0}).is_zero
    True
    """

    name: str
    variance: float | None = None
    parameters: Mapping[str, float | bool] = field(default_factory=dict, hash=False)
    scale: float | None = None
    mean: float = 0.0

    @property
    def std(self) -> float:
        """What the standardised variate is multiplied by."""
        if self.name == "constant":
            return float(self.parameters["value"])
        if self.scale is not None:
            return self.scale
        return math.sqrt(self.variance or 0.0)

    @property
    def is_zero(self) -> bool:
        """Whether every entry is 0."""
        return self.std == 0 and self.mean == 0

    @property
    def per_block(self) -> int:
        """Variates that one block of four random words gives."""
        return laws[self.name].per_block

    @property
    def constants(self) -> tuple[float, float]:
        """The constants a, b of the law's variate function."""
        if self.name == "truncated_normal":
            return _truncation(float(self.parameters["bound"]), bool(self.parameters["rescaled"]))
        if self.name == "student_t":
            df = float(self.parameters["df"])
            return df, 1.0 if self.scale is not None else math.sqrt((df - 2) / df)
        if self.name == "sparse":
            sparsity = float(self.parameters["sparsity"])
            return sparsity * 2.0**32, 1 / math.sqrt(1 - sparsity)
        return 0.0, 1.0

    def content(self) -> dict[str, Any]:
        """Names and numbers that say what it is, for keys and reports.

        >>> Law("normal", variance=2.0).content()
        {'law': 'normal', 'variance': 2.0}
        """
        optional = {"variance": self.variance, "scale": self.scale, "mean": self.mean or None}
        given = {key: value for key, value in optional.items() if value is not None}
        return {"law": self.name, **given, **dict(sorted(self.parameters.items()))}


def _truncation(bound: float, rescaled: bool) -> tuple[float, float]:
    """P(|z| < bound) and one over the standard deviation of z given that (1 where not rescaled)."""
    inside = math.erf(bound / math.sqrt(2))
    density = math.exp(-(bound**2) / 2) / math.sqrt(2 * math.pi)
    variance = 1 - 2 * bound * density / inside
    if bound < 0.1:  # the difference would cancel; E z^2 = c^2/3 - c^4 2/45 + ... given |z| < c
        variance = bound**2 / 3 - bound**4 * 2 / 45
    return inside, 1 / math.sqrt(variance) if rescaled else 1.0


def read_law(
    argument: str,
    spec: Mapping[str, Any] | Law,
    *,
    position: int = 0,
    count: int = 1,
    sides: tuple[int, int] | None = None,
    variance: float | None = None,
    takes_mean: bool = False,
) -> Law:
    """A checked law from what a user wrote, such as {"law": "student_t", "df": 9, "variance": 0.1}.

    Args:
        argument: Its name in messages.
        position: Which of `count` layers it is for; a list of numbers has one a layer.
        sides: (fan_in, fan_out) of a matrix; None for a vector, which cannot be orthogonal.
        variance: Default; None where it must be given.
        takes_mean: Whether `mean` is a key.

    Raises:
        InputError: for what does not make a law.

    >>> read_law("weights", {"law": "normal", "variance": [1.0, 2.0]}, position=1, count=2).variance
    2.0
    >>> read_law("weights", {"law": "normall", "variance": 1.0})
    Traceback (most recent call last):
        ...
    mcverify.errors.InputError: `weights.law='normall'` is not known; did you mean 'normal'? Known: constant, ...
    """
    given = _as_mapping(spec)
    name = given.pop("law", None)
    if not isinstance(name, str) or name not in laws:
        raise unknown(f"{argument}.law", name, laws)
    if name == "orthogonal" and sides is None:
        raise InputError(f"`{argument}.law='orthogonal'`: a law of matrices; give a law of single entries here.")
    _check_keys(argument, name, given, takes_mean)
    numbers = {key: _one(f"{argument}.{key}", value, position, count) for key, value in given.items()}
    mean = number(f"{argument}.mean", numbers.pop("mean", 0.0))
    scale = numbers.pop("scale", None)
    gain = numbers.pop("gain", None)
    if name == "orthogonal" and sides is not None and "variance" not in numbers:
        numbers["variance"] = number(f"{argument}.gain", 1.0 if gain is None else gain) ** 2 / max(sides)
    if variance is not None and name != "constant" and scale is None:
        numbers.setdefault("variance", variance)
    spread = numbers.pop("variance", None)
    parameters = _parameters(argument, name, numbers)
    if name != "constant":
        spread, scale = _spread(argument, name, spread, scale, parameters)
    return Law(name, spread, parameters, scale, mean)


def _as_mapping(spec: Mapping[str, Any] | Law) -> dict[str, Any]:
    return dict(spec.content() if isinstance(spec, Law) else spec)


def _check_keys(argument: str, name: str, given: Mapping[str, Any], takes_mean: bool) -> None:
    known = {*laws[name].defaults, *({"mean"} if takes_mean else ())}
    if name != "constant":
        known.add("variance")
    extra = {"student_t": "scale", "orthogonal": "gain"}.get(name)
    known |= {extra} if extra else set()
    for key in given:
        if key not in known:
            raise InputError(f"`{argument}.{key}`: the law {name!r} takes {', '.join(sorted(known)) or 'nothing'}.")
    if extra in given and "variance" in given:
        raise InputError(f"`{argument}.{extra}` and `{argument}.variance` both say how large it is; give one of them.")


def _one(argument: str, value: Any, position: int, count: int) -> Any:
    """The number of a layer, where one number or one a layer may be given."""
    if isinstance(value, str) or (not isinstance(value, Sequence) and not hasattr(value, "__len__")):
        return value
    if len(value) != count:
        raise InputError(f"`{argument}={value!r}` has {len(value)} numbers; give one, or one a layer, {count} in all.")
    return value[position]


def _parameters(argument: str, name: str, numbers: Mapping[str, Any]) -> dict[str, float | bool]:
    result: dict[str, float | bool] = {}
    for key, default in laws[name].defaults.items():
        value = numbers.get(key, default)
        if value is None:
            raise InputError(f"`{argument}`: the law {name!r} needs `{key}`.")
        if key == "rescaled":
            if not isinstance(value, bool):
                raise InputError(f"`{argument}.rescaled={value!r}`: give true or false.")
            result[key] = value
        else:
            result[key] = number(f"{argument}.{key}", value, above=-math.inf if key == "value" else _FLOOR[key])
    if name == "sparse" and not 0 <= result["sparsity"] < 1:
        raise InputError(f"`{argument}.sparsity={numbers['sparsity']!r}`: give the share of zeros, from 0 to below 1.")
    if name == "truncated_normal" and result["bound"] < 1e-6:
        raise InputError(f"`{argument}.bound={result['bound']!r}`: give a bound of at least 1e-6 standard deviations.")
    return result


_FLOOR = {"bound": 0.0, "df": 0.0, "sparsity": -math.inf}


def _spread(
    argument: str, name: str, variance: Any, scale: Any, parameters: Mapping[str, float | bool]
) -> tuple[float | None, float | None]:
    """The checked variance or scale of a law that has one."""
    if scale is not None:
        return None, number(f"{argument}.scale", scale, low=0)
    if variance is None:
        also = " (or `scale`)" if name == "student_t" else ""
        raise InputError(f"`{argument}`: the law {name!r} needs `variance`{also}.")
    value = number(f"{argument}.variance", variance, low=0)
    if name == "student_t" and parameters["df"] <= 2:
        raise InputError(
            f"`{argument}.df={parameters['df']:g}`: a Student t with 2 degrees of freedom or fewer has no variance; "
            "give `scale` instead of `variance`, or more degrees of freedom."
        )
    return value, None
