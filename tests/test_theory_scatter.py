"""The scatter of every row of moments over networks drawn by NumPy; orthogonal layers; laws that lack moments."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest

from theory import backward, central_moments, formulas, forward, partitions
from theory.catalogue import lookup
from theory.central_moments import CentralMoments
from theory.net import DenseNet, Distribution
from theory.partitions import Moments
from theory.prediction import Exactness, MissingMomentError, TheoryError
from theory.symbols import Fd, S, Sd, l, m, md


def haar(rng: np.random.Generator, count: int, rows: int, columns: int) -> np.ndarray:
    """Haar matrices by QR with the signs put right, cut to shape."""
    n = max(rows, columns)
    q, r = np.linalg.qr(rng.standard_normal((count, n, n)))
    return (q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :])[:, :rows, :columns]


def draw(law: Distribution, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    std = math.sqrt(law.variance or 0.0)
    if law.name == "orthogonal":
        return std * math.sqrt(max(shape[1:])) * haar(rng, *shape)
    if law.name == "uniform":
        return std * math.sqrt(3) * rng.uniform(-1, 1, shape)
    return std * rng.standard_normal(shape) if law.name == "normal" else np.zeros(shape)


def simulate(net: DenseNet, count: int, seed: int) -> dict[tuple[str, int], np.ndarray]:
    """Entries (networks x entries) of every tensor of a leaky net with the slope of its parameters."""
    rng = np.random.default_rng(seed)
    slope = net.activation_parameters.get("negative_slope", 0.0)
    x = np.broadcast_to(np.array(net.input), (count, net.widths[0]))
    found, weights, masks, before = {}, [], [], []
    for k in range(1, net.depth + 1):
        shape = (count, net.widths[k], net.widths[k - 1])
        weights.append(draw(net.weight(k), rng, shape))
        h = np.einsum("nij,nj->ni", weights[-1], x) + draw(net.bias(k), rng, shape[:2])
        before.append(x)
        masks.append(np.where(h > 0, 1.0, slope))
        x = masks[-1] * h
        found["preactivation", k], found["activation", k] = h, x
    assert isinstance(net.output_gradient, Distribution)
    g = draw(net.output_gradient, rng, (count, net.widths[-1]))
    for k in range(net.depth, 0, -1):
        found["activation_gradient", k] = g
        delta = masks[k - 1] * g
        found["preactivation_gradient", k] = delta
        found["weight_gradient", k] = (delta[:, :, None] * before[k - 1][:, None, :]).reshape(count, -1)
        g = np.einsum("nij,ni->nj", weights[k - 1], delta)
    found["activation_gradient", 0] = g
    return found


UNIFORM = Distribution("uniform", 0.6)
TURN = Distribution("orthogonal", 0.5)
NETS = {
    "uniform": DenseNet((2, 3, 4, 2), "relu", weights=(UNIFORM,) * 3, input=(1.0, -0.5), output_gradient=UNIFORM),
    "biases": DenseNet(
        (2, 3, 4, 2),
        "leaky_relu",
        {"negative_slope": 0.2},
        weights=(UNIFORM,) * 3,
        biases=(Distribution("uniform", 0.3),) * 3,
        input=(1.0, -0.5),
        output_gradient=UNIFORM,
    ),
    "orthogonal": DenseNet((3, 4, 4, 2), "relu", weights=(TURN,) * 3, input=(1.0, -0.5, 0.3), output_gradient=UNIFORM),
    "mixed": DenseNet(
        (3, 2, 4, 4),
        "leaky_relu",
        {"negative_slope": 0.4},
        weights=(TURN, UNIFORM, TURN),
        input=(1.0, -0.5, 0.3),
        output_gradient=UNIFORM,
    ),
}
ROWS = (("second_moment", "mean"), ("fourth_moment", "mean"), ("second_moment", "variance"), ("mean", "mean"))


def score(draws: np.ndarray, predicted: float) -> float | None:
    """(mean - prediction) / standard error; None where one draw makes up over 5 % of the error: no normal law there."""
    squares = (draws - draws.mean()) ** 2
    if squares.max() > 0.05 * squares.sum() > 0:
        return None
    error = math.sqrt(squares.sum()) / len(draws)
    return float((draws.mean() - predicted) / max(error, 1e-12))


def z_scores(net: DenseNet, drawn: dict[tuple[str, int], np.ndarray]) -> dict[str, float]:
    """Scores of the value and of the scatter of every exact row."""
    found = {}
    for (tensor, layer), entries in drawn.items():
        for moment, statistic in ROWS:
            row = lookup(net, f"{tensor}.{moment}", layer, statistic)
            if row is None or row[0].exactness is not Exactness.EXACT:
                continue
            unit = np.mean(entries ** {"mean": 1, "second_moment": 2, "fourth_moment": 4}[moment], axis=1)
            if statistic == "variance":
                center = lookup(net, f"{tensor}.{moment}", layer)
                assert center is not None
                unit = (unit - center[1].value) ** 2
            name = f"{tensor}.{moment}.{statistic}.{layer}"
            found[name] = score(unit, row[1].value)
            if row[1].variance is not None:
                found[f"{name}.scatter"] = score((unit - row[1].value) ** 2, row[1].variance)
    return {name: z for name, z in found.items() if z is not None}


@pytest.mark.entry("C7", "C8", "A8", "OR-01", "OR-04")
@pytest.mark.parametrize("name", NETS)
def test_values_and_scatter_of_drawn_nets(name: str) -> None:
    """Every row of forward and backward moments, and its scatter, over 200,000 nets drawn by NumPy: |z| < 6."""
    net = NETS[name]
    scores = z_scores(net, simulate(net, 200_000, 20))
    for tensor in ("preactivation", "activation", "preactivation_gradient", "activation_gradient"):
        assert f"{tensor}.second_moment.mean.2.scatter" in scores
    assert f"weight_gradient.second_moment.mean.{net.depth}" in scores
    assert sum(key.endswith("scatter") for key in scores) > 25
    worst = max(scores, key=lambda key: abs(scores[key]))
    assert abs(scores[worst]) < 6, (worst, scores[worst])


@pytest.mark.entry("OR-01", "C7")
def test_simulation_sees_another_law() -> None:
    """Read as uniform weights of the same variance, orthogonal draws are refuted, forward and backward."""
    given = NETS["orthogonal"]
    uniform = (Distribution("uniform", 0.5),) * 3
    wrong = DenseNet(given.widths, "relu", weights=uniform, input=given.input, output_gradient=UNIFORM)
    scores = z_scores(wrong, simulate(given, 200_000, 20))
    for tensor in ("activation", "activation_gradient", "weight_gradient"):
        assert abs(scores[f"{tensor}.fourth_moment.mean.1"]) > 20
        assert abs(scores[f"{tensor}.second_moment.mean.1.scatter"]) > 20


@pytest.mark.entry("A8", "C8")
@pytest.mark.parametrize("activation", ["relu", "linear", "leaky_relu"])
def test_mean_of_a_weight_gradient_scatters_with_the_mean_of_activations(activation: str) -> None:
    """Gaussian layers: E (mean x)^2 is not E x^2 / N, as activations of a ReLU are all positive."""
    slope = {"relu": 0.0, "linear": 1.0, "leaky_relu": 0.3}[activation]
    net = DenseNet(
        (2, 5, 3),
        "leaky_relu",
        {"negative_slope": slope},
        weights=(Distribution("normal", 0.4),) * 2,
        input=(1.0, -0.5),
        output_gradient=UNIFORM,
    )
    scores = z_scores(net, simulate(net, 100_000, 21))
    for layer in (1, 2):
        assert abs(scores[f"weight_gradient.mean.mean.{layer}.scatter"]) < 6
    row = lookup(net, "weight_gradient.mean", 2)
    second = lookup(net, "weight_gradient.second_moment", 2)
    assert row is not None
    assert second is not None
    uncorrelated = second[1].value / 15
    assert (row[1].variance == pytest.approx(uncorrelated, rel=1e-9)) == (activation == "linear")


@pytest.mark.entry("C7")
@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0])
def test_central_moments_of_a_gated_factor(slope: float) -> None:
    """Y = chi2_A + a^2 chi2_(n-A), A ~ Bin(n,1/2), times an event: raw moments by expansion, then central ones."""
    n = 5

    def chi(k: int, df: int) -> float:
        return math.prod(df + 2 * i for i in range(k))

    raw = [
        sum(
            math.comb(n, a) / 2**n * math.comb(k, j) * chi(j, a) * slope ** (2 * (k - j)) * chi(k - j, n - a)
            for a in range(n + 1)
            for j in range(k + 1)
        )
        / (n * (1 + slope**2) / 2) ** k
        for k in range(5)
    ]
    y = partitions.masks(partitions.of_entries(n, (0.0, 0.0, 0.0)), slope)
    both = [1.0, 1.0, *(raw[k] / 0.75 ** (k - 1) for k in (2, 3, 4))]
    gated = CentralMoments(y.r2, y.r3, y.r4) * central_moments.of_event(0.75)
    for found, r in ((CentralMoments(y.r2, y.r3, y.r4), raw), (gated, both)):
        assert found.second == pytest.approx(r[2] - 1, rel=1e-12)
        assert found.third == pytest.approx(r[3] - 3 * r[2] + 2, rel=1e-12)
        assert found.fourth == pytest.approx(r[4] - 4 * r[3] + 6 * r[2] - 3, rel=1e-12)


# Orthogonal matrices


@pytest.mark.entry("OR-01")
@pytest.mark.parametrize(("m", "n"), [(1, 1), (1, 3), (3, 4), (7, 7), (1000, 10**6), (10**6, 10**6)])
def test_directions_are_beta(m: int, n: int) -> None:
    """|u|^2 of m of n coordinates is Beta(m/2, (n-m)/2); E and Var of sum u^4 in closed form."""
    u = partitions.directions(m, n)
    with mp.workdps(80):
        a, b = mp.mpf(m) / 2, mp.mpf(n - m) / 2
        raw = [mp.mpf(1)]
        for k in range(4):
            raw.append(raw[-1] * (a + k) / (a + b + k))
        r = [x * (mp.mpf(n) / m) ** k for k, x in enumerate(raw)]
        true = (r[2] - 1, r[3] - 3 * r[2] + 2, r[4] - 4 * r[3] + 6 * r[2] - 3)
        for found, t in zip((u.r2, u.r3, u.r4), true, strict=True):
            assert found == pytest.approx(float(t), rel=1e-14, abs=1e-60)
    assert u.q == pytest.approx(3 * n / (m * (n + 2)), rel=1e-15)
    spread = Fraction(24 * m * (4 * n * (n + 2) - 3 * m * (n + 3)), n**2 * (n + 2) ** 2 * (n + 4) * (n + 6))
    assert u.qq == pytest.approx(float(spread * Fraction(n, m) ** 4), rel=1e-14)


@pytest.mark.entry("OR-01")
def test_gaussians_are_directions_times_their_length() -> None:
    """|z| u is Gaussian: turning a vector whose |.|^2 is chi2_n gives the moments of independent normals."""
    length = central_moments.of_mean(6, 3.0, 15.0, 105.0)
    y = Moments(length.second, 1.0, length.third, 0.0, 1.0, length.fourth, 0.0, 0.0, 0.0, 1.0)
    for count in (1, 4, 6):
        assert partitions.turned(y, count, 6) == pytest.approx(partitions.of_entries(count, (0.0,) * 3), rel=1e-13)


@pytest.mark.entry("OR-04")
def test_relu_on_haar_layers_has_the_factor_of_the_catalogue() -> None:
    """E r^2 = (n+5)/(n+2) a layer, below the Gaussian 1 + 5/n."""
    n = 6
    net = DenseNet(
        (n,) * 4, "relu", weights=(Distribution("orthogonal", 2 / n),) * 3, input=(1.0, 2.0, 0.0, -1.0, 3.0, 0.5)
    )
    for layer in (1, 2, 3):
        row = lookup(net, "activation.second_moment", layer, "variance")
        mean = lookup(net, "activation.second_moment", layer)
        assert row is not None
        assert mean is not None
        assert row[0].entry == "OR-04"
        assert row[1].value / mean[1].value ** 2 + 1 == pytest.approx(((n + 5) / (n + 2)) ** layer, rel=1e-13)


@pytest.mark.entry("OR-01")
def test_square_orthogonal_linear_nets_have_no_scatter() -> None:
    """Lengths are kept: the variance is 0.0, not unknown, forward and backward; a statement of variance refuses."""
    net = DenseNet(
        (4, 4, 6),
        "linear",
        weights=(Distribution("orthogonal", 1 / 4), Distribution("orthogonal", 1 / 6)),
        input=(1.0, 2.0, 0.0, -1.0),
        output_gradient=(1.0, -1.0, 2.0, 0.5, 0.1, 3.0),
    )
    for layer in (1, 2):
        row = lookup(net, "preactivation.second_moment", layer)
        assert row is not None
        assert row[1].variance == 0.0
        assert lookup(net, "preactivation.second_moment", layer, "variance") is None
    kept = [lookup(net, "activation_gradient.second_moment", layer) for layer in (2, 1, 0)]
    assert [row is not None and row[1].variance == 0.0 for row in kept] == [True, False, False]
    assert lookup(net, "activation_gradient.second_moment", 0, "variance") is not None


@pytest.mark.entry("OR-01")
def test_orthogonal_layers_with_biases_keep_their_mean_alone() -> None:
    """Rows of an orthogonal matrix are dependent: with biases the fourth moments are refused, saying so."""
    net = DenseNet((3, 3), "relu", weights=(Distribution("orthogonal", 1 / 3),), biases=(Distribution("normal", 0.1),))
    row = lookup(net, "preactivation.second_moment", 1)
    assert row is not None
    assert row[1].variance is None
    with pytest.raises(TheoryError, match="layer 1 has no biases"):
        forward.fourth_moment("preactivation", 1, orthogonal=True).at(net)
    with pytest.raises(TheoryError, match="independent"):
        forward.fourth_moment("preactivation", 1).at(net)


@pytest.mark.entry("OR-01", "OR-04")
def test_expressions_of_orthogonal_layers_give_the_numbers() -> None:
    """Expressions in E|x|^2, E|x|^4 of the layer before, and of the gradient behind, with the numbers put in."""
    net = NETS["orthogonal"]
    x, d = forward.power_sums_of(net, "activation", 1), backward.reached_power_sums(net, "preactivation_gradient", 3)
    total, behind = x.mean * x.width, d.mean * d.width
    filled = {m[1]: total, S[1]: total**2 * (1 + x.excess), md[3]: behind, Sd[3]: behind**2 * (1 + d.excess)}
    filled[Fd[3]] = behind**2 * d.moments.q
    for build in (forward.fourth_moment, forward.second_moment_variance):
        for tensor in ("preactivation", "activation"):
            stated = build(tensor, 2, orthogonal=True)
            value = formulas.substitute(stated.expression.subs(l, 2).subs(filled), net)
            assert value == pytest.approx(stated.at(net).value, rel=1e-12)
    for send in (backward.fourth_moment, backward.second_moment_variance):
        stated = send("activation_gradient", 2, orthogonal=True)
        value = formulas.substitute(stated.expression.subs(l, 2).subs(filled), net, 2)
        assert value == pytest.approx(stated.at(net).value, rel=1e-12)


# Laws that lack moments; numbers that no float holds


@pytest.mark.entry("B2")
def test_missing_moments_leave_what_does_not_need_them() -> None:
    """A Student t with 5 degrees has fourth moments alone: values are known, their scatter is not; 4 is refused."""
    for df, known in ((9, True), (7, False), (5, False)):
        net = DenseNet((3, 4), "relu", weights=(Distribution("student_t", 1.0, {"df": df}),), input=(1.0, 2.0, 3.0))
        for moment, statistic in ROWS[:3]:
            row = lookup(net, f"activation.{moment}", 1, statistic)
            assert row is not None
            assert (row[1].variance is not None) == (known or (moment, statistic) == ("second_moment", "mean"))
    heavy = DenseNet((3, 4), "relu", weights=(Distribution("student_t", 1.0, {"df": 4}),), input=(1.0, 2.0, 3.0))
    with pytest.raises(MissingMomentError, match="df > 4"):
        forward.fourth_moment("activation", 1).at(heavy)
    input_law = Distribution("student_t", 1.0, {"df": 3})
    with pytest.raises(MissingMomentError, match="df=3"):
        forward.fourth_moment("activation", 1).at(
            DenseNet((3, 4), "relu", weights=(Distribution("normal", 1.0),), input=input_law)
        )


def test_scatter_too_small_for_a_float_is_unknown_not_none() -> None:
    """A mean of 1e-200 has a variance below any float: None, as 0.0 would say that there is no scatter."""
    net = DenseNet((2, 2), "relu", weights=(Distribution("normal", 1e-200),), input=(1.0, 1.0))
    row = lookup(net, "activation.second_moment", 1)
    assert row is not None
    assert row[1].variance is None


@pytest.mark.entry("E1")
def test_first_layer_of_a_tanh_net_by_quadrature() -> None:
    """Moments of |x_1|^2 and sum x_1^4 from E tanh^2k by mpmath: entries are independent given a fixed input."""
    net = DenseNet((2, 5), "tanh", weights=(Distribution("normal", 0.5),), input=(1.0, 2.0))
    q = mp.mpf(5) / 2
    power = [
        mp.quad(lambda z, k=k: mp.tanh(mp.sqrt(q) * z) ** (2 * k) * mp.npdf(z), [-12, -3, 0, 3, 12]) for k in range(5)
    ]
    sums = forward.power_sums_of(net, "activation", 1)
    assert sums.fourth_moment_variance == pytest.approx(float((power[4] - power[2] ** 2) / 5), rel=1e-7)
    row = lookup(net, "activation.fourth_moment", 1)
    assert row is not None
    assert row[1].variance == pytest.approx(sums.fourth_moment_variance, rel=1e-12)
    true = central_moments.of_mean(5, *(float(power[k] / power[1] ** k) for k in (2, 3, 4)))
    assert sums.central.fourth == pytest.approx(true.fourth, rel=1e-7)


@pytest.mark.entry("F4")
def test_scatter_of_a_log_variance() -> None:
    """Var (log S - E log S)^2 of the sum S of 6 squared normals, by mpmath's quadrature over log chi2_6."""
    net = DenseNet((2, 3), "relu", weights=(Distribution("normal", 0.7),))
    row = lookup(net, "weight.log_second_moment", 1, "variance")
    assert row is not None
    density = lambda s: mp.exp(3 * s - mp.exp(s) / 2) / (8 * mp.gamma(3))  # noqa: E731
    moment = lambda k, c: mp.quad(lambda s: (s - c) ** k * density(s), [-20, -5, 0, 2, 4, 6])  # noqa: E731
    mean = moment(1, 0)
    assert row[1].value == pytest.approx(float(moment(2, mean)), rel=1e-9)
    assert row[1].variance == pytest.approx(float(moment(4, mean) - moment(2, mean) ** 2), rel=1e-9)
