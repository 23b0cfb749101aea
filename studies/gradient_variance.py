"""Gradients with respect to activations, weights and biases: which of the lecture's formulas hold, and where."""

from __future__ import annotations

import itertools

import numpy as np
import sympy as sp

from mcverify import Check, Network, Statement, Study
from mcverify.claim import Residual, claims
from mcverify.statement import Expected, Role
from studies.exact import draw, forward
from studies.texts import fleuret
from theory.prediction import Prediction
from theory.sources import formula
from theory.symbols import L, N, gamma2, m0, q, v


def _net(widths: tuple[int, ...], weights: object, activation: str = "linear") -> Network:
    return Network(widths=widths, activation=activation, weights=weights)


unequal = [
    _net((24, 48, 16, 32), {"law": law, "variance": [1.4 / 24, 1.4 / 48, 1.4 / 16]})
    for law in ("normal", "uniform", "laplace")
]
lecun = [_net((24, 48, 16, 32), "lecun_normal")]
equal = [_net((n,) * 6, "lecun_normal") for n in (8, 32, 128)]
relu = [_net((n,) * 5, "he_normal", "relu") for n in (32, 64, 128)] + [_net((24, 48, 16, 32), "he_uniform", "relu")]
relu_wide = relu[:3]
levelled_widths = (16, 64, 24, 48)
levelled = [
    _net(
        levelled_widths,
        {
            "law": "normal",
            "variance": [20 / (a * b) for a, b in itertools.pairwise(levelled_widths)],
        },
    )
]

