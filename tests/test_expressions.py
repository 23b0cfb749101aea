"""Activations written as text: in files, as flags and from Python; parsed by the grammar, never run."""

from __future__ import annotations

from pathlib import Path

import pytest
import sympy as sp
from click.testing import CliRunner

import mcverify as mc
from mcverify.cli import main
from mcverify.cli.flags import network_from
from mcverify.errors import InputError
from mcverify.expression_forms import x
from mcverify.expressions import FUNCTIONS, expression_of
from mcverify.files import load_network, load_study
from mcverify.grammar import GrammarError, parse, show

MISH = "x*tanh(log(1 + exp(x)))"

TEXTS = {
    MISH: x * sp.tanh(sp.log(1 + sp.exp(x))),
    "x*sigmoid(1.5*x)": x / (1 + sp.exp(-sp.Rational(3, 2) * x)),
    "where(x > 0, x, exp(x) - 1)": sp.Piecewise((x, x > 0), (sp.exp(x) - 1, True)),
    "where(x <= -1, -1, where(x < 1, x, 1))": sp.Piecewise((-1, x <= -1), (sp.Piecewise((x, x < 1), (1, True)), True)),
    "max(x, 0, min(x, -1)/10)": sp.Max(x, 0, sp.Min(x, -1) / 10),
    "sign(x)*log1p(abs(x)) + expm1(-x^2)": sp.sign(x) * sp.log(1 + sp.Abs(x)) + sp.exp(-(x**2)) - 1,
    "erf(x/sqrt(2)) + erfc(x)*pi": sp.erf(x / sp.sqrt(2)) + sp.erfc(x) * sp.pi,
    "sin(x) + cos(x) + atan(x) + asinh(x) + sinh(x) + cosh(x)": (
        sp.sin(x) + sp.cos(x) + sp.atan(x) + sp.asinh(x) + sp.sinh(x) + sp.cosh(x)
    ),
}


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_its_expression(text: str) -> None:
    """Every function stands for sympy's, and the text printed and read again is the same."""
    assert sp.simplify(expression_of("activation", text) - TEXTS[text]) == 0
    shown = show(parse(text, FUNCTIONS))
    assert parse(show(parse(shown, FUNCTIONS)), FUNCTIONS) == parse(shown, FUNCTIONS)
    assert expression_of("activation", shown) == expression_of("activation", text)


def test_every_function_is_tried() -> None:
    assert all(any(f"{name}(" in text for text in TEXTS) for name in FUNCTIONS)


REFUSED = {
    "x*gamma(x)": "there is no function 'gamma'",
    "y*2": "`y` stands for nothing here",
    "max(x)": "max takes two or more arguments, not 1",
    "tanh(x, 2)": r"expected '\)'",
    "where(x, 1, 2)": "expected a comparison",
    "where(x > 0, 1)": "expected ','",
    "x > 0": "expected an operator",
    "x.diff()": "has no meaning",
    "__import__('os')": "no meaning|no function",
    "lambda: x": "no meaning|expected",
    "": "at the end",
    "x^(10^9)": "give `function`|too many|more than|not a number|undefined",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_activation_is_refused(text: str) -> None:
    """The message says what is wrong, and what is allowed."""
    with pytest.raises(InputError, match=REFUSED[text]) as error:
        mc.Network(widths=(2, 2), activation={"expression": text})
    assert "activation" in str(error.value)


def test_message_says_what_is_allowed() -> None:
    with pytest.raises(InputError) as error:
        expression_of("activation.expression", "x*gama(x)")
    for part in ("activation.expression", "tanh", "where", "pi", "numbers"):
        assert part in str(error.value)


def test_formulas_of_predictions_have_no_such_functions() -> None:
    """What activations may use stays unknown to the other formulas of a file."""
    for text in ("max(1, 2)", "tanh(1)", "where(1 > 0, 1, 2)", "1 > 0"):
        with pytest.raises(GrammarError):
            parse(text)


FILE = """
widths = [4, 8, 3]
activation = { expression = "x*tanh(log(1 + exp(x)))", name = "mine" }
output_activation = "linear"
weights = "he_normal"
"""


def test_network_file(tmp_path: Path) -> None:
    """The expression of a file is the network's activation, under its name."""
    path = tmp_path / "net.toml"
    path.write_text(FILE)
    net = load_network(path)
    assert net.activation.label == "mine"
    assert net == mc.Network(widths=(4, 8, 3), activation=TEXTS[MISH], output_activation="linear", weights="he_normal")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('activation = { expression = "x*gama(x)" }', "no function 'gama'"),
        ("activation = { expression = 3 }", "give text such as"),
        ('activation = { expression = "x", slope = 1 }', "beside `expression` there may be a `name` alone"),
        ('activation = { expression = "x", name = "relu" }', "is that of an activation of the table"),
    ],
)
def test_mistakes_in_a_file(tmp_path: Path, line: str, message: str) -> None:
    """File, key and what is wrong."""
    path = tmp_path / "net.toml"
    path.write_text(f"widths = [4, 4]\n{line}\n")
    with pytest.raises(InputError) as error:
        load_network(path)
    for part in ("net.toml", "activation", message):
        assert part in str(error.value)


STUDY = """
id = "slopes"
[network]
widths = [4, 4]
activation = { expression = "max(x, slope*x)" }
[grid]
slope = [0, 0.25]
[[claim]]
name = "kept"
observable = "activation.second_moment"
layer = 1
prediction = "theory"
margin = 0.1
"""


def test_numbers_of_a_grid(tmp_path: Path) -> None:
    """A name of the grid may stand in the expression: one network for each of its values."""
    path = tmp_path / "slopes.toml"
    path.write_text(STUDY)
    found = {claim.network.activation for claim in load_study(path).claims}
    assert found == {mc.Activation(expression=text) for text in ("max(x, 0)", "max(x, x/4)")}


def test_flag() -> None:
    """The flag says the same as the file."""
    flags = {"widths": "4,8,3", "activation": f"expression={MISH}", "output_activation": "linear"}
    assert network_from(None, flags).activation == mc.Activation(expression=MISH)
    with pytest.raises(InputError, match=r"command line.*activation.*no function 'gama'"):
        network_from(None, {"widths": "4,4", "activation": "expression=gama(x)"})


def test_command() -> None:
    """`mcverify predict` takes the flag, and `list` names every activation."""
    arguments = ["predict", "--widths", "4,8,3", "--activation", "expression=x*sigmoid(x)", "--weights", "he_normal"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "activation.second_moment" in result.output
    listed = CliRunner().invoke(main, ["list", "activations"]).output.split()
    assert {"gelu", "mish", "silu", "prelu", "square"} <= set(listed)
