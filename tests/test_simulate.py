"""Simulations: the same bits for any workers, order, interruption or resume, in a store or in memory."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from mcverify import observables
from mcverify.blocks import block_size, cell_key, chunk_size, measure
from mcverify.errors import InputError, IntegrityError, OutputError
from mcverify.kernels import KINDS, Block
from mcverify.moments import Moments
from mcverify.network import Network
from mcverify.observables import parse
from mcverify.simulate import Cell, read_cell, run_cells, simulate
from mcverify.simulation import column_indexes
from mcverify.store import Store

NET = Network(widths=(90, 60, 60), activation="relu", weights="he_normal")
COLUMNS = (parse("preactivation.ratio", 2), parse("activation.second_moment", 1))


@dataclass
class Fake:
    """A simulator of nothing: row r is a hash of (seed, r); some networks die, some ratios are NaN."""

    name: str = "fake"
    assumes: frozenset[str] = frozenset()
    version: int = 1
    salt: int = 0
    calls: list[tuple[int, int]] = field(default_factory=list)
    slow: float = 0.0

    def row(self, net: Network, seed: int, replicate: int) -> np.ndarray:
        n = len(column_indexes(net.depth))
        text = f"{net.label} {seed} {replicate} {self.salt}".encode()
        data = b"".join(hashlib.sha256(text + bytes([k % 256, k // 256])).digest() for k in range(-(-n // 4)))
        values = np.frombuffer(data, dtype=np.uint64)[:n] * 2.0**-64
        values[values > 0.98] = np.nan
        values[values < 0.02] = -np.inf
        return values

    def work(self, net: Network) -> float:
        return float(net.n_weights)

    def measures(self, net: Network) -> frozenset[str]:
        return frozenset(observables.names())

    def assumes_for(self, net: Network) -> frozenset[str]:
        return self.assumes

    def simulate_block(self, net: Network, seed: int, first: int, count: int) -> Block:
        self.calls.append((first, count))
        time.sleep(self.slow)
        values = np.array([self.row(net, seed, replicate) for replicate in range(first, first + count)])
        kinds = np.array([replicate % 3 == 1 for replicate in range(first, first + count)], dtype=np.uint8)
        return Block(values, kinds)


class Shuffled(Fake):
    """Its blocks take random times, so that they come back in another order each time."""

    def simulate_block(self, net: Network, seed: int, first: int, count: int) -> Block:
        time.sleep(np.random.default_rng(first + self.salt).random() / 100)
        return super().simulate_block(net, seed, first, count)


class Told:
    """A progress that notes what it is told, and that it is told so by the main thread."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.done = 0

    def start(self, total_blocks: int, what: str) -> None:
        assert threading.current_thread() is threading.main_thread()
        self.log.append(f"start {total_blocks} {what}")

    def advance(self, blocks: int = 1) -> None:
        assert threading.current_thread() is threading.main_thread()
        self.done += blocks

    def finish(self) -> None:
        self.log.append(f"finish {self.done}")


class Says(Told):
    """A progress on stdout."""

    def advance(self, blocks: int = 1) -> None:
        super().advance(blocks)
        print(self.done, flush=True)


def cell(replicates: int = 1000, *, seed: int = 0, columns: tuple[observables.Observable, ...] = COLUMNS) -> Cell:
    return Cell(NET, seed, replicates, columns)


def dump(path: Path) -> list[str]:
    """Rows of the tables, sorted: all that a store says."""
    database = sqlite3.connect(path)
    try:
        return sorted(database.iterdump())
    finally:
        database.close()


