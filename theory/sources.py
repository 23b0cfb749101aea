"""Formulas exactly as the sources print them, the false ones included.

Sources: Zhang et al., "Dive into Deep Learning", section on numerical stability and initialization (d2l);
Fleuret, EE-559 Deep Learning, handout 5.5 (2019).
"""

from __future__ import annotations

import sympy as sp

from theory.formulas import formula
from theory.prediction import Prediction, TheoryError
from theory.symbols import L, N, a, gamma2, l, m0, q, v

FLEURET = "Fleuret, EE-559, handout 5.5 (2019)"
D2L = "Zhang et al., Dive into Deep Learning, 'Numerical Stability and Initialization'"
LINEAR = ("linear regime: activation(s) = s", "biases zero", "all factors independent and centred")


# Dive into Deep Learning


def d2l_variance(layer: int) -> Prediction:
    """Var o_i = n_in sigma^2 gamma^2, gamma^2 the second moment of the layer's inputs, linear layers (A4)."""
    inputs = m0 * sp.Product(N[q - 1] * v[q], (q, 1, l - 1))
    return formula(
        N[l - 1] * v[l] * inputs,
        "preactivation.second_moment",
        layer,
        entry="A4",
        statement="The variance of an output is n_in sigma^2 gamma^2.",
        assumptions=("no nonlinearity", "weights of mean 0 and variance sigma^2, independent of the inputs"),
        reference=D2L,
        derivation=(
            r"$o_i = \sum_j w_{ij} x_j$ and $E[o_i] = \sum_j E[w_{ij} x_j] = 0$.",
            r"Var$[o_i] = E[o_i^2] = \sum_j E[w_{ij}^2] E[x_j^2]$.",
            r"$= n_{in}\sigma^2\gamma^2$.",
        ),
    )


def d2l_backward_condition(layer: int) -> Prediction:
    """The gradient's variance stays fixed if n_out sigma^2 = 1 (A5): E g_l^2 = gamma^2."""
    return formula(
        gamma2,
        "activation_gradient.second_moment",
        layer,
        entry="A5",
        statement="The variance of the gradients is that at the output if n_out sigma^2 = 1.",
        assumptions=(
            "no nonlinearity",
            "n_out sigma^2 = 1 in every layer",
            "output gradient independent of the net",
        ),
        reference=D2L,
        derivation=(
            r"Back through a layer the gradient is multiplied by $W^T$, with $n_{out}$ terms a sum.",
            r"By the reasoning of the forward pass its variance is multiplied by $n_{out}\sigma^2$.",
            r"It is kept if $n_{out}\sigma^2 = 1$.",
        ),
    )


def variance_of_inputs_after_relu(layer: int) -> Prediction:
    """Var x put where E x^2 belongs after a ReLU (false; ratio 1 - 1/pi), layers 2 and up (NC-15)."""
    if layer < 2:
        raise TheoryError(f"layer={layer}: the inputs of layer 1 are not behind a ReLU; give 2 or more.")
    before = m0 * sp.Product(N[q - 1] * v[q], (q, 1, l - 1)) / 2 ** (l - 2)
    return formula(
        N[l - 1] * v[l] * before * (1 - 1 / sp.pi) / 2,
        "preactivation.second_moment",
        layer,
        entry="A4",
        statement="The variance of an output is n_in sigma^2 times the variance (not the second moment) of its inputs.",
        assumptions=("ReLU before the layer", "the mean of the inputs is overlooked"),
        reference=D2L,
        derivation=(
            r"After a ReLU $E x^2 = \frac12 E h^2$, but $E x = \sqrt{E h^2/(2\pi)}$ for Gaussian $h$.",
            r"So Var $x = \frac12(1 - \frac1\pi) E h^2$.",
            r"Putting Var $x$ for $\gamma^2$ in $n_{in}\sigma^2\gamma^2$ misses a factor $1 - 1/\pi$.",
        ),
    )


def d2l_product_second_moment(layer: int) -> Prediction:
    """M_d...M_t as printed has d - t + 1 factors, one too many from layer t on: g_t with the factor of layer t too.

    For square linear nets; true is the product over layers t+1..d (A1).
    """
    return formula(
        gamma2 * sp.Product(N[q] * v[q], (q, l, L)),
        "activation_gradient.second_moment",
        layer,
        entry="A1",
        statement="The gradient at layer t is the product of the matrices M_d ... M_t.",
        assumptions=LINEAR,
        reference=D2L,
        derivation=(
            r"The gradient of $h_d$ with respect to the parameters of layer $t$ is printed as $M_d \cdots M_t v_t$.",
            r"Each matrix multiplies the second moment by $N_q v_q$.",
            r"The product from $t$ to $d$ has $d-t+1$ matrices; the chain rule has $d-t$, from $t+1$ on.",
        ),
    )


