r"""Formulas for the PDF: a MathML tree to Typst's notation for mathematics.

Only constructs that this module spells out reach Typst, and every text is quoted or escaped, so what a user wrote
is never read as Typst code.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from xml.etree import ElementTree as ET

from mcverify.report.mathml import Formula, tree

_ACCENTS = {"^": "hat", "¯": "overline", "‾": "overline", "~": "tilde", "˜": "tilde", "→": "arrow", "˙": "dot"}
_BRACES = {"⏟": "underbrace", "⏞": "overbrace", "_": "underline"}
_OPEN, _CLOSE = set("([{|⟨⌊⌈‖"), set(")]}|⟩⌋⌉‖")


def to_typst(formula: Formula) -> str | None:
    r"""Typst mathematics for a formula; None if its LaTeX cannot be read.

    >>> to_typst(Formula(r"\frac{1}{2} n_\mathrm{in} \sigma^2 = 1"))
    'frac(1, 2) attach(n, b: upright("in")) attach(σ, t: 2) = 1'
    """
    return _to_typst(formula.latex)


@lru_cache(maxsize=4096)
def _to_typst(latex: str) -> str | None:
    root = tree(Formula(latex))
    return None if root is None else _node(root)


def _node(node: ET.Element) -> str:
    rule = _RULES.get(node.tag, _row)
    return rule(node)


def _row(node: ET.Element) -> str:
    children = list(node)
    body = " ".join(_node(child) for child in children)
    if children and _fence(children[0], _OPEN):
        return f"lr({body})"
    return body


def _fence(node: ET.Element, fences: set[str]) -> bool:
    return node.tag == "mo" and node.get("stretchy") == "true" and node.text in fences


def _identifier(node: ET.Element) -> str:
    text = (node.text or "").strip()
    if len(text) == 1:
        return f"upright({_escape(text)})" if node.get("mathvariant") == "normal" else _escape(text)
    return f"upright({_quote(text)})"


def _operator(node: ET.Element) -> str:
    text = (node.text or "").strip()
    return f"op({_quote(text)})" if len(text) > 1 and text.isalpha() else _escape(text)


def _escape(text: str) -> str:
    return "".join(f"\\{c}" if c.isascii() and not c.isalnum() and c not in "+-=" else c for c in text)


def _quote(text: str) -> str:
    body = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{body}"'


def _text(node: ET.Element) -> str:
    text = node.text or ""
    return _quote(text) if text.strip() else "space"


def _call(name: str) -> Callable[[ET.Element], str]:
    return lambda node: f"{name}({', '.join(_group(child) for child in node)})"


def _group(node: ET.Element) -> str:
    return _node(node) or '""'


def _root(node: ET.Element) -> str:
    return f"root({_group(node[1])}, {_group(node[0])})"


def _fraction(node: ET.Element) -> str:
    """A fraction; without its line it is the inside of a binomial coefficient."""
    if node.get("linethickness") in {"0", "0pt"}:
        return f"mat(delim: #none, {_group(node[0])}; {_group(node[1])})"
    return f"frac({_group(node[0])}, {_group(node[1])})"


def _scripts(*places: str) -> Callable[[ET.Element], str]:
    def rule(node: ET.Element) -> str:
        scripts = ", ".join(f"{place}: {_group(child)}" for place, child in zip(places, node[1:], strict=True))
        return f"attach({_group(node[0])}, {scripts})"

    return rule


def _under_over(*places: str) -> Callable[[ET.Element], str]:
    def rule(node: ET.Element) -> str:
        base, *marks = node
        mark = (marks[0].text or "").strip()
        if len(marks) == 1 and mark in {**_ACCENTS, **_BRACES}:
            return f"{_ACCENTS.get(mark) or _BRACES[mark]}({_group(base)})"
        if base.tag in {"munder", "mover"} and _group(base).startswith(("underbrace(", "overbrace(")):
            return f"{_group(base)[:-1]}, {_group(marks[0])})"
        scripts = ", ".join(f"{place}: {_group(child)}" for place, child in zip(places, marks, strict=True))
        return f"attach(limits({_group(base)}), {scripts})"

    return rule


def _table(node: ET.Element) -> str:
    rows = [[_group(cell) for cell in row] for row in node]
    if node.get("class") == "aligned":
        return " \\ ".join(" & ".join("" if cell == '""' else cell for cell in row) for row in rows)
    return f"mat(delim: #none, align: #left, {'; '.join(', '.join(row) for row in rows)})"


def _space(node: ET.Element) -> str:
    if node.get("linebreak") == "newline":
        return "\\ "
    width = node.get("width", "1em")
    wide = width.endswith("em") and float(width.removesuffix("em")) >= 0.5
    return "quad" if wide else "thin"


_RULES: dict[str, Callable[[ET.Element], str]] = {
    "mi": _identifier,
    "mn": lambda node: _escape(node.text or "") if (node.text or "").isalnum() else _quote(node.text or ""),
    "mo": _operator,
    "mtext": _text,
    "mspace": _space,
    "mfrac": _fraction,
    "msqrt": _call("sqrt"),
    "mroot": _root,
    "msub": _scripts("b"),
    "msup": _scripts("t"),
    "msubsup": _scripts("b", "t"),
    "munder": _under_over("b"),
    "mover": _under_over("t"),
    "munderover": _under_over("b", "t"),
    "mtable": _table,
}
