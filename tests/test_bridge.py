"""A network's numbers go into predictions, and come out as what a test is asked."""

from __future__ import annotations

import math

import pytest

from mcverify.bridge import ask, to_theory
from mcverify.claim import Claim, margin_of
from mcverify.errors import InputError, MissingMomentError
from mcverify.network import Network
from mcverify.observables import LogSecondMoment, Observable, Ratio, SecondMoment
from theory import activations
from theory.formulas import formula
from theory.prediction import Exactness
from theory.symbols import N, v

HE = Network(widths=(32, 16, 64, 8), activation="relu", weights="he_normal")


def test_all_numbers_reach_the_theory() -> None:
    """Widths, variances a layer, kurtosis, biases, input and gradient are those of the network."""
    net = Network(
        widths=(3, 5, 2),
        activation={"activation": "leaky_relu", "negative_slope": 0.2},
        output_activation="linear",
        weights=[{"law": "student_t", "df": 9, "variance": 0.3}, {"law": "uniform", "variance": 0.1}],
        biases={"law": "normal", "variance": 0.05},
        input=[1.0, -2.0, 0.5],
        output_gradient={"law": "rademacher", "variance": 4.0},
    )
    dense = to_theory(net)
    assert dense.widths == (3, 5, 2)
    assert [law.name for law in dense.weights] == ["student_t", "uniform"]
    assert [law.variance for law in dense.weights] == [0.3, 0.1]
    assert dense.weights[0].parameters["df"] == 9
    assert dense.phi(1) == activations.get("leaky_relu", {"negative_slope": 0.2})
    assert dense.phi(2).name == "linear"
    assert dense.bias(2).variance == 0.05
    assert dense.input == (1.0, -2.0, 0.5)
    assert dense.output_gradient.variance == 4.0  # type: ignore[union-attr]


def test_theory_is_asked_with_its_law() -> None:
    """A claim on the theory's word has its value, law and exactness."""
    asked = ask(Claim("kept", HE, Ratio("activation", layer=2)), HE)
    assert asked.question.predicted == pytest.approx(64 / 16 * 16 / 64, rel=1e-14)
    assert asked.question.law is not None
    assert (asked.question.law.name, dict(asked.question.law.parameters)) == ("relu_ratio", {"n": 64})
    assert asked.question.scale == "relative"


def test_a_false_formula_keeps_the_true_scatter() -> None:
    """A claim that is twice the truth is tested with the theory's relative variance."""
    true = ask(Claim("true", HE, SecondMoment("preactivation", layer=2)), HE).question
    doubled = formula(2 * N[1] * v[2], "preactivation.second_moment", 2)
    false = ask(Claim("false", HE, SecondMoment("preactivation", layer=2), doubled), HE).question
    assert true.variance is not None
    assert false.variance is not None
    assert false.variance / false.predicted**2 == pytest.approx(true.variance / true.predicted**2, rel=1e-12)


def test_logs_are_asked_in_nats() -> None:
    """A log second moment departs by a difference, and its dead networks are declared."""
    question = ask(Claim("log", HE, LogSecondMoment("activation", layer=3), 0.0, margin=0.1), HE).question
    assert (question.scale, question.departure_margin, question.undeclared_dead_ok) == ("log", 0.1, True)


def test_a_zero_mean_is_asked_in_standard_deviations() -> None:
    """A prediction of 0 has no relative departure."""
    question = ask(Claim("centred", HE, Observable("preactivation", "mean", 1)), HE).question
    assert (question.scale, question.predicted) == ("zero", 0.0)


def test_variance_is_about_the_predicted_mean() -> None:
    """A claim on the variance over networks squares departures from the theory's mean."""
    question = ask(Claim("scatter", HE, SecondMoment("activation", layer=1), statistic="variance"), HE).question
    assert question.center == pytest.approx(1.0 * 32 * (2 / 32) / 2, rel=1e-14)


def test_margins() -> None:
    """2 % for means, 10 % for variances and fourth moments, unless the study or the claim says otherwise."""
    mean = Claim("mean", HE, SecondMoment("activation", layer=1))
    variance = Claim("variance", HE, SecondMoment("activation", layer=1), statistic="variance")
    assert (margin_of(mean), margin_of(variance)) == (0.02, 0.10)
    assert (margin_of(mean, 0.05), margin_of(variance, 0.05)) == (0.05, 0.10)
    assert margin_of(Claim("own", HE, SecondMoment("activation", layer=1), margin=0.3), 0.05) == 0.3


def test_silence_of_the_theory_is_an_error() -> None:
    """A claim that relies on the theory where it says nothing is refused, with what to do."""
    net = HE.replace(activation="tanh", output_activation="tanh")
    with pytest.raises(InputError, match=r"says nothing of the mean of activation\.alive at layer 1"):
        ask(Claim("alive", net, Observable("activation", "alive", 1)), net)


def test_missing_moment_is_named() -> None:
    """Student t with 2 degrees of freedom has no second moment, with 4 no variance of it."""
    heavy = HE.replace(weights={"law": "student_t", "df": 2, "scale": 0.1})
    with pytest.raises(MissingMomentError, match="df"):
        ask(Claim("second moment", heavy, SecondMoment("preactivation", layer=1)), heavy)
    four = HE.replace(weights={"law": "student_t", "df": 4, "variance": 0.1})
    with pytest.raises(MissingMomentError, match="df"):
        ask(Claim("fourth", four, Observable("preactivation", "fourth_moment", 1)), four)


def test_exactness_may_be_overridden() -> None:
    """A mean-field value claimed as exact is tested as exact."""
    net = Network(widths=(16,) * 5, activation="tanh", weights="lecun_normal")
    claim = Claim("exact", net, SecondMoment("preactivation", layer=4))
    assert ask(claim, net).question.exactness == Exactness.INFINITE_WIDTH
    exact = Claim("exact", net, SecondMoment("preactivation", layer=4), exactness="EXACT")
    assert ask(exact, net).question.exactness == "EXACT"
    assert math.isfinite(ask(exact, net).question.predicted)
