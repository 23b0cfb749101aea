"""Where exact statements end: layers reached by biases alone, inputs of 0, output gradients whose mean is not 0.

Each net is simulated in plain NumPy. Means are compared at |z| < 5.5: about 1000 comparisons of a right theory fail
once in 4e4 runs (seeds fixed). Values that an earlier form of the conditions gave are shown to be refuted.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.test_theory_catalogue import departure, exact_rows_agree, tensors, values
from theory import formulas
from theory.catalogue import lookup, predict
from theory.net import ZERO, DenseNet, Distribution, HalfSquaredError
from theory.prediction import Exactness

D = Distribution

LIMIT = 5.5
REPLICATES = 60_000
NORMAL = D("normal", 1.0)
SPARSE = D("sparse", 0.3, {"sparsity": 0.5})
ROWS = tuple(
    f"{tensor}_gradient.{kind}"
    for tensor in ("activation", "preactivation", "bias", "weight")
    for kind in ("second_moment", "fourth_moment", "log_second_moment", "ratio")
)
SIGNS = (D("rademacher", 0.3),) * 3


def net(widths: tuple[int, ...], activation: str, **other: object) -> DenseNet:
    """Standard normal weights and an output gradient of standard normals, unless told."""
    return DenseNet(widths, activation, **{"weights": (NORMAL,) * (len(widths) - 1), **other})  # type: ignore[arg-type]


NETS = {
    "sign biases": net((2, 1, 2), "relu", biases=SIGNS[:2], input=(1.0, 0.5)),
    "sign biases, three layers": net((2, 2, 1, 2), "relu", biases=SIGNS),
    "sign biases at one layer": net((2, 1, 2, 2), "relu", biases=(ZERO, SIGNS[0], ZERO), input=(1.0, 0.5)),
    "sign biases, input of zeros": net((2, 2, 2), "relu", biases=SIGNS[:2], input=(0.0, 0.0)),
    "sign biases, leaky": net((2, 2, 2), "leaky_relu", biases=SIGNS[:2], input=D("sparse", 1.0, {"sparsity": 0.5})),
    "sign weights, continuous biases": net(
        (2, 1, 2, 2), "relu", weights=(D("rademacher", 0.5),) * 3, biases=(D("uniform", 0.4),) * 3
    ),
    "sparse biases behind a layer that lives": net((2, 2, 2), "relu", biases=(SPARSE, ZERO), input=(1.0, 0.5)),
    "linear, relu output, sparse input": net(
        (1, 2, 2), "linear", output_activation="relu", input=D("sparse", 1.0, {"sparsity": 0.5})
    ),
    "three linear, relu output, sparse input": net(
        (2, 2, 3, 2, 2), "linear", output_activation="relu", input=D("sparse", 1.0, {"sparsity": 0.7})
    ),
    "linear, biases on the way, relu output": net(
        (1, 2, 2, 2), "linear", output_activation="relu", input=D("sparse", 1.0, {"sparsity": 0.5}),
        biases=(ZERO, SIGNS[0], ZERO),
    ),
}  # fmt: skip


@pytest.mark.entry("A15", "C3", "C5", "C7", "C8")
@pytest.mark.parametrize("name", list(NETS))
def test_exact_rows_of_nets_that_may_die(name: str) -> None:
    """Every exact row, mean and scatter, of nets in which some layers are not reached, or only by biases."""
    assert exact_rows_agree(NETS[name], tensors(NETS[name], REPLICATES, np.random.default_rng(31))) >= 30


@pytest.mark.entry("C5", "C7")
@pytest.mark.parametrize(
    ("name", "observable", "layer", "value", "old"),
    [
        ("sign biases", "preactivation.active_fraction", 2, 0.5, 0.25),
        ("sign biases", "preactivation_gradient.second_moment", 2, 0.5, 0.25),
        ("sign biases", "activation_gradient.second_moment", 1, 1.0, 0.5),
        ("sign biases", "activation_gradient.ratio", 1, 1.0, 2.0),
        ("linear, relu output, sparse input", "preactivation_gradient.second_moment", 1, 0.5, 1.0),
        ("linear, relu output, sparse input", "activation_gradient.second_moment", 0, 1.0, 2.0),
    ],
)
def test_simulation_refutes_what_ignores_how_layers_are_reached(
    name: str, observable: str, layer: int, value: float, old: float
) -> None:
    """The value stated is the closed one; biases taken for absent, or an input for never 0, give one that fails."""
    row = lookup(NETS[name], observable, layer)
    assert row is not None
    assert row[1].value == pytest.approx(value, rel=1e-13)
    assert formulas.substitute(row[0].expression, NETS[name], layer) == pytest.approx(value, rel=1e-13)
    u = values(tensors(NETS[name], REPLICATES, np.random.default_rng(32)), observable, layer)
    u = u[np.isfinite(u)]
    assert abs(departure(u, value)) < LIMIT < abs(departure(u, old))


@pytest.mark.parametrize("name", list(NETS))
def test_expressions_follow_how_layers_are_reached(name: str) -> None:
    """Expressions of shares, second moments and ratios give the values to 1e-13, with the symbols p, r and t."""
    kinds = ("active_fraction", ".second_moment", "ratio")
    checked = 0
    for prediction, predicted in predict(NETS[name]):
        tensor = prediction.observable.split(".")[0]
        usable = prediction.exactness == Exactness.EXACT and prediction.entry not in ("E1", "E2")
        if tensor in ("weight", "bias", "input", "output_gradient") or not usable or prediction.statistic != "mean":
            continue
        if prediction.observable.endswith(kinds):
            value = formulas.substitute(prediction.expression, NETS[name], prediction.layer)
            assert value == pytest.approx(predicted.value, rel=1e-13), prediction
            checked += 1
    assert checked >= 6


@pytest.mark.parametrize("biases", [(ZERO, SPARSE), (SPARSE, SPARSE)])
def test_biases_that_may_be_0_behind_a_layer_that_may_die(biases: tuple[D, D]) -> None:
    """No row of layer 2 that needs its signs: simulated, its share of positive units is in between."""
    sparse = net((2, 1, 2), "relu", biases=biases, input=(1.0, 0.5))
    assert lookup(sparse, "preactivation.active_fraction", 2) is None
    for observable in ROWS:
        for layer in (0, 1) if "activation_gradient" in observable and "pre" not in observable else (1, 2):
            assert lookup(sparse, observable, layer) is None, observable
    u = values(tensors(sparse, REPLICATES, np.random.default_rng(33)), "preactivation.active_fraction", 2)
    assert abs(departure(u, 0.5 * 0.5 + 0.5 * 0.25)) < LIMIT  # half reached by x, half by the 1/2 of biases not 0
    assert min(abs(departure(u, 0.5)), abs(departure(u, 0.25))) > LIMIT


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh"])
def test_an_input_of_zeros_has_no_gradient_by_a_mask(activation: str) -> None:
    """h_1 = 0 is not a small Gaussian: no row for delta_1, in one layer or behind others; with biases there is."""
    for widths in ((2, 2), (2, 2, 2)):
        kinds: dict[str, object] = {"input": (0.0, 0.0), "output_activation": "relu", "output_gradient": (1.0, -1.0)}
        dead = net(widths, activation, **kinds)
        for layer in range(1, len(widths)):
            assert lookup(dead, "preactivation_gradient.second_moment", layer) is None
        assert (
            values(tensors(dead, 10, np.random.default_rng(0)), "preactivation_gradient.second_moment", 1) == 0
        ).all()
    one = net((2, 2), "leaky_relu", input=(0.0, 0.0), biases=(NORMAL,), output_gradient=(1.0, 2.0))
    found = lookup(one, "preactivation_gradient.second_moment", 1)
    assert found is not None
    u = values(tensors(one, REPLICATES, np.random.default_rng(34)), "preactivation_gradient.second_moment", 1)
    assert abs(departure(u, found[1].value)) < LIMIT


def wide(output: str, g: tuple[float, ...]) -> DenseNet:
    """tanh layers of width 100 below an output of another kind."""
    weights = (D("normal", 1.5 / 100),) * 3
    return DenseNet(
        (100,) * 4, "tanh", output_activation=output, weights=weights, input=(1.0,) * 100, output_gradient=g
    )


@pytest.mark.parametrize("output", ["relu", "leaky_relu", "sigmoid", "linear"])
def test_output_gradients_with_a_mean_through_a_relu(output: str) -> None:
    """g = ones: C9 behind a ReLU, where the limit for g of mean 0 is far off; right behind an even slope."""
    ones, balanced = wide(output, (1.0,) * 100), wide(output, (1.0, -1.0) * 50)
    observable = "activation_gradient.second_moment"
    stated, limit = lookup(ones, observable, 2), lookup(balanced, observable, 2)
    assert limit is not None
    simulated = [values(tensors(n, 300, np.random.default_rng(35)), observable, 2).mean() for n in (ones, balanced)]
    assert simulated[1] == pytest.approx(limit[1].value, rel=0.1)
    assert stated is not None
    assert simulated[0] == pytest.approx(stated[1].value, rel=0.1)
    if output not in ("sigmoid", "linear"):
        assert stated[0].entry == "C9"
        assert lookup(ones, "preactivation_gradient.ratio", 2) is None
        assert lookup(ones, "preactivation_gradient.second_moment", 3) is not None
        assert simulated[0] > 1.3 * limit[1].value


def test_laws_of_ratios_know_whether_a_gradient_shows_a_living_layer() -> None:
    """Biases of signs behind: the mask may keep nothing; none behind, at least one unit is on."""
    signs, bare = NETS["sign biases"], net((2, 3, 2), "relu")
    names = []
    for which, layer in ((signs, 1), (bare, 1)):
        row = lookup(which, "preactivation_gradient.ratio", layer)
        assert row is not None
        assert row[1].law is not None
        names.append(row[1].law.name)
    assert names == ["relu_ratio", "relu_ratio_backward"]
    one, none = (lookup(which, "activation_gradient.ratio", 0) for which in (bare, signs))
    assert one is not None and one[1].law is not None and one[1].law.parameters.get("alive") == 1  # noqa: PT018
    assert none is not None and none[1].law is not None and "alive" not in none[1].law.parameters  # noqa: PT018


def test_scatter_of_the_output_gradient_itself() -> None:
    """At l = L there is no layer behind: E g^4 and its scatter in symbols are gamma4 and (gamma4 - gamma2^2)/N."""
    uniform = net((2, 3), "relu", output_gradient=D("uniform", 2.0))
    for statistic, kind, value in (("mean", "fourth_moment", 7.2), ("variance", "second_moment", (7.2 - 4) / 3)):
        row = lookup(uniform, f"activation_gradient.{kind}", 1, statistic)
        assert row is not None
        assert row[1].value == pytest.approx(value, rel=1e-13)
        assert formulas.substitute(row[0].expression, uniform, 1) == pytest.approx(value, rel=1e-13)
    below = lookup(uniform, "activation_gradient.fourth_moment", 0)
    assert below is not None
    assert "kappa" in str(below[0].expression.subs({"l": 0}))
    loss = net((2, 3), "relu", output_gradient=HalfSquaredError((0.0,) * 3))
    assert lookup(loss, "activation_gradient.fourth_moment", 1) is None
    assert math.isfinite(below[1].value)
