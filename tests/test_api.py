"""`mc.predict` and `mc.verify` as a user calls them."""

from __future__ import annotations

import importlib
import math
from fractions import Fraction

import pandas as pd
import pytest
from scipy.special import digamma, polygamma

import mcverify as mc
from mcverify.api import PREDICTION_COLUMNS
from mcverify.errors import InputError, MissingMomentError
from mcverify.observables import names
from theory.catalogue import OBSERVABLES

WIDTHS = (3, 5, 2, 4)
WEIGHTS, BIASES = (Fraction(1, 3), Fraction(2, 5), Fraction(3, 4)), (Fraction(1, 10), Fraction(0), Fraction(1, 2))


def value(table: pd.DataFrame, observable: str, layer: int, statistic: str = "mean") -> float:
    rows = table[(table.observable == observable) & (table.layer == layer) & (table.statistic == statistic)]
    assert len(rows) == 1
    return float(rows.value.iloc[0])


def by_hand(
    m: Fraction, s: Fraction, f: Fraction, kurtosis: int, c2: Fraction, c4: Fraction
) -> list[tuple[Fraction, Fraction]]:
    """Mean and variance of the second moment of h, layer by layer, from E|x|^2, E|x|^4, E sum x^4."""
    found = []
    for n, v, b in zip(WIDTHS[1:], WEIGHTS, BIASES, strict=True):
        e2, e22 = v * m + b, v * v * s + 2 * v * b * m + b * b
        e4 = 3 * v * v * s + (kurtosis - 3) * v * v * f + 6 * v * b * m + 3 * b * b
        square = (n * (n - 1) * e22 + n * e4) / Fraction(n * n)
        found.append((e2, square - e2 * e2))
        m, s, f = n * c2 * e2, n * (n - 1) * c2**2 * e22 + n * c4 * e4, n * c4 * e4
    return found


@pytest.mark.parametrize(("law", "kurtosis"), [("normal", 3), ("laplace", 6), ("rademacher", 1)])
@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("fixed", [True, False])
def test_predict_is_the_exact_recursion(law: str, kurtosis: int, slope: float, fixed: bool) -> None:
    """Any widths, variances a layer, bias variances, fixed or random input with a mean: to 1e-12, by fractions."""
    net = mc.Network(
        widths=WIDTHS,
        activation={"activation": "leaky_relu", "negative_slope": slope},
        weights={"law": law, "variance": [float(v) for v in WEIGHTS]},
        biases={"law": "normal", "variance": [float(b) for b in BIASES]},
        input=[1.0, -2.0, 0.5] if fixed else {"law": "normal", "variance": 0.25, "mean": 1.5},
    )
    if fixed:
        squares = [Fraction(1), Fraction(4), Fraction(1, 4)]
        m, s, f = sum(squares), sum(squares) ** 2, sum(q * q for q in squares)
    else:  # one entry: E x^2 = v + mu^2, E x^4 = 3 v^2 + 6 v mu^2 + mu^4
        v, mu2 = Fraction(1, 4), Fraction(9, 4)
        two, four = v + mu2, 3 * v * v + 6 * v * mu2 + mu2 * mu2
        m, s, f = 3 * two, 3 * four + 6 * two * two, 3 * four
    a = Fraction(slope)
    table = mc.predict(net)
    for layer, (mean, variance) in enumerate(by_hand(m, s, f, kurtosis, (1 + a**2) / 2, (1 + a**4) / 2), start=1):
        assert value(table, "preactivation.second_moment", layer) == pytest.approx(float(mean), rel=1e-12)
        assert value(table, "preactivation.second_moment", layer, "variance") == pytest.approx(
            float(variance), rel=1e-12
        )


def test_predict_logs_of_a_linear_network() -> None:
    """log|h_L|^2 is a sum of logs of chi-squares: digamma and trigamma sums, to 1e-12."""
    net = mc.Network(
        widths=(6, 9, 3, 5), activation="linear", weights={"law": "normal", "variance": 0.3}, input=[1.0] * 6
    )
    mean = sum(math.log(0.3) + math.log(2) + digamma(n / 2) for n in (9, 3, 5)) + math.log(6) - math.log(5)
    table = mc.predict(net)
    assert value(table, "preactivation.log_second_moment", 3) == pytest.approx(mean, rel=1e-12)
    variance = sum(polygamma(1, n / 2) for n in (9, 3, 5))
    assert value(table, "preactivation.log_second_moment", 3, "variance") == pytest.approx(variance, rel=1e-12)


