"""Every exact statement about a table of nets, against a NumPy simulator that shares nothing with the theory.

Means are compared at |z| < 5.5: with about 2500 comparisons of a right theory one fails in 1e-4 runs (seed fixed).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from theory import formulas, sources
from theory.catalogue import STATEMENTS, layers, lookup, predict, refusals
from theory.net import ZERO, DenseNet, Distribution, HalfSquaredError
from theory.prediction import Exactness, MissingMomentError, Prediction
from theory.symbols import p as p_symbol

W = (3, 4, 2, 3)
D = Distribution
FIXED = (1.0, -2.0, 0.5)
REPLICATES = 40_000
LIMIT = 5.5
Array = npt.NDArray[np.float64]


def laws(name: str, gain: float, widths: tuple[int, ...] = W, **parameters: float) -> tuple[Distribution, ...]:
    return tuple(D(name, gain / n, parameters) for n in widths[:-1])


LEAKY = {"negative_slope": 0.3}
NETS = {
    "relu": DenseNet(W, "relu", weights=laws("normal", 2.0)),
    "relu, fixed input": DenseNet(W, "relu", weights=laws("normal", 2.0), input=FIXED),
    "relu, fixed g, linear output": DenseNet(
        W, "relu", output_activation="linear", weights=laws("normal", 2.0), output_gradient=(1.0, 2.0, -1.0)
    ),
    "relu, uniform g, linear output": DenseNet(
        W, "relu", output_activation="linear", weights=laws("normal", 2.0), output_gradient=D("uniform", 2.0)
    ),
    "relu, biases": DenseNet(
        W, "relu", weights=laws("normal", 2.0), biases=(D("normal", 0.3), D("uniform", 0.2), D("normal", 0.3))
    ),
    "relu, one bias": DenseNet(W, "relu", weights=laws("normal", 2.0), biases=(D("normal", 0.3), ZERO, ZERO)),
    "relu, uniform": DenseNet(W, "relu", weights=laws("uniform", 2.0), output_gradient=D("rademacher", 1.0)),
    "relu, signs": DenseNet(W, "relu", weights=laws("rademacher", 2.0)),
    "linear, signs": DenseNet(
        W,
        "linear",
        weights=laws("rademacher", 1.0),
        input=D("uniform", 1.0, {"mean": 1.0}),
        output_gradient=(1.0, 0.0, 2.0),
        biases=(D("rademacher", 0.5), D("rademacher", 0.5), ZERO),
    ),
    "linear": DenseNet(W, "linear", weights=laws("normal", 1.0)),
    "linear, constant biases": DenseNet(
        W, "linear", weights=laws("normal", 1.0), biases=(D("constant", None, {"value": 0.5}),) * 3
    ),
    "leaky": DenseNet(W, "leaky_relu", LEAKY, weights=laws("normal", 2.0), input=FIXED),
    "leaky, uniform": DenseNet(W, "leaky_relu", LEAKY, "linear", weights=laws("uniform", 2.0), input=FIXED),
    "sparse input": DenseNet(W, "relu", weights=laws("normal", 2.0), input=D("sparse", 1.0, {"sparsity": 0.5})),
    "sparse": DenseNet(W, "relu", weights=laws("sparse", 2.0, sparsity=0.3)),
    "tanh": DenseNet(W, "tanh", weights=laws("normal", 2.0), input=FIXED, biases=(D("normal", 0.1),) * 3),
    "tanh, linear output": DenseNet(W, "tanh", output_activation="linear", weights=laws("uniform", 2.0)),
    "sigmoid, one layer": DenseNet((3, 4), "sigmoid", weights=laws("normal", 2.0, (3, 4)), input=FIXED),
    "linear, relu output": DenseNet(W, "linear", output_activation="relu", weights=laws("normal", 1.0)),
    "relu, leaky output": DenseNet(W, "relu", output_activation="leaky_relu", weights=laws("normal", 1.0)),
    "student": DenseNet(W, "relu", weights=laws("student_t", 2.0, df=9.0)),
}


def draw(law: Distribution, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Entries of a law, by NumPy's own generators."""
    if law.name == "constant":
        return np.full(shape, float(law.parameters["value"]))
    std = np.sqrt(law.variance) if law.variance is not None else 1.0
    if law.name == "student_t":
        df = law.parameters["df"]
        scale = std * np.sqrt((df - 2) / df) if law.variance is not None else law.parameters["scale"]
        return scale * rng.standard_t(df, shape)
    standard = {
        "normal": lambda: rng.standard_normal(shape),
        "uniform": lambda: rng.uniform(-np.sqrt(3), np.sqrt(3), shape),
        "rademacher": lambda: rng.choice([-1.0, 1.0], shape),
        "laplace": lambda: rng.laplace(0, np.sqrt(0.5), shape),
        "sparse": lambda: (
            (rng.random(shape) >= law.parameters["sparsity"])
            * rng.standard_normal(shape)
            / np.sqrt(1 - law.parameters["sparsity"])
        ),
    }
    return float(law.parameters.get("mean", 0.0)) + std * standard[law.name]()


