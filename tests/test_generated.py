"""Compiled modules: kept in a cache folder, found again by the next process, never stale, never half-written."""

import os
import subprocess
import sys

import pytest

from mcverify.activations import activations
from mcverify.kernels import cpu, generated

PHI = [("mcverify.functions.piecewise", "relu"), ("mcverify.functions.exponential", "tanh")]

PROGRAM = """
from mcverify.kernels.generated import load
import numpy as np
module = load("vectors", ["mcverify.kernels.templates.powers"])
out = np.zeros(3)
module.widen(out, np.ones(3, np.float32), np.float32(2), np.float32(1))
assert np.all(out == 3)
hits = sum(module.widen.stats.cache_hits.values())
misses = sum(module.widen.stats.cache_misses.values())
print(hits, misses, module.__file__)
"""


def run(**environment):
    """Standard output of PROGRAM in a new process."""
    kept = {k: v for k, v in os.environ.items() if k not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={**kept, **environment}, capture_output=True, text=True, check=True
    )
    hits, misses, file = result.stdout.split()
    return int(hits), int(misses), file


@pytest.mark.parametrize("variable", ["NUMBA_CACHE_DIR", "XDG_CACHE_HOME"])
def test_second_process_compiles_nothing(variable, tmp_path):
    """The first process misses Numba's cache, the second one hits it, in the folder asked for."""
    first, second = run(**{variable: str(tmp_path)}), run(**{variable: str(tmp_path)})
    assert first == (0, 1, first[2])
    assert second == (1, 0, first[2])
    assert first[2].startswith(str(tmp_path))
    assert not list(tmp_path.rglob("*.tmp"))


def test_folder_that_takes_nothing(tmp_path):
    """Where no cache folder can be made, a temporary one serves."""
    file = tmp_path / "file"
    file.write_text("")
    _, misses, used = run(XDG_CACHE_HOME=str(file), TMPDIR=str(tmp_path))
    assert misses == 1
    assert used.startswith(str(tmp_path / "mcverify-"))


def test_name_depends_on_the_text(tmp_path, monkeypatch):
    """Another law is another file; a file with a wrong text is written anew."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    one, other = (generated.source("layers", [module], [f"phi = {name}"]) for module, name in PHI)
    assert one != other
    path = generated._write(tmp_path, "mcverify_test", one)
    path.write_text("broken")
    assert generated._write(tmp_path, "mcverify_test", one).read_text() == one


LAYERS = [("layers", (form.phi.__module__, *cpu.VECTOR_SCALARS)) for form in activations.values()]


@pytest.mark.parametrize(
    ("template", "scalars"),
    [("weights", cpu.SCALARS), *dict.fromkeys(LAYERS), ("vectors", cpu.VECTOR_SCALARS), ("output", ())],
)
def test_no_name_is_defined_twice(template, scalars):
    """The texts that are joined define different names, so none shadows another."""
    text = generated.source(template, scalars)
    names = [line.split("=")[0].strip() for line in text.splitlines() if line[:1].isalpha() and " = " in line]
    names += [line[4:].split("(")[0] for line in text.splitlines() if line.startswith("def ")]
    names = [name for name in names if name.isidentifier()]
    assert len(names) == len(set(names))


def test_only_what_an_activation_needs_is_pasted():
    """A module comes after those that it imports, once, and brings no others."""
    family = "mcverify.functions"
    assert generated.with_imports([f"{family}.piecewise"]) == [f"{family}.piecewise"]
    needed = [f"{family}.{name}" for name in ("bits", "exponential", "error", "gated")]
    assert generated.with_imports([f"{family}.error", f"{family}.gated"]) == needed
