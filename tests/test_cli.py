"""The command line: arguments to calls, what is printed where, exit codes; runs are replaced by ready outcomes."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mcverify import Network, api, realize, simulate
from mcverify.claim import Claim
from mcverify.cli import main
from mcverify.cli.commands_run import command_of
from mcverify.cli.flags import spec
from mcverify.errors import InputError, IntegrityError
from mcverify.observables import PREDICTED_ONLY, SecondMoment, names
from mcverify.outcome import COLUMNS, Judged, Outcome, StudyOutcome
from mcverify.statement import Expected, Statement
from mcverify.study import Study
from theory.catalogue import OBSERVABLES

NET = ["--widths", "8x3", "--activation", "relu", "--weights", "he_normal"]


def claim(name: str, expected: str = "SUPPORTED", statement: Statement | None = None) -> Claim:
    network = Network(widths=(4, 4))
    return Claim(
        name, network, SecondMoment("preactivation", layer=1), 1.0, expected=Expected(expected), statement=statement
    )


def judged(given: Claim, verdict: str) -> Judged:
    row = dict.fromkeys(COLUMNS, math.nan) | {
        "claim": given.name,
        "study": "tiny",
        "observable": given.observable.name,
        "layer": 1,
        "statistic": "mean",
        "kind": "statistical",
        "expected": str(given.expected),
        "predicted": 1.0,
        "estimate": 1.25,
        "verdict": verdict,
        "reason": "UNDERPOWERED" if verdict == "UNDECIDED" else "",
        "replicates": 4096,
    }
    return Judged(claim=given, row=row, sentence="Draw more networks.")


def outcome(*verdicts: str, statement: Statement | None = None) -> Outcome:
    """Claims that all expect SUPPORTED, with these verdicts."""
    claims = [claim(f"claim {i}", statement=statement) for i in range(len(verdicts))]
    study = Study(id="tiny", title="A tiny study", claims=claims)
    pairs = zip(claims, verdicts, strict=True)
    return Outcome(studies=(StudyOutcome(study=study, judged=tuple(judged(*pair) for pair in pairs)),))


class Stub:
    """Stands for `api.run` and `api.verify`: keeps the arguments, returns an outcome or raises."""

    def __init__(self) -> None:
        self.result: Outcome | BaseException = outcome("SUPPORTED")
        self.calls: list[tuple[object, dict[str, object]]] = []

    def __call__(self, what: object, **options: object) -> Outcome:
        self.calls.append((what, options))
        Path(str(options["store"])).write_bytes(b"blocks")
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stub:
    def report(self: Outcome, folder: Path) -> Path:
        (folder / "report.html").write_text("<p>")
        (folder / "results.json").write_text(self.to_json())
        return folder

    made = Stub()
    monkeypatch.setattr(api, "run", made)
    monkeypatch.setattr(api, "verify", made)
    monkeypatch.setattr(Outcome, "report", report)
    monkeypatch.chdir(tmp_path)
    return made


@pytest.fixture
def study(tmp_path: Path) -> str:
    path = tmp_path / "tiny.toml"
    path.write_text(
        'id = "tiny"\n[network]\nwidths = [4, 4]\n[[claim]]\nname = "kept"\n'
        'observable = "preactivation.second_moment"\nlayer = 1\nprediction = "m_0"\n'
    )
    return str(path)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_help_lists_the_commands_that_work() -> None:
    result = call("--help")
    assert result.exit_code == 0
    listed = re.findall(r"^  ([a-z]+)  ", result.stdout.partition("Commands:")[2], re.MULTILINE)
    assert listed == ["verify", "check", "predict", "simulate", "list", "show", "report"]


@pytest.mark.parametrize("command", ["verify", "check", "predict", "simulate", "list", "show", "report"])
def test_every_command_has_help(command: str) -> None:
    result = call(command, "--help")
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 100


@pytest.mark.parametrize(
    ("verdicts", "extra", "code"),
    [
        (["SUPPORTED", "SUPPORTED"], [], 0),
        (["SUPPORTED", "REFUTED"], [], 1),
        (["SUPPORTED", "UNDECIDED"], [], 3),
        (["REFUTED", "UNDECIDED"], [], 1),
        (["SUPPORTED", "UNDECIDED"], ["--undecided", "ok"], 0),
        (["REFUTED", "UNDECIDED"], ["--undecided", "ok"], 1),
    ],
)
def test_the_exit_code_is_that_of_the_verdicts(
    stub: Stub, study: str, verdicts: list[str], extra: list[str], code: int
) -> None:
    """0 as expected, 1 contradicted, 3 open; `--undecided ok` forgives the last alone."""
    stub.result = outcome(*verdicts)
    assert call("verify", study, *extra).exit_code == code


def test_verify_prints_verdicts_then_where_the_report_is(stub: Stub, study: str, tmp_path: Path) -> None:
    """Claims with predicted and observed, in full what is not as expected, counts, the path; 80 columns."""
    stub.result = outcome("SUPPORTED", "UNDECIDED")
    result = call("verify", study, "--out", "here")
    lines = result.stdout.splitlines()
    assert lines[0] == "tiny: A tiny study"
    assert any(line.split()[:3] == ["claim", "0", "1"] and line.endswith("SUPPORTED") for line in lines)
    assert "tiny: claim 1" in lines
    assert "  UNDECIDED, expected SUPPORTED: UNDERPOWERED" in lines
    assert "  Draw more networks." in lines
    assert lines[-2] == "2 claims: 1 as expected, 0 contradicted, 1 open"
    assert lines[-1] == f"report: {Path('here', 'report.html')}"
    assert (tmp_path / "here" / "report.html").is_file()
    assert max(map(len, lines)) <= 80


def test_many_claims_are_one_line_a_statement(stub: Stub, study: str) -> None:
    statement = Statement(key="halving", says="It halves.")
    stub.result = outcome(*["SUPPORTED"] * 30, "REFUTED", statement=statement)
    lines = call("verify", study).stdout.splitlines()
    assert [line.split() for line in lines if line.startswith("halving")] == [["halving", "31", "SUPPORTED", "30", "1"]]
    assert sum("claim 3" in line for line in lines) == 1  # claim 30, in full


def test_json_is_one_document_and_the_hint_is_on_stderr(stub: Stub, study: str) -> None:
    result = call("verify", study, "--json", "--out", "here")
    document = json.loads(result.stdout)
    assert document["command"] == f"mcverify verify {study}"
    assert document["rows"][0]["low"] is None
    assert document["counts"]["as_expected"] == 1
    assert "report.html" in result.stderr
    quiet = call("verify", study, "--json", "-q", "--out", "there")
    assert json.loads(quiet.stdout)["counts"] == document["counts"]
    assert quiet.stderr == ""


def test_options_reach_the_run(stub: Stub, study: str) -> None:
    wanted = {"replicates": 512, "budget": "quick", "margin": 0.1, "seed": 7, "backend": "reference", "workers": 3}
    extra = [text for name, value in wanted.items() for text in (f"--{name}", value)]
    assert call("verify", study, *extra).exit_code == 0
    _, given = stub.calls[0]
    assert {name: given[name] for name in wanted} == wanted
    assert call("verify", study).exit_code == 0
    assert "margin" not in stub.calls[1][1]


def test_a_run_has_its_own_folder_named_by_time_and_study(stub: Stub, study: str, tmp_path: Path) -> None:
    for _ in range(2):
        assert call("verify", study).exit_code == 0
    folders = sorted((tmp_path / "reports").iterdir())
    assert len(folders) == 2
    assert all(re.fullmatch(r"\d{8}T\d{6}Z-tiny(-\d+)?", folder.name) for folder in folders)


def test_the_store_may_be_elsewhere(stub: Stub, study: str, tmp_path: Path) -> None:
    assert call("verify", study, "--store", "all.sqlite", "--out", "here").exit_code == 0
    assert stub.calls[0][1]["store"] == Path("all.sqlite")
    assert not (tmp_path / "here" / "store.sqlite").exists()


def test_all_shipped_studies_run_by_default(stub: Stub) -> None:
    from mcverify.study import SHIPPED

    assert call("verify", "--out", "here").exit_code == 0
    studies = stub.calls[0][0]
    assert isinstance(studies, list)
    assert [each.id for each in studies] == list(SHIPPED)


def test_check_takes_flags_or_a_file(stub: Stub, tmp_path: Path) -> None:
    (tmp_path / "net.toml").write_text('widths = "8x3"\nactivation = "relu"\nweights = "he_normal"\n')
    assert call("check", *NET).exit_code == 0
    assert call("check", "net.toml", "--margin", "0.1").exit_code == 0
    assert stub.calls[0][0] == stub.calls[1][0] == Network(widths=(8,) * 3, activation="relu", weights="he_normal")
    both = call("check", "net.toml", "--weights", "he_normal")
    neither = call("check")
    assert (both.exit_code, neither.exit_code) == (2, 2)
    assert "not both" in both.stderr
    assert "give a network" in neither.stderr


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("activation", "relu", {"activation": "relu"}),
        ("output_activation", "linear", {"activation": "linear"}),
        ("weights", "student_t:df=9:variance=1/fan_in", {"law": "student_t", "df": "9", "variance": "1/fan_in"}),
        ("weights", "he_normal:mode=fan_out", {"scheme": "he_normal", "mode": "fan_out"}),
        (
            "weights",
            "truncated_normal:variance=1:rescaled=false",
            {"law": "truncated_normal", "variance": "1", "rescaled": False},
        ),
        ("biases", "normal:variance=1,2,3", {"law": "normal", "variance": ["1", "2", "3"]}),
        ("input", "normal:variance=2:mean=1", {"law": "normal", "variance": "2", "mean": "1"}),
        ("input", "-1", ["-1"]),
        ("output_gradient", "half_squared_error:target=0,1", {"loss": "half_squared_error", "target": ["0", "1"]}),
    ],
)
def test_flags_are_read_as_a_file_would_have_them(key: str, text: str, value: object) -> None:
    read = spec(key, text)
    assert value in (read, {"activation": read})


BAD = [
    (["verify", "relu_halvin"], "did you mean 'relu_halving'"),
    (["verify", "absent.toml"], "there is no such file"),
    (["verify", "absent.py"], "there is no such file"),
    (["verify", "empty.toml"], "claims nothing"),
    (["verify", "empty.py"], "claims nothing"),
    (["verify", "--margin", "0"], "--margin"),
    (["verify", "--margin", "nan"], "--margin"),
    (["verify", "--seed", "-1"], "--seed"),
    (["verify", "--replicates", "many"], "--replicates"),
    (["verify", "--backend", "gpu"], "--backend"),
    (["verify", "--margn", "1"], "--margin"),
    (["verfy"], "Did you mean 'verify'?"),
    (["check", "--widths", "64,0"], "0 (below 1)"),
    (["check", "--widths", "sixtyfour,10"], "whole numbers"),
    (["check", "--widths", "4,4", "--activation", "rellu"], "did you mean 'relu'"),
    (["check", "--widths", "4,4", "--weights", "normal:variance=-1"], "variance=-1"),
    (["check", "--widths", "4,4", "--weights", "normal:variance=nan"], "nan"),
    (["check", "--widths", "4,4", "--weights", "student_t:df=2:variance=1"], "no variance"),
    (["check", "--widths", "4,4", "--weights", "normal:variance"], "name=value"),
    (["check", "--weights", "he_normal"], "`widths` is missing"),
    (["verify", "moment.toml"], "variance"),
    (["check", *NET, "--out", "full"], "not empty"),
    (["check", *NET, "--out", "full/notes.txt"], "is a file"),
    (["check", *NET, "--out", "full/notes.txt/deeper"], "cannot be written"),
    (["check", *NET, "--store", "absent/store.sqlite"], "does not exist"),
    (["check", *NET, "--store", "full"], "is a folder"),
    (["list", "law"], "'laws'"),
    (["show", "nothing"], "is not known"),
    (["report", "full"], "results.json"),
    (["report", "absent"], "results.json"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(arguments)[:60] for arguments, _ in BAD])
def test_bad_input_is_one_message_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], message: str
) -> None:
    """Exit code 2, a message without a traceback on stderr, nothing on stdout, nothing simulated or written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    (tmp_path / "empty.toml").write_text('id = "empty"\n[network]\nwidths = [4, 4]\n')
    (tmp_path / "empty.py").write_text("from mcverify import Study\nstudy = Study(id='empty', claims=[])\n")
    (tmp_path / "moment.toml").write_text(
        'id = "moment"\n[network]\nwidths = [4, 4]\nweights = {law = "student_t", df = 2, scale = 1}\n[[claim]]\n'
        'name = "kept"\nobservable = "preactivation.second_moment"\nlayer = 1\nprediction = "N[0]*v[1]*m_0"\n'
    )
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr("mcverify.sampling.simulate_cells", lambda *_: pytest.fail("simulated"))
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""
    assert [path for path in sorted(tmp_path.rglob("*")) if "__pycache__" not in path.parts] == before


