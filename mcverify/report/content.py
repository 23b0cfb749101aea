"""What a report says, as plain frozen data; HTML and PDF show the same. Nothing is drawn here."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcverify.outcome import Judged, Outcome, StudyOutcome
from mcverify.report import forest, plots, prose
from mcverify.report.evidence import Evidence, Tally, overall, reason, table, tally
from mcverify.report.plots import Plot
from mcverify.report.prose import Text, counted, spans
from mcverify.statement import Role, Source, Statement

if TYPE_CHECKING:
    from mcverify.study import Study

ROLE_WORDS = {
    Role.SOURCE: "as a text states it",
    Role.CORRECTED: "corrected statement",
    Role.CONTROL: "control, false on purpose",
}


@dataclass(frozen=True, kw_only=True)
class Derivation:
    """How a prediction comes about; the claims that share it are shown once, with two of their formulas."""

    formulas: tuple[tuple[str, str], ...]  # (which claim, LaTeX)
    others: int
    steps: tuple[Text, ...]
    assumptions: tuple[Text, ...]
    exactness: str
    reference: Text


@dataclass(frozen=True, kw_only=True)
class Link:
    """Another statement of the same study."""

    anchor: str
    number: str
    says: Text
    verdict: str


@dataclass(frozen=True, kw_only=True)
class StatementPart:
    """A statement with all that speaks for and against it."""

    anchor: str
    number: str
    key: str
    says: Text
    formula: str
    role: str
    is_control: bool
    entry: str
    source: Source | None
    expected: str
    verdict: str
    as_expected: bool
    tally: Tally
    reason: str
    why: Text
    correction: Link | None
    corrects: tuple[Link, ...]
    evidence: tuple[Evidence, ...]
    controls: tuple[Evidence, ...]
    derivations: tuple[Derivation, ...]
    plots: tuple[Plot, ...]

    @property
    def headline(self) -> str:
        """The formula to show beside the words: our own, else the source's."""
        return self.formula or (self.source.formula if self.source else "")


