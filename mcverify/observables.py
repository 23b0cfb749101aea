"""What is measured on one network: a statistic of one tensor of one layer, one number a network.

Layer 0 is the input, layers 1..L are weight layers. `h` = preactivation, `x` = activation = phi(h); the
gradients are those of a loss, of which `output_gradient` (dL/dx_L) is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mcverify.errors import InputError, unknown

FORWARD = ("preactivation", "activation")
PARAMETERS = ("weight", "bias")
GRADIENTS = ("preactivation_gradient", "activation_gradient", "weight_gradient", "bias_gradient")
TENSORS = ("input", *PARAMETERS, *FORWARD, *GRADIENTS, "output_gradient")

MOMENTS = ("mean", "second_moment", "fourth_moment", "log_second_moment")
"""Means over the entries of the tensor of t, t^2, t^4, and the log of the mean of t^2 (-inf when all are 0)."""

RATIO = "ratio"
"""Second moment of layer l over that of layer l-1 (forward tensors) or l+1 (gradients); NaN over a zero."""

ACTIVE_FRACTION = "active_fraction"  # of preactivations: the share that is > 0
ALIVE = "alive"  # of activations: 1 if any is not 0

PREDICTED_ONLY = tuple(
    f"{tensor}.{statistic}" for tensor in FORWARD for statistic in ("spectrum_1", "spectrum_2", "correlation")
)
"""What the theory states and no simulator measures.

Means of the squares and of the fourth powers of the singular values of dx_l/dx_0 (dh_l/dx_0), and of the cosine of
pairs of inputs.
"""


@dataclass(frozen=True, order=True)
class Observable:
    """One statistic of one tensor, at one layer.

    >>> SecondMoment("preactivation", layer=3)
    Observable(tensor='preactivation', statistic='second_moment', layer=3)
    >>> parse("activation.ratio", 2).name
    'activation.ratio'
    """

    tensor: str
    statistic: str
    layer: int

    @property
    def name(self) -> str:
        """The dotted name, as in frames and files."""
        return f"{self.tensor}.{self.statistic}"


def layers(tensor: str, statistic: str, depth: int) -> range:
    """The layers at which an observable exists in a network of `depth` weight layers.

    >>> list(layers("preactivation", "ratio", 3)), list(layers("activation_gradient", "ratio", 3))
    ([2, 3], [0, 1, 2])
    """
    first, last = 1, depth
    if tensor == "input":
        first = last = 0
    elif tensor == "output_gradient":
        first = depth
    elif tensor == "activation_gradient":
        first = 0
    if statistic == RATIO:
        first += tensor == "preactivation"
        last -= tensor in GRADIENTS
    return range(first, last + 1)


def statistics_of(tensor: str) -> tuple[str, ...]:
    """The statistics that exist for a tensor."""
    extra: dict[str, tuple[str, ...]] = {
        "preactivation": (RATIO, ACTIVE_FRACTION),
        "activation": (RATIO, ALIVE),
        **dict.fromkeys(GRADIENTS, (RATIO,)),
    }
    return MOMENTS + extra.get(tensor, ())


def names() -> list[str]:
    """Every observable by its dotted name."""
    return [f"{tensor}.{statistic}" for tensor in TENSORS for statistic in statistics_of(tensor)]


def columns(depth: int) -> list[Observable]:
    """All observables of a network, in the order of a simulator's columns: by name, then by layer."""
    return list(_columns(depth))


def _columns(depth: int) -> Iterator[Observable]:
    for tensor in TENSORS:
        for statistic in statistics_of(tensor):
            for layer in layers(tensor, statistic, depth):
                yield Observable(tensor, statistic, layer)


def parse(name: str, layer: int, depth: int | None = None) -> Observable:
    """An observable from its dotted name, checked.

    Raises:
        InputError: if there is none of this name, or (given `depth`) not at this layer.
    """
    if name not in names():
        raise unknown("observable", name, names())
    tensor, statistic = name.split(".")
    if depth is not None and layer not in layers(tensor, statistic, depth):
        valid = layers(tensor, statistic, depth)
        where = f"layers {valid[0]} to {valid[-1]}" if len(valid) else "no layer"
        raise InputError(f"`layer={layer}`: {name} exists at {where} of a network with {depth} weight layers.")
    return Observable(tensor, statistic, layer)


def SecondMoment(tensor: str, *, layer: int) -> Observable:  # noqa: N802  (reads like a class in claims)
    """Mean over entries of the square."""
    return parse(f"{tensor}.second_moment", layer)


def LogSecondMoment(tensor: str, *, layer: int) -> Observable:  # noqa: N802
    """Log of the mean over entries of the square."""
    return parse(f"{tensor}.log_second_moment", layer)


def Ratio(tensor: str, *, layer: int) -> Observable:  # noqa: N802
    """Second moment over that of the layer before (behind, for gradients)."""
    return parse(f"{tensor}.ratio", layer)
