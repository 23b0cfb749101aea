"""Published initialization schemes: which law, and which variance from fan_in, fan_out and gain.

LeCun et al. 1998 (1 / fan_in), Glorot and Bengio 2010 (2 / (fan_in + fan_out), also called Xavier), He et al. 2015
(2 / fan_in), the defaults of PyTorch's Linear (U(+-1/sqrt fan_in), weights and biases) and of MXNet (U(+-0.07),
normal of standard deviation 0.01). `_normal` is a plain normal, not a truncated one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mcverify.checks import number
from mcverify.distributions import Law
from mcverify.errors import InputError, unknown

MODES: dict[str, Callable[[int, int], float]] = {
    "fan_in": lambda fan_in, fan_out: fan_in,
    "fan_out": lambda fan_in, fan_out: fan_out,
    "fan_avg": lambda fan_in, fan_out: (fan_in + fan_out) / 2,
}


@dataclass(frozen=True)
class Form:
    """A scheme without options: variance = gain^2 / fan, or fixed / (fan_in if per_input else 1)."""

    law: str
    mode: str = "fan_in"
    gain: float = 1.0
    fixed: float | None = None
    per_input: bool = False


_HE = math.sqrt(2)

schemes: dict[str, Form] = {
    "lecun_normal": Form("normal"),
    "lecun_uniform": Form("uniform"),
    "he_normal": Form("normal", gain=_HE),
    "he_uniform": Form("uniform", gain=_HE),
    "xavier_normal": Form("normal", "fan_avg"),
    "xavier_uniform": Form("uniform", "fan_avg"),
    "torch_linear": Form("uniform", fixed=1 / 3, per_input=True),
    "mxnet_uniform": Form("uniform", fixed=0.07**2 / 3),
    "mxnet_normal": Form("normal", fixed=0.01**2),
    "zeros": Form("constant", fixed=0.0),
}
"""Every scheme by name; `glorot_*` are `xavier_*`."""

ALIASES = {"glorot_normal": "xavier_normal", "glorot_uniform": "xavier_uniform"}


@dataclass(frozen=True)
class Scheme:
    """A scheme with its options; `resolve` makes it a law.

    Attributes:
        name: A key of `schemes`.
        mode: "fan_in", "fan_out" or "fan_avg"; None for the scheme's own.
        gain: Multiplies the standard deviation sqrt(1 / fan); None for the scheme's own (sqrt 2 for he_*).
        negative_slope: For he_*, makes the gain sqrt(2 / (1 + negative_slope^2)).

    >>> Scheme("he_normal").resolve(fan_in=8, fan_out=4).variance
    0.25
    """

    name: str
    mode: str | None = None
    gain: float | None = None
    negative_slope: float | None = None

    def resolve(self, fan_in: int, fan_out: int) -> Law:
        """The law of one entry."""
        form = schemes[self.name]
        if form.law == "constant":
            return Law("constant", parameters={"value": 0.0})
        if form.fixed is not None:
            return Law(form.law, variance=form.fixed / (fan_in if form.per_input else 1))
        gain = form.gain if self.gain is None else self.gain
        square = 2 if gain == _HE else gain**2
        if self.negative_slope is not None:
            square = 2 / (1 + self.negative_slope**2)
        return Law(form.law, variance=square / MODES[self.mode or form.mode](fan_in, fan_out))

    @property
    def label(self) -> str:
        """Short text, such as he_normal or he_normal(mode=fan_out)."""
        options = {"mode": self.mode, "gain": self.gain, "negative_slope": self.negative_slope}
        inside = ", ".join(f"{key}={value}" for key, value in options.items() if value is not None)
        return f"{self.name}({inside})" if inside else self.name


def read_scheme(argument: str, spec: str | Mapping[str, Any] | Scheme) -> Scheme:
    """A checked scheme from its name, or from {"scheme": "he_normal", "mode": "fan_out"}.

    Raises:
        InputError: for what does not make one.

    >>> read_scheme("weights", "glorot_normal").name
    'xavier_normal'
    """
    given = _options(spec)
    name = given.pop("scheme", None)
    name = ALIASES.get(name, name) if isinstance(name, str) else name
    if not isinstance(name, str) or name not in schemes:
        raise unknown(argument, name, [*schemes, *ALIASES])
    _check_options(argument, name, given)
    if "mode" in given and given["mode"] not in MODES:
        raise unknown(f"{argument}.mode", given["mode"], MODES)
    for key in ("gain", "negative_slope"):
        if key in given:
            given[key] = number(f"{argument}.{key}", given[key], low=0 if key == "gain" else -math.inf)
    return Scheme(name, **given)


def _options(spec: str | Mapping[str, Any] | Scheme) -> dict[str, Any]:
    if isinstance(spec, str):
        return {"scheme": spec}
    if isinstance(spec, Scheme):
        options = {"mode": spec.mode, "gain": spec.gain, "negative_slope": spec.negative_slope}
        return {"scheme": spec.name, **{key: value for key, value in options.items() if value is not None}}
    return dict(spec)


def _check_options(argument: str, name: str, given: Mapping[str, Any]) -> None:
    known = [] if schemes[name].fixed is not None else ["mode", "gain"]
    known += ["negative_slope"] if name.startswith("he_") else []
    for key in given:
        if key not in known:
            takes = f"takes {', '.join(known)}" if known else "takes no options"
            raise InputError(f"`{argument}.{key}={given[key]!r}`: the scheme {name!r} {takes}.")
    if "gain" in given and "negative_slope" in given:
        raise InputError(f"`{argument}.gain` and `{argument}.negative_slope` both set the gain; give one of them.")


def _factory(name: str) -> Callable[..., Scheme]:
    def make(*, mode: str | None = None, gain: float | None = None, negative_slope: float | None = None) -> Scheme:
        options = {"mode": mode, "gain": gain, "negative_slope": negative_slope}
        return read_scheme("scheme", {"scheme": name, **{k: v for k, v in options.items() if v is not None}})

    make.__doc__ = f"The scheme {name!r}, with options `mode`, `gain` and (he_*) `negative_slope` where it has them."
    return make


LecunNormal = _factory("lecun_normal")
LecunUniform = _factory("lecun_uniform")
HeNormal = _factory("he_normal")
HeUniform = _factory("he_uniform")
XavierNormal = GlorotNormal = _factory("xavier_normal")
XavierUniform = GlorotUniform = _factory("xavier_uniform")
TorchLinear = _factory("torch_linear")
MxnetUniform = _factory("mxnet_uniform")
MxnetNormal = _factory("mxnet_normal")
Zeros = _factory("zeros")
