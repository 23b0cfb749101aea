"""The result on stdout: tables by rich, documents as JSON."""

from __future__ import annotations

import io
import json
import math
import shutil
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from mcverify.cli.shell import drop_stdout

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

WIDTH = 80  # columns where there is no terminal to ask


def emit(text: str) -> None:
    """Write to stdout, and quietly to nowhere once its reader is gone."""
    if sys.stdout is None:  # closed before the start
        return
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        click.echo(text.encode(encoding, "replace").decode(encoding), nl=False)
        sys.stdout.flush()
    except BrokenPipeError:
        drop_stdout()


def columns() -> int:
    """Columns of the terminal; 80 where there is none."""
    return shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else WIDTH


def emit_rich(*parts: RenderableType) -> None:
    """Render tables and text for the terminal, plainly and at 80 columns where there is none."""
    from rich.console import Console

    terminal = sys.stdout.isatty()
    buffer = io.StringIO()
    console = Console(file=buffer, force_terminal=terminal, width=columns(), highlight=False, emoji=False, markup=False)
    for part in parts:
        console.print(part)
    emit("\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n")


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    right: Sequence[str] = (),
    spare: Sequence[str] = (),
    gap: int = 2,
) -> Table:
    """A table without lines; text that doesn't fit is folded between words, never cut.

    Args:
        heads: Those of the columns.
        rows: One entry a column.
        right: The columns aligned to the right; they are not folded.
        spare: Columns that are left out where the words of the others do not fit, the first of them first.
        gap: Blanks between columns where there is room.
    """
    from rich.table import Table
    from rich.text import Text

    lines = [list(map(str, heads)), *([str(entry) for entry in row] for row in rows)]
    fixed = set(right)
    for name in spare:
        if sum(_widths(lines, fixed, least=True)) + len(lines[0]) - 1 > columns():
            at = lines[0].index(name)
            lines = [[*line[:at], *line[at + 1 :]] for line in lines]
    least, natural_widths = _widths(lines, fixed, least=True), _widths(lines, fixed)
    gap = max(1, min(gap, (columns() - sum(natural_widths)) // max(len(least) - 1, 1)))
    made = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    room = columns() - gap * (len(least) - 1) - sum(least)
    for name, narrow, natural in zip(lines[0], least, natural_widths, strict=True):
        more = min(max(room, 0), natural - narrow)
        room -= more
        made.add_column(name, justify="right" if name in fixed else "left", overflow="fold", width=narrow + more)
    for line in lines[1:]:
        made.add_row(*map(Text, line))
    return made


def _widths(lines: Sequence[Sequence[str]], fixed: Collection[str], *, least: bool = False) -> list[int]:
    """The width of each column: that of its longest entry, or the least one that breaks no word."""
    widths = []
    for head, *entries in zip(*lines, strict=True):
        parts = [word for entry in entries for word in entry.split()] if least and head not in fixed else entries
        widths.append(max(map(len, [head, *parts])))
    return widths


def number(value: Any, digits: int = 6) -> str:
    """A number in so many digits; a dash where there is none.

    >>> number(0.123456789), number(None), number(float("nan")), number(4096)
    ('0.123457', '-', '-', '4096')
    """
    if hasattr(value, "item"):
        value = value.item()
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def document(
    command: str, rows: Iterable[Mapping[str, Any]], counts: Mapping[str, int], provenance: Mapping[str, Any]
) -> str:
    """One JSON document in the form of results.json; NaN and infinities are null, expressions text."""
    content = {
        "schema_version": 1,
        "command": command,
        "rows": [{key: plain(value) for key, value in row.items()} for row in rows],
        "counts": dict(counts),
        "provenance": dict(provenance),
    }
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False, default=str) + "\n"


def plain(value: Any) -> Any:
    """A value as JSON has it.

    >>> plain(float("inf")), plain((1, "a")), plain(None)
    (None, [1, 'a'], None)
    """
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return value if value is None or isinstance(value, (str, int)) else str(value)
