"""Finished blocks in one SQLite file, each under the hash of what was asked.

A block is stored once: the same block with the same bytes changes nothing, with other bytes it is an error. So
finishing, resuming and two processes on one file are all the same insert, and nothing has to be locked or cleaned
up. Blobs are little-endian, compressed, and end in a CRC-32 of what they hold.
"""

from __future__ import annotations

import json
import sqlite3
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mcverify.errors import InputError, IntegrityError, McverifyError, OutputError
from mcverify.moments import Moments, merge

SCHEMA_VERSION = 1
APPLICATION_ID = 0x6D637679  # "mcvy", in the header of the file
BUSY_SECONDS = 60.0
"""How long to wait for another process that is writing to the same file."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS cells (key TEXT PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS blocks (key TEXT NOT NULL, block INTEGER NOT NULL, count INTEGER NOT NULL,
    kinds BLOB NOT NULL, moments BLOB NOT NULL, PRIMARY KEY (key, block));
CREATE TABLE IF NOT EXISTS samples (key TEXT NOT NULL, "column" TEXT NOT NULL, block INTEGER NOT NULL,
    data BLOB NOT NULL, PRIMARY KEY (key, "column", block));
"""


@dataclass(frozen=True)
class StoredBlock:
    """What is kept of one block.

    Attributes:
        key: Of its cell.
        block: Index in its cell.
        count: Number of networks.
        kinds: (n_kinds,) int64, how many networks were of each kind.
        moments: Of all columns.
        samples: Single values, (count,) float64 by name of column, in the order of the replicates.
    """

    key: str
    block: int
    count: int
    kinds: NDArray[np.int64]
    moments: Moments
    samples: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