recursion = Statement(
    key="recursion",
    says="The gradient at a layer's activations is the transposed weights of the next layer applied to that layer's gradient, "
    "weighted by the derivative at the same layer's own preactivation, as printed.",
    source=fleuret(
        "Vanishing gradient",
        "the formula under 'We have'",
        r"\left[ \frac{\partial \ell}{\partial \mathbf{x}^{(l)}} \right] = \left( \mathbf{w}^{(l+1)} \right)^T \left( "
        r"\sigma'(\mathbf{s}^{(l)}) \odot \left[ \frac{\partial \ell}{\partial \mathbf{x}^{(l+1)}} \right] \right).",
    ),
    why="The derivative belongs to layer l+1; as printed, the shapes do not even fit unless both layers have one width.",
    expected=Expected.REFUTED,
    correction="recursion-corrected",
    entry="A8",
)
recursion_corrected = Statement(
    key="recursion-corrected",
    says="The same with the derivative at the next layer's preactivation, as the lecture's algorithm box has it.",
    source=fleuret(
        "Vanishing gradient",
        "the box 'Backward pass'",
        r"\left[ \frac{\partial \ell}{\partial \mathbf{x}^{(l)}} \right] = (\mathbf{w}^{(l+1)})^T \left[ \frac{\partial "
        r"\ell}{\partial \mathbf{s}^{(l+1)}} \right] \quad \left[ \frac{\partial \ell}{\partial \mathbf{s}^{(l)}} \right] = "
        r"\left[ \frac{\partial \ell}{\partial \mathbf{x}^{(l)}} \right] \odot \sigma'(\mathbf{s}^{(l)})",
    ),
    why="The chain rule; checked against central differences of the loss.",
    role=Role.CORRECTED,
    entry="A8",
)
one_step = Statement(
    key="one-step",
    says="In the linear regime, the variance of the gradient at a layer is that at the next one times the next layer's width "
    "times its weight variance.",
    source=fleuret(
        "Weight initialization",
        "variance of the gradient with respect to the activations, one layer",
        r"\mathbb{V}\left(\frac{\partial \ell}{\partial x^{(l)}}\right) \simeq N_{l+1} \mathbb{V}\left(\frac{\partial "
        r"\ell}{\partial x^{(l+1)}}\right) \mathbb{V}\left(w^{(l+1)}\right).",
    ),
    why="Exact for linear layers when the output gradient is independent of the weights.",
    entry="A8",
)
all_layers = Statement(
    key="all-layers",
    says="So the variance of the gradient at a layer is that at the output times the product of the factors above it.",
    source=fleuret(
        "Weight initialization",
        "variance of the gradient with respect to the activations, all layers",
        r"\mathbb{V}\left(\frac{\partial \ell}{\partial x^{(l)}}\right) \simeq \mathbb{V}\left(\frac{\partial \ell}{\partial "
        r"x^{(L)}}\right) \prod_{q=l+1}^L N_q \mathbb{V}\left(w^{(q)}\right).",
    ),
    why="The one-step factors multiply.",
    entry="A8",
)
weights = Statement(
    key="weight-gradient",
    says="The variance of the gradient with respect to a weight is the variance of the gradient at its output times that of its "
    "input.",
    source=fleuret(
        "Weight initialization",
        "variance of the gradient with respect to the weights, first line",
        r"\mathbb{V}\left(\frac{\partial \ell}{\partial w^{(l)}}\right) \simeq \mathbb{V}\left(\frac{\partial \ell}{\partial "
        r"x^{(l)}}\right) \mathbb{V}\left(x^{(l-1)}\right)",
    ),
    why="For linear layers the two factors are independent: one holds the weights above, the other those below.",
    entry="A12",
)
expansion = Statement(
    key="weight-gradient-expansion",
    says="Expanded over all layers, it depends on the layer through 1/N_l only.",
    source=fleuret(
        "Weight initialization",
        "variance of the gradient with respect to the weights, last two lines",
        r"\begin{aligned} &= \mathbb{V}\left(\frac{\partial \ell}{\partial x^{(L)}}\right) \left(\prod_{q=l+1}^L N_q "
        r"\mathbb{V}(w^{(q)})\right) \mathbb{V}(x^{(0)}) \left(\prod_{q=1}^l N_{q-1} \mathbb{V}(w^{(q)})\right) \\ &= "
        r"\frac{N_0}{N_l} \left(\prod_{q=1}^L N_q \mathbb{V}(w^{(q)})\right) \mathbb{V}(x^{(0)}) \mathbb{V}\left(\frac{\partial "
        r"\ell}{\partial x^{(L)}}\right). \end{aligned}",
    ),
    why="The second product must stop at layer l-1, since x^(l-1) has not met W^(l): the printed value is off by the factor "
    "N_{l-1} V(w^(l)), here 1.4.",
    expected=Expected.REFUTED,
    correction="weight-gradient-corrected",
    entry="A12",
)
expansion_corrected = Statement(
    key="weight-gradient-corrected",
    says="With the product stopped in time, the formula holds for every linear network.",
    formula=r"\mathbb{V}\left(\frac{\partial \ell}{\partial w^{(l)}}\right) = \frac{N_0}{N_l N_{l-1} \mathbb{V}(w^{(l)})} "
    r"\left(\prod_{q=1}^L N_q \mathbb{V}(w^{(q)})\right) \mathbb{V}(x^{(0)}) \mathbb{V}\left(\frac{\partial \ell}{\partial "
    r"x^{(L)}}\right)",
    why="The printed formula divided by N_{l-1} V(w^(l)).",
    role=Role.CORRECTED,
    entry="A12",
)
expansion_special = Statement(
    key="expansion-at-unit-factor",
    says="The printed expansion holds where N_{l-1} V(w) = 1 in the layer itself.",
    formula=r"N_{l-1} \mathbb{V}(w^{(l)}) = 1",
    why="Then the factor that is too many is 1.",
    role=Role.CORRECTED,
    entry="A12",
)
biases = Statement(
    key="bias-gradient",
    says="The variance of the gradient with respect to a bias is that with respect to the activation.",
    source=fleuret(
        "Weight initialization",
        "variance of the gradient with respect to the biases",
        r"\mathbb{V}\left(\frac{\partial \ell}{\partial b^{(l)}}\right) \simeq \mathbb{V}\left(\frac{\partial \ell}{\partial "
        r"x^{(l)}}\right).",
    ),
    why="For linear layers the two gradients are the same vector.",
    entry="A11",
)
biases_relu = Statement(
    key="bias-gradient-relu",
    says="The same equality for ReLU layers.",
    source=fleuret(
        "Weight initialization",
        "variance of the gradient with respect to the biases, read for ReLU",
        r"\mathbb{V}\left(\frac{\partial \ell}{\partial b^{(l)}}\right) \simeq \mathbb{V}\left(\frac{\partial \ell}{\partial "
        r"x^{(l)}}\right).",
    ),
    why="The bias gradient has passed the derivative of the ReLU, which cuts half of it.",
    expected=Expected.REFUTED,
    correction="bias-gradient-halved",
    entry="A11",
)
biases_halved = Statement(
    key="bias-gradient-halved",
    says="For ReLU layers the bias gradient has half the second moment of the activation's gradient (and a factor for dead "
    "layers that only narrow networks show).",
    formula=r"\mathbb{V}(\delta_l) = \frac{1}{2} \mathbb{V}(g_l) \, \frac{P(\text{alive}_{l-1})}{P(\text{alive}_l)}, \quad l < L",
    why="The signs of the gradient make the mask independent of it.",
    role=Role.CORRECTED,
    entry="A11",
)
nothing = Statement(
    key="nothing-we-can-do",
    says="Nothing can be done to control the variance of the weight gradients: across layers it goes as 1/N_l whatever the "
    "weights.",
    source=fleuret("Weight initialization", "the sentence 'So finally'"),
    formula=r"\frac{\mathbb{V}(\partial \ell / \partial w^{(l)})}{\mathbb{V}(\partial \ell / \partial w^{(l+1)})} = "
    r"\frac{N_{l+1}}{N_l}",
    why="It follows from the misprinted expansion. The true profile is 1/(N_l N_{l-1} V(w^(l))), which the weights decide.",
    expected=Expected.REFUTED,
    correction="level",
    entry="A13",
)
level = Statement(
    key="level",
    says="Weights with V(w) N_l N_{l-1} equal in all layers give every layer the same variance of the weight gradient.",
    formula=r"\mathbb{V}(w^{(l)}) = \frac{c}{N_l N_{l-1}} \Rightarrow \frac{\mathbb{V}(\partial \ell / \partial w^{(l)})}"
    r"{\mathbb{V}(\partial \ell / \partial w^{(l+1)})} = 1",
    why="Put it into the corrected profile.",
    role=Role.CORRECTED,
    entry="A13",
)
euler = Statement(
    key="euler",
    says="In a linear or ReLU network without biases, weights and weight gradients have the same inner product in every layer.",
    formula=r"\langle W_l, \partial \ell / \partial W_l \rangle = \langle \partial \ell / \partial x_L, x_L \rangle",
    why="Euler's theorem: the output is homogeneous of degree one in the weights of each layer.",
    role=Role.CORRECTED,
    entry="A13",
)
relu_weights = Statement(
    key="weight-gradient-relu",
    says="For ReLU, the weight gradient's second moment is the product of those of the layer's bias gradient, given that it is "
    "alive, and of its input.",
    formula=r"E|\partial \ell/\partial W_l|_F^2 = E\left[|\delta_l|^2 \mid \text{alive}_{l-1}\right] E|x_{l-1}|^2",
    why="Given that the layer below is alive, the two are independent, exactly and at every width.",
    role=Role.CORRECTED,
    entry="C8",
)
profile_square = Statement(
    key="equal-profile",
    says="With equal widths and variances all layers have weight gradients of the same size, even in law.",
    formula=r"v_l |\partial \ell / \partial W_l|_F^2 \text{ has one law for all } l",
    why="Each is the same product of independent chi-squares, one a layer.",
    role=Role.CORRECTED,
    entry="C8",
)
without_input = Statement(
    key="weight-gradient-without-input",
    says="The weight gradient's variance taken to be that of the output's gradient alone.",
    formula=r"\mathbb{V}(\partial \ell / \partial w^{(l)}) = \mathbb{V}(\partial \ell / \partial x^{(l)})",
    why="It forgets the input, whose second moment is not 1 after a layer with factor 1.4.",
    expected=Expected.REFUTED,
    role=Role.CONTROL,
    entry="A12",
)


