"""A user's own activations: what is made of them, what is refused, what simulators and theory do with them."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
import sympy as sp

import mcverify as mc
from mcverify import observables
from mcverify.errors import InputError
from mcverify.expression_code import module_text
from mcverify.expression_forms import x
from mcverify.files import load_network
from mcverify.kernels import KINDS, cpu, reference

S = sp.Symbol("s", real=True)
MISH = S * sp.tanh(sp.log(1 + sp.exp(S)))
H = np.linspace(-9.03, 9.01, 401)
STEEP = 1.5


@numba.njit
def straight(h: float) -> float:
    return STEEP * h


def bent(h: float) -> float:
    if h > 0:
        return float(straight(h))
    return math.tanh(h)


def bent_slope(h: float) -> float:
    return STEEP if h > 0 else 1 / math.cosh(h) ** 2


def wrong_slope(h: float) -> float:
    return 1.001 * (STEEP if h > 0 else 1 / math.cosh(h) ** 2)


def net_of(activation: Any, **more: Any) -> mc.Network:
    return mc.Network(**{"widths": (5, 7, 3, 6), "activation": activation, "weights": "he_normal", **more})


def largest_difference(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    """Relative to the root mean square of each column."""
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        apart = np.where(same, 0.0, np.abs(a - b))
        scale = np.sqrt(np.mean(np.where(np.isfinite(b), b, 0.0) ** 2, axis=0))
    return float(np.max(apart / np.maximum(scale, 1e-300)))


OWN = {
    "expression": mc.Activation("mish again", expression=MISH),
    "function": mc.Activation(function=bent, derivative=bent_slope),
}


@pytest.mark.parametrize("name", OWN)
def test_simulators_agree(name: str) -> None:
    """cpu is reference to 1e-6 (powers of weights are added in float32), and kinds are equal."""
    net = net_of(OWN[name], output_activation="linear")
    ours, plain = cpu.simulate_block(net, 3, 0, 9), reference.simulate_block(net, 3, 0, 9)
    assert largest_difference(ours.values, plain.values) < 1e-6
    assert np.array_equal(ours.kinds, plain.kinds)


@pytest.mark.parametrize("name", OWN)
def test_simulated_values_are_those_of_the_tensors(name: str) -> None:
    """Mean squares of x_l and of dL/dx_0, from `realize`'s tensors with phi and phi' by NumPy, to 1e-9."""
    phi, slope = {
        "expression": (
            lambda h: h * np.tanh(np.log1p(np.exp(h))),
            lambda h: np.array([float(MISH_SLOPE(v)) for v in h]),
        ),
        "function": (
            lambda h: np.where(h > 0, STEEP * h, np.tanh(h)),
            lambda h: np.where(h > 0, STEEP, 1 / np.cosh(h) ** 2),
        ),
    }[name]
    net = net_of(OWN[name])
    real = mc.realize(net, seed=3, replicate=2)
    values, slopes, layer = [real["input"].astype(float)], [], real["input"].astype(float)
    for w in real["weights"]:
        h = w.astype(float) @ layer
        layer = phi(h)
        values.append(layer)
        slopes.append(slope(h))
    g = real["output_gradient"].astype(float)
    for w, s in zip(reversed(real["weights"]), reversed(slopes), strict=True):
        g = w.astype(float).T @ (s * g)
    row = reference.simulate_block(net, 3, 2, 1).values[0]
    found = dict(zip(observables.columns(net.depth), row, strict=True))
    for k in (1, 2, 3):
        one = observables.Observable("activation", "second_moment", k)
        assert found[one] == pytest.approx(np.mean(values[k] ** 2), rel=1e-9)
    first = observables.Observable("activation_gradient", "second_moment", 0)
    assert found[first] == pytest.approx(np.mean(g**2), rel=1e-9)


def MISH_SLOPE(h: float) -> Any:  # noqa: N802
    return sp.N(sp.diff(MISH, S).subs(S, sp.Float(h, 30)), 20)


def test_expression_of_a_table_activation_gives_its_predictions() -> None:
    """Predictions from mish as an expression are those of mish, and other ones for another expression."""
    ours, table, other = (
        mc.predict(net_of(phi)).set_index(["observable", "layer", "statistic"]).value
        for phi in (OWN["expression"], "mish", S * sp.tanh(sp.log(2 + sp.exp(S))))
    )
    assert set(ours.index) == set(table.index)
    assert np.allclose(ours, table.loc[ours.index], rtol=1e-9, atol=1e-12)
    second = ("preactivation.second_moment", 2, "mean")
    assert abs(other[second] / ours[second] - 1) > 0.1


def test_function_without_an_expression() -> None:
    """What needs phi is absent from the predictions, and asking for it says that there is no expression."""
    net = net_of(OWN["function"])
    table = mc.predict(net)
    assert {"preactivation.second_moment", "weight.second_moment"} <= set(table.observable)
    assert set(table[table.observable == "preactivation.second_moment"].layer) == {1}
    claim = mc.Claim("second", net, observables.SecondMoment("activation", layer=2))
    with pytest.raises(InputError, match="the activation has no expression"):
        mc.run(mc.Study("own", claims=[claim]))


def test_content_is_the_cell_key() -> None:
    """Equal expressions are one network whatever their symbol and name; another expression or code is another."""
    first = net_of(mc.Activation("one", expression=MISH))
    assert first == net_of(MISH.subs(S, sp.Symbol("t", real=True))) == net_of("mish").replace(activation=MISH)
    others = [net_of(phi) for phi in (MISH + 1, 2 * MISH, "mish", OWN["function"])]
    assert len({first.canonical, *(net.canonical for net in others)}) == 5
    assert first.canonical == pickle.loads(pickle.dumps(first)).canonical
    assert OWN["function"] == pickle.loads(pickle.dumps(OWN["function"]))


def test_code_that_a_function_uses_is_in_its_content(monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed global number that a helper uses makes another activation."""
    content = mc.Activation(function=bent, derivative=bent_slope).content()
    assert "STEEP = 1.5" in content["function"]
    assert "def straight" in content["function"]
    monkeypatch.setitem(bent_slope.__globals__, "STEEP", 1.25)
    straight.recompile()
    assert mc.Activation(function=bent, derivative=bent_slope).content() != content
    monkeypatch.undo()
    straight.recompile()


