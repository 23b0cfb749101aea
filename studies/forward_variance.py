"""How the variance of a layer's outputs follows from its weights, and when it stays the same.

d2l.ai states it for one layer without nonlinearity, Fleuret for a chain of layers in their linear regime.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from random import Random

import sympy as sp

from mcverify import Check, Network, Statement, Study
from mcverify.claim import Residual, claims
from mcverify.statement import Expected, Role
from studies.texts import d2l_2018, d2l_2020, fleuret
from theory.prediction import Exactness, Prediction
from theory.sources import formula
from theory.symbols import N, m0, q, v

LAWS: tuple[dict[str, object], ...] = (
    {"law": "normal"},
    {"law": "uniform"},
    {"law": "rademacher"},
    {"law": "laplace"},
    {"law": "student_t", "df": 9},
    {"law": "sparse", "sparsity": 0.5},
)
SHAPES = ((8, 8), (16, 64), (64, 16), (128, 128), (256, 64))


def _layer(law: dict[str, object], shape: tuple[int, int], variance: float = 0.05, **more: object) -> Network:
    return Network(widths=shape, activation="linear", weights={**law, "variance": variance}, **more)


one_layer = [_layer(law, shape) for law in LAWS for shape in (SHAPES if law["law"] == "normal" else SHAPES[1:3])]
uncentred = [
    _layer({"law": "normal"}, shape, input={"law": "uniform", "mean": 1.0, "variance": 1 / 3}) for shape in SHAPES[:3]
]
linear = [
    Network(widths=(n,) * 9, activation="linear", weights={"law": law, "variance": gain / n})
    for n, law, gain in [(8, "normal", 1), (32, "normal", 1), (128, "normal", 1), (32, "uniform", 1), (32, "normal", 2)]
] + [Network(widths=(16, 64, 32, 128, 48, 16), activation="linear", weights={"law": "normal", "variance": 0.02})]
lecun = [Network(widths=widths, activation="linear", weights="lecun_normal") for widths in [(32,) * 9, (16, 64, 32, 8)]]
deep = [
    Network(widths=(n,) * (depth + 1), activation="linear", weights="lecun_normal") for n, depth in [(8, 16), (32, 24)]
]
narrow = [
    Network(widths=(n,) * 3, activation="linear", weights={"law": law, "variance": 1 / n}, input=[1.0] * n)
    for n, law in [(8, "normal"), (8, "uniform"), (8, "rademacher"), (16, "normal")]
]
tanh = [Network(widths=(n, n, n), activation="tanh", weights="lecun_normal", input=[1.0] * n) for n in (16, 64, 128)]

mean_zero = Statement(
    key="mean-zero",
    says="The output of a layer with centred weights has mean zero over the draws of the weights.",
    why="Each term of the sum is a product of independent factors, one of which has mean zero.",
    source=d2l_2020(
        "Xavier Initialization",
        "the four-line derivation, first three lines",
        r"\begin{aligned} E[o_i] & = \sum_{j=1}^{n_\mathrm{in}} E[w_{ij} x_j] \\&= \sum_{j=1}^{n_\mathrm{in}} "
        r"E[w_{ij}] E[x_j] \\&= 0 \end{aligned}",
    ),
    entry="A4",
)
variance = Statement(
    key="variance",
    says="The variance of a layer's output is the number of inputs times the variance of a weight times that of "
    "an input, whatever the law of the weights, as long as it has a mean (zero) and a variance.",
    why="The products are uncorrelated because distinct weights are independent and centred; only second moments remain.",
    source=d2l_2020(
        "Xavier Initialization",
        "the four-line derivation, last four lines",
        r"\begin{aligned} \mathrm{Var}[o_i] & = E[o_i^2] - (E[o_i])^2 \\ & = \sum_{j=1}^{n_\mathrm{in}} E[w^2_{ij} "
        r"x^2_j] - 0 \\ & = \sum_{j=1}^{n_\mathrm{in}} E[w^2_{ij}] E[x^2_j] \\ & = n_\mathrm{in} \sigma^2 \gamma^2. "
        r"\end{aligned}",
    ),
    entry="A4",
)
inputs_may_have_a_mean = Statement(
    key="inputs-may-have-a-mean",
    says="The inputs need not be centred, which the text calls somewhat unrealistic, nor independent of each other: "
    "the formula holds with their second moment in place of their variance.",
    formula=r"\mathrm{Var}[o_i] = n_\mathrm{in} \sigma^2 \, \frac{1}{n_\mathrm{in}} \sum_j E[x_j^2]",
    why="The derivation uses E[x_j^2] only; centring makes it a variance and is not needed.",
    source=d2l_2018("3.15.2.2. Xavier Initialization", "first paragraph, the assumption on the inputs"),
    role=Role.CORRECTED,
    entry="A4",
)
variance_of_uncentred = Statement(
    key="variance-of-uncentred-inputs",
    says="The same formula with the variance of uncentred inputs instead of their second moment.",
    formula=r"\mathrm{Var}[o_i] = n_\mathrm{in} \sigma^2 \, \mathrm{Var}[x_j] \text{ with } E[x_j] \ne 0",
    why="With mean 1 and variance 1/3 the second moment is 4/3: the formula is short by a factor of 4.",
    expected=Expected.REFUTED,
    role=Role.CONTROL,
    entry="A4",
)
kept = Statement(
    key="kept",
    says="One way to keep the variance fixed through a layer is to choose weights of variance 1/n_in.",
    source=d2l_2018("3.15.2.2. Xavier Initialization", "second paragraph", r"n_\mathrm{in} \sigma^2 = 1"),
    why="Put the condition into the variance formula.",
    entry="A4",
)
product_rule = Statement(
    key="product-rule",
    says="The variance of a product of two independent quantities.",
    source=fleuret(
        "Weight initialization",
        "the formula for a product",
        r"\mathbb{V}(AB) = \mathbb{V}(A)\mathbb{V}(B) + \mathbb{V}(A)\mathbb{E}(B)^2 + \mathbb{V}(B)\mathbb{E}(A)^2",
    ),
    why="E(AB)^2 and E(A^2 B^2) factorize. Checked in exact fractions, by enumeration of random discrete laws.",
    entry="A3",
)
product_of_dependent = Statement(
    key="product-of-dependent",
    says="The same rule for a quantity times itself.",
    formula=r"\mathbb{V}(A^2) = \mathbb{V}(A)^2 + 2 \mathbb{V}(A)\mathbb{E}(A)^2",
    why="It needs that A and B, and their squares, are uncorrelated.",
    expected=Expected.REFUTED,
    role=Role.CONTROL,
    entry="A3",
)
one_step = Statement(
    key="one-step",
    says="In a layer without nonlinearity, the variance of the activations is multiplied by the number of inputs "
    "times the variance of a weight.",
    source=fleuret(
        "Weight initialization",
        "variance of the activations, one layer",
        r"\begin{aligned}\mathbb{V}(x^{(l)}) &\simeq \sum_{j=1}^{N_{l-1}} \mathbb{V}(w^{(l)}) \mathbb{V}(x^{(l-1)}) "
        r"\\ &= N_{l-1} \mathbb{V}(w^{(l)}) \mathbb{V}(x^{(l-1)}).\end{aligned}",
    ),
    why="Exact for linear layers at every width.",
    entry="A7",
)
chain = Statement(
    key="chain",
    says="Through several layers, the variance of the activations is that of the input times the product of the factors.",
    source=fleuret(
        "Weight initialization",
        "variance of the activations, all layers",
        r"\mathbb{V}(x^{(l)}) \simeq \mathbb{V}(x^{(0)}) \prod_{q=1}^l N_{q-1} \mathbb{V}(w^{(q)}).",
    ),
    why="Exact for linear layers: the mean over networks of the factor of each layer, given all earlier layers, is N V(w).",
    entry="A7",
)
first_type = Statement(
    key="first-type",
    says="Weights of variance one over the number of inputs keep the variance of the activations.",
    source=fleuret(
        "Weight initialization", "a first type of initialization", r"\mathbb{V}(w^{(l)}) = \frac{1}{N_{l-1}}."
    ),
    why="Every factor of the chain is one, at any widths; true of the mean over networks.",
    entry="A7",
)
mean_of_log = Statement(
    key="mean-of-log",
    says="The typical network does not follow the mean: its log variance drifts down by about 1/n a layer.",
    formula=r"E \log \frac{|x_l|^2}{|x_0|^2} = \sum_{q \le l} \left( \log \mathbb{V}(w^{(q)}) + \log 2 + \psi(N_q/2) \right)",
    why="Each layer multiplies the squared norm by an independent chi-square: the mean of its log is below the log of its mean.",
    role=Role.CORRECTED,
    entry="B3",
)
log_of_mean = Statement(
    key="log-of-mean",
    says="Read the mean of the log of the variance as the log of its mean.",
    why="At depth L and width n the two differ by about L/n nats.",
    expected=Expected.REFUTED,
    role=Role.CONTROL,
    entry="B3",
)
second_order = Statement(
    key="second-order",
    says="How much the variance of the outputs differs from network to network depends on the kurtosis of the weights.",
    formula=r"\frac{E|x_l|^4}{(E|x_l|^2)^2} = \prod_{q \le l} \left( 1 + \frac{2}{N_q} \right) \text{ for Gaussian weights}",
    why="The recursion of the second and fourth moments of the norm, exact at every width for any kurtosis.",
    role=Role.CORRECTED,
    entry="B2",
)
linear_regime = Statement(
    key="linear-regime",
    says="With a nonlinearity of slope 1 at 0, a layer can be taken as linear, so that variance 1/n_in keeps the variance.",
    source=fleuret(
        "Weight initialization",
        "assumption of the linear regime",
        r"x_i^{(l)} \simeq \sum_{j=1}^{N_{l-1}} w_{i,j}^{(l)} x_j^{(l-1)} + b_i^{(l)}.",
    ),
    why="Only for variances going to 0 (and phi(0) = 0 is needed too): at variance 1 a tanh keeps 39 % of it.",
    expected=Expected.REFUTED,
    correction="one-step-map",
    entry="A9",
)
one_step_map = Statement(
    key="one-step-map",
    says="With Gaussian weights and a fixed input, the second moment of the second preactivation is the Gaussian average of "
    "the squared nonlinearity, at every width.",
    formula=r"E h_2^2 = N_1 v_2 \, E \varphi(\sqrt{q_1} z)^2, \quad q_1 = v_1 |x_0|^2",
    why="Given the input, the first preactivations are independent Gaussians of variance q_1.",
    role=Role.CORRECTED,
    entry="E1",
)


def product_rule_residual(seed: int, dependent: bool = False) -> Residual:
    """Largest error of the rule over random discrete laws, in exact fractions."""
    random = Random(seed)
    worst = Fraction(0)
    for _ in range(200):
        a, b = ([Fraction(random.randint(-9, 9), random.randint(1, 9)) for _ in range(4)] for _ in range(2))
        pairs = [(x, x) for x in a] if dependent else list(product(a, b))
        first, second = zip(*pairs, strict=True)
        left = _variance([x * y for x, y in pairs])
        right = (
            _variance(first) * _variance(second)
            + _variance(first) * _mean(second) ** 2
            + _variance(second) * _mean(first) ** 2
        )
        worst = max(worst, abs(left - right))
    return Residual(largest=float(worst), bound=0.0, draws=200)


def _mean(values: list[Fraction] | tuple[Fraction, ...]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def _variance(values: list[Fraction] | tuple[Fraction, ...]) -> Fraction:
    return _mean([x * x for x in values]) - _mean(values) ** 2


def output_variance(layer: int) -> Prediction:
    """n_in sigma^2 gamma^2, with gamma^2 the second moment of the input."""
    return formula(N[0] * v[1] * m0, "preactivation.second_moment", layer, entry="A4")


def _square_of_variance_only(layer: int) -> Prediction:
    return formula(N[0] * v[1] / 3, "preactivation.second_moment", layer, entry="A4")


study = Study(
    id="forward_variance",
    title="The variance of a layer's output",
    question="Is the variance of a layer's output the number of its inputs times the variance of a weight times the second "
    "moment of an input; for which laws of the weights; and does it multiply up through a chain of layers?",
    margin=0.05,
    claims=[
        *claims(mean_zero, one_layer[1:3] + one_layer[5:9], "preactivation.mean", [1], margin=0.1),
        *claims(variance, one_layer, "preactivation.second_moment", [1], output_variance),
        *claims(inputs_may_have_a_mean, uncentred, "preactivation.second_moment", [1], output_variance),
        *claims(kept, lecun, "activation.ratio", [1, 2], 1.0),
        Check("product-rule: V(AB) of independent discrete laws", product_rule_residual, statement=product_rule),
        *claims(
            one_step,
            linear,
            "activation.ratio",
            range(1, 9),
            lambda l: formula(N[l - 1] * v[l], "activation.ratio", l, entry="A7"),
        ),
        *claims(
            chain,
            linear[1:3],
            "activation.second_moment",
            [2, 4, 8],
            lambda l: formula(m0 * sp.Product(N[q - 1] * v[q], (q, 1, l)), "activation.second_moment", l, entry="A7"),
        ),
        *claims(first_type, lecun, "activation.ratio", range(1, 9), 1.0),
        *claims(mean_of_log, deep, "activation.log_second_moment", [4, -1], margin=0.1),
        *claims(second_order, narrow, "activation.second_moment", [1], statistic="variance"),
        *claims(second_order, [narrow[0], narrow[-1]], "activation.second_moment", [2], statistic="variance"),
        *claims(
            linear_regime,
            tanh,
            "preactivation.second_moment",
            [2],
            lambda l: formula(
                N[0] * v[1] * m0 * N[1] * v[2],
                "preactivation.second_moment",
                l,
                entry="A9",
                exactness=Exactness.EXACT,
            ),
        ),
        *claims(one_step_map, tanh, "preactivation.second_moment", [2]),
    ],
    controls=[
        *claims(variance_of_uncentred, uncentred, "preactivation.second_moment", [1], _square_of_variance_only),
        Check(
            "product-of-dependent: V(AA) by the same rule",
            lambda seed: product_rule_residual(seed, dependent=True),
            statement=product_of_dependent,
        ),
        *claims(log_of_mean, deep, "activation.log_second_moment", [-1], 0.0, margin=0.1),
    ],
)
