"""What README and docs show runs as shown."""

from __future__ import annotations

import doctest
import importlib.util
import re
from pathlib import Path

import pytest

import mcverify as mc
from mcverify.files import load_network, load_study
from mcverify.observables import PREDICTED_ONLY, names
from mcverify.run import run
from mcverify.study import find
from theory.catalogue import OBSERVABLES

ROOT = Path(__file__).parent.parent
STUDIES = (ROOT / "docs" / "studies.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    """Fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_readme_counts_its_claims() -> None:
    """The network of the README has as many claims as it says."""
    (code,) = blocks((ROOT / "README.md").read_text(), "python")
    said = re.search(r"'claims': (\d+)", code)
    assert said is not None
    net = mc.Network(widths=(64, *[128] * 4), activation="relu", weights="he_normal")
    measured = OBSERVABLES.intersection(names())
    assert len(mc.predict(net, observables=measured)) == int(said[1])


def test_predictions(capsys: pytest.CaptureFixture[str]) -> None:
    """What the page on predictions shows is what comes out."""
    page = (ROOT / "docs" / "predictions.md").read_text()
    shown: dict[str, object] = {}
    exec(blocks(page, "python")[0], shown)
    assert set(shown["table"]) == set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", page, re.MULTILINE))))
    assert "EXACT" in capsys.readouterr().out
    result = doctest.testfile(str(ROOT / "docs" / "predictions.md"), module_relative=False)
    assert (result.failed, result.attempted > 8) == (0, True)


def test_network_file(tmp_path: Path) -> None:
    """The network file of the docs is one."""
    path = tmp_path / "net.toml"
    path.write_text(blocks(STUDIES, "toml")[0])
    net = load_network(path)
    assert (net.depth, net.weight_laws[0].variance) == (11, pytest.approx(2 / 784))


def test_study_files(tmp_path: Path) -> None:
    """The studies of the docs run, and come out as expected with the networks that they need."""
    toml, python = tmp_path / "halving.toml", tmp_path / "he_relu.py"
    toml.write_text(blocks(STUDIES, "toml")[1])
    python.write_text(blocks(STUDIES, "python")[1])
    assert run([load_study(toml), find(str(python))]).passed


def test_predicted_only() -> None:
    """The page on studies names what is predicted only, and its pair of inputs has a correlation."""
    text = STUDIES.partition("Predicted only")[2].partition("\n\n")[0]
    assert all(f"`{name.partition('.')[2]}`" in text for name in PREDICTED_ONLY)
    shown: dict[str, object] = {"mc": mc}
    exec(blocks(STUDIES, "python")[2].replace("mc.predict", "table = mc.predict"), shown)
    assert len(shown["table"]) == 2  # type: ignore[arg-type]


def test_links() -> None:
    """Files that README and docs link to exist."""
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_own_activations(tmp_path: Path) -> None:
    """The activations of the docs run as shown, in Python and as a file, and are the same one."""
    text = (ROOT / "docs" / "activations.md").read_text()
    found = []
    for index, code in enumerate(blocks(text, "python")):
        path = tmp_path / f"own_{index}.py"
        path.write_text(code)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found.append(module)
    assert "activation.second_moment" in set(found[0].table.observable)
    assert all(module.sim.replicates == 64 for module in found)
    path = tmp_path / "net.toml"
    path.write_text(blocks(text, "toml")[0])
    assert load_network(path) == found[0].net