PROGRAM = """
import sympy, mcverify as mc
import numpy as np
from mcverify.kernels import cpu
s = sympy.Symbol("s", real=True)
activation = mc.Activation(expression=s / (1 + sympy.exp(-s)) + s * sympy.cos(s) ** 2)
module = cpu.layers_module(activation)
room = [np.ones(2) for _ in range(5)]
module.through(*room[:2], 2, False, room[2], np.zeros(2, int), *room[2:], np.zeros(2, int), np.zeros(2, np.uint8))
print(activation.form.phi.__module__, module.__file__)
print(sum(module.through.stats.cache_hits.values()), sum(module.through.stats.cache_misses.values()))
"""


def test_second_process_compiles_nothing(tmp_path: Any) -> None:
    """The same expression is the same file in the next process, whose compiled form is found."""
    import os

    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    run = [
        subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    (first, compiled), (second, found) = (process.stdout.strip().splitlines() for process in run)
    assert first == second
    assert str(tmp_path) in first
    assert (compiled, found) == ("0 1", "1 0")


OWN_FUNCTIONS = """
import mcverify as mc

def phi(h):
    return h * abs(h)

def slope(h):
    return 2 * abs(h)

net = mc.Network(widths=(3, 3), activation=mc.Activation("own", function=phi, derivative=slope))
print(mc.simulate(net, replicates=8).values("activation.second_moment", 1).sum())
"""


def test_functions_of_a_module_that_is_gone(tmp_path: Any) -> None:
    """Functions from a file that no later process can import are simulated there all the same."""
    load = "from importlib.util import *; s = spec_from_file_location('gone', {!r}); "
    load += "s.loader.exec_module(module_from_spec(s))"
    shown = []
    for turn in ("one", "two"):
        file = tmp_path / f"{turn}.py"
        file.write_text(OWN_FUNCTIONS)
        run = [sys.executable, "-c", load.format(str(file))]
        shown.append(subprocess.run(run, capture_output=True, text=True, check=True).stdout)
        file.unlink()
    assert shown[0] == shown[1] != ""


def test_text_is_the_same_whatever_the_order() -> None:
    """Terms and factors are printed in one order, equal parts once."""
    assert module_text(sp.exp(x) * sp.cos(x) + x) == module_text(x + sp.cos(x) * sp.exp(x))
    assert module_text(sp.sin(sp.exp(x)) + sp.cos(sp.exp(x))).count("exp(x, 0.0)") == 2  # in phi and in phi'


EXPRESSIONS: list[tuple[Any, Any]] = [
    (S / (1 + sp.exp(-S)), lambda h: h / (1 + np.exp(-h))),
    (sp.exp(S) / (1 + sp.exp(S)) ** 2, lambda h: np.exp(h) / (1 + np.exp(h)) ** 2),
    (sp.Abs(S) ** sp.Rational(3, 2), lambda h: np.abs(h) ** 1.5),
    (2**S, lambda h: 2**h),
    ((1 + S**2) ** sp.Rational(-1, 3), lambda h: (1 + h**2) ** (-1 / 3)),
    (sp.Max(0, S, sp.sin(S)), lambda h: np.maximum(np.maximum(h, np.sin(h)), 0)),
    (sp.Min(S, 2) * sp.Heaviside(S), lambda h: np.minimum(h, 2) * (h > 0)),
    (sp.Piecewise((S, sp.And(S > 0, S < 3)), (sp.sinh(S / 9), S >= 3), (sp.exp(S) - 1, True)),
     lambda h: np.where((h > 0) & (h < 3), h, np.where(h >= 3, np.sinh(h / 9), np.expm1(h)))),
    (sp.asinh(S) - sp.atan(S), lambda h: np.arcsinh(h) - np.arctan(h)),
    (sp.sech(S) + sp.cosh(S / 5), lambda h: 1 / np.cosh(h) + np.cosh(h / 5)),
    (sp.pi * S**7 / 10**6 - sp.sqrt(3), lambda h: np.pi * h**7 / 1e6 - np.sqrt(3)),
    (sp.sign(S) * sp.sqrt(sp.Abs(S)), lambda h: np.sign(h) * np.sqrt(np.abs(h))),
    (sp.erfc(S) + sp.log(2 + sp.cos(S)), lambda h: np.array([math.erfc(v) for v in h]) + np.log(2 + np.cos(h))),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "plain"), EXPRESSIONS, ids=[str(case[0]) for case in EXPRESSIONS])
