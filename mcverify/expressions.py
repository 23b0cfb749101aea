"""An activation written as text, such as "x*tanh(log(1 + exp(x)))", as a sympy expression built by constructors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mcverify.errors import InputError
from mcverify.formulas import to_sympy
from mcverify.grammar import WHERE, GrammarError, parse

FUNCTIONS: Mapping[str, int] = {
    **dict.fromkeys(("exp", "expm1", "log", "log1p", "sqrt", "tanh", "sinh", "cosh", "sin", "cos", "atan"), 1),
    **dict.fromkeys(("asinh", "erf", "erfc", "sigmoid", "abs", "sign"), 1),
    **{"max": 0, "min": 0, WHERE: 3},
}
"""Functions that an expression may use, with their number of arguments; 0 is two or more."""


def expression_of(argument: str, text: Any, numbers: Mapping[str, float] | None = None) -> Any:
    """The expression in the symbol `expression_forms.x` that a text stands for.

    Args:
        argument: The name under which the user gave it.
        text: In the names `x`, `pi` and those of `numbers`.
        numbers: Numbers that stand in the text by name.

    Raises:
        InputError: with what is allowed.

    >>> expression_of("activation.expression", "where(x > 0, x, exp(x) - 1)")
    Piecewise((x, x > 0), (exp(x) - 1, True))
    """
    import sympy as sp

    from mcverify.expression_forms import x

    if not isinstance(text, str):
        raise InputError(f"`{argument}={text!r}`: give text such as 'x*tanh(log(1 + exp(x)))'.")
    names = {name: sp.Rational(repr(float(value))) for name, value in (numbers or {}).items()}
    try:
        return to_sympy(parse(text, FUNCTIONS), {**names, "x": x}, {}, _constructors())
    except GrammarError as error:
        allowed = ", ".join(FUNCTIONS)
        raise InputError(
            f"`{argument}`: {str(error).rstrip('.')}. An activation is an expression in x with numbers, pi, "
            f"+ - * / ^, and {allowed}."
        ) from error


def _constructors() -> dict[str, Callable[..., Any]]:
    """What makes a sympy expression of each function."""
    import sympy as sp

    same = ("exp", "log", "sqrt", "tanh", "sinh", "cosh", "sin", "cos", "atan", "asinh", "erf", "erfc", "sign")
    return {
        **{name: getattr(sp, name) for name in same},
        "expm1": lambda u: sp.exp(u) - 1,
        "log1p": lambda u: sp.log(1 + u),
        "sigmoid": lambda u: 1 / (1 + sp.exp(-u)),
        "abs": sp.Abs,
        "max": sp.Max,
        "min": sp.Min,
    }
