"""Formulas as the sources print them, and formulas of one's own."""

from __future__ import annotations

import pytest
import sympy as sp

from theory import formulas, sources
from theory.catalogue import lookup
from theory.net import DenseNet, Distribution
from theory.prediction import TheoryError
from theory.symbols import N, gamma2, kappa, l, m0, q, slope, v

CHAIN = DenseNet(
    (4, 6, 3), "linear", weights=(Distribution("uniform", 0.2), Distribution("normal", 0.4)), input=(1.0,) * 4
)


def value(observable: str, layer: int) -> float:
    found = lookup(CHAIN, observable, layer)
    assert found is not None
    return found[1].value


@pytest.mark.entry("A4", "A7", "A8", "A12")
def test_true_linear_forms_agree_with_the_catalogue() -> None:
    """A4, A7, A8 and the corrected A12 on a chain that is not square."""
    for layer in (1, 2):
        assert sources.d2l_variance(layer).at(CHAIN).value == pytest.approx(
            value("preactivation.second_moment", layer), rel=1e-14
        )
        assert sources.fleuret_forward(layer).at(CHAIN).value == pytest.approx(
            value("activation.second_moment", layer), rel=1e-14
        )
        assert sources.fleuret_activation_gradient(layer).at(CHAIN).value == pytest.approx(
            value("activation_gradient.second_moment", layer), rel=1e-14
        )
        assert sources.fleuret_weight_gradient_corrected(layer).at(CHAIN).value == pytest.approx(
            value("weight_gradient.second_moment", layer), rel=1e-14
        )


@pytest.mark.entry("A12", "NC-13")
def test_printed_weight_gradient_is_off_by_the_forward_factor() -> None:
    """NC-13: too large by N_{l-1} v_l, so right only at the forward-preserving variance."""
    for layer, factor in ((1, 4 * 0.2), (2, 6 * 0.4)):
        printed = sources.fleuret_weight_gradient(layer).at(CHAIN)
        assert printed.value / value("weight_gradient.second_moment", layer) == pytest.approx(factor, rel=1e-14)
        assert printed.variance is not None


@pytest.mark.entry("A11", "A14", "A15")
def test_relu_forms_against_the_catalogue() -> None:
    """Forward halving is right; backward halving misses P(x_l != 0); V(db) = V(dx) misses 1/2."""
    he = tuple(Distribution("normal", 2 / 2) for _ in range(3))
    net = DenseNet((2, 2, 2, 2), "relu", weights=he)

    def true(observable: str, layer: int) -> float:
        found = lookup(net, observable, layer)
        assert found is not None
        return found[1].value

    assert sources.relu_halving_forward(3).at(net).value == pytest.approx(true("preactivation.second_moment", 3))
    back = sources.relu_halving_backward(1).at(net).value
    assert true("activation_gradient.second_moment", 1) / back == pytest.approx(1 - 2**-2, rel=1e-14)
    bias = sources.fleuret_bias_gradient(3).at(net).value
    assert true("bias_gradient.second_moment", 3) / bias == pytest.approx((1 - 2**-2) ** 2 / 2, rel=1e-14)


@pytest.mark.entry("A1")
def test_products_are_one_factor_too_long_as_printed() -> None:
    """A1: the printed product has the factor of layer t itself."""
    ratio = sources.d2l_product_second_moment(1).at(CHAIN).value / value("activation_gradient.second_moment", 1)
    assert ratio == pytest.approx(6 * 0.2, rel=1e-14)


def test_formulas_of_ones_own() -> None:
    """Every symbol has its number; what has none is named."""
    assert formulas.substitute(kappa[1], CHAIN) == pytest.approx(1.8, rel=1e-15)
    assert formulas.substitute(slope * gamma2 * m0, CHAIN) == 1.0
    assert formulas.substitute(sp.Sum(N[q], (q, 0, l)), CHAIN, 2) == 13
    assert formulas.formula(2, "preactivation.second_moment", 1).at(CHAIN).value == 2.0
    with pytest.raises(TheoryError, match="no number for w"):
        formulas.substitute(sp.Symbol("w") * v[1], CHAIN)
    with pytest.raises(TheoryError, match=r"N\[7\]"):
        formulas.substitute(N[7], CHAIN)
    with pytest.raises(TheoryError, match="give 2 or more"):
        sources.variance_of_inputs_after_relu(1)


def test_scatter_comes_from_the_catalogue_unless_declined() -> None:
    """A false formula keeps the true scatter of one net's value, so that a test knows its error."""
    with_scatter = formulas.formula(5, "activation.second_moment", 2).at(CHAIN)
    without = formulas.formula(5, "activation.second_moment", 2, scatter=False).at(CHAIN)
    assert with_scatter.variance is not None
    assert without.variance is None
