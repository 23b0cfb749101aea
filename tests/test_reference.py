"""Both simulators against an independent program, finite differences and PyTorch, from `realize`'s tensors."""

import numpy as np
import pytest

import mcverify as mc
from mcverify import observables
from mcverify.kernels import KINDS, cpu, reference

PHI = {
    "linear": (lambda h: h, np.ones_like),
    "relu": (lambda h: np.maximum(h, 0), lambda h: (h > 0).astype(float)),
    "leaky_relu": (lambda h: np.where(h > 0, h, 0.2 * h), lambda h: np.where(h > 0, 1, 0.2)),
    "tanh": (np.tanh, lambda h: 1 / np.cosh(h) ** 2),
    "sigmoid": (lambda h: 1 / (1 + np.exp(-h)), lambda h: np.exp(-h) / (1 + np.exp(-h)) ** 2),
}
LAWS = {
    "normal": {"law": "normal", "variance": 0.3},
    "uniform": {"law": "uniform", "variance": 0.3},
    "truncated": {"law": "truncated_normal", "variance": 0.3, "bound": 1.5},
    "cut": {"law": "truncated_normal", "variance": 0.3, "rescaled": False},
    "rademacher": {"law": "rademacher", "variance": 0.3},
    "laplace": {"law": "laplace", "variance": 0.3},
    "student_t": {"law": "student_t", "df": 5, "variance": 0.3},
    "cauchy": {"law": "student_t", "df": 1, "scale": 0.3},
    "sparse": {"law": "sparse", "sparsity": 0.4, "variance": 0.3},
    "orthogonal": {"law": "orthogonal", "gain": 1.3},
    "constant": {"law": "constant", "value": -0.3},
}
ACTIVATIONS = ["linear", "relu", {"activation": "leaky_relu", "negative_slope": 0.2}, "tanh", "sigmoid"]


def tensors_of(net, seed, replicate, kept_as=float):
    """Every tensor of one network by the textbook, in float64: {(tensor, layer): array}; x_l are `kept_as` a type."""
    real = mc.realize(net, seed, replicate)
    found = {("input", 0): real["input"].astype(float)}
    x = [real["input"].astype(float)]
    h = [None]
    for layer in range(1, net.depth + 1):
        w, b = real["weights"][layer - 1].astype(float), real["biases"][layer - 1].astype(float)
        h.append(w @ x[-1] + b)
        x.append(PHI[net.activation_of(layer).name][0](h[-1]).astype(kept_as))
        found |= {("weight", layer): w, ("bias", layer): b}
        found |= {("preactivation", layer): h[-1], ("activation", layer): x[-1]}
    g = x[-1] - np.array(net.target) if net.target else real["output_gradient"].astype(float)
    found |= {("output_gradient", net.depth): g, ("activation_gradient", net.depth): g}
    for layer in range(net.depth, 0, -1):
        delta = PHI[net.activation_of(layer).name][1](h[layer]) * g
        found |= {("preactivation_gradient", layer): delta, ("bias_gradient", layer): delta}
        found[("weight_gradient", layer)] = np.outer(delta, x[layer - 1])
        g = found[("weight", layer)].T @ delta
        found[("activation_gradient", layer - 1)] = g
    return found


def is_decided(net, found):
    """Whether no sum of products cancels to 1e-9 of its terms: then float64 rounds it to n 1e-7 or better.

    Sums of terms of equal size may cancel to nothing, and leave either 0 or rounding errors, by their order.
    """
    pairs = []
    for layer in range(1, net.depth + 1):
        w, x = found[("weight", layer)], found[("activation" if layer > 1 else "input", layer - 1)]
        pairs.append((found[("preactivation", layer)], np.abs(w) @ np.abs(x) + np.abs(found[("bias", layer)])))
        delta = np.abs(found[("preactivation_gradient", layer)])
        pairs.append((found[("activation_gradient", layer - 1)], np.abs(w.T) @ delta))
    return all(np.all(np.abs(total) >= 1e-9 * terms) for total, terms in pairs)


def statistic(found, observable):
    """A statistic of one network from its tensors, as its definition says."""
    tensor, name, layer = observable.tensor, observable.statistic, observable.layer
    t = found[(tensor, layer)]
    if name == "ratio":
        other = layer + 1 if tensor in observables.GRADIENTS else layer - 1
        below = found[("input", 0) if (tensor, other) == ("activation", 0) else (tensor, other)]
        return np.mean(t**2) / np.mean(below**2) if np.any(below) else np.nan
    if name == "log_second_moment":
        return np.log(np.mean(t**2)) if np.any(t) else -np.inf
    powers = {"mean": 1, "second_moment": 2, "fourth_moment": 4}
    if name in powers:
        return np.mean(t ** powers[name])
    return np.mean(t > 0) if name == "active_fraction" else float(np.any(t != 0))