def phi(name: str, parameters: dict[str, float], h: Array) -> tuple[Array, Array]:
    """Activation and derivative; a ReLU that sees 0 passes nothing."""
    if name == "tanh":
        return np.tanh(h), 1 / np.cosh(h) ** 2
    if name == "sigmoid":
        s = 1 / (1 + np.exp(-h))
        return s, s * (1 - s)
    slope = {"linear": 1.0, "relu": 0.0}.get(name, parameters.get("negative_slope", 0.01))
    rate = np.where(h > 0, 1.0, slope)
    return rate * h, rate


def tensors(net: DenseNet, replicates: int, rng: np.random.Generator) -> dict[tuple[str, int], Array]:
    """Every tensor of `replicates` nets, by (name, layer); replicates first."""
    depth, widths = net.depth, net.widths
    if isinstance(net.input, Distribution):
        x = draw(net.input, (replicates, widths[0]), rng)
    else:
        x = np.broadcast_to(np.array(net.input, dtype=float), (replicates, widths[0]))
    found = {("input", 0): x, ("activation", 0): x}
    rates, J = {}, np.broadcast_to(np.eye(widths[0]), (replicates, widths[0], widths[0]))
    for k in range(1, depth + 1):
        W = draw(net.weight(k), (replicates, widths[k], widths[k - 1]), rng)
        b = draw(net.bias(k), (replicates, widths[k]), rng)
        h = np.einsum("rij,rj->ri", W, x) + b
        x, rates[k] = phi(net.phi(k).name, net.phi(k).parameters, h)
        found |= {("weight", k): W, ("bias", k): b, ("preactivation", k): h, ("activation", k): x}
        found["preactivation_jacobian", k] = W @ J
        found["activation_jacobian", k] = J = rates[k][:, :, None] * (W @ J)
    assert not isinstance(net.output_gradient, HalfSquaredError)
    if isinstance(net.output_gradient, Distribution):
        g = draw(net.output_gradient, (replicates, widths[-1]), rng)
    else:
        g = np.broadcast_to(np.array(net.output_gradient, dtype=float), (replicates, widths[-1]))
    found["output_gradient", depth] = found["activation_gradient", depth] = g
    for k in range(depth, 0, -1):
        delta = rates[k] * g
        found["preactivation_gradient", k] = found["bias_gradient", k] = delta
        found["weight_gradient", k] = np.einsum("ri,rj->rij", delta, found["activation", k - 1])
        g = np.einsum("rij,ri->rj", found["weight", k], delta)
        found["activation_gradient", k - 1] = g
    return found


PER_NET = {
    "mean": lambda y: y.mean(axis=1),
    "second_moment": lambda y: (y**2).mean(axis=1),
    "fourth_moment": lambda y: (y**4).mean(axis=1),
    "log_second_moment": lambda y: np.log((y**2).mean(axis=1)),
    "active_fraction": lambda y: (y > 0).mean(axis=1),
    "alive": lambda y: (y != 0).any(axis=1).astype(float),
}


