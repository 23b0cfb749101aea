"""Reports of a made-up outcome: seven studies, about 700 claims, names that try to break out."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import random
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mcverify import report
from mcverify.claim import Check, Claim, Measurement, Residual
from mcverify.errors import InputError, OutputError
from mcverify.observables import parse
from mcverify.outcome import COLUMNS, Histogram, Judged, Outcome, Profile, StudyOutcome
from mcverify.picture import Curve, Picture
from mcverify.report import content, evidence, forest, pdf
from mcverify.statement import Expected, Role, Source, Statement
from mcverify.study import SHIPPED, Study

HOSTILE = '<script>alert(1)</script> #panic() $x$ \\end{x} *_`@"&amp;'
PRINTED = (
    r"\begin{aligned} \mathbb{V} \left( s_i^{(l)} \right) &= N_{l-1} \mathbb{V} \left( w^{(l)} \right) \frac{1}{2} "
    r"\mathbb{E} \left( \left( s^{(l-1)} \right)^2 \right) \\ &= \frac{1}{2} N_{l-1} \mathbb{V} \left( w^{(l)} \right) "
    r"\mathbb{V} \left( s^{(l-1)} \right). \end{aligned}"
)


def network(width: int, depth: int = 6) -> Any:
    return SimpleNamespace(require_one_input=lambda: None, label=f"{width}x{depth} relu he_normal", depth=depth)


def row(claim: Any, study: str, **given: Any) -> dict[str, Any]:
    blank = {"observable": "", "layer": None, "statistic": "", "test": "", "reason": "", "exactness": ""}
    return {column: given.get(column, blank.get(column, math.nan)) for column in COLUMNS} | {
        "claim": claim.name,
        "study": study,
        "kind": claim.kind,
    }


def judged(claim: Claim, study: str, rng: random.Random, delta: float, predicted: float = 0.5) -> Judged:
    """A statistical claim with a departure of about `delta`."""
    found = delta + rng.gauss(0, 0.002)
    expected = claim.expected or claim.statement.expected  # type: ignore[union-attr]
    verdict = "REFUTED" if abs(delta) > 0.03 else "SUPPORTED"
    values = row(
        claim,
        study,
        observable=claim.observable.name,
        layer=claim.observable.layer,
        statistic=claim.statistic,
        expected=str(expected),
        exactness="EXACT",
        predicted=predicted,
        estimate=predicted * math.exp(min(found, 600)),
        delta=found,
        low=found - 0.012,
        high=found + 0.012,
        support_low=found - 0.007,
        support_high=found + 0.007,
        margin=0.02,
        test="exact",
        log10_p=-512.3 if verdict == "REFUTED" else -0.4,
        verdict=verdict,
        replicates=12288,
        detectable=0.011,
    )
    return Judged(
        claim=claim,
        row=values,
        network=claim.networks[0].label,
        formula=rf"\frac{{m_{{0}} \prod_{{q=1}}^{{{claim.observable.layer}}} {{N}}_{{q - 1}} {{v}}_{{q}}}}{{2}}",
        derivation=(
            "Weights are symmetric, so $h$ and $-h$ have one law.",
            r"Hence $E \phi(h)^2 = \frac{1}{2} E h^2$.",
        ),
        assumptions=("Weights are independent, symmetric, of zero mean.", "No biases."),
        reference="He et al. 2015, section 2.2",
        sentence=f"The departure is {found:+.2%}, by 12,288 networks.",
    )


def statements() -> list[Statement]:
    """One of each role, two with hostile text or a broken formula."""
    fleuret = Source("Fleuret, EE-559 lecture 5.5", "Weight initialization", "ReLU, forward pass", PRINTED)
    return [
        Statement(
            key="forward", says="With ReLU between two layers, the variance is halved.", source=fleuret, entry="A14"
        ),
        Statement(
            key="typical-kept",
            says="The log of the second moment of the network one has drawn stays where it was.",
            why="The mean is carried by rare large networks; the log drifts down by about $5/(2n)$ nats a layer.",
            expected=Expected.REFUTED,
            source=Source("Dive into Deep Learning", "Xavier", "the sentence after the formula"),
            correction="typical",
        ),
        Statement(
            key="typical",
            says="The typical network loses a little at every layer.",
            formula=r"E \log Y = \log 2 + E \, \psi(A/2), \quad A \sim \mathrm{Bin}(n, 1/2) \mid A \ge 1",
            role=Role.CORRECTED,
        ),
        Statement(key="hostile", says=HOSTILE, why=HOSTILE, formula=r"\frac{1}{2 \oops <b>", role=Role.CORRECTED),
        Statement(
            key="no-gain", says="Xavier keeps it.", expected=Expected.REFUTED, role=Role.CONTROL, why="No gain of 2."
        ),
    ]


def study_outcome(name: str, claims_per_statement: int, seed: int, plots: int) -> StudyOutcome:
    rng = random.Random(seed)
    says = statements()
    found: list[Judged] = []
    for statement in says:
        false = statement.expected is Expected.REFUTED
        log = statement.key.startswith("typical")
        for i in range(claims_per_statement):
            observable = parse("activation.log_second_moment" if log else "preactivation.ratio", 2 + i % 5)
            net = network((8, 32, 128, 256)[i // 5 % 4] + 256 * (i // 20), 6)
            hostile = HOSTILE if statement.key == "hostile" else ""
            claim = Claim(f"{statement.key} {hostile} {i}", net, observable, statement=statement)
            shift = -(10.0 ** (1 + i % 3)) / 40 if false else 0.0
            found.append(judged(claim, name, rng, shift, predicted=0.5 if not log else -0.25))
    found[0].row["verdict"], found[0].row["reason"] = "UNDECIDED", "UNDERPOWERED"  # type: ignore[index]
    found[0].row["replicates_needed"] = 40000  # type: ignore[index]
    exact = Check("permuting hidden units leaves the function", lambda _: Residual(1e-7, 1e-6, 20), statement=says[0])
    shown = Measurement("share of saturated units", lambda _: 0.4, unit="share of units", statement=says[0])
    extra = {"predicted": 0.0, "estimate": 3.1e-7, "delta": 3.1e-7, "margin": 1e-6, "replicates": 20}
    found.append(Judged(claim=exact, row=row(exact, name, verdict="SUPPORTED", expected="SUPPORTED", **extra)))
    found.append(Judged(claim=shown, row=row(shown, name, verdict="REPORTED", expected="", estimate=0.4)))
    study = Study(
        id=name,
        title=name.replace("_", " ").capitalize(),
        question="Does a ReLU halve the variance, and does a gain of $\\sqrt{2}$ make up for it?",
        claims=[j.claim for j in found if not (j.claim.statement and j.claim.statement.role is Role.CONTROL)],
        controls=[j.claim for j in found if j.claim.statement and j.claim.statement.role is Role.CONTROL],
    )
    return StudyOutcome(
        study=study,
        judged=tuple(found),
        profiles=tuple(profile(i) for i in range(plots)),
        histograms=tuple(histogram(i) for i in range(plots // 2)),
        pictures=(picture(), exploding()),
    )


def profile(i: int) -> Profile:
    layers = tuple(range(1, 21))
    growth = 1.0 if i % 2 else 0.5
    values = tuple(growth**layer for layer in layers)
    return Profile(
        network=network(64, 20).label,
        observable="preactivation.second_moment",
        statement="forward" if i % 2 else "typical",
        layers=layers,
        predicted=values,
        claimed=tuple(math.nan if layer % 5 else 1.0 for layer in layers) if i % 3 == 0 else (),
        simulated=tuple(value * (1 + 0.01 * math.sin(layer)) for value, layer in zip(values, layers, strict=True)),
        standard_error=tuple(0.006 * value * layer**0.5 for value, layer in zip(values, layers, strict=True)),
        replicates=4096,
    )


def histogram(i: int) -> Histogram:
    edges = tuple(k / 20 for k in range(41))
    x = tuple(k / 100 for k in range(1, 201))
    law = tuple(9 * value * math.exp(-3 * value) for value in x)
    density = tuple(
        9 * (edge + 0.025) * math.exp(-3 * (edge + 0.025)) * (1 + 0.04 * math.sin(7 * edge + i)) for edge in edges[:-1]
    )
    return Histogram(
        network=network(32).label,
        observable="activation.ratio",
        layer=3,
        statement="forward",
        edges=edges,
        density=density,
        law_x=x,
        law_density=law,
        law="relu_ratio",
        replicates=4096,
    )


def picture() -> Picture:
    x = tuple(k / 10 for k in range(-80, 81))
    y = tuple(1 / (1 + math.exp(-value)) for value in x)
    slope = tuple(value * (1 - value) for value in y)
    curves = (Curve(label="sigmoid", x=x, y=y), Curve(label="derivative", x=x, y=slope))
    read = "The derivative is largest at 0, where it is 1/4, and vanishes on both sides."
    return Picture(
        key="sigmoid", title="The sigmoid and its derivative", how_to_read=read, x_label="x", y_label="", curves=curves
    )


def exploding() -> Picture:
    rng = random.Random(3)
    x = tuple(float(k) for k in range(101))
    draws = []
    for _ in range(20):
        log = [0.0]
        for _ in range(100):
            log.append(log[-1] + rng.gauss(0.5, 0.6))
        draws.append(Curve(label="one product", x=x, y=tuple(map(math.exp, log)), role="faint"))
    middle = Curve(label="typical", x=x, y=tuple(math.exp(0.5 * k) for k in x))
    return Picture(
        key="product",
        title="Products explode",
        how_to_read="Each faint line is one product of random matrices; the bold line is the typical growth.",
        x_label="factors",
        y_label="norm",
        curves=(*draws, middle),
        log_y=True,
    )


def outcome(claims_per_statement: int = 20, plots: int = 6, studies: int = 7) -> Outcome:
    parts = [study_outcome(name, claims_per_statement, i, plots) for i, name in enumerate(SHIPPED[:studies])]
    provenance = {
        "mcverify": "0.1.0",
        "seed": 0,
        "false_alarm_budget": 1e-2,
        "machine": {"processor": HOSTILE, "cores": 2, "memory": "16 GiB"},
        "versions": {"numpy": "2.3", "numba": "0.61"},
        "cells": [
            {"network": network(64).label, "replicates": 12288},
            {"network": network(8).label, "replicates": 4096},
        ],
    }
    return Outcome(studies=tuple(parts), command="mcverify verify --seed 0 --budget standard", provenance=provenance)


DATE = datetime(2026, 1, 2, tzinfo=UTC)


class Page(HTMLParser):
    """What a test needs of an HTML file: every tag with its attributes, and the text between."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, attribute: str) -> list[str]:
        return [value for _, attributes in self.tags if (value := attributes.get(attribute)) is not None]


