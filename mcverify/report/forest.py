"""Rows of a forest plot as data: departures of many claims, gathered until they fit a page. Nothing is drawn here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mcverify.outcome import Judged
from mcverify.report import numbers
from mcverify.report.evidence import band_of, overall, own_name, scale_of, tally
from mcverify.report.prose import shortened

ROWS_PER_FIGURE = 40
ROWS_PER_STATEMENT = 6
_LABEL_LENGTH = 58


@dataclass(frozen=True)
class ForestRow:
    """One line of a forest plot, on the scale of log(simulated / predicted).

    Attributes:
        deltas: One point a claim.
        refute: Ends of the interval of refutation; of several claims, the outermost.
        support: The same of the interval of support.
        band: Half width of the margin; of several claims, the smallest.
    """

    label: str
    deltas: tuple[float, ...]
    refute: tuple[float, float]
    support: tuple[float, float]
    band: float
    verdict: str
    control: bool = False


@dataclass(frozen=True)
class ForestGroup:
    """Rows under one heading."""

    heading: str
    rows: tuple[ForestRow, ...]


def row(label: str, judged: Sequence[Judged], *, control: bool = False) -> ForestRow | None:
    """Claims gathered in one row; None if none of them is about a ratio."""
    ratios = [j for j in judged if scale_of(j) in ("relative", "log")]
    drawable = [j for j in ratios if not math.isnan(numbers.real(j.row["delta"]))]
    if not drawable:
        return None
    return ForestRow(
        shortened(label, _LABEL_LENGTH),
        tuple(numbers.real(j.row["delta"]) for j in drawable),
        _outermost(drawable, "low", "high"),
        _outermost(drawable, "support_low", "support_high"),
        min((band for band in map(band_of, drawable) if band > 0), default=math.nan),
        overall(tally(drawable)),
        control,
    )


def _outermost(judged: Sequence[Judged], low: str, high: str) -> tuple[float, float]:
    lows = [numbers.real(j.row[low]) for j in judged]
    highs = [numbers.real(j.row[high]) for j in judged]
    if any(math.isnan(end) for end in (*lows, *highs)):
        return math.nan, math.nan
    return min(lows), max(highs)


def group(heading: str, judged: Sequence[Judged], *, control: bool = False) -> ForestGroup | None:
    """One row a claim where they are few, one a network where those are few, else one for all."""
    if len(judged) <= ROWS_PER_STATEMENT:
        alike = len({j.row["observable"] for j in judged}) == 1
        rows = [row(_label(j, alike), [j], control=control) for j in judged]
    else:
        networks = list(dict.fromkeys(j.network for j in judged))
        if len(networks) > ROWS_PER_STATEMENT:
            rows = [row(f"{len(networks)} networks, {len(judged)} claims", judged, control=control)]
        else:
            parts = [(name, [j for j in judged if j.network == name]) for name in networks]
            rows = [row(f"{name or 'all'}: {len(part)} claims", part, control=control) for name, part in parts]
    kept = tuple(line for line in rows if line is not None)
    return ForestGroup(shortened(heading, _LABEL_LENGTH + 10), kept) if kept else None


def _label(judged: Judged, alike: bool) -> str:
    """A claim's name, or where it has none of its own, what tells it from the others: layer, network, observable."""
    name = own_name(judged)
    layer = f"layer {judged.row['layer']}, {judged.network}"
    return name or (layer if alike else f"{layer}, {judged.row['observable']}")


def pages(groups: Iterable[ForestGroup | None]) -> tuple[tuple[ForestGroup, ...], ...]:
    """Groups cut into figures of at most `ROWS_PER_FIGURE` lines, headings counted."""
    figures: list[list[ForestGroup]] = []
    room = 0
    for part in groups:
        if part is None:
            continue
        lines = 1 + len(part.rows)
        if not figures or lines > room:
            figures.append([])
            room = ROWS_PER_FIGURE
        figures[-1].append(part)
        room -= lines
    return tuple(tuple(figure) for figure in figures)


def alt(groups: Sequence[ForestGroup]) -> str:
    """The figure in words, for those who cannot see it."""
    lines = []
    for part in groups:
        for line in part.rows:
            low, high = min(line.deltas), max(line.deltas)
            ends = [numbers.percent_or_ratio(low)] + ([numbers.percent_or_ratio(high)] if high > low else [])
            control = ", control" if line.control else ""
            lines.append(f"{part.heading}, {line.label}: departure {' to '.join(ends)}, {line.verdict}{control}")
    return "Forest plot of simulated over predicted. " + "; ".join(lines) + "."
