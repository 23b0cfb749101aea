r"""Formulas: LaTeX to a MathML tree, and the tree to text for HTML.

Formulas are quoted as their sources print them, so a formula that cannot be read is shown as its LaTeX source;
it never stops a report.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from functools import lru_cache
from xml.etree import ElementTree as ET

_TOKENS = {"mi", "mn", "mo", "mtext"}
_CLOSERS = {")", "]", "}", "|", "!", "′"}
_LARGE = {"∑", "∏"}
_LIMITS = {"msub": "munder", "msup": "mover", "msubsup": "munderover"}


@dataclass(frozen=True)
class Formula:
    """A formula as its LaTeX source; `display` puts it on a line of its own."""

    latex: str
    display: bool = False


def tree(formula: Formula) -> ET.Element | None:
    r"""The MathML tree of a formula, texts unescaped; None if the LaTeX cannot be read.

    >>> [node.tag for node in tree(Formula(r"\frac{1}{2}")).iter()]
    ['math', 'mrow', 'mfrac', 'mrow', 'mn', 'mrow', 'mn']
    >>> tree(Formula(r"\frac{1}{2")) is None
    True
    """
    if not _balanced(formula.latex) or not formula.latex.strip():
        return None
    from latex2mathml.converter import convert_to_element

    try:
        root: ET.Element = convert_to_element(_without_unknown(formula.latex), display="inline")
    except Exception:  # the converter raises a class of its own for each mistake, and IndexError for the rest
        return None
    for node in root.iter():
        if node.text and node.tag in _TOKENS:
            node.text = html.unescape(node.text).replace("\xa0", " ")
            if re.match(r"\\.", node.text):
                return None
        node.attrib.pop("xmlns", None)
    _tidy(root, aligned="{aligned}" in formula.latex)
    return root


def to_html(formula: Formula) -> str:
    r"""MathML markup, safe to put into HTML as it is; a broken formula becomes `<code>`.

    >>> to_html(Formula("x < 1"))
    '<math><mrow><mi>x</mi><mo>&lt;</mo><mn>1</mn></mrow></math>'
    >>> to_html(Formula(r"\nope{x}"))
    '<code class="latex">\\nope{x}</code>'
    """
    return _to_html(formula.latex, formula.display)


@lru_cache(maxsize=4096)
def _to_html(latex: str, display: bool) -> str:
    root = tree(Formula(latex, display))
    if root is None:
        return f'<code class="latex">{html.escape(latex)}</code>'
    _keep_spaces(root)
    root.attrib.pop("display", None)
    if display:
        root.set("display", "block")
    return ET.tostring(root, encoding="unicode")


def _keep_spaces(root: ET.Element) -> None:
    """Spaces that browsers would drop: at the ends of a text, and between a named function and its argument."""
    for node in root.iter("mtext"):
        text = node.text or ""
        core = text.strip(" ")
        ends = len(text) - len(text.lstrip(" ")), len(text) - len(text.rstrip(" "))
        node.text = "\xa0" * ends[0] + core + "\xa0" * ends[1] if core else "\xa0" * len(text)
    for parent in root.iter():
        for index in range(len(parent) - 1, 0, -1):
            before, after = parent[index - 1], parent[index]
            if (
                before.tag == "mi"
                and len(before.text or "") > 2
                and not (after.tag == "mo" and after.text in ("(", ")"))
            ):
                parent.insert(index, ET.Element("mspace", width="0.17em"))


def _balanced(latex: str) -> bool:
    depth = 0
    for token in re.findall(r"\\.|[{}]", latex, flags=re.DOTALL):
        depth += {"{": 1, "}": -1}.get(token, 0)
        if depth < 0:
            return False
    return depth == 0


def _without_unknown(latex: str) -> str:
    """Spellings that the converter does not know, in ones that it does."""
    latex = re.sub(r"\\(?:limits|nolimits|displaystyle)(?![A-Za-z])", " ", latex)
    latex = re.sub(r"\\begin{aligned}", r"\\begin{array}{rlrlrl}", latex).replace(r"\end{aligned}", r"\end{array}")
    return re.sub(r"\\operatorname\*?\s*{([^{}]*)}", r"\\mathrm{\1}", latex)


def _tidy(root: ET.Element, *, aligned: bool) -> None:
    """Join letters that spell a word, drop empty fences, mark tables that align equations."""
    for parent in list(root.iter()):
        children: list[ET.Element] = []
        for child in parent:
            if child.tag == "mo" and not (child.text or "").strip():
                continue
            if children and _spells(children[-1], child):
                children[-1].text = f"{children[-1].text}{child.text}"
                continue
            children.append(child)
        parent[:] = children
        if parent.tag == "mtable" and aligned:
            parent.set("class", "aligned")
            parent.set("displaystyle", "true")
        if parent.tag in _LIMITS and parent[0].text in _LARGE:
            parent.tag = _LIMITS[parent.tag]
        _space(parent)


def _space(row: ET.Element) -> None:
    """Signs that stand before what they sign, and bars that stand close to what they enclose."""
    before: ET.Element | None = None
    for node in row:
        opens = before is None or (before.tag == "mo" and before.text not in _CLOSERS)
        if node.tag == "mo" and node.text in {"−", "+", "±"} and opens:
            node.set("form", "prefix")
        elif node.tag == "mo" and node.text == "|" and "form" not in node.attrib:
            node.attrib |= {"lspace": "0", "rspace": "0"}
        before = node


def _spells(before: ET.Element, after: ET.Element) -> bool:
    upright = [node.tag == "mi" and node.get("mathvariant") == "normal" for node in (before, after)]
    return all(upright) and bool((after.text or "").isalpha())