def test_expressions(expression: Any, plain: Any) -> None:
    """Every function that is printed is NumPy's, to 1e-13 of it or 1e-14."""
    own = mc.Activation(expression=expression)
    np.testing.assert_allclose(own(H), plain(H), rtol=1e-13, atol=1e-14)
    assert np.isnan(own(np.array([np.nan, 1.0]))[0])


def test_expressions_keep_their_digits() -> None:
    """Far tails of phi and phi' are right to 1e-12 where the expression as it stands gives 0 or NaN."""
    h = np.array([-300.0, -35.0, 35.0, 300.0])
    soft = mc.Activation(expression=sp.log(1 + sp.exp(S)))
    assert soft(h) == pytest.approx([5.148200222412013e-131, 6.305116760146987e-16, 35 + 6.3e-16, 300], rel=1e-12)
    bell = mc.Activation(expression=1 - sp.tanh(S) ** 2)
    assert bell(h) == pytest.approx(4 * np.exp(-2 * np.abs(h)), rel=1e-12)
    gate = mc.Activation(expression=sp.exp(S) / (1 + sp.exp(S)))
    assert gate.derivative(h) == pytest.approx(np.exp(-np.abs(h)), rel=1e-12)
    assert np.array_equal(gate(np.array([-1e6, 1e6])), [0, 1])
    far = {
        sp.log(2 + 3 * sp.exp(S)): ([math.log(2), 1000 + math.log(3)], [0, 1]),
        sp.sinh(S) / sp.cosh(S): ([-1, 1], [0, 0]),
        sp.exp(3 * S) / (1 + 2 * sp.exp(S)) ** 3: ([0, 1 / 8], [0, 0]),
    }
    for form, (values, slopes) in far.items():
        own = mc.Activation(expression=form)
        assert own(np.array([-1000.0, 1000.0])) == pytest.approx(values, rel=1e-15)
        assert list(own.derivative(np.array([-1000.0, 1000.0]))) == slopes