# Fleuret


def fleuret_forward(layer: int) -> Prediction:
    """V(x_l) = V(x_0) prod_{q<=l} N_{q-1} V(w_q), the linear regime (A7)."""
    return formula(
        m0 * sp.Product(N[q - 1] * v[q], (q, 1, l)),
        "activation.second_moment",
        layer,
        entry="A7",
        statement="The variance of the activations is that of the input times prod N_{q-1} V(w_q).",
        assumptions=LINEAR,
        reference=FLEURET,
        derivation=(
            r"$V(x_i^{(l)}) \simeq \sum_j V(w_{ij}^{(l)}) V(x_j^{(l-1)})$.",
            r"$= N_{l-1} V(w^{(l)}) V(x^{(l-1)})$ for equal variances.",
            r"Iterate: $V(x^{(l)}) \simeq V(x^{(0)})\prod_{q=1}^l N_{q-1} V(w^{(q)})$.",
        ),
    )


def fleuret_activation_gradient(layer: int) -> Prediction:
    """V(dl/dx_l) = V(dl/dx_L) prod_{q>l} N_q V(w_q) (A8)."""
    return formula(
        gamma2 * sp.Product(N[q] * v[q], (q, l + 1, L)),
        "activation_gradient.second_moment",
        layer,
        entry="A8",
        statement="The variance of the gradient with respect to the activations is multiplied by N_q V(w_q) a layer.",
        assumptions=LINEAR,
        reference=FLEURET,
        derivation=(
            r"$\partial\ell/\partial x_i^{(l)} \simeq \sum_h \partial\ell/\partial x_h^{(l+1)} w_{h,i}^{(l+1)}$.",
            r"So its variance is $N_{l+1} V(\partial\ell/\partial x^{(l+1)}) V(w^{(l+1)})$.",
            r"Iterate from layer $L$ down.",
        ),
    )


def fleuret_weight_gradient(layer: int) -> Prediction:
    """The printed expansion (N_0/N_l) prod_{q<=L} N_q V(w_q) V(x_0) V(dl/dx_L), false off N_{l-1} v_l = 1 (A12)."""
    return formula(
        N[0] / N[l] * sp.Product(N[q] * v[q], (q, 1, L)) * m0 * gamma2,
        "weight_gradient.second_moment",
        layer,
        entry="A12",
        statement="The variance of a weight's gradient is (N_0/N_l) prod_{q<=L} N_q V(w_q) V(x_0) V(dl/dx_L).",
        assumptions=LINEAR,
        reference=FLEURET,
        derivation=(
            r"$V(\partial\ell/\partial w^{(l)}) \simeq V(\partial\ell/\partial x^{(l)}) V(x^{(l-1)})$.",
            r"Both expansions are inserted; that of $V(x^{(l-1)})$ runs to $q = l$, one layer too far.",
            r"Collected: $\frac{N_0}{N_l}\prod_{q=1}^L N_q V(w^{(q)}) V(x^{(0)}) V(\partial\ell/\partial x^{(L)})$.",
        ),
    )


def fleuret_weight_gradient_corrected(layer: int) -> Prediction:
    """The same with the forward product stopped at l - 1 (A12)."""
    printed = fleuret_weight_gradient(layer)
    return formula(
        printed.expression / (N[l - 1] * v[l]),
        "weight_gradient.second_moment",
        layer,
        entry="A12",
        statement="The variance of a weight's gradient is the printed one over N_{l-1} V(w_l).",
        assumptions=LINEAR,
        derivation=(
            r"$V(x^{(l-1)}) = V(x^{(0)})\prod_{q=1}^{l-1} N_{q-1} V(w^{(q)})$ stops at $l-1$.",
            r"$\prod_{q>l} N_q V(w_q)\prod_{q<l} N_{q-1} V(w_q) = "
            r"\frac{N_0}{N_l N_{l-1} V(w_l)}\prod_{q=1}^L N_q V(w_q)$.",
            r"So the printed form is too large by $N_{l-1} V(w_l)$, 1 only for the forward-preserving variance.",
        ),
    )


