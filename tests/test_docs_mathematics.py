"""The pages of the mathematics: every entry has its place, its functions and its tests, and snippets run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
from latex2mathml.converter import convert

import theory
from theory.entries import ALIASES, ENTRIES, Entry, get
from theory.entries.entry import EXACT
from theory.identities import Identity
from theory.prediction import Exactness, TheoryError
from theory.statement import Statement

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs" / "mathematics").glob("*.md"))
PROSE = [page for page in PAGES if page.name != "entries.md"]
table = SimpleNamespace(**runpy.run_path(str(ROOT / "tests" / "coverage_table.py")))


def resolve(dotted: str) -> object:
    """What a dotted name names, by importing the longest module that there is."""
    parts = dotted.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for name in parts[cut:]:
            found = getattr(found, name)
        return found
    raise ModuleNotFoundError(dotted)


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=list(ENTRIES))
def test_functions_of_an_entry_exist(entry: Entry) -> None:
    """Each dotted name resolves; an entry in scope has one."""
    for name in entry.where:
        assert resolve(name) is not None
    assert bool(entry.where) or bool(entry.out_of_scope)
    assert entry.title


def stated_classes() -> dict[str, set[Exactness]]:
    """The classes of all records in the modules of `theory`, by entry."""
    found: dict[str, set[Exactness]] = {}
    for module in pkgutil.walk_packages(theory.__path__, "theory."):
        for value in vars(importlib.import_module(module.name)).values():
            for record in value if isinstance(value, tuple | list) else (value,):
                if isinstance(record, Statement | Identity):
                    found.setdefault(get(record.entry).id, set()).add(record.exactness)
    return found


def test_classes_are_those_of_the_records() -> None:
    """An entry has every class that a record of it has; a record with another class would be seen."""
    found = stated_classes()
    assert len(found) > 40
    assert not {name: classes for name, classes in found.items() if not classes <= set(ENTRIES[name].exactness)}
    assert not {Exactness.LEADING_ORDER} <= set(ENTRIES["A1"].exactness)


def test_missing_functions_are_caught() -> None:
    """A name that is not there does not resolve, and an entry without a function is named."""
    with pytest.raises(AttributeError):
        resolve("theory.identities.dropout.no_such_function")
    assert table.without_function([Entry("A1", "", EXACT)]) == ["A1"]
    assert not table.without_function([Entry("A1", "", out_of_scope="planted")])


def test_every_entry_has_its_identifier() -> None:
    """Numbers run without a gap in each section, own entries and aliases together; nothing is both."""
    names = {*ENTRIES, *ALIASES}
    assert not ENTRIES.keys() & ALIASES.keys()
    for letters, last in {"A": 28, "B": 4, "C": 10, "D": 7, "E": 8, "F": 4, "G": 9}.items():
        assert {f"{letters}{k}" for k in range(1, last + 1)} <= names
    for letters, last in {"MF": 11, "GN": 5, "OR": 11, "CV": 7, "AR": 11, "SY": 9, "TR": 9, "FW": 10, "SD": 10}.items():
        assert {f"{letters}-{k:02d}" for k in range(1, last + 1)} <= names
    assert all(name in ENTRIES for name in ALIASES.values())
    with pytest.raises(TheoryError, match="no entry"):
        get("A29")


def test_markers_name_entries() -> None:
    """Every marker names an entry or an alias; an unknown one is caught."""
    assert not table.unknown(table.collect(table.sources()))
    planted = 'import pytest\n@pytest.mark.entry("A1", "Z9")\ndef test_x():\n    pass\n'
    assert table.unknown(table.collect({"test_x.py": planted})) == ["Z9"]


def test_every_entry_has_a_test() -> None:
    """Each entry in scope is covered by a marked test; one without is caught, and an alias counts for its entry."""
    marks = table.collect(table.sources())
    assert not table.without_test(marks)
    assert "A14" in table.without_test({name: tests for name, tests in marks.items() if name != "A14"})
    assert "E1" not in table.without_test({"MF-01": ["test_x.py::test_y"]})


def test_table_is_the_one_written_now() -> None:
    """docs/mathematics/entries.md is what `python tests/coverage_table.py` writes."""
    marks = table.collect(table.sources())
    assert table.PAGE.read_text() == table.write(marks)
    assert table.PAGE.read_text() != table.write({**marks, "A1": []})


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.name)
def test_snippets_run(page: Path) -> None:
    """What follows >>> on a page gives what the page shows."""
    test = doctest.DocTestParser().get_doctest(page.read_text().replace("```", "\n"), {}, page.name, str(page), 0)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert runner.run(test).failed == 0


def test_wrong_snippet_is_caught() -> None:
    """A snippet whose result is not the one shown fails."""
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "planted", None, 0)
    assert doctest.DocTestRunner(verbose=False).run(test, out=lambda _: None).failed == 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_is_well_formed(page: Path) -> None:
    """Links lead somewhere, dotted names resolve, dollar signs pair up within a paragraph."""
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / target).exists(), target
    for name in re.findall(r"`(theory(?:\.\w+)+)`", text):
        assert resolve(name) is not None
    assert not re.findall(r"\\[^A-Za-z\s]", without_code(text)), "Markdown eats a backslash before punctuation"
    for paragraph in unpaired(text):
        pytest.fail(f"{page.name}: dollar signs do not pair up in {paragraph[:80]!r}")


def without_code(text: str) -> str:
    """A page without its fenced blocks and its code in lines."""
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def unpaired(text: str) -> list[str]:
    """Paragraphs with a dollar sign that has no partner, code left out."""
    return [
        part
        for part in without_code(text).split("\n\n")
        if part.replace("$$", "").count("$") % 2 or part.count("$$") % 2
    ]


def test_unpaired_dollars_are_caught() -> None:
    """One dollar sign too few is seen; code may hold any."""
    assert unpaired("a $b$ and $c") == ["a $b$ and $c"]
    assert without_code("a `\\,` b") == "a  b"
    assert not unpaired("$$\na\n$$\n\n`$PATH` and $a$")


def bad_formulas(text: str) -> list[str]:
    """Formulas that are not LaTeX: braces that do not match, a command that there is not."""
    found = re.findall(r"\$\$(.*?)\$\$|\$([^$]+)\$", without_code(text), flags=re.DOTALL)
    return [formula for pair in found for formula in pair if formula and not parses(formula.strip())]


def parses(formula: str) -> bool:
    if formula.count("{") != formula.count("}"):
        return False
    try:
        return not re.search(r"<m[io]>\\", convert(formula))
    except Exception:
        return False


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.name)
def test_formulas_are_latex(page: Path) -> None:
    """Every formula of a page is one that a converter reads."""
    assert not bad_formulas(page.read_text())


def test_bad_formulas_are_caught() -> None:
    """An unknown command, and a brace too few."""
    assert bad_formulas(r"$\nosuch x$ and $\frac{1}{2}$ and $x^{2$") == [r"\nosuch x", "x^{2"]


def places(name: str) -> list[str]:
    """Pages with a heading or a bold start that names the entry."""
    pattern = re.compile(rf"^(?:#+ .*|\*\*.*)\b{re.escape(name)}\b(?![\w-])", flags=re.MULTILINE)
    return [page.name for page in PROSE if pattern.search(page.read_text())]


@pytest.mark.parametrize("name", ENTRIES)
def test_every_entry_is_on_a_page(name: str) -> None:
    """Each entry, in scope or not, heads a section or paragraph of one page."""
    assert len(places(name)) == 1, places(name)


def section(name: str) -> str:
    """The text under the heading of an entry."""
    text = "\n".join(page.read_text() for page in PROSE)
    found = re.search(rf"^### {re.escape(name)}\b(?![\w-]).*?(?=^##|\Z)", text, flags=re.MULTILINE | re.DOTALL)
    return found[0] if found else ""


@pytest.mark.parametrize("entry", [e for e in ENTRIES.values() if not e.out_of_scope], ids=lambda entry: entry.id)
def test_page_gives_class_and_function(entry: Entry) -> None:
    """Under the heading of an entry stand its first class and a function of `theory`; false claims are called so."""
    text = section(entry.id)
    assert entry.exactness[0].value in text
    assert re.search(r"`theory\.", text) or entry.id in ("A28", "FW")
    assert not entry.false or "alse" in text


def test_entry_without_a_page_is_caught() -> None:
    """A name that no page has, or only as a part of another name, has no place."""
    assert not places("A29")
    assert not places("R-01")
    assert not section("A29")
    assert "### A2." in section("A2")
    assert "A20" not in section("A2").splitlines()[0]
