"""What a run says: one row a claim, whether all came out as expected, and the exit code that says so."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from mcverify.claim import AnyClaim
    from mcverify.network import Network
    from mcverify.picture import Picture
    from mcverify.statement import Statement
    from mcverify.study import Study

SCHEMA_VERSION = 1

COLUMNS = (
    "claim",
    "study",
    "observable",
    "layer",
    "statistic",
    "kind",
    "expected",
    "exactness",
    "predicted",
    "estimate",
    "delta",
    "low",
    "high",
    "support_low",
    "support_high",
    "margin",
    "test",
    "log10_p",
    "verdict",
    "reason",
    "replicates",
    "replicates_needed",
    "detectable",
)
"""Columns of a row: `low, high` bound delta at the level of refutation, `support_low, support_high` at that of
support; `delta` is log(estimate/predicted), or the difference in nats, or in standard deviations of one network."""

OK, CONTRADICTED, USAGE, UNDECIDED, INTERNAL = 0, 1, 2, 3, 4  # exit codes


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Predicted and simulated by layer, for one observable of one network: what a report plots.

    `predicted[i]` is NaN where the theory says nothing; `simulated` and `standard_error` are over `replicates`.
    """

    network: str
    observable: str
    statement: str  # key
    layers: tuple[int, ...]
    predicted: tuple[float, ...]
    claimed: tuple[float, ...]  # what the claim says, where it differs from the theory; else empty
    simulated: tuple[float, ...]
    standard_error: tuple[float, ...]
    replicates: int


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Values of one observable over networks, and the predicted density over the same axis where it is known."""

    network: str
    observable: str
    layer: int
    statement: str
    edges: tuple[float, ...]
    density: tuple[float, ...]
    law_x: tuple[float, ...] = ()
    law_density: tuple[float, ...] = ()
    law: str = ""
    replicates: int = 0


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A claim with its verdict, as the row that frames and files show, and what a report says beside it."""

    claim: AnyClaim
    row: Mapping[str, Any]
    network: str = ""  # label
    formula: str = ""  # LaTeX of the prediction's expression
    derivation: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    reference: str = ""
    sentence: str = ""  # the verdict as a sentence that says what to do next

    @property
    def as_expected(self) -> bool:
        """Whether the verdict is the expected one (a report is never judged)."""
        return bool(self.row["kind"] == "report" or self.row["verdict"] == self.row["expected"])


@dataclass(frozen=True, kw_only=True)
class StudyOutcome:
    """One study's claims with their verdicts, and the data of its plots."""

    study: Study
    judged: tuple[Judged, ...]
    networks: tuple[Network, ...] = ()
    profiles: tuple[Profile, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    pictures: tuple[Picture, ...] = ()

    def of(self, statement: Statement) -> tuple[Judged, ...]:
        """The claims that are evidence for a statement."""
        return tuple(j for j in self.judged if j.claim.statement and j.claim.statement.key == statement.key)


@dataclass(frozen=True, kw_only=True, repr=False)
class Outcome:
    """The verdicts of one or more studies; a pure function of studies and stored results.

    Attributes:
        command: The exact command that reruns it.
        provenance: Versions, machine, seeds, levels, cost.
    """

    studies: tuple[StudyOutcome, ...]
    command: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        counts = self.counts()
        shown = ", ".join(f"{counts[name]} {name}" for name in ("SUPPORTED", "REFUTED", "UNDECIDED", "REPORTED"))
        return f"<Outcome: {shown}; {counts['as_expected']} of {counts['claims']} as expected>"

    def rows(self) -> list[dict[str, Any]]:
        """One dict a claim, with the keys of `COLUMNS`."""
        return [dict(judged.row) for judged in self._judged()]

    def frame(self) -> pd.DataFrame:
        """The rows as a table."""
        import pandas as pd

        return pd.DataFrame(self.rows(), columns=list(COLUMNS))

    def counts(self) -> dict[str, int]:
        """How many rows have each verdict, and how many came out as expected, opposite, or open."""
        rows = [j for j in self._judged() if j.row["kind"] != "report"]
        verdicts = [j.row["verdict"] for j in rows]
        opposite = sum(_opposite(j.row) for j in rows)
        as_expected = sum(j.as_expected for j in rows)
        return {
            "claims": len(rows),
            **{name: verdicts.count(name) for name in ("SUPPORTED", "REFUTED", "UNDECIDED")},
            "REPORTED": sum(j.row["kind"] == "report" for j in self._judged()),
            "as_expected": as_expected,
            "contradicted": opposite,
            "open": len(rows) - as_expected - opposite,
        }

    @property
    def passed(self) -> bool:
        """Whether every verdict is the expected one."""
        return all(judged.as_expected for judged in self._judged())

    @property
    def exit_code(self) -> int:
        """0 all as expected; 1 some verdict is the opposite of the expected one; 3 some are open."""
        counts = self.counts()
        if counts["contradicted"]:
            return CONTRADICTED
        return UNDECIDED if counts["open"] else OK

    def to_json(self) -> str:
        """The document of results.json: rows, counts and provenance; NaN and infinities as null."""
        document = {
            "schema_version": SCHEMA_VERSION,
            "command": self.command,
            "rows": [{key: _plain(value) for key, value in row.items()} for row in self.rows()],
            "counts": self.counts(),
            "provenance": dict(self.provenance),
        }
        return json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"

    def report(self, folder: str | Path) -> Path:
        """Write report.html, report.pdf and results.json into a folder that is empty or absent; return it.

        Raises:
            OutputError: if the folder is not empty or cannot be written.
        """
        from mcverify.report import write

        return write(self, Path(folder))

    def _judged(self) -> Iterator[Judged]:
        for study in self.studies:
            yield from study.judged


def _opposite(row: Mapping[str, Any]) -> bool:
    decided = {"SUPPORTED", "REFUTED"}
    return row["verdict"] in decided and row["expected"] in decided and row["verdict"] != row["expected"]


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
