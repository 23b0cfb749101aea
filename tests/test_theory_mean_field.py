"""Maps, fixed points and depth scales at infinite width, against mpmath's quadrature and orbits by brute force."""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath as mp
import numpy as np
import pytest

from theory import mean_field
from theory.activations import get
from theory.mean_field import Stability
from theory.prediction import TheoryError

CUTS = [-13, -6, -3, -1.5, -0.7, 0, 0.7, 1.5, 3, 6, 13]
SMOOTH: dict[str, Callable[[mp.mpf], mp.mpf]] = {
    "tanh": mp.tanh,
    "sigmoid": lambda s: 1 / (1 + mp.exp(-s)),
    "gelu": lambda s: s * mp.ncdf(s),
    "silu": lambda s: s / (1 + mp.exp(-s)),
    "elu": lambda s: s if s > 0 else mp.expm1(s),
    "erf": mp.erf,
    "sine": mp.sin,
}
SLOPES: dict[str, Callable[[mp.mpf], mp.mpf]] = {
    "tanh": lambda s: 1 - mp.tanh(s) ** 2,
    "sigmoid": lambda s: 1 / (4 * mp.cosh(s / 2) ** 2),
    "gelu": lambda s: mp.ncdf(s) + s * mp.npdf(s),
    "elu": lambda s: mp.mpf(1) if s > 0 else mp.exp(s),
}


def expected(f: Callable[[mp.mpf], mp.mpf], q: float) -> mp.mpf:
    """E f(sqrt(q) z) by mpmath."""
    std = mp.sqrt(mp.mpf(q))
    return mp.quad(lambda z: f(std * z) * mp.npdf(z), CUTS)


@pytest.mark.entry("E1", "MF-01")
@pytest.mark.parametrize("q", [0.05, 1.0, 9.0])
@pytest.mark.parametrize("name", SMOOTH)
def test_variance_map(name: str, q: float) -> None:
    """sw2 V(q) + sb2 by another quadrature; D, or M^2, in the place of V would be seen."""
    second = expected(lambda s: SMOOTH[name](s) ** 2, q)
    found = mean_field.variance_map(name, q, 1.7, 0.3)
    assert found == pytest.approx(float(1.7 * second + 0.3), rel=1e-11)
    if name == "sine" and q == 9:
        return  # V and D are both 1/2 to 8 digits there
    for fault in (get(name).derivative_second_moment(q).value, get(name).mean(q).value ** 2):
        assert found != pytest.approx(1.7 * fault + 0.3, rel=1e-4)


@pytest.mark.entry("E2")
@pytest.mark.parametrize("q", [0.05, 1.0, 9.0])
@pytest.mark.parametrize("name", SLOPES)
def test_gradient_factor(name: str, q: float) -> None:
    """chi_1 = sw2 E phi'^2, not sw2 (E phi')^2."""
    slope = SLOPES[name]
    found = mean_field.chi_1(name, q, 2.5)
    assert found == pytest.approx(float(2.5 * expected(lambda s: slope(s) ** 2, q)), rel=1e-11)
    assert found != pytest.approx(float(2.5 * expected(slope, q) ** 2), rel=1e-4)


@pytest.mark.entry("E2")
@pytest.mark.parametrize("name", ["tanh", "silu", "elu", "softsign", "hardtanh", "relu6"])
def test_slopes_of_the_map_by_differences(name: str) -> None:
    """V' and V'' through Hermite polynomials are the differences of V; He2 for He4 would not be."""
    q, h = (8.0, 0.1) if name == "relu6" else (0.8, 0.01)
    v = [get(name).second_moment(q + k * h).value for k in (-2, -1, 0, 1, 2)]
    first = (v[0] - 8 * v[1] + 8 * v[3] - v[4]) / (12 * h)
    second = (-v[0] + 16 * v[1] - 30 * v[2] + 16 * v[3] - v[4]) / (12 * h * h)
    assert mean_field.variance_map_slope(name, q) == pytest.approx(first, rel=1e-6)
    assert mean_field.variance_map_curvature(name, q) == pytest.approx(second, rel=1e-3, abs=1e-5)
    assert first != pytest.approx(get(name).derivative_second_moment(q).value, rel=1e-3)


