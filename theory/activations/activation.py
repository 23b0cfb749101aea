"""One activation function with its numbers in, and its integrals over a Gaussian.

V(q) = E phi(s)^2, D(q) = E phi'(s)^2, M(q) = E phi(s) with s = sqrt(q) z, z ~ N(0, 1); kernels are
E phi(u) phi(v) over Gaussian pairs. Closed forms where there are any, else panels split at the kinks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import sympy as sp

from theory.activations import weak
from theory.activations.closed import NONE, Closed, One, Powers
from theory.activations.octaves import Octaves
from theory.activations.pairs import pair
from theory.activations.quadrature import RELATIVE, Array, Function, Integral, Sums, check_variance, gaussian
from theory.prediction import TheoryError

x = sp.Symbol("x", real=True)
"""The symbol in which activations are written."""


_CLOSED = 1e-12  # relative error of closed forms, at most
_WEAK = 1e-2  # the largest q at which a series in q may beat the quadrature


@dataclass(frozen=True)
class Activation:
    """One activation function phi; numbers are in place of its parameters.

    Attributes:
        name: Its name.
        expression: phi(x), in the symbol `x`.
        derivative: phi'(x); at a kink the value of one side.
        parameters: Its parameters by name.
        kinks: Where phi or phi' jumps, in increasing order.
        slope: The negative slope a if phi(s) = s for s > 0 and a s for s < 0 (linear 1, ReLU 0, abs -1), else None.
        odd: phi(-s) = -phi(s).
        even: phi(-s) = phi(s).
        slope_is_even: phi'(-s) = phi'(s).
        zeros: Where phi is 0: "never"; "origin", at 0 alone; "isolated", at points; "negative", at all s <= 0 and
            nowhere else; "intervals" for what is none of these.
        continuous: Whether phi has no jump; Price's and Stein's theorems need it.
        function: phi on float64 arrays.
        slope_function: phi' on float64 arrays.
        closed: Its closed forms.
        growth: A p with |phi(s)| <= C (1 + |s|^p); infinite for what grows faster than every power.
        slope_growth: The same of phi'.
    """

    name: str
    expression: sp.Expr
    derivative: sp.Expr
    function: Function = field(compare=False, repr=False)
    slope_function: Function = field(compare=False, repr=False)
    parameters: Mapping[str, float] = field(default_factory=dict, hash=False)
    kinks: tuple[float, ...] = ()
    slope: float | None = None
    odd: bool = False
    even: bool = False
    slope_is_even: bool = False
    zeros: str = "origin"
    continuous: bool = True
    closed: Closed = field(default=NONE, compare=False, repr=False)
    growth: float = 1.0
    slope_growth: float = 0.0
    even_part: Function | None = field(default=None, compare=False, repr=False)
    """(phi(s) + phi(-s))/2 without cancellation, for means at small q."""

    fine: tuple[float, ...] = field(default=(), compare=False, repr=False)
    """Where panels are split besides, as steps of phi are far narrower than 1."""

    kept: dict[str, Callable[[float], float]] = field(default_factory=dict, compare=False, repr=False)
    """What makes V and D fast, once they have been asked for."""

    @property
    def never_zero(self) -> bool:
        """Whether phi has no zero (sigmoid, exp, softplus, probit)."""
        return self.zeros == "never"

    def mean(self, q: float) -> Integral:
        """M(q) = E phi(sqrt(q) z).

        >>> from theory.activations import get
        >>> get("sigmoid").mean(3.0).value
        0.5
        """
        return self.power_mean(q, 1)

    def second_moment(self, q: float) -> Integral:
        """V(q) = E phi(sqrt(q) z)^2.

        >>> from theory.activations import get
        >>> get("relu").second_moment(2.0).value, round(get("tanh").second_moment(1.0).value, 12)
        (1.0, 0.394294490398)
        """
        return self.power_mean(q, 2)

    def power_mean(self, q: float, k: int) -> Integral:
        """E phi(sqrt(q) z)^k.

        >>> from theory.activations import get
        >>> get("relu").power_mean(2.0, 4).value
        6.0
        """
        if self.odd and k % 2:
            return Integral(0.0, 0.0)
        return _power_mean(self, q, k)

    def variance(self, q: float) -> Integral:
        """V(q) - M(q)^2 without cancellation, E (phi - M)^2.

        >>> from theory.activations import get
        >>> f"{get('sigmoid').variance(1e-8).value:.6e}"
        '6.250000e-10'
        """
        form = self.closed.variance
        if form is not None and (exact := _exactly(lambda: form(q), self, q)) is not None:
            return exact
        centre = self.mean(q).value
        if centre == 0:
            return self.second_moment(q)
        return self.gaussian_mean(lambda s, y, dy: (y - centre) ** 2, q)

    def log_second_moment(self, q: float) -> float:
        """log V(q); right for exp, whose V overflows, at every q. At q = 0 of phi(0) = 0 it is -inf.

        >>> from theory.activations import get
        >>> get("exp").log_second_moment(1e8)
        200000000.0
        """
        check_variance(q)
        if self.closed.log_second_moment is not None:
            return self.closed.log_second_moment(q)
        value = self.second_moment(q).value
        return math.log(value) if value > 0 else -math.inf

    def derivative_mean(self, q: float) -> Integral:
        """E phi'(sqrt(q) z)."""
        return self.derivative_power_mean(q, 1)

    def derivative_second_moment(self, q: float) -> Integral:
        """D(q) = E phi'(sqrt(q) z)^2.

        >>> from theory.activations import get
        >>> get("abs").derivative_second_moment(5.0).value
        1.0
        """
        return self.derivative_power_mean(q, 2)

    def derivative_power_mean(self, q: float, k: int) -> Integral:
        """E phi'(sqrt(q) z)^k.

        >>> from theory.activations import get
        >>> get("relu").derivative_power_mean(1.0, 4).value
        0.5
        """
        if self.even and k % 2:
            return Integral(0.0, 0.0)
        return _derivative_power_mean(self, q, k)

    def gaussian_mean(self, f: Callable[[Array, Array, Array], Array], q: float) -> Integral:
        """E f(s, phi(s), phi'(s)) with s = sqrt(q) z; f takes and returns float64 arrays of one shape.

        The error reached is relative to the integral of |f|, as f may change its sign.

        Raises:
            TheoryError: if 1e-9 cannot be reached, or the integral is infinite.

        >>> from theory.activations import get
        >>> f"{get('relu').gaussian_mean(lambda s, y, dy: s * y, 1.0).value:.12f}"
        '0.500000000000'
        """

        def along(s: Array) -> Array:
            with np.errstate(all="ignore"):
                return f(s, self.function(s), self.slope_function(s))

        check_variance(q)
        if q == 0:
            return Integral(float(along(np.zeros(1))[0]), 0.0)
        sums = _integrate(self, along, q)
        return _accepted(self, sums, q, sums.absolute)

    def second_moment_slope(self, q: float, order: int = 1) -> Integral:
        """dV/dq (order 1) or d2V/dq2 (order 2) at q > 0, from E He_2k(z) phi^2 / (2q)^k without a derivative of phi.

        >>> from theory.activations import get
        >>> get("relu").second_moment_slope(2.0).value
        0.5
        """
        return _slope_of_moment(self, False, q, order)

    def derivative_second_moment_slope(self, q: float, order: int = 1) -> Integral:
        """dD/dq or d2D/dq2 at q > 0."""
        return _slope_of_moment(self, True, q, order)

    def second_moment_value(self, q: float) -> float:
        """V(q) as a number in about a microsecond, to 1e-12: for orbits of many layers.

        >>> from theory.activations import get
        >>> tanh = get("tanh")
        >>> abs(tanh.second_moment_value(0.3) - tanh.second_moment(0.3).value) < 1e-12
        True
        """
        fast = self.kept.get("V") or self._fast(self.closed.second_moment, self.second_moment, "V")
        return fast(q)

    def derivative_second_moment_value(self, q: float) -> float:
        """D(q) as a number, likewise."""
        fast = self.kept.get("D") or self._fast(
            self.closed.derivative_second_moment, self.derivative_second_moment, "D"
        )
        return fast(q)

    def _fast(self, form: One | None, exact: Callable[[float], Integral], name: str) -> Callable[[float], float]:
        self.kept[name] = Octaves(lambda q: exact(q).value) if form is None else _checked(form, exact)
        return self.kept[name]

    def kernel(self, q1: float, q2: float, q12: float) -> Integral:
        """K = E phi(u) phi(v) of a Gaussian pair with variances q1, q2 and covariance q12.

        >>> from theory.activations import get
        >>> f"{get('relu').kernel(2.0, 2.0, 2.0).value:.12f}"
        '1.000000000000'
        """
        return _kernel(self, False, q1, q2, q12)

    def derivative_kernel(self, q1: float, q2: float, q12: float) -> Integral:
        """K' = E phi'(u) phi'(v) of the same pair.

        >>> from theory.activations import get
        >>> get("relu").derivative_kernel(1.0, 3.0, 0.0).value
        0.25
        """
        return _kernel(self, True, q1, q2, q12)


