"""The theory's activations and laws are those of the simulator, though neither knows the other's code."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy as sp

from mcverify import activations as simulated
from mcverify import distributions as drawn
from mcverify.network import Network
from mcverify.realize import realize
from theory import activations as stated
from theory import distributions as known
from theory.net import Distribution

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


@pytest.mark.parametrize("name", sorted(stated.TABLE))
def test_activation(name: str) -> None:
    """phi and phi' of the simulator are the theory's expressions, to float32 rounding."""
    theirs, ours = stated.TABLE[name], simulated.activations[name]
    numbers = {sp.Symbol(key, real=True): value for key, value in theirs.parameters.items()}
    h = np.concatenate([np.linspace(-9, 9, 60), [1e-3, -1e-3]]).astype(np.float32)
    a = np.float32(next(iter(theirs.parameters.values()), 0.0))
    for function, expression in ((ours.phi, theirs.expression), (ours.derivative, theirs.derivative)):
        wanted = [float(expression.subs(numbers).subs(stated.x, float(value))) for value in h]
        got = [float(function(value, a)) for value in h]
        np.testing.assert_allclose(got, wanted, rtol=4e-7, atol=2e-7)


def test_activation_catches_a_wrong_slope() -> None:
    """Leaky ReLU with another slope is told apart."""
    wanted = stated.TABLE["leaky_relu"].expression.subs(stated.negative_slope, 0.01).subs(stated.x, -1.0)
    assert abs(float(simulated.activations["leaky_relu"].phi(np.float32(-1.0), np.float32(0.02))) - wanted) > 1e-3


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
