"""Formulas of the sources and of the theory, in MathML and in Typst's notation."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import sympy as sp
import typst

from mcverify.report.mathml import Formula, to_html, tree
from mcverify.report.typstmath import to_typst
from theory.symbols import N, beta, c2, gamma2, l, m0, q, slope, v

PRINTED = [
    r"\forall n, \mathbf{x}^{(0)} = \mathbf{x}, \quad \forall l = 1, \dots, L, \quad \begin{cases} \mathbf{s}^{(l)} = "
    r"\mathbf{w}^{(l)} \mathbf{x}^{(l-1)} + \mathbf{b}^{(l)} \\ \mathbf{x}^{(l)} = "
    r"\sigma(\mathbf{s}^{(l)}) \end{cases}",
    r"\left\{ \begin{array}{l} \left[ \frac{\partial \ell}{\partial \mathbf{x}^{(L)}} \right] = \nabla_1 "
    r"\ell(\mathbf{x}^{(L)}) \\ \text{if } l < L, \left[ \frac{\partial \ell}{\partial \mathbf{x}^{(l)}} \right] = "
    r"(\mathbf{w}^{(l+1)})^T \left[ \frac{\partial \ell}{\partial \mathbf{s}^{(l+1)}} \right] \end{array} \right. "
    r"\quad \left[ \frac{\partial \ell}{\partial \mathbf{s}^{(l)}} \right] = \left[ \frac{\partial \ell}{\partial "
    r"\mathbf{x}^{(l)}} \right] \odot \sigma'(\mathbf{s}^{(l)})",
    r"\mathbb{V}\left(\frac{\partial \ell}{\partial w_{i,j}^{(l)}}\right) \text{ and } "
    r"\mathbb{V}\left(\frac{\partial \ell}{\partial b_i^{(l)}}\right)",
    r"\mathbb{V}(AB) = \mathbb{V}(A)\mathbb{V}(B) + \mathbb{V}(A)\mathbb{E}(B)^2 + \mathbb{V}(B)\mathbb{E}(A)^2.",
    r"x_i^{(l)} \simeq \sum_{j=1}^{N_{l-1}} w_{i,j}^{(l)} x_j^{(l-1)} + b_i^{(l)}.",
    r"\begin{aligned}\mathbb{V}(x^{(l)}) &\simeq \sum_{j=1}^{N_{l-1}} \mathbb{V}(w^{(l)}) \mathbb{V}(x^{(l-1)}) \\ "
    r"&= N_{l-1} \mathbb{V}(w^{(l)}) \mathbb{V}(x^{(l-1)}).\end{aligned}",
    r"\mathbb{V}(x^{(l)}) \simeq \mathbb{V}(x^{(0)}) \prod_{q=1}^l N_{q-1} \mathbb{V}(w^{(q)}).",
    r"\mathbb{V}\left(\frac{\partial \ell}{\partial x^{(l)}}\right) \simeq \mathbb{V}\left(\frac{\partial \ell}"
    r"{\partial x^{(L)}}\right) \prod_{q=l+1}^L N_q \mathbb{V}\left(w^{(q)}\right).",
    r"\mathbb{V}(w^{(l)}) = \frac{1}{\frac{N_{l-1} + N_l}{2}} = \frac{2}{N_{l-1} + N_l}.",
    r"\begin{aligned}\mathbb{V}\left(\frac{\partial \ell}{\partial x_i^{(l)}}\right) &= \sum_{h=1}^{N_{l+1}} "
    r"\mathbb{V}\left(\underbrace{\sigma'\left(s_h^{(l+1)}\right)}_{0/1} \underbrace{\frac{\partial \ell}{\partial "
    r"x_h^{(l+1)}} w_{h,i}^{(l+1)}}_{\mathbb{E}(\cdot)=0, \text{ symmetric}}\right) \\ &= \frac{1}{2} "
    r"\sum_{h=1}^{N_{l+1}} \mathbb{V}\left(\frac{\partial \ell}{\partial x_h^{(l+1)}}\right).\end{aligned}",
    r"\mathbf{h}^{(l)} = f_l (\mathbf{h}^{(l-1)}) \text{ e portanto } \mathbf{o} = f_L \circ \ldots \circ "
    r"f_1(\mathbf{x}).",
    r"\partial_{\mathbf{W}^{(l)}} \mathbf{o} = \underbrace{\partial_{\mathbf{h}^{(L-1)}} \mathbf{h}^{(L)}}_{ "
    r"\mathbf{M}^{(L)} \stackrel{\mathrm{def}}{=}} \cdot \ldots \cdot \underbrace{\partial_{\mathbf{W}^{(l)}} "
    r"\mathbf{h}^{(l)}}_{ \mathbf{v}^{(l)} \stackrel{\mathrm{def}}{=}}.",
    r"\begin{aligned} E[o_i] & = \sum_{j=1}^{n_\mathrm{in}} E[w_{ij} x_j] \\&= 0, \\ \mathrm{Var}[o_i] & = E[o_i^2] - "
    r"(E[o_i])^2 \\ & = n_\mathrm{in} \sigma^2 \gamma^2. \end{aligned}",
    r"\begin{aligned} \frac{1}{2} (n_\mathrm{in} + n_\mathrm{out}) \sigma^2 = 1 \text{ or equivalently } \sigma = "
    r"\sqrt{\frac{2}{n_\mathrm{in} + n_\mathrm{out}}}. \end{aligned}",
    r"U\left(-\sqrt{\frac{6}{n_\mathrm{in} + n_\mathrm{out}}}, \sqrt{\frac{6}{n_\mathrm{in} + n_\mathrm{out}}}\right).",
    r"U\left[-\sqrt{6/(n_\mathrm{in} + n_\mathrm{out})}, \sqrt{6/(n_\mathrm{in} + n_\mathrm{out})}\right]",
    r"\mathbf{M}_d \cdot \ldots \cdot \mathbf{M}_t",
    r"1/(1 + \exp(-x))",
]
OURS = [
    sp.latex(expression)
    for expression in (
        m0 * sp.Product(N[q - 1] * v[q], (q, 1, l)),
        sp.Sum(beta[q] * sp.Product(N[q] * v[q] * c2, (q, 2, l)), (q, 1, l)),
        sp.Piecewise((1, l > 2), (0, True)),
        sp.log(N[0]) + sp.polygamma(1, N[0] / 2) + sp.erf(slope),
        sp.exp(-m0 / 2) * sp.sqrt(gamma2) * sp.Float(1.5e-7),
        sp.Integral(sp.exp(-(m0**2)), (m0, -sp.oo, sp.oo)) + sp.gamma(slope) + sp.binomial(l, q) + sp.Abs(slope),
    )
] + [r"E \log Y = \log 2 + E \, \psi(A/2), \quad A \sim \mathrm{Bin}(n, 1/2) \mid A \ge 1"]
HOSTILE = [
    r"\text{</math><script>alert(1)</script>}",
    r"\text{#panic() \" $ ; , } x",
    r"#panic()",
    r"x_{\text{a\"); panic(\"b}}",
    r'"), panic("',
    r"a, b; c: d / e & f ~ g @h",
]
BROKEN = ["", r"\frac{1}{2", r"}{", r"\nope{x}", r"\frac", r"\begin{cases} 1", r"\left( x"]


def shapes(node: ET.Element) -> list[str]:
    return [child.tag for child in node.iter()]


@pytest.mark.parametrize("latex", PRINTED + OURS)
def test_formula_becomes_mathml(latex: str) -> None:
    """Every formula that a report shows is read, with no LaTeX left over in it."""
    root = tree(Formula(latex))
    assert root is not None
    assert not [node.text for node in root.iter() if node.text and ("\\" in node.text or "&" in node.text)]


@pytest.mark.parametrize("latex", BROKEN)
def test_broken_formula_is_shown_as_its_source(latex: str) -> None:
    """What cannot be read is neither an error nor a wrong formula."""
    assert to_typst(Formula(latex)) is None
    assert to_html(Formula(latex)).startswith("<code")


def test_structure_survives() -> None:
    """Sums have their limits above and below, words stay words, aligned equations stay aligned."""
    root = tree(Formula(PRINTED[5]))
    assert root is not None
    assert shapes(root).count("munderover") == 1
    assert [table.get("class") for table in root.iter("mtable")] == ["aligned"]
    assert (
        to_typst(Formula(r"n_\mathrm{in} \sigma^2 = \frac{1}{2}"))
        == 'attach(n, b: upright("in")) attach(σ, t: 2) = frac(1, 2)'
    )
    assert "underbrace(" in (to_typst(Formula(PRINTED[11])) or "")


def compiled(formulas: list[str]) -> bytes:
    source = b'#for f in json(bytes(sys.inputs.f)) [#math.equation(block: true, eval(f, mode: "math"))]'
    compiler: Any = typst.Compiler(source, ignore_system_fonts=True)
    return bytes(compiler.compile(format="pdf", sys_inputs={"f": json.dumps(formulas)}))


def test_typst_accepts_every_formula() -> None:
    """All of them compile; texts that look like code are shown, not run."""
    made = [to_typst(Formula(latex)) for latex in PRINTED + OURS + HOSTILE]
    assert None not in made[: len(PRINTED + OURS)]
    assert compiled([text for text in made if text is not None]).startswith(b"%PDF-")


def test_typst_would_refuse_code() -> None:
    """The check above can fail: text passed on unescaped is run."""
    with pytest.raises(typst.TypstError):
        compiled(["#panic()"])


@pytest.mark.parametrize("latex", HOSTILE)
def test_html_has_no_markup_of_a_users(latex: str) -> None:
    """A formula's text cannot close the formula or open a script."""
    text = to_html(Formula(latex))
    assert "<script" not in text
    assert text.count("</math>") <= 1
