"""Gradients with respect to activations, weights and biases: which of the lecture's formulas hold, and where."""

from __future__ import annotations

import itertools

import sympy as sp

from mcverify import Check, Network, Statement, Study
from mcverify.claim import claims
from mcverify.statement import Expected, Role
from studies import backprop
from studies.texts import fleuret
from theory.formulas import formula
from theory.prediction import Prediction
from theory.sources import fleuret_activation_gradient, fleuret_weight_gradient
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


EXPANSION = (
    r"\begin{aligned} \mathbb{V}\left(\frac{\partial \ell}{\partial w^{(l)}}\right) &\simeq \mathbb{V}\left(\frac{\partial "
    r"\ell}{\partial x^{(l)}}\right) \mathbb{V}\left(x^{(l-1)}\right) \\ &= \mathbb{V}\left(\frac{\partial \ell}{\partial "
    r"x^{(L)}}\right) \left(\prod_{q=l+1}^L N_q \mathbb{V}(w^{(q)})\right) \mathbb{V}(x^{(0)}) \left(\prod_{q=1}^l N_{q-1} "
    r"\mathbb{V}(w^{(q)})\right) \\ &= \frac{N_0}{N_l} \left(\prod_{q=1}^L N_q \mathbb{V}(w^{(q)})\right) \mathbb{V}(x^{(0)}) "
    r"\mathbb{V}\left(\frac{\partial \ell}{\partial x^{(L)}}\right). \end{aligned}"
)
BIASES = (
    r"\mathbb{V}\left(\frac{\partial \ell}{\partial b^{(l)}}\right) \simeq \mathbb{V}\left(\frac{\partial \ell}{\partial "
    r"x^{(l)}}\right)."
)

