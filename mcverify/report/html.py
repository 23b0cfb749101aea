"""The report as one HTML file that asks nothing of the network."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from importlib.resources import files

from mcverify import __version__
from mcverify.report import prose
from mcverify.report.content import Report
from mcverify.report.evidence import SHOWN_IN_PRINT
from mcverify.report.mathml import Formula, to_html


def page(report: Report, figures: Mapping[str, str], date: datetime) -> str:
    """The whole file; `figures` holds an SVG element by the id of each plot."""
    import jinja2
    from markupsafe import Markup

    def rich(text: prose.Text) -> Markup:
        return Markup("").join(map(_span, text))

    def formula(latex: str) -> Markup:
        return Markup(to_html(Formula(latex, display=True)))

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters |= {"rich": rich, "formula": formula}
    here = files("mcverify.report")
    style, script, template = (here.joinpath(name).read_text() for name in ("style.css", "script.js", "report.html.j2"))
    return environment.from_string(template).render(
        report=report,
        figures={name: Markup(svg) for name, svg in figures.items()},
        symbols=prose.SYMBOLS,
        exactness=prose.EXACTNESS,
        introduction=prose.INTRODUCTION,
        verdicts=prose.VERDICTS,
        notes=prose.NOTES,
        shown=SHOWN_IN_PRINT,
        version=__version__,
        date=f"{date.day} {date:%B %Y}",
        style=Markup(re.sub(r"\n\s*", "\n", style)),
        script=Markup(script),
        script_hash=Markup(_hash("\n" + script)),
    )


def _span(span: prose.Span) -> str:
    from markupsafe import Markup

    if span.kind in ("math", "display"):
        return Markup(to_html(Formula(span.text, display=span.kind == "display")))
    return Markup("<code>{}</code>").format(span.text) if span.kind == "code" else span.text


def _hash(script: str) -> str:
    """The script's hash, so that no other script runs."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
