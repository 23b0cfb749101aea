"""Rewrites a user's expression into functions that keep their digits, and differentiates it.

log(1 + exp(x)), 1 / (1 + exp(-x)), 1 - tanh(x)^2 and the like overflow or cancel as they stand; they become functions
of their own here, whose derivatives are again such functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp

x = sp.Symbol("x", real=True)
"""The argument of every activation."""

MAX_TIMES = 6  # of exp(k u) over a sum with exp(u)


class Expm1(sp.Function):
    """exp(u) - 1."""

    def fdiff(self, argindex: int = 1) -> Any:
        """Its derivative."""
        return sp.exp(self.args[0])


class Log1p(sp.Function):
    """log(1 + u)."""

    def fdiff(self, argindex: int = 1) -> Any:
        """Its derivative."""
        return 1 / (1 + self.args[0])


class Logistic(sp.Function):
    """1 / (1 + exp(-u))."""

    def fdiff(self, argindex: int = 1) -> Any:
        """Its derivative."""
        return Logistic(self.args[0]) * Logistic(-self.args[0])


class Softplus(sp.Function):
    """log(1 + exp(u))."""

    def fdiff(self, argindex: int = 1) -> Any:
        """Its derivative."""
        return Logistic(self.args[0])


class Tanh(sp.Function):
    """tanh(u)."""

    def fdiff(self, argindex: int = 1) -> Any:
        """Its derivative."""
        return SechSquared(self.args[0])


class SechSquared(sp.Function):
    """1 - tanh(u)^2."""

    def fdiff(self, argindex: int = 1) -> Any:
        """Its derivative."""
        return -2 * Tanh(self.args[0]) * self


class Sech(sp.Function):
    """1 / cosh(u)."""

    def fdiff(self, argindex: int = 1) -> Any:
        """Its derivative."""
        return -Tanh(self.args[0]) * self


class Erfc(sp.Function):
    """1 - erf(u)."""

    def fdiff(self, argindex: int = 1) -> Any:
        """Its derivative."""
        return -2 * sp.exp(-(self.args[0] ** 2)) / sp.sqrt(sp.pi)


class Step(sp.Function):
    """1 where u > 0, else 0."""

    def fdiff(self, argindex: int = 1) -> Any:
        """Nothing, but at the jump."""
        return sp.Integer(0)


class Sign(sp.Function):
    """The sign of u."""

    def fdiff(self, argindex: int = 1) -> Any:
        """Nothing, but at the jump."""
        return sp.Integer(0)


class Size(sp.Function):
    """|u|."""

    def fdiff(self, argindex: int = 1) -> Any:
        """Its derivative."""
        return Sign(self.args[0])


class Larger(sp.Function):
    """The larger of u and v."""

    def fdiff(self, argindex: int = 1) -> Any:
        """Its derivatives; that in v where u = v."""
        u, v = self.args
        return Step(u - v) if argindex == 1 else 1 - Step(u - v)


class Smaller(sp.Function):
    """The smaller of u and v."""

    def fdiff(self, argindex: int = 1) -> Any:
        """Its derivatives; that in v where u = v."""
        u, v = self.args
        return Step(v - u) if argindex == 1 else 1 - Step(v - u)


def rewritten(expression: Any) -> Any:
    """The same function of `x`, from the inside out.

    >>> rewritten(sp.log(1 + sp.exp(2 * x)) / (1 + sp.exp(-x)))
    Logistic(x)*Softplus(2*x)
    """
    if expression.is_Atom or not expression.has(x):
        return expression
    parts = [rewritten(part) for part in expression.args]
    rule = _RULES.get(type(expression))
    if rule is not None:
        return rule(*parts)
    return expression.func(*parts)


def derivative(form: Any) -> Any:
    """The derivative of a rewritten expression, rewritten.

    >>> derivative(rewritten(sp.tanh(x))), derivative(rewritten(sp.Max(x, 0)))
    (SechSquared(x), Step(x))
    """
    return rewritten(sp.diff(form, x).doit())


def _add(*terms: Any) -> Any:
    """A sum; c + k f(u) becomes one function where that keeps digits."""
    total = sp.Add(*terms)
    if not total.is_Add:
        return total
    constant, rest = total.as_coeff_Add()
    if constant == 0:
        return total
    for term in sp.Add.make_args(rest):
        coefficient, factor = term.as_coeff_Mul()
        if (one := _joined(factor, constant / coefficient)) is not None:
            return sp.Add(coefficient * one, rest - term)
    return total


def _joined(factor: Any, number: Any) -> Any:
    """f + number as one function, or None."""
    if factor.is_Pow and isinstance(factor.base, Tanh) and factor.exp == 2 and number == -1:
        return -SechSquared(factor.base.args[0])
    makes = _JOINED.get((type(factor), number))
    return makes(factor.args[0]) if makes else None


_JOINED: dict[tuple[Any, Any], Callable[[Any], Any]] = {
    (sp.exp, -1): Expm1,
    (Logistic, -1): lambda u: -Logistic(-u),
    (Tanh, 1): lambda u: 2 * Logistic(2 * u),
    (Tanh, -1): lambda u: -2 * Logistic(-2 * u),
    (sp.erf, 1): lambda u: Erfc(-u),
    (sp.erf, -1): lambda u: -Erfc(u),
    (Erfc, -2): lambda u: -Erfc(-u),
}
"""What f(u) and a number make together."""


def _log(argument: Any, *base: Any) -> Any:
    if base or not argument.is_Add:
        return sp.log(argument, *base)
    if (parts := _shifted(argument)) is not None:
        return sp.log(parts[0]) + Softplus(parts[1])
    constant, rest = argument.as_coeff_Add()
    if constant != 1:
        return sp.log(argument)
    return Log1p(rest)


def _shifted(total: Any) -> Any:
    """(c, v) of a sum c + k exp(u) = c (1 + exp(v)) with c, k > 0, or None."""
    constant, rest = total.as_coeff_Add()
    coefficient, factor = rest.as_coeff_Mul()
    if constant > 0 and coefficient > 0 and isinstance(factor, sp.exp):
        return constant, factor.args[0] + sp.log(coefficient / constant)
    return None


def _power(base: Any, exponent: Any) -> Any:
    if exponent.is_Integer and exponent < 0:
        if base.is_Add and (parts := _shifted(base)) is not None:
            return parts[0] ** exponent * Logistic(-parts[1]) ** -exponent
        if isinstance(base, sp.cosh):
            return Sech(base.args[0]) ** -exponent
    return sp.Pow(base, exponent)


def _product(*factors: Any) -> Any:
    """A product; what overflows in exp(k u) / (1 + exp(u))^n and in sinh(u) / cosh(u)^n goes."""
    product = sp.Mul(*factors)
    parts = sp.Mul.make_args(product)
    for factor in parts:
        base, power = factor.as_base_exp()
        if not (power.is_Integer and power > 0):
            continue
        if isinstance(base, Sech) and (wave := sp.sinh(base.args[0])) in parts:
            return _product(product / (wave * base) * Tanh(base.args[0]))
        for other in parts if isinstance(base, Logistic) else ():
            if isinstance(other, sp.exp) and (left := _left_over(other.args[0], base.args[0])) is not None:
                return _product(product / (other * base) * sp.exp(left) * Logistic(-base.args[0]))
    return product


def _left_over(exponent: Any, u: Any) -> Any:
    """What is left of an exponent when exp(-u) goes into 1 / (1 + exp(-u)), if it is -u, -2u, ... and a number."""
    for times in range(1, MAX_TIMES + 1):
        if not sp.expand(exponent + times * u).has(x):
            return sp.expand(exponent + u)
    return None


def _folded(two: Any) -> Callable[..., Any]:
    """Larger or Smaller of several, numbers last."""

    def fold(*parts: Any) -> Any:
        first, *others = sorted(parts, key=lambda part: (not part.has(x), sp.default_sort_key(part)))
        for part in others:
            first = two(first, part)
        return first

    return fold


_RULES: dict[Any, Callable[..., Any]] = {
    sp.Add: _add,
    sp.Mul: _product,
    sp.Pow: _power,
    sp.log: _log,
    sp.tanh: Tanh,
    sp.erfc: Erfc,
    sp.Abs: Size,
    sp.sign: Sign,
    sp.Max: _folded(Larger),
    sp.Min: _folded(Smaller),
    sp.DiracDelta: lambda *_: sp.Integer(0),
    sp.tan: lambda u: sp.sin(u) / sp.cos(u),
    sp.cot: lambda u: sp.cos(u) / sp.sin(u),
    sp.sec: lambda u: 1 / sp.cos(u),
    sp.csc: lambda u: 1 / sp.sin(u),
    sp.sech: Sech,
    sp.csch: lambda u: 1 / sp.sinh(u),
    sp.coth: lambda u: 1 / Tanh(u),
    sp.Heaviside: lambda u, at_zero: Step(u) + at_zero * (1 - Step(u) - Step(-u)),
}
