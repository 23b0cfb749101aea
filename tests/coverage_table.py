"""Writes docs/mathematics/entries.md: every entry of the catalogue with its functions and its tests.

Run `python tests/coverage_table.py` after a change to `theory.entries` or to the markers of tests. Tests name
the entries that they cover by a second route with `@pytest.mark.entry("A1", ...)`; they are read, not imported.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from theory.entries import ALIASES, ENTRIES, Entry

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "mathematics" / "entries.md"
SECTIONS = {
    "A": "Claims of the sources",
    "B": "Exact theory: linear nets",
    "C": "Exact theory: homogeneous nets",
    "D": "Products of matrices",
    "E": "General activations",
    "F": "Laws of weights",
    "MF": "Mean field",
    "GN": "Gains",
    "OR": "Orthogonal weights and Jacobians",
    "CV": "Convolutions",
    "AR": "Blocks",
    "SY": "Symmetry",
    "TR": "Training",
    "FW": "Initializers of frameworks",
    "G": "Statistical limits",
}
HEAD = """# Entries and their tests

Written by `python tests/coverage_table.py` from `theory.entries` and the markers of the tests; not by hand. Statements
and proofs are on the other [pages](README.md). A test counts where it checks the entry by a second route: enumeration,
quadrature, finite differences, symbolic derivation, or a simulation that shares no code with the theory.
"""
Marks = dict[str, list[str]]


def marks_of(source: str) -> Iterator[tuple[str, str]]:
    """(entry, name of the test) for each marker of a test file."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                yield from ((name, node.name) for name in _entries_in(decorator))


def _entries_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "entry":
            yield from (a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str))


def collect(sources: Mapping[str, str]) -> Marks:
    """Names as in the markers to `file::test`, from the text of each file."""
    found: Marks = {}
    for file, source in sources.items():
        for entry, test in marks_of(source):
            tests = found.setdefault(entry, [])
            if f"{file}::{test}" not in tests:
                tests.append(f"{file}::{test}")
    return found


def unknown(marks: Iterable[str]) -> list[str]:
    """Names in markers that are neither an entry nor an alias."""
    return sorted(name for name in marks if ALIASES.get(name, name) not in ENTRIES)


def by_entry(marks: Marks) -> Marks:
    """The same by entry, with the tests of its aliases; unknown names are left out."""
    found: Marks = {name: [] for name in ENTRIES}
    for name, tests in marks.items():
        entry = ALIASES.get(name, name)
        if entry in found:
            found[entry] += [test for test in tests if test not in found[entry]]
    return found


def without_test(marks: Marks) -> list[str]:
    """Entries in scope that no test covers."""
    return [name for name, tests in by_entry(marks).items() if not tests and not ENTRIES[name].out_of_scope]


def without_function(entries: Iterable[Entry]) -> list[str]:
    """Entries in scope that no function states."""
    return [entry.id for entry in entries if not entry.where and not entry.out_of_scope]


def section_of(name: str) -> str:
    """The letters before the number."""
    return name.rstrip("0123456789-")


def write(marks: Marks) -> str:
    """The page."""
    tests, lines = by_entry(marks), [HEAD]
    for letters, title in SECTIONS.items():
        lines += [
            f"\n## {letters}: {title}\n",
            "| entry | statement | class | in `theory` | tests |",
            "|---|---|---|---|---|",
        ]
        lines += [_row(entry, tests[name]) for name, entry in ENTRIES.items() if section_of(name) == letters]
    lines += ["\n## Other names\n", ", ".join(f"{alias} is {name}" for alias, name in sorted(ALIASES.items())) + "."]
    return "\n".join(lines) + "\n"


def _row(entry: Entry, tests: list[str]) -> str:
    where = ", ".join(f"`{name.removeprefix('theory.')}`" for name in entry.where) or "-"
    files: Marks = {}
    for test in tests:
        file, name = test.split("::")
        files.setdefault(file, []).append(name.removeprefix("test_"))
    covered = (
        "; ".join(f"[{file}](../../tests/{file}): {', '.join(names)}" for file, names in sorted(files.items())) or "-"
    )
    return f"| {entry.id} | {entry.title} | {entry.classes} | {where} | {covered} |"


def sources() -> dict[str, str]:
    """The text of each test file by its name."""
    return {path.name: path.read_text() for path in sorted((ROOT / "tests").glob("test_*.py"))}


if __name__ == "__main__":
    PAGE.write_text(write(collect(sources())))
    print(f"{PAGE.relative_to(ROOT)} written; without a test: {', '.join(without_test(collect(sources()))) or 'none'}")
