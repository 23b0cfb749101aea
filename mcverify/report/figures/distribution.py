"""How one number scatters over networks, against the predicted law."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcverify.outcome import Histogram
from mcverify.report.figures import canvas
from mcverify.report.figures.canvas import colour

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure(data: Histogram) -> Figure:
    """Bars of the simulated density, the predicted density as a line."""
    sheet, axes = canvas.panel(4.6, 2.7)
    axes.stairs(data.density, data.edges, fill=True, color=colour("band"))
    axes.stairs(data.density, data.edges, color=colour("faint"), linewidth=0.8, label="simulated")
    if data.law_x:
        axes.plot(data.law_x, data.law_density, color=colour("theory"), label="predicted law")
    axes.set_xlabel(f"{data.observable}, layer {data.layer}")
    axes.set_ylabel("density")
    axes.set_ylim(bottom=0)
    axes.locator_params(axis="x", nbins=6)
    canvas.plain_ticks(axes, log_y=False)
    canvas.legend(axes)
    return sheet