def test_predict_says_where_it_is_from() -> None:
    """Every row has an expression, its exactness, assumptions, a reference and a derivation."""
    table = mc.predict(mc.Network(widths=(8, 8, 8), activation="relu", weights="he_normal"))
    assert tuple(table.columns) == PREDICTION_COLUMNS
    for column in ("exactness", "reference", "derivation"):
        assert all(table[column])
    assert set(table.exactness) == {"EXACT"}


def test_predict_refuses_a_law_without_variance() -> None:
    """Rows that need a moment that a law lacks are absent, and asking for one says which is missing."""
    net = mc.Network(widths=(8, 8), activation="relu", weights={"law": "student_t", "df": 2, "scale": 1.0})
    observables = set(mc.predict(net).observable)
    assert "preactivation.second_moment" not in observables
    claim = mc.Claim("second", net, mc.observables.SecondMoment("preactivation", layer=1))
    with pytest.raises(MissingMomentError, match="df=2 has no variance"):
        mc.run(mc.Study("heavy", claims=[claim]))


def test_verify_tests_every_row() -> None:
    """One claim a prediction, all as expected or open, none contradicted."""
    net = mc.Network(
        widths=(12, 16, 8), activation="relu", weights="he_uniform", biases={"law": "normal", "variance": 0.1}
    )
    outcome = mc.verify(net, margin=0.2, replicates=4096)
    measured = mc.predict(net, observables=set(names()) & OBSERVABLES)
    assert len(outcome.rows()) == len(measured) > 50
    assert outcome.counts()["contradicted"] == 0
    assert outcome.counts()["SUPPORTED"] > 20


def test_verify_finds_a_prediction_that_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """A theory that forgets the factor 1/2 of ReLU is refuted."""
    net = mc.Network(widths=(16, 16, 16), activation="relu", weights="he_normal")
    predictions = mc.api.predictions(net)
    kept = [pair for pair in predictions if pair[0].observable == "preactivation.ratio"]
    from dataclasses import replace

    from mcverify import api

    wrong = [(replace(p, evaluate=lambda _net, q=q: replace(q, value=2 * q.value)), q) for p, q in kept]
    monkeypatch.setattr(api, "predictions", lambda _net: wrong)
    assert api.verify(net, margin=0.2, replicates=1024).counts()["REFUTED"] == len(wrong)


def test_values_are_one_a_network() -> None:
    """`sim.values` has one float64 a network, in the order of the replicates, the same for any chunking."""
    net = mc.Network(widths=(8, 8), activation="relu", weights="he_normal")
    many = mc.simulate(net, replicates=300, seed=3).values("activation.second_moment", 1)
    few = mc.simulate(net, replicates=10, seed=3).values("activation.second_moment", 1)
    assert many.shape == (300,)
    assert (many[:10] == few).all()


def test_names_of_the_package() -> None:
    """Everything listed is there; a submodule of the same name does not shadow a function."""
    importlib.import_module("mcverify.run")
    importlib.import_module("mcverify.simulate")
    assert callable(mc.run)
    assert callable(mc.simulate)
    for name in mc.__all__:
        assert getattr(mc, name) is not None
    with pytest.raises(AttributeError, match="simulates"):
        _ = mc.simulates


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"widths": (8, 0)}, "widths"),
        ({"widths": (8, "many")}, "widths"),
        ({"widths": (8, 8), "activation": "rellu"}, "did you mean 'relu'"),
        ({"widths": (8, 8), "weights": "he_norml"}, "did you mean 'he_normal'"),
        ({"widths": (8, 8), "weights": {"law": "normal", "variance": -1.0}}, "variance=-1"),
        ({"widths": (8, 8), "weights": {"law": "normal", "variance": float("nan")}}, "variance=nan"),
        ({"widths": (8, 8), "input": [float("nan")] * 8}, "nan"),
        ({"widths": (8, 8), "weights": {"law": "student_t", "df": 2, "variance": 1.0}}, "df"),
        ({"widths": (8, 8), "input": "identity"}, "one vector a network"),
    ],
)
def test_bad_networks(arguments: dict[str, object], message: str) -> None:
    """One clear sentence that names the argument and its value."""
    with pytest.raises(InputError, match=message):
        mc.Network(**arguments)  # type: ignore[arg-type]
