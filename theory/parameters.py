"""Moments of what is drawn: weights, biases, a random input, a random output gradient (catalogue F4, A22)."""

from __future__ import annotations

import math
from functools import partial

import sympy as sp
from scipy import special

from theory import central_moments, distributions
from theory.conditions import require
from theory.net import DenseNet, Distribution
from theory.power_sums import known, scaled
from theory.prediction import Law, MissingMomentError, Predicted, Prediction, TheoryError

mu, sigma2, kurt, n = sp.symbols("mu sigma2 kappa n", positive=True)
"""Mean, variance and kurtosis of an entry, and the number of entries of the tensor."""

_SECOND = sigma2 + mu**2
_FOURTH = kurt * sigma2**2 + 6 * sigma2 * mu**2 + mu**4
EXPRESSIONS = {
    ("mean", "mean"): mu,
    ("second_moment", "mean"): _SECOND,
    ("fourth_moment", "mean"): _FOURTH,
    ("second_moment", "variance"): (_FOURTH - _SECOND**2) / n,
    ("log_second_moment", "mean"): sp.log(2 * sigma2 / n) + sp.digamma(n / 2),
    ("log_second_moment", "variance"): sp.polygamma(1, n / 2),
}
STATEMENTS = {
    "mean": "The entries have the mean of their law.",
    "second_moment": "The entries have the second moment of their law.",
    "fourth_moment": "The entries have the fourth moment of their law.",
    "log_second_moment": "The sum of squares of n normals is sigma^2 chi2_n, and its log has a digamma mean.",
}


def entries(tensor: str, statistic_of: str, layer: int, statistic: str = "mean") -> Prediction:
    """A moment of the entries of `weight`, `bias`, `input` or `output_gradient`.

    `statistic_of` is mean, second_moment, fourth_moment or (Gaussian entries) log_second_moment.

    >>> str(entries("weight", "second_moment", 1).expression)
    'mu**2 + sigma2'
    """
    return Prediction(
        entry="F4",
        statement=STATEMENTS[statistic_of],
        observable=f"{tensor}.{statistic_of}",
        layer=layer,
        statistic=statistic,
        expression=EXPRESSIONS[statistic_of, statistic],
        evaluate=partial(_entries, tensor, statistic_of, layer, statistic),
        assumptions=("independent entries (an orthogonal matrix: Haar)", "a law with the moments named"),
        inputs="any" if tensor in ("weight", "bias") else "one",
        derivation=(
            r"Entries have one law with mean $\mu$, variance $\sigma^2$ and kurtosis $\kappa$, symmetric about $\mu$.",
            r"$E x^2 = \sigma^2 + \mu^2$ and $E x^4 = \kappa\sigma^4 + 6\sigma^2\mu^2 + \mu^4$.",
            r"A mean over $n$ independent entries of $x^2$ has variance $(E x^4 - (E x^2)^2)/n$.",
        ),
    )


def _law_and_size(net: DenseNet, tensor: str, layer: int) -> tuple[Distribution, int]:
    if tensor == "weight":
        return net.weight(layer), net.widths[layer] * net.widths[layer - 1]
    if tensor == "bias":
        return net.bias(layer), net.widths[layer]
    source = net.one_input if tensor == "input" else net.output_gradient
    require(isinstance(source, Distribution), f"the {tensor.replace('_', ' ')} is random")
    assert isinstance(source, Distribution)
    return source, net.widths[layer]


def _entries(tensor: str, statistic_of: str, layer: int, statistic: str, net: DenseNet) -> Predicted:
    law, size = _law_and_size(net, tensor, layer)
    require(law.name != "constant" and law.variance != 0, "the entries are random")
    if statistic_of == "mean":
        return _mean(law, size)
    if statistic_of == "log_second_moment":
        return _log_second_moment(law, size, statistic)
    if not distributions.is_iid(law):
        return _orthogonal(law, statistic_of, statistic, max(net.widths[layer], net.widths[layer - 1]))
    if statistic == "variance":
        scatter = _scatter(law, 1) / size
        require(
            math.isfinite(scatter) and scatter > 0, "the mean square is random, with a variance that a float can hold"
        )
        return Predicted(value=scatter, variance=_squared_departure_variance(law, size))
    half = 1 if statistic_of == "second_moment" else 2
    second = distributions.raw_moment(law, 1)
    value = second if half == 1 else distributions.relative_moment(law, half) * second * second
    require(math.isfinite(value) and value > 0, "the value is one that a float can hold")
    try:
        variance = known(_scatter(law, half) / size)
    except MissingMomentError:
        variance = None
    gaussian = distributions.is_gaussian(law) and distributions.mean(law) == 0 and half == 1
    return Predicted(value=value, variance=variance, law=Law("linear_ratio", n=size) if gaussian else None)


def _scatter(law: Distribution, half: int) -> float:
    """Variance of x^(2 half); NaN where only the float is too small."""
    relative = distributions.relative_moment(law, 2 * half) - distributions.relative_moment(law, half) ** 2
    return scaled(relative, *(distributions.raw_moment(law, 1),) * (2 * half))


def _mean(law: Distribution, size: int) -> Predicted:
    value = distributions.mean(law)
    if law.name == "student_t" and float(law.parameters["df"]) <= 1:
        raise MissingMomentError(f"student_t with df={law.parameters['df']} has no mean: it needs df > 1.")
    try:
        variance = distributions.variance(law) / size
    except MissingMomentError:
        return Predicted(value=value)
    normal = distributions.is_gaussian(law)
    return Predicted(
        value=value, variance=variance, law=Law("normal_mean", std=math.sqrt(variance)) if normal else None
    )


def _orthogonal(law: Distribution, statistic_of: str, statistic: str, size: int) -> Predicted:
    """An orthogonal matrix has a fixed sum of squares; E O^4 from the Haar law (OR-02)."""
    require(statistic == "mean", "the mean square is random")
    variance = distributions.variance(law)
    if statistic_of == "second_moment":
        return Predicted(value=variance, variance=0.0)
    return Predicted(value=distributions.kurtosis(law, size) * variance**2)


def _log_second_moment(law: Distribution, size: int, statistic: str) -> Predicted:
    gaussian = distributions.is_gaussian(law) and distributions.mean(law) == 0
    require(gaussian, "the entries are Gaussian with mean 0")
    spread = float(special.polygamma(1, size / 2))
    if statistic == "variance":
        fourth = float(special.polygamma(3, size / 2))  # cumulant of log chi2
        return Predicted(value=spread, variance=fourth + 2 * spread**2)
    value = math.log(2 * distributions.variance(law) / size) + float(special.digamma(size / 2))
    return Predicted(value=value, variance=spread, law=Law("log_linear", widths=(size,)), log=True)


def _squared_departure_variance(law: Distribution, size: int) -> float | None:
    """Variance of (mean square - its mean)^2: fourth central moment of a mean of independent x^2."""
    try:
        mean = distributions.raw_moment(law, 1)
        moments = central_moments.of_mean(size, *(distributions.relative_moment(law, k) for k in (2, 3, 4)))
    except TheoryError:
        return None
    square = mean * mean
    value = square * square * moments.squared_departure_variance
    return value if math.isfinite(value) and value > 0 else None
