"""How many networks a question needs, by the theory itself (catalogue G1, G5, G6).

By widths and numbers; `laws.counts` puts those of a network in. Other limits are statements elsewhere: G2 `ratios`,
G3 and G7 `corrections`, G4 `logs` with `units.alive_probability`, G8 `identities`; G9 (several claims at once) is a
matter of statistics, not of networks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from theory.finite_width import Factor, log_variance
from theory.prediction import TheoryError
from theory.ratios import relative_variance as of_one_layer

RULE = 50.0
"""Networks per exp(2 s^2) below which a standard error of the mean square says nothing."""


def log_spread(widths: Sequence[int], slope: float = 0.0) -> float:
    """s^2 = Var log|x_L|^2 given x_L != 0, for widths N_1..N_L of Gaussian layers without biases (G1).

    About 5 sum 1/N for ReLU, 2 sum 1/N for linear layers.

    >>> round(log_spread([100] * 10), 3), round(log_spread([100] * 10, slope=1.0), 3)
    (0.519, 0.202)
    """
    return math.fsum(log_variance(Factor(width, slope)) for width in widths)


def relative_variance(widths: Sequence[int], slope: float = 0.0) -> float:
    """Var|x_L|^2/(E|x_L|^2)^2 = prod(1 + [6(1+a^4)/(1+a^2)^2 - 1]/N_l) - 1 over Gaussian layers without biases (G1).

    (1 + 5/n)^L - 1 for ReLU, (1 + 2/n)^L - 1 for linear layers; the same for |dW_l|_F^2 over all layers 1..L, with a
    Gaussian output gradient and given that it is reached.

    Raises:
        TheoryError: for a width below 1.

    >>> round(relative_variance([5, 5]), 12), round(relative_variance([4], slope=1.0), 12)
    (3.0, 0.5)
    """
    if any(width < 1 for width in widths):
        raise TheoryError(f"widths={list(widths)}: a layer has at least one unit.")
    return math.expm1(math.fsum(math.log1p(of_one_layer(width, slope)) for width in widths))


def networks_for_moment(log_variance_of_value: float, order: int = 1) -> float:
    """exp(k^2 s^2/2): networks above which a sample holds the values that carry E Y^k, Y lognormal (G1).

    A k-th moment is carried by log Y near k s^2 above its mean, k standard deviations s; one of exp(k^2 s^2/2)
    networks gets there. k = 1 for a mean, 2 for its standard error.

    Raises:
        TheoryError: for a negative variance, or one so large that no float holds the number.

    >>> round(networks_for_moment(1.0, 2), 2)
    7.39
    """
    if log_variance_of_value < 0:
        raise TheoryError(f"log_variance={log_variance_of_value}: a variance is not negative.")
    exponent = order**2 * log_variance_of_value / 2
    if exponent > 700:
        raise TheoryError("the statement needs that the number of networks is one that a float can hold; use the log.")
    return math.exp(exponent)


def moment_may_be_estimated(networks: int, log_variance_of_value: float) -> bool:
    """Whether M >= 50 exp(2 s^2): otherwise take the logs (G1).

    >>> moment_may_be_estimated(1000, 0.5), moment_may_be_estimated(1000, 500.0)
    (True, False)
    """
    return math.log(networks / RULE) >= 2 * log_variance_of_value if networks > 0 else False


def relative_error_of_mean(relative_variance_of_value: float, networks: int) -> float:
    """sqrt(relvar/M), the standard error of a mean over M networks in units of the mean (G1).

    >>> relative_error_of_mean(4.0, 100)
    0.2
    """
    return math.sqrt(relative_variance_of_value / networks)


def relative_error_of_variance(kurtosis: float, networks: int, *, exact: bool = False) -> float:
    """Standard error of a sample variance in units of the variance: sqrt((kurtosis - 1)/M) (G5).

    `exact`: of the unbiased sample variance at M samples, (kurtosis - (M-3)/(M-1))/M under the root.

    Raises:
        TheoryError: for a kurtosis below 1, or fewer than 2 networks.

    >>> relative_error_of_variance(3.0, 200), round(relative_error_of_variance(3.0, 201, exact=True), 12)
    (0.1, 0.1)
    """
    if kurtosis < 1 or networks < 2:
        raise TheoryError(f"kurtosis={kurtosis}, networks={networks}: a kurtosis of 1 or more and 2 networks or more.")
    lost = (networks - 3) / (networks - 1) if exact else 1.0
    return math.sqrt((kurtosis - lost) / networks)


def networks_to_see(shift: float, variance: float, standard_errors: float = 1.0) -> int:
    """Networks at which a shift of the mean is so many standard errors: k^2 Var/shift^2 (G6).

    For the correction eps_l of E G_l with the variance K_l of one network's G_l; for the mean square of N_l
    preactivations the variance is K_l + 2 E G_l^2/N_l.

    Raises:
        TheoryError: for a shift of 0, which no number of networks shows.

    >>> networks_to_see(-0.1, 0.5, 3.0)
    450
    """
    if shift == 0:
        raise TheoryError("shift=0: no number of networks shows a difference that is not there.")
    return math.ceil(standard_errors**2 * variance / shift**2 - 1e-9)


def networks_at_critical_tanh(width: int, layers: int) -> float:
    """K/eps^2 of a critical tanh net far from the input: K/q^2 = 2l/(3n), eps/q = -l/(3n), so 6n/l (G6).

    >>> networks_at_critical_tanh(100, 20)
    30.0
    """
    return 6 * width / layers
