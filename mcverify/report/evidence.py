"""Claims as the rows of a table, and many of them as one verdict with its reason."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mcverify.outcome import Judged
from mcverify.report import numbers
from mcverify.report.prose import Text, plain, spans
from mcverify.sentences import REASONS

SHOWN_IN_PRINT = 8
"""Longest evidence table that is printed whole; of a longer one the farthest departures are."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One claim in a table; all entries are ready to be shown. `severity` sorts, the worst is largest."""

    name: str
    network: str
    observable: str
    layer: str
    predicted: str
    estimate: str
    departure: str
    interval: str
    margin: str
    verdict: str
    expected: str
    as_expected: bool
    reason: str
    sentence: Text
    replicates: str
    p_value: str
    test: str
    severity: float


@dataclass(frozen=True)
class Tally:
    """How many claims got each verdict, and how many the expected one."""

    supported: int = 0
    refuted: int = 0
    undecided: int = 0
    reported: int = 0
    as_expected: int = 0

    @property
    def claims(self) -> int:
        """All that are judged."""
        return self.supported + self.refuted + self.undecided


def tally(judged: Sequence[Judged]) -> Tally:
    """Counts over claims; what is only reported is counted apart."""
    rows = [j for j in judged if j.row["kind"] != "report"]
    verdicts = Counter(j.row["verdict"] for j in rows)
    return Tally(
        verdicts["SUPPORTED"],
        verdicts["REFUTED"],
        verdicts["UNDECIDED"],
        len(judged) - len(rows),
        sum(j.as_expected for j in rows),
    )


def overall(counts: Tally) -> str:
    """The verdict of a statement from those of its claims: one counter-example refutes it.

    >>> overall(Tally(supported=3)), overall(Tally(supported=3, refuted=1)), overall(Tally(supported=3, undecided=1))
    ('SUPPORTED', 'REFUTED', 'UNDECIDED')
    """
    if counts.refuted:
        return "REFUTED"
    if counts.undecided:
        return "UNDECIDED"
    if counts.supported:
        return "SUPPORTED"
    return "REPORTED" if counts.reported else ""


def scale_of(judged: Judged) -> str:
    """On which scale the departure is: "relative", "log" (nats), "zero" (standard deviations) or "" (exact checks)."""
    row = judged.row
    if row["kind"] != "statistical":
        return ""
    if str(row["observable"]).endswith(".log_second_moment") and row["statistic"] == "mean":
        return "log"
    return "zero" if numbers.real(row["predicted"]) == 0 else "relative"


def band_of(judged: Judged) -> float:
    """Half width of the margin on the departure's scale; NaN where there is none."""
    margin = numbers.real(judged.row["margin"])
    return math.log1p(margin) if scale_of(judged) == "relative" else margin


def table(judged: Sequence[Judged]) -> tuple[Evidence, ...]:
    """Rows in the order of the claims, decimal points in one line."""
    predicted = numbers.aligned([numbers.number(j.row["predicted"], 6, trim=True) for j in judged])
    estimates = numbers.aligned([_estimate(j) for j in judged])
    return tuple(_evidence(*entry) for entry in zip(judged, predicted, estimates, strict=True))


def _estimate(judged: Judged) -> str:
    row = judged.row
    if scale_of(judged) == "relative":
        return numbers.estimate(row["estimate"], row["low"], row["high"])
    return numbers.number(row["estimate"], 4)


def _evidence(judged: Judged, predicted: str, estimate: str) -> Evidence:
    row, scale = judged.row, scale_of(judged)
    return Evidence(
        name=own_name(judged),
        network=judged.network,
        observable=_observable(judged),
        layer=_layer(row["layer"]),
        predicted=predicted,
        estimate=estimate,
        departure=numbers.departure(row["delta"], scale) if scale else numbers.NOTHING,
        interval=numbers.interval(row["low"], row["high"], scale) if scale else numbers.NOTHING,
        margin=_margin(judged),
        verdict=str(row["verdict"]),
        expected="" if row["kind"] == "report" else str(row["expected"]),
        as_expected=judged.as_expected,
        reason=str(row["reason"] or ""),
        sentence=spans(judged.sentence),
        replicates=numbers.count(row["replicates"]),
        p_value=_p_value(row["log10_p"]),
        test=str(row["test"] or ""),
        severity=_severity(judged),
    )