def scale_of(found, observable, expected):
    """What an error is relative to: the root second moment for means, 1 for logs."""
    if observable.statistic == "mean":
        return np.sqrt(np.mean(found[(observable.tensor, observable.layer)] ** 2))
    return 1.0 if observable.statistic == "log_second_moment" else abs(expected)


def largest_error(net, block, seed, first, kept_as=float):
    """The largest error of a block's observables against the textbook program, and how many networks are undecided."""
    worst, undecided = 0.0, 0
    for row, values in enumerate(block.values):
        found = tensors_of(net, seed, first + row, kept_as)
        if not is_decided(net, found):
            undecided += 1
            continue
        for observable, value in zip(observables.columns(net.depth), values, strict=True):
            expected = statistic(found, observable)
            if np.array_equal(value, expected, equal_nan=True):
                continue
            worst = max(worst, abs(value - expected) / scale_of(found, observable, expected))
    return worst, undecided


def net_of(law, activation, **more):
    """A small network with random biases; no width is a multiple of 4."""
    spec = LAWS[law]
    biases = {"law": "normal", "variance": 0.1} if law == "orthogonal" else spec
    arguments = {"widths": (5, 7, 3, 6), "activation": activation, "weights": spec, "biases": biases}
    return mc.Network(**{**arguments, "input": {"law": "uniform", "mean": 0.5}, **more})


WIDTHS = [(5, 7, 3, 6), (7, 3), (2, 2, 2), (1, 1, 1), (5, 17, 11, 6), (3,) * 51]


@pytest.mark.parametrize("simulator", [reference, cpu], ids=lambda module: module.name)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
@pytest.mark.parametrize("law", LAWS)
def test_every_observable(law, activation, simulator):
    """To 1e-5 of the textbook in float64: every law and activation, biases, narrow and deep networks.

    Only Rademacher weights, all of one size, make sums that cancel to nothing but rounding errors.
    """
    left_out = 0
    for widths in WIDTHS:
        net = net_of(law, activation, widths=widths)
        count = 1 if net.depth > 9 else 3
        error, undecided = largest_error(net, simulator.simulate_block(net, 1, 10, count), 1, 10)
        assert error < 1e-5
        left_out += undecided
    assert left_out <= (2 if law == "rademacher" else 0)


@pytest.mark.parametrize("simulator", [reference, cpu], ids=lambda module: module.name)
def test_every_observable_with_values_and_loss(simulator):
    """Given input and target, another output activation, no biases."""
    net = net_of(
        "normal",
        "relu",
        biases="zeros",
        output_activation="tanh",
        input=[1.0, -2.0, 0.5, 0.0, 3.0],
        output_gradient={"loss": "half_squared_error", "target": [0.1, -0.2, 0.3, 0.4, 0.5, -0.6]},
    )
    error, undecided = largest_error(net, simulator.simulate_block(net, 1, 0, 20), 1, 0)
    assert error < 1e-5
    assert undecided == 0


@pytest.mark.parametrize("simulator", [reference, cpu], ids=lambda module: module.name)
def test_sums_that_cancel(simulator):
    """Where sums cancel a thousandfold (300 networks with layers of one unit): 1e-5; float32 vectors miss that."""
    net = net_of("normal", "linear", widths=(2, 3, 1, 1))
    block = simulator.simulate_block(net, 4, 0, 300)
    error, undecided = largest_error(net, block, 4, 0)
    assert error < 1e-5
    assert undecided == 0
    assert largest_error(net, block, 4, 0, np.float32)[0] > 1e-5


def test_comparison_catches_another_replicate():
    """Planted fault: the values of the next network are nowhere near."""
    net = net_of("normal", "relu")
    assert largest_error(net, reference.simulate_block(net, 1, 1, 1), 1, 0)[0] > 0.1


