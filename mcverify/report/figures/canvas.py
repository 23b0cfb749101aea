"""What all plots share: colours by role, axes without ornament, and SVG text that is the same in every run."""

from __future__ import annotations

import html
import io
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mcverify.report import numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER = {
    "ink": "#1f2328",
    "muted": "#5d6670",
    "grid": "#dfe3e8",
    "band": "#e6eef5",
    "supported": "#0b66a8",
    "refuted": "#c4500a",
    "undecided": "#6b6f76",
    "theory": "#0b66a8",
    "claim": "#c4500a",
    "third": "#00735c",
    "fourth": "#8a4b87",
    "faint": "#9aa4ae",
    "ground": "#ffffff",
}
"""Colours on paper, by what they mean; blue, vermilion and grey stay apart for colour-blind readers."""

_PLACE = {role: f"#0a0b{i:02x}" for i, role in enumerate(PAPER, 1)}
_ROLE = {place: role for role, place in _PLACE.items()}
_FONT = "DejaVu Sans"
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mcverify",
    "text.parse_math": False,
    "font.family": _FONT,
    "font.size": 8.0,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.4,
}


def colour(role: str) -> str:
    """The placeholder of a colour, replaced when it is known whether screen or paper is meant."""
    return _PLACE[role]


@contextmanager
def settings() -> Iterator[None]:
    """Drawing settings of reports; the user's own matplotlib settings are left alone."""
    import matplotlib

    places: dict[Any, Any] = {f"{what}.color": colour("muted") for what in ("xtick", "ytick")}
    inks: dict[Any, Any] = {
        "text.color": colour("ink"),
        "axes.labelcolor": colour("ink"),
        "axes.edgecolor": colour("faint"),
    }
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS | places | inks)
        yield


def panel(
    width: float, height: float, *, left: float = 0.62, bottom: float = 0.45, top: float = 0.3
) -> tuple[Figure, Axes]:
    """A figure of so many inches with one plot in it, margins in inches."""
    from matplotlib.figure import Figure as Sheet

    sheet = Sheet(figsize=(width, height))
    box = (left / width, bottom / height, 1 - (left + 0.12) / width, 1 - (bottom + top) / height)
    axes = sheet.add_axes(box)
    axes.set_facecolor("none")
    axes.grid(True, color=colour("grid"), linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=2.5, width=0.6, labelsize=7.5)
    return sheet, axes


def legend(axes: Axes, columns: int = 3) -> None:
    """Labels in a line above the plot, where they cover nothing."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (-0.02, 1.0), "borderaxespad": 0.2}
        axes.legend(handles, labels, ncols=columns, frameon=False, fontsize=7.5, handlelength=1.6, **place)


def plain_ticks(axes: Axes, *, log_y: bool) -> None:
    """Tick labels without offsets, powers of ten in figures that need no mathematics."""
    from matplotlib.ticker import FuncFormatter, NullLocator

    axes.yaxis.set_major_formatter(FuncFormatter(_power if log_y else _label))
    if log_y:
        axes.yaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(_label))


def _label(value: float, _position: int | None = None) -> str:
    return numbers.number(0.0 if abs(value) < 1e-300 else float(f"{value:.10g}"), 6, trim=True)


def _power(value: float, _position: int | None = None) -> str:
    exponent = math.log10(value) if value > 0 else math.nan
    if math.isfinite(exponent) and abs(exponent - round(exponent)) < 1e-9 and abs(exponent) > 3:
        return numbers.power_of_ten(round(exponent)).removeprefix("×")
    return _label(value)


def spans_decades(values: Sequence[float]) -> bool:
    """Whether values are better seen on a logarithmic axis: all positive, and far apart."""
    finite = [value for value in values if math.isfinite(value)]
    return bool(finite) and min(finite) > 0 and max(finite) / min(finite) > 30


def svg(figure: Figure, name: str) -> str:
    """The SVG element of a figure, drawn under `settings`: no header, no date, ids that start with `name`."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.StringIO()
    figure.patch.set_visible(False)
    canvas: Any = FigureCanvasSVG(figure)
    canvas.print_svg(buffer, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    text = re.sub(r'xlink:href="#', f'xlink:href="#{name}-', text)
    return re.sub(r"\n\s*", "\n", text)


def for_screen(text: str, alt: str) -> str:
    """Colours and fonts as CSS variables, so that they follow the page; `alt` becomes the accessible name."""
    text = re.sub(r"#0a0b[0-9a-f]{2}", lambda m: f"var(--{_ROLE[m[0]]})", text)
    text = text.replace(f"'{_FONT}'", "var(--sans)").replace(_FONT, "var(--sans)")
    text = re.sub(r'(<svg[^>]*?) xmlns:xlink="[^"]*"', r"\1", text).replace("xlink:href", "href")
    return text.replace("<svg", f'<svg role="img" aria-label="{html.escape(alt)}"', 1)


def for_print(text: str) -> str:
    """Colours of paper."""
    return re.sub(r"#0a0b[0-9a-f]{2}", lambda m: PAPER[_ROLE[m[0]]], text)