def own_name(judged: Judged) -> str:
    """The claim's name; empty where it only repeats what is measured on which network."""
    name = str(judged.row["claim"])
    repeats = judged.network and judged.network in name and str(judged.row["observable"]) in name
    return "" if repeats else name


def _layer(layer: object) -> str:
    value = numbers.real(layer)
    return "" if math.isnan(value) or value < 0 else str(int(value))


def _observable(judged: Judged) -> str:
    row = judged.row
    if row["kind"] == "report":
        return getattr(judged.claim, "unit", "") or "reported number"
    if row["kind"] == "identity":
        return "largest residual"
    return f"{'variance of ' if row['statistic'] == 'variance' else ''}{row['observable']}"


def _margin(judged: Judged) -> str:
    margin, scale = numbers.real(judged.row["margin"]), scale_of(judged)
    if math.isnan(margin) or not scale:
        return numbers.number(margin, 2)
    if scale == "relative":
        return f"{numbers.number(100 * margin, 3, trim=True)} %"
    return f"{numbers.number(margin, 3, trim=True)} {'nats' if scale == 'log' else 'sd'}"


def _p_value(log10_p: object) -> str:
    value = numbers.real(log10_p)
    if math.isnan(value):
        return numbers.NOTHING
    if value > -4:
        return numbers.number(10**value, 2)
    return "0" if math.isinf(value) else numbers.number(1.0, 1) + numbers.power_of_ten(math.floor(value))


def _severity(judged: Judged) -> float:
    """Unexpected first, then by the departure in margins."""
    delta, band = abs(numbers.real(judged.row["delta"])), band_of(judged)
    departure = delta / band if band > 0 else delta
    return (0.0 if math.isnan(departure) else min(departure, 1e6)) + 1e7 * (not judged.as_expected)


def worst(rows: Sequence[Evidence], most: int) -> tuple[Evidence, ...]:
    """At most so many rows, the worst first chosen, in their order of before."""
    chosen = sorted(range(len(rows)), key=lambda i: (-rows[i].severity, i))[:most]
    return tuple(rows[i] for i in sorted(chosen))


def reason(judged: Sequence[Judged]) -> str:
    """Why a statement has its verdict, in a sentence about its claims."""
    counts = tally(judged)
    rows = [j for j in judged if j.row["kind"] != "report"]
    if not rows:
        return "Shown, not judged." if judged else "No claim was tested."
    verdict = overall(counts)
    mine = [j for j in rows if j.row["verdict"] == verdict]
    extreme = max(mine, key=lambda j: _finite(numbers.real(j.row["delta"])))
    share = f"{len(mine)} of {len(rows)} claims" if len(rows) > 1 else "Its one claim:"
    if verdict == "UNDECIDED":
        return f"{share} undecided: {_reasons(mine)}."
    where = f" ({_where(extreme)})" if len(rows) > 1 else ""
    departure = numbers.departure(extreme.row["delta"], scale_of(extreme)) if scale_of(extreme) else ""
    if verdict == "SUPPORTED":
        tail = (
            f"inside the margin; largest departure {departure}{where}"
            if departure
            else f"{'hold' if len(rows) > 1 else 'it holds'} to rounding"
        )
    else:
        tail = f"refuted; largest departure {departure}{where}" if departure else f"refuted{where}"
    return f"{share} {tail}."


def _finite(delta: float) -> float:
    return -1.0 if math.isnan(delta) else abs(delta)


def _where(judged: Judged) -> str:
    layer = _layer(judged.row["layer"])
    return ", ".join(part for part in (judged.network, f"layer {layer}" if layer else "") if part) or plain(
        str(judged.row["claim"])
    )


def _in_words(reason: str) -> str:
    return REASONS.get(reason.split("(", maxsplit=1)[0], reason.lower().replace("_", " ")) or "no reason given"


def _reasons(judged: Sequence[Judged]) -> str:
    counted = Counter(_in_words(str(j.row["reason"])) for j in judged)
    needed = max((numbers.real(j.row["replicates_needed"]) for j in judged), default=math.nan, key=_finite)
    text = ", ".join(f"{name} ({times})" for name, times in counted.most_common(3))
    text = next(iter(counted)) if len(counted) == 1 else text
    more = f" and {len(counted) - 3} other reasons" if len(counted) > 3 else ""
    return text + more + (f"; up to {numbers.count(needed)} networks needed" if math.isfinite(needed) else "")
