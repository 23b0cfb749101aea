"""The plots of a report as data, each with a title, a sentence on how to read it, and its text for the blind."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mcverify.outcome import Histogram, Profile, StudyOutcome
from mcverify.picture import Picture
from mcverify.report import forest, numbers, prose
from mcverify.report.forest import ForestGroup
from mcverify.report.prose import Text, spans

Drawable = tuple[ForestGroup, ...] | Profile | Histogram | Picture


@dataclass(frozen=True, kw_only=True)
class Plot:
    """One plot: what to draw and what to say beside it. `id` is unique in the report, fit for file names."""

    id: str
    title: Text
    how_to_read: Text
    alt: str
    data: Drawable


def forests(name: str, groups: Iterable[ForestGroup | None]) -> tuple[Plot, ...]:
    """Forest plots of a study, or of all (name "all"), as many as the rows fill."""
    figures = forest.pages(groups)
    of = [f" ({i} of {len(figures)})" if len(figures) > 1 else "" for i in range(1, len(figures) + 1)]
    what = "one row a statement" if name == "all" else "claims by statement"
    return tuple(
        Plot(
            id=f"forest-{name}-{i}",
            title=spans(f"Simulated over predicted, {what}{which}"),
            how_to_read=spans(prose.READ_FOREST if (name, i) == ("all", 1) else prose.READ_FOREST_AGAIN),
            alt=forest.alt(figure),
            data=figure,
        )
        for i, (figure, which) in enumerate(zip(figures, of, strict=True), 1)
    )


def of_statement(part: StudyOutcome, key: str, number: object, pictures: Sequence[Picture]) -> tuple[Plot, ...]:
    """Profiles, histograms and pictures of one statement; of the study as a whole for the key ""."""
    known = {statement.key for statement in part.study.statements}
    mine = [p for p in part.profiles if p.statement == key or (not key and p.statement not in known)]
    shapes = [h for h in part.histograms if h.statement == key or (not key and h.statement not in known)]
    made = [*map(profile, mine), *map(histogram, shapes), *map(picture, pictures)]
    prefix = "plot-" + str(number).replace(".", "-")
    return tuple(
        Plot(id=f"{prefix}-{i}", title=spans(title), how_to_read=spans(read), alt=alt, data=data)
        for i, (title, read, alt, data) in enumerate(made, 1)
    )


Parts = tuple[str, str, str, Drawable]


def profile(data: Profile) -> Parts:
    """Title, how to read, text and data of a plot by layer."""
    ends = [f"{numbers.number(value, 3)} at layer {layer}" for value, layer in _ends(data.simulated, data.layers)]
    wanted = [f"{numbers.number(value, 3)} at layer {layer}" for value, layer in _ends(data.predicted, data.layers)]
    alt = f"{data.observable} by layer in {data.network}: simulated {' to '.join(ends)}"
    alt += f", predicted {' to '.join(wanted)}." if wanted else ", no prediction."
    title = f"`{data.observable}` by layer, {data.network}, {numbers.count(data.replicates)} networks"
    return title, prose.READ_PROFILE, alt, data


def _ends(values: Sequence[float], layers: Sequence[int]) -> list[tuple[float, int]]:
    finite = [(value, layer) for value, layer in zip(values, layers, strict=True) if not math.isnan(value)]
    return finite if len(finite) < 2 else [finite[0], finite[-1]]


def histogram(data: Histogram) -> Parts:
    """Title, how to read, text and data of a distribution."""
    law = f" against the predicted law{' ' + data.law if data.law else ''}" if data.law_x else ""
    low, high = numbers.number(data.edges[0], 3), numbers.number(data.edges[-1], 3)
    alt = f"Histogram of {data.observable} at layer {data.layer} in {data.network}, from {low} to {high}{law}."
    title = f"`{data.observable}` at layer {data.layer}, {data.network}, {numbers.count(data.replicates)} networks"
    return title, prose.READ_HISTOGRAM, alt, data


def picture(data: Picture) -> Parts:
    """Title, how to read, text and data of a study's own picture."""
    labels = ", ".join(dict.fromkeys(curve.label for curve in data.curves if curve.label))
    alt = f"{prose.plain(data.title)}: {prose.plain(data.y_label)} against {prose.plain(data.x_label)}"
    alt += f" for {labels}." if labels else "."
    read = data.how_to_read + (f" {data.source}" if data.source else "")
    return data.title, read, alt, data