def _checked(form: One, exact: Callable[[float], Integral]) -> Callable[[float], float]:
    """The closed form; what it does not take (q = 0, overflow) goes to `exact`, which says why."""

    def value(q: float) -> float:
        try:
            found = form(q) if 0 < q < math.inf else math.nan
        except OverflowError:
            found = math.nan
        return found if math.isfinite(found) else exact(q).value

    return value


def _integrate(activation: Activation, f: Function, q: float) -> Sums:
    try:
        return gaussian(f, q, activation.kinks + activation.fine)
    except TheoryError as error:
        raise TheoryError(f"{activation.name}: {error}") from error


def _accepted(activation: Activation, sums: Sums, q: float, scale: float) -> Integral:
    """The integral, if its error is small against `scale`."""
    if not sums.error <= RELATIVE * scale:
        raise TheoryError(
            f"the Gaussian integral of {activation.name} at q = {q!r} reaches a relative error of "
            f"{sums.error / scale if scale else math.inf:.1e} only, not {RELATIVE:.0e}."
        )
    return Integral(sums.value, sums.error)


def _exactly(form: Callable[[], float | None], activation: Activation, q: float) -> Integral | None:
    """The value of a closed form; None where it has none.

    Raises:
        TheoryError: if it overflows.
    """
    try:
        value = form()
    except OverflowError:
        value = math.inf
    if value is not None and not math.isfinite(value):
        why = "overflows; take it in logs" if activation.closed.log_second_moment else "overflows"
        raise TheoryError(f"the Gaussian integral of {activation.name} at q = {q!r} {why}.")
    return None if value is None else Integral(float(value), _CLOSED * abs(value))


