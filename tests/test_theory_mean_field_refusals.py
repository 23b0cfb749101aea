"""What mean-field functions say at the ends: fixed points far away, what was searched, and arguments out of range."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module

import pytest

from theory import activations, mean_field
from theory.blocks import normalization
from theory.prediction import TheoryError


@pytest.mark.entry("E1")
@pytest.mark.parametrize(
    ("phi", "sw2", "sb2", "wanted"),
    [
        (
            "tanh",
            1e14,
            0.0,
            1e14 * (1 - 2 / math.sqrt(2 * math.pi * 1e14)),
        ),  # V = 1 - E sech^2, E sech^2 ~ 2 density(0)
        ("sigmoid", 1e20, 0.0, 5e19 * (1 - 2 / math.sqrt(2 * math.pi * 5e19))),  # E sigmoid^2 ~ 1/2 - density(0)
        ("relu", 1.0, 1e-20, 2e-20),
        ("relu", 1.0, 1e20, 2e20),
        ("erf", 1e100, 0.0, 1e100),
    ],
)
def test_fixed_points_beyond_the_grid(phi: str, sw2: float, sb2: float, wanted: float) -> None:
    """Bounded V has its fixed point near sw2 however large; the grid alone ends at 1e12 and begins at 1e-12."""
    found = mean_field.q_star(phi, sw2, sb2)
    assert found == pytest.approx(wanted, rel=1e-9)
    assert not 1e-12 <= found <= 1e12
    assert mean_field.variance_map(phi, found, sw2, sb2) == pytest.approx(found, rel=1e-9)


def test_the_slope_of_lengths_far_out() -> None:
    """V'(q) of tanh falls as q^-3/2: d/dq (1 - 2/sqrt(2 pi q)) = 1/(q sqrt(2 pi q)); the Hermite form loses it."""
    slope = activations.get("tanh").second_moment_slope(1e14).value
    assert slope == pytest.approx(1 / (1e14 * math.sqrt(2 * math.pi * 1e14)), rel=1e-9)


@pytest.mark.entry("E1", "MF-04")
def test_reasons_claim_no_more_than_was_searched() -> None:
    said = mean_field.length_fixed_points("softplus", 3.0).reason
    assert "is found from q = 1e-12 to" in said
    assert "without bound" not in said
    assert "searched" in mean_field.edge("exp").reason
    assert mean_field.edge("exp").intervals[0][1] < 355  # where V overflows; the edge itself goes on
    with pytest.raises(TheoryError, match=r"none is found from q = 1e-12 to 355"):
        mean_field.q_star("exp", 1.0)
    assert "without bound" in mean_field.length_fixed_points("relu", 2.0, 0.1).reason  # of this all q are known


def test_the_scan_alone_misses_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: a scan that ends at 1e12."""
    monkeypatch.setattr(import_module("theory.mean_field.fixed_points"), "_FAR", 0.0)  # a function has its name
    with pytest.raises(TheoryError, match="no fixed point was found"):
        mean_field.q_star("tanh", 1e14)


@pytest.mark.parametrize(
    ("call", "missing"),
    [
        (lambda: mean_field.backward_factor("tanh", 0.0), "`q=0.0`"),
        (lambda: mean_field.weight_gradient_growth("relu", 0.0), "`q=0.0`"),
        (lambda: mean_field.weight_gradient_growth("square", 1e-200), "float can hold"),
        (lambda: mean_field.nngp("tanh", [[1.0, 2.0]], 2.0, 0.0, depth=0), "`depth=0`"),
        (lambda: mean_field.ntk("tanh", [[1.0, 2.0]], 2.0, 0.0, depth=0), "`depth=0`"),
        (lambda: mean_field.length_map("relu", 1.0, 2.0, 0.0, layers=0), "`layers=0`"),
        (lambda: mean_field.correlation_profile("relu", 0.0, 1.0, 2.0, layers=0), "`layers=0`"),
        (lambda: mean_field.correlation_profile("relu", 2.0, 1.0, 2.0, layers=2), "`correlation=2.0`"),
        (lambda: mean_field.gains("square", 1e-200), "float can hold"),
        (lambda: mean_field.torch_gain("leaky_relu", math.nan), "`negative_slope=nan`"),
        (lambda: mean_field.second_derivative_energy("relu", 1.0), "jumps"),
        (lambda: mean_field.second_derivative_energy("selu", 1.0), "jumps"),
    ],
)
def test_arguments_out_of_range_are_named(call: Callable[[], object], missing: str) -> None:
    with pytest.raises(TheoryError, match=missing):
        call()


@pytest.mark.entry("AR-04", "AR-05", "AR-06")
def test_rates_take_names() -> None:
    relu = activations.get("relu")
    assert normalization.layer_norm_rate("relu") == normalization.layer_norm_rate(relu)
    assert normalization.infinite_batch_rate("relu") == normalization.infinite_batch_rate(relu)
    assert normalization.batch_rate("relu", 8) == normalization.batch_rate(relu, 8)


@pytest.mark.entry("GN-03")
def test_selu_alone_normalizes_itself() -> None:
    assert [name for name in activations.TABLE if mean_field.self_normalization(name).holds] == ["selu"]