def test_gradients_are_derivatives():
    """Central differences of <output_gradient, x_L> in one weight, one bias and one input of each layer, to 1e-6."""
    net = net_of("normal", "tanh")
    real = mc.realize(net, 5, 0)
    found = tensors_of(net, 5, 0)

    def loss(kind, layer, index, step):
        x = real["input"].astype(float)
        x[index[-1]] += step * (kind == "input")
        for k in range(1, net.depth + 1):
            w, b = real["weights"][k - 1].astype(float), real["biases"][k - 1].astype(float)
            if k == layer and kind == "weight":
                w[index] += step
            if k == layer and kind == "bias":
                b[index[0]] += step
            x = np.tanh(w @ x + b)
        return real["output_gradient"].astype(float) @ x

    cases = [("weight", k, (1, 2), found[("weight_gradient", k)][1, 2]) for k in (1, 2, 3)]
    cases += [("bias", k, (1,), found[("bias_gradient", k)][1]) for k in (1, 2, 3)]
    cases += [("input", 0, (2,), found[("activation_gradient", 0)][2])]
    for kind, layer, index, expected in cases:
        difference = (loss(kind, layer, index, 1e-5) - loss(kind, layer, index, -1e-5)) / 2e-5
        assert difference == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("simulator", [reference, cpu], ids=lambda module: module.name)
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_gradients_against_autograd(activation, simulator):
    """PyTorch's gradients of the realized network: mean, second and fourth moment of every weight and bias, to 1e-5."""
    torch = pytest.importorskip("torch")
    net = net_of("normal", activation)
    real = mc.realize(net, 5, 0)
    weights = [torch.tensor(w, dtype=torch.float64, requires_grad=True) for w in real["weights"]]
    biases = [torch.tensor(b, dtype=torch.float64, requires_grad=True) for b in real["biases"]]
    x = torch.tensor(real["input"], dtype=torch.float64)
    for w, b in zip(weights, biases, strict=True):
        x = getattr(torch, activation)(w @ x + b)
    x.backward(torch.tensor(real["output_gradient"], dtype=torch.float64))
    leaves = {"weight_gradient": weights, "bias_gradient": biases}
    found = {(name, k): leaf.grad.numpy() for name, all_ in leaves.items() for k, leaf in enumerate(all_, 1)}
    row, checked = simulator.simulate_block(net, 5, 0, 1).values[0], 0
    for observable, value in zip(observables.columns(net.depth), row, strict=True):
        if observable.tensor in leaves and observable.statistic in observables.MOMENTS:
            expected = statistic(found, observable)
            assert abs(value - expected) <= 1e-5 * scale_of(found, observable, expected)
            checked += 1
    assert checked == 2 * 3 * 4


KIND_CASES = [
    ({"widths": (2, 2, 2), "activation": "relu", "weights": {"law": "constant", "value": -1.0}}, "dead"),
    ({"widths": (2, 2), "weights": {"law": "constant", "value": 0.0}}, "dead"),
    ({"widths": (2,) * 9, "output_activation": "tanh", "weights": {"law": "normal", "variance": 1e-300}}, "underflow"),
    ({"widths": (2,) * 9, "output_activation": "tanh", "weights": {"law": "normal", "variance": 1e300}}, "overflow"),
    ({"widths": (2, 2), "activation": "tanh", "weights": {"law": "normal", "variance": 1e-120}}, "ok"),
    ({"widths": (2, 2), "activation": "tanh", "weights": {"law": "normal", "variance": 1e90}}, "underflow"),
    ({"widths": (2,) * 9, "weights": {"law": "normal", "variance": 1e-300}}, "ok"),
    ({"widths": (2,) * 9, "weights": {"law": "normal", "variance": 1e300}}, "ok"),
    ({"widths": (2, 2), "weights": {"law": "student_t", "df": 0.001, "scale": 1.0}}, "overflow"),
    ({"widths": (1, 1), "activation": "tanh", "weights": {"law": "constant", "value": 1e6}}, "underflow"),
]


@pytest.mark.parametrize("simulator", [reference, cpu], ids=lambda module: module.name)
@pytest.mark.parametrize(("arguments", "kind"), KIND_CASES)
def test_kinds(arguments, kind, simulator):
    """What becomes of a network is named; scaled vectors survive any gain."""
    net = mc.Network(input=[1.0] * arguments["widths"][0], **arguments)
    assert {KINDS[k] for k in simulator.simulate_block(net, 0, 0, 4).kinds} == {kind}


def test_nan_kind(monkeypatch):
    """An activation that gives NaN is told from an overflow."""
    from mcverify import activations

    bad = activations.Form(lambda h, a: h * np.float32("nan"), lambda h, a: h, homogeneous=False)
    monkeypatch.setitem(activations.activations, "tanh", bad)
    block = reference.simulate_block(mc.Network(widths=(2, 2), activation="tanh"), 0, 0, 2)
    assert [KINDS[k] for k in block.kinds] == ["nan", "nan"]