# Fixed points


@pytest.mark.entry("E1", "MF-01")
@pytest.mark.parametrize(
    ("name", "sw2", "sb2"),
    [("tanh", 2.0, 0.1), ("sigmoid", 5.0, 0.0), ("erf", 3.0, 0.0), ("selu", 1.0, 0.0), ("softplus", 0.8, 0.2)],
)
def test_attracting_point_is_where_the_orbit_ends(name: str, sw2: float, sb2: float) -> None:
    """10,000 layers from far above and far below end at q*; the point of the map with D for V lies elsewhere."""
    q = mean_field.q_star(name, sw2, sb2)
    for start in (1e-3, 1e3):
        assert mean_field.length_map(name, start, sw2, sb2, 10_000)[-1] == pytest.approx(q, rel=1e-11)
    assert sw2 * get(name).derivative_second_moment(q).value + sb2 != pytest.approx(q, rel=1e-2)


@pytest.mark.entry("E1", "E8", "MF-05")
@pytest.mark.parametrize("name", ["gelu", "silu", "mish"])
def test_stability_by_orbits(name: str) -> None:
    """Two layers from either side of a fixed point move the way its stability says."""
    (half,) = mean_field.half_stable_points(name)
    cases = [(2.5, 0.0), (half.sw2, half.sb2), (1.9, 0.3)]
    seen = set()
    for sw2, sb2 in cases:
        for point in mean_field.length_fixed_points(name, sw2, sb2).points:
            if point.value == 0:
                continue
            away = [
                abs(mean_field.length_map(name, point.value * (1 + e), sw2, sb2, 3)[-1] / point.value - 1) > 1e-3
                for e in (-1e-3, 1e-3)
            ]
            seen.add(point.stability)
            assert {Stability.ATTRACTING: 0, Stability.HALF_STABLE: 1, Stability.REPELLING: 2}[point.stability] == sum(
                away
            )
    assert Stability.REPELLING in seen
    assert Stability.HALF_STABLE in seen


@pytest.mark.entry("E8")
@pytest.mark.parametrize("name", ["gelu", "silu"])
def test_gelu_has_no_stable_gain(name: str) -> None:
    """sw2 <= 2 falls to 0, 2 < sw2 < 4 has one unstable point, above 4 everything grows."""
    for sw2, value_at_0, n_others in ((1.0, "attracting", 0), (2.0, "attracting", 0), (3.0, "attracting", 1)):
        zero, *others = mean_field.length_fixed_points(name, sw2).points
        assert (zero.value, str(zero.stability), len(others)) == (0.0, value_at_0, n_others)
        assert all(point.stability == Stability.REPELLING for point in others)
    assert mean_field.length_map(name, 1.0, 2.0, 0.0, 400)[-1] < 1
    (zero,) = mean_field.length_fixed_points(name, 4.1).points
    assert zero.stability == Stability.REPELLING
    ratio = [get(name).second_moment(q).value / q for q in np.geomspace(1e-6, 1e6, 60)]
    assert np.all(np.diff(ratio) > 0)
    assert ratio[0] == pytest.approx(0.25, abs=1e-4)
    assert ratio[-1] == pytest.approx(0.5, abs=1e-3)


@pytest.mark.entry("E1")
def test_none_and_everywhere_are_said() -> None:
    """No false root of a critical homogeneous map, and the error names what is missing."""
    for name, sw2 in (("relu", 2.0), ("linear", 1.0), ("abs", 1.0), ("leaky_relu", 2 / (1 + 0.01**2))):
        found = mean_field.length_fixed_points(name, sw2)
        assert (found.everywhere, found.points, mean_field.fixed_points(name, sw2)) == (True, (), [])
    with pytest.raises(TheoryError, match="every q is a fixed point"):
        mean_field.q_star("relu", 2.0)
    with pytest.raises(TheoryError, match="q grows without bound"):
        mean_field.q_star("relu", 2.0, 0.1)
    with pytest.raises(TheoryError, match="none is found from q = 1e-12 to 355"):
        mean_field.q_star("exp", 1.0)
    with pytest.raises(TheoryError, match="sw2"):
        mean_field.fixed_points("tanh", -1.0)
    assert mean_field.q_star("silu", 3.0, start=0.5) == 0.0
    with pytest.raises(TheoryError, match="approaches no fixed point"):
        mean_field.q_star("silu", 3.0, start=0.9)


