"""The store: idempotent, all or nothing, honest about damage, and usable by two processes at once."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from mcverify.errors import InputError, IntegrityError, OutputError
from mcverify.moments import Moments, merge
from mcverify.store import Store, StoredBlock

ROOT = Path(__file__).parent.parent
KEY = "k" * 64

WRITER = """
import sys
import numpy as np
from mcverify.moments import Moments
from mcverify.store import Store, StoredBlock

def block(index):
    values = np.random.default_rng(index).standard_normal((8, 2))
    return StoredBlock("k" * 64, index, 8, np.array([8, 0]), Moments.of(values), {"a@1": values[:, 0]})

if __name__ == "__main__":
    with Store.open(sys.argv[1]) as store:
        for index in range(int(sys.argv[2])):
            store.add(block(index))
            print(index, flush=True)
"""
"""A process that stores blocks and says which are finished."""


def values_of(index: int) -> np.ndarray:
    return np.random.default_rng(index).standard_normal((8, 2))


def block(index: int, *, columns: tuple[str, ...] = ("a@1",), values: np.ndarray | None = None) -> StoredBlock:
    table = values_of(index) if values is None else values
    samples = {column: table[:, i] for i, column in enumerate(columns)}
    return StoredBlock(KEY, index, len(table), np.array([len(table), 0]), Moments.of(table), samples)


def writer(path: Path, n_blocks: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), str(n_blocks)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as opened:
        yield opened


def dump(path: Path) -> list[str]:
    """All that a file holds, in SQL."""
    database = sqlite3.connect(path)
    try:
        return list(database.iterdump())
    finally:
        database.close()


def change(path: Path, sql: str, *arguments: object) -> None:
    database = sqlite3.connect(path)
    with database:
        assert database.execute(sql, arguments).rowcount == 1
    database.close()


def test_reads_what_was_written(store: Store) -> None:
    """Moments come merged, kinds summed and values in the order of the replicates, whatever came first."""
    for index in (2, 0, 1):
        store.add(block(index))
    table = [values_of(index) for index in range(3)]
    assert store.blocks(KEY) == store.sampled(KEY, "a@1") == {0, 1, 2}
    assert store.moments(KEY, 3).to_bytes() == merge(map(Moments.of, table)).to_bytes()
    assert store.moments(KEY, 2).to_bytes() == merge(map(Moments.of, table[:2])).to_bytes()
    assert store.kinds(KEY, 3).tolist() == [24, 0]
    np.testing.assert_array_equal(store.values(KEY, "a@1", 3), np.concatenate(table)[:, 0])


def test_outlives_closing(path: Path) -> None:
    """What one process stored another reads, and no other files stay beside it."""
    with Store.open(path) as store:
        store.add(block(0))
        store.add_cell(KEY, {"widths": [2, 2], "seed": 0})
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    with Store.open(path) as store:
        assert store.blocks(KEY) == {0}
        assert store.cells() == {KEY: {"widths": [2, 2], "seed": 0}}


def test_storing_again_changes_nothing(path: Path) -> None:
    """The same block again, or with a column more, leaves what was there; order leaves no trace in the rows."""
    with Store.open(path) as store:
        store.add(block(0), block(1))
    once = dump(path)
    with Store.open(path) as store:
        store.add(block(1), block(0))
    assert dump(path) == once
    with Store.open(path) as store:
        store.add(block(1, columns=("a@1", "b@1")))
        assert store.sampled(KEY, "b@1") == {1}
    assert set(once) < set(dump(path))


@pytest.mark.parametrize("index", [(0, 0), (7, 1)])
def test_other_results_are_an_integrity_error(store: Store, index: tuple[int, int]) -> None:
    """One last bit of one value, sampled or not, is enough; and nothing of that call is stored."""
    store.add(block(0))
    values = values_of(0)
    values[index] = np.nextafter(values[index], np.inf)
    with pytest.raises(IntegrityError, match=r"other results for .*block 0"):
        store.add(block(1), block(0, values=values))
    assert store.blocks(KEY) == {0}


def test_other_values_of_the_same_moments_are_an_integrity_error(store: Store) -> None:
    """Samples are compared for themselves: swapped networks have the same moments."""
    values = np.array([[1.0], [2.0]])
    store.add(block(0, values=values))
    with pytest.raises(IntegrityError, match="samples"):
        store.add(block(0, values=values[::-1]))


def test_a_key_stands_for_one_cell(store: Store) -> None:
    """Another content under the same key is an integrity error."""
    store.add_cell(KEY, {"seed": 0})
    store.add_cell(KEY, {"seed": 0})
    with pytest.raises(IntegrityError, match="cells"):
        store.add_cell(KEY, {"seed": 1})


def test_nan_and_infinity_survive(store: Store) -> None:
    """Values that are not finite are read as they were; a NaN's sign is no difference."""
    values = np.array([[-np.inf], [np.nan], [np.inf], [-0.0]])
    store.add(block(0, values=values))
    store.add(block(0, values=np.where(np.isnan(values), np.copysign(np.nan, -1), values)))
    read = store.values(KEY, "a@1", 1)
    np.testing.assert_array_equal(read, values[:, 0])
    assert np.signbit(read[3])


