"""Plots as SVG: drawn once, then coloured for the screen (light and dark) and for paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcverify.outcome import Histogram, Profile
from mcverify.picture import Picture
from mcverify.report.figures import canvas, curves, distribution, layers, ratios
from mcverify.report.plots import Drawable, Plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(plot: Plot) -> str:
    """The SVG of a plot in placeholder colours; see `canvas.for_screen` and `canvas.for_print`."""
    with canvas.settings():
        return canvas.svg(_figure(plot.data), plot.id)


def _figure(data: Drawable) -> Figure:
    if isinstance(data, Profile):
        return layers.figure(data)
    if isinstance(data, Histogram):
        return distribution.figure(data)
    return curves.figure(data) if isinstance(data, Picture) else ratios.figure(data)