def test_extreme_lengths_do_not_overflow() -> None:
    """q from 1e-8 to 1e8 passes every bounded or homogeneous map."""
    for name in ("tanh", "sigmoid", "relu", "gelu", "erf", "elu"):
        for q in (1e-8, 1e8):
            assert 0 < mean_field.length_map(name, q, 1.0, 0.0, 4)[-1] < 1e9


# Correlations


def kernel_by_hermite(f: Callable[[np.ndarray], np.ndarray], q: float, c: float) -> float:
    """E f(u) f(v) by a product of Gauss-Hermite rules, for smooth f."""
    z, w = np.polynomial.hermite_e.hermegauss(80)
    w = w / w.sum()
    u, v = np.sqrt(q) * z[:, None], np.sqrt(q) * (c * z[:, None] + math.sqrt(1 - c * c) * z[None, :])
    return float(np.einsum("i,j,ij->", w, w, f(u) * f(v)))


@pytest.mark.entry("MF-02")
@pytest.mark.parametrize("c", [-0.9, 0.0, 0.4, 0.97])
def test_correlation_map(c: float) -> None:
    """C(c) of tanh by a 2-D rule; a map without the biases, or with Kdot for K, would be seen."""
    sw2, sb2, q = 2.0, 0.2, 0.7
    second = kernel_by_hermite(np.tanh, q, 0.0 if c == 1 else 1 - 1e-15)
    reference = (sw2 * kernel_by_hermite(np.tanh, q, c) + sb2) / (sw2 * second + sb2)
    found = mean_field.correlation_map("tanh", c, q, sw2, sb2)
    assert found == pytest.approx(reference, abs=1e-8)
    slope = kernel_by_hermite(lambda s: 1 / np.cosh(s) ** 2, q, c)
    assert found != pytest.approx((sw2 * slope + sb2) / (sw2 * second + sb2), abs=1e-2)
    assert found != pytest.approx(kernel_by_hermite(np.tanh, q, c) / second, abs=1e-3)
    step = 1e-5
    around = [mean_field.correlation_map("tanh", c + e, q, sw2, sb2) for e in (-step, step)]
    assert mean_field.correlation_map_slope("tanh", c, q, sw2, sb2) == pytest.approx(
        (around[1] - around[0]) / (2 * step), rel=1e-5
    )


@pytest.mark.entry("MF-02", "MF-08")
@pytest.mark.parametrize("angle", [1e-9, 1e-4, 0.3, 0.6, 2.0, math.pi])
def test_relu_gap_at_small_angles(angle: float) -> None:
    """1 - C of ReLU in 60 digits; 1 - C(c) computed from c loses everything at 1e-9."""
    with mp.workdps(60):
        t = mp.mpf(angle)
        reference = float(1 - (mp.sin(t) + (mp.pi - t) * mp.cos(t)) / mp.pi)
    assert mean_field.correlation_gap("relu", angle, 3.0, 2.0) == pytest.approx(reference, rel=1e-12, abs=0)
    if angle == 1e-9:
        assert 1 - mean_field.correlation_map("relu", math.cos(angle), 3.0, 2.0) != pytest.approx(
            reference, rel=0.1, abs=0
        )


@pytest.mark.entry("MF-02")
@pytest.mark.parametrize("name", ["tanh", "gelu", "hardtanh", "erf", "silu"])
def test_slope_at_1_is_chi_1(name: str) -> None:
    """(1 - C)/(1 - c) -> q chi_1/q_next as c -> 1."""
    q, sw2, sb2, angle = 0.9, 1.6, 0.1, 1e-6
    ratio = mean_field.correlation_gap(name, angle, q, sw2, sb2) / (2 * math.sin(angle / 2) ** 2)
    expected_ratio = mean_field.chi_1(name, q, sw2) * q / mean_field.variance_map(name, q, sw2, sb2)
    assert ratio == pytest.approx(expected_ratio, rel=1e-5)
    assert ratio != pytest.approx(expected_ratio / q, rel=1e-2)


