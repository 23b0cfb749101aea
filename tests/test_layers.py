"""The house: what may import what, and how long files and functions may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("mcverify", "theory", "studies")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

BLIND_TO_THEORY = (
    "rng",
    "kernels",
    "simulate",
    "statistics",
    "moments",
    "store",
    "engine",
    "network",
    "distributions",
    "blocks",
    "simulation",
)
"""Parts of mcverify that never import the theory: what is measured owes nothing to what is predicted."""


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(source: str, *, at_import: bool = False) -> set[str]:
    """Modules of the house that a file imports; `at_import`: only those that importing it runs."""
    return set(_imports(ast.parse(source), at_import))


def _imports(node: ast.AST, at_import: bool) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names if alias.name.split(".")[0] in PACKAGES)
        elif isinstance(child, ast.ImportFrom) and child.module and child.module.split(".")[0] in PACKAGES:
            for alias in child.names:
                yield f"{child.module}.{alias.name}" if _is_module(child.module, alias.name) else child.module
        elif at_import and (isinstance(child, ast.FunctionDef) or _is_type_checking(child)):
            continue
        else:
            yield from _imports(child, at_import)


def _is_module(package: str, name: str) -> bool:
    """Whether `from package import name` takes a module, rather than something that a module defines."""
    place = ROOT.joinpath(*package.split("."), name)
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def breaches_of_the_wall(module: str, source: str) -> set[str]:
    """What a module imports from the other side of the wall."""
    parts = module.split(".")
    if parts[0] == "theory":
        return {name for name in imports(source) if name.split(".")[0] in ("mcverify", "studies")}
    if parts[0] == "mcverify" and len(parts) > 1 and parts[1] in BLIND_TO_THEORY:
        return {name for name in imports(source) if name.split(".")[0] in ("theory", "studies")}
    return set()


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_wall(path: Path) -> None:
    """Simulators and statistics import nothing of the theory, and the theory nothing of mcverify."""
    assert not breaches_of_the_wall(module_of(path), path.read_text())


def test_wall_catches_a_breach() -> None:
    """A planted import on either side is seen, inside a function too."""
    assert breaches_of_the_wall("mcverify.kernels.cpu", "def f():\n    from theory.net import DenseNet\n")
    assert breaches_of_the_wall("theory.forward", "import mcverify.network\n")
    assert not breaches_of_the_wall("mcverify.bridge", "from theory.net import DenseNet\n")


def import_graph(sources: dict[str, str]) -> dict[str, set[str]]:
    """Each module with those it imports when it is imported."""
    return {
        name: {found for found in imports(source, at_import=True) if found in sources and found != name}
        for name, source in sources.items()
    }


def test_no_cycle() -> None:
    """Imports of the house run one way."""
    sources = {module_of(path): path.read_text() for path in FILES}
    TopologicalSorter(import_graph(sources)).prepare()


def test_no_cycle_catches_one() -> None:
    """Two modules that import each other are a cycle."""
    with pytest.raises(CycleError):
        TopologicalSorter(
            import_graph({"mcverify.a": "import mcverify.b", "mcverify.b": "import mcverify.a"})
        ).prepare()


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_size(path: Path) -> None:
    """No file over 400 lines, no function over 60."""
    source = path.read_text()
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    long = [f.name for f in functions if (f.end_lineno or f.lineno) - f.lineno >= 60]
    assert not long
    assert len(source.splitlines()) <= 400
