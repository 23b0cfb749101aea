"""ReLU halves second moments forward and backward, and a gain of sqrt 2 restores them: where, and in which sense."""

from __future__ import annotations

import sympy as sp

from mcverify import Network, Statement, Study
from mcverify.claim import claims
from mcverify.statement import Expected, Role
from studies.texts import fleuret
from theory.formulas import formula
from theory.prediction import Prediction
from theory.sources import relu_halving_backward
from theory.symbols import N, m0, v


def _relu(widths: tuple[int, ...], weights: object = "he_normal", **more: object) -> Network:
    return Network(widths=widths, activation="relu", weights=weights, **more)


he = [_relu((n,) * 7) for n in (8, 32, 128, 256)] + [_relu((16, 64, 32, 96, 24, 8))]
laws = [
    _relu((n,) * 6, {"law": law, "variance": 1 / n})
    for n in (16, 64)
    for law in ("normal", "uniform", "rademacher", "laplace")
]
atomless = [net for net in laws if net.weight_laws[0].name != "rademacher"]
with_biases = [_relu((32,) * 5, biases={"law": "normal", "variance": 0.5})]
tiny = [_relu((n,) * 3) for n in (2, 3, 4)]
wide = [_relu((n,) * 5) for n in (16, 64, 128)]
glorot = [_relu((n,) * 6, "glorot_normal") for n in (32, 128)]
fixed_input = [_relu((n,) * 3, input=[1.0] * n) for n in (8, 16)]
deep = [_relu((n,) * (depth + 1)) for n, depth in ((16, 20), (64, 24))]