@pytest.mark.entry("MF-02")
def test_correlations_settle_at_c_star() -> None:
    """Orbits of correlations from both ends reach c*, ordered phase and chaotic phase."""
    for name, sw2, sb2, ordered in (("tanh", 1.2, 0.3, True), ("tanh", 3.0, 0.2, False), ("erf", 4.0, 0.0, False)):
        q, c_star = mean_field.q_star(name, sw2, sb2), mean_field.c_star(name, sw2, sb2)
        assert (c_star == 1) == ordered
        for start in (0.02, 0.999):
            gaps = mean_field.correlation_profile(name, start, q, sw2, sb2, layers=320)
            assert 1 - gaps[-1] == pytest.approx(c_star, abs=1e-6)
    assert mean_field.correlation_fixed_points("linear", 0.5, 0.0, q=1.0).everywhere
    with pytest.raises(TheoryError, match="sw2"):
        mean_field.correlation_fixed_points("tanh", 0.5)


# Depth scales


@pytest.mark.entry("MF-03")
@pytest.mark.parametrize(("name", "sw2", "sb2"), [("tanh", 1.3, 0.2), ("sigmoid", 9.0, 0.1), ("relu", 1.8, 0.5)])
def test_length_scale_by_fit(name: str, sw2: float, sb2: float) -> None:
    """log|q_l - q*| falls by 1/xi_q a layer; by neither 2/xi_q nor 1/xi_c."""
    q = mean_field.q_star(name, sw2, sb2)
    orbit = np.array(mean_field.length_map(name, q * 1.001, sw2, sb2, 12))
    rate = np.polyfit(np.arange(3, 9), np.log(np.abs(orbit - q))[3:9], 1)[0]
    assert -1 / rate == pytest.approx(mean_field.xi_q(name, sw2, sb2), rel=2e-3)
    assert -1 / rate != pytest.approx(mean_field.xi_q(name, sw2, sb2) / 2, rel=0.1)


@pytest.mark.entry("MF-03")
@pytest.mark.parametrize(("name", "sw2", "sb2"), [("tanh", 1.3, 0.2), ("tanh", 3.0, 0.2), ("relu", 1.8, 0.5)])
def test_correlation_scale_by_fit(name: str, sw2: float, sb2: float) -> None:
    """|c_l - c*| falls by exp(-1/xi_c) a layer; chi_1 is its rate only where c* = 1."""
    q, c_star = mean_field.q_star(name, sw2, sb2), mean_field.c_star(name, sw2, sb2)
    start = 1 - 1e-7 if c_star == 1 else c_star + 1e-4
    gaps = np.array(mean_field.correlation_profile(name, start, q, sw2, sb2, layers=20))
    left = gaps if c_star == 1 else np.abs(1 - gaps - c_star)
    rate = np.polyfit(np.arange(2, 14), np.log(left)[2:14], 1)[0]
    assert -1 / rate == pytest.approx(mean_field.xi_c(name, sw2, sb2), rel=5e-3)
    if c_star < 1:
        assert rate != pytest.approx(math.log(mean_field.chi_1(name, q, sw2)), rel=0.1)


@pytest.mark.entry("MF-03")
def test_no_scale_at_criticality() -> None:
    """A rate of 1 has no exponential scale, and the error says so."""
    point = mean_field.edge_point("tanh", 0.5)
    with pytest.raises(TheoryError, match="algebraic"):
        mean_field.xi_c("tanh", point.sw2, point.sb2)
    with pytest.raises(TheoryError, match="algebraic"):
        mean_field.xi_q("tanh", 1.0)
    assert mean_field.xi_q("tanh", 0.5) == pytest.approx(1 / math.log(2))


