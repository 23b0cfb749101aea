"""Reports: one self-contained HTML file, a PDF and results.json, from one content."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mcverify.dates import date_of_report
from mcverify.errors import OutputError

if TYPE_CHECKING:
    from mcverify.outcome import Outcome

FILES = ("report.html", "report.pdf", "results.json")
_MAY_STAY = {"store.sqlite", "store.sqlite-wal", "store.sqlite-shm"}


def write(outcome: Outcome, folder: Path) -> Path:
    """Write report.html, report.pdf and results.json into a folder; return it.

    The folder may be absent, empty, or hold nothing but the store of the run. All three files are made before any
    is written, and each appears whole. The date is that of SOURCE_DATE_EPOCH where set, else now; with it, equal
    outcomes give equal bytes.

    Raises:
        OutputError: if the folder holds anything else or cannot be written.
        InputError: if SOURCE_DATE_EPOCH is no date.
    """
    _check(folder)
    documents = render(outcome, date_of_report())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_all(folder, documents)
    except OSError as error:
        raise OutputError(f"`out={str(folder)!r}` cannot be written: {error.strerror or error}.") from error
    return folder


def render(outcome: Outcome, date: datetime) -> dict[str, bytes]:
    """The bytes of the three files by name; nothing is written."""
    from mcverify.report import content, figures, html, pdf
    from mcverify.report.figures import canvas

    report = content.content(outcome)
    plots = content.all_plots(report)
    drawn = {plot.id: figures.draw(plot) for plot in plots}
    on_screen = {plot.id: canvas.for_screen(drawn[plot.id], plot.alt) for plot in plots}
    on_paper = {name: canvas.for_print(svg) for name, svg in drawn.items()}
    return {
        "report.html": html.page(report, on_screen, date).encode(),
        "report.pdf": pdf.document(report, on_paper, date),
        "results.json": outcome.to_json().encode(),
    }


def _check(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"`out={str(folder)!r}` is a file; name a folder that is empty or absent.")
    try:
        found = {path.name for path in folder.iterdir()} if folder.exists() else set()
    except OSError as error:
        raise OutputError(f"`out={str(folder)!r}` cannot be read: {error.strerror or error}.") from error
    if found - _MAY_STAY:
        name = min(found - _MAY_STAY)
        raise OutputError(f"`out={str(folder)!r}` holds {name!r} already; name a folder that is empty or absent.")


def _write_all(folder: Path, documents: Mapping[str, bytes]) -> None:
    """Write beside the place, then rename: a file is there whole or not at all."""
    temporary: dict[str, Path] = {}
    try:
        for name, data in documents.items():
            with tempfile.NamedTemporaryFile(dir=folder, prefix=f".{name}-", delete=False) as file:
                temporary[name] = Path(file.name)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary[name].chmod(0o644)
        for name, path in temporary.items():
            path.replace(folder / name)
    finally:
        for path in temporary.values():
            with suppress(OSError):
                path.unlink(missing_ok=True)