forward = Statement(
    key="forward",
    says="A ReLU between two layers halves the variance of what comes next: that of the preactivations is multiplied by "
    r"$\frac{1}{2} N_{l-1} \mathbb{V}(w^{(l)})$ from one layer to the next. Weights are symmetric, biases zero.",
    source=fleuret(
        "Weight initialization",
        "ReLU, forward pass",
        r"\begin{aligned} \mathbb{V} \left( s_i^{(l)} \right) &= N_{l-1} \mathbb{V} \left( w^{(l)} \sigma \left( s^{(l-1)} "
        r"\right) \right) \\ &= N_{l-1} \mathbb{V} \left( w^{(l)} \right) \mathbb{E} \left( \sigma \left( s^{(l-1)} "
        r"\right)^2 \right) \\ &= N_{l-1} \mathbb{V} \left( w^{(l)} \right) \frac{1}{2} \mathbb{E} \left( \left( s^{(l-1)} "
        r"\right)^2 \right) \\ &= \frac{1}{2} N_{l-1} \mathbb{V} \left( w^{(l)} \right) \mathbb{V} \left( s^{(l-1)} "
        r"\right). \end{aligned}",
    ),
    why="Symmetric weights make each preactivation symmetric, and cutting off one side of a symmetric quantity halves its mean "
    "square. Exact at every width, from the second layer on.",
    entry="A14",
)
with_bias = Statement(
    key="with-biases",
    says="Symmetric random biases add their variance after the halving.",
    formula=r"E (h^{(l)})^2 = \frac{1}{2} N_{l-1} \mathbb{V}(w^{(l)}) E (h^{(l-1)})^2 + \mathbb{V}(b^{(l)}), \quad l \ge 2",
    why="The preactivations stay symmetric.",
    role=Role.CORRECTED,
    entry="A14",
)
no_half_at_first = Statement(
    key="half-at-the-first-layer",
    says="The halving read as if it held at the first layer too.",
    formula=r"\mathbb{V}(s^{(1)}) = \frac{1}{2} N_0 \mathbb{V}(w^{(1)}) \, E (x^{(0)})^2",
    why=r"The input has not been through a ReLU: layer 1 has no factor $\frac{1}{2}$, and a gain of $\sqrt{2}$ there doubles "
    "the mean square.",
    expected=Expected.REFUTED,
    role=Role.CONTROL,
    correction="forward",
    entry="A14",
)
backward_printed = Statement(
    key="backward-as-printed",
    says="Going back through a ReLU layer, the variance of the gradient is halved too; as printed, at every width.",
    source=fleuret(
        "Weight initialization",
        "ReLU, backward pass",
        r"\begin{aligned}\mathbb{V}\left(\frac{\partial \ell}{\partial x_i^{(l)}}\right) &= \sum_{h=1}^{N_{l+1}} \mathbb{V}"
        r"\left(\underbrace{\sigma'\left(s_h^{(l+1)}\right)}_{0/1} \underbrace{\frac{\partial \ell}{\partial x_h^{(l+1)}} "
        r"w_{h,i}^{(l+1)}}_{\mathbb{E}(\cdot)=0, \text{ symmetric}}\right) \\ &= \sum_{h=1}^{N_{l+1}} \mathbb{E}\left(\sigma'"
        r"\left(s_h^{(l+1)}\right) \left(\frac{\partial \ell}{\partial x_h^{(l+1)}} w_{h,i}^{(l+1)}\right)^2\right) \\ &= "
        r"\sum_{h=1}^{N_{l+1}} \frac{1}{2} \mathbb{E}\left(\left(\frac{\partial \ell}{\partial x_h^{(l+1)}} w_{h,i}^{(l+1)}"
        r"\right)^2\right) \\ &= \frac{1}{2} \sum_{h=1}^{N_{l+1}} \mathbb{V}\left(\frac{\partial \ell}{\partial x_h^{(l+1)}}"
        r"\right) \mathbb{V}\left(w_{h,i}^{(l+1)}\right).\end{aligned}",
    ),
    why="A layer of $N$ units is dead (all units off) with probability $2^{-N}$. Above a dead layer all derivatives of ReLU are "
    "0, where the derivation takes each to be 0 or 1 with equal chances. The printed value is off by that probability, which "
    "shows in narrow layers only (here $N = 2$ and $N = 3$).",
    expected=Expected.REFUTED,
    correction="backward-exact",
    entry="A15",
)
backward_exact = Statement(
    key="backward-exact",
    says="Each layer that the gradient passes halves its mean square, times the probability that the layers below are alive. "
    "Weights are symmetric without atoms; the output gradient is independent of them, with symmetric entries.",
    formula=r"\mathbb{V}(g_l) = \gamma^2 \prod_{q=l+1}^{L} \frac{N_q v_q}{2} \; \prod_{q=1}^{l} (1 - 2^{-N_q}), \quad l < L",
    why="The signs of the gradient make each mask independent of the weights it meets, as long as the layer below is alive.",
    role=Role.CORRECTED,
    entry="A15",
)
backward_wide = Statement(
    key="backward-wide",
    says="At widths from 16 on, the printed halving holds to far better than the margin.",
    formula=r"\mathbb{V}(g_l) = \frac{1}{2} N_{l+1} v_{l+1} \mathbb{V}(g_{l+1})",
    why="The probability of a dead layer is $2^{-16}$ or less.",
    role=Role.CORRECTED,
    entry="A15",
)
gain = Statement(
    key="gain",
    says=r"A gain of $\sqrt{2}$ on the weights makes up for ReLU: mean squares are kept, forward and backward.",
    source=fleuret("Weight initialization", "the sentence after the backward pass of ReLU", r"\sqrt{2}"),
    formula=r"\mathbb{V}(w^{(l)}) = \frac{2}{N_{l-1}} \Rightarrow \mathbb{V}(s^{(l)}) = \mathbb{V}(s^{(l-1)})",
    why="Twice the variance times one half. True of the mean over networks, and at every scale, since ReLU has no scale of its own.",
    entry="A16",
)
typical_kept = Statement(
    key="typical-kept",
    says="The same read as a statement about the network that one has drawn: the log of its mean square stays where it was.",
    source=fleuret(
        "Weight initialization", "the sentence after the backward pass of ReLU, read for one network", r"\sqrt{2}"
    ),
    formula=r"E \log \frac{|x^{(L)}|^2}{N_L} = \log E (x^{(0)})^2",
    why=r"The mean is carried by rare large networks. The log drifts down by about $\frac{5}{2n}$ a layer, and its variance "
    r"grows by about $\frac{5}{n}$.",
    expected=Expected.REFUTED,
    correction="typical",
    entry="C4",
)
typical = Statement(
    key="typical",
    says="The typical network loses a little at every layer, by an amount that is known exactly (Gaussian weights).",
    formula=r"E \log \frac{|x_l|^2}{|x_{l-1}|^2} = \log v_l + \log 2 + E \, \psi(A/2), \quad A \sim \mathrm{Bin}(N_l, 1/2) "
    r"\text{ given } A \ge 1",
    why="Given $A$ active units, the squared norm is a chi-square with $A$ degrees of freedom, independently of the layers before.",
    role=Role.CORRECTED,
    entry="C4",
)
alive = Statement(
    key="dead-networks",
    says="A network without biases is alive at its last layer with a probability that depends on the widths only.",
    formula=r"P(\text{alive}_L) = \prod_{q=1}^{L} (1 - 2^{-N_q})",
    why=r"Given a live layer, the units of the next are independent, and each is off with probability $\frac{1}{2}$.",
    role=Role.CORRECTED,
    entry="C5",
)
without_gain = Statement(
    key="xavier-keeps-relu",
    says="Xavier initialization keeps the mean square through ReLU layers.",
    formula=r"\mathbb{V}(w) = \frac{2}{n_\mathrm{in} + n_\mathrm{out}} \Rightarrow \mathbb{V}(s^{(l)}) = \mathbb{V}(s^{(l-1)})",
    why=r"It misses the gain of $\sqrt{2}$: half is lost at every layer.",
    expected=Expected.REFUTED,
    role=Role.CONTROL,
    correction="gain",
    entry="A16",
)
centred = Statement(
    key="variance-after-relu",
    says="The variance of a ReLU's output used where its mean square belongs.",
    formula=r"\mathbb{V}(s^{(l)}) = N_{l-1} \mathbb{V}(w^{(l)}) \, \mathbb{V}(\sigma(s^{(l-1)}))",
    why=r"After a ReLU the mean is not 0: for a Gaussian the variance is $1 - \frac{1}{\pi}$ of the mean square.",
    expected=Expected.REFUTED,
    role=Role.CONTROL,
    correction="forward",
    entry="A4",
)
second_order = Statement(
    key="second-order",
    says=r"Networks differ: with Gaussian weights one layer's factor has relative variance $\frac{5}{n}$, and such factors multiply.",
    formula=r"\frac{E|x_l|^4}{(E|x_l|^2)^2} = \prod_{q \le l} \left( 1 + \frac{5}{N_q} \right)",
    why="Mean and mean square of a chi-square whose number of degrees of freedom is binomial.",
    role=Role.CORRECTED,
    entry="C2",
)


