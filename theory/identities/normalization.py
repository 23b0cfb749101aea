"""Normalized data: mean squares of training and test data, and what cannot be normalized (catalogue A23, TR-08).

m samples of n features; the snippets subtract the mean and divide by the standard deviation with denominator
(count - 1), over all m n numbers or for each feature.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from theory.identities.identity import Array, Identity
from theory.prediction import TheoryError

IDENTITIES = (
    Identity(
        entry="A23",
        statement="After global normalization the mean square of the training data is 1 - 1/(mn), after normalization "
        "of each component 1 - 1/m, whatever the data.",
        assumptions=("not all numbers equal (of a component, where each is normalized)",),
        derivation=(
            r"With $k$ numbers $s^2 = \frac{1}{k-1}\sum(x - \bar x)^2$, so $\frac1k\sum((x-\bar x)/s)^2 = "
            r"\frac{k-1}{k}$.",
            r"Globally $k = mn$; for one component $k = m$, and the mean over components is the same.",
        ),
        false_as_stated="Variance 1 is reached up to 1/m only, and not by the test data.",
    ),
    Identity(
        entry="TR-08",
        statement="A test sample normalized with the moments of m training samples has mean square "
        "(m^2 - 1)/(m (m - 3)) for Gaussian data: above 1 even in expectation.",
        assumptions=("all samples independent and from one normal law", "m >= 4", "each component by itself"),
        derivation=(
            r"$x - \bar x$ has variance $(1 + 1/m)\,\sigma^2$, as the test sample is independent of $\bar x$.",
            r"$\bar x$ and $s^2$ are independent, and $(m-1)s^2/\sigma^2$ is $\chi^2_{m-1}$ with "
            r"$E[1/\chi^2_{m-1}] = 1/(m-3)$.",
            r"So the mean square is $(1 + \frac1m)\frac{m-1}{m-3} = \frac{m^2-1}{m(m-3)}$.",
        ),
        false_as_stated="The snippets apply the training moments to the test data; variance 1 there holds only for "
        "large m.",
    ),
    Identity(
        entry="TR-08",
        statement="A component that is constant over the training data cannot be normalized by itself: its standard "
        "deviation is 0.",
        derivation=(r"$x - \bar x = 0$ and $s = 0$: the code divides 0 by 0. Global normalization has no such case.",),
    ),
    Identity(
        entry="A23",
        statement="What a network sees of a sample is |x_0|^2, mean included; correlations between inputs do not "
        "matter.",
        assumptions=("weights independent, mean 0, one variance",),
        derivation=(
            r"$E h_i^2 = v_1\sum_j E x_j^2 + \beta_1$: cross terms $E w_{ij}w_{ik}\,E x_j x_k$ are 0.",
            r"$E x_j^2 = V(x_j) + (E x_j)^2$.",
        ),
    ),
)


def training_mean_square(samples: int, features: int, *, by_component: bool) -> Fraction:
    """Mean square of normalized training data: 1 - 1/m by component, else 1 - 1/(mn) (A23).

    Raises:
        TheoryError: for fewer than two numbers to take a standard deviation of.

    >>> training_mean_square(10, 3, by_component=True), training_mean_square(10, 3, by_component=False)
    (Fraction(9, 10), Fraction(29, 30))
    """
    count = samples if by_component else samples * features
    if count < 2:
        raise TheoryError(f"samples={samples}, features={features}: a standard deviation needs two numbers.")
    return 1 - Fraction(1, count)


def unseen_mean_square(samples: int) -> Fraction:
    """Mean square of a Gaussian test component normalized by the moments of m training samples (TR-08).

    Raises:
        TheoryError: for m < 4, where the expectation is infinite.

    >>> unseen_mean_square(5)
    Fraction(12, 5)
    """
    if samples < 4:
        raise TheoryError(f"samples={samples}: 1/s^2 of fewer than 4 Gaussian samples has no mean.")
    return Fraction(samples**2 - 1, samples * (samples - 3))


def constant_components(data: Array) -> list[int]:
    """Components that normalization by component cannot treat, for data of shape (samples, features) (TR-08).

    >>> constant_components(np.array([[1.0, 2.0], [3.0, 2.0]]))
    [1]
    """
    return [int(j) for j in np.flatnonzero(np.all(data == data[0], axis=0))]
