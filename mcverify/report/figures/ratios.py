"""Forest plots: simulated over predicted, a line a claim."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mcverify.report import numbers
from mcverify.report.figures import canvas
from mcverify.report.figures.canvas import colour
from mcverify.report.forest import ForestGroup, ForestRow
from mcverify.report.prose import SYMBOLS, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINE = 0.19  # inches
_LABELS, _WIDTH, _VERDICTS = 3.0, 7.5, 1.12
_MARKS = {"SUPPORTED": ("o", "supported"), "REFUTED": ("X", "refuted"), "UNDECIDED": ("D", "undecided")}
_STEPS = (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def figure(groups: Sequence[ForestGroup]) -> Figure:
    """Rows from top to bottom under their headings, one axis of ratios for all."""
    rows = [row for group in groups for row in group.rows]
    lines = len(rows) + len(groups)
    sheet, axes = canvas.panel(_WIDTH, lines * _LINE + 0.5, left=_LABELS, bottom=0.42, top=0.08)
    box = axes.get_position()
    axes.set_position((box.x0, box.y0, box.width - _VERDICTS / _WIDTH, box.height))
    limit = _limits(rows)
    axes.set_xscale("asinh", linear_width=_linear_width(rows))
    axes.set_xlim(*limit)
    axes.set_ylim(lines - 0.4, -0.6)
    axes.grid(False, axis="y")
    axes.axvline(0, color=colour("ink"), linewidth=0.8)
    _ticks(axes, limit)
    line = 0
    for group in groups:
        _text(axes, 0, line, group.heading, heading=True)
        for i, row in enumerate(group.rows, line + 1):
            _row(axes, row, i, limit)
        line += 1 + len(group.rows)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("simulated / predicted")
    return sheet


FARTHEST = math.log(50)
"""Departures beyond are drawn at the edge, with an arrow: one of them would leave no room for the margins."""


def _limits(rows: Sequence[ForestRow]) -> tuple[float, float]:
    ends = [end for row in rows for end in (*row.deltas, *row.refute, row.band, -row.band) if math.isfinite(end)]
    low, high = min([*ends, -0.01]), max([*ends, 0.01])
    return 1.15 * max(low, -FARTHEST), 1.15 * min(high, FARTHEST)


def _linear_width(rows: Sequence[ForestRow]) -> float:
    """The axis is even out to about twice the widest margin."""
    return max([row.band for row in rows if math.isfinite(row.band)], default=0.02) * 2


def _ticks(axes: Axes, limit: tuple[float, float]) -> None:
    """Ratios that are round, as many as there is room for: 1 first, then from the outside inwards."""
    place = axes.get_xaxis_transform().transform
    left, right = (float(place((end, 0))[0]) for end in limit)
    inner = [math.log1p(sign * step) for step in _STEPS for sign in (1, -1) if sign * step > -1]
    outer = [sign * k * math.log(10) for k in (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 5000) for sign in (1, -1)]
    candidates = sorted((x for x in (*inner, *outer) if limit[0] <= x <= limit[1]), key=abs, reverse=True)
    taken, positions = [0.0], [float(place((0.0, 0))[0])]
    for x in candidates:
        position = float(place((x, 0))[0])
        if all(abs(position - other) > 0.105 * (right - left) for other in positions):
            taken.append(x)
            positions.append(position)
    axes.set_xticks(taken, [_ratio(x) for x in taken])
    axes.set_xticks([], minor=True)


def _ratio(delta: float) -> str:
    exponent = delta / math.log(10)
    if abs(exponent) > 1.5:
        return numbers.power_of_ten(round(exponent)).removeprefix("×")
    return numbers.number(math.exp(delta), 4, trim=True)


def _row(axes: Axes, row: ForestRow, line: int, limit: tuple[float, float]) -> None:
    mark, role = _MARKS.get(row.verdict, ("o", "undecided"))
    if row.band > 0:
        axes.fill_betweenx([line - 0.5, line + 0.5], -row.band, row.band, color=colour("band"), linewidth=0, zorder=0.5)
    one = len(row.deltas) == 1
    for ends, width in ((row.refute, 0.9), (row.support, 2.6 if one else 0.9)):
        low, high = max(ends[0], limit[0]), min(ends[1], limit[1])
        if low <= high:
            axes.plot([low, high], [line, line], color=colour(role), linewidth=width, solid_capstyle="butt", zorder=2)
    for end, arrow in ((limit[0], "<"), (limit[1], ">")):
        if end in (max(row.refute[0], limit[0]), min(row.refute[1], limit[1])):
            axes.plot([end], [line], arrow, color=colour(role), markersize=4, clip_on=False)
    inside = [min(max(delta, limit[0]), limit[1]) for delta in row.deltas]
    face = colour("ground") if row.verdict == "UNDECIDED" else colour(role)
    size = 4.6 if one else 3.2
    style: dict[str, Any] = {
        "markersize": size,
        "color": colour(role),
        "markerfacecolor": face,
        "markeredgewidth": 0.7,
        "zorder": 3,
    }
    axes.plot(inside, [line] * len(inside), mark, linestyle="none", alpha=1.0 if one else 0.6, **style)
    _text(axes, 0.12, line, row.label, heading=False, control=row.control)
    right = f"{SYMBOLS[row.verdict]} {row.verdict.lower()}" + (" (control)" if row.control else "")
    axes.text(1.015, line, right, transform=axes.get_yaxis_transform(), va="center", fontsize=7, color=colour(role))


def _text(axes: Axes, indent: float, line: int, text: str, *, heading: bool, control: bool = False) -> None:
    left = -(_LABELS - 0.05 - indent) / (_WIDTH - _LABELS - 0.12 - _VERDICTS)
    style: dict[str, Any] = {"weight": "bold" if heading else "normal", "style": "italic" if control else "normal"}
    most = 46 if heading else 50
    place = axes.get_yaxis_transform()
    axes.text(left, line, shortened(text, most), transform=place, va="center", ha="left", fontsize=7.5, **style)