def values(found: dict[tuple[str, int], Array], observable: str, layer: int) -> Array:
    """One number a net; NaN over a zero, -inf for the log of 0."""
    tensor, statistic = observable.split(".")
    if statistic.startswith("spectrum"):
        J = found[f"{tensor}_jacobian", layer]
        A = J @ np.swapaxes(J, 1, 2)
        return np.einsum("rii->r", A if statistic == "spectrum_1" else A @ A) / J.shape[1]
    y = found[tensor, layer].reshape(len(found[tensor, layer]), -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        if statistic != "ratio":
            return PER_NET[statistic](y)
        other = layer - 1 if tensor in ("preactivation", "activation") else layer + 1
        below = values(found, f"{tensor}.second_moment", other)
        return np.where(below > 0, (y**2).mean(axis=1) / below, np.nan)


def departure(sample: np.ndarray, expected: float) -> float:
    """Standard errors between a sample's mean and what is expected; 0 where both are constant."""
    if np.ptp(sample) <= 1e-12 * abs(expected):
        return 0.0 if math.isclose(sample.mean(), expected, rel_tol=1e-11, abs_tol=1e-12) else math.inf
    return float((sample.mean() - expected) / (sample.std() / math.sqrt(sample.size)))


def tail_is_light(u: np.ndarray) -> bool:
    """Whether a z value of this sample can be read off a normal: kurtosis far below the number of nets."""
    d = u - u.mean()
    return bool(np.mean(d**4) < 0.005 * u.size * np.mean(d**2) ** 2)


def exact_rows_agree(net: DenseNet, found: dict[tuple[str, int], Array]) -> int:
    """Hold every exact row, its value and its scatter, against drawn networks; how many could be compared."""
    compared = 0
    for prediction, predicted in predict(net):
        if prediction.exactness != Exactness.EXACT:
            continue
        u = values(found, prediction.observable, prediction.layer)
        u = u[np.isfinite(u)]
        if prediction.statistic == "variance":
            u = (u - u.mean()) ** 2
        if not tail_is_light(u):
            continue
        compared += 1
        label = f"{prediction.observable} at {prediction.layer}, {prediction.statistic}"
        assert abs(departure(u, predicted.value)) < LIMIT, label
        squared = (u - u.mean()) ** 2
        if predicted.variance is not None and tail_is_light(squared):
            z = departure(squared, predicted.variance)
            assert (z if predicted.variance_is_bound else abs(z)) < LIMIT, f"{label}, scatter"
    return compared


@pytest.mark.entry("A5", "A11", "A12", "A14", "A15", "A24", "B1", "B3", "C1", "C3", "C4", "C5", "C7", "C8", "G2")
@pytest.mark.parametrize("name", list(NETS))
def test_exact_statements_agree_with_simulation(name: str) -> None:
    """Means of every observable, and the scatter of one net's value, of every exact statement."""
    net = NETS[name]
    assert exact_rows_agree(net, tensors(net, REPLICATES, np.random.default_rng(20))) >= 20


@pytest.mark.entry("A11", "A12", "A15", "NC-14", "NC-18")
@pytest.mark.parametrize(
    ("printed", "observable", "layer"),
    [
        (sources.relu_halving_backward, "activation_gradient.second_moment", 2),
        (sources.relu_halving_backward_ratio, "activation_gradient.ratio", 0),
        (sources.fleuret_weight_gradient, "weight_gradient.second_moment", 2),
        (sources.fleuret_bias_gradient, "bias_gradient.second_moment", 2),
    ],
)
def test_comparison_catches_printed_forms(printed: object, observable: str, layer: int) -> None:
    """The same comparison refutes forms that the sources print and that narrow ReLU nets contradict."""
    net = NETS["relu"]
    found = tensors(net, REPLICATES, np.random.default_rng(21))
    u = values(found, observable, layer)
    prediction = printed(layer)  # type: ignore[operator]
    assert isinstance(prediction, Prediction)
    assert abs(departure(u[np.isfinite(u)], prediction.at(net).value)) > LIMIT


@pytest.mark.parametrize("name", list(NETS))
def test_expressions_have_the_values(name: str) -> None:
    """Where an expression is in the numbers of the net, putting them in gives the value to 1e-13."""
    net = NETS[name]
    checked = 0
    for prediction, predicted in predict(net):
        kinds = ("second_moment", "ratio", "alive")
        drawn = prediction.observable.split(".")[0] in ("weight", "bias", "input", "output_gradient")
        usable = prediction.exactness == Exactness.EXACT and prediction.entry not in ("E1", "E2", "E5")
        if drawn or not usable or prediction.statistic != "mean" or not prediction.observable.endswith(kinds):
            continue
        if "log" in prediction.observable:
            continue
        value = formulas.substitute(prediction.expression, net, prediction.layer)
        assert value == pytest.approx(predicted.value, rel=1e-13), prediction
        checked += 1
    assert checked or name.startswith(("tanh", "sigmoid"))


def test_dead_layers_cost_gradients_by_the_symbol_p() -> None:
    """p[l] is in the expression of gradients, and is P(x_l != 0) of a ReLU net."""
    found = lookup(NETS["relu"], "activation_gradient.second_moment", 2)
    assert found is not None
    assert found[0].expression.has(p_symbol.base if hasattr(p_symbol, "base") else p_symbol)
    assert formulas.substitute(p_symbol[2], NETS["relu"]) == (1 - 2**-4) * (1 - 2**-2)


def test_rows_that_cannot_hold_are_absent() -> None:
    """No alive probability and no backward halving with ties, no gradients from a loss, no fourth moment of t_3."""
    assert lookup(NETS["relu, signs"], "activation.alive", 1) is None
    assert lookup(NETS["relu, signs"], "activation_gradient.second_moment", 1) is None
    loss = DenseNet(W, "relu", weights=laws("normal", 2.0), output_gradient=HalfSquaredError((1.0, 0.0, 0.0)))
    assert lookup(loss, "activation_gradient.second_moment", 0) is None
    assert lookup(loss, "activation.second_moment", 3) is not None
    heavy = DenseNet(W, "relu", weights=laws("student_t", 2.0, df=3.0))
    found = lookup(heavy, "activation.second_moment", 3)
    assert found is not None
    assert found[1].variance is None
    assert lookup(heavy, "activation.fourth_moment", 1) is None
    assert "df > 4" in str(refusals(heavy, "activation.fourth_moment", 1)[0])
    fixed_into_relu = DenseNet(W, "relu", weights=laws("uniform", 2.0), output_gradient=FIXED)
    assert lookup(fixed_into_relu, "activation_gradient.second_moment", 2) is None


def test_missing_moments_raise_when_asked_for() -> None:
    """A statement used by itself raises, naming law, degrees of freedom and order."""
    heavy = DenseNet(W, "relu", weights=laws("student_t", 2.0, df=4.0))
    with pytest.raises(MissingMomentError, match="df=4 has no moment of order 4"):
        STATEMENTS["activation.second_moment", "variance"][0](2).at(heavy)
    none = DenseNet(W, "relu", weights=(D("student_t", None, {"df": 2.0, "scale": 1.0}),) * 3)
    with pytest.raises(MissingMomentError, match="df=2 has no variance"):
        STATEMENTS["activation.ratio", "mean"][0](1).at(none)


def test_smooth_activations_are_infinite_width_beyond_the_exact_steps() -> None:
    """tanh, Gaussian, fixed input: h_1, x_1, h_2 are exact; x_2, h_3 and gradients are not."""
    net = NETS["tanh"]
    exactness = {
        (tensor, layer): lookup(net, f"{tensor}.second_moment", layer)[0].exactness  # type: ignore[index]
        for tensor in ("preactivation", "activation", "activation_gradient")
        for layer in (1, 2, 3)
    }
    exact = {key for key, kind in exactness.items() if kind == Exactness.EXACT}
    first = {("preactivation", 1), ("activation", 1), ("preactivation", 2)}
    assert exact == first | {("activation_gradient", 3)}
    random = DenseNet(W, "tanh", weights=laws("normal", 2.0))
    assert lookup(random, "activation.second_moment", 1)[0].exactness == Exactness.INFINITE_WIDTH  # type: ignore[index]


@pytest.mark.entry("E1", "E2")
def test_infinite_width_values_are_approached() -> None:
    """Length map and chi_1 of a tanh net of width 300: second moments within 3 % (1/N effects and sampling)."""
    widths = (300,) * 4
    net = DenseNet(widths, "tanh", weights=tuple(D("normal", 1.5 / 300) for _ in range(3)), input=(1.0,) * 300)
    found = tensors(net, 60, np.random.default_rng(5))
    for observable in ("preactivation.second_moment", "activation.second_moment", "activation_gradient.second_moment",
                       "preactivation_gradient.second_moment", "weight_gradient.second_moment"):  # fmt: skip
        for layer in (1, 2, 3):
            predicted = lookup(net, observable, layer)
            assert predicted is not None
            assert values(found, observable, layer).mean() == pytest.approx(predicted[1].value, rel=0.03)


def test_smooth_nets_with_other_biases_are_not_stated() -> None:
    """The length map needs Gaussian biases: constant or uniform ones leave h_1 alone."""
    for law in (D("constant", None, {"value": 0.5}), D("uniform", 0.2)):
        net = DenseNet(W, "tanh", weights=laws("normal", 2.0), biases=(law,) * 3)
        assert lookup(net, "preactivation.second_moment", 1) is not None
        assert lookup(net, "activation.second_moment", 1) is None
        assert lookup(net, "weight_gradient.second_moment", 1) is None


@pytest.mark.parametrize("weights", ["zero", "constant", "orthogonal", "tiny", "huge"])
def test_degenerate_nets_have_finite_rows(weights: str) -> None:
    """Zero, constant, orthogonal and extreme weights raise nothing; every number is finite, variances not negative."""
    law = {
        "zero": ZERO,
        "constant": D("constant", None, {"value": 0.5}),
        "orthogonal": D("orthogonal", 0.3),
        "tiny": D("normal", 1e-200),
        "huge": D("normal", 1e200),
    }[weights]
    for activation in ("relu", "tanh"):
        for _, predicted in predict(DenseNet(W, activation, weights=(law,) * 3)):
            assert math.isfinite(predicted.value)
            assert predicted.variance is None or 0 <= predicted.variance < math.inf
    zeros = DenseNet(W, "relu", weights=laws("normal", 2.0), input=(0.0,) * 3)
    assert lookup(zeros, "activation.second_moment", 1) is None


def test_rows_exist_only_where_observables_do() -> None:
    """Layers of every row are those at which the observable exists."""
    for prediction, _ in predict(NETS["relu"]):
        assert prediction.layer in layers(prediction.observable, 3)


def test_deep_nets_keep_their_logs() -> None:
    """Depth 3000 off criticality: moments that no float holds are absent, logs are there and exact."""
    depth, width = 3000, 8
    weights = (D("normal", 1.0),) * depth
    net = DenseNet((width,) * (depth + 1), "relu", weights=weights, input=(1.0,) * width)
    assert lookup(net, "activation.second_moment", depth) is None
    found = lookup(net, "activation.log_second_moment", depth)
    one = lookup(net, "activation.log_second_moment", 1)
    assert found is not None
    assert one is not None
    assert found[1].value == pytest.approx(depth * one[1].value, rel=1e-12)
    assert found[1].law is None
    assert len(predict(DenseNet((4,) * 401, "relu", weights=(D("normal", 0.5),) * 400))) > 400 * 40