class Store:
    """The file of a run's results; used by the thread that opened it, closed as a context manager.

    Any method raises `IntegrityError` if what it reads is damaged, and `OutputError` if the file cannot be read or
    written (a full disk, say): what was stored before is then still there.

    >>> with Store.open() as store:
    ...     store.add(StoredBlock("k", 0, 2, np.array([2]), Moments.of([[1.0], [2.0]]), {"a": np.array([1.0, 2.0])}))
    ...     store.blocks("k"), store.values("k", "a", 1).tolist(), store.moments("k", 1).mean.tolist()
    ({0}, [1.0, 2.0], [1.5])
    """

    def __init__(self, name: str, database: sqlite3.Connection) -> None:
        self.name = name
        self._db = database

    @classmethod
    def open(cls, path: str | Path | None = None) -> Self:
        """The store in a file, which is made if absent; None keeps everything in memory.

        Raises:
            InputError: if the file is no store, or that of a newer version.
            OutputError: if it cannot be opened or made there.
            IntegrityError: if it is damaged.
        """
        name = ":memory:" if path is None else str(path)
        if path is not None and Path(path).is_dir():
            raise OutputError(f"`store={name}` is a folder; give the path of a file.")
        with _errors(name):
            where = name if path is None else str(Path(path).absolute())
            store = cls(name, sqlite3.connect(where, timeout=BUSY_SECONDS, isolation_level=None))
            try:
                store._check()
            except BaseException:
                store.close()
                raise
        return store

    def _check(self) -> None:
        """Make the tables of a new file; refuse what is no store of ours."""
        ((n_tables,),) = self._db.execute("SELECT count(*) FROM sqlite_master")
        ((ours,),) = self._db.execute("PRAGMA application_id")  # second: another process may just be making the tables
        if ours != APPLICATION_ID:
            if ours or n_tables:
                raise InputError(f"`store={self.name}` is a database of another program; give another path.")
            self._create()
        rows = self._db.execute("SELECT value FROM meta WHERE name = 'schema_version'").fetchall()
        version = int(rows[0][0]) if rows and rows[0][0].isdecimal() else 0
        if version > SCHEMA_VERSION:
            raise InputError(
                f"`store={self.name}` was written by a newer mcverify (schema {version}, this one reads "
                f"{SCHEMA_VERSION}); update mcverify or give another path."
            )
        if version < 1:
            raise IntegrityError(f"`store={self.name}` does not say which version wrote it; it is damaged.")
        self._db.execute("PRAGMA synchronous = FULL")

    def _create(self) -> None:
        self._write_ahead()
        with self._transaction():
            for statement in filter(str.strip, SCHEMA.split(";")):
                self._db.execute(statement)
            self._db.execute("INSERT OR IGNORE INTO meta VALUES ('schema_version', ?)", (str(SCHEMA_VERSION),))
            self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")

    def _write_ahead(self) -> None:
        """Switch to WAL, which SQLite refuses at once (no busy timeout) while another process does the same."""
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def add_cell(self, key: str, content: Mapping[str, Any]) -> None:
        """Note what a key stands for.

        Raises:
            IntegrityError: if it stands for something else.
        """
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        with _errors(self.name), self._transaction():
            self._insert("cells", {"key": key}, {"content": text})

    def cells(self) -> dict[str, Any]:
        """The content of every cell by its key."""
        with _errors(self.name):
            return {key: json.loads(text) for key, text in self._db.execute("SELECT * FROM cells ORDER BY key")}

    def add(self, *blocks: StoredBlock) -> None:
        """Store blocks, all or none of them; a block or sample that is there already must be equal.

        Raises:
            IntegrityError: if a block or sample is there with other bytes.
            OutputError: if the file cannot be written.
        """
        with _errors(self.name), self._transaction():
            for block in blocks:
                place = {"key": block.key, "block": block.block}
                kinds, moments = _sealed(_bytes(block.kinds, "<i8")), _sealed(block.moments.to_bytes())
                self._insert("blocks", place, {"count": block.count, "kinds": kinds, "moments": moments})
                for column, values in block.samples.items():
                    data = _sealed(_bytes(np.where(np.isnan(values), np.nan, values), "<f8"))
                    self._insert("samples", {**place, "column": column}, {"data": data})

    def _insert(self, table: str, place: Mapping[str, Any], content: Mapping[str, Any]) -> None:
        row = {**place, **content}
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" * len(row))
        sql = f"INSERT INTO {table} ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING"
        if self._db.execute(sql, tuple(row.values())).rowcount == 1:
            return
        columns = ", ".join(f'"{name}"' for name in content)
        where = " AND ".join(f'"{name}" = ?' for name in place)
        (there,) = self._db.execute(f"SELECT {columns} FROM {table} WHERE {where}", tuple(place.values()))
        if [self._plain(value) for value in there] != [self._plain(value) for value in content.values()]:
            what = ", ".join(f"{name} {value}" for name, value in place.items())
            raise IntegrityError(
                f"`store={self.name}` holds other results for {what} ({table}) than were computed now: the simulator "
                "is not deterministic here, or the file was changed. Give another store, and report this."
            )

    def blocks(self, key: str) -> set[int]:
        """The blocks of a cell that are stored."""
        return self._indexes("SELECT block FROM blocks WHERE key = ?", key)

    def sampled(self, key: str, column: str) -> set[int]:
        """The blocks of a cell of which a column's single values are stored."""
        return self._indexes('SELECT block FROM samples WHERE key = ? AND "column" = ?', key, column)

    def _indexes(self, sql: str, *arguments: str) -> set[int]:
        with _errors(self.name):
            return {block for (block,) in self._db.execute(sql, arguments)}

    def moments(self, key: str, n_blocks: int) -> Moments:
        """Moments of the first `n_blocks` blocks of a cell, merged in the fixed tree.

        Raises:
            IntegrityError: if one is missing or damaged.
        """
        rows = self._rows("SELECT block, count, moments FROM blocks", key, n_blocks)
        return merge(self._moments_of(count, blob) for count, blob in rows)

    def kinds(self, key: str, n_blocks: int) -> NDArray[np.int64]:
        """(n_kinds,) how many of the first `n_blocks` blocks' networks are of each kind.

        Raises:
            IntegrityError: if a block is missing or damaged.
        """
        rows = self._rows("SELECT block, count, kinds FROM blocks", key, n_blocks)
        counts = [np.frombuffer(self._unsealed(blob), dtype="<i8") for _, blob in rows]
        return np.asarray(np.sum(counts, axis=0), dtype=np.int64)

    def values(self, key: str, column: str, n_blocks: int) -> NDArray[np.float64]:
        """One float64 a network of the first `n_blocks` blocks, in the order of the replicates.

        Raises:
            IntegrityError: if a block's values are missing or damaged.
        """
        sql = 'SELECT block, count, data FROM samples JOIN blocks USING (key, block) WHERE "column" = ?'
        rows = self._rows(sql, key, n_blocks, column)
        parts = [self._floats(count, blob) for count, blob in rows]
        return np.concatenate(parts) if parts else np.empty(0)

    def _rows(self, sql: str, key: str, n_blocks: int, *more: str) -> Iterator[tuple[int, bytes]]:
        """(count, blob) of blocks 0 .. n_blocks - 1, each there once; one is held at a time."""
        word = "AND" if more else "WHERE"
        at = 0
        with _errors(self.name):
            for block, *row in self._db.execute(
                f"{sql} {word} key = ? AND block < ? ORDER BY block", (*more, key, n_blocks)
            ):
                if block != at:
                    break
                at += 1
                yield row[0], row[1]
        if at < n_blocks:
            of = f" of {more[0]}" if more else ""
            raise IntegrityError(f"`store={self.name}` lacks block {at} of {n_blocks}{of} in cell {key[:12]}.")

    def _moments_of(self, count: int, blob: bytes) -> Moments:
        moments = Moments.from_bytes(self._unsealed(blob))
        if np.any(moments.total != count):
            raise self._damaged()
        return moments

    def _floats(self, count: int, blob: bytes) -> NDArray[np.float64]:
        data = self._unsealed(blob)
        if len(data) != 8 * count:
            raise self._damaged()
        return np.frombuffer(data, dtype="<f8").astype(np.float64)

    def _plain(self, value: Any) -> Any:
        """What a column holds, so that another compressor's bytes are not taken for another result."""
        return self._unsealed(value) if isinstance(value, bytes) else value

    def _unsealed(self, blob: bytes) -> bytes:
        try:
            data = zlib.decompress(blob[:-4])
        except zlib.error:
            raise self._damaged() from None
        if zlib.crc32(data).to_bytes(4, "little") != blob[-4:]:
            raise self._damaged()
        return data

    def _damaged(self) -> IntegrityError:
        return IntegrityError(f"`store={self.name}` is damaged: a result in it was changed. Delete it and run again.")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, whatever interrupts it."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite itself has rolled back on some errors, a full disk among them
                self._db.execute("ROLLBACK")
            raise


