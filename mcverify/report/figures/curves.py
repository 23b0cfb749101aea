"""A study's own picture: curves over one axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcverify.picture import Curve, Picture
from mcverify.report import prose
from mcverify.report.figures import canvas
from mcverify.report.figures.canvas import colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_IN_TURN = (("theory", "-"), ("claim", "--"), ("third", "-."), ("fourth", ":"), ("ink", "-"))
_MOST_POINTS = 400


def figure(data: Picture) -> Figure:
    """Lines, points and faint draws, told apart by colour and by dashes."""
    sheet, axes = canvas.panel(4.6, 2.7)
    if data.log_y:
        axes.set_yscale("log")
    lines = [curve for curve in data.curves if curve.role != "faint"]
    labelled: set[str] = set()
    for curve in data.curves:
        label = "" if curve.label in labelled else curve.label
        labelled.add(curve.label)
        _curve(axes, curve, label, lines.index(curve) if curve in lines else 0)
    axes.set_xlabel(prose.plain(data.x_label))
    axes.set_ylabel(prose.plain(data.y_label))
    canvas.plain_ticks(axes, log_y=data.log_y)
    canvas.legend(axes)
    return sheet


def _curve(axes: Axes, curve: Curve, label: str, turn: int) -> None:
    role, dashes = _IN_TURN[turn % len(_IN_TURN)]
    style: dict[str, Any] = {"color": colour(role), "linestyle": dashes}
    if curve.role == "faint":
        style = {"color": colour("faint"), "linewidth": 0.6, "alpha": 0.7, "zorder": 1.5}
    elif curve.role == "points":
        style = {"color": colour(role), "linestyle": "none", "marker": "o", "markersize": 3.4}
    step = max(1, len(curve.x) // _MOST_POINTS)
    if label:
        style["label"] = prose.plain(label)
    axes.plot(curve.x[::step], curve.y[::step], **style)
    if curve.low and curve.high:
        band: dict[str, Any] = {"color": colour(role), "alpha": 0.15, "linewidth": 0.0}
        axes.fill_between(curve.x[::step], curve.low[::step], curve.high[::step], **band)
