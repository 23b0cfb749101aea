"""The law of a sum of independent logs of layers' factors, to nine digits: density, distribution, quantiles.

With K(s) = log E exp(s (X - E X)), P(X - E X > y) = (1/2 pi i) int exp(K(s) - s y) ds/s along a vertical line
Re s = c > 0, and P(X - E X < y) is minus that with c < 0. Where c is near the saddle point K'(c) = y the integrand
is a bell and the trapezoidal rule converges geometrically, tails included: the lines are shared by neighbouring y.
Equal layers are one term: depth costs nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from theory.finite_width import Factor
from theory.laws.steps import Array, Complex, Step, step
from theory.prediction import TheoryError

LINES, EVEN, GROWTH = 38, 8, 1.2
"""Lines on either side of the mean: at 1, 2, .., 8 standard deviations of X, then growing by a fifth each."""
NEAREST = math.log(16.0)  # the last line on the left stops short of the pole by 1/16
PER_DISTANCE = 6.0  # nodes per distance from the line to the nearest pole: error exp(-2 pi 6) = 4e-17
PER_BELL = 0.3  # spacing in standard deviations of the bell: error exp(-2 pi^2/0.09)
PER_REACH = 2.0  # images of the law lie 2 pi/spacing apart: more than 3 times as far as its furthest component
NEGLIGIBLE = 40.0  # nats below the top at which the bell is cut
HIGHEST = 2.0  # K on the first lines, 1/2 for a normal law: what multiplies the rounding of the sum near the mean
HALVINGS = 12  # of the bracket of a quantile before Newton's method starts
EPS = 2.0**-52


@dataclass(frozen=True, eq=False)
class Line:
    """The nodes on one vertical line: exp(K(c + it) - K(c)) at t = 0, h, 2h, ..."""

    c: float
    log_top: float
    spacing: float
    bell: Complex


@dataclass(frozen=True)
class LogLaw:
    """Law of X = constant + scale * (sum of independent logs of factors), given that no factor is 0.

    Attributes:
        factors: (factor, how often) pairs, each factor once.
        constant: What is added to the sum, in nats.
        scale: 1 for logs of squares; 1/2 for logs of norms and determinants.
        alive: Probability that no factor is 0, the event that the law is conditional on.

    >>> law = LogLaw.of([Factor(2, 1.0)])  # log of an exponential variable of mean 2
    >>> round(float(law.cdf(0.0)), 12) == round(1 - math.exp(-0.5), 12)
    True
    >>> round(float(law.cdf(law.ppf(0.01))), 12), law.error < 1e-12
    (0.01, True)
    """

    factors: tuple[tuple[Factor, int], ...]
    constant: float = 0.0
    scale: float = 1.0
    alive: float = 1.0
    _lines: dict[int, Line] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, factors: Iterable[Factor], constant: float = 0.0, *, scale: float = 1.0, times: int = 1) -> LogLaw:
        """From a list of factors, each taken `times` times; `alive` is what their ReLU layers give."""
        counted = tuple(sorted((factor, times * count) for factor, count in Counter(factors).items()))
        if not counted or times < 1:
            raise TheoryError("the statement needs a random factor; this value is a constant.")
        dead = math.fsum(count * math.log1p(-(0.5**f.width)) for f, count in counted if f.slope == 0)
        return cls(counted, constant, scale, math.exp(dead))

    @property
    def mean(self) -> float:
        """E X."""
        return self.constant + self.scale * math.fsum(times * one.mean for one, times in self._steps())

    @property
    def variance(self) -> float:
        """Var X."""
        return self.scale**2 * math.fsum(times * one.variance for one, times in self._steps())

    @property
    def std(self) -> float:
        """Standard deviation of X."""
        return math.sqrt(self.variance)

    def characteristic(self, t: Array | float) -> Complex:
        """E exp(i t X) at real t."""
        t = np.atleast_1d(np.asarray(t, dtype=np.float64))
        return np.asarray(np.exp(self._cumulant(_complex(0.0, t)) + 1j * t * self.mean), dtype=np.complex128)

    def cdf(self, x: Array | float) -> Array:
        """P(X <= x)."""
        return self._tails(x)[0][()]

    def sf(self, x: Array | float) -> Array:
        """P(X > x), with its own digits where it is small."""
        return self._tails(x)[1][()]

    def pdf(self, x: Array | float) -> Array:
        """Density at x."""
        y = np.asarray(x, dtype=np.float64) - self.mean
        return self._over_lines(y, density=True).reshape(y.shape)[()]

    def ppf(self, p: Array | float) -> Array:
        """Quantiles: the x with P(X <= x) = p, 0 < p < 1; Newton on the log of the smaller tail, within a bracket."""
        p = np.asarray(p, dtype=np.float64)
        if not bool(np.all((p > 0) & (p < 1))):
            raise TheoryError(f"a probability lies between 0 and 1, here {p!r}.")
        flat = p.reshape(-1)
        low, high = self._bracket(flat)
        x = (low + high) / 2
        for turn in range(100):
            off, move = self._miss(x, flat)
            low, high = np.where(off < 0, x, low), np.where(off > 0, x, high)
            ahead = x + move if turn >= HALVINGS else low
            ahead = np.where((ahead <= low) | (ahead >= high), (low + high) / 2, ahead)
            done = bool(np.all(np.abs(ahead - x) <= 4 * EPS * np.abs(x) + 1e-14 * self.std))
            x = ahead
            if done:
                break
        return np.asarray(x.reshape(p.shape), dtype=np.float64)[()]

    def _bracket(self, p: Array) -> tuple[Array, Array]:
        """An interval that holds each quantile: from the mean outwards, doubling."""
        low, high = np.full(p.size, self.mean - self.std), np.full(p.size, self.mean + self.std)
        for k in range(1, 60):
            below, above = self._tails(low)[0] > p, self._tails(high)[1] > 1 - p
            if not (below.any() or above.any()):
                break
            low, high = (
                np.where(below, self.mean - 2**k * self.std, low),
                np.where(above, self.mean + 2**k * self.std, high),
            )
        return low, high

    def _miss(self, x: Array, p: Array) -> tuple[Array, Array]:
        """How far x is from the quantile in the log of the smaller tail, and Newton's step."""
        below, above = self._tails(x)
        lower = p < 0.5
        tail, wanted = np.where(lower, below, above), np.where(lower, p, 1 - p)
        off = (np.log(np.maximum(tail, 1e-320)) - np.log(wanted)) * np.where(lower, 1, -1)
        return off, -off * tail / np.maximum(self.pdf(x), 1e-320)

    @property
    def error(self) -> float:
        """Estimate of the absolute error of `cdf`: of the rule, by half its nodes, and of rounding in the mean.

        The rule's error squares when the spacing halves, so that of h is the square of what 2h and h differ by.
        """
        rule = max(_rule_error(self._line(k)) for k in (-1, 1))
        size = math.fsum(times * abs(one.mean) for one, times in self._steps())
        return rule + EPS * (1 + self.scale * size / self.std)

    def _steps(self) -> list[tuple[Step, int]]:
        return [(step(factor), times) for factor, times in self.factors]

    @property
    def _pole(self) -> float:
        """Moments E exp(s X) are finite for s > -pole."""
        return min(one.lowest for one, _ in self._steps()) / self.scale

    @property
    def _reach(self) -> float:
        """How far below the mean the furthest component of a factor lies; 1 at least."""
        return max(1.0, *(-self.scale * float(one.centre.min()) for one, _ in self._steps()))

    def _cumulant(self, s: Complex) -> Complex:
        total = np.zeros(s.shape, dtype=np.complex128)
        for one, times in self._steps():
            total += times * one.cumulant(self.scale * s)
        return total

    def _tails(self, x: Array | float) -> tuple[Array, Array]:
        y = np.asarray(x, dtype=np.float64) - self.mean
        tail = np.clip(self._over_lines(y, density=False).reshape(y.shape), 0.0, 1.0)
        return np.where(y < 0, tail, 1 - tail), np.where(y < 0, 1 - tail, tail)

    def _over_lines(self, y: Array, *, density: bool) -> Array:
        flat = np.asarray(y, dtype=np.float64).reshape(-1)
        found = np.zeros(flat.size)
        for sign in (-1, 1):
            left = np.flatnonzero((flat < 0) == (sign < 0))
            count = LINES if sign > 0 else max(1, min(LINES, math.floor(NEAREST * self.std * self._pole)))
            for k in range(1, count + 1):
                if left.size == 0:
                    break
                line, last = self._line(sign * k), k == count
                near = (
                    np.full(left.size, True)
                    if last
                    else sign * flat[left] < sign * _edge(line, self._line(sign * (k + 1)))
                )
                mine = left[near]
                for part in np.array_split(mine, max(1, mine.size // 4096)):
                    found[part] = _integral(line, flat[part], density=density)
                left = left[~near]
        return found

    def _line(self, k: int) -> Line:
        """Line number k: at c = k/std first, on the left nearing the pole beyond which moments are infinite."""
        if k not in self._lines:
            self._lines[k] = self._new_line(k)
        return self._lines[k]

    def _new_line(self, k: int) -> Line:
        pole, c = self._pole, k / self.std
        if k > EVEN:
            c = EVEN * GROWTH ** (k - EVEN) / self.std
        if k < 0:
            c = max(pole * math.expm1(c / pole), pole * math.expm1(-NEAREST))
        while abs(k) == 1 and self._cumulant(_complex(c, np.zeros(1)))[0].real > HIGHEST:
            c /= 2  # a far component of tiny weight, as of a slope near 0, is not to outweigh the rest here
        tiny = np.array([0.0, 1e-2]) * min(1 / self.std, (c + pole) / 4)
        values = self._cumulant(_complex(c, tiny))
        width = math.sqrt(max(float(2 * (values[0] - values[1]).real) / tiny[1] ** 2, 1e-300))
        spacing = min(abs(c) / PER_DISTANCE, (c + pole) / PER_DISTANCE, PER_BELL / width, PER_REACH / self._reach)
        bell, cut = [np.zeros(0, dtype=np.complex128)], False
        for block in range(512):
            t = np.asarray((np.arange(64) + 64 * block) * spacing, dtype=np.float64)
            K = self._cumulant(_complex(c, t)) - values[0]
            bell.append(np.exp(K))
            cut = bool(K[-1].real < -NEGLIGIBLE)
            if cut:
                break
        if not cut:
            raise TheoryError("the statement needs a smooth law; this one has a density that is not.")
        return Line(c, float(values[0].real), spacing, np.concatenate(bell))


def _edge(one: Line, two: Line) -> float:
    """The y at which exp(K(c) - c y) is the same on both lines: on either side the lower one has the digits."""
    return (two.log_top - one.log_top) / (two.c - one.c)


def _complex(c: float, t: Array) -> Complex:
    return np.asarray(c + 1j * t, dtype=np.complex128)


def _integral(line: Line, y: Array, *, density: bool) -> Array:
    """The density, or the tail on the side of the line, at (k,) y about the mean."""
    t = np.arange(line.bell.size) * line.spacing
    values = line.bell if density else line.bell / (line.c + 1j * t) * math.copysign(1.0, line.c)
    values = np.concatenate([values[:1] / 2, values[1:]])
    total = (np.exp(-1j * np.outer(y, t)) @ values).real * line.spacing / math.pi
    return np.asarray(np.exp(line.log_top - line.c * y) * total, dtype=np.float64)


def _rule_error(line: Line) -> float:
    coarse = Line(line.c, line.log_top, 2 * line.spacing, line.bell[::2])
    y = np.array([0.0])
    fine, rough = (_integral(one, y, density=False)[0] for one in (line, coarse))
    return float(fine - rough) ** 2 + EPS