forward_pass = Statement(
    key="forward-pass",
    says="What a network computes, layer by layer.",
    source=fleuret(
        "Vanishing gradient",
        "the box 'Forward pass'",
        r"\forall n, \mathbf{x}^{(0)} = \mathbf{x}, \quad \forall l = 1, \dots, L, \quad \begin{cases} \mathbf{s}^{(l)} = "
        r"\mathbf{w}^{(l)} \mathbf{x}^{(l-1)} + \mathbf{b}^{(l)} \\ \mathbf{x}^{(l)} = \sigma(\mathbf{s}^{(l)}) \end{cases}",
    ),
    why="A definition. That the simulator computes the same, biases included, is checked network by network.",
    entry="A8",
)
backward_pass = Statement(
    key="backward-pass",
    says="Gradients with respect to activations and preactivations, layer by layer from the output down.",
    source=fleuret(
        "Vanishing gradient",
        "the box 'Backward pass', first line",
        r"\left\{ \begin{array}{l} \left[ \frac{\partial \ell}{\partial \mathbf{x}^{(L)}} \right] = \nabla_1 \ell(\mathbf{x}^{(L)}) "
        r"\\ \text{if } l < L, \left[ \frac{\partial \ell}{\partial \mathbf{x}^{(l)}} \right] = (\mathbf{w}^{(l+1)})^T \left[ "
        r"\frac{\partial \ell}{\partial \mathbf{s}^{(l+1)}} \right] \end{array} \right. \quad \left[ \frac{\partial \ell}{\partial "
        r"\mathbf{s}^{(l)}} \right] = \left[ \frac{\partial \ell}{\partial \mathbf{x}^{(l)}} \right] \odot "
        r"\sigma'(\mathbf{s}^{(l)})",
    ),
    why="The chain rule; checked against central differences of the loss.",
    entry="A8",
)
parameter_gradients = Statement(
    key="parameter-gradients",
    says="Gradients with respect to weights and biases, from those with respect to preactivations.",
    source=fleuret(
        "Vanishing gradient",
        "the box 'Backward pass', second line",
        r"\left[ \frac{\partial \ell}{\partial \mathbf{w}^{(l)}} \right] = \left[ \frac{\partial \ell}{\partial \mathbf{s}^{(l)}} "
        r"\right] (\mathbf{x}^{(l-1)})^T \quad \left[ \frac{\partial \ell}{\partial \mathbf{b}^{(l)}} \right] = \left[ "
        r"\frac{\partial \ell}{\partial \mathbf{s}^{(l)}} \right].",
    ),
    why="A weight enters its preactivation with its input as factor, a bias with 1; checked against central differences.",
    entry="A8",
)
recursion = Statement(
    key="recursion",
    says=r"The backward pass in one formula: the gradient at $\mathbf{x}^{(l)}$ from that at $\mathbf{x}^{(l+1)}$, with the "
    r"derivative taken at $\mathbf{s}^{(l)}$, as printed.",
    source=fleuret(
        "Vanishing gradient",
        "the formula under 'We have'",
        r"\left[ \frac{\partial \ell}{\partial \mathbf{x}^{(l)}} \right] = \left( \mathbf{w}^{(l+1)} \right)^T \left( "
        r"\sigma'(\mathbf{s}^{(l)}) \odot \left[ \frac{\partial \ell}{\partial \mathbf{x}^{(l+1)}} \right] \right).",
    ),
    why="The derivative belongs to layer $l+1$. As printed, the shapes fit only where two layers in a row have the same width.",
    expected=Expected.REFUTED,
    correction="recursion-corrected",
    entry="A8",
)
recursion_corrected = Statement(
    key="recursion-corrected",
    says="The same with the derivative at the preactivation of the next layer.",
    formula=r"\left[ \frac{\partial \ell}{\partial \mathbf{x}^{(l)}} \right] = \left( \mathbf{w}^{(l+1)} \right)^T \left( "
    r"\sigma'(\mathbf{s}^{(l+1)}) \odot \left[ \frac{\partial \ell}{\partial \mathbf{x}^{(l+1)}} \right] \right), \quad l < L",
    why="Put the two halves of the backward pass together.",
    role=Role.CORRECTED,
    entry="A8",
)
one_step = Statement(
    key="one-step",
    says=r"Going back through a linear layer, the variance of the gradient is multiplied by $N_{l+1} \mathbb{V}(w^{(l+1)})$. "
    "Assumed: the output gradient is independent of the weights.",
    source=fleuret(
        "Weight initialization",
        "variance of the gradient with respect to the activations, one layer",
        r"\mathbb{V}\left(\frac{\partial \ell}{\partial x^{(l)}}\right) \simeq N_{l+1} \mathbb{V}\left(\frac{\partial "
        r"\ell}{\partial x^{(l+1)}}\right) \mathbb{V}\left(w^{(l+1)}\right).",
    ),
    why="The transposed weights are applied to the gradient as weights are to a signal. Exact at every width.",
    entry="A8",
)
all_layers = Statement(
    key="all-layers",
    says="These factors multiply, from the output down to the layer (same assumptions).",
    source=fleuret(
        "Weight initialization",
        "variance of the gradient with respect to the activations, all layers",
        r"\mathbb{V}\left(\frac{\partial \ell}{\partial x^{(l)}}\right) \simeq \mathbb{V}\left(\frac{\partial \ell}{\partial "
        r"x^{(L)}}\right) \prod_{q=l+1}^L N_q \mathbb{V}\left(w^{(q)}\right).",
    ),
    why="The weights of a layer are independent of the gradient that reaches it.",
    entry="A8",
)
weight_entry = Statement(
    key="weight-gradient-entry",
    says="Without a nonlinearity, the gradient of one weight is that of its output times its input.",
    source=fleuret(
        "Weight initialization",
        "gradient with respect to the weights, one entry",
        r"\frac{\partial \ell}{\partial w_{i,j}^{(l)}} \simeq \frac{\partial \ell}{\partial x_i^{(l)}} x_j^{(l-1)}",
    ),
    why="The weight enters $x_i^{(l)}$ with the factor $x_j^{(l-1)}$; checked against central differences in linear networks.",
    entry="A12",
)
weights = Statement(
    key="weight-gradient",
    says="So its variance is the product of the variances of these two (linear layers).",
    source=fleuret("Weight initialization", "variance of the gradient with respect to the weights, line 1", EXPANSION),
    formula=r"\mathbb{V}\left(\frac{\partial \ell}{\partial w^{(l)}}\right) = \mathbb{V}\left(\frac{\partial \ell}{\partial "
    r"x^{(l)}}\right) \mathbb{V}\left(x^{(l-1)}\right)",
    why="The two are independent: one depends on the weights above the layer, the other on those below.",
    entry="A12",
)
expansion = Statement(
    key="weight-gradient-expansion",
    says="Expanded over all layers, this variance depends on the layer through $1/N_l$ alone.",
    source=fleuret(
        "Weight initialization", "variance of the gradient with respect to the weights, lines 2 and 3", EXPANSION
    ),
    why="The second product must stop at $l-1$, since $x^{(l-1)}$ has not met $w^{(l)}$. The printed value is off by the factor "
    r"$N_{l-1} \mathbb{V}(w^{(l)})$, here 1.4.",
    expected=Expected.REFUTED,
    correction="weight-gradient-corrected",
    entry="A12",
)
expansion_corrected = Statement(
    key="weight-gradient-corrected",
    says="With the product stopped in time, the formula holds for every linear network without biases.",
    formula=r"\mathbb{V}\left(\frac{\partial \ell}{\partial w^{(l)}}\right) = \frac{N_0}{N_l N_{l-1} \mathbb{V}(w^{(l)})} "
    r"\left(\prod_{q=1}^L N_q \mathbb{V}(w^{(q)})\right) \mathbb{V}(x^{(0)}) \mathbb{V}\left(\frac{\partial \ell}{\partial "
    r"x^{(L)}}\right)",
    why=r"The printed formula divided by $N_{l-1} \mathbb{V}(w^{(l)})$.",
    role=Role.CORRECTED,
    entry="A12",
)
expansion_special = Statement(
    key="expansion-at-unit-factor",
    says=r"The printed expansion holds in layers with $N_{l-1} \mathbb{V}(w^{(l)}) = 1$.",
    formula=r"N_{l-1} \mathbb{V}(w^{(l)}) = 1",
    why="There the factor that is too many is 1.",
    role=Role.CORRECTED,
    entry="A12",
)
biases = Statement(
    key="bias-gradient",
    says="Without a nonlinearity, the gradient of a bias has the variance of that of its unit.",
    source=fleuret("Weight initialization", "variance of the gradient with respect to the biases", BIASES),
    why="For linear layers both gradients are the same vector, as central differences confirm.",
    entry="A11",
)
biases_relu = Statement(
    key="bias-gradient-relu",
    says="The same equality for ReLU layers.",
    source=fleuret(
        "Weight initialization", "variance of the gradient with respect to the biases, read for ReLU", BIASES
    ),
    why="The gradient of a bias has passed the derivative of ReLU, which cuts off half of it.",
    expected=Expected.REFUTED,
    correction="bias-gradient-halved",
    entry="A11",
)
biases_halved = Statement(
    key="bias-gradient-halved",
    says="For ReLU layers the gradient of a bias has half the mean square of that of its unit, but for a factor for dead layers "
    "that only narrow networks show.",
    formula=r"\mathbb{V}(\delta_l) = \frac{1}{2} \mathbb{V}(g_l) \, \frac{P(\text{alive}_{l-1})}{P(\text{alive}_l)}, \quad l < L",
    why="The signs of the gradient make it independent of which units are on.",
    role=Role.CORRECTED,
    entry="A11",
)
nothing = Statement(
    key="nothing-we-can-do",
    says="The variance of the weight gradients cannot be controlled: from layer to layer it goes as $1/N_l$ whatever the weights.",
    source=fleuret("Weight initialization", "the sentence that sums up the three variances"),
    formula=r"\frac{\mathbb{V}(\partial \ell / \partial w^{(l)})}{\mathbb{V}(\partial \ell / \partial w^{(L)})} = \frac{N_L}{N_l}",
    why=r"It follows from the misprinted expansion. The true profile is $1/(N_l N_{l-1} \mathbb{V}(w^{(l)}))$, which the weights "
    "decide.",
    expected=Expected.REFUTED,
    correction="level",
    entry="A13",
)
level = Statement(
    key="level",
    says=r"Weights for which $N_l N_{l-1} \mathbb{V}(w^{(l)})$ is equal in all layers give all weight gradients the same variance.",
    formula=r"\mathbb{V}(w^{(l)}) = \frac{c}{N_l N_{l-1}} \Rightarrow \mathbb{V}\left(\frac{\partial \ell}{\partial w^{(l)}}\right) "
    r"= \mathbb{V}\left(\frac{\partial \ell}{\partial w^{(1)}}\right)",
    why="Put it into the corrected expansion.",
    role=Role.CORRECTED,
    entry="A13",
)
euler = Statement(
    key="euler",
    says="In a linear or ReLU network without biases, weights and their gradients have the same inner product in every layer.",
    formula=r"\langle W_l, \partial \ell / \partial W_l \rangle = \langle \partial \ell / \partial x_L, x_L \rangle",
    why="Scaling the weights of one layer scales the output by the same factor (Euler's theorem). Holds for each network.",
    role=Role.CORRECTED,
    entry="A13",
)
relu_weights = Statement(
    key="weight-gradient-relu",
    says="For ReLU, the mean square of the weight gradient is that of the layer's input times that of its bias gradient, the latter "
    "over networks in which the layer below is alive.",
    formula=r"E|\partial \ell/\partial W_l|_F^2 = E\left[|\delta_l|^2 \mid \text{alive}_{l-1}\right] E|x_{l-1}|^2",
    why="Given that the layer below is alive the two are independent, exactly and at every width.",
    role=Role.CORRECTED,
    entry="C8",
)
profile_square = Statement(
    key="equal-profile",
    says="With equal widths and variances, the size of the weight gradient has one law in all layers (ReLU, Gaussian weights).",
    formula=r"v_l |\partial \ell / \partial W_l|_F^2 \text{ has one law for all } l",
    why="In each layer it is the same product of independent chi-squares. Mean and variance of its log are compared.",
    role=Role.CORRECTED,
    entry="C8",
)
without_input = Statement(
    key="weight-gradient-without-input",
    says="The variance of a weight's gradient taken to be that of its output's gradient alone.",
    formula=r"\mathbb{V}(\partial \ell / \partial w^{(l)}) = \mathbb{V}(\partial \ell / \partial x^{(l)})",
    why="It forgets the input, whose mean square is not 1 after a layer with factor 1.4.",
    expected=Expected.REFUTED,
    role=Role.CONTROL,
    correction="weight-gradient",
    entry="A12",
)


