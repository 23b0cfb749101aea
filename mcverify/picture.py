"""A picture as data: curves over one axis. Nothing is drawn here; reports draw it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One curve: its label, its points, and how it is to be read."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    role: str = "line"  # "line" | "faint" (one of many draws) | "points"
    low: tuple[float, ...] = ()  # a band about the curve, where there is one
    high: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Curves over one axis, with a sentence on how to read them.

    Attributes:
        key: Short name, unique in its study.
        how_to_read: One or two sentences.
        statement: Key of the statement it belongs to; empty for the study as a whole.
    """

    key: str
    title: str
    how_to_read: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    statement: str = ""
    log_y: bool = False
    source: str = field(default="")
