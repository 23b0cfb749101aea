"""A user's own activation: checked at the door, printed or compiled, and named by its content."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from mcverify.activations import Form
from mcverify.errors import InputError
from mcverify.expression_code import module_text
from mcverify.expression_forms import x
from mcverify.expressions import expression_of
from mcverify.function_text import text_of
from mcverify.poles import pole_of

Array = NDArray[np.float64]
Scalar = Callable[[Any], Any]

NEAR = np.linspace(-8, 8, 321) + 0.00737
POINTS = np.concatenate([NEAR, *(s * np.geomspace(1.1e-3, 37.3, 120) for s in (-1, 1))])
"""Where functions are compared; off the round numbers at which activations have kinks."""

FAR = np.array([-137.3, 137.3])
"""Where functions are numbers too; farther out a network with NaN is counted as such."""

STEPS = (1e-3, 1e-4, 1e-5)
"""Of the differences, times 1 + |h|; a point passes with any of them, as a kink may be near."""

SAME = 1e-6
"""Relative difference of a function and its expression, or of a derivative and the differences, that is refused."""


@dataclass(frozen=True)
class Own:
    """What `Activation` keeps of a user's own."""

    form: Form
    content: dict[str, Any]
    expression: Any
    name: str


def make(expression: Any, function: Scalar | None, derivative: Scalar | None, version: str | None) -> Own:
    """The functions and the content of a user's own activation.

    Raises:
        InputError: if they do not fit together; see `Activation`.
    """
    if (function is None) != (derivative is None):
        raise InputError("give `function` and `derivative` together, or an `expression` alone.")
    form = None if expression is None else _in_x(expression)
    name = str(form) if form is not None else getattr(function, "__name__", "own")
    name = name if len(name) <= 40 else f"{name[:37]}..."
    if function is None or derivative is None:
        if version is not None:
            raise InputError(f"`version={version!r}` stands for the code of `function`; an expression needs none.")
        printed = _printed(form)
        return Own(printed, {"expression": sp.srepr(form)}, form, name)
    compiled, content = _compiled(function, derivative, version)
    _check(compiled, "function")
    if form is not None:
        content["expression"] = sp.srepr(form)
        _check_same(compiled, form)
    return Own(compiled, content, form, name)


def _in_x(expression: Any) -> Any:
    """The user's expression in the symbol `x`."""
    if isinstance(expression, str):
        expression = expression_of("expression", expression)
    if not isinstance(expression, sp.Expr):
        raise InputError(f"`expression={expression!r}`: give a sympy expression in one real symbol, or text in x.")
    symbols = sorted(map(str, expression.free_symbols))
    if len(symbols) != 1:
        has = ", ".join(symbols) if symbols else "none"
        raise InputError(f"`expression={expression}`: give an expression in one real symbol; it has {has}.")
    (symbol,) = expression.free_symbols
    if any(getattr(symbol, f"is_{kind}") for kind in ("positive", "negative", "integer", "imaginary")):
        raise InputError(
            f"`expression={expression}`: its symbol stands for some numbers alone; "
            f"declare it as sympy.Symbol({symbol.name!r}, real=True)."
        )
    if expression.has(sp.DiracDelta, sp.SingularityFunction):
        kind = "DiracDelta" if expression.has(sp.DiracDelta) else "SingularityFunction"
        raise InputError(f"`expression={expression}`: {kind} is no function of numbers.")
    return expression.xreplace({symbol: x}).doit()


@lru_cache(maxsize=256)
def _printed(expression: Any) -> Form:
    """The expression and its derivative, printed into a module of their own in the cache folder, and checked."""
    from mcverify.kernels.generated import imported

    module = imported("mcverify_activation", module_text(expression))
    form = Form(module.own, module.own_derivative)
    _check(form, "expression")
    pole = pole_of(form.phi, expression)
    if pole is not None:
        raise InputError(f"`expression={expression}` has a pole at h = {pole:.6g}.")
    return replace(form, homogeneous=_is_homogeneous(form, expression), flat=_is_flat(form))


def _is_flat(form: Form) -> bool:
    """Whether phi or phi' is 0 at two points or more, which are between -8 and 8, where few functions are lost to 0."""
    with np.errstate(all="ignore"):
        zeros = [np.sum(function(NEAR, 0.0) == 0) for function in (form.phi, form.derivative)]
    return bool(max(zeros) > 1)


def _is_homogeneous(form: Form, expression: Any) -> bool:
    """Whether phi(c h) = c phi(h) for c > 0, by two points for a start and then by symbols."""
    with np.errstate(all="ignore"):
        for function, power in ((form.phi, 2.0), (form.derivative, 1.0)):
            if not np.array_equal(function(2 * POINTS, 0.0), power * function(POINTS, 0.0)):
                return False
    c = sp.Symbol("c", positive=True)
    slopes = [sp.simplify(expression.subs(x, sign * c) / c) for sign in (1, -1)]
    return all(not slope.free_symbols for slope in slopes)


