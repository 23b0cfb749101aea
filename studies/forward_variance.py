"""How the variance of a layer's outputs follows from its weights, and when it stays the same.

d2l.ai states it for one layer without nonlinearity, Fleuret for a chain of layers in their linear regime.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import product
from random import Random

import sympy as sp

from mcverify import Check, Network, Statement, Study
from mcverify.claim import Residual, claims
from mcverify.statement import Expected, Role
from studies.texts import d2l_2018, d2l_2020, fleuret
from theory import activations
from theory.formulas import formula
from theory.prediction import Prediction
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
dependent = [Network(widths=(1, 16, 16), activation="linear", weights="lecun_normal", input={"law": "uniform"})]
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

DERIVATION = (
    r"\begin{aligned} E[o_i] & = \sum_{j=1}^{n_\mathrm{in}} E[w_{ij} x_j] \\&= \sum_{j=1}^{n_\mathrm{in}} "
    r"E[w_{ij}] E[x_j] \\&= 0, \\ \mathrm{Var}[o_i] & = E[o_i^2] - (E[o_i])^2 \\ & = \sum_{j=1}^{n_\mathrm{in}} "
    r"E[w^2_{ij} x^2_j] - 0 \\ & = \sum_{j=1}^{n_\mathrm{in}} E[w^2_{ij}] E[x^2_j] \\ & = n_\mathrm{in} \sigma^2 "
    r"\gamma^2. \end{aligned}"
)

mean_zero = Statement(
    key="mean-zero",
    says="Over random weights of mean zero, each output $o_i$ of a layer has mean zero.",
    why="Each term $w_{ij} x_j$ is a product of independent factors, of which $w_{ij}$ has mean zero.",
    source=d2l_2020("Xavier Initialization", "second displayed formula, lines 1 to 3", DERIVATION),
    formula="E[o_i] = 0",
    entry="A4",
)
variance = Statement(
    key="variance",
    says=r"An output has variance $n_\mathrm{in} \sigma^2 \gamma^2$: the number of inputs, times the variance $\sigma^2$ of a "
    r"weight, times the variance $\gamma^2$ of an input. Any law of the weights will do that has mean zero and a variance.",
    why="Distinct weights are independent with mean zero, so that the mixed terms of $o_i^2$ vanish on average and only "
    r"$\sum_j E[w_{ij}^2] E[x_j^2]$ is left.",
    source=d2l_2020("Xavier Initialization", "second displayed formula, lines 4 to 7", DERIVATION),
    formula=r"\mathrm{Var}[o_i] = n_\mathrm{in} \sigma^2 \gamma^2",
    entry="A4",
)
inputs_may_have_a_mean = Statement(
    key="inputs-may-have-a-mean",
    says=r"The inputs need not have mean zero, as the text assumes and itself doubts: with $\gamma^2$ the mean square "
    "$E[x_j^2]$ of an input, the formula holds for any mean.",
    formula=r"\mathrm{Var}[o_i] = \sigma^2 \sum_{j=1}^{n_\mathrm{in}} E[x_j^2]",
    why="The derivation uses $E[x_j^2]$ only, which is the variance plus the squared mean.",
    source=d2l_2018("3.15.2.2. Xavier Initialization", "second paragraph, the assumption on the inputs"),
    role=Role.CORRECTED,
    entry="A4",
)
inputs_may_depend = Statement(
    key="inputs-may-depend",
    says="Nor need the inputs be independent of each other, as the text assumes.",
    formula=r"\mathrm{Var}[o_i] = \sigma^2 \sum_{j=1}^{n_\mathrm{in}} E[x_j^2]",
    why=r"$E[w_{ij} w_{ik} x_j x_k] = 0$ for $j \ne k$ by the weights alone. Tested on a layer whose inputs are all multiples "
    "of one random number.",
    source=d2l_2020("Xavier Initialization", "second paragraph, the assumption on the inputs"),
    role=Role.CORRECTED,
    entry="A4",
)
variance_of_uncentred = Statement(
    key="variance-of-uncentred-inputs",
    says="The formula with the variance of inputs whose mean is not zero, in place of their mean square.",
    formula=r"\mathrm{Var}[o_i] = n_\mathrm{in} \sigma^2 \, \mathrm{Var}[x_j] \text{ with } E[x_j] \ne 0",
    why="With mean 1 and variance $1/3$ the mean square is $4/3$: the formula is short by a factor of 4.",
    expected=Expected.REFUTED,
    role=Role.CONTROL,
    correction="inputs-may-have-a-mean",
    entry="A4",
)
kept = Statement(
    key="kept",
    says=r"Weights of variance $1/n_\mathrm{in}$ keep the variance through a layer.",
    source=d2l_2018(
        "3.15.2.2. Xavier Initialization", "third paragraph, first sentence", r"n_\mathrm{in} \sigma^2 = 1"
    ),
    why=r"Put the condition into $n_\mathrm{in} \sigma^2 \gamma^2$.",
    entry="A4",
)
product_rule = Statement(
    key="product-rule",
    says="The variance of a product of two independent quantities $A$ and $B$, in three terms.",
    source=fleuret(
        "Weight initialization",
        "the formula for a product of independent quantities",
        r"\mathbb{V}(AB) = \mathbb{V}(A)\mathbb{V}(B) + \mathbb{V}(A)\mathbb{E}(B)^2 + \mathbb{V}(B)\mathbb{E}(A)^2.",
    ),
    why=r"$\mathbb{E}(AB)$ and $\mathbb{E}(A^2 B^2)$ factorize. Checked in exact fractions, on random discrete laws.",
    entry="A3",
)
product_rule_two_terms = Statement(
    key="product-rule-two-terms",
    says="The same in two terms, the form in which the derivation for ReLU uses it.",
    source=fleuret(
        "Weight initialization",
        "the same formula, recalled before the derivation for ReLU",
        r"\begin{aligned}\mathbb{V}(AB) &= \mathbb{V}(A)\mathbb{V}(B) + \mathbb{V}(A)\mathbb{E}(B)^2 + \mathbb{V}(B)"
        r"\mathbb{E}(A)^2 \\ &= \mathbb{V}(A)\mathbb{E}(B^2) + \mathbb{V}(B)\mathbb{E}(A)^2.\end{aligned}",
    ),
    why=r"$\mathbb{V}(B) + \mathbb{E}(B)^2 = \mathbb{E}(B^2)$ joins the first two terms.",
    entry="A3",
)
product_of_dependent = Statement(
    key="product-of-dependent",
    says="The same rule for a quantity times itself.",
    formula=r"\mathbb{V}(A^2) = \mathbb{V}(A)^2 + 2 \mathbb{V}(A)\mathbb{E}(A)^2",
    why="The rule needs $A$ and $B$, and their squares, to be uncorrelated.",
    expected=Expected.REFUTED,
    role=Role.CONTROL,
    entry="A3",
)
sum_of_variances = Statement(
    key="sum-of-variances",
    says="With weights and inputs of mean zero and no biases, the variance of a unit is the sum, over its inputs, of the "
    "variance of the weight times that of the input.",
    source=fleuret(
        "Weight initialization",
        "variance of the activations, one unit",
        r"\begin{aligned} \mathbb{V}(x_i^{(l)}) &\simeq \mathbb{V} \left( \sum_{j=1}^{N_{l-1}} w_{i,j}^{(l)} x_j^{(l-1)} "
        r"\right) \\ &= \sum_{j=1}^{N_{l-1}} \mathbb{V}(w_{i,j}^{(l)}) \mathbb{V}(x_j^{(l-1)}) \end{aligned}",
    ),
    why="The product rule gives each term, and the terms are uncorrelated. Exact without a nonlinearity.",
    entry="A7",
)
one_step = Statement(
    key="one-step",
    says=r"Without a nonlinearity, a layer multiplies the variance of the activations by $N_{l-1} \mathbb{V}(w^{(l)})$.",
    source=fleuret(
        "Weight initialization",
        "variance of the activations, one layer",
        r"\begin{aligned}\mathbb{V}(x^{(l)}) &\simeq \sum_{j=1}^{N_{l-1}} \mathbb{V}(w^{(l)}) \mathbb{V}(x^{(l-1)}) "
        r"\\ &= N_{l-1} \mathbb{V}(w^{(l)}) \mathbb{V}(x^{(l-1)}).\end{aligned}",
    ),
    why="All terms of the sum are equal. Exact for linear layers at every width.",
    entry="A7",
)
chain = Statement(
    key="chain",
    says="Through several layers these factors multiply (no nonlinearity, no biases).",
    source=fleuret(
        "Weight initialization",
        "variance of the activations, all layers",
        r"\mathbb{V}(x^{(l)}) \simeq \mathbb{V}(x^{(0)}) \prod_{q=1}^l N_{q-1} \mathbb{V}(w^{(q)}).",
    ),
    why="The weights of a layer are independent of all layers below, so that its mean factor is the same whatever came before.",
    entry="A7",
)
first_type = Statement(
    key="first-type",
    says="Weights of variance $1/N_{l-1}$ keep the variance of the activations through all layers (no nonlinearity).",
    source=fleuret(
        "Weight initialization", "a first type of initialization", r"\mathbb{V}(w^{(l)}) = \frac{1}{N_{l-1}}."
    ),
    why="Every factor is 1, whatever the widths. True of the mean over networks.",
    entry="A7",
)
mean_of_log = Statement(
    key="mean-of-log",
    says="The typical network does not follow that mean: at variance $1/n$ the log of its mean square drifts down by about "
    "$1/n$ a layer.",
    formula=r"E \log \frac{|x_l|^2}{|x_0|^2} = \sum_{q \le l} \left( \log \mathbb{V}(w^{(q)}) + \log 2 + \psi(N_q/2) \right)",
    why="Each layer multiplies the squared norm by an independent chi-square; the mean of its log is below the log of its mean.",
    role=Role.CORRECTED,
    entry="B3",
)
log_of_mean = Statement(
    key="log-of-mean",
    says="The mean of the log taken for the log of the mean.",
    formula=r"E \log \frac{|x_L|^2}{N_L} = \log \frac{E |x_L|^2}{N_L}",
    why="At depth $L$ and width $n$ the two differ by about $L/n$.",
    expected=Expected.REFUTED,
    role=Role.CONTROL,
    correction="mean-of-log",
    entry="B3",
)
second_order = Statement(
    key="second-order",
    says="How much networks differ from each other does not follow from the variance of the weights alone: their kurtosis enters.",
    formula=r"\frac{E|x_l|^4}{(E|x_l|^2)^2} = \prod_{q \le l} \left( 1 + \frac{2}{N_q} \right) \text{ for Gaussian weights}",
    why="Second and fourth moments of the norm follow an exact recursion from layer to layer, for weights of any kurtosis.",
    role=Role.CORRECTED,
    entry="B2",
)
linear_regime = Statement(
    key="linear-regime",
    says="If the nonlinearity has slope 1 at 0, layers may be treated as linear, so that variance $1/N_{l-1}$ keeps the signal.",
    source=fleuret(
        "Weight initialization",
        "the linear regime",
        r"x_i^{(l)} \simeq \sum_{j=1}^{N_{l-1}} w_{i,j}^{(l)} x_j^{(l-1)} + b_i^{(l)}.",
    ),
    why=r"Only for signals that go to 0 (and $\sigma(0) = 0$ is needed too): of a signal of variance 1, tanh keeps 39 %.",
    expected=Expected.REFUTED,
    correction="one-step-map",
    entry="A9",
)
one_step_map = Statement(
    key="one-step-map",
    says="With Gaussian weights and a given input, the mean square of the second preactivation is a Gaussian average of the "
    "squared nonlinearity, at every width.",
    formula=r"E h_2^2 = N_1 v_2 \, E \varphi(\sqrt{q_1} z)^2, \quad q_1 = v_1 |x_0|^2, \quad z \sim N(0, 1)",
    why="Given the input, the first preactivations are independent Gaussians of variance $q_1$.",
    role=Role.CORRECTED,
    entry="E1",
)
small_signals = Statement(
    key="small-signals",
    says="The linear regime is the limit of small signals: of a mean square $q$, tanh keeps the share $1 - 2q$, but for an error "
    "of order $q^2$.",
    formula=r"\frac{1}{q} E \tanh(\sqrt{q} z)^2 = 1 - 2q + O(q^2)",
    why=r"$\tanh(s)^2 = s^2 - \frac{2}{3} s^4 + \ldots$ and $E z^4 = 3$. The next term is $\frac{17}{3} q^2$.",
    role=Role.CORRECTED,
    entry="A9",
)

Values = Sequence[Fraction]
Rule = Callable[[Values, Values], Fraction]


def three_terms(a: Values, b: Values) -> Fraction:
    """V(A)V(B) + V(A)E(B)^2 + V(B)E(A)^2."""
    return _variance(a) * _variance(b) + _variance(a) * _mean(b) ** 2 + _variance(b) * _mean(a) ** 2


def two_terms(a: Values, b: Values) -> Fraction:
    """V(A)E(B^2) + V(B)E(A)^2."""
    return _variance(a) * _mean([x * x for x in b]) + _variance(b) * _mean(a) ** 2


def product_rule_residual(seed: int, rule: Rule = three_terms, dependent: bool = False) -> Residual:
    """Largest error of a rule for V(AB) over random discrete laws, in exact fractions; `dependent`: B is A."""
    random = Random(seed)
    worst = Fraction(0)
    for _ in range(200):
        a, b = ([Fraction(random.randint(-9, 9), random.randint(1, 9)) for _ in range(4)] for _ in range(2))
        pairs = [(x, x) for x in a] if dependent else list(product(a, b))
        worst = max(worst, abs(_variance([x * y for x, y in pairs]) - rule(a, a if dependent else b)))
    return Residual(largest=float(worst), bound=0.0, draws=200)


def _mean(values: Values) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def _variance(values: Values) -> Fraction:
    return _mean([x * x for x in values]) - _mean(values) ** 2


def small_signal_residual(seed: int, slope: float = 2.0) -> Residual:
    """Largest |V(q)/q - (1 - slope q)| / q^2 of tanh, by quadrature; bound: the next coefficient, of a series that alternates."""
    del seed
    sizes = (0.001, 0.002, 0.005, 0.01, 0.02)
    errors = [
        abs(activations.get("tanh").second_moment(size).value / size - 1 + slope * size) / size**2 for size in sizes
    ]
    return Residual(largest=max(errors), bound=17 / 3, draws=len(sizes))


def output_variance(layer: int) -> Prediction:
    """n_in sigma^2 gamma^2, with gamma^2 the second moment of the layer's inputs."""
    inputs = m0 * sp.Product(N[q - 1] * v[q], (q, 1, layer - 1))
    return formula(N[layer - 1] * v[layer] * inputs, "preactivation.second_moment", layer, entry="A4")


