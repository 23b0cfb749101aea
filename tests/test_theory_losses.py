"""Gradients that depend on the network, against simulated networks (|z| < 5.5: 4e-8 a comparison) and second routes."""

from __future__ import annotations

import math
from dataclasses import replace

import mpmath as mp
import numpy as np
import numpy.typing as npt
import pytest
import sympy as sp

from theory import formulas, losses, products, ratios, symbols, units
from theory.catalogue import lookup, refusals
from theory.losses import fixed_gradient, loss_gradient
from theory.net import DenseNet, Distribution, HalfSquaredError
from theory.prediction import Exactness, TheoryError

Array = npt.NDArray[np.float64]
COUNT, LIMIT = 60_000, 5.5
WIDTHS = (3, 4, 3, 2)
TENSORS = ("activation_gradient", "preactivation_gradient", "bias_gradient", "weight_gradient")
G = (1.0, 0.5)
Y = (0.5, -1.5, *(1.0,) * 14)


def normals(widths: tuple[int, ...], gain: float = 2.0) -> tuple[Distribution, ...]:
    return tuple(Distribution("normal", gain / n) for n in widths[:-1])


def net(slope: float, last: float, gradient: object, widths: tuple[int, ...] = WIDTHS, x: object = None) -> DenseNet:
    return DenseNet(
        widths,
        "leaky_relu",
        {"negative_slope": slope},
        output_activation="leaky_relu",
        output_activation_parameters={"negative_slope": last},
        weights=normals(widths),
        input=(1.0, -2.0, 0.5, *(1.0,) * 5)[: widths[0]] if x is None else x,  # type: ignore[arg-type]
        output_gradient=gradient,  # type: ignore[arg-type]
    )


def simulate(one: DenseNet, seed: int, count: int = COUNT) -> dict[tuple[str, int], Array]:
    """Mean squares of every gradient, and means of activations, one a network, by plain NumPy."""
    rng, depth = np.random.default_rng(seed), one.depth
    slopes = [0.0, *(one.phi(k).parameters["negative_slope"] for k in range(1, depth + 1))]
    if isinstance(one.input, Distribution):
        x = rng.normal(0, math.sqrt(one.input.variance or 0.0), (count, one.widths[0]))
    else:
        x = np.tile(np.array(one.input), (count, 1))
    xs, weights, rates = [x], [np.zeros(0)], [np.zeros(0)]
    for k in range(1, depth + 1):
        shape = (count, one.widths[k], one.widths[k - 1])
        weights.append(rng.normal(0, math.sqrt(one.weight(k).variance or 0.0), shape))
        h = np.einsum("rij,rj->ri", weights[k], xs[-1])
        rates.append(np.where(h > 0, 1.0, slopes[k] * (h != 0)))
        xs.append(rates[k] * h)
    if isinstance(one.output_gradient, HalfSquaredError):
        g = xs[-1] - np.array(one.output_gradient.target)
    elif isinstance(one.output_gradient, Distribution):
        law = one.output_gradient
        g = rng.normal(law.parameters["mean"], math.sqrt(law.variance or 0.0), (count, one.widths[-1]))
    else:
        g = np.tile(np.array(one.output_gradient), (count, 1))
    found = {("activation", k): y.mean(axis=1) for k, y in enumerate(xs)}
    for k in range(depth, 0, -1):
        found["activation_gradient", k] = (g**2).mean(axis=1)
        delta = rates[k] * g
        found["preactivation_gradient", k] = found["bias_gradient", k] = (delta**2).mean(axis=1)
        found["weight_gradient", k] = (delta**2).mean(axis=1) * (xs[k - 1] ** 2).mean(axis=1)
        g = np.einsum("rij,ri->rj", weights[k], delta)
    found["activation_gradient", 0] = (g**2).mean(axis=1)
    return found


def z(sample: Array, mean: float) -> float:
    return float((sample.mean() - mean) / (sample.std(ddof=1) / math.sqrt(sample.size)))