def filled(path: Path, *cells: Cell, backend: Fake | None = None, workers: int = 2) -> list[str]:
    with Store.open(path) as store:
        run_cells(cells, store, backend or Fake(), workers=workers)
    return dump(path)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The rows of an undisturbed run on one thread."""
    return filled(tmp_path_factory.mktemp("straight") / "store.sqlite", cell(), workers=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open() as opened:
        yield opened


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_workers_change_no_bit(path: Path, straight: list[str], workers: int) -> None:
    """One, two and seven threads, with blocks that come back in disorder, store the same rows."""
    assert filled(path, cell(), backend=Shuffled(), workers=workers) == straight


def test_a_run_that_stopped_goes_on(path: Path, straight: list[str]) -> None:
    """Stopped by Ctrl-C after each block in turn and run again, a store holds what one run would have left."""
    for n in range(1, 5):
        with Store.open(path) as opened, pytest.raises(KeyboardInterrupt):
            run_cells([cell()], opened, Fake(), workers=1, progress=Interrupts())
        with Store.open(path) as opened:
            key = cell().key(Fake())
            assert n <= len(opened.blocks(key))
            if len(opened.blocks(key)) == 4:
                break
    assert filled(path, cell()) == straight


class Interrupts(Told):
    """Ctrl-C as soon as something is stored."""

    def advance(self, blocks: int = 1) -> None:
        raise KeyboardInterrupt


def test_only_what_is_missing_is_simulated(store: Store) -> None:
    """A finished run is not repeated; a raised number adds blocks; progress is told of the new ones alone."""
    backend, told = Fake(), Told()
    run_cells([cell(300)], store, backend, workers=2)
    assert sorted(backend.calls) == [(0, 256), (256, 256)]
    backend.calls.clear()
    run_cells([cell(512)], store, backend, workers=2, progress=told)
    assert (backend.calls, told.log) == ([], [])
    run_cells([cell(513)], store, backend, workers=2, progress=told, what="drawing")
    assert backend.calls == [(512, 256)]
    assert told.log == ["start 1 drawing", "finish 1"]


def test_order_of_blocks_leaves_no_trace(path: Path, straight: list[str]) -> None:
    """The last block first: a store to which blocks were added backwards holds the same rows."""
    key, backend = cell().key(Fake()), Fake()
    filled(path, cell())
    database = sqlite3.connect(path)
    with database:
        database.execute("DELETE FROM blocks WHERE key = ? AND block < 3", (key,))
        database.execute("DELETE FROM samples WHERE key = ? AND block < 3", (key,))
    database.close()
    assert filled(path, cell(), backend=backend) == straight
    assert sorted(backend.calls) == [(0, 256), (256, 256), (512, 256)]


def test_a_new_column_simulates_stored_blocks_again(store: Store) -> None:
    """Values of a column that was not kept are had by simulating again; the moments must come out equal."""
    backend = Fake()
    run_cells([cell(512, columns=COLUMNS[:1])], store, backend, workers=1)
    run_cells([cell(512)], store, backend, workers=1)
    assert backend.calls == [(0, 256), (256, 256)] * 2
    sim = read_cell(cell(512), store, backend)
    expected = [backend.row(NET, 0, r)[column_indexes(2)[COLUMNS[1]]] for r in range(512)]
    np.testing.assert_array_equal(sim.values("activation.second_moment", 1), expected)


def test_a_simulator_that_is_not_deterministic_is_caught(store: Store) -> None:
    """Simulated again with other results, a block stops the run, and the store keeps the first."""
    run_cells([cell(512, columns=())], store, Fake(), workers=1)
    before = store.moments(cell().key(Fake()), 2).to_bytes()
    with pytest.raises(IntegrityError, match="not deterministic"):
        run_cells([cell(512)], store, Fake(salt=1), workers=1)
    assert store.moments(cell().key(Fake()), 2).to_bytes() == before


def test_cells_of_one_network_are_simulated_once(store: Store) -> None:
    """Two cells that differ in columns and number share their blocks."""
    backend = Fake()
    few, many = cell(100, columns=COLUMNS[:1]), cell(300, columns=COLUMNS[1:])
    run_cells([few, many, few], store, backend, workers=1)
    assert backend.calls == [(0, 256), (256, 256)]
    assert read_cell(few, store, backend).values("preactivation.ratio", 2).shape == (256,)
    assert read_cell(many, store, backend).values("activation.second_moment", 1).shape == (512,)


def test_memory_and_store_agree(store: Store) -> None:
    """What is read from a store is what the same simulation in memory gives, to the byte."""
    backend = Fake()
    run_cells([cell(512)], store, backend, workers=2)
    stored, memory = read_cell(cell(512), store, backend), simulate(NET, 512, 0, backend, workers=2)
    assert stored.all_moments.to_bytes() == memory.all_moments.to_bytes()
    assert stored.counts == memory.counts
    assert stored.replicates == memory.replicates == 512
    for column in COLUMNS:
        np.testing.assert_array_equal(
            stored.values(column.name, column.layer), memory.values(column.name, column.layer)
        )
    assert stored.frame().equals(memory.frame())


def test_a_full_disk_is_reported_and_loses_nothing(path: Path, straight: list[str]) -> None:
    """When the disk fills in the middle of a run the store is named, and after making room the run goes on."""
    with Store.open(path) as opened:
        ((pages,),) = opened._db.execute("PRAGMA page_count")
        opened._db.execute(f"PRAGMA max_page_count = {pages + 8}")
        with pytest.raises(OutputError, match="full"):
            run_cells([cell()], opened, Fake(), workers=1)
        stored = opened.blocks(cell().key(Fake()))
        assert 0 < len(stored) < 4
    assert filled(path, cell()) == straight


def test_failing_simulators_are_not_hidden(store: Store) -> None:
    """An error of the simulator comes out as it is, and progress is finished."""

    class Broken(Fake):
        def simulate_block(self, net: Network, seed: int, first: int, count: int) -> Block:
            if first == 256:
                raise FloatingPointError("broken")
            return super().simulate_block(net, seed, first, count)

    told = Told()
    with pytest.raises(FloatingPointError, match="broken"):
        run_cells([cell()], store, Broken(), workers=1, progress=told)
    assert told.log[-1].startswith("finish")
    assert 0 in store.blocks(cell().key(Broken()))


SIGNALLED = """
import importlib.util, sys
sys.path.insert(0, sys.argv[1])
spec = importlib.util.spec_from_file_location("fakes", sys.argv[2])
fakes = importlib.util.module_from_spec(spec)
sys.modules["fakes"] = fakes
spec.loader.exec_module(fakes)
with fakes.Store.open(sys.argv[3]) as store:
    fakes.run_cells([fakes.cell(256 * 400)], store, fakes.Fake(slow=0.01), workers=2, progress=fakes.Says())