def _form(own: One | None, powers: Powers | None, q: float, k: int) -> Callable[[], float | None] | None:
    """The closed form of a power: its own, or that of all powers."""
    if own is not None:
        return lambda: own(q)
    return None if powers is None else lambda: powers(q, k)


@lru_cache(maxsize=1 << 14)
def _power_mean(activation: Activation, q: float, k: int) -> Integral:
    check_variance(q)
    closed = activation.closed
    form = _form({1: closed.mean, 2: closed.second_moment}.get(k), closed.power_mean, q, k)
    if q > 0 and form is not None and (exact := _exactly(form, activation, q)) is not None:
        return exact
    if k == 1 and activation.even_part is not None and q > 0:
        even = activation.even_part
        return activation.gaussian_mean(lambda s, y, dy: even(s), q)
    return activation.gaussian_mean(lambda s, y, dy: y**k, q)


@lru_cache(maxsize=1 << 14)
def _derivative_power_mean(activation: Activation, q: float, k: int) -> Integral:
    check_variance(q)
    closed = activation.closed
    own = {1: closed.derivative_mean, 2: closed.derivative_second_moment}.get(k)
    form = _form(own, closed.derivative_power_mean, q, k)
    if q > 0 and form is not None and (exact := _exactly(form, activation, q)) is not None:
        return exact
    return activation.gaussian_mean(lambda s, y, dy: dy**k, q)


