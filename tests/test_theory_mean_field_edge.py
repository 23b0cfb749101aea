"""The edge of chaos and gains: closed forms, published numbers, inequalities, and orbits by brute force."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
import sympy as sp

from theory import mean_field
from theory.activations import TABLE, get
from theory.mean_field import Stability
from theory.prediction import TheoryError


@pytest.mark.entry("MF-04")
@pytest.mark.parametrize("name", ["erf", "sine"])
@pytest.mark.parametrize("q", [0.01, 0.7, 20.0])
def test_edge_in_closed_form(name: str, q: float) -> None:
    """(1/D, q - V/D) by quadrature of phi by mpmath against the closed form; with M^2 for V it would differ."""
    f = {"erf": mp.erf, "sine": mp.sin}[name]
    slope = {"erf": lambda s: 2 * mp.exp(-(s**2)) / mp.sqrt(mp.pi), "sine": mp.cos}[name]
    cuts = [-12, -4, -1, -0.3, 0, 0.3, 1, 4, 12]
    v, d = (mp.quad(lambda z, g=g: g(mp.sqrt(q) * z) ** 2 * mp.npdf(z), cuts) for g in (f, slope))
    sw2, sb2 = (float(e.subs(sp.Symbol("q", positive=True), q)) for e in mean_field.edge_closed_form(name))
    point = mean_field.edge_point(name, q)
    assert sw2 == pytest.approx(float(1 / d), rel=1e-11)
    assert sb2 == pytest.approx(float(q - v / d), rel=1e-9, abs=1e-14)
    assert (point.sw2, point.sb2) == pytest.approx((sw2, sb2), rel=1e-9, abs=1e-14)
    if q < 20:  # V and D of sine are both 1/2 there
        assert float(1 / v) != pytest.approx(sw2, rel=0.01)


@pytest.mark.entry("MF-04")
def test_edge_of_tanh_at_small_q() -> None:
    """sw2 = 1 + 2q - 3q^2, sb2 = (4/3) q^3 (relative next terms of order q): two q, extrapolated."""
    one, two = (mean_field.edge_point("tanh", q) for q in (0.002, 0.001))
    rest = [(p.sw2 - 1 - 2 * p.q) / p.q**2 for p in (one, two)]
    cubic = [p.sb2 / p.q**3 for p in (one, two)]
    assert 2 * rest[1] - rest[0] == pytest.approx(-3, rel=1e-3)
    assert 2 * cubic[1] - cubic[0] == pytest.approx(4 / 3, rel=1e-3)


@pytest.mark.entry("MF-04")
@pytest.mark.parametrize(("name", "sw2"), [("relu", 2), ("leaky_relu", 2 / (1 + 1e-4)), ("abs", 1), ("linear", 1)])
def test_edge_of_homogeneous_is_one_point(name: str, sw2: float) -> None:
    """(2/(1+a^2), 0) at every q."""
    for q in (1e-6, 1.0, 1e6):
        point = mean_field.edge_point(name, q)
        assert (point.sw2, point.sb2) == (pytest.approx(sw2), 0.0)
    assert float(mean_field.edge_closed_form(name)[0]) == pytest.approx(sw2)


@pytest.mark.entry("MF-04")
def test_sigmoid_edge_starts_far_out_and_softplus_has_none() -> None:
    """The sign of q D - V by mpmath on either side of the start of the sigmoid's line; none of softplus anywhere."""
    ((start, _),) = mean_field.edge("sigmoid").intervals
    assert 40 < start < 50

    def share(f, slope, q):  # type: ignore[no-untyped-def]
        cuts = [-12, -3, -1, -0.5, -0.1, 0, 0.1, 0.5, 1, 3, 12]
        v, d = (mp.quad(lambda z, g=g: g(mp.sqrt(q) * z) ** 2 * mp.npdf(z), cuts) for g in (f, slope))
        return q * d - v

    sigmoid = lambda s: 1 / (1 + mp.exp(-s))  # noqa: E731
    slope = lambda s: 1 / (4 * mp.cosh(s / 2) ** 2)  # noqa: E731
    assert share(sigmoid, slope, start * 0.999) < 0 < share(sigmoid, slope, start * 1.001)
    softplus = lambda s: mp.log1p(mp.exp(s)) if s < 50 else s  # noqa: E731
    assert all(share(softplus, sigmoid, q) < 0 for q in (1e-4, 1, 1e3, 1e6))
    assert mean_field.edge("softplus").intervals == ()
    with pytest.raises(TheoryError, match=r"sb2 = .* < 0"):
        mean_field.edge_point("sigmoid", 1.0)