def _compiled(function: Scalar, derivative: Scalar, version: str | None) -> tuple[Form, dict[str, Any]]:
    """The user's functions for arrays, and their content."""
    if version is not None and not (isinstance(version, str) and version):
        raise InputError(f"`version={version!r}`: give text that changes whenever the functions do.")
    content: dict[str, Any] = {}
    for argument, one in (("function", function), ("derivative", derivative)):
        if not callable(one):
            raise InputError(f"`{argument}={one!r}`: give a Python function of one number.")
        named = f"{getattr(one, '__module__', '')}.{getattr(one, '__qualname__', '')}"
        content[argument] = named if version is not None else text_of(argument, one)
    if version is not None:
        content["version"] = version
    digest = hashlib.sha256(repr(sorted(content.items())).encode()).hexdigest()
    plain = [cast(Scalar, getattr(one, "py_func", one)) for one in (function, derivative)]
    phi, slope = (_on_arrays(argument, one) for argument, one in zip(("function", "derivative"), plain, strict=True))
    form = Form(phi, slope, given=(plain[0], plain[1], digest))
    return replace(form, flat=_is_flat(form)), content


def _on_arrays(argument: str, function: Scalar) -> Callable[[Any, Any], Array]:
    """The compiled function of one number, entry by entry."""
    import numba

    try:
        compiled = numba.njit(error_model="numpy")(function)
        first = compiled(0.5)
        if not isinstance(first, float | int | np.number | np.bool_):
            raise TypeError(f"it returns {first!r} at 0.5; a number is needed")
    except (numba.core.errors.NumbaError, TypeError, NotImplementedError) as error:
        why = " ".join(str(error).split())[:300]
        raise InputError(
            f"`{argument}={function!r}` is not compiled by Numba as a function of one number "
            f"(what it calls needs @numba.njit too): {why}"
        ) from error

    def on_arrays(h: Any, a: Any) -> Array:
        values = np.asarray(h, np.float64)
        return np.array([compiled(value) for value in values.ravel()], np.float64).reshape(values.shape)[()]

    return on_arrays


def _check(form: Form, argument: str) -> None:
    """Refuse what is not a number somewhere, and a derivative that finite differences contradict."""
    h = np.concatenate([POINTS, FAR])
    with np.errstate(all="ignore"):
        for what, function in (("phi", form.phi), ("its derivative", form.derivative)):
            values = function(h, 0.0)
            if np.any(undefined := np.isnan(values)):
                raise InputError(f"`{argument}`: {what} is not a number at h = {h[undefined][0]:.6g}.")
            if what == "phi" and np.any(infinite := np.isinf(values)):
                raise InputError(f"`{argument}`: phi is infinite at h = {h[infinite][0]:.6g}.")
        claimed = form.derivative(POINTS, 0.0)
        wrong, found = np.ones(len(POINTS), bool), np.zeros(len(POINTS))
        for step in STEPS:
            differences, tolerance = _differences(form.phi, step)
            apart = np.abs(differences - claimed) > tolerance + SAME * (np.abs(differences) + np.abs(claimed))
            found = np.where(wrong, differences, found)
            wrong &= apart
    if np.sum(wrong) > 1:
        at = int(np.argmax(np.where(wrong, np.abs(found - claimed), 0)))
        raise InputError(
            f"the derivative is not that of the `{argument}`: at h = {POINTS[at]:.6g} it gives {claimed[at]:.9g}, "
            f"finite differences give {found[at]:.9g}."
        )


def _differences(phi: Callable[[Any, Any], Any], step: float) -> tuple[Array, Array]:
    """Central differences of fourth order at the points, and how far rounding and curvature may put them off."""
    width = step * (1 + np.abs(POINTS))
    ends = [[phi(POINTS + s * w, 0.0) for s in (1, -1)] for w in (width, width / 2)]
    wide, narrow = ((up - down) / (2 * w) for (up, down), w in zip(ends, (width, width / 2), strict=True))
    size = np.max(np.abs(np.array(ends)), axis=(0, 1))
    size += 1e-3 * np.median(size)  # of terms that cancel
    result = (4 * narrow - wide) / 3
    return np.where(np.isfinite(result), result, np.nan), np.abs(wide - narrow) + 1e-11 * size / width


def _check_same(form: Form, expression: Any) -> None:
    """Refuse a function that is not its expression."""
    chosen = POINTS[::4]
    with np.errstate(all="ignore"):
        ours = form.phi(chosen, 0.0)
    theirs = np.array([float(sp.N(expression.subs(x, sp.Float(float(h), 30)), 20)) for h in chosen])
    wrong = np.abs(ours - theirs) > SAME * np.abs(theirs) + 1e-12
    if np.sum(wrong) > 1:
        at = int(np.argmax(np.where(wrong, np.abs(ours - theirs), 0)))
        raise InputError(
            f"the `function` is not the `expression`: at h = {chosen[at]:.6g} it gives {ours[at]:.9g}, "
            f"the expression gives {theirs[at]:.9g}."
        )
