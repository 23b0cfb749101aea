"""The result on stdout: tables by rich, documents as JSON."""

from __future__ import annotations

import io
import json
import math
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
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
    width = None if terminal else WIDTH
    console = Console(file=buffer, force_terminal=terminal, width=width, highlight=False, emoji=False, markup=False)
    for part in parts:
        console.print(part)
    emit("\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> Table:
    """A table without lines; text is folded where it doesn't fit, never cut.

    Args:
        columns: Their heads.
        rows: One entry a column.
        right: The columns aligned to the right; they are not folded.
    """
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in columns:
        made.add_column(name, justify="right" if name in right else "left", overflow="fold", no_wrap=name in right)
    for row in rows:
        made.add_row(*[Text(str(entry)) for entry in row])
    return made


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
