"""Prints a user's activation and its derivative as functions of the house, which run on NumPy arrays and compiled.

Every function comes from `mcverify.functions`, so that a printed activation gives the same bits on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np
import sympy as sp

from mcverify.errors import InputError
from mcverify.expression_forms import (
    Erfc,
    Expm1,
    Larger,
    Log1p,
    Logistic,
    Sech,
    SechSquared,
    Sign,
    Size,
    Smaller,
    Softplus,
    Step,
    Tanh,
    derivative,
    rewritten,
    x,
)

EXPONENTIAL, LOGARITHM = "mcverify.functions.exponential", "mcverify.functions.logarithm"
ERROR, SINE = "mcverify.functions.error", "mcverify.functions.sine"

CALLS: dict[Any, tuple[str, str, str]] = {
    sp.exp: (EXPONENTIAL, "exp", "exp({}, 0.0)"),
    Expm1: (EXPONENTIAL, "expm1", "expm1({})"),
    sp.sinh: (EXPONENTIAL, "sinh", "sinh({})"),
    sp.cosh: (EXPONENTIAL, "cosh", "cosh({})"),
    Tanh: (EXPONENTIAL, "tanh", "tanh({}, 0.0)"),
    SechSquared: (EXPONENTIAL, "tanh_derivative", "tanh_derivative({}, 0.0)"),
    Sech: (EXPONENTIAL, "cosh", "1.0 / cosh({})"),
    Logistic: (EXPONENTIAL, "sigmoid", "sigmoid({}, 0.0)"),
    sp.log: (LOGARITHM, "log", "log({})"),
    Log1p: (LOGARITHM, "log1p", "log1p({})"),
    Softplus: (LOGARITHM, "softplus", "softplus({}, 0.0)"),
    sp.asinh: (LOGARITHM, "arcsinh", "arcsinh({})"),
    sp.erf: (ERROR, "erf", "erf({}, 0.0)"),
    Erfc: (ERROR, "erfc", "erfc({})"),
    sp.sin: (SINE, "sine", "sine({}, 0.0)"),
    sp.cos: (SINE, "sine_derivative", "sine_derivative({}, 0.0)"),
    sp.atan: ("mcverify.functions.arctangent", "arctan", "arctan({})"),
}
"""Functions of one argument: the module that has it, its name, and the call."""

PLAIN: dict[Any, str] = {
    Size: "np.abs({})",
    Step: "np.float64({} > 0.0)",
    Sign: "np.float64({0} > 0.0) - np.float64({0} < 0.0)",
    Larger: "np.maximum({}, {})",
    Smaller: "np.minimum({}, {})",
}
COMPARISONS = {sp.Gt: ">", sp.Ge: ">=", sp.Lt: "<", sp.Le: "<=", sp.Eq: "==", sp.Ne: "!="}
HALF = sp.Rational(1, 2)
MAX_POWER = 1024
MAX_STEPS = 2000

HEADER = '''"""An activation that a user gave as an expression, printed by mcverify; safe to delete."""

from __future__ import annotations

from typing import Any

import numpy as np

'''


def module_text(expression: Any) -> str:
    """The text of a module with `own(h, a)` and `own_derivative(h, a)`, equal in every process.

    Args:
        expression: In the symbol `expression_forms.x`.

    Raises:
        InputError: naming what the expression uses that cannot be printed.

    >>> print(module_text(x * sp.tanh(x)).split("\\n\\n\\n")[1])
    def own(h: Any, a: Any) -> Any:
        x = np.float64(h)
        t0 = tanh(x, 0.0)
        t1 = x * t0
        return select(x == x, t1, x)
    """
    form = rewritten(expression)
    uses = {("mcverify.functions.bits", "select")}
    own = _function("own", form, uses, expression)
    slope = _function("own_derivative", derivative(form), uses, expression)
    imports = [f"from {module} import {name}" for module, name in sorted(uses)]
    return HEADER + "\n".join(imports) + f"\n\n\n{own}\n\n{slope}"


def function_of(form: Any) -> Callable[[Any], Any]:
    """A part of a rewritten expression as a function of an array.

    >>> float(function_of(1 + x**2)(2.0))
    5.0
    """
    uses = {("mcverify.functions.bits", "select")}
    text = _function("own", form, uses, form)
    space: dict[str, Any] = {"Any": Any, "np": np}
    space |= {name: getattr(import_module(module), name) for module, name in uses}
    exec(text, space)  # text of the printer, no user's
    return lambda h: space["own"](h, 0.0)


def _function(name: str, form: Any, uses: set[tuple[str, str]], expression: Any) -> str:
    printer = _Printer(expression, uses)
    result = printer.value(form)
    body = ["x = np.float64(h)", *printer.lines, f"return select(x == x, {result}, x)"]
    return "\n".join([f"def {name}(h: Any, a: Any) -> Any:", *(f"    {line}" for line in body), ""])


@dataclass
class _Printer:
    """One statement for each part of an expression, equal parts once."""

    expression: Any
    uses: set[tuple[str, str]]
    lines: list[str] = field(default_factory=list)
    known: dict[Any, str] = field(default_factory=dict)

    def value(self, part: Any) -> str:
        """The name or number that has the value of a part."""
        if part == x:
            return "x"
        if part not in self.known:
            if not part.has(x):
                self.known[part] = self.number(part)
            elif isinstance(part, sp.Piecewise):
                self.known[part] = self.choice(part)
            else:
                self.known[part] = self.step(self.formula(part))
        return self.known[part]

    def step(self, formula: str) -> str:
        """A new name for a formula."""
        name = f"t{len(self.lines)}"
        self.lines.append(f"{name} = {formula}")
        if len(self.lines) > MAX_STEPS:
            raise InputError(f"`expression` needs more than {MAX_STEPS} operations; give `function` and `derivative`.")
        return name

    def number(self, part: Any) -> str:
        value = sp.N(part, 30)
        real = float(value) if value.is_real and value.is_finite else math.nan
        if not math.isfinite(real):
            raise InputError(f"`expression={self.expression}`: its part {part} is no finite real number.")
        return repr(real) if math.copysign(1.0, real) > 0 else f"({real!r})"

    def formula(self, part: Any) -> str:
        if part.is_Add:
            return self.sum(part)
        if part.is_Mul:
            return self.product(part)
        if part.is_Pow and not isinstance(part, sp.exp):
            return self.power(part.base, part.exp)
        kind = type(part)
        if kind in PLAIN:
            return PLAIN[kind].format(*(self.value(argument) for argument in part.args))
        if kind not in CALLS:
            raise self.unknown(part)
        module, name, call = CALLS[kind]
        self.uses.add((module, name))
        return call.format(self.value(part.args[0]))

    def sum(self, part: Any) -> str:
        text = ""
        for term in _ordered(part.args):
            coefficient, factor = term.as_coeff_Mul()
            if text and coefficient.is_negative:
                text += f" - {self.value(-coefficient * factor)}"
            else:
                text += f" + {self.value(term)}" if text else self.value(term)
        return text

    def product(self, part: Any) -> str:
        coefficient, rest = part.as_coeff_Mul()
        if coefficient == -1:
            return f"-{self.value(rest)}"
        above, below = [], []
        for factor in _ordered(part.args):
            base, exponent = factor.as_base_exp()
            if exponent.is_Rational and exponent.is_negative and not isinstance(factor, sp.exp) and factor.has(x):
                below.append(self.value(base**-exponent))
            else:
                above.append(self.value(factor))
        top = " * ".join(above) or "1.0"
        return top if not below else f"{top} / ({' * '.join(below)})" if len(below) > 1 else f"{top} / {below[0]}"

    def power(self, base: Any, exponent: Any) -> str:
        if exponent.is_Rational and exponent.is_negative:
            return f"1.0 / {self.value(base**-exponent)}"
        if exponent.is_Integer and exponent <= MAX_POWER:
            half, odd = divmod(int(exponent), 2)
            root = self.value(base**half)
            return f"{root} * {root}" + (f" * {self.value(base)}" if odd else "")
        if exponent == HALF:
            return f"np.sqrt({self.value(base)})"
        if exponent.is_Rational and exponent.q == 2:
            return f"{self.value(base ** (exponent - HALF))} * {self.value(sp.sqrt(base))}"
        return self.formula(sp.exp(exponent * sp.log(base), evaluate=False))

    def choice(self, part: Any) -> str:
        *pairs, (last, condition) = part.args
        if condition != sp.true:
            raise InputError(f"`expression={self.expression}`: its piecewise part has no value outside {condition}.")
        text = self.value(last)
        for value, condition in reversed(pairs):
            text = self.step(f"select({self.condition(condition)}, {self.value(value)}, {text})")
        return text

    def condition(self, condition: Any) -> str:
        if isinstance(condition, sp.And | sp.Or):
            sign = " & " if isinstance(condition, sp.And) else " | "
            return "(" + sign.join(self.condition(part) for part in _ordered(condition.args)) + ")"
        if type(condition) in COMPARISONS:
            return f"({self.value(condition.lhs)} {COMPARISONS[type(condition)]} {self.value(condition.rhs)})"
        raise self.unknown(condition)

    def unknown(self, part: Any) -> InputError:
        return InputError(
            f"`expression={self.expression}`: {type(part).__name__} is not known to the simulators; "
            f"they know {', '.join(KNOWN)}. Give `function` and `derivative` beside the expression."
        )


def _ordered(parts: Iterable[Any]) -> list[Any]:
    """In an order that is the same in every process, numbers last."""
    return sorted(parts, key=lambda part: (part.is_number, sp.default_sort_key(part)))


KNOWN = (
    *("+ - * / **", "sqrt", "exp", "log", "tanh", "sinh", "cosh", "sin", "cos", "tan", "atan", "asinh", "erf", "erfc"),
    *("Abs", "sign", "Heaviside", "Max", "Min", "Piecewise"),
)
"""What can be printed, for messages."""