@pytest.mark.entry("MF-04", "GN-04")
@pytest.mark.parametrize("name", sorted(set(TABLE) - {"exp", "square"}))
def test_poincare(name: str) -> None:
    """V - M^2 <= q D for every phi, with equality for linear alone: odd phi have the whole line as edge."""
    for q in (0.01, 1.0, 30.0):
        activation = get(name)
        v, m, d = (f(q).value for f in (activation.second_moment, activation.mean, activation.derivative_second_moment))
        assert v - m * m <= q * d * (1 + 1e-12)
        if activation.odd:
            assert mean_field.edge_point(name, q).sb2 >= 0
            assert mean_field.backward_factor(name, q) >= 1 - 1e-12
            assert (mean_field.backward_factor(name, 30.0) < 1 + 1e-9) == (name == "linear")


@pytest.mark.entry("MF-04")
@pytest.mark.parametrize("name", ["gelu", "silu", "mish"])
def test_edge_points_may_repel(name: str) -> None:
    """At small q the lengths of an edge point leave it: 40 layers from 1% off, by brute force."""
    point = mean_field.edge_point(name, 0.1)
    assert (point.stability, point.chi_q > 1) == (Stability.REPELLING, True)
    orbit = mean_field.length_map(name, point.q * 1.01, point.sw2, point.sb2, 40)
    assert orbit[-1] > point.q * 1.02
    stable = mean_field.edge_point("tanh", 0.5)
    assert stable.stability == Stability.ATTRACTING
    assert mean_field.length_map("tanh", 0.6, stable.sw2, stable.sb2, 100)[-1] == pytest.approx(0.5, rel=1e-9)


@pytest.mark.entry("MF-04")
def test_edge_by_biases() -> None:
    """The inverse of sb2(q), several points where the curve turns back; none where it does not reach."""
    (point,) = mean_field.edge_for_biases("erf", 0.3)
    assert point.sb2 == pytest.approx(0.3, rel=1e-10)
    assert mean_field.chi_1("erf", point.q, point.sw2) == pytest.approx(1, rel=1e-12)
    assert mean_field.variance_map("erf", point.q, point.sw2, point.sb2) == pytest.approx(point.q, rel=1e-11)
    assert mean_field.edge_for_biases("softplus", 0.1) == []


@pytest.mark.entry("MF-05")
@pytest.mark.parametrize(
    ("name", "q", "sw2", "sb2"),
    [
        ("gelu", (3 + math.sqrt(17)) / 2, 1.98305826, 0.17292239),
        ("silu", 14.32017362, 1.98800468, 0.55514317),
    ],
)
def test_half_stable_points_as_published(name: str, q: float, sw2: float, sb2: float) -> None:
    """Roberts, Yaida and Hanin 2022, section 5.3.4, to the digits printed."""
    (point,) = mean_field.half_stable_points(name)
    assert (point.q, point.sw2, point.sb2) == pytest.approx((q, sw2, sb2), rel=1e-7)
    assert mean_field.variance_map_slope(name, point.q, point.sw2) == pytest.approx(1, rel=1e-9)
    assert mean_field.chi_1(name, point.q, point.sw2) == pytest.approx(1, rel=1e-12)
    near = mean_field.edge_point(name, q * 1.05)
    assert abs(near.chi_q - 1) > 1e-4


@pytest.mark.entry("MF-05")
def test_who_has_half_stable_points() -> None:
    """mish has one; elu, selu, softplus and tanh have none, and a homogeneous phi is refused."""
    assert len(mean_field.half_stable_points("mish")) == 1
    for name in ("elu", "selu", "softplus", "tanh"):
        with pytest.raises(TheoryError, match="has no"):
            mean_field.half_stable_points(name)
    with pytest.raises(TheoryError, match="homogeneous"):
        mean_field.half_stable_points("relu")


# Gains