def half(layer: int) -> Prediction:
    """N V(w) / 2 for one layer."""
    return formula(N[layer - 1] * v[layer] / 2, "preactivation.ratio", layer, entry="A14")


def _half_at_first(layer: int) -> Prediction:
    return formula(N[0] * v[1] * m0 / 2, "preactivation.second_moment", layer, entry="A14")


def _variance_after_relu(layer: int) -> Prediction:
    return formula(N[layer - 1] * v[layer] * (1 - 1 / sp.pi) / 2, "preactivation.ratio", layer, entry="A4")


study = Study(
    id="relu_halving",
    title="ReLU halves, the square root of two restores",
    question="Does a ReLU halve the variance of signals and of gradients? Does a gain of "
    "sqrt 2 make up for it? And what happens in the one network that is drawn, as opposed to the mean over networks?",
    margin=0.05,
    claims=[
        *claims(forward, [*he, *laws], "preactivation.ratio", [2, 3, -1], half),
        *claims(with_bias, with_biases, "preactivation.second_moment", [1, 2, 3]),
        *claims(backward_printed, tiny[:2], "activation_gradient.second_moment", [1], relu_halving_backward),
        *claims(backward_exact, tiny, "activation_gradient.second_moment", [0, 1], margin=0.1),
        *claims(backward_exact, wide, "activation_gradient.second_moment", [1, 3]),
        *claims(backward_exact, atomless, "preactivation_gradient.ratio", [2, 3]),
        *claims(backward_wide, wide, "activation_gradient.second_moment", [2, 3], relu_halving_backward),
        *claims(gain, he, "preactivation.ratio", [2, 4], 1.0),
        *claims(gain, he[1:4], "preactivation_gradient.ratio", [2, 4], 1.0),
        *claims(typical_kept, deep, "activation.log_second_moment", [-1], 0.0, margin=0.1),
        *claims(typical, deep, "activation.log_second_moment", [2, 10, -1], margin=0.15),
        *claims(typical, deep[1:], "preactivation_gradient.log_second_moment", [1], margin=0.15),
        *claims(alive, tiny, "activation.alive", [1, -1]),
        *claims(second_order, fixed_input, "activation.second_moment", [1, 2], statistic="variance"),
    ],
    controls=[
        *claims(no_half_at_first, he[1:3], "preactivation.second_moment", [1], _half_at_first),
        *claims(without_gain, glorot, "preactivation.ratio", [2, 5], 1.0),
        *claims(centred, he[1:3], "preactivation.ratio", [2], _variance_after_relu),
    ],
)
