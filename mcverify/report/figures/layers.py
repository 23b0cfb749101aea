"""Predicted and simulated by layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mcverify.outcome import Profile
from mcverify.report.figures import canvas
from mcverify.report.figures.canvas import colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_POINTS = 60


def figure(data: Profile) -> Figure:
    """Simulated means as points with bars of two standard errors, predictions as lines."""
    sheet, axes = canvas.panel(4.6, 2.7)
    log_y = canvas.spans_decades([*data.simulated, *data.predicted, *data.claimed])
    if log_y:
        axes.set_yscale("log")
    mark = _single(data.predicted)
    axes.plot(data.layers, data.predicted, color=colour("theory"), label="predicted", marker=mark)
    if any(math.isfinite(value) for value in data.claimed):
        square: dict[str, Any] = {"markersize": 5.6, "markerfacecolor": "none", "markeredgewidth": 1.1}
        axes.plot(data.layers, data.claimed, "s", color=colour("claim"), label="as claimed", **square)
    _points(axes, data, log_y)
    axes.set_xlabel("layer")
    axes.locator_params(axis="x", integer=True, nbins=8)
    canvas.plain_ticks(axes, log_y=log_y)
    canvas.legend(axes)
    return sheet


def _single(values: tuple[float, ...]) -> str:
    """A lone value is no line: give it a mark."""
    return "_" if sum(math.isfinite(value) for value in values) == 1 else ""


def _points(axes: Axes, data: Profile, log_y: bool) -> None:
    step = max(1, math.ceil(len(data.layers) / _MOST_POINTS))
    x, y = data.layers[::step], data.simulated[::step]
    half = [2 * error if math.isfinite(error) else 0.0 for error in data.standard_error[::step]]
    below = [min(h, 0.999 * abs(value)) if log_y else h for h, value in zip(half, y, strict=True)]
    ink = colour("ink")
    axes.errorbar(
        x, y, yerr=[below, half], fmt="o", label="simulated", color=ink, ecolor=ink, markersize=3.4, elinewidth=0.9
    )
