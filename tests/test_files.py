"""Networks and studies in TOML files: what they may say, and that every mistake is reported at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcverify import Network
from mcverify.errors import InputError
from mcverify.files import load_network, load_study
from mcverify.network_file import read_widths
from mcverify.statement import Expected, Role
from mcverify.study import Study


@pytest.fixture
def write(tmp_path: Path):
    """Write a file and return its path."""

    def write(text: str) -> Path:
        path = tmp_path / "file.toml"
        path.write_text(text, "utf-8")
        return path

    return write


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ('widths = "4,8x2,2"', {"widths": (4, 8, 8, 2)}),
        (
            "widths = [4, 8]\nactivation = 'relu'\nweights = 'he_normal'",
            {"widths": (4, 8), "activation": "relu", "weights": "he_normal"},
        ),
        (
            'widths = [4, 8, 2]\nweights = {law = "normal", variance = "2/fan_in"}',
            {"widths": (4, 8, 2), "weights": {"law": "normal", "variance": [0.5, 0.25]}},
        ),
        (
            'widths = [4, 8, 2]\nweights = {law = "uniform", variance = "2/(fan_in + fan_out)"}',
            {"widths": (4, 8, 2), "weights": {"law": "uniform", "variance": [2 / 12, 0.2]}},
        ),
        (
            'widths = [4, 8, 2]\nweights = {law = "normal", variance = ["1/3", 2]}',
            {"widths": (4, 8, 2), "weights": {"law": "normal", "variance": [1 / 3, 2]}},
        ),
        (
            'widths = [4, 8]\nbiases = {law = "student_t", df = "9", variance = "1/10"}',
            {"widths": (4, 8), "biases": {"law": "student_t", "df": 9, "variance": 0.1}},
        ),
        (
            'widths = [4, 8]\noutput_activation = "linear"\n'
            'activation = {activation = "leaky_relu", negative_slope = "1/10"}',
            {
                "widths": (4, 8),
                "activation": {"activation": "leaky_relu", "negative_slope": 0.1},
                "output_activation": "linear",
            },
        ),
        (
            'widths = [2, 3]\ninput = ["1/2", -1]\n'
            'output_gradient = {loss = "half_squared_error", target = [0, "1/4", 1]}',
            {
                "widths": (2, 3),
                "input": [0.5, -1],
                "output_gradient": {"loss": "half_squared_error", "target": [0, 0.25, 1]},
            },
        ),
        (
            'widths = [4, 8]\nweights = {scheme = "he_normal", mode = "fan_out", gain = "sqrt(2)"}',
            {"widths": (4, 8), "weights": {"scheme": "he_normal", "mode": "fan_out", "gain": 2**0.5}},
        ),
        (
            'widths = [4, 8]\nweights = {law = "truncated_normal", variance = 1, rescaled = false}',
            {"widths": (4, 8), "weights": {"law": "truncated_normal", "variance": 1, "rescaled": False}},
        ),
    ],
)
def test_a_file_describes_the_network_of_the_same_arguments(write, text: str, network: dict[str, object]) -> None:
    """A file and the call with its values give equal networks."""
    assert load_network(write(text)) == Network(**network)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "`widths` is missing"),
        ("widths = [64, 0]", "0 (below 1)"),
        ("widths = [-3, 4]", "-3 (below 1)"),
        ('widths = [64, "wide"]', "not wide (`wide` stands"),
        ("widths = [64, 1.5]", "1.5 (not a whole number)"),
        ("widths = [64, true]", "True (not a whole number)"),
        ("widths = 64", "give a list"),
        ("widths = [64]", "give the width of the input and of each layer"),
        ('widths = "8x0,4"', "8 repeated 0 times"),
        ('widths = "8x1000000000"', "repeated 1000000000 times"),
        ("widths = [4, 4]\nactivation = 'rellu'", "did you mean 'relu'"),
        ("widths = [4, 4]\nweights = 'he_norml'", "did you mean 'he_normal'"),
        ("widths = [4, 4]\nweights = {law = 'normall', variance = 1}", "did you mean 'normal'"),
        ("widths = [4, 4]\nwieghts = 'he_normal'", "did you mean 'weights'"),
        ("widths = [4, 4]\nweights = {law = 'normal', variance = -1}", "`weights.variance=-1"),
        ("widths = [4, 4]\nweights = {law = 'normal', variance = nan}", "`weights.variance=nan`"),
        ("widths = [4, 4]\nweights = {law = 'normal', variance = 'inf'}", "`inf` stands for nothing"),
        ("widths = [4, 4]\nweights = {law = 'normal', variance = '1/0'}", "no finite value"),
        ("widths = [4, 4]\nweights = {law = 'normal', variance = '2/fan'}", "did you mean 'fan_in'"),
        ("widths = [4, 4]\nweights = {law = 'normal', variance = [1, 2]}", "one a layer"),
        ("widths = [4, 4]\nweights = {law = 'normal'}", "needs `variance`"),
        ("widths = [4, 4]\nweights = {law = 'student_t', df = 2, variance = 1}", "has no variance"),
        ("widths = [4, 4]\nweights = {law = 'student_t', df = 'fan_in', variance = 1}", "stands for nothing"),
        ("widths = [4, 4]\ninput = [1, 2, 3]", "give 4 numbers"),
        ("widths = [4, 4]\ninput = 'identity'", "only one vector"),
        ("widths = [4", "is not TOML"),
        ("widths = [4, 4]\nwidths = [4, 4]", "is not TOML"),
    ],
)
def test_a_mistake_is_one_sentence_with_its_place(write, text: str, message: str) -> None:
    """The error names the file and what to change."""
    path = write(text)
    with pytest.raises(InputError) as caught:
        load_network(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_all_mistakes_are_reported_at_once(write) -> None:
    """Four mistakes of different keys, two widths among them, are in one message."""
    text = 'widths = [0, "x"]\nactivation = "rellu"\nweights = {law = "normal", variance = -1}\nbiasses = "zeros"'
    with pytest.raises(InputError, match="4 mistakes") as caught:
        load_network(write(text))
    for part in ("0 (below 1), x (", "'relu'", "variance=-1", "'biases'"):
        assert part in str(caught.value)


@pytest.mark.parametrize("make", ["absent", "folder", "binary", "large"])
def test_what_is_no_file_of_text_is_refused(tmp_path: Path, make: str) -> None:
    path = tmp_path / "net.toml"
    if make == "folder":
        path.mkdir()
    elif make == "binary":
        path.write_bytes(b"\xff\xfe\x00")
    elif make == "large":
        path.write_bytes(b"#" * 1_000_001)
    with pytest.raises(InputError, match=r"net\.toml"):
        load_network(path)


def test_widths_repeat() -> None:
    assert read_widths("784,512x3,10") == (784, 512, 512, 512, 10)
    assert read_widths([3, "2*width x depth"], {"width": 8, "depth": 2}) == (3, 16, 16)


STUDY = """
id = "halving"
title = "ReLU halves"
margin = 0.05
[network]
widths = [16, "width x 4"]
activation = "relu"
weights = {law = "law", variance = "gain/fan_in"}
[grid]
width = [8, 16]
law = ["normal", "uniform"]
gain = [1.0]
[[claim]]
name = "halved"
observable = "preactivation.second_moment"
layer = [2, "L"]
prediction = "m_0/2^(l-1)*product(q=1..l, N[q-1]*v[q])"
[[claim]]
name = "what the theory says"
observable = "activation.second_moment"
layer = "all"
prediction = "theory"
margin = 0.1
[[control]]
name = "kept"
observable = "preactivation.second_moment"
layer = 3
prediction = 1
"""


def test_a_study_is_the_product_of_its_grid_and_layers(write) -> None:
    """4 points of the grid: 2 layers of the first claim, 4 of the second, 1 of the control at each."""
    study = load_study(write(STUDY))
    assert (study.id, study.title, study.margin) == ("halving", "ReLU halves", 0.05)
    assert (len(study.claims), len(study.controls)) == (4 * (2 + 4), 4)
    first = study.claims[0]
    assert first.name == "halved at layer 2, width=8, law=normal, gain=1.0"
    assert first.network == Network(
        widths=(16, 8, 8, 8, 8), activation="relu", weights={"law": "normal", "variance": [1 / 16] + [1 / 8] * 3}
    )
    assert [statement.key for statement in study.statements] == ["claim-1", "claim-2", "control-1"]
    assert study.statements[2].role is Role.CONTROL
    assert study.statements[2].expected is Expected.REFUTED


def test_a_formula_has_the_value_that_the_theory_has(write) -> None:
    """The claim's formula and the theory's own agree in a network where both hold."""
    from mcverify.bridge import ask

    study = load_study(write(STUDY))
    for claim in study.claims[:2]:
        asked = ask(claim, claim.network)
        assert asked.truth is not None
        assert asked.question.predicted == pytest.approx(asked.truth[1].value, rel=1e-12)


def edited(old: str, new: str) -> str:
    assert old in STUDY
    return STUDY.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (edited('id = "halving"', ""), ["id: is missing"]),
        (edited('"halving"', '"two words"'), ["`id='two words'`"]),
        (edited("margin = 0.05", "margin = 0"), ["margin: `margin=0`"]),
        (edited("margin = 0.1", "margin = nan"), ["claim 2 (what the theory says), margin", "nan"]),
        (edited("title", "titel"), ["did you mean 'title'"]),
        (edited("width x 4", "widht x 4"), ["network.widths", "did you mean 'width'", "grid.width", "used nowhere"]),
        (edited("[8, 16]", "[]"), ["grid.width", "give a list of values"]),
        (edited("[8, 16]", "[8, 8]"), ["grid.width", "stands twice"]),
        (edited("[8, 16]", "[8, nan]"), ["grid.width", "finite numbers"]),
        (edited('"uniform"', '"unifrom"'), ["network.weights", "did you mean 'uniform'"]),
        (edited("[grid]\n", "[grid]\nv = [1]\n"), ["grid.v", "cannot name an axis"]),
        (edited("preactivation.second", "preactivations.second"), ["observable", "did you mean 'preactivation.second"]),
        (edited('[2, "L"]', "9"), ["layer", "layers 1 to 4"]),
        (edited('[2, "L"]', "1.5"), ["layer", "`layer=1.5`"]),
        (edited('layer = [2, "L"]', ""), ["claim 1 (halved), layer: is missing"]),
        (edited("m_0/2", "m0/2"), ["prediction", "did you mean 'm_0'"]),
        (edited("N[q-1]", "N[q+1]"), ["prediction", "`N[5]`: layers go from 0 to 4"]),
        (edited("m_0/2", "__import__(1)/2"), ["prediction", "no function '__import__'"]),
        (edited("prediction = 1", "prediction = true"), ["control 1 (kept), prediction", "give a finite number"]),
        (edited("prediction = 1", "prediction = inf"), ["control 1 (kept), prediction", "give a finite number"]),
        (edited("prediction = 1", "prediction = 1\nexpected = 'SUPPORTED'"), ["a control is false on purpose"]),
        (
            edited("prediction = 1", "prediction = 1\nexpected = 'FALSE'"),
            ["expected", "`expected='FALSE'` is not known"],
        ),
        (edited("prediction = 1", "prediction = 1\nstatistic = 'median'"), ["statistic", "median"]),
        (STUDY.split("[[claim]]", maxsplit=1)[0], ["claims nothing"]),
        (edited("[network]", "[netwrok]"), ["did you mean 'network'", "network: is missing"]),
    ],
)
def test_mistakes_of_a_study_name_their_place(write, text: str, messages: list[str]) -> None:
    """Claims are named by number and name, keys by their path; suggestions where there is something close."""
    with pytest.raises(InputError) as caught:
        load_study(write(text))
    for message in messages:
        assert message in str(caught.value)


def test_all_mistakes_of_a_study_are_reported_at_once(write) -> None:
    text = edited("title", "titel").replace("m_0/2", "m0/2").replace('"all"', '"any"')
    with pytest.raises(InputError, match="3 mistakes"):
        load_study(write(text))


def test_a_study_without_a_grid(write) -> None:
    text = """
    id = "plain"
    [network]
    widths = [4, 4]
    [[claim]]
    name = "kept"
    observable = "preactivation.second_moment"
    layer = 1
    prediction = "m_0"
    """
    study = load_study(write(text))
    assert isinstance(study, Study)
    assert [claim.name for claim in study.claims] == ["kept"]