@pytest.mark.entry("MF-08")
@pytest.mark.parametrize(("name", "q"), [("relu", 1.0), ("leaky_relu", 2.0), ("hardtanh", 0.8), ("tanh", 0.5)])
def test_critical_correlations_fall_as_a_power(name: str, q: float) -> None:
    """u_l = A l^-p means that w = u^(-1/p) grows by A^(-1/p) a layer, up to a term of order 1/w: extrapolated away."""
    point = mean_field.edge_point(name, q)
    decay = mean_field.correlation_decay(name, q, point.sw2, point.sb2)

    def growth(w: float) -> float:
        angle = 2 * math.asin(math.sqrt(w**-decay.power / 2))
        gap = mean_field.correlation_gap(name, angle, q, point.sw2, point.sb2)
        return float(gap ** (-1 / decay.power) - w)

    per_layer = 2 * growth(2e3) - growth(1e3)
    assert decay.power == (1.0 if name == "tanh" else 2.0)
    assert per_layer == pytest.approx(decay.coefficient ** (-1 / decay.power), rel=1e-3)
    assert per_layer != pytest.approx((2 * decay.coefficient) ** (-1 / decay.power), rel=0.1)


@pytest.mark.entry("MF-08")
def test_relu_constant() -> None:
    """9 pi^2 / 2, not pi^2: 10,000 layers in floats."""
    gaps = mean_field.correlation_profile("relu", 0.0, 1.0, 2.0, layers=10_000)
    assert gaps[-1] * 10_000**2 == pytest.approx(4.5 * math.pi**2, rel=0.01)
    assert np.all(np.diff(gaps) < 0)


def test_curvature_energy_by_richardson() -> None:
    """E phi''^2 from (D - Kdot)/(q (1 - c)) as c -> 1, for phi with and without a bend of phi'."""
    for name in ("tanh", "silu", "gelu_tanh"):
        q = 0.6
        d, u = get(name).derivative_second_moment(q).value, 1e-3
        one, two = ((d - get(name).derivative_kernel(q, q, q * (1 - e)).value) / (q * e) for e in (u, u / 2))
        assert mean_field.second_derivative_energy(name, q) == pytest.approx(2 * two - one, rel=1e-5)


# Small signals


@pytest.mark.entry("E3", "MF-07")
def test_critical_tanh_decays_algebraically() -> None:
    """q_l ~ 1/(2l) and prod chi_1 ~ 1/l at (1, 0), widths first to infinity: Xavier does not keep the variance."""
    layers = 10_000
    orbit = mean_field.length_map("tanh", 1.0, 1.0, 0.0, layers)
    decay = mean_field.critical_decay("tanh")
    assert orbit[-1] == pytest.approx(decay.length.at(layers), rel=0.005)
    assert orbit[-1] != pytest.approx(1 / layers, rel=0.1)
    logs = np.cumsum([math.log(mean_field.chi_1("tanh", q)) for q in orbit])
    power = (logs[-1] - logs[layers // 2 - 1]) / math.log(2)
    assert power == pytest.approx(-decay.gradient_power, abs=0.005)


@pytest.mark.entry("A9")
@pytest.mark.parametrize("name", ["tanh", "erf", "sine", "gelu", "silu", "mish"])
def test_weak_signals(name: str) -> None:
    """V/(a1^2 q) = 1 - A q and D/a1^2 = 1 - B q, by differences of quadratures at two small q."""
    expansion = mean_field.weak_signal(name)
    for moment, coefficient, power in (
        (get(name).second_moment, expansion.length, 1),
        (get(name).derivative_second_moment, expansion.gradient, 0),
    ):
        one, two = ((moment(q).value / (expansion.slope**2 * q**power) - 1) / q for q in (2e-4, 1e-4))
        assert -(2 * two - one) == pytest.approx(coefficient, rel=1e-4, abs=1e-4)
        assert -(2 * two - one) != pytest.approx(coefficient + 0.5, rel=1e-2)


@pytest.mark.entry("A9", "A7")
def test_linear_regime() -> None:
    """Relative error -2q + 17q^2/3 for tanh; a sigmoid is outside, and so is what has a kink at 0."""
    q = 1e-3
    assert mean_field.linear_regime_error("tanh", q) == pytest.approx(-2 * q + 17 * q**2 / 3, rel=1e-4)
    assert mean_field.linear_regime_error("tanh", q) != pytest.approx(-q, rel=0.1)
    with pytest.raises(TheoryError, match=r"phi\(0\) = 0; that of sigmoid is 0\.5"):
        mean_field.linear_regime_error("sigmoid", q)
    with pytest.raises(TheoryError, match="slope 1"):
        mean_field.linear_regime_error("gelu", q)
    with pytest.raises(TheoryError, match="kink"):
        mean_field.weak_signal("relu")
