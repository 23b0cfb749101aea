"""Means that do not exist are not stated, means that are 0 are 0, and no scatter is below 0.

The planted faults: tanh(1000 x) taken for sign(x), which its values at 1/7 and beyond cannot tell apart; moments of
exp(h_1), whose variance behind a second layer is infinite, shown by truncated means that grow without end.
"""

from __future__ import annotations

import math

import mpmath as mp
import pytest
import sympy as sp

from theory import activations, existence
from theory.catalogue import REFUSALS, lookup, predict, refusals
from theory.net import DenseNet, Distribution
from theory.prediction import Exactness, Predicted, Prediction, TheoryError

x = sp.Symbol("x", real=True)
Phi = str | activations.Activation


def net(widths: tuple[int, ...], phi: Phi, variance: float = 1.0, law: str = "normal", **other: object) -> DenseNet:
    weights = tuple(Distribution(law, variance, {"df": 5} if law == "student_t" else {}) for _ in widths[1:])
    given = {"input": (1.0,) * widths[0], **other}
    return DenseNet(widths, phi, weights=weights, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("factor", [1000, 10**6, 10**12])
def test_steep_steps_are_no_jumps(factor: int) -> None:
    """V and D of tanh(c x) and of its likes, against 1 - E sech^2 and E sech^4 in the variable t = c s."""
    steep = activations.of_expression(sp.tanh(factor * x))
    missing, energy = (
        2 * mp.quad(lambda t, k=k: mp.sech(t) ** k * mp.npdf(t / factor) / factor, [0, 1, 5, 40]) for k in (2, 4)
    )
    assert steep.second_moment(1.0).value == pytest.approx(float(1 - missing), rel=1e-12)
    assert steep.derivative_second_moment(1.0).value == pytest.approx(float(energy * factor**2), rel=1e-9)
    assert abs(activations.of_expression(sp.sign(x)).second_moment(1.0).value - float(1 - missing)) > 0.1 / factor
    assert activations.of_expression(x * sp.tanh(factor * x)).slope is None
    assert activations.of_expression(sp.log(1 + sp.exp(factor * x)) / factor).slope is None


def test_steep_steps_off_the_origin() -> None:
    """A step at 0.3: V = 1 - E sech^2, with the density at the step."""
    shifted = activations.of_expression(sp.tanh(10**6 * (x - sp.Rational(3, 10))))
    wanted = 1 - 2e-6 * math.exp(-0.045) / math.sqrt(2 * math.pi)
    assert shifted.second_moment(1.0).value == pytest.approx(wanted, rel=1e-11)
    assert abs(wanted - 1) > 1e-7


@pytest.mark.parametrize("expression", [sp.tanh(1000 * x), sp.sign(x), sp.erf(10**5 * x), x**2 - 1])
def test_no_scatter_is_negative(expression: sp.Expr) -> None:
    for widths in ((1, 2), (2, 3, 2)):
        for _, predicted in predict(net(widths, activations.of_expression(expression))):
            assert predicted.variance is None or predicted.variance >= 0


def test_scatter_below_0_is_rounding_or_refused() -> None:
    def at(value: float, variance: float) -> Predicted:
        said = Prediction(
            entry="",
            statement="",
            observable="",
            layer=1,
            expression=x,
            evaluate=lambda _: Predicted(value=value, variance=variance),
        )
        return said.at(net((1, 1), "relu"))

    assert at(1.0, -1e-15).variance == 0.0
    assert at(1.0, math.nan).variance is None
    with pytest.raises(TheoryError, match="below 0"):
        at(1.0, -5e-4)
    with pytest.raises(TheoryError, match="below 0"):
        at(0.0, -1e-15)


def means(given: DenseNet) -> set[tuple[str, int]]:
    found = predict(given)
    return {
        (p.observable, p.layer) for p, _ in found if p.observable.endswith(".mean") and p.exactness is Exactness.EXACT
    }


@pytest.mark.entry("A4", "A8")
def test_means_behind_exp_are_not_stated() -> None:
    """h_2 has a mean, h_3 has none: E exp(h_2) = E exp(v |x_1|^2 / 2) with x_1 log-normal."""
    stated = means(net((1, 2, 2, 2), "exp"))
    assert ("preactivation.mean", 2) in stated
    assert ("preactivation.mean", 3) not in stated
    assert not {("preactivation_gradient.mean", 1), ("weight_gradient.mean", 2), ("bias_gradient.mean", 3)} & stated
    assert means(net((1, 2, 2, 2), "tanh")) >= {("preactivation.mean", 3), ("preactivation_gradient.mean", 1)}
    cut = [float(mp.quad(lambda z: mp.exp(mp.exp(2 * z) / 2 - z * z / 2), [0, b])) for b in (2, 3, 4)]
    assert cut[1] > 1e3 * cut[0]
    assert cut[2] > 1e3 * cut[1]


@pytest.mark.entry("A4", "A8")
@pytest.mark.parametrize("name", ["1/x (1/x is nan at 0)", "exp(x**2) (not square-integrable)", "own (no expression)"])
def test_nothing_is_said_behind_an_unknown_activation(name: str) -> None:
    stated = means(net((1, 2, 2), name))
    assert ("preactivation.mean", 1) in stated
    assert (
        not {(f"{t}.mean", k) for t in ("preactivation_gradient", "weight_gradient", "bias_gradient") for k in (1, 2)}
        & stated
    )
    assert not {("preactivation.mean", 2), ("activation.mean", 1), ("activation_gradient.mean", 0)} & stated
    assert any(
        name in str(reason) or "E|x_1|" in str(reason)
        for reason in refusals(net((1, 2, 2), name), "preactivation.mean", 2)
    )


@pytest.mark.parametrize(
    ("expression", "growth", "slope"),
    [
        (sp.tanh(x), 0, 0),
        (x**3, 3, 2),
        (sp.exp(x), math.inf, math.inf),
        (sp.sinh(x / 100), math.inf, math.inf),
        (sp.sqrt(sp.Abs(x)), 0.5, math.inf),
        (x / (1 + sp.exp(-x)), 1, 0),
        (sp.exp(-(x**2)), 0, 0),
        (sp.sin(x), 0, 0),
    ],
)
def test_growth(expression: sp.Expr, growth: float, slope: float) -> None:
    found = activations.of_expression(expression)
    assert found.growth == pytest.approx(growth, abs=1e-9)
    assert found.slope_growth == pytest.approx(slope, abs=1e-9)


def test_growth_of_the_table() -> None:
    """Those of the rows are those of their expressions."""
    for name in activations.TABLE:
        row = activations.get(name)
        found = activations.of_expression(row.expression, f"{name} again")
        assert found.growth <= row.growth + 1e-6, name
        assert found.slope_growth <= row.slope_growth + 1e-6, name


def test_powers_of_heavy_tails_run_out() -> None:
    heavy = net((2, 2, 2, 2), "square", law="student_t")
    assert existence.orders(heavy) == [math.inf, 2.5, 1.25, 0.625]
    assert ("preactivation.mean", 3) in means(heavy)
    with pytest.raises(TheoryError, match="x_3"):
        existence.require_mean(heavy, 3)
    assert ("preactivation_gradient.mean", 3) not in means(heavy)


@pytest.mark.entry("E1")
@pytest.mark.parametrize("phi", ["selu", activations.of_expression(x**2 - 1)])
def test_means_of_0_are_0(phi: Phi) -> None:
    """At q = 1 both have mean 0 exactly; the integral alone gives rounding (or is 0 by luck)."""
    found = lookup(net((1, 2), phi), "activation.mean", 1)
    assert found is not None
    assert found[1].value == 0.0
    off = lookup(net((1, 2), phi, 1.01), "activation.mean", 1)
    assert off is not None
    assert abs(off[1].value) > 1e-4
    tiny = lookup(net((1, 2), "gelu", 1e-20), "activation.mean", 1)
    assert tiny is not None
    assert tiny[1].value == pytest.approx(1e-20 / math.sqrt(2 * math.pi), rel=1e-9)


POSITIVE = ("second_moment", "fourth_moment", "ratio", "spectrum_1", "spectrum_2")


@pytest.mark.parametrize(
    "phi", ["square", "tanh", "relu", "gelu", "exp", activations.of_expression(sp.Float("1e-200") * x)]
)
@pytest.mark.parametrize("variance", [1e-300, 1e-160, 1e-80, 1e-20, 1e150, 1e300])
def test_the_ends_of_floats_are_absent_rows(phi: Phi, variance: float) -> None:
    """Neither a crash nor a positive quantity that is stated as 0."""
    shapes = ((2, 2), (1, 2, 2), (4, 8, 8, 4))
    for widths in shapes:
        for given in (net(widths, phi, variance), net(widths, phi, variance, input=Distribution("normal", 1.0))):
            for prediction, predicted in predict(given):
                name = prediction.observable.split(".")[1]
                zero_law = prediction.observable.split(".")[0] in ("bias", "input") or prediction.observable.startswith(
                    "weight."
                )
                if (name in POSITIVE or prediction.statistic == "variance") and not zero_law:
                    assert predicted.value > 0, prediction.observable


def test_zero_division_counts_as_a_refusal() -> None:
    assert {ZeroDivisionError, OverflowError, TheoryError} <= set(REFUSALS)


@pytest.mark.entry("A4", "B2")
def test_layer_1_assumes_nothing_of_the_activation() -> None:
    tanh = net((4, 4), "tanh")
    for observable, statistic in (
        ("preactivation.second_moment", "mean"),
        ("preactivation.second_moment", "variance"),
        ("preactivation.fourth_moment", "mean"),
    ):
        found = lookup(tanh, observable, 1, statistic)
        assert found is not None
        text = " ".join((*found[0].assumptions, *found[0].derivation))
        assert "homogeneous" not in text
        assert r"\varphi" not in text
        assert "Signs" not in text
    deeper = lookup(net((4, 4, 4), "relu"), "preactivation.fourth_moment", 2)
    assert deeper is not None
    assert any("homogeneous" in one for one in deeper[0].assumptions)