@pytest.mark.entry("GN-01")
@pytest.mark.parametrize("name", sorted(TABLE))
@pytest.mark.parametrize("q", [0.5, 1.0])
def test_gains_preserve_what_they_name(name: str, q: float) -> None:
    """A layer at gain_f keeps q, at gain_b gradients, at gain_c the variance of x about its mean."""
    found, activation = mean_field.gains(name, q), get(name)
    assert mean_field.variance_map(name, q, found["forward"] ** 2) == pytest.approx(q, rel=1e-12)
    assert mean_field.chi_1(name, q, found["backward"] ** 2) == pytest.approx(1, rel=1e-12)
    centred = activation.second_moment(q).value - activation.mean(q).value ** 2
    assert found["centred"] ** 2 * centred == pytest.approx(q, rel=1e-12)
    both = found["forward"] == pytest.approx(found["backward"], rel=1e-9)
    flat = name == "relu6" or (name, q) == ("exp", 1.0)  # h > 6 has a chance below 1e-9; exp has V(1) = D(1)
    assert both == (activation.slope is not None or flat)
    for kind in ("forward", "backward"):
        assert mean_field.preserved(name, found[kind], q) == ("both" if both else kind)
    assert mean_field.preserved(name, 1.01 * found["forward"], q) == "neither"
    assert ("neither" in mean_field.explain_gain(name, 1.01 * found["forward"], q)) is True


@pytest.mark.entry("GN-02")
def test_torch_gains() -> None:
    """What each value of calculate_gain does, by orbits of 2000 layers; 5/3 for tanh is no fixed point at 1."""
    rows = {(row.activation, round(row.gain, 6)): row for row in mean_field.torch_gains()}
    assert [name for (name, _), row in rows.items() if row.keeps] == ["linear", "relu", "leaky_relu"]
    for (name, _), row in rows.items():
        if row.keeps:
            continue
        end = mean_field.length_map(name, 1.0, row.gain**2, 0.0, 2000 if name in ("tanh", "selu") else 60)[-1]
        assert row.q_star is not None
        assert end == pytest.approx(row.q_star, rel=1e-6, abs=1e-3)
    tanh, selu = rows["tanh", 1.666667], rows["selu", 0.75]
    assert tanh.chi_1 is not None
    assert tanh.chi_1 > 1.2
    assert (rows["tanh", 1.0].q_star, rows["tanh", 1.0].chi_1) == (0.0, 1.0)
    assert rows["sigmoid", 1.0].chi_1 is not None
    assert rows["sigmoid", 1.0].chi_1 <= 1 / 16
    assert selu.q_star is not None
    assert selu.chi_1 is not None
    assert selu.q_star < 0.03
    assert 1 < selu.chi_1 < 1.01
    assert rows["selu", 1.0].q_star == pytest.approx(1, rel=1e-9)
    assert (rows["gelu", 1.0].chi_1, rows["silu", 1.0].chi_1) == (0.25, 0.25)
    assert mean_field.variance_map("tanh", 1.0, (5 / 3) ** 2) != pytest.approx(1, rel=0.05)
    with pytest.raises(TheoryError, match="gelu"):
        mean_field.torch_gain("gelu")


@pytest.mark.entry("GN-03")
def test_selu_normalizes_itself() -> None:
    """Mean 0, variance 1 attracting with slope 0.782648 (Klambauer et al. 2017), gradients grow; elu does not."""
    found = mean_field.self_normalization("selu")
    lam, alpha = mp.mpf("1.0507009873554805"), mp.mpf("1.6732632423543772")
    f = lambda s: lam * (s if s > 0 else alpha * mp.expm1(s))  # noqa: E731
    mean, second = (mp.quad(lambda z, k=k: f(z) ** k * mp.npdf(z), [-13, -3, 0, 3, 13]) for k in (1, 2))
    assert (found.mean, found.second_moment) == pytest.approx((float(mean), float(second)), abs=1e-12)
    assert (found.mean, found.second_moment) == pytest.approx((0, 1), abs=1e-10)
    h = 1e-4
    by_difference = (get("selu").second_moment(1 + h).value - get("selu").second_moment(1 - h).value) / (2 * h)
    assert found.chi_q == pytest.approx(by_difference, rel=1e-6)
    assert found.chi_q == pytest.approx(0.782648, abs=1e-6)
    assert found.chi_1 > 1.07
    elu = mean_field.self_normalization("elu")
    assert abs(elu.mean) > 0.1
    assert abs(elu.second_moment - 1) > 0.1