def test_missing_blocks_are_named(store: Store) -> None:
    """Blocks that are not there, first, middle or last, or not sampled, are an error that says which."""
    for index in (0, 2):
        store.add(block(index))
    store.add(block(1, columns=()))
    with pytest.raises(IntegrityError, match="lacks block 3 of 4"):
        store.moments(KEY, 4)
    with pytest.raises(IntegrityError, match="lacks block 1 of 3 of a@1"):
        store.values(KEY, "a@1", 3)
    with pytest.raises(IntegrityError, match="lacks block 0 of 1 of c@1"):
        store.values(KEY, "c@1", 1)
    with pytest.raises(IntegrityError, match="lacks block 0"):
        store.kinds("another", 1)


@pytest.mark.parametrize("table", ["blocks.kinds", "blocks.moments", "samples.data"])
@pytest.mark.parametrize("fault", ["flipped", "short", "empty"])
def test_altered_blobs_are_an_integrity_error(path: Path, table: str, fault: str) -> None:
    """A flipped bit, a lost byte and an empty blob are seen when they are read."""
    with Store.open(path) as store:
        store.add(block(0))
    name, column = table.split(".")
    database = sqlite3.connect(path)
    ((blob,),) = database.execute(f"SELECT {column} FROM {name}")
    database.close()
    altered = {"flipped": blob[:9] + bytes([blob[9] ^ 1]) + blob[10:], "short": blob[:-1], "empty": b""}[fault]
    change(path, f"UPDATE {name} SET {column} = ?", altered)
    with Store.open(path) as store:
        reads: dict[str, Callable[[], object]] = {
            "kinds": lambda: store.kinds(KEY, 1),
            "moments": lambda: store.moments(KEY, 1),
            "data": lambda: store.values(KEY, "a@1", 1),
        }
        with pytest.raises(IntegrityError, match=r"store\.sqlite` is damaged"):
            reads[column]()


@pytest.mark.parametrize("read", ["moments", "values"])
def test_a_wrong_count_is_an_integrity_error(path: Path, read: str) -> None:
    """Blobs that hold another number of networks than the block are seen."""
    with Store.open(path) as store:
        store.add(block(0))
    change(path, "UPDATE blocks SET count = 9")
    with Store.open(path) as store, pytest.raises(IntegrityError, match="damaged"):
        store.moments(KEY, 1) if read == "moments" else store.values(KEY, "a@1", 1)


def test_a_full_disk_loses_nothing(path: Path) -> None:
    """Where no page can be added the file is named, what was stored stays, and there is room for more later."""
    with Store.open(path) as store:
        store.add(block(0))
        ((pages,),) = store._db.execute("PRAGMA page_count")
        store._db.execute(f"PRAGMA max_page_count = {pages}")
        large = np.random.default_rng(0).random((8, 5000))
        with pytest.raises(OutputError, match=r"store\.sqlite` cannot be used: .*full"):
            store.add(block(1), block(2, values=large))
        assert store.blocks(KEY) == {0}
        store._db.execute("PRAGMA max_page_count = 1000000")
        store.add(block(1), block(2, values=large))
    with Store.open(path) as store:
        assert store.blocks(KEY) == {0, 1, 2}
        assert store.moments(KEY, 1).to_bytes() == block(0).moments.to_bytes()