def fleuret_bias_gradient(layer: int) -> Prediction:
    """V(dl/db_l) = V(dl/dx_l), false for ReLU by a factor 1/2 (A11)."""
    return formula(
        gamma2 * sp.Product(N[q] * v[q] * (1 + a[q] ** 2) / 2, (q, l + 1, L)),
        "bias_gradient.second_moment",
        layer,
        entry="A11",
        statement="The variance of a bias's gradient is that of the activation's gradient.",
        assumptions=("linear regime in layer l: activation(s) = s",),
        reference=FLEURET,
        derivation=(
            r"$x_i^{(l)} \simeq \sum_j w_{ij} x_j^{(l-1)} + b_i^{(l)}$.",
            r"So $\partial\ell/\partial b_i^{(l)} \simeq \partial\ell/\partial x_i^{(l)}$, with the same variance.",
            r"A ReLU between $x$ and $b$ switches half of the units off, which this overlooks.",
        ),
    )


def relu_halving_forward(layer: int) -> Prediction:
    """V(s_l) = N_{l-1} V(w) V(s_{l-1}) / 2 from layer 2 on, layer 1 without the half (A14)."""
    return formula(
        m0 * sp.Product(N[q - 1] * v[q], (q, 1, l)) / 2 ** (l - 1),
        "preactivation.second_moment",
        layer,
        entry="A14",
        statement="A ReLU halves the variance of the preactivations, beside the factor N V(w).",
        assumptions=("ReLU", "s^(l-1) symmetric", "weights of mean 0"),
        reference=FLEURET,
        derivation=(
            r"$V(s^{(l)}) = N_{l-1} V(w^{(l)}) E(\sigma(s^{(l-1)})^2)$.",
            r"$E(\sigma(s)^2) = \frac12 E(s^2)$ for symmetric $s$.",
            r"$V(s^{(l)}) = \frac12 N_{l-1} V(w^{(l)}) V(s^{(l-1)})$.",
        ),
    )


def relu_halving_backward(layer: int) -> Prediction:
    """V(dl/dx_l) = V(dl/dx_{l+1}) N_{l+1} V(w) / 2 as printed, without the probability of dead layers (A15)."""
    return formula(
        gamma2 * sp.Product(N[q] * v[q] / 2, (q, l + 1, L)),
        "activation_gradient.second_moment",
        layer,
        entry="A15",
        statement="A ReLU halves the variance of the gradients, beside the factor N V(w).",
        assumptions=("ReLU", "what the mask multiplies is symmetric and independent of it"),
        reference=FLEURET,
        derivation=(
            r"$\partial\ell/\partial x_i^{(l)} = \sum_h \sigma'(s_h^{(l+1)})"
            r"\partial\ell/\partial x_h^{(l+1)} w_{h,i}^{(l+1)}$.",
            r"$\sigma'$ is 0 or 1, and what it multiplies is symmetric: half of the second moment is left.",
            r"A network whose $x^{(l)}$ is 0 has $\sigma' = 0$ everywhere: not half, by $P(x^{(l)} \neq 0)$.",
        ),
    )


def relu_halving_backward_ratio(layer: int) -> Prediction:
    """The same for one layer: |dl/dx_l|^2 over |dl/dx_{l+1}|^2 per entry has mean N_{l+1} V(w) / 2 (A15)."""
    return formula(
        N[l + 1] * v[l + 1] / 2,
        "activation_gradient.ratio",
        layer,
        entry="A15",
        statement="Back through one ReLU layer the second moment is multiplied by N V(w) / 2.",
        assumptions=("ReLU", "what the mask multiplies is symmetric and independent of it"),
        reference=FLEURET,
        derivation=(
            r"One step of the printed recursion.",
            r"Networks that are dead behind the layer are left out of the ratio.",
            r"Those left have at least one unit on: the true factor is larger by $1/(1 - 2^{-N})$.",
        ),
    )


def torch_linear_as_unit_gain(layer: int) -> Prediction:
    """Torch Linear read as an instance of V(w) = 1/N_{l-1}: E h_l^2 = E x_0^2; it is 1/(3 N_{l-1}) (A10)."""
    return formula(
        m0,
        "preactivation.second_moment",
        layer,
        entry="A10",
        statement="torch's Linear keeps the variance of the activations, as V(w) = 1/N_{l-1} does.",
        assumptions=LINEAR,
        reference=FLEURET,
        derivation=(
            r"The code draws from $U(-1/\sqrt{N_{l-1}}, 1/\sqrt{N_{l-1}})$.",
            r"Read as standard deviation, the bound gives $V(w) = 1/N_{l-1}$.",
            r"A uniform law on $(-s, s)$ has variance $s^2/3$: the truth is $1/(3 N_{l-1})$, and biases add as much.",
        ),
    )
