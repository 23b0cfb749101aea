"""What a reader of a prediction sees: every symbol explained, every formula as plain text, the derivation in steps."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import sympy as sp
from click.testing import CliRunner

import mcverify as mc
from mcverify import api
from mcverify.cli import main
from mcverify.errors import InputError
from mcverify.report.plainmath import in_plain_text, in_symbols, to_text
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


NETWORKS += [
    mc.Network(widths=(6, 6, 6), activation={"activation": "leaky_relu", "negative_slope": 0.3}, weights="he_normal"),
    mc.Network(
        widths=(256, 256, 256, 256), activation="gelu", weights="he_uniform", biases={"law": "normal", "variance": 0.1}
    ),
    mc.Network(widths=(6, 6, 1), activation="erf", output_activation="linear", input=[1.0] * 6),
    mc.Network(widths=(6, 6, 6), activation="relu", weights="he_normal", output_gradient=[1.0] * 6),
    mc.Network(widths=(6, 6, 6), weights={"law": "orthogonal", "variance": 1 / 6}),
    mc.Network(widths=(2, 8, 8), activation="tanh", input=[[1.0, 0.0], [0.5, 1.0]]),
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


STRUCTURE = {"left", "right", "frac", "sqrt", "prod", "sum", "log", "psi", "pi", "max", "cdot"}
STRUCTURE |= {"begin", "end", "cases", "text", "for", "otherwise", "infty", "quad", "leq", "geq", "neq", "operatorname"}


def letters_left(said: Prediction) -> set[str]:
    """What a printed formula has beside the symbols of its legend and the structure of LaTeX; symbols it lacks too."""
    expression = sp.sympify(said.expression)
    printed = notation.latex(expression)
    heads = sorted({notation.head(name) for name in notation.names(expression)}, key=len, reverse=True)
    if expression.free_symbols:
        assert notation.legend([expression])
    for command in STRUCTURE:
        printed = re.sub(rf"\\{command}(?![A-Za-z])", " ", printed)
    wrong = set()
    for head in heads:
        printed, count = re.subn(rf"(?<![\\A-Za-z]){re.escape(head)}(?!['A-Za-z])", " ", printed)
        wrong |= set() if count else {head}
    return wrong | set(re.findall(r"[A-Za-z]+|'", printed)) - {"cases", "for", "otherwise"}


PRIMED = "V'^2 + V" + 2 * "'" + "_4 + W" + 3 * "'" + "(h)"


@pytest.mark.parametrize("network", NETWORKS, ids=[f"{i} {net.label}" for i, net in enumerate(NETWORKS)])
def test_formula_and_legend_agree(network: mc.Network) -> None:
    """Each symbol of the legend stands in the printed formula as the legend writes it, and nothing else does."""
    wrong = {str(said.expression): left for said, _ in api.predictions(network) if (left := letters_left(said))}
    assert wrong == {}


def test_a_function_printed_otherwise_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """With sympy's own printer V_1 is no V' and the check says so."""
    said = next(p for p, _ in api.predictions(NETWORKS[5]) if "V_1" in notation.names(sp.sympify(p.expression)))
    assert letters_left(said) == set()
    monkeypatch.setattr(notation, "latex", sp.latex)
    assert "V'" in letters_left(said)


def test_meanings_and_sentences_are_plain_text() -> None:
    """No meaning, statement or assumption keeps LaTeX or names of Greek letters; formulas have the same symbols."""
    shown = [in_plain_text(meaning) for _, meaning in notation.SYMBOLS.values()]
    shown += [to_text(written) for written, _ in notation.SYMBOLS.values()]
    for said in predictions():
        shown += [in_symbols(text) for text in (said.statement, *said.assumptions)]
        shown += [to_text(notation.latex(said.expression)), *map(in_plain_text, said.derivation)]
    raw = re.compile(
        r"\b(phi|delta|gamma|beta|epsilon|polygamma|sqrt|chi2|pi)(?![A-Za-z])|dloss|!=|->|[_^][{-]|\^\d\b|\^′|[⁰¹²³⁴]{2}|′′|\^\([″‴⁗]"
    )
    assert {text for text in shown if raw.search(text)} == set()
    assert all(map(raw.search, ("E phi(h)", "x_{l-1}", "V^′2", "E (tr A)^2", "V^(″)")))


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
        (r"E\varphi'^{2k}", "E(φ′)^(2k)"),
        (PRIMED, "(V′)² + V_4″ + W‴(h)"),
        (r"{\gamma^2}^{2} + x'_l", "(γ²)² + x_l′"),
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
