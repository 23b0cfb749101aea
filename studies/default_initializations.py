"""What the frameworks' default initializations are, and what they do to signals."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from mcverify import Network, Statement, Study
from mcverify.claim import claims
from mcverify.statement import Expected, Role
from studies.texts import d2l_2018, d2l_2020, fleuret
from theory.formulas import formula
from theory.prediction import Prediction
from theory.symbols import N, v


def _net(widths: tuple[int, ...], weights: object, activation: str, biases: object = "zeros") -> Network:
    return Network(widths=widths, activation=activation, weights=weights, biases=biases)


torch_linear = [_net((n,) * 5, "torch_linear", "linear", "torch_linear") for n in (8, 32, 128)]
torch_relu = [_net((n,) * 5, "torch_linear", "relu", "torch_linear") for n in (8, 32, 128, 256)]
torch_chain = [_net((24, 64, 16, 48), "torch_linear", "linear", "torch_linear")]
without_biases = [_net((32,) * 4, "torch_linear", "linear")]
small_normal = [_net((n,) * 4, "mxnet_normal", act) for n in (8, 32, 128, 256) for act in ("linear", "relu")]
default_uniform = [_net((n,) * 4, "mxnet_uniform", act) for n in (32, 128, 256) for act in ("linear", "relu")]
at_its_width = [_net((612, 612, 612), "mxnet_uniform", "linear"), _net((1224, 1224, 1224), "mxnet_uniform", "relu")]

torch_as_instance = Statement(
    key="torch-as-instance",
    says="PyTorch's `Linear` is an example of the first type of initialization: its weights have variance $1/N_{l-1}$.",
    source=fleuret(
        "Weight initialization",
        "the first type, with the code of torch/nn/modules/linear.py",
        r"\mathbb{V}(w^{(l)}) = \frac{1}{N_{l-1}}.",
    ),
    why=r"The code takes `stdv` $= 1/\sqrt{N_{l-1}}$ for the bound of a uniform law, whose variance is a third of the squared bound.",
    expected=Expected.REFUTED,
    correction="torch-variance",
    entry="A10",
)
torch_variance = Statement(
    key="torch-variance",
    says="Weights and biases of PyTorch's `Linear` have variance $1/(3 N_{l-1})$.",
    formula=r"\mathbb{V}(w^{(l)}) = \mathbb{V}(b^{(l)}) = \frac{1}{3 N_{l-1}}",
    why="A uniform law on $[-a, a]$ has variance $a^2/3$.",
    role=Role.CORRECTED,
    entry="A10",
)
torch_keeps = Statement(
    key="torch-keeps-variance",
    says="So PyTorch's default does what the first type is for: it keeps the variance of the activations.",
    source=fleuret(
        "Weight initialization", "the first type, with the code of torch/nn/modules/linear.py, read for its purpose"
    ),
    formula=r"\mathbb{V}(x^{(l)}) = \mathbb{V}(x^{(l-1)})",
    why="A linear layer keeps a third of the mean square, a ReLU layer a sixth; the rest of what is seen comes from the biases.",
    expected=Expected.REFUTED,
    correction="torch-signal",
    entry="A10",
)
torch_signal = Statement(
    key="torch-signal",
    says="Under PyTorch's default the mean square $q_l$ of the preactivations falls to a floor that the biases hold up.",
    formula=r"q_l = \frac{q_{l-1}}{3} + \frac{1}{3 N_{l-1}} \text{ (linear)}, \quad q_l = \frac{q_{l-1}}{6} + \frac{1}{3 N_{l-1}} "
    r"\text{ (ReLU, } l \ge 2 \text{)}",
    why="Variance $1/(3 N_{l-1})$ for weights and biases, and the halving by ReLU. Exact at every width.",
    role=Role.CORRECTED,
    entry="A10",
)
mxnet_uniform = Statement(
    key="mxnet-uniform",
    says="MXNet's default draws each weight from a uniform law, the same at every width.",
    source=d2l_2018(
        "3.15.2.1. Default Initialization", "the sentence on the default random initialization", r"U[-0.07, 0.07]"
    ),
    formula=r"E w^2 = \frac{0.07^2}{3}, \quad E w^4 = \frac{0.07^4}{5}",
    why="A description. The variance is 0.00163 whatever the width.",
    entry="A22",
)
mxnet_normal = Statement(
    key="mxnet-normal",
    says="The explicit choice of the earlier sections, `init.Normal(sigma=0.01)`, is a normal law with standard deviation 0.01.",
    source=d2l_2018("3.15.2.1. Default Initialization", "first sentence, with the call of initialize"),
    formula=r"E w^2 = 10^{-4}, \quad E w^4 = 3 \cdot 10^{-8}",
    why="A description. The variance does not depend on the width.",
    entry="A22",
)
works_well = Statement(
    key="works-for-moderate-sizes",
    says="Both choices do well as long as a problem is of moderate size: read as, layers of such widths keep the variance.",
    source=d2l_2018("3.15.2.1. Default Initialization", "last sentence"),
    formula=r"\frac{\mathbb{V}(h^{(l)})}{\mathbb{V}(h^{(l-1)})} = 1 \text{ at widths from 8 to 256}",
    why="A layer's factor is $n v$ (half of it for ReLU): 0.0004 to 0.026 for the normal law, 0.026 to 0.42 for the uniform one.",
    expected=Expected.REFUTED,
    correction="layer-factor",
    entry="A22",
)
default_works = Statement(
    key="framework-default-works",
    says="The later edition says so of the default of whatever framework; put to the test with PyTorch's and ReLU.",
    source=d2l_2020("Default Initialization", "last sentence"),
    formula=r"\mathbb{V}(h^{(3)}) = \mathbb{V}(x^{(0)}) \text{ at widths from 8 to 256}",
    why="By layer 3 most of the signal is gone at any width, and what is left comes from the biases.",
    expected=Expected.REFUTED,
    correction="torch-signal",
    entry="A10",
)
layer_factor = Statement(
    key="layer-factor",
    says="A fixed variance $v$ multiplies the signal by $n v$ a layer (half of it for ReLU).",
    formula=r"\frac{E (h^{(l)})^2}{E (h^{(l-1)})^2} = N_{l-1} v_l \, c_2, \quad c_2 = 1 \text{ (linear)}, \; \tfrac{1}{2} \text{ (ReLU)}",
    why="The one-step factor of linear and ReLU networks, exact at every width.",
    role=Role.CORRECTED,
    entry="A22",
)
one_width = Statement(
    key="one-width",
    says="It keeps the signal near one width only: for the uniform law on $[-0.07, 0.07]$ that is 612 for linear layers, 1224 for ReLU.",
    formula=r"n = \frac{1}{v} \text{ (linear)}, \quad n = \frac{2}{v} \text{ (ReLU)}",
    why="There the factor is 0.9996, the nearest to 1 that a whole width gives.",
    role=Role.CORRECTED,
    entry="A22",
)
uniform_as_std = Statement(
    key="bound-as-standard-deviation",
    says="The bound of the uniform law taken for its standard deviation.",
    formula=r"\mathbb{V}(w) = 0.07^2",
    why="The variance is a third of the squared bound.",
    expected=Expected.REFUTED,
    role=Role.CONTROL,
    correction="mxnet-uniform",
    entry="A22",
)


def of_entries(observable: str, value: Callable[[sp.Expr], sp.Expr], entry: str) -> Callable[[int], Prediction]:
    """A prediction for a moment of weights or biases: a function of fan_in, as a function of the layer."""
    return lambda l: formula(value(N[l - 1]), observable, l, entry=entry)


def _factor(share: sp.Expr) -> Callable[[int], Prediction]:
    """A share of N v, as a function of the layer."""
    return lambda l: formula(share * N[l - 1] * v[l], "preactivation.ratio", l, entry="A22")


def _by_activation(nets: list[Network], activation: str) -> list[Network]:
    return [net for net in nets if net.activation.name == activation]


fixed = [*small_normal, *default_uniform]
BOUND = sp.Rational(7, 100)
WEIGHT2, WEIGHT4 = "weight.second_moment", "weight.fourth_moment"

study = Study(
    id="default_initializations",
    title="Default initializations",
    question="What variance do the defaults of PyTorch and MXNet give to weights? What do they do to a signal layer by layer, and at "
    "which widths would they keep it?",
    margin=0.05,
    claims=[
        *claims(torch_as_instance, torch_linear, WEIGHT2, [1, 2], of_entries(WEIGHT2, lambda n: 1 / n, "A10")),
        *claims(torch_variance, torch_linear, WEIGHT2, [1, 2], of_entries(WEIGHT2, lambda n: 1 / (3 * n), "A10")),
        *claims(
            torch_variance,
            torch_linear,
            "bias.second_moment",
            [1, 2],
            of_entries("bias.second_moment", lambda n: 1 / (3 * n), "A10"),
        ),
        *claims(torch_keeps, without_biases, "activation.ratio", [1, 2, 3], 1.0),
        *claims(torch_keeps, torch_relu[1:3], "preactivation.second_moment", [4], 1.0),
        *claims(torch_signal, [*torch_linear, *torch_relu, *torch_chain], "preactivation.second_moment", [1, 2, 3, 4]),
        *claims(mxnet_uniform, default_uniform[:2], WEIGHT2, [1], of_entries(WEIGHT2, lambda _: BOUND**2 / 3, "A22")),
        *claims(mxnet_uniform, default_uniform[:1], WEIGHT4, [1], of_entries(WEIGHT4, lambda _: BOUND**4 / 5, "A22")),
        *claims(
            mxnet_normal,
            small_normal[:4],
            WEIGHT2,
            [1],
            of_entries(WEIGHT2, lambda _: sp.Rational(1, 10**4), "A22"),
        ),
        *claims(
            mxnet_normal,
            small_normal[2:4],
            WEIGHT4,
            [1],
            of_entries(WEIGHT4, lambda _: sp.Rational(3, 10**8), "A22"),
        ),
        *claims(works_well, fixed, "preactivation.ratio", [2, 3], 1.0),
        *claims(default_works, torch_relu, "preactivation.second_moment", [3], 1.0),
        *claims(layer_factor, _by_activation(fixed, "linear"), "preactivation.ratio", [2, 3], _factor(sp.Integer(1))),
        *claims(layer_factor, _by_activation(fixed, "relu"), "preactivation.ratio", [2, 3], _factor(sp.Rational(1, 2))),
        *claims(one_width, at_its_width[:1], "preactivation.ratio", [2], _factor(sp.Integer(1))),
        *claims(one_width, at_its_width[1:], "preactivation.ratio", [2], _factor(sp.Rational(1, 2))),
    ],
    controls=[
        *claims(uniform_as_std, default_uniform[:1], WEIGHT2, [1], of_entries(WEIGHT2, lambda _: BOUND**2, "A22"))
    ],
)
