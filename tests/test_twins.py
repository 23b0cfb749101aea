"""The theory's activations and laws are those of the simulator, though neither knows the other's code."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import sympy as sp

from mcverify import activations as simulated
from mcverify import distributions as drawn
from mcverify.bridge import to_theory
from mcverify.network import Network
from mcverify.realize import realize
from theory import activations as stated
from theory import distributions as known
from theory.net import Distribution

X = sp.Symbol("X", real=True)
LAWS = {
    "normal": {},
    "uniform": {},
    "truncated_normal": {"bound": 1.5},
    "rademacher": {},
    "laplace": {},
    "student_t": {"df": 12.0},
    "sparse": {"sparsity": 0.4},
}


def test_same_names() -> None:
    """Every activation and law of one side is known to the other."""
    assert set(simulated.activations) == set(stated.TABLE)
    assert set(drawn.laws) == known.NAMES


POINTS = [*np.linspace(-9, 9, 37), *np.linspace(-1.03, 1.01, 12), 0.0, 1e-3, -1e-3, -1.0, 1.0, 6.0, 14.5, -14.5]


def largest_difference(ours: Callable[[float], float], expression: sp.Expr, kinks: tuple[float, ...] = ()) -> float:
    """The largest difference to an expression at POINTS off the kinks, relative where that is above 1."""
    worst = 0.0
    for h in POINTS:
        if h not in kinks:
            wanted = float(expression.subs(stated.x, sp.Float(h, 40)).evalf(30))
            worst = max(worst, abs(ours(h) - wanted) / max(1.0, abs(wanted)))
    return worst


@pytest.mark.parametrize("parameter", [None, 0.3])
@pytest.mark.parametrize("name", sorted(stated.TABLE))
def test_activation(name: str, parameter: float | None) -> None:
    """phi and phi' of the simulator are the theory's expressions: 3e-16 apart, phi' at the kinks too."""
    given = {} if parameter is None else dict.fromkeys(stated.TABLE[name].parameters, parameter)
    if parameter is not None and not given:
        return
    theirs, ours = stated.get(name, given), simulated.Activation(name, given)
    assert largest_difference(lambda h: float(ours(np.float64(h))), theirs.expression) < 1e-15
    assert largest_difference(lambda h: float(ours.derivative(np.float64(h))), theirs.derivative, theirs.kinks) < 1e-15
    for kink in theirs.kinks:
        assert float(ours.derivative(np.float64(kink))) == pytest.approx(
            float(theirs.slope_function(np.array([kink]))[0])
        )


def test_parameters_have_the_same_defaults() -> None:
    """Each activation has the parameters of its twin, homogeneous ones are those with a slope at 0."""
    for name, row in stated.TABLE.items():
        assert dict(row.parameters) == dict(simulated.activations[name].defaults)
        assert simulated.activations[name].homogeneous == (stated.get(name).slope is not None)


def test_activation_catches_a_wrong_slope() -> None:
    """Leaky ReLU with a slope that is 1e-12 off is told apart."""
    ours = simulated.Activation("leaky_relu", {"negative_slope": 0.01 + 1e-12})
    assert largest_difference(lambda h: float(ours(np.float64(h))), stated.get("leaky_relu").expression) > 1e-12


OWN = {
    "swish": X / (1 + sp.exp(-X)),
    "relu": sp.Max(X, 0),
    "squared relu": sp.Max(X, 0) ** 2,
    "elliott": X / (1 + sp.Abs(X)),
    "hill": sp.Piecewise((X * sp.exp(-X), X > 1), (sp.atan(X) * sp.exp(-1) * 4 / sp.pi, True)),
    "snake": X + sp.sin(X) ** 2,
    "log": sp.sign(X) * sp.log(1 + sp.Abs(X)),
    "gelu": X * (1 + sp.erf(X / sp.sqrt(2))) / 2,
    "gelu_tanh": X * (1 + sp.tanh(X + X**3 / 9)) / 2,
    "erfc gate": X * sp.erfc(-X) / 2,
}


@pytest.mark.parametrize("name", OWN)
def test_own_activation(name: str) -> None:
    """A user's expression is the same function on both sides, and one of the table where it is that."""
    net = Network(widths=(3, 4, 2), activation=OWN[name])
    ours, theirs = net.activation, to_theory(net).phi(1)
    s = np.array([h for h in POINTS if h not in theirs.kinks])
    np.testing.assert_allclose(ours(s), theirs.function(s), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(ours.derivative(s), theirs.slope_function(s), rtol=1e-13, atol=1e-14)
    assert ours.homogeneous == (theirs.slope is not None) == (name == "relu")


def scores(name: str, parameters: dict[str, float], spread: float = 1.0) -> tuple[float, float]:
    """Standard scores of the mean square and mean fourth power of 65 536 weights against the theory's moments."""
    law = Distribution(name, 0.5, parameters)
    net = Network(widths=(256, 256), weights={"law": name, "variance": 0.5, **parameters})
    w = realize(net, seed=1)["weights"][0].ravel().astype(np.float64) * spread
    second, fourth, eighth = (known.raw_moment(law, half) for half in (1, 2, 4))
    of_second = (np.mean(w**2) - second) / math.sqrt(max(fourth - second**2, 1e-12) / w.size)
    of_fourth = (np.mean(w**4) - fourth) / math.sqrt(max(eighth - fourth**2, 1e-12) / w.size)
    return float(of_second), float(of_fourth)


@pytest.mark.parametrize(("name", "parameters"), LAWS.items(), ids=LAWS)
def test_law(name: str, parameters: dict[str, float]) -> None:
    """Second and fourth moments of drawn weights are the theory's: |z| < 6, a false alarm in 5e8 for each."""
    assert max(map(abs, scores(name, parameters))) < 6


def test_law_catches_a_wrong_variance() -> None:
    """A standard deviation 3 % off moves the second moment by 11 standard errors for a normal law."""
    assert abs(scores("normal", {}, spread=1.03)[0]) > 6