@pytest.fixture(scope="module")
def whole() -> Outcome:
    return outcome(plots=2)


@pytest.fixture(scope="module")
def files(whole: Outcome) -> dict[str, bytes]:
    return report.render(whole, DATE)


@pytest.fixture(scope="module")
def page(files: dict[str, bytes]) -> Page:
    return Page(files["report.html"].decode())


def external(page: Page) -> list[str]:
    """What a page would fetch, or link to outside itself."""
    places = [value for name in ("src", "href", "srcset", "data", "action", "poster") for value in page.all(name)]
    return [place for place in places if not place.startswith("#")]


def test_html_is_self_contained(files: dict[str, bytes], page: Page) -> None:
    """The page names no other file or host, forbids the network, and runs its own script alone."""
    text = files["report.html"].decode()
    assert not external(page)
    assert not re.search(r"url\((?!#)|@import", text)
    policy = next(
        a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    )
    script = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    assert len(script) == 1
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert policy is not None
    assert "default-src 'none'" in policy
    assert f"'sha256-{digest}'" in policy
    assert len(text) < 5_000_000


def test_external_catches_a_request() -> None:
    """A planted image from elsewhere is seen."""
    assert external(Page('<a href="#x"></a><img src="https://example.org/a.png">')) == ["https://example.org/a.png"]


