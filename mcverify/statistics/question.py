"""What a test is asked (`Question`, `Ladder`) and what it is given (`Sample`: one number a network)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mcverify import checks
from mcverify.errors import InputError

ROUNDING = 1e-6
"""Departure per layer spanned that float32 weights and float64 sums may cause."""

KAPPA = 0.5
"""Share by which terms of higher order may exceed the first neglected one."""

SCALES = ("relative", "log", "zero")
EXACTNESS = ("EXACT", "LEADING_ORDER", "INFINITE_WIDTH", "BOUND")


class NamedLaw(Protocol):
    """The law of one network's value, as data: a name of `laws.LAWS` and its parameters."""

    @property
    def name(self) -> str:
        """Name in the table of laws."""
        ...

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Its parameters by name."""
        ...


@dataclass(frozen=True)
class LawName:
    """A law by name, for callers that have no object of their own.

    >>> LawName("relu_ratio", {"n": 32}).parameters["n"]
    32
    """

    name: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Question:
    """Whether the mean (or variance) over networks is the predicted one, up to the margin.

    Attributes:
        predicted: Predicted mean (statistic "mean") or variance (statistic "variance") of one network's value.
        scale: What a departure delta is: "relative" log(estimate/predicted); "log" estimate - predicted, in nats;
            "zero" (estimate - predicted)/std of one network's unit.
        statistic: "mean" or "variance" over networks.
        center: Predicted mean, about which the variance is taken; None: the sample's mean.
        variance: Variance of one network's unit: of the value, or of (value - center)^2 for "variance".
        variance_is_bound: `variance` is an upper bound.
        variance_exists: False where the law is known to have no such variance; then nothing can be tested.
        law: Law of one network's value: relative to its mean, or about it where the name starts with `log_`.
        exactness: EXACT, LEADING_ORDER, INFINITE_WIDTH or BOUND.
        bound: For BOUND: `predicted` bounds from above ("upper") or below ("lower").
        margin: Smallest departure that matters, as the user gave it: relative, in nats, or in std of one network.
        next_order: (size, k): size of the first neglected relative term c/n^k at this network, and its order k.
        width: n of `next_order`, to say which width would do.
        layers_spanned: How many layers' rounding the value holds.
        expected: Verdict that it should get; it only chooses the family.
        undeclared_dead_ok: The prediction is conditional on being alive, so dead networks may be left out.

    >>> round(Question(predicted=1.0, margin=0.02).departure_margin, 6)
    0.019803
    """

    predicted: float
    margin: float
    scale: str = "relative"
    statistic: str = "mean"
    center: float | None = None
    variance: float | None = None
    variance_is_bound: bool = False
    variance_exists: bool = True
    law: NamedLaw | None = None
    exactness: str = "EXACT"
    bound: str = "upper"
    next_order: tuple[float, int] | None = None
    width: float | None = None
    layers_spanned: int = 1
    expected: str = "SUPPORTED"
    undeclared_dead_ok: bool = False

    def __post_init__(self) -> None:
        _one_of("scale", self.scale, SCALES)
        _one_of("exactness", self.exactness, EXACTNESS)
        _one_of("statistic", self.statistic, ("mean", "variance"))
        _one_of("bound", self.bound, ("upper", "lower"))
        checks.margin(self.margin)
        if not math.isfinite(self.predicted):
            raise InputError(f"`predicted={self.predicted}` is not a number that a sample can be tested against.")
        if self.scale == "relative" and self.predicted == 0:
            raise InputError("`predicted=0` has no relative departure; give scale='zero'.")

    @property
    def departure_margin(self) -> float:
        """D: the margin on the scale of delta."""
        return math.log1p(self.margin) if self.scale == "relative" else self.margin

    @property
    def rounding(self) -> float:
        """U: the departure that rounding explains."""
        return ROUNDING * max(1, self.layers_spanned)


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """One question about the limit of infinite width, asked at growing widths of one shape.

    delta_n = limit + slope n^-order (+ curvature n^(-2 order)); the limit is tested.

    Attributes:
        widths: n of each rung; at least five, the largest at least eight times the smallest.
        questions: One a rung; margin and exactness are those of the first.
        order: k, fixed before sampling.
        curved: Fit n^(-2 order) too.
    """

    widths: tuple[float, ...]
    questions: tuple[Question, ...]
    order: float = 1
    curved: bool = False

    def __post_init__(self) -> None:
        if len(self.widths) != len(self.questions):
            raise InputError(f"`widths={self.widths}`: {len(self.questions)} questions need as many widths.")
        if len(self.widths) < 5 or max(self.widths) < 8 * min(self.widths):
            raise InputError(
                f"`widths={self.widths}`: a claim about infinite width needs at least 5 widths, "
                "the largest at least 8 times the smallest."
            )


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One number a network, as moments of the finite ones and (where they were kept) the numbers themselves.

    Attributes:
        count: Number of finite values.
        mean: Their mean; `m2, m3, m4` are sums of powers of deviations from it.
        values: (count,) float64 in any order, or None where they were too many to keep.
        dead: Networks without a log, every entry being 0 (-inf).
        undefined: Networks without a value, because what it is relative to is 0 (they died in another layer).
        nonfinite: Other networks without a finite value, by kind ("underflow", "overflow", "nan").

    >>> sample = Sample.of([1.0, 2.0, 6.0])
    >>> sample.count, sample.mean, sample.variance
    (3, 3.0, 7.0)
    """

    count: int
    mean: float
    m2: float
    m3: float
    m4: float
    min: float
    max: float
    values: npt.NDArray[np.float64] | None = field(default=None, repr=False, compare=False)
    dead: int = 0
    undefined: int = 0
    nonfinite: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, values: npt.ArrayLike, *, log: bool = False) -> Sample:
        """The sample of (networks,) float64 values; -inf counts as dead where they are logs, NaN as undefined.

        Raises:
            InputError: if `values` has another shape than one number a network.
        """
        x = np.asarray(values, dtype=np.float64)
        if x.ndim != 1:
            raise InputError(f"`values` of shape {x.shape}: reduce all axes but axis 0 (networks) to one number first.")
        undefined, infinite = int(np.isnan(x).sum()), np.isinf(x)
        dead = int((x[infinite] < 0).sum()) if log else 0
        lost = int(infinite.sum()) - dead
        x = x[np.isfinite(x)]
        with np.errstate(all="ignore"):
            mean = float(x.mean()) if x.size else math.nan
            d = x - mean
            sums = [float((d**r).sum()) for r in (2, 3, 4)]
        return cls(
            count=x.size,
            mean=mean,
            m2=sums[0],
            m3=sums[1],
            m4=sums[2],
            min=float(x.min()) if x.size else math.nan,
            max=float(x.max()) if x.size else math.nan,
            values=x,
            dead=dead,
            undefined=undefined,
            nonfinite={"overflow": lost} if lost else {},
        )

    @cached_property
    def variance(self) -> float:
        """Unbiased variance over networks; 0 for fewer than two."""
        return self.m2 / (self.count - 1) if self.count > 1 else 0.0


def _one_of(argument: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"`{argument}={value!r}` is none of {', '.join(known)}.")