@pytest.mark.entry("C9")
@pytest.mark.parametrize(
    ("slope", "last", "gradient"),
    [
        (0.0, 0.0, G),
        (0.3, 0.2, G),
        (1.0, 0.0, G),
        (0.4, -1.0, (1.0, -3.0)),
        (0.0, 0.0, Distribution("normal", 0.5, {"mean": 1.0})),
    ],
    ids=["relu", "leaky", "linear then relu", "leaky then abs", "relu, g with a mean"],
)
def test_fixed_gradient_behind_a_mask(slope: float, last: float, gradient: object) -> None:
    """C9 in every layer and for every gradient tensor, means and (where stated) variances; narrow nets show deaths."""
    one = net(slope, last, gradient)
    found = simulate(one, 11)
    compared = 0
    for tensor in TENSORS:
        for layer in range(int(tensor != "activation_gradient"), 3 + int(tensor != "activation_gradient")):
            predicted = fixed_gradient(tensor, layer).at(one)
            sample = found[tensor, layer]
            if np.ptp(sample) < 1e-12:
                assert predicted.value == pytest.approx(sample[0], rel=1e-12)
                continue
            assert abs(z(sample, predicted.value)) < LIMIT, (tensor, layer)
            compared += 1
            if predicted.variance is not None:
                assert abs(z((sample - predicted.value) ** 2, predicted.variance)) < LIMIT, (tensor, layer)
    assert compared >= 9


@pytest.mark.entry("C9", "NC-16")
def test_halving_with_a_fixed_gradient_is_refuted() -> None:
    """The planted rule v N |g|^2 / 2 misses the cross term by more than 5.5 errors; it holds for one entry alone."""
    one = net(0.0, 0.0, G)
    sample = simulate(one, 12)["activation_gradient", 2]
    halving = one.weight(3).variance * 0.5 * sum(g * g for g in G) * (1 - 2**-4) * (1 - 2**-3)  # type: ignore[operator]
    assert abs(z(sample, halving)) > LIMIT
    assert abs(z(sample, fixed_gradient("activation_gradient", 2).at(one).value)) < LIMIT
    sparse = net(0.0, 0.0, (1.0, 0.0))
    variance = sparse.weight(3).variance or 0.0
    assert fixed_gradient("activation_gradient", 2).at(sparse).value == pytest.approx(
        variance * 0.5 * (1 - 2**-4) * (1 - 2**-3), rel=1e-13
    )


@pytest.mark.entry("C9")
def test_a_single_entry_gives_the_standard_rule() -> None:
    """With g in one entry no pair is left: the two recursions collapse to C7, in every layer and tensor."""
    single, standard = net(0.3, 0.2, (math.sqrt(1.4), 0.0)), net(0.3, 0.2, Distribution("normal", 0.7))
    for tensor in TENSORS:
        for layer in (1, 2):
            known = lookup(standard, f"{tensor}.second_moment", layer)
            assert known is not None
            assert known[0].entry != "C9"
            assert fixed_gradient(tensor, layer).at(single).value == pytest.approx(known[1].value, rel=1e-12)


@pytest.mark.entry("C9")
def test_expression_before_the_output_is_the_value() -> None:
    """v_L [N |g|^2/2 + ((sum g)^2 - |g|^2)/(2 pi)] P, put in by hand."""
    one = net(0.0, 0.0, G)
    expression = fixed_gradient("activation_gradient", 2).expression.subs(
        {sp.Symbol("l", integer=True, positive=True): 2}
    )
    alive = (1 - 2**-4) * (1 - 2**-3)
    total, square = sum(g * g for g in G), sum(G) ** 2
    by_hand = (2 / 3) * (3 * total / 2 + (square - total) / (2 * math.pi)) / 3 * alive
    assert fixed_gradient("activation_gradient", 2).at(one).value == pytest.approx(by_hand, rel=1e-13)
    placed = expression.subs({symbols.L: 3, losses.G1: sum(G), losses.G2: total}).doit()
    numbers = {losses.chance[2]: alive, symbols.v[3]: 2 / 3, symbols.a[3]: 0.0, symbols.N[2]: 3}
    assert float(placed.subs(numbers)) == pytest.approx(by_hand, rel=1e-13)