def test_html_links_and_ids(page: Page) -> None:
    """Every id is used once, and every link has its target."""
    ids = Counter(page.all("id"))
    assert [name for name, times in ids.items() if times > 1] == []
    assert {href[1:] for tag, a in page.tags if tag == "a" and (href := a.get("href"))} <= set(ids)


def test_html_shows_hostile_text_as_text(files: dict[str, bytes], page: Page) -> None:
    """Names with markup are shown and never become markup; a broken formula is shown as its source."""
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert "<script>alert(1)</script> #panic()" in page.text
    assert not {name for _, attributes in page.tags for name in attributes if name.startswith("on")}
    assert r'<code class="latex">\frac{1}{2 \oops &lt;b&gt;</code>' in files["report.html"].decode()


def test_html_has_every_claim_and_statement(whole: Outcome, page: Page) -> None:
    """Each claim is a row with its verdict, and each statement a row and a section."""
    marked = [(tag, a["data-verdict"] or "") for tag, a in page.tags if "data-verdict" in a]
    sections = [verdict for tag, verdict in marked if tag == "article"]
    assert len(sections) == 7 * 5
    assert len(marked) == len(whole.rows()) + 2 * len(sections)
    assert sections.count("UNDECIDED unexpected") == 7
    assert sections.count("REFUTED") == 14