def test_a_file_of_something_else_is_left_alone(path: Path) -> None:
    """Text, and databases of other programs, are refused and not changed by a byte."""
    path.write_text("not a database, " * 100)
    with pytest.raises(InputError, match=r"store\.sqlite` is not a database"):
        Store.open(path)
    path.unlink()
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE notes (text)")
    database.commit()
    database.close()
    before = path.read_bytes()
    with pytest.raises(InputError, match="another program"):
        Store.open(path)
    assert path.read_bytes() == before


def test_a_newer_store_is_refused(path: Path) -> None:
    """A schema of a later version says to update; one that is not a number is damage."""
    Store.open(path).close()
    change(path, "UPDATE meta SET value = '2'")
    with pytest.raises(InputError, match="newer mcverify"):
        Store.open(path)
    change(path, "UPDATE meta SET value = 'two'")
    with pytest.raises(IntegrityError, match="damaged"):
        Store.open(path)


def test_damaged_files_are_integrity_errors(path: Path) -> None:
    """Overwritten pages and a lost table are named as damage of this file."""
    with Store.open(path) as store:
        for index in range(50):
            store.add(block(index))
    data = path.read_bytes()
    path.write_bytes(data[:8192] + b"\xff" * (len(data) - 8192))
    with pytest.raises(IntegrityError, match=r"store\.sqlite` is damaged"):
        Store.open(path)
    path.write_bytes(data)
    database = sqlite3.connect(path)
    database.execute("DROP TABLE samples")
    database.close()
    with Store.open(path) as store, pytest.raises(IntegrityError, match="no such table"):
        store.values(KEY, "a@1", 1)


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    """A file of no bytes, which a killed process may leave, is a new store."""
    path.touch()
    with Store.open(path) as store:
        store.add(block(0))
        assert store.blocks(KEY) == {0}


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    """A folder, and a file in a folder that is not there, are output errors that name the path."""
    with pytest.raises(OutputError, match="is a folder"):
        Store.open(tmp_path)
    with pytest.raises(OutputError, match=r"no/store\.sqlite` cannot be used"):
        Store.open(tmp_path / "no" / "store.sqlite")


def test_a_store_that_is_in_use_for_too_long(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that does not let go is an output error that says to try later; nothing is stored."""
    monkeypatch.setattr("mcverify.store.BUSY_SECONDS", 0.05)
    with Store.open(path) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OutputError, match="another process"):
            store.add(block(0))
        other.execute("ROLLBACK")
        other.close()
        store.add(block(0))
        assert store.blocks(KEY) == {0}


def test_misuse_stays_what_it_is(path: Path) -> None:
    """A closed store is a programming error, not damage."""
    store = Store.open(path)
    store.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        store.blocks(KEY)


def test_a_killed_writer_loses_no_finished_block(path: Path) -> None:
    """After kill -9 every block that was reported is there, whole, and the run can go on."""
    process = writer(path, 10_000)
    assert process.stdout is not None
    finished = [int(process.stdout.readline()) for _ in range(20)]
    process.send_signal(signal.SIGKILL)
    finished += [int(line) for line in process.stdout.read().split()]
    process.wait()
    process.stdout.close()
    with Store.open(path) as store:
        assert set(finished) <= store.blocks(KEY)
        n = len(store.blocks(KEY))
        assert store.moments(KEY, n).to_bytes() == merge(block(i).moments for i in range(n)).to_bytes()
        assert len(store.values(KEY, "a@1", n)) == 8 * n
        store.add(*(block(index) for index in range(n + 5)))
        assert store.blocks(KEY) == set(range(n + 5))


def test_two_writers_at_once(path: Path) -> None:
    """Two processes that make and fill one file at the same time both succeed and leave each block once."""
    processes = [writer(path, 60) for _ in range(2)]
    for process in processes:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert len(output.split()) == 60
    with Store.open(path) as store:
        assert store.blocks(KEY) == set(range(60))
        assert store.moments(KEY, 60).to_bytes() == merge(block(i).moments for i in range(60)).to_bytes()


def test_in_memory() -> None:
    """Without a path nothing is written anywhere."""
    before = set(Path.cwd().iterdir())
    with Store.open() as store:
        store.add(block(0))
        assert store.blocks(KEY) == {0}
    assert set(Path.cwd().iterdir()) == before
