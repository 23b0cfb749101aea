"""A study goes from claims to verdicts, the same for any workers, and resumes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sympy as sp

import mcverify as mc
from mcverify.claim import Claim, Measurement, Residual
from mcverify.errors import InputError
from mcverify.observables import LogSecondMoment, Ratio, SecondMoment
from mcverify.run import run
from mcverify.statement import Expected
from mcverify.study import Study
from theory.formulas import formula

HE = mc.Network(widths=(32, 32, 32), activation="relu", weights="he_normal")
KEPT = Claim("kept", HE, Ratio("preactivation", layer=2), 1.0, margin=0.2)
SMALL = Study(id="small", claims=[KEPT], controls=[KEPT.on(HE.replace(weights="glorot_normal"))])


class Count:
    """Progress that counts blocks."""

    blocks = 0

    def start(self, total_blocks: int, what: str) -> None:
        self.blocks += total_blocks

    def advance(self, blocks: int = 1) -> None:
        pass

    def finish(self) -> None:
        pass


def test_verdicts() -> None:
    """He keeps the second moment of ReLU layers; Glorot, the control, does not."""
    outcome = run(SMALL)
    assert [row["verdict"] for row in outcome.rows()] == ["SUPPORTED", "REFUTED"]
    assert outcome.passed
    assert outcome.exit_code == 0
    assert set(outcome.frame().columns) == set(json.loads(outcome.to_json())["rows"][0])


def test_a_wrong_claim_is_contradicted() -> None:
    """A claim that is false and expected to hold makes exit code 1."""
    wrong = Claim("kept", HE.replace(weights="lecun_normal"), Ratio("preactivation", layer=2), 1.0, margin=0.2)
    outcome = run(Study(id="wrong", claims=[wrong]))
    assert (outcome.rows()[0]["verdict"], outcome.passed, outcome.exit_code) == ("REFUTED", False, 1)


def test_too_few_networks_decide_nothing() -> None:
    """One block for a margin of 1 % is UNDECIDED, says how many it takes, and makes exit code 3."""
    outcome = run(
        Study(id="few", claims=[Claim("kept", HE, Ratio("preactivation", layer=2), 1.0, margin=0.01)]), replicates=256
    )
    row = outcome.rows()[0]
    assert (row["verdict"], row["reason"], outcome.exit_code) == ("UNDECIDED", "UNDERPOWERED", 3)
    assert row["replicates_needed"] > 10_000


def test_rows_are_equal_to_the_byte() -> None:
    """Same seed, same rows, for one worker and two; another seed, others."""
    one, two, other = (run(SMALL, workers=w, seed=s) for w, s in ((1, 0), (2, 0), (2, 1)))
    assert json.dumps(one.rows()) == json.dumps(two.rows())
    assert json.dumps(one.rows()) != json.dumps(other.rows())


def test_a_run_resumes(tmp_path: Path) -> None:
    """What the store holds is not simulated again."""
    store, first, second = tmp_path / "store.sqlite", Count(), Count()
    a = run(SMALL, store=store, progress=first)
    b = run(SMALL, store=store, progress=second)
    assert first.blocks > 0
    assert second.blocks == 0
    assert a.rows() == b.rows()


def test_deep_narrow_mean_is_never_falsely_refuted() -> None:
    """At 5L/n = 12 the raw mean is carried by networks that no sample holds: UNDECIDED; its log is SUPPORTED."""
    deep = mc.Network(widths=(8,) * 21, activation="relu", weights="he_normal")
    claims = [
        Claim("raw", deep, SecondMoment("activation", layer=20), expected=Expected.UNDECIDED),
        Claim("log", deep, LogSecondMoment("activation", layer=20), margin=0.5),
    ]
    outcome = run(Study(id="deep", claims=claims))
    assert [row["verdict"] for row in outcome.rows()] == ["UNDECIDED", "SUPPORTED"]


def test_identities_and_measurements() -> None:
    """An identity is supported within rounding, refuted beyond or if it is NaN; a measurement is reported."""
    checks = [
        mc.Check(name, lambda _, r=r: Residual(r, 1e-9, 3))
        for name, r in (("in", 1e-12), ("out", 1e-3), ("nan", float("nan")))
    ]
    outcome = run(Study(id="exact", claims=[*checks, Measurement("number", lambda seed: 42.0 + seed)]), seed=1)
    assert [row["verdict"] for row in outcome.rows()] == ["SUPPORTED", "REFUTED", "REFUTED", "REPORTED"]
    assert outcome.rows()[3]["estimate"] == 43.0
    assert outcome.counts()["claims"] == 3


def test_width_ladder() -> None:
    """A statement about infinite width is decided on a ladder, and undecided on one network."""
    nets = tuple(mc.Network(widths=(n,) * 4, activation="sigmoid", weights="lecun_normal") for n in (8, 12, 16, 32, 64))
    observable = Ratio("activation_gradient", layer=1)
    study = Study(id="ladder", claims=[Claim("limit", nets, observable, margin=0.1), Claim("one", nets[0], observable)])
    rows = run(study).rows()
    assert [row["verdict"] for row in rows] == ["SUPPORTED", "UNDECIDED"]
    assert rows[1]["reason"] == "WIDTH_LADDER_NEEDED"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"margin": 0.0}, "`margin=0.0` leaves nothing"),
        ({"margin": float("nan")}, "`margin=nan`"),
        ({"replicates": 0}, "`replicates=0`"),
        ({"replicates": "many"}, "`replicates='many'`"),
        ({"seed": -1}, "`seed=-1`"),
        ({"budget": "standart"}, "did you mean 'standard'"),
        ({"backend": "cpus"}, "did you mean 'cpu'"),
    ],
)
def test_bad_arguments(argument: dict[str, object], message: str) -> None:
    """Each is refused before anything is drawn, by name and value."""
    with pytest.raises(InputError, match=message):
        run(SMALL, **argument)  # type: ignore[arg-type]


def test_studies_that_cannot_be() -> None:
    """A study with no claims, two of one name, a control that expects support, an unknown study, a wrong observable."""
    with pytest.raises(InputError, match="claims nothing"):
        Study(id="empty", claims=[])
    with pytest.raises(InputError, match="two claims named 'kept'"):
        Study(id="twice", claims=[KEPT, KEPT])
    with pytest.raises(InputError, match="false on purpose"):
        Study(id="soft", claims=[KEPT], controls=[Claim("control", HE, Ratio("preactivation", layer=2), 1.0)])
    with pytest.raises(InputError, match="did you mean 'relu_halving'"):
        run("relu_halvin")
    with pytest.raises(InputError, match="layers 2 to 2"):
        Study(id="off", claims=[Claim("first", HE, Ratio("preactivation", layer=1), 1.0)])


def test_study_by_path(tmp_path: Path) -> None:
    """A Python file with a `study` is run; one without, or that fails, is refused by name."""
    path = tmp_path / "mine.py"
    path.write_text(
        "from mcverify import Check, Study\nfrom mcverify.claim import Residual\n"
        "study = Study(id='mine', claims=[Check('one', lambda seed: Residual(0.0, 0.0, 1))])\n"
    )
    assert run(str(path)).passed
    path.write_text("x = 1\n")
    with pytest.raises(InputError, match="defines no `study"):
        run(str(path))
    path.write_text("1/0\n")
    with pytest.raises(InputError, match="ZeroDivisionError"):
        run(str(path))


def test_provenance_counts_what_was_drawn() -> None:
    """Whole blocks are drawn: provenance says how many networks, as the rows do."""
    outcome = run(SMALL, replicates=2)
    drawn = [int(line.split()[0]) for line in outcome.provenance["networks"]]
    assert set(drawn) == {row["replicates"] for row in outcome.rows()}
    assert outcome.provenance["cost"]["networks"] == sum(drawn)


def test_what_no_run_can_draw(tmp_path: Path) -> None:
    """Absurd numbers, predictions that are no number, and a file that exits are refused at the door."""
    with pytest.raises(InputError, match="at most 100,000,000"):
        run(SMALL, replicates=10**20)
    with pytest.raises(InputError, match="finite number"):
        Claim("inf", HE, Ratio("preactivation", layer=2), float("inf"))
    complex_valued = formula(sp.sqrt(-1), "preactivation.ratio", 2)
    with pytest.raises(InputError, match="finite real number"):
        run(Study(id="complex", claims=[Claim("complex", HE, Ratio("preactivation", layer=2), complex_valued)]))
    path = tmp_path / "leaves.py"
    path.write_text("import sys\nsys.exit(0)\n")
    with pytest.raises(InputError, match="SystemExit"):
        run(str(path))
