"""The grammar of numbers and formulas: what it reads, what it refuses, and that it never runs what it reads."""

from __future__ import annotations

import math

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from mcverify.formulas import check_layers, evaluate, integer, to_sympy
from mcverify.grammar import MAX_LENGTH, GrammarError, parse, show


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1/3", 1 / 3),
        ("2/fan_in", 0.5),
        (" 1 + 2 * 3 ", 7),
        ("(1 + 2)*3", 9),
        ("2^3^2", 512),
        ("2**3", 8),
        ("-2^2", -4),
        ("2^-1", 0.5),
        ("8/2/2", 2),
        ("8 - 2 - 2", 4),
        ("1e-3", 0.001),
        ("1.5", 1.5),
        (".5", 0.5),
        ("2.", 2),
        ("1.e2", 100),
        ("sqrt(9) + log(exp(2))", 5),
        ("pi", math.pi),
        ("N[1 + 1]", 5),
        ("product(q=1..2, N[q-1]*N[q])", 3 * 4 * 4 * 5),
        ("sum(q=0..2, N[q])", 12),
        ("product(q=3..2, 0)", 1),
        ("sum(i=1..2, product(q=1..i, q))", 3),
        ("+1", 1),
    ],
)
def test_formulas_have_their_values(text: str, value: float) -> None:
    """Precedence, associativity, ranges and functions are those of arithmetic."""
    assert evaluate(parse(text), {"fan_in": 4, "N": (3, 4, 5)}) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"expected a number, a name or '\(' at the end"),
        ("1 +", "at the end"),
        ("(1", r"expected '\)' at the end"),
        ("1)", r"expected an operator at character 2, found '\)'"),
        ("2 x", "expected an operator at character 3, found 'x'"),
        ("1..2", "found '..'"),
        ("a.b", "'.' at character 2 has no meaning"),
        ("'a'", '"\'" at character 1 has no meaning'),
        ("sin(1)", "no function 'sin'"),
        ("sqr(1)", "did you mean 'sqrt'"),
        ("__import__(1)", "no function '__import__'"),
        ("product(1..2, q)", "expected an index"),
        ("product(q=1, q)", "expected '..'"),
        ("1e999", "outside the range"),
        ("1e-999999999999", "outside the range"),
        ("1" * (MAX_LENGTH + 1), "at most 2000 characters"),
        ("(" * 100 + "1" + ")" * 100, "levels of nesting"),
        ("-" * 1000 + "1", "levels of nesting"),
    ],
)
def test_what_is_no_formula_is_refused(text: str, message: str) -> None:
    """One sentence says where the text stops being a formula."""
    with pytest.raises(GrammarError, match=message):
        parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fan_inn", "did you mean 'fan_in'"),
        ("N", "is one number a layer"),
        ("fan_in[1]", "takes no layer"),
        ("N[3]", "layers go from 0 to 2"),
        ("N[-1]", "layers go from 0 to 2"),
        ("N[1/2]", "whole number"),
        ("M[1]", "stands for nothing"),
        ("1/0", "no finite value"),
        ("log(0)", "no finite value"),
        ("sqrt(-1)", "no finite value"),
        ("10^400", "no finite value"),
        ("(-1)^0.5", "no finite value"),
        ("product(q=1..10^9, 1)", "at most 100000"),
        ("product(q=5..1, 1)", "counts upwards"),
    ],
)
def test_what_has_no_value_is_refused(text: str, message: str) -> None:
    """Names without a value, layers outside and infinite values are errors, not NaN."""
    with pytest.raises(GrammarError, match=message):
        evaluate(parse(text), {"fan_in": 4, "N": (3, 4, 5)})


def test_integers_are_whole_numbers() -> None:
    assert integer(parse("L - 1"), {"L": 10}) == 9
    with pytest.raises(GrammarError, match="whole number"):
        integer(parse("L/3"), {"L": 10})


_leaves = st.sampled_from(["1", "2", "1/3", "x", "0.25", "N[1]", "N[x]"])
_texts = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
        inner.map(lambda t: f"-({t})"),
        inner.map(lambda t: f"({t})^2"),
        inner.map(lambda t: f"sqrt(({t})^2 + 1)"),
        inner.map(lambda t: f"sum(q=1..2, q*({t}))"),
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(_texts.filter(lambda text: text.count("sum(") < 2))  # an index within itself is refused
def test_the_tree_its_text_and_sympy_agree(text: str) -> None:
    """Python's own arithmetic on the tree, sympy's on the expression, and the text printed and read again agree."""
    tree = parse(text)
    values = {"x": 2, "N": (7, 3, 5)}
    n = sp.IndexedBase("N")
    assert parse(show(tree)) == parse(show(parse(show(tree))))
    try:
        value = evaluate(tree, values)
    except GrammarError:  # a division by zero
        return
    expression = to_sympy(tree, {"x": sp.Integer(2)}, {"N": n}).doit()
    exact = expression.xreplace({n[i]: sp.Integer(width) for i, width in enumerate((7, 3, 5))})
    assert value == pytest.approx(float(exact), rel=1e-12, abs=1e-12)
    assert evaluate(parse(show(tree)), values) == pytest.approx(value, rel=1e-12, abs=1e-12)


def test_sympy_expressions_are_built_from_the_symbols_given() -> None:
    """N[l-1]*v[l] is made of the theory's own symbols; a product keeps its index."""
    symbols = {"l": sp.Symbol("l", integer=True)}
    indexed = {"N": sp.IndexedBase("N"), "v": sp.IndexedBase("v")}
    built = to_sympy(parse("product(q=1..l, N[q-1]*v[q])"), symbols, indexed)
    q = sp.Symbol("q", integer=True)
    assert built == sp.Product(indexed["N"][q - 1] * indexed["v"][q], (q, 1, symbols["l"]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n*2", "did you mean 'N'"),
        ("N", "one number a layer"),
        ("l[1]", "takes no layer"),
        ("product(l=1..2, N[l])", "stands for something already"),
        ("9^9^9", "too many digits"),
        ("(1/2)^(10^8)", "too many digits"),
    ],
)
def test_expressions_that_cannot_be_built_are_refused(text: str, message: str) -> None:
    """Unknown names, and exact powers that would fill the memory."""
    with pytest.raises(GrammarError, match=message):
        to_sympy(parse(text), {"l": sp.Symbol("l")}, {"N": sp.IndexedBase("N")})


@pytest.mark.parametrize(
    ("text", "fails"),
    [
        ("N[0]*v[3]", False),
        ("N[4]", True),
        ("v[0]", True),
        ("product(q=1..L, N[q-1]*v[q])", False),
        ("product(q=1..L, N[q+1])", True),
        ("product(q=0..L, v[q])", True),
        ("-sqrt(v[l+2])", True),
    ],
)
def test_layers_of_formulas_are_checked(text: str, fails: bool) -> None:
    """Every layer that a formula names exists in the network: N from 0, the others from 1."""
    check = (parse(text), {"l": 2, "L": 3}, {"N": 0, "v": 1}, 3)
    if fails:
        with pytest.raises(GrammarError, match="layers go from"):
            check_layers(*check)
    else:
        check_layers(*check)


def test_text_that_looks_like_code_is_not_run() -> None:
    """Attribute access, strings, calls and comprehensions are no formulas."""
    for text in ("().__class__", "open('x')", "[x for x in y]", "lambda: 0", "x.y", "1 if 1 else 2", "a;b", "exit()"):
        with pytest.raises(GrammarError):
            evaluate(parse(text), {})