"""
"""A process that says how many blocks are stored."""


@pytest.mark.parametrize("number", [2, 9])
def test_signals_lose_no_finished_block(path: Path, number: int) -> None:
    """A process that gets SIGINT or SIGKILL leaves whole blocks, equal to those of an undisturbed run."""
    root, here = str(Path(__file__).parent.parent), str(Path(__file__))
    command = [sys.executable, "-c", SIGNALLED, root, here, str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    said = [int(process.stdout.readline()) for _ in range(3)]
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode in (-number, 1)  # Python ends by the signal's number, or by the traceback
    backend = Fake()
    with Store.open(path) as opened:
        stored = opened.blocks(cell().key(backend))
        assert said[-1] <= len(stored) < 400
        run_cells([cell(512)], opened, backend, workers=1)
        memory = simulate(NET, 512, 0, backend, workers=1)
        assert read_cell(cell(512), opened, backend).all_moments.to_bytes() == memory.all_moments.to_bytes()


def test_key_names_all_that_decides_results() -> None:
    """Network, seed, block size and simulator are in the key; how the network is written is not."""
    key = cell_key(NET, 0, 256, "cpu-1")
    assert len(key) == 64
    assert key == cell_key(NET.replace(weights={"scheme": "he_normal"}), 0, 256, "cpu-1")
    others = [
        cell_key(NET.replace(activation="tanh"), 0, 256, "cpu-1"),
        cell_key(NET, 1, 256, "cpu-1"),
        cell_key(NET, 0, 16, "cpu-1"),
        cell_key(NET, 0, 256, "cpu-2"),
    ]
    assert len({key, *others}) == 5


def test_key_does_not_depend_on_the_process() -> None:
    """The key is a hash of text that anyone can write down."""
    content = {"network": NET.content(), "seed": 7, "block_size": 256, "simulator": "fake-1"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert cell(seed=7).key(Fake()) == hashlib.sha256(text.encode()).hexdigest()


def test_block_and_chunk_sizes() -> None:
    """256, 16 above 1e7 weights, up to 4096 of tiny ones; deep and large networks are simulated in smaller calls."""
    small, large = NET, Network(widths=(4000, 4000))
    assert (block_size(small, Fake()), chunk_size(small, Fake())) == (256, 256)
    assert block_size(large, Fake()) == 16
    assert block_size(Network(widths=(2, 2)), Fake()) == 4096
    assert chunk_size(Network(widths=(1500, 1500, 1500)), Fake()) == 64
    deep = Network(widths=(2,) * 10_001)
    assert chunk_size(deep, Fake()) * len(observables.columns(deep.depth)) <= 2**23
    assert chunk_size(deep, Fake()) in (2**k for k in range(13))


def test_chunks_are_merged_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block in chunks has the same samples and kinds; its calls cover it without gaps."""
    whole = measure(Fake(), NET, 0, 256, 250, columns=[0, 5], stop=Event())
    monkeypatch.setattr("mcverify.blocks.CHUNK_WEIGHTS", 64 * NET.n_weights)
    backend = Fake()
    parts = measure(backend, NET, 0, 256, 250, columns=[0, 5], stop=Event())
    assert backend.calls == [(256, 64), (320, 64), (384, 64), (448, 58)]
    np.testing.assert_array_equal(parts.samples, whole.samples)
    np.testing.assert_array_equal(parts.kinds, whole.kinds)
    np.testing.assert_array_equal(parts.moments.count, whole.moments.count)
    np.testing.assert_allclose(parts.moments.m4, whole.moments.m4, rtol=1e-12)


