"""What README and docs show runs as shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import mcverify as mc
from mcverify.files import load_network, load_study
from mcverify.run import run
from mcverify.study import find

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
    assert len(mc.predict(net)) == int(said[1])


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


def test_links() -> None:
    """Files that README and docs link to exist."""
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