@pytest.mark.parametrize(
    ("expression", "homogeneous", "flat"),
    [
        (sp.Max(S, 0), True, True),
        (sp.Piecewise((3 * S, S > 0), (S / 7, True)), True, False),
        (sp.Abs(S) - S / 2, True, False),
        (sp.Max(S, 0) + sp.Rational(1, 10**9), False, True),
        (sp.Max(S, 0) ** 2, False, True),
        (S**2, False, False),
        (sp.tanh(S), False, False),
        (sp.Piecewise((S, sp.Abs(S) < 30), (0, True)), False, False),
    ],
)
def test_flags(expression: Any, homogeneous: bool, flat: bool) -> None:
    """Homogeneous is what can be shown to be; flat is what is 0 at several points."""
    own = mc.Activation(expression=expression)
    assert (own.homogeneous, own.flat) == (homogeneous, flat)


@pytest.mark.parametrize("simulator", [reference, cpu], ids=lambda module: module.name)
def test_zeros_that_are_no_underflow(simulator: Any) -> None:
    """relu6 of negative numbers is dead, a saturated hardtanh has no gradient, and neither lost a digit."""
    negative = {"weights": {"law": "constant", "value": -1.0}, "input": [1.0, 1.0]}
    dead = mc.Network(widths=(2, 2), activation="relu6", **negative)
    assert {KINDS[k] for k in simulator.simulate_block(dead, 0, 0, 2).kinds} == {"dead"}
    saturated = mc.Network(widths=(2, 2), activation="hardtanh", **negative)
    assert {KINDS[k] for k in simulator.simulate_block(saturated, 0, 0, 2).kinds} == {"ok"}
    tiny = mc.Network(widths=(2,) * 9, activation="relu6", weights={"law": "normal", "variance": 1e-300})
    assert {KINDS[k] for k in simulator.simulate_block(tiny, 0, 0, 9).kinds} <= {"underflow", "dead"}


def one_of_two(h: float) -> float:
    return OTHER(h)  # type: ignore[no-any-return]