def recursion_residual(seed: int, printed: bool) -> Residual:
    """Gradient at x_1 by the recursion against central differences, relative, over 20 networks of equal widths."""
    net, step, worst = Network(widths=(6, 6, 6, 6), activation="tanh", weights="lecun_normal"), 1e-5, 0.0
    for replicate in range(20):
        drawn = draw(net, seed, replicate)
        w, g = drawn.weights, drawn.output_gradient
        h, a = forward(w, drawn.input, np.tanh)
        for layer in (2, 1):
            slope = 1 - np.tanh(h[layer - 1 if printed else layer]) ** 2
            g = w[layer].T @ (slope * g)
        ends = [[forward(w[1:], a[1] + sign * step * e, np.tanh)[1][-1] for sign in (1, -1)] for e in np.eye(6)]
        differences = np.array([drawn.output_gradient @ (up - down) for up, down in ends]) / (2 * step)
        worst = max(worst, float(np.abs(g - differences).max() / np.abs(differences).max()))
    return Residual(largest=worst, bound=1e-6, draws=20)


def euler_residual(seed: int) -> Residual:
    """Spread over layers of <W_l, dW_l> about <g_L, x_L>, relative to |g_L||x_L|, over 50 ReLU networks."""
    net, worst = Network(widths=(12, 16, 12, 16, 8), activation="relu", weights="he_normal"), 0.0
    for replicate in range(50):
        drawn = draw(net, seed, replicate)
        w, g = drawn.weights, drawn.output_gradient
        _, x = forward(w, drawn.input, lambda h: np.maximum(h, 0))
        whole, scale = g @ x[-1], float(np.linalg.norm(g) * np.linalg.norm(x[-1])) + 1e-300
        for layer in range(len(w) - 1, -1, -1):
            delta = g * (x[layer + 1] > 0)
            worst = max(worst, abs(float(np.sum(w[layer] * np.outer(delta, x[layer])) - whole)) / scale)
            g = w[layer].T @ delta
    return Residual(largest=worst, bound=1e-12, draws=50)