@pytest.mark.entry("C9")
@pytest.mark.parametrize(("width", "slope"), [(2, 0.3), (3, -0.6), (4, 0.01)])
def test_kept_share_by_quadrature(width: int, slope: float) -> None:
    """rho of a leaky layer against mpmath's quadrature of (B + a^4(1-B))/(B + a^2(1-B)) over the Beta mixture."""
    a2 = mp.mpf(slope) ** 2
    total = mp.mpf(2) ** -width * (a2 + 1)
    for k in range(1, width):
        p, r = mp.mpf(k) / 2, mp.mpf(width - k) / 2

        def density(t: mp.mpf, p: mp.mpf = p, r: mp.mpf = r) -> mp.mpf:
            b = mp.sin(t) ** 2
            weight = 2 * mp.sin(t) ** (2 * p - 1) * mp.cos(t) ** (2 * r - 1) / mp.beta(p, r)
            return weight * (b + a2**2 * (1 - b)) / (b + a2 * (1 - b))

        total += mp.binomial(width, k) / mp.mpf(2) ** width * mp.quad(density, [0, 0.003, 0.03, 0.3, mp.pi / 2])
    assert losses.kept_along(width, slope) == pytest.approx(float(total), rel=1e-11)
    assert abs(losses.kept_along(width, slope) - (1 + a2) / 2) > 1e-3  # not the share of a direction across


@pytest.mark.entry("C9")
def test_refusals_of_fixed_gradients() -> None:
    """Uniform weights, biases, a linear output: each refused by name."""
    one = net(0.0, 0.0, G)
    uniform = DenseNet(WIDTHS, "relu", weights=tuple(Distribution("uniform", 0.5) for _ in range(3)), output_gradient=G)
    biased = DenseNet(
        WIDTHS, "relu", weights=normals(WIDTHS), biases=(Distribution("normal", 0.1),) * 3, output_gradient=G
    )
    linear = DenseNet(WIDTHS, "relu", output_activation="linear", weights=normals(WIDTHS), output_gradient=G)
    for other, words in ((uniform, "Gaussian"), (biased, "no biases"), (linear, "mask")):
        with pytest.raises(TheoryError, match=words):
            fixed_gradient("activation_gradient", 1).at(other)
    found = lookup(one, "activation_gradient.second_moment", 0)
    assert found is not None
    assert (found[0].entry, found[0].exactness) == ("C9", Exactness.EXACT)


@pytest.mark.entry("C10")
@pytest.mark.parametrize(
    ("slope", "last", "target", "x"),
    [
        (1.0, 1.0, Y, None),
        (0.0, 1.0, Y, None),
        (0.3, 1.0, Y, Distribution("normal", 0.6)),
        (0.5, 0.3, (0.0,) * 16, None),
    ],
    ids=["linear", "relu, linear output", "leaky, random input", "leaky throughout, y = 0"],
)
def test_loss_gradients(slope: float, last: float, target: tuple[float, ...], x: object) -> None:
    """C10 in every layer and tensor, rectangular widths, hidden ReLU too; where the sample's tail allows z."""
    one = net(slope, last, HalfSquaredError(target), (8, 24, 20, 16), x)
    found = simulate(one, 13, 10_000)
    for tensor in TENSORS:
        compared = 0
        for layer in range(int(tensor != "activation_gradient"), 4):
            sample = found[tensor, layer]
            d = sample - sample.mean()
            if np.mean(d**4) > 0.01 * sample.size * np.mean(d**2) ** 2:
                continue
            compared += 1
            assert abs(z(sample, loss_gradient(tensor, layer).at(one).value)) < LIMIT, (tensor, layer)
        assert compared >= 2
    last = loss_gradient("activation_gradient", 3).at(one).value
    independent = replace(one, output_gradient=Distribution("normal", last), kept={})
    planted = lookup(independent, "activation_gradient.second_moment", 2)
    assert planted is not None
    assert abs(z(found["activation_gradient", 2], planted[1].value)) > LIMIT