def test_a_stopped_block_gives_up() -> None:
    """A block that is told to stop raises rather than to go on for long."""
    stop = Event()
    stop.set()
    with pytest.raises(CancelledError):
        measure(Fake(), NET, 0, 0, 256, columns=[], stop=stop)


@pytest.mark.parametrize("replicates", [1, 255, 256, 257, 700])
@pytest.mark.parametrize("workers", [1, 3])
def test_simulation_in_memory(replicates: int, workers: int) -> None:
    """Every value stands in the row of its replicate, and the moments are those of the values."""
    backend = Fake()
    sim = simulate(NET, replicates, 5, backend, workers=workers)
    rows = np.array([backend.row(NET, 5, r) for r in range(replicates)])
    for column, index in column_indexes(2).items():
        np.testing.assert_array_equal(sim.values(column.name, column.layer), rows[:, index])
        exact = Moments.of(rows[:, [index]])[0]
        moments = sim.moments(column.name, column.layer)
        assert int(moments.count) == int(exact.count)
        np.testing.assert_allclose(moments.mean, exact.mean, rtol=1e-13)
    n_dead = sum(r % 3 == 1 for r in range(replicates))
    assert sim.counts == {"ok": replicates - n_dead, "dead": n_dead, "underflow": 0, "overflow": 0, "nan": 0}
    assert tuple(sim.counts) == KINDS


def test_moments_are_the_same_without_values() -> None:
    """`keep_values=False` changes no moment, and asking for values says what to do."""
    kept, lean = simulate(NET, 300, 0, Fake()), simulate(NET, 300, 0, Fake(), keep_values=False)
    assert lean.all_moments.to_bytes() == kept.all_moments.to_bytes()
    with pytest.raises(InputError, match="keep_values=True"):
        lean.values("activation.ratio", 1)


