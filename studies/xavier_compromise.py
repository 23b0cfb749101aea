"""Forward wants weights of variance 1/n_in, backward 1/n_out: what the compromise does, and when none is needed."""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from mcverify import Check, Network, Statement, Study
from mcverify.claim import Residual, claims
from mcverify.statement import Expected, Role
from studies.texts import d2l_2018, d2l_2020, fleuret
from theory.prediction import Prediction
from theory.sources import formula
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

backward = Statement(
    key="backward",
    says="By the same reasoning, gradients can blow up on their way back unless the variance of the weights is one over the "
    "number of outputs.",
    source=d2l_2018(
        "3.15.2.2. Xavier Initialization", "third paragraph, backpropagation", r"n_\mathrm{out} \sigma^2 = 1"
    ),
    why="For linear layers and an output gradient that is independent of the weights, the factor of a layer going back is n_out "
    "sigma^2, exactly.",
    entry="A5",
)
cannot_satisfy_both = Statement(
    key="cannot-satisfy-both",
    says="The two conditions cannot possibly hold at the same time.",
    source=d2l_2018("3.15.2.2. Xavier Initialization", "third paragraph, the dilemma"),
    why="They can, if and only if a layer has as many inputs as outputs: then 1/n does both.",
    expected=Expected.REFUTED,
    correction="square",
    entry="A5",
)
square = Statement(
    key="square",
    says="Square layers satisfy both conditions with weights of variance 1/n: neither signals nor gradients change in mean square.",
    formula=r"n_\mathrm{in} = n_\mathrm{out} = n, \; \sigma^2 = \frac{1}{n} \;\Rightarrow\; n_\mathrm{in} \sigma^2 = "
    r"n_\mathrm{out} \sigma^2 = 1",
    why="Put 1/n into both.",
    role=Role.CORRECTED,
    entry="A5",
)
compromise = Statement(
    key="compromise",
    says="The compromise sets the average of the two factors to one.",
    source=d2l_2020(
        "Xavier Initialization",
        "the displayed condition",
        r"\begin{aligned} \frac{1}{2} (n_\mathrm{in} + n_\mathrm{out}) \sigma^2 = 1 \text{ or equivalently } \sigma = "
        r"\sqrt{\frac{2}{n_\mathrm{in} + n_\mathrm{out}}}. \end{aligned}",
    ),
    why="Weights drawn so have this variance, normal and uniform alike.",
    entry="A6",
)
fleuret_compromise = Statement(
    key="xavier",
    says="The same compromise, as the lecture prints it.",
    source=fleuret(
        "Weight initialization",
        "the Xavier initialization",
        r"\mathbb{V}(w^{(l)}) = \frac{1}{\frac{N_{l-1} + N_l}{2}} = \frac{2}{N_{l-1} + N_l}.",
    ),
    why="Its factor going forward is 2 N_{l-1}/(N_{l-1} + N_l), going back 2 N_l/(N_{l-1} + N_l).",
    entry="A6",
)
uniform_bound = Statement(
    key="uniform-bound",
    says="For uniform weights on [-a, a] the variance is a^2/3, so that the compromise has bound sqrt(6/(n_in + n_out)).",
    source=d2l_2020(
        "Xavier Initialization",
        "the uniform case",
        r"U\left(-\sqrt{\frac{6}{n_\mathrm{in} + n_\mathrm{out}}}, \sqrt{\frac{6}{n_\mathrm{in} + n_\mathrm{out}}}\right).",
    ),
    why="The variance of a uniform law is its squared width over 12.",
    entry="A6",
)
unaffected = Statement(
    key="unaffected",
    says="Xavier initialization leaves the variance of the outputs unaffected by the number of inputs, and that of the gradients "
    "unaffected by the number of outputs.",
    source=d2l_2020("Summary", "the item on Xavier initialization"),
    formula=r"\frac{\mathbb{V}(x^{(l)})}{\mathbb{V}(x^{(l-1)})} = 1, \quad "
    r"\frac{\mathbb{V}(\partial \ell/\partial x^{(l)})}{\mathbb{V}(\partial \ell/\partial x^{(l+1)})} = 1",
    why="Unless a layer is square it is neither: the two factors add up to 2, and their product is below 1.",
    expected=Expected.REFUTED,
    correction="factors",
    entry="A6",
)
factors = Statement(
    key="factors",
    says="Under Xavier initialization, a layer multiplies the signal by twice its share of the inputs in n_in + n_out, and the "
    "gradient by twice the share of the outputs.",
    formula=r"f = \frac{2 n_\mathrm{in}}{n_\mathrm{in} + n_\mathrm{out}}, \quad b = \frac{2 n_\mathrm{out}}{n_\mathrm{in} + "
    r"n_\mathrm{out}}, \quad f + b = 2, \quad f b = \frac{4 n_\mathrm{in} n_\mathrm{out}}{(n_\mathrm{in} + n_\mathrm{out})^2} "
    r"\le 1",
    why="n_in sigma^2 and n_out sigma^2 with the compromise's sigma.",
    role=Role.CORRECTED,
    entry="A6",
)
fan_in_keeps_gradients = Statement(
    key="fan-in-keeps-gradients",
    says="Weights of variance 1/n_in keep the gradients of a chain of unequal layers.",
    formula=r"\sigma^2 = \frac{1}{n_\mathrm{in}} \Rightarrow \frac{\mathbb{V}(g_l)}{\mathbb{V}(g_{l+1})} = 1",
    why="The factor is n_out/n_in.",
    expected=Expected.REFUTED,
    role=Role.CONTROL,
    entry="A5",
)
uniform_without_root = Statement(
    key="uniform-without-root-three",
    says="Uniform weights whose bound is the wanted standard deviation have the wanted variance.",
    formula=r"U[-\sigma, \sigma] \text{ has variance } \sigma^2",
    why="It is a third of that: the bound must be sqrt 3 times the standard deviation.",
    expected=Expected.REFUTED,
    role=Role.CONTROL,
    entry="A6",
)