@pytest.mark.entry("C10", "D2")
@pytest.mark.parametrize("widths", [(2, 3), (3, 4, 2), (5, 2, 7, 3), (4,) * 6])
def test_linear_loss_is_the_trace_recursion(widths: tuple[int, ...]) -> None:
    """At layer 0 of a linear net the split along and across gives the same as E tr A^2 (two derivations)."""
    variances = [1.3 / n for n in widths[:-1]]
    x, y = tuple(range(1, widths[0] + 1)), tuple(0.5 for _ in range(widths[-1]))
    weights = tuple(Distribution("normal", v) for v in variances)
    one = DenseNet(widths, "linear", weights=weights, input=x, output_gradient=HalfSquaredError(y))
    value = loss_gradient("activation_gradient", 0).at(one).value * widths[0]
    squares = [float(sum(t * t for t in vector)) for vector in (x, y)]
    assert value == pytest.approx(products.loss_gradient_second_moment(widths, variances, *squares), rel=1e-12)


@pytest.mark.entry("C10", "NC-17")
def test_independence_is_off_by_a_factor_that_stays() -> None:
    """Over the product rule, y = 0: 1 + (N_1+1)/N_0 for one layer, -> L + 1 (linear), -> 2L (ReLU, linear output)."""

    def ratio(n: int, depth: int, slope: float) -> float:
        gain = 2 / (1 + slope**2)
        weights = (*(Distribution("normal", gain / n) for _ in range(depth - 1)), Distribution("normal", 1 / n))
        weights = (Distribution("normal", 1 / n), *weights[1:]) if depth == 1 else weights
        parameters = {"negative_slope": slope}
        one = DenseNet((n,) * (depth + 1), "leaky_relu", parameters, "linear", weights=weights, input=(1.0,) * n,
                       output_gradient=HalfSquaredError((0.0,) * n))  # fmt: skip
        rule = 1.0  # E x_L^2 at criticality (the input has mean square 1), times backward factors of 1
        return loss_gradient("activation_gradient", 0).at(one).value / rule

    assert ratio(7, 1, 1.0) == pytest.approx(1 + 8 / 7, rel=1e-12)
    for depth in (2, 5):
        assert ratio(10**6, depth, 1.0) == pytest.approx(depth + 1, rel=1e-4)
        assert ratio(10**6, depth, 0.0) == pytest.approx(2 * depth, rel=1e-4)


@pytest.mark.entry("C10")
def test_refusals_of_losses() -> None:
    """A target behind a ReLU output has a term in E|x| y that is not stated; the reason names it."""
    one = net(0.0, 0.0, HalfSquaredError(Y), (8, 24, 20, 16))
    reasons = " ".join(map(str, refusals(one, "activation_gradient.second_moment", 1)))
    assert lookup(one, "activation_gradient.second_moment", 1) is None
    assert "the output layer is linear, or the target is 0" in reasons


@pytest.mark.entry("A4", "C4")
@pytest.mark.parametrize(
    ("slope", "x"), [(0.0, None), (0.3, Distribution("normal", 0.6)), (0.0, Distribution("normal", 2.0))]
)
def test_means_of_deep_activations(slope: float, x: object) -> None:
    """E x_l at every layer, mean and scatter; the planted value sqrt(E x^2 / pi) of a wide layer is caught at l = 3."""
    one = net(slope, slope, G, x=x)
    found = simulate(one, 14)
    for layer in (1, 2, 3):
        predicted = units.homogeneous_activation_mean(layer).at(one)
        sample = found["activation", layer]
        assert predicted.variance is not None
        assert abs(z(sample, predicted.value)) < LIMIT
        assert abs(z((sample - predicted.value) ** 2, predicted.variance)) < LIMIT
    second = lookup(one, "preactivation.second_moment", 3)
    assert second is not None
    wide = (1 - slope) * math.sqrt(second[1].value / (2 * math.pi))
    assert abs(z(found["activation", 3], wide)) > LIMIT


