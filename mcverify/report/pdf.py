"""The report as a tagged PDF, set by Typst: the same content in the same order, long tables cut to their worst rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from mcverify import __version__
from mcverify.report import prose
from mcverify.report.content import Derivation, Fact, Link, Report, StatementPart, StudyPart
from mcverify.report.evidence import SHOWN_IN_PRINT, Evidence, worst
from mcverify.report.mathml import Formula
from mcverify.report.plots import Plot
from mcverify.report.prose import Span, Text
from mcverify.report.typstmath import to_typst


def document(report: Report, figures: Mapping[str, str], date: datetime) -> bytes:
    """The PDF's bytes (PDF/UA-1); `figures` holds an SVG text by the id of each plot.

    A formula that Typst refuses is shown as its LaTeX source.
    """
    import typst

    data = _report(report, date) | {"figures": dict(figures)}
    try:
        return _compile(data, date)
    except typst.TypstError:
        return _compile(_without_refused(data), date)


def _compile(data: Mapping[str, Any], date: datetime) -> bytes:
    import typst

    template = files("mcverify.report").joinpath("report.typ").read_bytes()
    compiler: Any = typst.Compiler
    made = compiler(template, font_paths=[str(_fonts())], ignore_system_fonts=True).compile(
        format="pdf",
        sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
        pdf_standards="ua-1",
        timestamp=date,
    )
    return bytes(made)


def _fonts() -> Path:
    """The fonts that matplotlib brings: the plots are drawn for them, and they are the same on every machine."""
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"


def _without_refused(data: Any) -> Any:
    """The data with the Typst text of every formula that does not compile alone taken out."""
    if isinstance(data, Mapping):
        refused = isinstance(data.get("typst"), str) and not _compiles(data["typst"])
        return {k: None if k == "typst" and refused else _without_refused(value) for k, value in data.items()}
    return [_without_refused(entry) for entry in data] if isinstance(data, list | tuple) else data


def _compiles(mathematics: str) -> bool:
    import typst

    source = b'#math.equation(eval(sys.inputs.formula, mode: "math"))'
    compiler: Any = typst.Compiler
    try:
        compiler(source, ignore_system_fonts=True).compile(format="svg", sys_inputs={"formula": mathematics})
    except typst.TypstError:
        return False
    return True


def _report(report: Report, date: datetime) -> dict[str, Any]:
    tally = report.tally
    counts = (("SUPPORTED", tally.supported), ("REFUTED", tally.refuted), ("UNDECIDED", tally.undecided))
    shown = [{"verdict": name, "count": count, "label": name} for name, count in counts]
    expected = {"verdict": "", "count": tally.as_expected, "label": f"as expected, of {tally.claims}"}
    return {
        "title": report.title,
        "summary": report.summary,
        "contradicted": report.contradicted > 0,
        "command": report.command,
        "version": __version__,
        "date": {"year": date.year, "month": date.month, "day": date.day},
        "day": f"{date.day} {date:%B %Y}",
        "counts": [*shown, expected],
        "symbols": prose.SYMBOLS,
        "introduction": prose.INTRODUCTION,
        "verdicts": prose.VERDICTS,
        "notes": prose.NOTES,
        "forests": _plots(report.forests),
        "studies": [_study(study) for study in report.studies],
        "provenance": [_fact(fact) for fact in report.provenance],
    }


def _study(study: StudyPart) -> dict[str, Any]:
    return {
        "number": study.number,
        "id": study.id,
        "title": study.title,
        "question": _spans(study.question),
        "command": study.command,
        "tally": asdict(study.tally) | {"claims": study.tally.claims},
        "forests": _plots(study.forests),
        "plots": _plots(study.plots),
        "statements": [_statement(statement) for statement in study.statements],
    }


def _statement(part: StatementPart) -> dict[str, Any]:
    return {
        **{name: getattr(part, name) for name in ("anchor", "number", "role", "is_control", "entry", "expected")},
        **{name: getattr(part, name) for name in ("verdict", "as_expected", "reason")},
        "says": _spans(part.says),
        "formula": _formula(part.formula),
        "headline": _formula(part.headline),
        "source": _source(part),
        "tally": asdict(part.tally),
        "why": _spans(part.why),
        "correction": _link(part.correction) if part.correction else None,
        "corrects": [_link(link) for link in part.corrects],
        "evidence": _table(part.evidence),
        "controls": _table(part.controls),
        "derivations": [_derivation(derivation) for derivation in part.derivations],
        "plots": _plots(part.plots),
    }


def _source(part: StatementPart) -> dict[str, Any] | None:
    if part.source is None:
        return None
    section = f"section “{part.source.section}”" if part.source.section else ""
    place = ", ".join(words for words in (part.source.text, section, part.source.paragraph) if words)
    return {"place": place, "formula": _formula(part.source.formula)}


def _link(link: Link) -> dict[str, Any]:
    return {"anchor": link.anchor, "number": link.number, "says": _spans(link.says), "verdict": link.verdict}


def _table(rows: Sequence[Evidence]) -> dict[str, Any]:
    kept = rows if len(rows) <= SHOWN_IN_PRINT else worst(rows, SHOWN_IN_PRINT)
    names = ("verdict", "reason", "as_expected", "expected", "name", "network", "observable", "layer")
    numbers = ("predicted", "estimate", "departure", "interval", "margin", "replicates")
    return {"rows": [{name: getattr(row, name) for name in (*names, *numbers)} for row in kept], "all": len(rows)}


def _derivation(derivation: Derivation) -> dict[str, Any]:
    exactness = prose.EXACTNESS.get(derivation.exactness, derivation.exactness)
    reference: Text = (Span("text", "Reference: "), *derivation.reference) if derivation.reference else ()
    return {
        "formulas": [[place, _formula(latex)] for place, latex in derivation.formulas],
        "others": derivation.others,
        "steps": [_spans(step) for step in derivation.steps],
        "assumptions": [_spans(assumption) for assumption in derivation.assumptions],
        "exactness": f"Exactness: {exactness}." if exactness else "",
        "reference": _spans(reference),
    }


def _plots(plots: Iterable[Plot]) -> list[dict[str, Any]]:
    return [{"id": p.id, "title": _spans(p.title), "how": _spans(p.how_to_read), "alt": p.alt} for p in plots]


def _spans(text: Text) -> list[dict[str, Any]]:
    return [
        {"kind": span.kind, "text": span.text}
        | ({"typst": to_typst(Formula(span.text))} if span.kind in ("math", "display") else {})
        for span in text
    ]


def _formula(latex: str) -> dict[str, Any] | None:
    return {"text": latex, "typst": to_typst(Formula(latex))} if latex else None


def _fact(fact: Fact) -> dict[str, Any]:
    return {"name": fact.name, "value": fact.value, "parts": [_fact(part) for part in fact.parts]}