def _variance_alone(layer: int) -> Prediction:
    """The same with the variance 1/3 of the uncentred inputs."""
    return formula(N[0] * v[1] / 3, "preactivation.second_moment", layer, entry="A4")


def _treated_as_linear(layer: int) -> Prediction:
    return formula(N[0] * v[1] * m0 * N[1] * v[2], "preactivation.second_moment", layer, entry="A9")


study = Study(
    id="forward_variance",
    title="The variance of a layer's output",
    question="Is the variance of a layer's output the number of its inputs times the variance of a weight times the mean square "
    "of an input? For which laws of the weights? And do these factors multiply through a chain of layers?",
    margin=0.05,
    claims=[
        *claims(mean_zero, one_layer[1:3] + one_layer[5:9], "preactivation.mean", [1], margin=0.1),
        *claims(variance, one_layer, "preactivation.second_moment", [1], output_variance),
        *claims(inputs_may_have_a_mean, uncentred, "preactivation.second_moment", [1], output_variance),
        *claims(inputs_may_depend, dependent, "preactivation.second_moment", [2], output_variance, margin=0.1),
        *claims(kept, lecun, "activation.ratio", [1, 2], 1.0),
        Check("product-rule: V(AB) of independent discrete laws", product_rule_residual, statement=product_rule),
        Check(
            "product-rule-two-terms: V(AB) of independent discrete laws",
            lambda seed: product_rule_residual(seed, two_terms),
            statement=product_rule_two_terms,
        ),
        *claims(sum_of_variances, [linear[0], *linear[4:]], "preactivation.second_moment", [1], output_variance),
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
        *claims(linear_regime, tanh, "preactivation.second_moment", [2], _treated_as_linear),
        *claims(one_step_map, tanh, "preactivation.second_moment", [2]),
        Check("small-signals: error of 1 - 2q over q^2", small_signal_residual, statement=small_signals),
    ],
    controls=[
        *claims(variance_of_uncentred, uncentred, "preactivation.second_moment", [1], _variance_alone),
        Check(
            "product-of-dependent: V(AA) by the same rule",
            lambda seed: product_rule_residual(seed, dependent=True),
            statement=product_of_dependent,
        ),
        *claims(log_of_mean, deep, "activation.log_second_moment", [-1], 0.0, margin=0.1),
    ],
)
