"""Forward wants weights of variance 1/n_in, backward 1/n_out: what the compromise does, and when none is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import sympy as sp

from mcverify import Check, Network, Statement, Study
from mcverify.claim import Residual, claims
from mcverify.statement import Expected, Role
from studies.texts import d2l_2018, d2l_2020, fleuret
from theory.formulas import formula
from theory.prediction import Prediction
from theory.symbols import N, v


def _linear(widths: tuple[int, ...], weights: object) -> Network:
    return Network(widths=widths, activation="linear", weights=weights)


chains = ((24, 48, 96, 48, 24), (128, 64, 32, 64, 128), (16, 128, 16, 128, 16))
squares = [
    _linear((n,) * 6, {"law": law, "variance": 1 / n}) for n, law in ((8, "normal"), (32, "uniform"), (128, "normal"))
]
fan_out = [_linear(widths, {"scheme": "lecun_normal", "mode": "fan_out"}) for widths in chains[:2]]
fan_in = [_linear(widths, "lecun_normal") for widths in chains[:2]]
xavier = [_linear(widths, scheme) for widths in chains for scheme in ("xavier_normal", "xavier_uniform")]

forward = Statement(
    key="forward",
    says=r"Weights of variance $1/n_\mathrm{in}$ keep the variance of the outputs (no nonlinearity).",
    source=d2l_2020("Xavier Initialization", "third paragraph, first sentence", r"n_\mathrm{in} \sigma^2 = 1"),
    why=r"A layer multiplies the variance by $n_\mathrm{in} \sigma^2$, exactly.",
    entry="A4",
)
backward = Statement(
    key="backward",
    says=r"By the same reasoning, gradients can blow up on their way back unless weights have variance $1/n_\mathrm{out}$. "
    "Assumed: no nonlinearity, and an output gradient that is independent of the weights.",
    source=d2l_2018(
        "3.15.2.2. Xavier Initialization", "third paragraph, on backpropagation", r"n_\mathrm{out} \sigma^2 = 1"
    ),
    why=r"Going back, a layer multiplies the variance of the gradient by $n_\mathrm{out} \sigma^2$, exactly.",
    entry="A5",
)
cannot_satisfy_both = Statement(
    key="cannot-satisfy-both",
    says="No layer can meet both conditions at once.",
    source=d2l_2018("3.15.2.2. Xavier Initialization", "third paragraph, the dilemma"),
    why="A layer can, if and only if it has as many inputs as outputs: then $1/n$ does both.",
    expected=Expected.REFUTED,
    correction="square",
    entry="A5",
)
square = Statement(
    key="square",
    says="Square layers, and only they, meet both conditions, with weights of variance $1/n$: neither signals nor gradients change "
    "in mean square.",
    formula=r"n_\mathrm{in} \sigma^2 = n_\mathrm{out} \sigma^2 = 1 \iff n_\mathrm{in} = n_\mathrm{out} = n, \; "
    r"\sigma^2 = \frac{1}{n}",
    why="Divide one condition by the other.",
    role=Role.CORRECTED,
    entry="A5",
)
compromise = Statement(
    key="compromise",
    says="The compromise: the average of the forward and the backward factor of a layer is 1.",
    source=d2l_2020(
        "Xavier Initialization",
        "third displayed formula",
        r"\begin{aligned} \frac{1}{2} (n_\mathrm{in} + n_\mathrm{out}) \sigma^2 = 1 \text{ or equivalently } \sigma = "
        r"\sqrt{\frac{2}{n_\mathrm{in} + n_\mathrm{out}}}. \end{aligned}",
    ),
    why=r"The factors are $n_\mathrm{in} \sigma^2$ and $n_\mathrm{out} \sigma^2$. Checked on the variances of the schemes "
    "`xavier_normal` and `xavier_uniform` used here.",
    entry="A6",
)
gaussian = Statement(
    key="gaussian",
    says=r"For Gaussian weights, the compromise is the normal law with mean zero and variance $2/(n_\mathrm{in} + n_\mathrm{out})$.",
    source=d2l_2018(
        "3.15.2.2. Xavier Initialization",
        "last paragraph, the Gaussian case",
        r"\sigma^2 = 2/(n_\mathrm{in} + n_\mathrm{out})",
    ),
    why=r"Solve the condition for $\sigma^2$. Mean square and mean fourth power of the drawn weights are compared with "
    r"$\sigma^2$ and $3 \sigma^4$.",
    entry="A6",
)
uniform_bound = Statement(
    key="uniform-bound",
    says="A uniform law on $[-a, a]$ has variance $a^2/3$, so that the compromise has the bound "
    r"$a = \sqrt{6/(n_\mathrm{in} + n_\mathrm{out})}$.",
    source=d2l_2020(
        "Xavier Initialization",
        "fourth displayed formula, the uniform case",
        r"U\left(-\sqrt{\frac{6}{n_\mathrm{in} + n_\mathrm{out}}}, \sqrt{\frac{6}{n_\mathrm{in} + n_\mathrm{out}}}\right).",
    ),
    why="The mean of $w^2$ over $[-a, a]$ is $a^2/3$, that of $w^4$ is $a^4/5$; both are compared with the drawn weights.",
    entry="A6",
)
fleuret_forward = Statement(
    key="control-of-activations",
    says="Activations keep their variance if the weights have a variance of one over the number of inputs.",
    source=fleuret(
        "Weight initialization", "the first of the two final conditions", r"\mathbb{V}(w^{(l)}) = \frac{1}{N_{l-1}},"
    ),
    why=r"The factor of a linear layer is $N_{l-1} \mathbb{V}(w^{(l)})$.",
    entry="A6",
)
fleuret_backward = Statement(
    key="control-of-gradients",
    says="Gradients keep theirs, with respect to activations and so to biases, if it is one over the number of outputs.",
    source=fleuret(
        "Weight initialization", "the second of the two final conditions", r"\mathbb{V}(w^{(l)}) = \frac{1}{N_l}."
    ),
    why=r"Going back, the factor of a linear layer is $N_l \mathbb{V}(w^{(l)})$, and the gradient of a bias is that of its unit.",
    entry="A6",
)
fleuret_compromise = Statement(
    key="xavier",
    says="The lecture's compromise is the same: it divides by the average of both numbers.",
    source=fleuret(
        "Weight initialization",
        "the formula for the Xavier initialization",
        r"\mathbb{V}(w^{(l)}) = \frac{1}{\frac{N_{l-1} + N_l}{2}} = \frac{2}{N_{l-1} + N_l}.",
    ),
    why="Its factor going forward is $2 N_{l-1}/(N_{l-1} + N_l)$, going back $2 N_l/(N_{l-1} + N_l)$.",
    entry="A6",
)
unaffected = Statement(
    key="unaffected",
    says="Under Xavier initialization neither does the number of inputs of a layer affect the variance of its outputs, nor the "
    "number of outputs that of its gradients.",
    source=d2l_2020("Summary", "the item on Xavier initialization"),
    formula=r"\frac{\mathbb{V}(x^{(l)})}{\mathbb{V}(x^{(l-1)})} = 1, \quad "
    r"\frac{\mathbb{V}(\partial \ell/\partial x^{(l)})}{\mathbb{V}(\partial \ell/\partial x^{(l+1)})} = 1",
    why="Unless a layer is square both are affected: the two factors add up to 2, and their product is below 1.",
    expected=Expected.REFUTED,
    correction="factors",
    entry="A6",
)
factors = Statement(
    key="factors",
    says="Under Xavier initialization a layer multiplies the signal by $f$ and the gradient by $b$, which depend on the share of "
    r"the inputs in $n_\mathrm{in} + n_\mathrm{out}$.",
    formula=r"f = \frac{2 n_\mathrm{in}}{n_\mathrm{in} + n_\mathrm{out}}, \quad b = \frac{2 n_\mathrm{out}}{n_\mathrm{in} + "
    r"n_\mathrm{out}}, \quad f + b = 2, \quad f b = \frac{4 n_\mathrm{in} n_\mathrm{out}}{(n_\mathrm{in} + n_\mathrm{out})^2} "
    r"\le 1",
    why=r"They are $n_\mathrm{in} \sigma^2$ and $n_\mathrm{out} \sigma^2$ at the compromise.",
    role=Role.CORRECTED,
    entry="A6",
)
fan_in_keeps_gradients = Statement(
    key="fan-in-keeps-gradients",
    says=r"Weights of variance $1/n_\mathrm{in}$ keep the gradients of a chain of unequal layers.",
    formula=r"\sigma^2 = \frac{1}{n_\mathrm{in}} \Rightarrow \frac{\mathbb{V}(g_l)}{\mathbb{V}(g_{l+1})} = 1",
    why=r"Going back, the factor is $n_\mathrm{out}/n_\mathrm{in}$.",
    expected=Expected.REFUTED,
    role=Role.CONTROL,
    correction="backward",
    entry="A5",
)
uniform_without_root = Statement(
    key="uniform-without-root-three",
    says="Uniform weights whose bound is the wanted standard deviation have the wanted variance.",
    formula=r"U[-\sigma, \sigma] \text{ has variance } \sigma^2",
    why=r"It has a third of that: the bound must be $\sqrt{3}$ times the standard deviation.",
    expected=Expected.REFUTED,
    role=Role.CONTROL,
    correction="uniform-bound",
    entry="A6",
)

Conditions = Callable[[int, int, Fraction], bool]


def both(n_in: int, n_out: int, variance: Fraction) -> bool:
    """Whether weights of this variance keep signals and gradients."""
    return n_in * variance == 1 and n_out * variance == 1


def average(n_in: int, n_out: int, variance: Fraction) -> bool:
    """Whether the average of the two factors is 1."""
    return (n_in + n_out) * variance == 2


def layers_meeting(conditions: Conditions) -> list[tuple[int, int]]:
    """The layers (n_in, n_out) up to 32 for which some variance 2/k meets conditions, in exact fractions."""
    sizes, variances = range(1, 33), [Fraction(2, k) for k in range(1, 65)]
    return [(a, b) for a in sizes for b in sizes if any(conditions(a, b, variance) for variance in variances)]


def counterexamples(seed: int, conditions: Conditions = both) -> Residual:
    """How many layers meet both conditions, which the text says none can."""
    del seed
    return Residual(largest=float(len(layers_meeting(conditions))), bound=0.0, draws=32 * 32)


def not_square(seed: int, conditions: Conditions = both) -> Residual:
    """How many layers meet the conditions and are not square, or are square and do not."""
    del seed
    wrong = set(layers_meeting(conditions)) ^ {(n, n) for n in range(1, 33)}
    return Residual(largest=float(len(wrong)), bound=0.0, draws=32 * 32)


def average_residual(seed: int, networks: Sequence[Network] = xavier) -> Residual:
    """Largest departure from 1 of the average of the two factors, over the layers of networks."""
    del seed
    layers = [
        (a, b, law.variance or 0.0)
        for net in networks
        for a, b, law in zip(net.widths, net.widths[1:], net.weight_laws, strict=False)
    ]
    return Residual(max(abs((a + b) * variance / 2 - 1) for a, b, variance in layers), bound=1e-12, draws=len(layers))


def forward_factor(layer: int) -> Prediction:
    """2 n_in / (n_in + n_out)."""
    return formula(2 * N[layer - 1] / (N[layer - 1] + N[layer]), "activation.ratio", layer, entry="A6")


def backward_factor(layer: int) -> Prediction:
    """2 n_out / (n_in + n_out) of the layer above."""
    return formula(2 * N[layer + 1] / (N[layer] + N[layer + 1]), "activation_gradient.ratio", layer, entry="A6")


def _going_back(layer: int) -> Prediction:
    return formula(N[layer + 1] * v[layer + 1], "activation_gradient.ratio", layer, entry="A5")


def of_weights(observable: str, value: Callable[[sp.Expr], sp.Expr]) -> Callable[[int], Prediction]:
    """A prediction for a moment of the weights, as a function of n_in + n_out."""
    return lambda l: formula(value(N[l - 1] + N[l]), observable, l, entry="A6")


study = Study(
    id="xavier_compromise",
    title="The Xavier compromise",
    question="Can a layer keep both the variance of its outputs and that of its gradients? What does the Xavier compromise do "
    "instead, and what does it leave of signals and gradients in layers that are not square?",
    margin=0.05,
    claims=[
        *claims(forward, fan_in, "activation.ratio", [1, 3], 1.0),
        *claims(backward, [*fan_in, *xavier[:2]], "activation_gradient.ratio", range(4), _going_back),
        *claims(backward, fan_out, "activation_gradient.ratio", range(4), 1.0),
        Check("cannot-satisfy-both: number of layers that do", counterexamples, statement=cannot_satisfy_both),
        Check("square: exceptions among 1024 layers", not_square, statement=square),
        *claims(square, squares, "activation.ratio", [1, 3, 5], 1.0),
        *claims(square, squares, "activation_gradient.ratio", [0, 2, 4], 1.0),
        Check("compromise: average factor of the schemes", average_residual, statement=compromise),
        *claims(
            gaussian, xavier[::2], "weight.second_moment", [1, 2], of_weights("weight.second_moment", lambda n: 2 / n)
        ),
        *claims(
            gaussian, xavier[::2], "weight.fourth_moment", [1], of_weights("weight.fourth_moment", lambda n: 12 / n**2)
        ),
        *claims(
            uniform_bound,
            xavier[1::2],
            "weight.second_moment",
            [1, 2],
            of_weights("weight.second_moment", lambda n: sp.sqrt(6 / n) ** 2 / 3),
        ),
        *claims(
            uniform_bound,
            xavier[1::2],
            "weight.fourth_moment",
            [1],
            of_weights("weight.fourth_moment", lambda n: sp.sqrt(6 / n) ** 4 / 5),
        ),
        *claims(fleuret_forward, fan_in, "activation.ratio", [2, 4], 1.0),
        *claims(fleuret_backward, fan_out, "activation_gradient.ratio", [1, 2], 1.0),
        *claims(fleuret_backward, fan_out, "bias_gradient.ratio", [1, 2], 1.0),
        *claims(fleuret_compromise, xavier, "activation.ratio", [2], forward_factor),
        *claims(fleuret_compromise, xavier, "activation_gradient.ratio", [2], backward_factor),
        *claims(unaffected, xavier[:2], "activation.ratio", [1, 3], 1.0),
        *claims(unaffected, xavier[:2], "activation_gradient.ratio", [1, 3], 1.0),
        *claims(factors, xavier[2:], "activation.ratio", range(1, 5), forward_factor),
        *claims(factors, xavier[2:], "activation_gradient.ratio", range(4), backward_factor),
    ],
    controls=[
        *claims(fan_in_keeps_gradients, fan_in, "activation_gradient.ratio", [0, 3], 1.0),
        *claims(
            uniform_without_root,
            xavier[1:2],
            "weight.second_moment",
            [1],
            of_weights("weight.second_moment", lambda n: 6 / n),
        ),
    ],
)
