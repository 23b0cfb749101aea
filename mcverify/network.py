"""A dense network as a user describes it: widths, activation, and the laws of everything that is random.

h_l = W_l x_{l-1} + b_l and x_l = phi(h_l) for l = 1..L, W_l of shape (N_l, N_{l-1}); layer 0 is the input. Every
replicate draws all random parts anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby, pairwise
from typing import Any

import numpy as np

from mcverify.activations import Activation, read_activation
from mcverify.checks import integer, number
from mcverify.distributions import Law, read_law
from mcverify.errors import InputError, unknown
from mcverify.initializers import Scheme, read_scheme
from mcverify.rng.streams import MAX_BLOCK, MAX_LAYER

STANDARD_NORMAL: Mapping[str, Any] = {"law": "normal", "variance": 1.0}
HALF_SQUARED_ERROR = "half_squared_error"
LARGEST = 3e38

Spec = str | Mapping[str, Any] | Scheme | Law


@dataclass(frozen=True, eq=False)
class Network:
    """A random dense network; two are equal if they draw the same tensors for the same seed.

    Attributes:
        widths: N_0..N_L.
        activation: A name, {"activation": "leaky_relu", "negative_slope": 0.1}, {"expression": "x*tanh(x)"}, a sympy
            expression in one real symbol, or an `Activation` of one's own; read back as an `Activation`.
        output_activation: That of layer L; by default the same. "linear" for a linear read-out.
        weights: A scheme by name or as {"scheme": "he_normal", "mode": ..., "gain": ..., "negative_slope": ...}, a
            law as {"law": "normal", "variance": v, ...} (v one number or one a layer), or a list of these, one a layer.
        biases: The same; by default "zeros".
        input: N_0 values, or a law, which may have a `mean`; by default standard normal. Two or more rows of N_0
            values are several inputs of one network, for predictions of their correlation alone.
        output_gradient: dL/dx_L: N_L values, a law, or {"loss": "half_squared_error", "target": [...]} for
            x_L - target; by default standard normal.
        weight_laws: The laws of W_1..W_L. `bias_laws`: those of b_1..b_L.
        input_law: The law of the input's entries; None where `input_values` or `input_rows` are given.
        output_gradient_law: The same of dL/dx_L; None where `output_gradient_values` or a `target` are given.

    Raises:
        InputError: for what does not describe a network, naming the argument.

    >>> net = Network(widths=(64, *[128] * 10), activation="relu", weights="he_normal")
    >>> net.label, net.depth, net.weight_laws[1].variance
    ('64-128x10 relu he_normal', 10, 0.015625)
    """

    widths: Sequence[int]
    activation: Any = "linear"
    output_activation: Any = None
    weights: Any = "lecun_normal"
    biases: Any = "zeros"
    input: Any = field(default_factory=lambda: STANDARD_NORMAL)
    output_gradient: Any = field(default_factory=lambda: STANDARD_NORMAL)
    weight_laws: tuple[Law, ...] = field(init=False, repr=False)
    bias_laws: tuple[Law, ...] = field(init=False, repr=False)
    input_law: Law | None = field(init=False, repr=False, default=None)
    input_values: tuple[float, ...] | None = field(init=False, repr=False, default=None)
    input_rows: tuple[tuple[float, ...], ...] | None = field(init=False, repr=False, default=None)
    output_gradient_law: Law | None = field(init=False, repr=False, default=None)
    output_gradient_values: tuple[float, ...] | None = field(init=False, repr=False, default=None)
    target: tuple[float, ...] | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        self._set("widths", _widths(self.widths))
        self._set("activation", read_activation("activation", self.activation))
        last = self.activation if self.output_activation is None else self.output_activation
        self._set("output_activation", read_activation("output_activation", last))
        self._set("weight_laws", _layer_laws("weights", self.weights, self.widths, matrix=True))
        self._set("bias_laws", _layer_laws("biases", self.biases, self.widths, matrix=False))
        self._read_vector("input", self.input, self.widths[0])
        self._read_output_gradient()

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _read_output_gradient(self) -> None:
        spec = self.output_gradient
        if not (isinstance(spec, Mapping) and "loss" in spec):
            return self._read_vector("output_gradient", spec, self.widths[-1])
        if spec["loss"] != HALF_SQUARED_ERROR:
            raise unknown("output_gradient.loss", spec["loss"], [HALF_SQUARED_ERROR])
        if set(spec) != {"loss", "target"}:
            raise InputError(f"`output_gradient={dict(spec)!r}`: the loss takes one further key, `target`.")
        self._set("target", _values("output_gradient.target", spec["target"], self.widths[-1]))
        return None

    def _read_vector(self, argument: str, spec: Any, width: int) -> None:
        """Set the law or the values of the input or of the output gradient."""
        if isinstance(spec, str) and spec != "identity":
            spec = {"law": spec}
        if isinstance(spec, Mapping | Law):
            law = read_law(argument, spec, variance=1.0, takes_mean=argument == "input")
            self._set(f"{argument}_law", law)
        elif argument == "input" and _is_nested(spec):
            self._set("input_rows", _rows(argument, spec, width))
        else:
            self._set(f"{argument}_values", _values(argument, spec, width))

    @property
    def depth(self) -> int:
        """Number of weight layers, L."""
        return len(self.widths) - 1

    @property
    def n_weights(self) -> int:
        """Weights in all layers together."""
        return sum(a * b for a, b in pairwise(self.widths))

    def activation_of(self, layer: int) -> Activation:
        """The activation of layer 1..L."""
        chosen: Activation = self.output_activation if layer == self.depth else self.activation
        return chosen

    @property
    def homogeneous(self) -> bool:
        """Whether every activation satisfies phi(c h) = c phi(h) for c > 0."""
        return bool(self.output_activation.homogeneous and (self.depth == 1 or self.activation.homogeneous))

    def require_one_input(self) -> None:
        """Check that the network can be simulated.

        Raises:
            InputError: if it has several inputs.
        """
        if self.input_rows is not None:
            raise InputError(
                f"`input` has {len(self.input_rows)} rows, but only one vector a network is simulated; "
                f"give {self.widths[0]} numbers or a law. Rows are for `predict`."
            )

    def replace(self, **changes: Any) -> Network:
        """The same network but for the arguments named.

        >>> Network(widths=(2, 2)).replace(weights="he_normal").label
        '2-2 linear he_normal'
        """
        known = {name for name, described in self.__dataclass_fields__.items() if described.init}
        for name in changes:
            if name not in known:
                raise unknown("argument", name, known)
        if "activation" in changes and self.output_activation == self.activation:
            changes.setdefault("output_activation", None)
        return replace(self, **changes)

    def content(self) -> dict[str, Any]:
        """All that decides what is drawn and computed, as names and numbers; equal networks have equal content.

        >>> Network(widths=(2, 2), weights="lecun_normal").content()["weights"]
        [{'law': 'normal', 'variance': 0.5}]
        """
        return {
            "widths": list(self.widths),
            "activation": self.activation.content() if self.depth > 1 else None,
            "output_activation": self.output_activation.content(),
            "weights": [law.content() for law in self.weight_laws],
            "biases": [law.content() for law in self.bias_laws],
            "input": _content(self.input_law, self.input_values or self.input_rows),
            "output_gradient": (
                {"loss": HALF_SQUARED_ERROR, "target": list(self.target)}
                if self.target is not None
                else _content(self.output_gradient_law, self.output_gradient_values)
            ),
        }

    @cached_property
    def canonical(self) -> str:
        """The content as one line of JSON."""
        return json.dumps(self.content(), sort_keys=True, separators=(",", ":"), allow_nan=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Network) and self.canonical == other.canonical

    def __hash__(self) -> int:
        return hash(self.canonical)

    @property
    def label(self) -> str:
        """Short text for names and plots."""
        runs = [(width, len(list(run))) for width, run in groupby(self.widths)]
        parts = ["-".join(f"{w}x{n}" if n > 1 and len(self.widths) > 2 else "-".join([str(w)] * n) for w, n in runs)]
        parts += [self.activation.label, _spec_label(self.weights)]
        if any(not law.is_zero for law in self.bias_laws):
            parts.append(f"biases {_spec_label(self.biases)}")
        if self.output_activation != self.activation:
            parts.append(f"output {self.output_activation.label}")
        return " ".join(parts)


def _content(law: Law | None, values: tuple[Any, ...] | None) -> Any:
    if law is not None:
        return law.content()
    return [list(value) if isinstance(value, tuple) else value for value in values or ()]


def _widths(widths: Any) -> tuple[int, ...]:
    if isinstance(widths, str) or not hasattr(widths, "__len__") or len(widths) < 2:
        raise InputError(f"`widths={widths!r}`: give the width of the input and of each layer, such as (64, 128, 10).")
    result = tuple(integer(f"widths[{i}]", width, low=1) for i, width in enumerate(widths))
    if len(result) > MAX_LAYER:
        raise InputError(f"`widths` has {len(result)} entries; give at most {MAX_LAYER}.")
    for a, b in pairwise(result):
        if a * b > MAX_BLOCK:
            raise InputError(f"`widths`: a weight matrix of {b} x {a} is too large; give at most {MAX_BLOCK} entries.")
    return result


def _layer_laws(argument: str, spec: Any, widths: Sequence[int], *, matrix: bool) -> tuple[Law, ...]:
    """The law of each layer from one description of all of them, or one a layer."""
    depth = len(widths) - 1
    if isinstance(spec, list | tuple):
        if len(spec) != depth:
            raise InputError(f"`{argument}` has {len(spec)} entries; give one, or one a layer, {depth} in all.")
        each = [(f"{argument}[{i}]", part, 0, 1) for i, part in enumerate(spec)]
    else:
        each = [(argument, spec, i, depth) for i in range(depth)]
    fans = pairwise(widths)
    return tuple(_layer_law(*one, *fan, matrix=matrix) for one, fan in zip(each, fans, strict=True))


def _layer_law(argument: str, spec: Any, position: int, count: int, fan_in: int, fan_out: int, *, matrix: bool) -> Law:
    if isinstance(spec, Law) or (isinstance(spec, Mapping) and "law" in spec):
        sides = (fan_in, fan_out) if matrix else None
        return read_law(argument, spec, position=position, count=count, sides=sides)
    if isinstance(spec, str | Scheme) or (isinstance(spec, Mapping) and "scheme" in spec):
        return read_scheme(argument, spec).resolve(fan_in, fan_out)
    raise InputError(
        f"`{argument}={spec!r}`: give a scheme such as 'he_normal', a table with the key `scheme` or `law`, "
        "or a list of these, one a layer."
    )


def _rows(argument: str, spec: Any, width: int) -> tuple[tuple[float, ...], ...]:
    """Several inputs, one a row."""
    if len(spec) < 2:
        raise InputError(f"`{argument}={spec!r}` has one row; give its {width} numbers alone, or two rows or more.")
    return tuple(_values(f"{argument}[{i}]", row, width) for i, row in enumerate(spec))


def _values(argument: str, spec: Any, width: int) -> tuple[float, ...]:
    if isinstance(spec, str) or _is_nested(spec):
        raise InputError(
            f"`{argument}={spec!r}`: only one vector a network is simulated; give {width} numbers or a law."
        )
    if np.ndim(spec) == 0 or len(spec) != width:
        size = "no list" if np.ndim(spec) == 0 else f"a list of {len(spec)}"
        raise InputError(f"`{argument}={spec!r}` is {size}; give {width} numbers, one a unit, or a law.")
    result = tuple(number(f"{argument}[{i}]", value) for i, value in enumerate(spec))
    for i, value in enumerate(result):
        if abs(value) > LARGEST:
            raise InputError(f"`{argument}[{i}]={value!r}`: too large for a 32-bit float; give less than {LARGEST:g}.")
    return result


def _is_nested(spec: Any) -> bool:
    try:
        return np.ndim(spec) > 1
    except ValueError:  # lists of several lengths
        return True


def _spec_label(spec: Any) -> str:
    if isinstance(spec, list | tuple):
        labels = [_spec_label(part) for part in spec]
        return labels[0] if len(set(labels)) == 1 else "/".join(labels[:3]) + ("/..." if len(labels) > 3 else "")
    if isinstance(spec, str):
        return spec
    if isinstance(spec, Scheme):
        return spec.label
    given = spec.content() if isinstance(spec, Law) else dict(spec)
    name = given.pop("law", None) or given.pop("scheme", None)
    inside = ", ".join(f"{key}={_short(value)}" for key, value in given.items())
    return f"{name}({inside})" if inside else str(name)


def _short(value: Any) -> str:
    if isinstance(value, float | int) and not isinstance(value, bool):
        return f"{value:.4g}"
    return "..." if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