def test_all_mistakes_of_flags_are_reported_at_once() -> None:
    result = call("check", "--widths", "0,x", "--activation", "rellu", "--biases", "normal:variance=-1")
    assert result.exit_code == 2
    assert "3 mistakes" in result.stderr


def test_the_folder_of_an_interrupted_run_is_taken_again(stub: Stub, tmp_path: Path) -> None:
    """Ctrl-C exits with 130 and prints the command that goes on; that command takes the same folder."""
    stub.result = KeyboardInterrupt()
    result = call("check", *NET, "--seed", "3")
    assert result.exit_code == 130
    assert result.stdout == ""
    (folder,) = (tmp_path / "reports").iterdir()
    command = result.stderr.splitlines()[-1].split()
    assert command == ["mcverify", "check", *NET, "--seed", "3", "--out", str(folder.relative_to(tmp_path))]
    stub.result = outcome("SUPPORTED")
    again = call(*command[1:])
    assert again.exit_code == 0
    assert (folder / "report.html").is_file()


def test_a_run_that_turns_out_invalid_leaves_no_folder(stub: Stub, tmp_path: Path) -> None:
    from mcverify.errors import InputError

    stub.result = InputError("`claim` is no good.")
    result = call("check", *NET)
    assert (result.exit_code, result.stderr) == (2, "mcverify: `claim` is no good.\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [ZeroDivisionError("by\nzero"), IntegrityError("two results for one block")])
def test_an_internal_error_is_one_line_and_a_traceback_in_a_file(
    stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    stub.result = error
    result = call("check", *NET, "-q")
    assert result.exit_code == 4
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert " ".join(str(error).split()) in line
    traceback = Path(line.rpartition("traceback in ")[2]).read_text()
    assert "Traceback (most recent call last)" in traceback
    assert type(error).__name__ in traceback


def test_predict_prints_a_table_formulas_or_json() -> None:
    table = call("predict", *NET)
    assert table.exit_code == 0
    assert ["2", "preactivation.ratio", "mean", "1", "EXACT"] in [line.split() for line in table.stdout.splitlines()]
    assert max(map(len, table.stdout.splitlines())) <= 80
    explained = call("predict", *NET, "--explain").stdout
    assert "- assumes " in explained
    latex = call("predict", *NET, "--latex").stdout
    assert r"\prod" in latex
    document = json.loads(call("predict", *NET, "--json").stdout)
    assert (document["schema_version"], document["command"]) == (1, f"mcverify predict {' '.join(NET)}")
    assert document["counts"] == {"predictions": len(document["rows"])}
    assert document["provenance"]["network"]["widths"] == [8, 8, 8]
    assert all(isinstance(row["expression"], str) for row in document["rows"])


def test_simulate_prints_what_was_observed() -> None:
    """The reference simulator on a tiny network: the input's mean square is near 1, at 400 networks."""
    arguments = ("simulate", *NET, "--replicates", "400", "--backend", "reference", "--seed", "5")
    document = json.loads(call(*arguments, "--json").stdout)
    (row,) = [
        row for row in document["rows"] if (row["observable"], row["statistic"]) == ("input.second_moment", "mean")
    ]
    # 8 * 400 squares of a standard normal: 6 standard errors are passed once in 5e8 seeds, and the seed is fixed.
    assert abs(row["value"] - 1) < 6 * row["standard_error"]
    assert sum(document["counts"].values()) == 400
    assert (document["provenance"]["seed"], document["provenance"]["backend"]) == (5, "reference")
    table = call(*arguments)
    assert re.search(r"^networks: \d+ ok", table.stdout, re.MULTILINE)
    assert max(map(len, table.stdout.splitlines())) <= 80
    assert "simulating: " in table.stderr
    assert call(*arguments, "-q").stderr == ""


LONG = "preactivation_gradient.log_second_moment"


def test_no_table_breaks_a_name(stub: Stub, study: str) -> None:
    """The longest name is whole in 80 columns, beside numbers of the greatest length."""
    tiny = ["--widths", "32,32x3", "--activation", "tanh", "--weights", "normal:variance=0.00001"]
    stub.result = outcome("UNDECIDED", "SUPPORTED")
    for one in stub.result.studies[0].judged:
        one.row.update(predicted=-1.23456789e-05, estimate=-9.87654321e-05, replicates=12345678, observable=LONG)
        one.row["claim"] = f"variance of {LONG} at layer 1"
    grouped = outcome(*["SUPPORTED"] * 40)
    for one in grouped.studies[0].judged:
        one.row.update(
            observable=LONG, statistic="variance", expected="SUPPORTED" if "3" in one.claim.name else "REFUTED"
        )
    printed = {"predict": call("predict", *tiny), "verify": call("verify", study)}
    stub.result = grouped
    printed["verify many"] = call("verify", study)
    printed["simulate"] = call("simulate", *tiny, "--replicates", "4", "--backend", "reference", "-q")
    for command, result in printed.items():
        name = "preactivation_gradient.second_moment" if command == "predict" else LONG
        assert name in result.stdout, command
        assert not re.search(r"^\s*(nt|ment|_moment|T|H|ED)\b", result.stdout, re.MULTILINE), command
        assert max(map(len, result.stdout.splitlines())) <= 80, command


def test_json_wins_over_other_forms() -> None:
    """`--json` prints JSON whatever stands beside it; with --latex its expressions are LaTeX."""
    one = ("predict", *NET, "--observable", "activation.ratio", "--json")
    plain, explained, latex = (json.loads(call(*one, *more).stdout) for more in ((), ("--explain",), ("--latex",)))
    assert plain["rows"] == explained["rows"]
    assert all("\\frac" in row["expression"] for row in latex["rows"])
    assert not any("\\" in row["expression"] for row in plain["rows"])
    assert plain["rows"][0]["derivation"]


@pytest.mark.parametrize("form", [(), ("--explain",), ("--json",)])
def test_silence_has_its_reason(form: tuple[str, ...]) -> None:
    """Nothing stated: one sentence on stderr with the reason, exit code 0, and no lone header."""
    result = call("predict", *NET, "--observable", "activation.correlation", *form)
    assert result.exit_code == 0
    assert result.stderr.startswith("The theory states nothing of activation.correlation for this network: ")
    assert len(result.stderr.splitlines()) == 1
    assert json.loads(result.stdout)["rows"] == [] if form == ("--json",) else result.stdout.strip() == ""
    absent = call("predict", "--widths", "4,4", "--observable", "preactivation.ratio")
    assert absent.stderr == "preactivation.ratio exists at no layer of a network with 1 weight layer(s).\n"


def test_several_inputs_are_for_predict_alone(tmp_path: Path) -> None:
    """Rows of inputs give a correlation; what simulates refuses them before anything is drawn."""
    file = tmp_path / "pair.toml"
    file.write_text("widths = [2, 8, 8]\nactivation = 'relu'\nweights = 'he_normal'\ninput = [[1, '1/2'], [0, 1]]\n")
    document = json.loads(call("predict", str(file), "--json").stdout)
    assert {row["observable"] for row in document["rows"]} >= {"activation.correlation", "preactivation.correlation"}
    assert document["provenance"]["network"]["input"] == [[1.0, 0.5], [0.0, 1.0]]
    assert "correlation" in call("predict", str(file), "--explain").stdout
    for command in (("simulate", str(file)), ("check", str(file), "--out", str(tmp_path / "out"))):
        result = call(*command)
        assert result.exit_code == 2
        assert "only one vector a network is simulated" in result.stderr
    net = Network(widths=(2, 8), input=[[1, 0], [0, 1]])
    for refused in (
        lambda: simulate(net),
        lambda: realize(net),
        lambda: Claim("c", net, SecondMoment("input", layer=0), 1.0),
    ):
        with pytest.raises(InputError, match="only one vector a network is simulated"):
            refused()
    assert net != net.replace(input=[[1, 0], [0, 2]])
    assert net != net.replace(input=[1, 0])


def test_predicted_only_is_listed_as_such() -> None:
    """What the theory states and no simulator measures, no more and no less."""
    assert set(PREDICTED_ONLY) == OBSERVABLES - set(names())
    listed = call("list", "observables").stdout
    assert all(f"\n{name}  (predicted only)\n" in listed for name in PREDICTED_ONLY)


def test_list_names_everything() -> None:
    everything = call("list").stdout
    for what, name in [
        ("studies", "relu_halving"),
        ("laws", "student_t"),
        ("schemes", "glorot_normal"),
        ("activations", "leaky_relu"),
        ("observables", "preactivation.ratio"),
        ("backends", "chain"),
    ]:
        assert name in everything
        assert any(line.split()[0] == name for line in call("list", what).stdout.splitlines())


def test_show_tells_what_a_study_claims(study: str) -> None:
    shown = call("show", study).stdout
    assert "claim-1 (source): kept" in shown
    assert "1 claim, 0 controls" in shown
    assert "4-4 linear lecun_normal" in shown
    shipped = call("show", "relu_halving").stdout
    assert "as printed: " in shipped
    assert "expected: REFUTED" in shipped


def test_report_runs_the_stored_command_again(stub: Stub, study: str, tmp_path: Path) -> None:
    """The same studies and options, the run's own store, a new folder."""
    assert call("verify", study, "--seed", "9", "--out", "run").exit_code == 0
    result = call("report", "run", "--out", "again")
    assert result.exit_code == 0, result.output
    first, second = (options for _, options in stub.calls)
    assert second["store"] == Path("run", "store.sqlite")
    assert second["seed"] == 9
    assert (tmp_path / "again" / "results.json").read_bytes() == (tmp_path / "run" / "results.json").read_bytes()
    assert {name: first[name] for name in first if name not in ("store", "progress")} == {
        name: second[name] for name in second if name not in ("store", "progress")
    }


def test_report_simulates_nothing(stub: Stub, study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that lacks blocks is said to; nothing is written."""
    assert call("verify", study, "--out", "run").exit_code == 0

    def lacking(_studies: object, *, progress: object, **_: object) -> Outcome:
        progress.start(12, "simulating")
        return outcome("SUPPORTED")

    monkeypatch.setattr(api, "run", lacking)
    result = call("report", "run", "--out", "again")
    assert result.exit_code == 2
    assert "lacks 12 blocks" in result.stderr
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ("{", "is not the results.json"),
        ("[]", "is not the results.json"),
        ('{"command": "rm -rf /"}', "is no run of"),
        ('{"command": "mcverify list"}', "is no run of"),
        ('{"command": "mcverify \'verify"}', "is no run of"),
    ],
)
def test_report_takes_the_results_of_runs_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, results: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results.json").write_text(results)
    result = call("report", tmp_path)
    assert result.exit_code == 2
    assert message in result.stderr


def test_the_command_is_kept_without_where_and_how_it_printed() -> None:
    given = ["verify", "a b.py", "--out=x", "--seed", "1", "-q", "--json", "--out", "y"]
    assert command_of(given) == "mcverify verify 'a b.py' --seed 1"
