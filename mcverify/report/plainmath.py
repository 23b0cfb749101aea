r"""Formulas for a terminal: a MathML tree to one line of text, such as E h_l² = v_l ∑_j E x_j² + β_l."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from xml.etree import ElementTree as ET

from mcverify.report.mathml import Formula, tree
from mcverify.report.prose import spans

_PRIMES = re.compile("[′″‴⁗']+")
_POWERED = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻′″‴⁗]$")
_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_BINARY = set("=<>≤≥≈∼~≠+−-→∝⊙×∈∣")
_WORD = re.compile(r"[\w.′']+")
_GREEK = {
    **{"phi": "φ", "delta": "δ", "gamma": "γ", "beta": "β", "epsilon": "ε", "kappa": "κ"},
    **{"mu": "μ", "sigma": "σ", "psi": "ψ", "rho": "ρ", "pi": "π"},
}
_SPELLED = re.compile(rf"(?<![A-Za-z_])({'|'.join(_GREEK)})(?=\b|_)")


def in_plain_text(text: str) -> str:
    r"""A sentence whose formulas stand between dollar signs, with the formulas as plain text.

    >>> in_plain_text(r"So $E\varphi(h)^2 = \frac{1+a^2}{2} E h^2$.")
    'So Eφ(h)² = (1 + a²)/2 E h².'
    """
    return "".join(to_text(span.text) if span.kind in ("math", "display") else span.text for span in spans(text))


def in_symbols(text: str) -> str:
    """A sentence whose formulas are spelled in ASCII, with the symbols that formulas in plain text have.

    >>> in_symbols("E phi'(h)^2 is (1 + a^2)/2, over 1-2^-N; delta_l times x_{l-1}.")
    'E φ′(h)² is (1 + a²)/2, over 1−2^(−N); δ_l times x_(l−1).'
    """
    text = _SPELLED.sub(lambda found: _GREEK[found[0]], text).replace("φ'", "φ′")
    text = (
        text.replace("sqrt(", "√(")
        .replace(" -> ", " → ")
        .replace("dloss/d", "∂loss/∂")
        .replace("!=", "≠")
        .replace("chi2", "χ²")
    )
    text = re.sub(r"\^\d+(?!\w|\.\d)", lambda found: found[0][1:].translate(_SUPERSCRIPTS), text)
    text = re.sub(r"([_^])\{([^{}]*)\}|([_^])(-\w+)", _script, text)
    return re.sub(r"(?<=[\w)²⁴] )-(?= [\w(|])|(?<=[ =(])-(?=[\w(])|(?<=\d)-(?=\w)", "−", text)


def _script(found: re.Match[str]) -> str:
    sign, inside = found[1] or found[3], found[2] or found[4]
    return f"{sign}({inside.replace('-', '−')})"


@lru_cache(maxsize=4096)
def to_text(latex: str) -> str:
    r"""One line of text for a formula; its LaTeX where that cannot be read.

    >>> to_text(r"v_l \sum_{j=1}^{n} x_{l-1}^2 + \beta_l")
    'v_l ∑_(j=1)^n x_(l−1)² + β_l'
    """
    root = tree(Formula(latex))
    return latex if root is None else re.sub(r" +(?=[)\],;]|$)", "", re.sub(r" +", " ", _node(root))).strip()


def _node(node: ET.Element) -> str:
    children = list(node)
    if not children and node.tag != "mspace":
        return _leaf(node)
    return _RULES.get(node.tag, _row)(children)


def _leaf(node: ET.Element) -> str:
    text = node.text or ""
    if node.tag == "mo" and text.strip() in _BINARY:
        return f" {text.strip()} "
    if node.tag == "mo" and text.strip() == ",":
        return ", "
    return text if node.tag == "mtext" else text.strip()


def _row(children: list[ET.Element]) -> str:
    """Neighbours on one line; a space where two names would run together, none after a sign in front."""
    line = ""
    for child in children:
        piece = _node(child)
        if not line.strip() or line.endswith(("(", "[", "|", ", ")):
            piece = re.sub(r"^ ([+−-]) ", r"\1", piece)
        if line and piece and _runs_together(line, piece):
            line += " "
        line += piece
    return line


def _runs_together(line: str, piece: str) -> bool:
    letters = line[-1].isalnum() or line[-1] in ")²³⁴⁰¹⁵⁶⁷⁸⁹′″‴"
    return letters and (piece[0].isalnum() or piece[0] in "∑∏√") and not (piece[0] in "φψσ" and line[-1] == "E")


def _base(node: ET.Element, powered: bool = False) -> str:
    """What scripts are put at: in brackets unless it is one name or closed, or if it has a power already."""
    text = _node(node).strip()
    closed = re.fullmatch(r"[\w.′″‴⁗]+(\^\w+)?|.|.*\)", text)
    return text if closed and not (powered and _POWERED.search(text)) else f"({text})"


def _tight(node: ET.Element) -> str:
    return _node(node).replace(" ", "")


def _below(node: ET.Element) -> str:
    text = _tight(node)
    return f"_{text}" if _WORD.fullmatch(text) and "_" not in text else f"_({text})"


def _above(node: ET.Element) -> str:
    text = _tight(node)
    if re.fullmatch(r"[−-]?\d+", text):
        return text.replace("−", "-").translate(_SUPERSCRIPTS)
    if _PRIMES.fullmatch(text):
        return _primes(text)
    if text in ("*", "∗", "ˆ", "^", "¯"):
        return text
    return f"^{text}" if text.isalpha() or text.isdigit() else f"^({text})"


def _primes(text: str) -> str:
    """So many primes as one sign."""
    count = sum({"″": 2, "‴": 3, "⁗": 4}.get(sign, 1) for sign in text)
    return {2: "″", 3: "‴", 4: "⁗"}.get(count, "′" * count)


def _raised(base: str, node: ET.Element) -> str:
    """A base with what stands above it; of primes and a power the primes first, as in (φ′)²."""
    children = list(node)
    leading = 0
    while node.tag == "mrow" and leading < len(children) and _PRIMES.fullmatch(_tight(children[leading])):
        leading += 1
    if not leading or leading == len(children):
        return base + _above(node)
    primes = _primes("".join(map(_tight, children[:leading])))
    power = ET.Element("mrow")
    power.extend(children[leading:])
    return f"({base}{primes}){_above(power)}"


def _bracketed(node: ET.Element) -> str:
    """Numerator or denominator: in brackets unless it is one factor, such as a_(l−1)²."""
    text = _node(node).strip()
    return text if re.fullmatch(r"[\w²³⁴⁵⁶⁷⁸⁹.′]+(_\([\w+−]+\))?[²³⁴]?", text) else f"({text})"


def _bracketed_always(text: str) -> str:
    text = text.strip()
    return text if _WORD.fullmatch(text) else f"({text})"


def _fraction(children: list[ET.Element]) -> str:
    return f"{_bracketed(children[0])}/{_bracketed(children[1])} "


def _table(children: list[ET.Element]) -> str:
    return "; ".join(" ".join(_node(cell) for cell in row) for row in children)


_RULES: dict[str, Callable[[list[ET.Element]], str]] = {
    "mfrac": _fraction,
    "msqrt": lambda children: f"√{_bracketed_always(_row(children))}",
    "mroot": lambda children: f"{_bracketed(children[0])}^(1/{_node(children[1]).strip()})",
    "msub": lambda children: _base(children[0]) + _below(children[1]),
    "munder": lambda children: _base(children[0]) + _below(children[1]),
    "msup": lambda children: _raised(_base(children[0], powered=True), children[1]),
    "mover": lambda children: _base(children[0]) + _above(children[1]),
    "msubsup": lambda children: _raised(_base(children[0]) + _below(children[1]), children[2]),
    "munderover": lambda children: _base(children[0]) + _below(children[1]) + _above(children[2]),
    "mspace": lambda children: " ",
    "mtable": _table,
}
