"""An activation from a sympy expression in one real symbol: its kinks, derivative, symmetry and functions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

import mpmath as mp
import numpy as np
import sympy as sp
from sympy.codegen.rewriting import ReplaceOptim, expm1_opt, log1p_opt

from theory.activations.activation import Activation, x
from theory.activations.closed import NONE, Closed, homogeneous, power_law
from theory.activations.quadrature import Array, Function
from theory.prediction import TheoryError

_POINTS = (
    *(mp.mpf(k) / 7 for k in range(1, 140, 3)),
    *(mp.mpf(k) ** 2 + mp.mpf(1) / 3 for k in range(5, 30)),
    *(mp.mpf(2) ** -k / 3 for k in (5, 10, 20, 40, 160, 640)),  # tanh(1000 x) is no sign(x), whatever the factor
)
_DIGITS = 50
_STEPS = (sp.floor, sp.ceiling, sp.Mod, sp.frac)
_UNDONE = (sp.Derivative, sp.Integral, sp.Sum, sp.Product, sp.Limit)
_FACTORED = 16  # largest number within an exponential of what is factored; sympy takes minutes at 10,000


@lru_cache(maxsize=512)
def of_expression(expr: sp.Expr, name: str | None = None) -> Activation:
    """The activation that an expression in one symbol states.

    Raises:
        TheoryError: if it has no symbol or several, is complex or not a number somewhere, if its kinks cannot be
            found, or if its square has no Gaussian mean.

    >>> s = sp.Symbol("s")
    >>> swish = of_expression(s / (1 + sp.exp(-s)), "swish")
    >>> swish.kinks, swish.odd, f"{swish.second_moment(1.0).value:.9f}"
    ((), False, '0.355775520')
    """
    expression = _in_x(expr)
    name = name or str(expr)
    kinks = _kinks(expression, name)
    plain = expression.rewrite(sp.Piecewise)
    derivative = _derivative(plain, name)
    _refuse_growth(expression, name)
    function, slope_function = _on_arrays(expression, name), _on_arrays(derivative, name)
    _refuse_nan(function, name)
    a = _homogeneous_slope(expression)
    found = Activation(
        name=name,
        expression=expression,
        derivative=derivative,
        function=function,
        slope_function=slope_function,
        kinks=kinks,
        slope=a,
        odd=_symmetric(expression, -1),
        even=_symmetric(expression, 1),
        slope_is_even=_symmetric(derivative, 1),
        zeros=_zeros(expression, kinks),
        continuous=all(_is_continuous(expression, kink) for kink in kinks),
        closed=_closed(expression, kinks) if a is None else homogeneous(a),
        growth=_growth(expression, kinks),
        slope_growth=_growth(derivative, kinks),
    )
    found = _resolved(found)
    found.second_moment(1.0)
    return found


def _resolved(plain: Activation) -> Activation:
    """The same with panels as fine as its steps, where panels of the width of 1 miss them: tanh(1e6 x).

    Panels shrink towards 0, the kinks and the roots of what stands within a function.
    """
    if plain.closed is not NONE:
        return plain
    centres = {0.0, *plain.kinks, *_centres(plain.expression)}
    ladder = sorted({c + side * 2.0**-k for c in centres for side in (-1, 1) for k in range(2, 60, 2)} | centres)
    fine = replace(plain, fine=tuple(ladder), kept={})
    for f in (lambda s, y, dy: y**2, lambda s, y, dy: dy**2):
        try:
            one, other = plain.gaussian_mean(f, 1.0).value, fine.gaussian_mean(f, 1.0).value
        except TheoryError:
            continue
        if abs(one - other) > 1e-10 * abs(other):
            return fine
    return plain


def _centres(expression: sp.Expr) -> set[float]:
    """Roots of the linear arguments of functions."""
    found = set()
    for part in expression.atoms(sp.Function, sp.exp):
        inner = part.args[0]
        if isinstance(inner, sp.Expr) and inner.is_polynomial(x) and sp.degree(inner, x) == 1:
            found.add(float(-inner.subs(x, 0) / sp.diff(inner, x)))
    return found


def _in_x(expr: object) -> sp.Expr:
    if not isinstance(expr, sp.Expr):
        raise TheoryError(f"an activation is a sympy expression, here {type(expr).__name__} {expr!r}.")
    symbols = sorted(expr.free_symbols, key=str)
    if len(symbols) != 1:
        has = f"the symbols {', '.join(map(str, symbols))}" if symbols else "no symbol"
        raise TheoryError(f"an activation is an expression in one symbol, but {expr} has {has}.")
    if symbols[0].is_real is False or any(
        symbols[0].assumptions0.get(key) for key in ("positive", "negative", "integer")
    ):
        raise TheoryError(f"the symbol {symbols[0]} must run over all real numbers; declare it with real=True alone.")
    if expr.has(sp.I, sp.zoo, sp.nan):
        raise TheoryError(f"an activation is real, but {expr} is complex.")
    if expr.has(*_UNDONE):
        raise TheoryError(f"{expr} has a derivative, an integral or a sum to be carried out: call its `doit` first.")
    return expr.subs(symbols[0], x)


def _kinks(expression: sp.Expr, name: str) -> tuple[float, ...]:
    """Real roots of what decides between the branches of the expression."""
    if expression.has(*_STEPS):
        raise TheoryError(f"{name} has infinitely many jumps; write those that matter as a Piecewise.")
    roots: set[float] = set()
    for switch in set(_switches(expression)):
        found = sp.solveset(switch, x, sp.S.Reals) if switch.has(x) else sp.S.EmptySet
        if not isinstance(found, sp.FiniteSet) and found is not sp.S.EmptySet:
            raise TheoryError(
                f"the kinks of {name} cannot be found: the real roots of {switch} are not known to be finitely many. "
                "Write it as a Piecewise with numbers as limits."
            )
        roots |= {float(root) for root in found}
    return tuple(sorted(roots | _branch_points(expression, name)))


def _branch_points(expression: sp.Expr, name: str) -> set[float]:
    """Real roots of what stands below a line or a root: 1/x in atan(1/x) makes a jump."""
    found: set[float] = set()
    for power in expression.atoms(sp.Pow):
        base, exponent = power.args
        if (exponent.is_integer and exponent.is_nonnegative) or not base.has(x) or base.is_positive:
            continue
        roots = sp.solveset(base, x, sp.S.Reals)
        if isinstance(roots, sp.FiniteSet):
            found |= {float(root) for root in roots}
        elif roots.has(sp.ImageSet):
            raise TheoryError(f"{name} has infinitely many kinks or poles, where {base} is 0.")
    return found


def _switches(expression: sp.Expr) -> Iterator[sp.Expr]:
    """Expressions whose signs decide between branches."""
    for part in expression.atoms(sp.Abs, sp.sign, sp.Heaviside, sp.arg):
        yield part.args[0]
    for part in expression.atoms(sp.Max, sp.Min):
        yield from (a - b for i, a in enumerate(part.args) for b in part.args[:i])
    for part in expression.atoms(sp.core.relational.Relational):
        yield part.lhs - part.rhs


def _derivative(plain: sp.Expr, name: str) -> sp.Expr:
    derivative = sp.diff(plain, x)
    if derivative.has(sp.Derivative, sp.DiracDelta, sp.Subs):
        raise TheoryError(f"the derivative of {name} cannot be written as an expression.")
    return derivative


def _on_arrays(expression: sp.Expr, name: str) -> Function:
    """The expression on float64 arrays; NaN where it is complex.

    Where float64 overflows on the way, as exp(s)/(1 + exp(s)) does, the value is taken by mpmath.
    """
    compiled = sp.lambdify(x, _stable(expression), ["scipy", "numpy"])

    def function(s: Array) -> Array:
        with np.errstate(all="ignore"):
            try:
                values = np.asarray(compiled(np.asarray(s, dtype=float)))
            except (NameError, TypeError, AttributeError) as error:
                raise TheoryError(f"{name} cannot be evaluated on arrays: {error}.") from error
        if values.dtype.kind == "c":
            raise TheoryError(f"an activation is real, but {name} is complex.")
        values = np.array(np.broadcast_to(values.astype(float), np.shape(s)))
        for index in np.argwhere(~np.isfinite(values)):
            value = _at(expression, mp.mpf(float(np.asarray(s)[tuple(index)])))
            values[tuple(index)] = math.nan if value is None else float(value)
        return values

    return function


def _stable(expression: sp.Expr) -> sp.Expr:
    """The expression with exp(u) - 1 as expm1(u) and log(1 + u) as log1p(u)."""
    inner = [number for part in expression.atoms(sp.exp) for number in sp.expand(part.args[0]).atoms(sp.Rational)]
    if any(max(abs(number.p), number.q) > _FACTORED for number in inner):
        return ReplaceOptim.__call__(expm1_opt, expression)
    return log1p_opt(expm1_opt(expression))


def _refuse_nan(function: Function, name: str) -> None:
    s = np.concatenate([np.linspace(-30, 30, 1201), [-0.123, 0.123]])
    values = function(s)
    bad = s[~np.isfinite(values)]
    if bad.size:
        raise TheoryError(f"{name} is {values[s == bad[0]][0]} at {bad[0]:g}; an activation is finite at every number.")


def _refuse_growth(expression: sp.Expr, name: str) -> None:
    """Refuse what grows like e^(c x^2) or faster: c = lim log|phi|/x^2 from two far points on either side."""
    for side in (1, -1):
        near, far = (_rate(expression, side * mp.mpf(size)) for size in (100, 1000))
        if near is None or far is None or far <= 1e-4 or far < 0.95 * near:
            continue
        bound = "every q > 0" if far > 1.05 * near else f"q >= {1 / (4 * far):.6g}"
        raise TheoryError(f"{name} is not square-integrable: E phi(sqrt(q) z)^2 is infinite for {bound}.")


def _rate(expression: sp.Expr, point: mp.mpf) -> float | None:
    value = _at(expression, point)
    if value is None or value == 0 or not mp.isfinite(value):
        return None
    return float(mp.log(abs(value)) / point**2)


def _growth(f: sp.Expr, kinks: tuple[float, ...]) -> float:
    """A p with |f| <= C (1 + |s|^p): from far points on either side; infinite beyond 12, or where f is singular."""
    powers = [0.0]
    for side in (1, -1):
        near, far = (_largest(f, [side * size * (1 + k / mp.mpf(7)) for k in range(20)]) for size in (1000, 100_000))
        if near and far:
            powers.append(float(mp.log(far / near)) / math.log(100))
        elif far != 0:
            powers.append(math.inf)
    for kink in kinks:
        far, near = (_largest(f, [kink + side * mp.mpf(10) ** -k for side in (-1, 1)]) for k in (15, 30))
        if near is None or far is None or near > 10 * far + 1:
            powers.append(math.inf)
    power = max(powers)
    return math.inf if power > 12 else 0.0 if power < 1e-2 else 1.0 if abs(power - 1) < 1e-3 else power


def _largest(f: sp.Expr, points: list[mp.mpf]) -> mp.mpf | None:
    values = [_at(f, point) for point in points]
    return None if None in values else max(abs(value) for value in values if value is not None)


@lru_cache(maxsize=64)
def _many_digits(expression: sp.Expr) -> object:
    return sp.lambdify(x, expression, "mpmath")


def _at(expression: sp.Expr, point: mp.mpf) -> mp.mpf | None:
    """The value to 50 digits; None where it cannot be had."""
    with mp.workdps(_DIGITS):
        try:
            value = _many_digits(expression)(mp.mpf(point))  # type: ignore[operator]
            return mp.mpf(value) if not isinstance(value, mp.mpc) else None
        except (ArithmeticError, ValueError, TypeError, NameError):
            return None


def _symmetric(expression: sp.Expr, sign: int) -> bool:
    """Whether f(-s) = sign f(s), to 40 digits at some eighty points."""
    return all(_equal(_at(expression, -point), _at(expression, point), sign) for point in _POINTS)


def _equal(value: mp.mpf | None, other: mp.mpf | None, factor: mp.mpf | int = 1) -> bool:
    """Whether value = factor other, to 40 digits."""
    if value is None or other is None:
        return False
    with mp.workdps(_DIGITS):
        return bool(abs(value - factor * other) <= mp.mpf(10) ** (10 - _DIGITS) * abs(other))


def _homogeneous_slope(expression: sp.Expr) -> float | None:
    """The number a if phi(s) = s for s > 0 and a s for s < 0."""
    above, below = _at(expression, mp.mpf(1)), _at(expression, mp.mpf(-1))
    if above != 1 or below is None:
        return None
    linear = all(
        _equal(_at(expression, point), point) and _equal(_at(expression, -point), point, below) for point in _POINTS
    )
    return 0.0 - float(below) if linear else None


def _closed(expression: sp.Expr, kinks: tuple[float, ...]) -> Closed:
    """The powers of q of c |s|^p with one c on either side of 0, as 2 max(0, x) and x^3 are; else nothing."""
    above, below, doubled = (_at(expression, mp.mpf(s)) for s in (1, -1, 2))
    if not set(kinks) <= {0.0} or not above or below is None or not doubled or doubled / above <= 0:
        return NONE
    with mp.workdps(_DIGITS):
        exact = mp.log(doubled / above, 2)
        p = mp.nint(2 * exact) / 2
        if abs(p - exact) > 1e-40 or not 0 <= p <= 8:
            return NONE
        powers = [(point, point**p) for point in _POINTS]
    fits = all(
        _equal(_at(expression, side * point), power, factor)
        for point, power in powers
        for side, factor in ((1, above), (-1, below))
    )
    return power_law(float(above), float(below), float(p)) if fits else NONE


def _zeros(expression: sp.Expr, kinks: tuple[float, ...]) -> str:
    """Where phi is 0, as in `Activation.zeros`; between kinks it is analytic, so 0 throughout or at points."""
    if expression.is_nonzero:
        return "never"
    limits = [-math.inf, *kinks, math.inf]
    flat = [pair for pair in pairwise(limits) if all(_at(expression, mp.mpf(s)) == 0 for s in _inside(*pair))]
    if not flat:
        return "isolated"
    if len(flat) == len(limits) - 1:
        raise TheoryError(f"{expression} is 0 almost everywhere.")
    negative = [pair for pair in pairwise(limits) if pair[1] <= 0]
    return "negative" if flat == negative and flat[-1][1] == 0 else "intervals"


def _inside(low: float, high: float) -> list[float]:
    """Some points between two kinks."""
    if math.isinf(low) and math.isinf(high):
        low, high = -1.0, 1.0
    low, high = (high - 1 if math.isinf(low) else low), (low + 1 if math.isinf(high) else high)
    return [low + (high - low) * k / 7.3 for k in range(1, 8)]


def _is_continuous(expression: sp.Expr, kink: float) -> bool:
    with mp.workdps(_DIGITS):
        step = mp.mpf(10) ** -30
        left, right = (_at(expression, mp.mpf(kink) + side * step) for side in (-1, 1))
    return left is not None and right is not None and bool(abs(left - right) < 1e-12)