def test_pdf_is_tagged_and_dated(files: dict[str, bytes]) -> None:
    """The PDF says that it is PDF/UA-1, in English, with an outline, and carries the date it was given."""
    data = files["report.pdf"]
    assert data.startswith(b"%PDF-")
    for mark in (b"pdfuaid:part", b"/StructTreeRoot", b"/Outlines", b"/Lang", b"2026-01-02"):
        assert mark in data


def test_same_bytes_under_source_date_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal outcomes give equal files when the date is fixed, and another date gives other files."""
    small = outcome(3, 2, 1)
    written = []
    for name, epoch in (("a", "1700000000"), ("b", "1700000000"), ("c", "1800000000")):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
        folder = small.report(tmp_path / name)
        written.append([(folder / file).read_bytes() for file in report.FILES])
    assert written[0] == written[1]
    assert [x == y for x, y in zip(written[0], written[2], strict=True)] == [False, False, True]
    assert json.loads(written[0][2])["rows"]


def test_broken_typst_formula_becomes_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """A formula that Typst refuses does not stop the PDF."""
    monkeypatch.setattr(pdf, "to_typst", lambda formula: "frac(1" if "log" in formula.latex else "x")
    data = pdf._without_refused({"a": [pdf._formula(r"\log x"), pdf._formula("y")]})
    assert [entry["typst"] for entry in data["a"]] == [None, "x"]
    assert report.render(outcome(1, 0, 1), DATE)["report.pdf"].startswith(b"%PDF-")


@pytest.mark.parametrize("name", ["notes.txt", "report.html"])
def test_write_refuses_a_folder_in_use(tmp_path: Path, name: str) -> None:
    """A folder with anything but the run's own store is left as it is."""
    (tmp_path / name).write_text("mine")
    with pytest.raises(OutputError, match=name):
        report.write(outcome(1, 0, 1), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_write_beside_a_store(tmp_path: Path) -> None:
    """The store of the run may be there; the three files join it and no others."""
    (tmp_path / "store.sqlite").touch()
    report.write(outcome(1, 0, 1), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*report.FILES, "store.sqlite"}


def test_write_refuses_a_file(tmp_path: Path) -> None:
    """A file is not a folder."""
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file"):
        report.write(outcome(1, 0, 1), tmp_path / "file")


def test_write_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk ends in one clear error and no file."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        report.write(outcome(1, 0, 1), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_date_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SOURCE_DATE_EPOCH is checked before anything is written."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(InputError, match="yesterday"):
        report.write(outcome(1, 0, 1), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_contradiction_is_said_first() -> None:
    """A verdict opposite to the expected one is in the summary, and its statement is marked."""
    part = study_outcome("relu_halving", 2, 0, 0)
    part.judged[4].row["verdict"] = "REFUTED"  # type: ignore[index]
    made = content.content(Outcome(studies=(part,)))
    assert "came out opposite" in made.summary
    statement = next(s for s in made.studies[0].statements if s.key == "typical")
    assert (statement.verdict, statement.as_expected) == ("REFUTED", False)


def test_correction_carries_its_verdict(whole: Outcome) -> None:
    """A statement that is false as printed names what is true instead, with its verdict, and the other way round."""
    statements = {s.key: s for s in content.content(whole).studies[0].statements}
    correction = statements["typical-kept"].correction
    assert correction is not None
    assert (correction.anchor, correction.verdict) == (statements["typical"].anchor, "SUPPORTED")
    assert [link.number for link in statements["typical"].corrects] == [statements["typical-kept"].number]


def test_controls_of_a_statement_stand_apart() -> None:
    """A control made of a true claim is not counted against the statement."""
    part = study_outcome("relu_halving", 2, 0, 0)
    truth = part.judged[4].claim
    assert isinstance(truth, Claim)
    control = truth.on(network(99))
    study = replace(part.study, controls=[*part.study.controls, control])
    wrong = judged(control, "relu_halving", random.Random(0), -0.7)
    statements = content.content(Outcome(studies=(replace(part, study=study, judged=(*part.judged, wrong)),)))
    statement = next(s for s in statements.studies[0].statements if s.key == "typical")
    assert statement.verdict == "SUPPORTED"
    assert [row.verdict for row in statement.controls] == ["REFUTED"]


def test_claims_without_a_statement_are_gathered() -> None:
    """Claims that the theory makes of one network are gathered by what they observe."""
    part = study_outcome("relu_halving", 3, 0, 0)
    bare = tuple(replace(j, claim=replace(j.claim, statement=None)) for j in part.judged[:6])
    study = Study(id="check", claims=[j.claim for j in bare])
    found = content.content(Outcome(studies=(StudyOutcome(study=study, judged=bare),))).studies[0].statements
    assert sum(len(s.evidence) for s in found) == 6
    assert all(s.says for s in found)


def test_forest_fits_and_leaves_out_what_is_no_ratio(whole: Outcome) -> None:
    """Many claims are gathered to fit a page; predictions of zero and exact checks are not drawn."""
    for study in content.content(whole).studies:
        for plot in study.forests:
            assert isinstance(plot.data, tuple)
            assert sum(1 + len(group.rows) for group in plot.data) <= forest.ROWS_PER_FIGURE
    zero = whole.studies[0].judged[0]
    zero = replace(zero, row={**zero.row, "predicted": 0.0})
    assert forest.row("zero", [zero, *whole.studies[0].judged[-2:]]) is None


def test_long_tables_are_cut_to_the_worst(whole: Outcome) -> None:
    """Of a long table the PDF has the unexpected row and the farthest departures."""
    rows = next(s for s in content.content(whole).studies[0].statements if s.key == "forward").evidence
    kept = evidence.worst(rows, evidence.SHOWN_IN_PRINT)
    assert len(kept) == evidence.SHOWN_IN_PRINT < len(rows)
    assert [row.as_expected for row in kept].count(False) == 1
    rest = [row.severity for row in rows if row not in kept]
    assert min(row.severity for row in kept) >= max(rest)


def test_extreme_rows_are_shown() -> None:
    """Infinite and missing departures, and an outcome of nothing, make a report all the same."""
    part = study_outcome("relu_halving", 2, 0, 1)
    ends = [(math.inf, "REFUTED"), (-math.inf, "REFUTED"), (math.nan, "UNDECIDED"), (900.0, "REFUTED")]
    for one, (delta, verdict) in zip(part.judged, ends, strict=False):
        bounds = dict.fromkeys(("delta", "low", "high", "support_low", "support_high", "estimate"), delta)
        one.row.update(bounds, verdict=verdict)  # type: ignore[attr-defined]
    for made in (Outcome(studies=(part,)), Outcome(studies=())):
        assert set(report.render(made, DATE)) == set(report.FILES)