@dataclass(frozen=True, kw_only=True)
class StudyPart:
    """A study: what it asks, its forest plots, its statements."""

    anchor: str
    number: str
    id: str
    title: str
    question: Text
    command: str
    tally: Tally
    forests: tuple[Plot, ...]
    plots: tuple[Plot, ...]
    statements: tuple[StatementPart, ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything a report shows, in its order."""

    title: str
    summary: str
    command: str
    tally: Tally
    contradicted: int
    open: int
    forests: tuple[Plot, ...]
    studies: tuple[StudyPart, ...]
    provenance: tuple[Fact, ...]


@dataclass(frozen=True)
class Fact:
    """A line of provenance: a value, or facts below it."""

    name: str
    value: str = ""
    parts: tuple[Fact, ...] = ()


def content(outcome: Outcome) -> Report:
    """The report on an outcome, as data."""
    studies = tuple(_study(outcome, part, number) for number, part in enumerate(outcome.studies, 1))
    judged = [j for part in outcome.studies for j in part.judged]
    counts = outcome.counts()
    return Report(
        title=_title(outcome),
        summary=_summary(counts, len(studies)),
        command=outcome.command,
        tally=tally(judged),
        contradicted=counts["contradicted"],
        open=counts["open"],
        forests=_overview(outcome),
        studies=studies,
        provenance=facts(outcome.provenance),
    )


def _title(outcome: Outcome) -> str:
    if len(outcome.studies) == 1:
        study = outcome.studies[0].study
        return prose.plain(study.title or study.id)
    return "Statements about random neural networks, tested"


def _summary(counts: Mapping[str, int], studies: int) -> str:
    claims = f"{counted(counts['claims'], 'claim')} in {counted(studies, 'study', 'studies')}".replace(",", "\u202f")
    if counts["contradicted"]:
        open_too = f", and {counts['open']} are open" if counts["open"] else ""
        return f"{claims}: {counts['contradicted']} came out opposite to what was expected{open_too}."
    if counts["open"]:
        return f"{claims}: nothing contradicts what was expected; {counts['open']} not settled as expected."
    return f"{claims}: every verdict is the expected one."


def _overview(outcome: Outcome) -> tuple[Plot, ...]:
    """One row a statement, all studies together."""
    groups = []
    for number, part in enumerate(outcome.studies, 1):
        rows = [
            forest.row(f"{number}.{i} {statement.key}", claims, control=statement.role is Role.CONTROL)
            for i, (statement, claims) in enumerate(_statements(part), 1)
        ]
        kept = tuple(row for row in rows if row is not None)
        groups.append(forest.ForestGroup(f"{number} {part.study.id}", kept) if kept else None)
    return plots.forests("all", groups)


def _study(outcome: Outcome, part: StudyOutcome, number: int) -> StudyPart:
    study, statements = part.study, _statements(part)
    controls = {control.name for control in study.controls}
    groups = []
    for i, (statement, claims) in enumerate(statements, 1):
        mine, false_on_purpose = _apart(claims, controls, statement)
        control = statement.role is Role.CONTROL
        groups.append(forest.group(f"{number}.{i} {statement.key}", mine, control=control))
        groups.append(forest.group(f"{number}.{i} {statement.key}: controls", false_on_purpose, control=True))
    parts = [_statement(part, s, claims, f"{number}.{i}") for i, (s, claims) in enumerate(statements, 1)]
    keys = {statement.key for statement, _ in statements}
    return StudyPart(
        anchor=f"study-{number}",
        number=str(number),
        id=study.id,
        title=prose.plain(study.title or study.id),
        question=spans(study.question),
        command=command_of(outcome.command, study, [p.study.id for p in outcome.studies]),
        tally=tally(part.judged),
        forests=plots.forests(str(number), groups),
        plots=plots.of_statement(part, "", number, [p for p in part.pictures if p.statement not in keys]),
        statements=_linked(parts, [statement for statement, _ in statements]),
    )


def _statements(part: StudyOutcome) -> list[tuple[Statement, list[Judged]]]:
    """Statements with their claims, in order; claims without one are gathered by what they observe."""
    found: dict[str, tuple[Statement, list[Judged]]] = {s.key: (s, []) for s in part.study.statements}
    for judged in part.judged:
        statement = judged.claim.statement or _implied(judged)
        found.setdefault(statement.key, (statement, []))[1].append(judged)
    return list(found.values())


def _implied(judged: Judged) -> Statement:
    """The statement that claims of one observable stand for where none is given."""
    from mcverify.statement import Expected

    row = judged.row
    what = row["observable"] or row["kind"]
    over = f"{row['statistic']} over networks of `{what}`" if row["kind"] == "statistical" else f"`{what}`"
    expected = Expected(row["expected"]) if row["kind"] != "report" else Expected.SUPPORTED
    refuted = expected is Expected.REFUTED
    return Statement(
        key=f"{what}-{row['statistic']}{'-control' if refuted else ''}" if row["statistic"] else str(what),
        says=f"The {over} {'is not' if refuted else 'is'} what the theory predicts, at every layer named below.",
        expected=expected,
        role=Role.CONTROL if refuted else Role.CORRECTED,
    )


def _apart(claims: Sequence[Judged], controls: set[str], statement: Statement) -> tuple[list[Judged], list[Judged]]:
    """A statement's claims, and the controls that are made from it."""
    if statement.role is Role.CONTROL:
        return list(claims), []
    return [j for j in claims if j.claim.name not in controls], [j for j in claims if j.claim.name in controls]


def _statement(part: StudyOutcome, statement: Statement, claims: list[Judged], number: str) -> StatementPart:
    mine, controls = _apart(claims, {control.name for control in part.study.controls}, statement)
    counts = tally(mine)
    pictures = [picture for picture in part.pictures if picture.statement == statement.key]
    return StatementPart(
        anchor=f"statement-{number.replace('.', '-')}",
        number=number,
        key=statement.key,
        says=spans(statement.says),
        formula=statement.formula,
        role=ROLE_WORDS[statement.role],
        is_control=statement.role is Role.CONTROL,
        entry=statement.entry,
        source=statement.source,
        expected=str(statement.expected) if counts.claims else "",
        verdict=overall(counts),
        as_expected=all(j.as_expected for j in claims),
        tally=counts,
        reason=reason(mine),
        why=spans(statement.why),
        correction=None,
        corrects=(),
        evidence=table(mine),
        controls=table(controls),
        derivations=_derivations(mine),
        plots=plots.of_statement(part, statement.key, number, pictures),
    )


def _linked(parts: Sequence[StatementPart], statements: Sequence[Statement]) -> tuple[StatementPart, ...]:
    """Statements with links to what corrects them, and back."""
    from dataclasses import replace

    links = {p.key: Link(anchor=p.anchor, number=p.number, says=p.says, verdict=p.verdict) for p in parts}
    back: dict[str, list[Link]] = {}
    for statement in statements:
        if statement.correction:
            back.setdefault(statement.correction, []).append(links[statement.key])
    return tuple(
        replace(part, correction=links.get(statement.correction or ""), corrects=tuple(back.get(part.key, ())))
        for part, statement in zip(parts, statements, strict=True)
    )


def _derivations(claims: Sequence[Judged]) -> tuple[Derivation, ...]:
    """Derivations, each once, with the first and the last of the formulas that it leads to."""
    found: dict[tuple[Any, ...], dict[str, str]] = {}
    for j in claims:
        if j.formula or j.derivation or j.assumptions or j.reference:
            key = (j.derivation, j.assumptions, str(j.row["exactness"] or ""), j.reference)
            found.setdefault(key, {}).setdefault(j.formula, _of_claim(j))
    return tuple(
        Derivation(
            formulas=_first_and_last([(where, latex) for latex, where in formulas.items() if latex]),
            others=max(0, len(formulas) - 2),
            steps=tuple(map(spans, steps)),
            assumptions=tuple(map(spans, assumptions)),
            exactness=exactness,
            reference=spans(reference),
        )
        for (steps, assumptions, exactness, reference), formulas in found.items()
    )


def _first_and_last(formulas: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(formulas) if len(formulas) < 3 else (formulas[0], formulas[-1])


def _of_claim(judged: Judged) -> str:
    row = judged.row
    layer = "" if row["layer"] is None else f", layer {row['layer']}"
    return f"{row['statistic'] or 'value'} of {row['observable']}{layer}" if row["observable"] else str(row["claim"])


def command_of(command: str, study: Study, together: Sequence[str]) -> str:
    """The command for one study of a run: the run's own, with the other studies' names left out.

    >>> from types import SimpleNamespace
    >>> command_of("mcverify verify --seed 0", SimpleNamespace(id="relu_halving"), ["relu_halving", "forward_variance"])
    'mcverify verify relu_halving --seed 0'
    """
    from mcverify.study import SHIPPED

    words = shlex.split(command)
    if words[:2] != ["mcverify", "verify"] or study.id not in SHIPPED or len(together) == 1:
        return command
    rest = [word for word in words[2:] if word not in together]
    if len(rest) == len(words) - 2 and rest and not rest[0].startswith("-"):
        return command
    return shlex.join(["mcverify", "verify", study.id, *rest])


def facts(values: Any) -> tuple[Fact, ...]:
    """Nested mappings and lists as lines of provenance.

    >>> facts({"seed": 0, "time": {"wall_seconds": 2}})[1].parts
    (Fact(name='wall seconds', value='2', parts=()),)
    """
    if isinstance(values, Mapping):
        return tuple(_fact(str(name), value) for name, value in values.items())
    return tuple(_fact(str(i), value) for i, value in enumerate(values, 1))


def _fact(name: str, value: Any) -> Fact:
    name = name.replace("_", " ")
    if isinstance(value, Mapping):
        return Fact(name, parts=facts(value))
    if isinstance(value, Sequence) and not isinstance(value, str):
        nested = any(isinstance(entry, Mapping | list | tuple) for entry in value)
        return Fact(name, parts=facts(value)) if nested else Fact(name, ", ".join(map(str, value)) or "none")
    return Fact(name, "none" if value is None else str(value))


def all_plots(report: Report) -> tuple[Plot, ...]:
    """Every plot of a report, in its order."""
    found = list(report.forests)
    for study in report.studies:
        found += [*study.forests, *study.plots]
        found += [plot for statement in study.statements for plot in statement.plots]
    return tuple(found)
