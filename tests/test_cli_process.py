"""The command line as a process: what it imports, signals in a run that simulates, a reader that goes away."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

import mcverify
from mcverify.cli import main

ROOT = Path(mcverify.__file__).parents[1]
HEAVY = ("numba", "numpy", "scipy", "sympy", "pandas", "matplotlib", "statsmodels", "rich")
STUDY = """
id = "slow"
[network]
widths = [64, 40, 64]
activation = "relu"
weights = "he_normal"
[[claim]]
name = "kept"
observable = "preactivation.ratio"
layer = 2
prediction = "theory"
margin = 0.5
"""
RUN = ("verify", "slow.toml", "--backend", "reference", "--replicates", "2048", "--workers", "1")

posix = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")


def start(arguments: Sequence[str], folder: Path, **options: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SOURCE_DATE_EPOCH": "0"}
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        [sys.executable, "-m", "mcverify", *arguments],
        cwd=folder,
        env=environment,
        text=True,
        stderr=subprocess.PIPE,
        **{"stdout": subprocess.PIPE, **options},
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def n_blocks(store: Path) -> int:
    """Blocks that another process has stored."""
    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as database:
            (count,) = database.execute("SELECT count(*) FROM blocks").fetchone()
    except sqlite3.OperationalError:  # not created yet
        return 0
    return int(count)


def interrupt(folder: Path, *signals: int) -> tuple[int, str, str]:
    """Begin the run, wait for its first stored block, send the signals."""
    (folder / "slow.toml").write_text(STUDY)
    process = start([*RUN, "--out", "run"], folder)
    deadline = time.monotonic() + 90
    while n_blocks(folder / "run" / "store.sqlite") == 0:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    for number in signals:
        process.send_signal(number)
        time.sleep(0.01)
    return finish(process)


def test_help_imports_nothing_heavy() -> None:
    """Of all that mcverify stands on, `--help` imports click alone."""
    code = (
        "import sys\nfrom mcverify.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        f"found = [name for name in {HEAVY} if name in sys.modules]\nassert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, stdout=subprocess.DEVNULL, timeout=60)


@posix
def test_an_interrupted_run_goes_on_to_the_same_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGINT in the middle: 130, finished blocks kept; the printed command ends with the rows of an undisturbed run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    code, out, err = interrupt(tmp_path, signal.SIGINT)
    assert (code, out) == (130, "")
    assert "Traceback" not in err
    kept = n_blocks(tmp_path / "run" / "store.sqlite")
    assert 0 < kept < 8
    program, *command = shlex.split(err.splitlines()[-1])
    assert (program, command) == ("mcverify", [*RUN, "--out", "run"])
    code, resumed, err = finish(start([*command, "--json"], tmp_path))
    assert code == 0, err
    assert f"{8 - kept} blocks" in err
    undisturbed = CliRunner().invoke(main, [*RUN, "--json", "--out", "other"])
    assert undisturbed.exit_code == 0
    assert json.loads(resumed)["rows"] == json.loads(undisturbed.stdout)["rows"]
    again = CliRunner().invoke(main, ["report", "run", "--json", "--out", "again"])
    assert again.stdout == resumed
    assert Path("again", "report.html").read_bytes() == Path("run", "report.html").read_bytes()


@posix
def test_a_second_signal_ends_at_once_and_harms_nothing(tmp_path: Path) -> None:
    """SIGTERM twice: 143, the command to go on, a sound store with the finished blocks."""
    code, out, err = interrupt(tmp_path, signal.SIGTERM, signal.SIGTERM)
    assert (code, out) == (143, "")
    assert "Traceback" not in err
    assert err.splitlines()[-1].endswith("--out run")
    with sqlite3.connect(tmp_path / "run" / "store.sqlite") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert n_blocks(tmp_path / "run" / "store.sqlite") > 0


@posix
@pytest.mark.parametrize("arguments", [("--help",), ("list",)])
def test_a_reader_that_is_gone_is_no_error(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """As with `| head`: nothing on stderr, exit code 0."""
    reading, writing = os.pipe()
    os.close(reading)
    process = start(arguments, tmp_path, stdout=writing)
    os.close(writing)
    assert finish(process)[::2] == (0, "")


def test_mistakes_exit_with_2_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text('widths = [64, 0]\nactivation = "rellu"\n')
    code, out, err = finish(start(["check", "bad.toml"], tmp_path))
    assert (code, out) == (2, "")
    assert "2 mistakes" in err
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["bad.toml"]


@posix
def test_a_closed_stdout_is_no_error(tmp_path: Path) -> None:
    """As with `>&-`: nothing on stderr, exit code 0."""
    command = [sys.executable, "-m", "mcverify", "list"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    call = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command], cwd=tmp_path, env=environment, capture_output=True, check=False
    )
    assert (call.returncode, call.stderr) == (0, b"")


def test_a_date_that_is_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SOURCE_DATE_EPOCH that is no number is the user's mistake, found before anything runs."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    call = subprocess.run(
        [sys.executable, "-m", "mcverify", "list"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert call.returncode == 2
    assert "`SOURCE_DATE_EPOCH='yesterday'` is no date" in call.stderr