def going_back(layer: int) -> Prediction:
    """N_{l+1} V(w_{l+1})."""
    return formula(N[layer + 1] * v[layer + 1], "activation_gradient.ratio", layer, entry="A8")


def two_factors(layer: int) -> Prediction:
    """V(g_l) V(x_{l-1}), both expanded."""
    below = sp.Product(N[q - 1] * v[q], (q, 1, layer - 1))
    return formula(_above(layer) * m0 * below, "weight_gradient.second_moment", layer, entry="A12")


def _above(layer: int) -> sp.Expr:
    return gamma2 * sp.Product(N[q] * v[q], (q, layer + 1, L))


def _of_unit(layer: int) -> Prediction:
    """V(db_l) = V(g_l) of linear networks."""
    return formula(_above(layer), "bias_gradient.second_moment", layer, entry="A11")


def _of_relu_unit(layer: int) -> Prediction:
    """V(db_l) = V(g_l) = gamma^2 in He networks of equal widths, whose gradients keep their mean square."""
    return formula(gamma2, "bias_gradient.second_moment", layer, entry="A11")


def _without_input(layer: int) -> Prediction:
    return formula(_above(layer), "weight_gradient.second_moment", layer, entry="A12")


def _true_at(layer: sp.Expr | int) -> sp.Expr:
    """The corrected expansion at a layer."""
    product = sp.Product(N[q] * v[q], (q, 1, L))
    return N[0] / (N[layer] * N[layer - 1] * v[layer]) * product * m0 * gamma2