def test_values_cannot_be_written_to() -> None:
    """Values are shared, so they are read-only."""
    values = simulate(NET, 3, 0, Fake()).values("activation.ratio", 1)
    with pytest.raises(ValueError, match="read-only"):
        values[0] = 1.0


def test_frame() -> None:
    """Two rows an observable and layer: mean and variance with their standard errors, over finite values."""
    sim = simulate(NET, 500, 0, Fake())
    frame = sim.frame()
    assert list(frame.columns) == ["layer", "observable", "statistic", "value", "replicates", "standard_error"]
    assert len(frame) == 2 * len(observables.columns(2))
    picked = frame[(frame.observable == "preactivation.log_second_moment") & (frame.layer == 2)]
    values = sim.values("preactivation.log_second_moment", 2)
    values = values[np.isfinite(values)]
    mean, variance = picked.itertuples(index=False)
    assert (mean.statistic, mean.replicates, variance.statistic) == ("mean", len(values), "variance")
    assert mean.value == pytest.approx(values.mean(), rel=1e-13)
    assert mean.standard_error == pytest.approx(values.std(ddof=1) / np.sqrt(len(values)), rel=1e-12)
    assert variance.value == pytest.approx(values.var(ddof=1), rel=1e-12)
    square = (values - values.mean()) ** 2
    assert variance.standard_error == pytest.approx(square.std() / np.sqrt(len(values)), rel=0.01)


def test_memory_is_flat_without_values() -> None:
    """Forty times the networks take no more memory; kept values, the fault to be seen, do."""

    class Quick(Fake):
        def simulate_block(self, net: Network, seed: int, first: int, count: int) -> Block:
            return Block(np.ones((count, len(column_indexes(net.depth)))), np.zeros(count, dtype=np.uint8))

    def peak(replicates: int, keep: bool) -> int:
        tracemalloc.start()
        simulate(NET, replicates, 0, Quick(), keep_values=keep, workers=1)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(256, False)
    few = peak(20 * 256, False)
    assert peak(800 * 256, False) < 1.2 * few
    assert peak(60 * 256, True) > 3 * few


def test_progress_in_memory() -> None:
    """A simulation tells how many blocks there are and when each is done."""
    told = Told()
    simulate(NET, 600, 0, Fake(), progress=told)
    assert told.log == ["start 3 simulating", "finish 3"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"net": "relu"}, "`net='relu'`: give a Network"),
        ({"replicates": 0}, "`replicates=0`"),
        ({"replicates": 2.5}, "`replicates=2.5`"),
        ({"seed": -1}, "`seed=-1`"),
        ({"workers": 0}, "`workers=0`"),
        ({"backend": "gpu"}, "`backend='gpu'` is not known"),
        ({"replicates": 10**7}, "keep_values=False"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    """Each is refused by name, before anything is drawn."""
    backend = Fake()
    with pytest.raises(InputError, match=message):
        simulate(**{"net": NET, "replicates": 3, "backend": backend, **arguments})
    assert not backend.calls


def test_a_column_that_is_not_there(store: Store) -> None:
    """An observable at a layer that the network lacks is refused, and nothing is simulated or stored."""
    backend = Fake()
    with pytest.raises(InputError, match="layer=3"):
        run_cells([cell(), cell(columns=(parse("activation.ratio", 3),))], store, backend)
    assert not backend.calls
    assert not store.cells()
    with pytest.raises(InputError, match="layer=3"):
        simulate(NET, 3, 0, backend).moments("activation.ratio", 3)


def test_an_unfinished_cell_cannot_be_read(store: Store) -> None:
    """A cell with blocks missing is an error, not a smaller sample."""
    run_cells([cell(256)], store, Fake(), workers=1)
    with pytest.raises(IntegrityError, match="lacks block 1 of 2"):
        read_cell(cell(512), store, Fake())