@contextmanager
def _errors(name: str) -> Iterator[None]:
    """SQLite's errors as ours, naming the file; misuse of a store stays what it is."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise
    except sqlite3.DatabaseError as error:
        raise _translated(name, error) from error


def _translated(name: str, error: sqlite3.DatabaseError) -> McverifyError:
    code = error.sqlite_errorcode & 0xFF  # the primary code of an extended one
    if code == sqlite3.SQLITE_NOTADB:
        return InputError(f"`store={name}` is not a database; give another path.")
    if code == sqlite3.SQLITE_BUSY:
        return OutputError(f"`store={name}` is being written by another process; try again later.")
    if isinstance(error, sqlite3.OperationalError) and code not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR):
        return OutputError(f"`store={name}` cannot be used: {error}. What was stored before is kept.")
    return IntegrityError(f"`store={name}` is damaged: {error}. Delete it and run again.")


def _sealed(data: bytes) -> bytes:
    """Compressed, at the fastest level: counts are nearly constant; and the CRC-32 of what it holds."""
    return zlib.compress(data, 1) + zlib.crc32(data).to_bytes(4, "little")


def _bytes(values: NDArray[Any] | Sequence[float], kind: str) -> bytes:
    return np.ascontiguousarray(values, dtype=kind).tobytes()