@pytest.mark.entry("GN-04", "TR-03")
def test_odd_activations_explode_backward() -> None:
    """q D/V = 1 + (4/3) q^2 + ... for tanh; the bound is refused to what is not odd."""
    one, two = ((mean_field.backward_factor("tanh", q) - 1) / q**2 for q in (2e-3, 1e-3))
    assert 2 * two - one == pytest.approx(4 / 3, rel=1e-3)
    growth = mean_field.weight_gradient_growth("tanh", 1e-2)
    assert growth == pytest.approx(1 - 4 / 3 * 1e-4, abs=1e-5)
    assert growth != pytest.approx(1 - 2e-2, abs=1e-3)
    assert mean_field.weight_gradient_growth("relu", 7.0) == pytest.approx(1)
    with pytest.raises(TheoryError, match="odd"):
        mean_field.backward_factor("gelu", 1.0)


@pytest.mark.entry("TR-02", "E2")
def test_profile_of_2010() -> None:
    """tanh, U(+-1/sqrt n) (sw2 = 1/3) and the normalized scheme (1): a loop in mpmath, both fall, the second slowly."""

    def moment(f, q):  # type: ignore[no-untyped-def]
        return mp.quad(lambda z: f(mp.sqrt(q) * z) ** 2 * mp.npdf(z), [-12, -3, -1, 0, 1, 3, 12])

    for sw2 in (mp.mpf(1) / 3, mp.mpf(1)):
        found = mean_field.profile("tanh", 1.0, float(sw2), layers=5)
        q, second, slopes = sw2, [], []
        for _ in range(5):
            second.append(moment(mp.tanh, q))
            slopes.append(moment(lambda s: 1 - mp.tanh(s) ** 2, q))
            q = sw2 * second[-1]
        assert found.activation_std == pytest.approx([float(mp.sqrt(v)) for v in second], rel=1e-10)
        gradients = [float(mp.fprod(sw2 * d for d in slopes[k + 1 :])) for k in range(5)]
        assert found.activation_gradient == pytest.approx(gradients, rel=1e-10)
        deltas = [g * float(d) for g, d in zip(gradients, slopes, strict=True)]
        assert found.preactivation_gradient == pytest.approx(deltas, rel=1e-10)
        shifted = [float(mp.fprod(sw2 * d for d in slopes[k:])) for k in range(5)]
        assert found.activation_gradient != pytest.approx(shifted, rel=1e-2)
        assert np.all(np.diff(found.activation_std) < 0)
    assert mean_field.profile("relu", 1.0, 2.0, layers=3).activation_std[2] == pytest.approx(
        math.sqrt(1 - 1 / math.pi), rel=1e-12
    )


@pytest.mark.entry("A17", "TR-01", "A27")
def test_sigmoid_slopes_vanish_even_in_the_middle() -> None:
    """sigma' = sigma(1 - sigma) in mpmath; chi_1 <= sw2/16 at every q; ten layers at 4 multiply by sigma'(4)^10."""
    for s in (-700.0, -4.0, 0.0, 0.3, 4.0, 40.0):
        with mp.workdps(330):
            sigma = 1 / (1 + mp.exp(-mp.mpf(s)))
            reference = float(sigma * (1 - sigma))
        assert mean_field.sigmoid_slope(s) == pytest.approx(reference, rel=1e-13, abs=0)
    low, high = mean_field.goldilocks(4.0, 10)
    assert (low, high) == (pytest.approx(mean_field.sigmoid_slope(4.0) ** 10, abs=0), pytest.approx(4.0**-10, abs=0))
    factors = [mean_field.chi_1("sigmoid", q, 1.0) for q in (1e-8, 0.1, 1.0, 100.0)]
    assert np.all(np.diff(factors) < 0)
    assert factors[0] <= 1 / 16
    assert factors[0] == pytest.approx(1 / 16, rel=1e-6)
    assert mean_field.chi_1("sigmoid", 1.0, 16.0) < 1 < mean_field.chi_1("sigmoid", 1.0, 64.0)