def layers_meeting_both() -> list[tuple[int, int]]:
    """The layers (n_in, n_out) up to 48 for which some variance 1/k meets both conditions, in exact fractions."""
    sizes = range(1, 49)
    return [
        (n_in, n_out)
        for n_in in sizes
        for n_out in sizes
        if any(n_in * Fraction(1, k) == 1 and n_out * Fraction(1, k) == 1 for k in sizes)
    ]


def counterexamples(seed: int) -> Residual:
    """How many layers meet both conditions, which the text says cannot be."""
    del seed
    return Residual(largest=float(len(layers_meeting_both())), bound=0.0, draws=48 * 48)


def not_square(seed: int) -> Residual:
    """How many of them are not square."""
    del seed
    return Residual(largest=float(sum(a != b for a, b in layers_meeting_both())), bound=0.0, draws=48 * 48)


def forward_factor(layer: int) -> Prediction:
    """2 n_in / (n_in + n_out)."""
    return formula(2 * N[layer - 1] / (N[layer - 1] + N[layer]), "activation.ratio", layer, entry="A6")


def backward_factor(layer: int) -> Prediction:
    """2 n_out / (n_in + n_out) of the layer above."""
    return formula(2 * N[layer + 1] / (N[layer] + N[layer + 1]), "activation_gradient.ratio", layer, entry="A6")


def _printed_backward(layer: int) -> Prediction:
    return formula(N[layer + 1] * v[layer + 1], "activation_gradient.ratio", layer, entry="A5")


study = Study(
    id="xavier_compromise",
    title="The Xavier compromise",
    question="Can a layer keep both the variance of its outputs and that of its gradients; what does the Xavier compromise do "
    "instead; and what does it leave of signals and gradients in layers that are not square?",
    margin=0.05,
    claims=[
        *claims(backward, [*fan_in, *xavier[:2]], "activation_gradient.ratio", range(4), _printed_backward),
        *claims(backward, fan_out, "activation_gradient.ratio", range(4), 1.0),
        Check("cannot-satisfy-both: number of layers that do", counterexamples, statement=cannot_satisfy_both),
        Check("square: number of layers that do and are not square", not_square, statement=square),
        *claims(square, squares, "activation.ratio", [1, 3, 5], 1.0),
        *claims(square, squares, "activation_gradient.ratio", [0, 2, 4], 1.0),
        *claims(
            compromise,
            xavier[::2],
            "weight.second_moment",
            [1, 2],
            lambda l: formula(2 / (N[l - 1] + N[l]), "weight.second_moment", l, entry="A6"),
        ),
        *claims(fleuret_compromise, xavier, "activation.ratio", [2], forward_factor),
        *claims(fleuret_compromise, xavier, "activation_gradient.ratio", [2], backward_factor),
        *claims(
            uniform_bound,
            xavier[1::2],
            "weight.second_moment",
            [1, 2],
            lambda l: formula(sp.sqrt(6 / (N[l - 1] + N[l])) ** 2 / 3, "weight.second_moment", l, entry="A6"),
        ),
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
            lambda l: formula(6 / (N[l - 1] + N[l]), "weight.second_moment", l, entry="A6"),
        ),
    ],
)
