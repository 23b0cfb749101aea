"""What a reader of a prediction sees: every symbol explained, every formula as plain text, the derivation in steps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sympy as sp
from click.testing import CliRunner

import mcverify as mc
from mcverify import api
from mcverify.cli import main
from mcverify.errors import InputError
from mcverify.report.plainmath import in_plain_text, to_text
from theory import notation
from theory.prediction import Prediction

NETWORKS = [
    mc.Network(widths=(6, 6, 6, 6), activation="relu", weights="he_normal"),
    mc.Network(
        widths=(6, 6, 6, 6), activation="tanh", weights="lecun_uniform", biases={"law": "normal", "variance": 0.1}
    ),
    mc.Network(
        widths=(6, 6, 6), activation="sigmoid", weights={"law": "orthogonal", "variance": 1 / 6}, input=[1.0] * 6
    ),
    mc.Network(
        widths=(6, 6, 6), weights="lecun_normal", output_gradient={"loss": "half_squared_error", "target": [0.5] * 6}
    ),
]


def predictions() -> Iterator[Prediction]:
    for network in NETWORKS:
        yield from (prediction for prediction, _ in api.predictions(network))


def unexplained(expression: sp.Expr) -> set[str]:
    return notation.names(sp.sympify(expression)) - set(notation.SYMBOLS)


def test_every_symbol_of_every_prediction_is_explained() -> None:
    """No expression of the catalogue has a symbol without a meaning."""
    assert {name for said in predictions() for name in unexplained(said.expression)} == set()


def test_a_symbol_without_a_meaning_is_seen() -> None:
    """A symbol that `SYMBOLS` lacks is found inside indices and functions too."""
    assert unexplained(sp.IndexedBase("N")[sp.Symbol("whoknows")]) == {"whoknows"}
    assert unexplained(sp.Function("Mystery")(1)) == {"Mystery"}


def leftovers(text: str) -> bool:
    """Whether a text still has marks of LaTeX in it."""
    return any(mark in text for mark in "\\${}") and "{" not in text[:1]


def test_every_derivation_reads_as_plain_text() -> None:
    """No step keeps a backslash, a brace or a dollar sign, and none is empty."""
    steps = {step for said in predictions() for step in said.derivation}
    assert len(steps) > 50
    assert [step for step in steps if leftovers(in_plain_text(step))] == []
    assert all(said.derivation for said in predictions())


def test_latex_that_cannot_be_read_is_seen() -> None:
    """A formula that cannot be read stays as it is, and the check sees it."""
    assert leftovers(in_plain_text(r"so $\nope{x}$"))


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\frac{1+a^2}{2} E h^2", "(1 + a²)/2 E h²"),
        (r"\sqrt{\frac{2}{1+a^2}}", "√(2/(1 + a²))"),
        (r"\prod_{q=l+1}^{L} N_q v_q", "∏_(q=l+1)^L N_q v_q"),
        (r"W_{l+1}^T\delta_{l+1}", "W_(l+1)^T δ_(l+1)"),
        (r"(1 - 2^{-N})^2", "(1 − 2^(−N))²"),
    ],
)
def test_plain_formula(latex: str, text: str) -> None:
    """Fractions, roots, limits and scripts stand on one line."""
    assert to_text(latex) == text


def test_explain_shows_statement_steps_and_legend() -> None:
    """`predict --explain` of one observable: the symbols, the value with its scatter, numbered steps, no LaTeX."""
    asked = "predict --widths 8,8x3 --activation relu --weights he_normal --explain --observable preactivation.ratio"
    shown = CliRunner().invoke(main, asked.split())
    assert shown.exit_code == 0, shown.output
    assert "N_l: width of layer l" in shown.output
    assert "layers 2 to 3: 1 (one network ± " in shown.output
    assert "  1. Given x_(l−1), E|h_l|² = N_l v_l|x_(l−1)|²." in shown.output
    assert "preactivation.second_moment" not in shown.output
    assert "\\" not in shown.output


def test_unknown_observable_is_named() -> None:
    """A name that no statement is about is refused with the closest one."""
    with pytest.raises(InputError, match=r"preactivaton\.ratio.*did you mean 'preactivation\.ratio'"):
        mc.predict(NETWORKS[0], observables=["preactivaton.ratio"])


def test_frame_has_the_steps_in_both_forms() -> None:
    """`derivation` is LaTeX, `explanation` the same steps as plain text."""
    row = mc.predict(NETWORKS[0], observables=["activation.ratio"]).iloc[0]
    assert "\\frac" in row.derivation
    assert "\\" not in row.explanation
    assert len(row.explanation.splitlines()) == len(row.derivation.splitlines())
