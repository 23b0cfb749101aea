"""The folder of a run, checked before anything is simulated."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mcverify.errors import OutputError

STORE = "store.sqlite"
STORE_FILES = (STORE, f"{STORE}-wal", f"{STORE}-shm")


@dataclass(frozen=True)
class RunFolder:
    """Where a run writes.

    Attributes:
        path: The folder.
        store: The SQLite file of its results, in the folder or elsewhere.
        made: The folders that were made for it, outermost first.
    """

    path: Path
    store: Path
    made: tuple[Path, ...] = ()

    def discard(self) -> None:
        """Remove what was made, of a run that turned out invalid; what was there before stays."""
        if self.path not in self.made:
            return
        for name in STORE_FILES:
            (self.path / name).unlink(missing_ok=True)
        for folder in reversed(self.made):
            if any(folder.iterdir()):
                return
            folder.rmdir()


def prepare(out: str | None, store: str | None, what: str) -> RunFolder:
    """Make the folder of a run, or take one that holds nothing but an interrupted run's store.

    Args:
        out: Folder asked for; None for a new one under `reports`.
        store: SQLite file asked for; None for one in the folder.
        what: What is run, for the folder's name.

    Raises:
        OutputError: if the folder holds something else or cannot be written, or the store's folder cannot.
    """
    path = Path(out) if out is not None else _fresh(Path("reports"), what)
    elsewhere = _checked_store(Path(store)) if store is not None else None
    if path.exists() and not path.is_dir():
        raise OutputError(f"`--out={out}` is a file; give a folder that is absent or empty.")
    made: tuple[Path, ...] = ()
    try:
        held = sorted(entry.name for entry in path.iterdir()) if path.exists() else []
        if set(held) - set(STORE_FILES):
            raise OutputError(
                f"`--out={out}` is not empty (it holds {held[0]}); give a folder that is absent or empty."
            )
        made = tuple(reversed([folder for folder in (path, *path.parents) if not folder.exists()]))
        path.mkdir(parents=True, exist_ok=True)
        _try_writing(path)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"`--out={path}` cannot be written: {error.strerror}.") from error
    return RunFolder(path, elsewhere or path / STORE, made)


def _fresh(under: Path, what: str) -> Path:
    """A name that is not taken: the time in UTC, and what is run."""
    word = re.sub(r"[^A-Za-z0-9_.]+", "-", what).strip("-.") or "run"
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{word[:60]}"
    path, number = under / name, 1
    while path.exists():
        number += 1
        path = under / f"{name}-{number}"
    return path


def _checked_store(store: Path) -> Path:
    if store.is_dir():
        raise OutputError(f"`--store={store}` is a folder; give the path of a file.")
    if not store.parent.is_dir():
        raise OutputError(f"`--store={store}`: the folder {store.parent} does not exist.")
    try:
        _try_writing(store.parent)
    except OSError as error:
        raise OutputError(f"`--store={store}` cannot be written: {error.strerror}.") from error
    return store


def _try_writing(folder: Path) -> None:
    with tempfile.TemporaryFile(dir=folder):
        pass