def _as_widths_decide(layer: int) -> Prediction:
    """The variance at the last layer times N_L/N_l."""
    return formula(_true_at(L) * N[L] / N[layer], "weight_gradient.second_moment", layer, entry="A13")


def _as_in_first_layer(layer: int) -> Prediction:
    return formula(_true_at(1), "weight_gradient.second_moment", layer, entry="A13")


study = Study(
    id="gradient_variance",
    title="The variance of the gradients",
    question="Which formulas hold for the variance of the gradients with respect to activations, weights and biases? Do they hold for "
    "ReLU? And can weights be chosen so that the weight gradients of all layers have the same variance?",
    margin=0.05,
    claims=[
        Check("forward-pass: printed against simulated", backprop.forward_residual, statement=forward_pass),
        Check("backward-pass: against differences", backprop.activation_gradient_residual, statement=backward_pass),
        Check(
            "parameter-gradients: against differences",
            backprop.parameter_gradient_residual,
            statement=parameter_gradients,
        ),
        Check(
            "recursion: printed against differences",
            lambda seed: backprop.recursion_residual(seed, printed=True),
            statement=recursion,
        ),
        Check(
            "recursion-corrected: against differences",
            lambda seed: backprop.recursion_residual(seed, printed=False),
            statement=recursion_corrected,
        ),
        *claims(one_step, [*unequal, *equal], "activation_gradient.ratio", [0, 1, 2], going_back),
        *claims(all_layers, unequal, "activation_gradient.second_moment", [0, 1, 2], fleuret_activation_gradient),
        Check("weight-gradient-entry: against differences", backprop.linear_regime_residual, statement=weight_entry),
        *claims(weights, unequal, "weight_gradient.second_moment", [1, 2, 3], two_factors),
        *claims(expansion, unequal[:2], "weight_gradient.second_moment", [1, 2, 3], fleuret_weight_gradient),
        *claims(expansion_corrected, [*unequal, *levelled], "weight_gradient.second_moment", [1, 2, 3]),
        *claims(expansion_special, lecun, "weight_gradient.second_moment", [1, 2, 3], fleuret_weight_gradient),
        Check(
            "bias-gradient: against differences",
            lambda seed: backprop.linear_regime_residual(seed, "bias"),
            statement=biases,
        ),
        *claims(biases, unequal, "bias_gradient.second_moment", [1, 2, 3], _of_unit),
        *claims(biases_relu, relu_wide, "bias_gradient.second_moment", [2, 3], _of_relu_unit),
        *claims(biases_halved, relu_wide, "bias_gradient.second_moment", [2, 3]),
        *claims(nothing, levelled, "weight_gradient.second_moment", [1, 2], _as_widths_decide),
        *claims(level, levelled, "weight_gradient.second_moment", [2, 3], _as_in_first_layer),
        Check("euler: <W_l, dW_l> is the same in all layers", backprop.euler_residual, statement=euler),
        *claims(relu_weights, relu, "weight_gradient.second_moment", [1, 2, 3]),
        *claims(profile_square, relu_wide[1:], "weight_gradient.log_second_moment", [1, 2, 4], margin=0.1),
        *claims(
            profile_square,
            relu_wide[:1],
            "weight_gradient.log_second_moment",
            [1, 4],
            statistic="variance",
            margin=0.2,
        ),
    ],
    controls=[*claims(without_input, unequal[:1], "weight_gradient.second_moment", [2, 3], _without_input)],
)