@lru_cache(maxsize=1 << 12)
def _slope_of_moment(activation: Activation, of_derivative: bool, q: float, order: int) -> Integral:
    check_variance(q)
    if q == 0 or order not in (1, 2):
        raise TheoryError(f"derivatives in q are of order 1 or 2, at q > 0; here order {order} at q = {q!r}.")
    closed = activation.closed
    form = closed.derivative_second_moment_slope if of_derivative else closed.second_moment_slope
    if form is not None and (exact := _exactly(lambda: form(q, order), activation, q)) is not None:
        return exact

    def weighted(s: Array) -> Array:
        y = activation.slope_function(s) if of_derivative else activation.function(s)
        z2 = s**2 / q
        hermite = z2 - 1 if order == 1 else z2**2 - 6 * z2 + 3
        return np.asarray(hermite * y**2)

    sums, unit = _integrate(activation, weighted, q), (2 * q) ** -order
    scaled = Sums(sums.value * unit, sums.error * unit, sums.absolute * unit)
    if not activation.kinks and q < _WEAK:
        f = activation.derivative if of_derivative else activation.expression
        series = weak.derivative(weak.moment_coefficients(f, x), q, order)
        scaled = min(scaled, series, key=lambda s: s.error)
    if order == 1 and not of_derivative and activation.continuous and scaled.error > RELATIVE * abs(scaled.value):
        stein = _integrate(activation, lambda s: s * activation.function(s) * activation.slope_function(s), q)
        by_parts = Sums(stein.value / q, stein.error / q, stein.absolute / q)  # V' = E z phi phi' / sqrt(q)
        scaled = min(scaled, by_parts, key=lambda s: s.error)
    return _accepted(activation, scaled, q, abs(scaled.value))


@lru_cache(maxsize=1 << 12)
def _kernel(activation: Activation, of_derivative: bool, q1: float, q2: float, q12: float) -> Integral:
    check_variance(q1)
    check_variance(q2)
    if q12**2 > q1 * q2 * (1 + 1e-12):
        raise TheoryError(f"no pair has variances {q1!r}, {q2!r} and covariance {q12!r}.")
    phi = activation.slope_function if of_derivative else activation.function
    if q1 == 0 or q2 == 0 or q12 == 0:
        return _independent(activation, of_derivative, q1, q2)
    closed = activation.closed
    form = closed.derivative_kernel if of_derivative else closed.kernel
    if form is not None and (exact := _exactly(lambda: form(q1, q2, q12), activation, max(q1, q2))) is not None:
        return exact
    try:
        given = closed.derivative_given if of_derivative else closed.given
        sums = pair(phi, q1, q2, q12, activation.kinks + activation.fine, given)
    except TheoryError as error:
        raise TheoryError(f"{activation.name}: {error}") from error
    return _accepted(activation, sums, max(q1, q2), sums.absolute)


def _independent(activation: Activation, of_derivative: bool, q1: float, q2: float) -> Integral:
    """M(q1) M(q2), or the same of phi'."""
    means = [activation.derivative_mean(q) if of_derivative else activation.mean(q) for q in (q1, q2)]
    error = sum(a.error * abs(b.value) for a, b in (means, means[::-1]))
    return Integral(means[0].value * means[1].value, error)
