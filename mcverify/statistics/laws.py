"""The table of laws by name: `law("relu_ratio", n=32)`; their tails, moments, densities."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import special

from mcverify.errors import InputError, unknown
from mcverify.statistics.log_laws import log_leaky, log_linear, log_relu
from mcverify.statistics.question import NamedLaw
from mcverify.statistics.ratio_laws import half_beta, leaky_ratio, linear_ratio, relu_ratio, relu_ratio_backward
from mcverify.statistics.saddlepoint import Array, MeanLaw


def normal_mean(std: float) -> MeanLaw:
    """A normal of the given standard deviation about its mean.

    >>> round(normal_mean(2.0).quantiles(0.05, 4)[1], 4)
    1.96
    """

    def density(x: Array) -> Array:
        return np.asarray(np.exp(-0.5 * (np.asarray(x) / std) ** 2) / (std * np.sqrt(2 * np.pi)), dtype=np.float64)

    return MeanLaw(
        name="normal_mean",
        location=True,
        variance=std**2,
        skewness=0.0,
        kurtosis=3.0,
        cumulants=lambda s: (0.5 * (std * s) ** 2, std**2 * s, std**2),
        domain=(-np.inf, np.inf),
        density=density,
        cdf=lambda x: np.asarray(special.ndtr(np.asarray(x) / std), dtype=np.float64),
    )


LAWS: dict[str, Callable[..., MeanLaw]] = {
    "linear_ratio": linear_ratio,
    "relu_ratio": relu_ratio,
    "relu_ratio_backward": relu_ratio_backward,
    "half_beta": half_beta,
    "leaky_ratio": leaky_ratio,
    "log_linear": log_linear,
    "log_relu": log_relu,
    "log_leaky": log_leaky,
    "normal_mean": normal_mean,
}
"""Ratios are relative to their mean (mean 1); the others about it (mean 0)."""


def law(name: str, **parameters: Any) -> MeanLaw:
    """A law by name: `density` and `cdf` of one network's value, `log_sf, log_cdf, quantiles` of a mean.

    Raises:
        InputError: for a name that is not in `LAWS`, or parameters that it does not take.

    >>> ratio = law("relu_ratio", n=32)
    >>> round(ratio.variance * 32, 9)
    5.0
    >>> [float(v) for v in np.round(law("log_linear", widths=(32, 32)).density(np.array([-0.5, 0.0, 0.5])), 3)]
    [0.402, 1.112, 0.439]
    """
    if name not in LAWS:
        raise unknown("law", name, LAWS)
    frozen = tuple((key, tuple(value) if isinstance(value, list) else value) for key, value in parameters.items())
    return _cached(name, frozen)


def of(named: NamedLaw | None) -> MeanLaw | None:
    """The law that a question names; None where it names none that the table has (`bernoulli` has its own test)."""
    return law(named.name, **named.parameters) if named is not None and named.name in LAWS else None


@lru_cache(maxsize=4096)
def _cached(name: str, parameters: tuple[tuple[str, Any], ...]) -> MeanLaw:
    try:
        return LAWS[name](**dict(parameters))
    except TypeError as error:
        raise InputError(f"`law={name!r}` does not take {dict(parameters)}: {error}.") from error
