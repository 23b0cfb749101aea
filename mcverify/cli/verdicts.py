"""An outcome as compact text: verdicts by statement, and in full whatever is not as expected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mcverify.cli.output import number, table
from mcverify.report.prose import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mcverify.outcome import Judged, Outcome, StudyOutcome

FEW = 16
"""Claims of one study that are shown one a line; more are counted by statement."""

SHOWN = 40
"""Claims not as expected that are shown in full."""


def parts(outcome: Outcome) -> Iterator[RenderableType]:
    """What is printed: a table a study, then the claims not as expected, then one line of counts."""
    from rich.text import Text

    for study in outcome.studies:
        yield Text(f"{study.study.id}: {study.study.title}" if study.study.title else study.study.id, style="bold")
        yield _by_claim(study.judged) if len(study.judged) <= FEW else _by_group(study)
        yield Text()
    odd = [(study.study.id, judged) for study in outcome.studies for judged in study.judged if not judged.as_expected]
    odd.sort(key=lambda pair: str(pair[1].row["verdict"]) == "UNDECIDED")  # contradictions first
    for name, judged in odd[:SHOWN]:
        yield Text("\n".join(_in_full(name, judged)))
        yield Text()
    if len(odd) > SHOWN:
        yield Text(f"... and {len(odd) - SHOWN} more claims not as expected; the report has them all.\n")
    yield Text(summary(outcome))


def _by_claim(judged: Sequence[Judged]) -> RenderableType:
    columns = ("claim", "predicted", "observed", "networks", "verdict")
    rows = [
        (
            judged_one.row["claim"],
            number(judged_one.row["predicted"]),
            number(judged_one.row["estimate"]),
            number(judged_one.row["replicates"]),
            f"{judged_one.row['verdict']}{'' if judged_one.as_expected else ' (!)'}",
        )
        for judged_one in judged
    ]
    return table(columns, rows, right=("predicted", "observed", "networks"), spare=("networks",))


def _by_group(study: StudyOutcome) -> RenderableType:
    groups: dict[str, list[Judged]] = {}
    for judged in study.judged:
        groups.setdefault(_group(judged), []).append(judged)
    columns = ("statement", "claims", "expected", "as expected", "not")
    rows = [(name, len(members), _expected(members), *_split(members)) for name, members in groups.items()]
    return table(columns, rows, right=("claims", "as expected", "not"), spare=("expected",))


def _group(judged: Judged) -> str:
    """The statement that a claim is evidence for, or the observable that it is about."""
    if judged.claim.statement is not None:
        return judged.claim.statement.key
    return f"{judged.row['observable']} ({judged.row['statistic']})"


def _expected(members: Sequence[Judged]) -> str:
    return ", ".join(sorted({_wanted(judged) for judged in members}))


def _wanted(judged: Judged) -> str:
    return "-" if judged.row["kind"] == "report" else str(judged.row["expected"])


def _split(members: Sequence[Judged]) -> tuple[int, str]:
    good = sum(judged.as_expected for judged in members)
    return good, str(len(members) - good or "")


def _in_full(study: str, judged: Judged) -> Iterator[str]:
    """A claim that did not come out as expected."""
    row = judged.row
    yield f"{study}: {row['claim']}"
    yield f"  {row['verdict']}, expected {row['expected']}{_because(row['reason'])}"
    numbers = [number(row[name]) for name in ("predicted", "estimate", "replicates", "delta", "low", "high", "margin")]
    yield "  predicted {}, observed {}, {} networks; departure {} in [{}, {}], margin {}".format(*numbers)
    if judged.sentence:
        yield f"  {judged.sentence}"


def _because(reason: object) -> str:
    return f": {reason}" if reason else ""


def summary(outcome: Outcome) -> str:
    """Counts in one line, nothing that is zero but the contradictions."""
    counts = outcome.counts()
    claims = counted(counts["claims"], "claim")
    text = f"{claims}: {counts['as_expected']} as expected, {counts['contradicted']} contradicted"
    if counts["open"]:
        text += f", {counts['open']} open"
    return text + (f"; {counted(counts['REPORTED'], 'number')} reported" if counts["REPORTED"] else "")