@pytest.mark.entry("C4")
@pytest.mark.parametrize("width", [1, 2, 9, 300])
def test_mean_root_by_binomial_sum(width: int) -> None:
    """E sqrt(Y) of a ReLU layer through the mean of x_2, against mpmath's sum over units on; x_0 = 1, v = 1."""
    one = DenseNet((1, width, 1), "relu", weights=(Distribution("normal", 1.0),) * 2, input=(1.0,))
    value = units.homogeneous_activation_mean(2).at(one).value * math.sqrt(2 * math.pi)
    total = (
        sum(
            mp.binomial(width, k) * mp.sqrt(2) * mp.gamma((mp.mpf(k) + 1) / 2) / mp.gamma(mp.mpf(k) / 2)
            for k in range(1, width + 1)
        )
        / mp.mpf(2) ** width
    )
    assert value == pytest.approx(float(total), rel=1e-12)


@pytest.mark.entry("C8")
@pytest.mark.parametrize(("slope", "layer"), [(1.0, 1), (0.5, 1), (0.5, 2)])
def test_ratio_of_weight_gradients(slope: float, layer: int) -> None:
    """Mean over simulated nets of width 8; the rule of independent factors (no n/(n-2)) is caught."""
    widths = (3, 8, 8, 4)
    one = net(slope, slope, Distribution("normal", 1.0, {"mean": 0.0}), widths)
    found = simulate(one, 15, 40_000)
    sample = found["weight_gradient", layer] / found["weight_gradient", layer + 1]
    predicted = ratios.weight_gradient_ratio(layer).at(one)
    assert abs(z(sample, predicted.value)) < LIMIT
    assert formulas.substitute(ratios.weight_gradient_ratio(layer).expression, one, layer) == pytest.approx(
        predicted.value, rel=1e-13
    )
    plain = widths[layer + 1] * one.weight(layer + 1).variance / (widths[layer - 1] * one.weight(layer).variance)  # type: ignore[operator]
    assert abs(z(sample, plain)) > LIMIT
    if slope == 1:
        assert predicted.variance == pytest.approx(plain**2 * (80 / (6 * 4) - (8 / 6) ** 2), rel=1e-12)


@pytest.mark.entry("C8")
def test_ratio_of_weight_gradients_of_relu_has_no_mean() -> None:
    """One unit on: E 1/chi2_1 is infinite, at every width."""
    one = net(0.0, 0.0, Distribution("normal", 1.0, {"mean": 0.0}), (3, 50, 50, 4))
    with pytest.raises(TheoryError):
        ratios.weight_gradient_ratio(1).at(one)
    with pytest.raises(TheoryError, match="infinite"):
        ratios.mean_of_inverse(50, 0.0)


@pytest.mark.entry("A15")
@pytest.mark.parametrize("gradient", [(0.0, 0.0), Distribution("normal", 0.0)])
def test_no_ratio_without_a_gradient(gradient: object) -> None:
    """An output gradient that is always 0 leaves no network with a ratio: refused, where another has all of them."""
    for name, layer in (
        ("activation_gradient.ratio", 2),
        ("preactivation_gradient.ratio", 2),
        ("weight_gradient.ratio", 1),
    ):
        assert lookup(net(1.0, 1.0, gradient), name, layer) is None
        assert lookup(net(1.0, 1.0, (0.0, 1.0)), name, layer) is not None
    reasons = refusals(net(1.0, 1.0, gradient), "activation_gradient.ratio", 2)
    assert "output gradient is not always 0" in str(reasons[0])