def printed_one_step(layer: int) -> Prediction:
    """N_{l+1} V(w_{l+1})."""
    return formula(N[layer + 1] * v[layer + 1], "activation_gradient.ratio", layer, entry="A8")


def printed_all_layers(layer: int) -> Prediction:
    """gamma^2 prod_{q=l+1}^L N_q V(w_q)."""
    product = sp.Product(N[q] * v[q], (q, layer + 1, L))
    return formula(gamma2 * product, "activation_gradient.second_moment", layer, entry="A8")


def printed_expansion(layer: int) -> Prediction:
    """N_0/N_l prod_{q<=L} N_q V(w_q) V(x_0) V(g_L)."""
    product = sp.Product(N[q] * v[q], (q, 1, L))
    return formula(N[0] / N[layer] * product * m0 * gamma2, "weight_gradient.second_moment", layer, entry="A12")


def two_factors(layer: int) -> Prediction:
    """V(g_l) V(x_{l-1}), both expanded."""
    above = sp.Product(N[q] * v[q], (q, layer + 1, L))
    below = sp.Product(N[q - 1] * v[q], (q, 1, layer - 1))
    return formula(gamma2 * above * m0 * below, "weight_gradient.second_moment", layer, entry="A12")


def equal_to_activation_gradient(layer: int) -> Prediction:
    """V(db_l) = V(g_l) = gamma^2 for He networks of equal widths, whose gradients keep their second moment."""
    return formula(gamma2, "bias_gradient.second_moment", layer, entry="A11")


study = Study(
    id="gradient_variance",
    title="The variance of the gradients",
    question="Which formulas for the variance of the gradients, with respect to activations, weights and biases, hold; do they for "
    "ReLU; and can weights be chosen so that all layers move at the same rate?",
    margin=0.05,
    claims=[
        Check(
            "recursion: printed against differences", lambda seed: recursion_residual(seed, True), statement=recursion
        ),
        Check(
            "recursion-corrected: against differences",
            lambda seed: recursion_residual(seed, False),
            statement=recursion_corrected,
        ),
        *claims(one_step, [*unequal, *equal], "activation_gradient.ratio", [0, 1, 2], printed_one_step),
        *claims(all_layers, unequal, "activation_gradient.second_moment", [0, 1, 2], printed_all_layers),
        *claims(weights, unequal, "weight_gradient.second_moment", [1, 2, 3], two_factors),
        *claims(expansion, unequal[:2], "weight_gradient.second_moment", [1, 2, 3], printed_expansion),
        *claims(expansion_corrected, [*unequal, *levelled], "weight_gradient.second_moment", [1, 2, 3]),
        *claims(expansion_special, lecun, "weight_gradient.second_moment", [1, 2, 3], printed_expansion),
        *claims(
            biases,
            unequal,
            "bias_gradient.second_moment",
            [1, 2, 3],
            (
                lambda l: formula(
                    gamma2 * sp.Product(N[q] * v[q], (q, l + 1, L)), "bias_gradient.second_moment", l, entry="A11"
                )
            ),
        ),
        *claims(biases_relu, relu_wide, "bias_gradient.second_moment", [2, 3], equal_to_activation_gradient),
        *claims(biases_halved, relu_wide, "bias_gradient.second_moment", [2, 3]),
        *claims(
            nothing,
            levelled,
            "weight_gradient.ratio",
            [1, 2],
            lambda l: formula(N[l + 1] / N[l], "weight_gradient.ratio", l, entry="A13"),
        ),
        *claims(
            level,
            levelled,
            "weight_gradient.second_moment",
            [1, 2, 3],
            lambda l: formula(
                N[0] * sp.Product(N[q] * v[q], (q, 1, L)) * m0 * gamma2 / 20,
                "weight_gradient.second_moment",
                l,
                entry="A13",
            ),
        ),
        Check("euler: <W_l, dW_l> is the same in all layers", euler_residual, statement=euler),
        *claims(relu_weights, relu, "weight_gradient.second_moment", [1, 2, 3]),
        *claims(profile_square, relu_wide[1:], "weight_gradient.log_second_moment", [1, 2, 4], margin=0.1),
    ],
    controls=[
        *claims(
            without_input,
            unequal[:1],
            "weight_gradient.second_moment",
            [2, 3],
            lambda l: formula(
                gamma2 * sp.Product(N[q] * v[q], (q, l + 1, L)), "weight_gradient.second_moment", l, entry="A12"
            ),
        ),
    ],
)