OTHER: Any = type("Other", (), {"__call__": lambda self, h: h})()

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"function": bent, "derivative": wrong_slope}, "the derivative is not that of the `function`: at h = "),
    ({"function": bent}, "give `function` and `derivative` together"),
    ({"function": bent, "derivative": bent_slope, "expression": sp.tanh(S)}, "the `function` is not the `expression`"),
    ({"function": math.tanh, "derivative": bent_slope}, "give `version=`"),
    ({"function": one_of_two, "derivative": bent_slope}, "uses OTHER, whose content cannot be seen; give `version=`"),
    ({"function": one_of_two, "derivative": bent_slope, "version": "1"}, "is not compiled by Numba"),
    ({"function": 3, "derivative": bent_slope}, "function=3"),
    ({"function": lambda h: h, "derivative": lambda h: 1.0}, "several lambdas on one line"),
    ({"expression": sp.gamma(S)}, "gamma is not known to the simulators; they know"),
    ({"expression": sp.log(S)}, "phi is not a number at h = -"),
    ({"expression": (sp.exp(S**2) - 1) / (2 + sp.exp(S**2))}, "phi is not a number at h = "),
    ({"expression": S + sp.Symbol("t")}, "it has s, t"),
    ({"expression": sp.Integer(1)}, "it has none"),
    ({"expression": sp.log(sp.Symbol("p", positive=True))}, "declare it as sympy.Symbol('p', real=True)"),
    ({"expression": sp.DiracDelta(S)}, "DiracDelta is no function of numbers"),
    ({"expression": S + sp.DiracDelta(S - 1, 1)}, "DiracDelta is no function of numbers"),
    ({"expression": sp.SingularityFunction(S, 0, 1)}, "SingularityFunction is no function of numbers"),
    ({"expression": 1 / sp.cos(S)}, "has a pole at h = 1.5708"),
    ({"expression": sp.tan(S / 50)}, "has a pole at h = 78.5398"),
    ({"expression": 1 / (S - sp.Rational(1, 3)) ** 2}, "has a pole at h = 0.333333"),
    ({"expression": sp.log(sp.Abs(S - 20))}, "has a pole at h = 20"),
    ({"expression": S * sp.I}, "is no finite real number"),
    ({"expression": sp.Piecewise((S, S > 0))}, "has no value outside"),
    ({"expression": 3}, "expression=3"),
    ({"expression": "x*gamma(x)"}, "there is no function 'gamma'"),
    ({"expression": "().__class__"}, "has no meaning"),
    ({"expression": S, "version": "1"}, "an expression needs none"),
    ({"name": "relu", "expression": S}, "is that of an activation of the table"),
    ({"parameters": {"a": 1}, "expression": S}, "write them into it"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_refused(arguments: dict[str, Any], message: str) -> None:
    """One sentence says what does not fit, with the point and the values where there are some."""
    with pytest.raises(InputError) as error:
        mc.Activation(**arguments)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_finite_has_no_pole() -> None:
    """Divisors and logs that are 0 where the expression is finite are no poles; neither is a slope of infinity."""
    for expression in (
        sp.sin(S) / S,
        (sp.exp(S) - 1) / S,
        sp.sign(S) * sp.sqrt(sp.Abs(S)),
        S * sp.log(sp.Abs(S) + sp.Rational(1, 10**6)),
        1 / (S**2 + sp.Rational(1, 10**9)),
        sp.Piecewise((1 / S, S > 1), (S, True)),
    ):
        mc.Activation(expression=expression)


def test_a_table_without_a_name_says_so(tmp_path: Path) -> None:
    """`{name = "x"}` alone: the keys that are missing are named, in a file too."""
    (tmp_path / "net.toml").write_text('widths = [2, 2]\nactivation = { name = "x" }\n')
    with pytest.raises(InputError, match=r"net\.toml: activation: .*give the key `activation` or `expression`"):
        load_network(tmp_path / "net.toml")
    with pytest.raises(InputError, match="give the key `activation` or `expression`"):
        mc.Network(widths=(2, 2), activation={"name": "x"})


def test_a_version_stands_for_code() -> None:
    """With `version=` the content has it in place of the source."""
    own = mc.Activation(function=bent, derivative=bent_slope, version="3")
    content = own.content()
    assert content["version"] == "3"
    assert content["function"].endswith(".bent")


def test_expression_and_function_together() -> None:
    """The function is what is simulated, the expression what is predicted from; both are in the content."""
    expression = sp.Piecewise((STEEP * S, S > 0), (sp.tanh(S), True))
    both = mc.Activation("both", function=bent, derivative=bent_slope, expression=expression)
    assert both.form.given is not None
    assert set(both.content()) == {"function", "derivative", "expression"}
    assert "activation.second_moment" in set(mc.predict(net_of(both)).observable)


def test_derivative_check_is_no_false_alarm() -> None:
    """Kinks near the points that are checked, steep and wide functions pass; a slope of 1 part in 1e5 off does not."""
    for expression in (
        sp.Abs(S - sp.Rational(737, 10**5)),
        sp.sin(40 * S),
        S**9,
        sp.exp(S),
        sp.Abs(S) ** sp.Rational(1, 2),
    ):
        mc.Activation(expression=expression)

    def cubed(h: float) -> float:
        return h**3

    def slope(h: float) -> float:
        return 3.00003 * h**2

    with pytest.raises(InputError, match="finite differences give"):
        mc.Activation(function=cubed, derivative=slope)
