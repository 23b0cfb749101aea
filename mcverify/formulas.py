"""What a formula's tree stands for: a number, or a sympy expression built by constructors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mcverify.grammar import (
    Apply,
    Binary,
    Call,
    GrammarError,
    Indexed,
    Name,
    Negative,
    Number,
    Repeat,
    Tree,
    Where,
    show,
    unknown_name,
)

Values = Mapping[str, float | Sequence[float]]

FUNCTIONS: dict[str, Callable[[float], float]] = {"sqrt": math.sqrt, "log": math.log, "exp": math.exp}
CONSTANTS = {"pi": math.pi}

MAX_TERMS = 100_000  # of one product or sum
MAX_BITS = 1_000_000  # of a power of two numbers, computed exactly


def evaluate(tree: Tree, values: Values) -> float:
    """The number that a formula stands for; integers and sums of integers come out exactly.

    Args:
        tree: The formula.
        values: A number for each name, a sequence for each name that is indexed.

    Raises:
        GrammarError: for a name without a value, an index outside its sequence, or a value that is not finite.

    >>> from mcverify.grammar import parse
    >>> evaluate(parse("product(q=1..3, N[q-1]*v[q])"), {"N": (2, 3, 4), "v": (0, 0.5, 0.25, 1)})
    3.0
    """
    try:
        result = _evaluate(tree, values)
    except (ZeroDivisionError, OverflowError, ValueError) as error:
        if isinstance(error, GrammarError):
            raise
        raise GrammarError(f"`{show(tree)}` has no finite value ({error}).") from error
    if not math.isfinite(result):
        raise GrammarError(f"`{show(tree)}` has no finite value.")
    return result


def _evaluate(tree: Tree, values: Values) -> float:  # noqa: PLR0911  (one case a kind of node)
    match tree:
        case Number(value):
            return float(value)
        case Name(name):
            return _number(name, values)
        case Indexed(name, index):
            return _entry(name, integer(index, values), values)
        case Negative(of):
            return -_evaluate(of, values)
        case Call(function, argument):
            return FUNCTIONS[function](_evaluate(argument, values))
        case Repeat(kind, index, _, _, body):
            span = span_of(tree, values)
            terms = [_evaluate(body, {**values, index: q}) for q in span]
            return math.prod(terms) if kind == "product" else math.fsum(terms)
        case Binary(operator, left, right):
            return _operate(operator, _evaluate(left, values), _evaluate(right, values))
    raise TypeError(f"not a formula: {tree!r}")


def _operate(operator: str, left: float, right: float) -> float:
    if operator == "^":
        return math.pow(left, right)
    if operator == "/":
        return left / right
    if operator == "*":
        return left * right
    return left + right if operator == "+" else left - right


def _number(name: str, values: Values) -> float:
    value = values.get(name, CONSTANTS.get(name))
    if value is None:
        raise unknown_name(name, values)
    if not isinstance(value, (int, float)):
        raise GrammarError(f"`{name}` is one number a layer: give the layer, as in {name}[1].")
    return float(value)


def _entry(name: str, index: int, values: Values) -> float:
    sequence = values.get(name)
    if sequence is None:
        raise unknown_name(name, values)
    if isinstance(sequence, (int, float)):
        raise GrammarError(f"`{name}[{index}]`: {name} is one number and takes no layer.")
    if not 0 <= index < len(sequence):
        raise GrammarError(f"`{name}[{index}]`: layers go from 0 to {len(sequence) - 1}.")
    return float(sequence[index])


def integer(tree: Tree, values: Values) -> int:
    """The integer that a formula stands for.

    >>> from mcverify.grammar import parse
    >>> integer(parse("L - 1"), {"L": 10})
    9
    """
    value = evaluate(tree, values)
    if value != int(value):
        raise GrammarError(f"`{show(tree)}` is {value:g}; a whole number is needed there.")
    return int(value)


def span_of(repeat: Repeat, values: Values) -> range:
    """The values that the index of a product or sum takes; none where it ends just before it begins."""
    low, high = integer(repeat.low, values), integer(repeat.high, values)
    if high < low - 1:
        raise GrammarError(f"`{show(repeat)}` runs from {low} down to {high}; an index counts upwards.")
    if high - low >= MAX_TERMS:
        raise GrammarError(f"`{show(repeat)}` has {high - low + 1} factors or terms; at most {MAX_TERMS} are computed.")
    return range(low, high + 1)


def check_layers(tree: Tree, values: Values, first: Mapping[str, int], last: int) -> None:
    """Check every layer that a formula names, without its value.

    Args:
        tree: The formula.
        values: Numbers for the names that stand in layers.
        first: The names that are indexed, with the first layer each exists at.
        last: The last layer.

    Raises:
        GrammarError: for a layer outside, or a product or sum that runs backwards or is too long.

    >>> from mcverify.grammar import parse
    >>> check_layers(parse("N[l]*v[l]"), {"l": 4}, {"N": 0, "v": 1}, last=3)
    Traceback (most recent call last):
        ...
    mcverify.grammar.GrammarError: `N[4]`: layers go from 0 to 3.
    """
    match tree:
        case Indexed(name, index):
            layer = integer(index, values)
            if name in first and not first[name] <= layer <= last:
                raise GrammarError(f"`{name}[{layer}]`: layers go from {first[name]} to {last}.")
        case Repeat(_, index, _, _, body):
            span = span_of(tree, values)
            for q in {*span[:1], *span[-1:]}:
                check_layers(body, {**values, index: q}, first, last)
        case Negative(part) | Call(_, part):
            check_layers(part, values, first, last)
        case Binary(_, left, right):
            check_layers(left, values, first, last)
            check_layers(right, values, first, last)


def to_sympy(  # noqa: PLR0911  (one case a kind of node)
    tree: Tree,
    scalars: Mapping[str, Any],
    indexed: Mapping[str, Any],
    functions: Mapping[str, Callable[..., Any]] | None = None,
) -> Any:
    """The formula as a sympy expression, built by constructors.

    Args:
        tree: The formula.
        scalars: A sympy symbol or number for each name.
        indexed: An `IndexedBase` for each name that is indexed.
        functions: What makes an expression of each function; by default those of sympy by that name.

    Raises:
        GrammarError: for an unknown name, or a power of numbers too large for exact arithmetic.

    >>> import sympy
    >>> from mcverify.grammar import parse
    >>> to_sympy(parse("1/3 + pi*N[2]"), {}, {"N": sympy.IndexedBase("N")})
    pi*N[2] + 1/3
    """
    import sympy as sp

    def of(part: Tree) -> Any:
        return to_sympy(part, scalars, indexed, functions)

    match tree:
        case Number(value):
            return sp.Rational(value.numerator, value.denominator)
        case Name(name):
            return _symbol(name, scalars, indexed)
        case Indexed(name, index):
            return _base(name, scalars, indexed)[of(index)]
        case Negative(part):
            return sp.Mul(-1, of(part))
        case Call(function, argument):
            return (functions[function] if functions else getattr(sp, function))(of(argument))
        case Apply(function, arguments):
            return (functions or {})[function](*map(of, arguments))
        case Where(operator, left, right, then, otherwise):
            condition = {"<": sp.Lt, "<=": sp.Le, ">": sp.Gt, ">=": sp.Ge}[operator](of(left), of(right))
            return sp.Piecewise((of(then), condition), (of(otherwise), True))
        case Repeat(kind, index, low, high, body):
            if index in scalars or index in indexed:
                raise GrammarError(f"`{show(tree)}`: {index!r} stands for something already; name the index otherwise.")
            q = sp.Symbol(index, integer=True)
            return (sp.Product if kind == "product" else sp.Sum)(
                to_sympy(body, {**scalars, index: q}, indexed, functions), (q, of(low), of(high))
            )
        case Binary(operator, left, right):
            return _combine(operator, of(left), of(right))
    raise TypeError(f"not a formula: {tree!r}")


def _combine(operator: str, left: Any, right: Any) -> Any:
    import sympy as sp

    if operator == "^":
        _check_size(left, right)
        return sp.Pow(left, right)
    if operator == "*":
        return sp.Mul(left, right)
    if operator == "/":
        return sp.Mul(left, sp.Pow(right, -1))
    return sp.Add(left, right if operator == "+" else sp.Mul(-1, right))


def _check_size(base: Any, exponent: Any) -> None:
    if base.is_Rational and exponent.is_Rational:
        bits = max(abs(base.p).bit_length(), base.q.bit_length())
        if bits * abs(exponent) > MAX_BITS:
            raise GrammarError(
                f"a number to the power {exponent} has too many digits; use exp(...) or smaller numbers."
            )


def _symbol(name: str, scalars: Mapping[str, Any], indexed: Mapping[str, Any]) -> Any:
    import sympy as sp

    if name in scalars:
        return scalars[name]
    if name == "pi":
        return sp.pi
    if name in indexed:
        raise GrammarError(f"`{name}` is one number a layer: give the layer, as in {name}[l].")
    raise unknown_name(name, [*scalars, *indexed])


def _base(name: str, scalars: Mapping[str, Any], indexed: Mapping[str, Any]) -> Any:
    if name in indexed:
        return indexed[name]
    if name in scalars:
        raise GrammarError(f"`{name}[...]`: {name} is one number and takes no layer.")
    raise unknown_name(name, [*scalars, *indexed])
