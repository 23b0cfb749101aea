"""Central moments of a random number of mean 1, and of products of independent ones (catalogue C7, C8)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CentralMoments:
    """E (R - 1)^k for k = 2, 3, 4 of a random factor R of mean 1; NaN where one is not known."""

    second: float = 0.0
    third: float = 0.0
    fourth: float = 0.0

    def __mul__(self, other: CentralMoments) -> CentralMoments:
        """Those of the product of two independent factors; every sum is of small numbers of one size."""
        x2, x3, x4 = self.second, self.third, self.fourth
        y2, y3, y4 = other.second, other.third, other.fourth
        cube = 1 + 3 * x2 + x3
        return CentralMoments(
            x2 + (1 + x2) * y2,
            x3 + 3 * (2 * x2 + x3) * y2 + cube * y3,
            x4 + 6 * (x2 + 2 * x3 + x4) * y2 + 4 * (3 * x2 + 3 * x3 + x4) * y3 + (1 + 6 * x2 + 4 * x3 + x4) * y4,
        )

    @property
    def squared_departure_variance(self) -> float:
        """Var (R - 1)^2."""
        return self.fourth - self.second * self.second


def of_mean(n: int, second: float, third: float, fourth: float) -> CentralMoments:
    """Of a mean of n independent terms of mean 1, from a term's raw moments.

    >>> of_mean(10, 3.0, 15.0, 105.0).second
    0.2
    """
    u2 = second - 1
    u3 = third - 3 * second + 2
    u4 = fourth - 4 * third + 6 * second - 3
    return CentralMoments(u2 / n, u3 / n**2, (u4 + 3 * (n - 1) * u2**2) / n**3)


def of_event(chance: float) -> CentralMoments:
    """Those of I/p for the indicator I of an event of probability p.

    >>> of_event(0.5)
    CentralMoments(second=1.0, third=0.0, fourth=1.0)
    """
    if chance == 1:
        return CentralMoments()
    odds = (1 - chance) / chance
    fourth = (1 - chance) ** 3 / chance / chance + chance  # divided twice: chance^2 may be 0 in a float
    return CentralMoments(odds, odds * (1 - 2 * chance) / chance, odds * fourth)
