"""What the frameworks' default initializations are, and what they do to signals."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from mcverify import Network, Statement, Study
from mcverify.claim import claims
from mcverify.statement import Expected, Role
from studies.texts import d2l_2018, d2l_2020, fleuret
from theory.prediction import Prediction
from theory.sources import formula
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
    says="PyTorch's Linear layer is an instance of the first type of initialization: its weights have variance 1/N_{l-1}.",
    source=fleuret(
        "Weight initialization",
        "the first type, with the code of torch/nn/modules/linear.py",
        r"\mathbb{V}(w^{(l)}) = \frac{1}{N_{l-1}}.",
    ),
    why="The code draws from [-stdv, stdv] with stdv = 1/sqrt(N): a uniform law with that bound has a third of that variance.",
    expected=Expected.REFUTED,
    correction="torch-variance",
    entry="A10",
)
torch_variance = Statement(
    key="torch-variance",
    says="PyTorch's Linear layer has weights of variance 1/(3 N_{l-1}).",
    formula=r"\mathbb{V}(w^{(l)}) = \frac{1}{3 N_{l-1}}",
    why="The variance of a uniform law on [-a, a] is a^2/3.",
    role=Role.CORRECTED,
    entry="A10",
)
torch_keeps = Statement(
    key="torch-keeps-variance",
    says="So PyTorch's default keeps the variance of activations from layer to layer.",
    source=fleuret("Weight initialization", "the first type, with the code of torch/nn/modules/linear.py, its purpose"),
    formula=r"\mathbb{V}(x^{(l)}) = \mathbb{V}(x^{(l-1)})",
    why="A linear layer keeps a third of the second moment, a ReLU layer a sixth; what is left is what the biases put in.",
    expected=Expected.REFUTED,
    correction="torch-signal",
    entry="A10",
)
torch_signal = Statement(
    key="torch-signal",
    says="Under PyTorch's default (weights and biases), the signal falls to a floor that the biases hold up.",
    formula=r"q_l = \frac{q_{l-1}}{3} + \frac{1}{3 N_{l-1}} \text{ (linear)}, \quad q_l = \frac{q_{l-1}}{6} + \frac{1}{3 N_{l-1}} "
    r"\text{ (ReLU, } l \ge 2 \text{)}",
    why="Variance 1/(3N) for weights and biases, and the halving by ReLU.",
    role=Role.CORRECTED,
    entry="A10",
)
mxnet_uniform = Statement(
    key="mxnet-uniform",
    says="MXNet's default draws each weight from the uniform law on [-0.07, 0.07] and sets biases to 0.",
    source=d2l_2018("3.15.2.1. Default Initialization", "first paragraph", r"U[-0.07, 0.07]"),
    formula=r"\mathbb{V}(w) = \frac{0.07^2}{3}",
    why="A description; its variance is 0.00163 whatever the width.",
    entry="A22",
)
mxnet_normal = Statement(
    key="normal-0.01",
    says="The usual explicit choice is a normal law of standard deviation 0.01.",
    source=d2l_2018("3.15.2.1. Default Initialization", "first paragraph, the call of initialize"),
    formula=r"\mathbb{V}(w) = 10^{-4}",
    why="A description; the variance does not depend on the width.",
    entry="A22",
)
works_well = Statement(
    key="works-for-moderate-sizes",
    says="Both choices work quite well for moderate problem sizes: in the sense of variances, layers of such widths keep the signal.",
    source=d2l_2020("Default Initialization", "first paragraph, and the end of the same paragraph in the 2018 edition"),
    formula=r"\frac{\mathbb{V}(h^{(l)})}{\mathbb{V}(h^{(l-1)})} = 1 \text{ at widths from 8 to 256}",
    why="A layer's factor is n v (half of it for ReLU): 0.0008 to 0.026 for the normal, 0.05 to 0.42 for the uniform law.",
    expected=Expected.REFUTED,
    correction="layer-factor",
    entry="A22",
)
layer_factor = Statement(
    key="layer-factor",
    says="A fixed variance multiplies the signal by n v a layer (half of it for ReLU).",
    formula=r"\frac{E (h^{(l)})^2}{E (h^{(l-1)})^2} = N_{l-1} v_l \, c_2, \quad c_2 = 1 \text{ (linear)}, \; \tfrac{1}{2} \text{ (ReLU)}",
    why="The one-step factor of a homogeneous network, exact at every width.",
    role=Role.CORRECTED,
    entry="A22",
)
one_width = Statement(
    key="one-width",
    says="It keeps the signal near one width only: for U[-0.07, 0.07] that is 612 for linear layers and 1224 for ReLU.",
    formula=r"n = \frac{1}{v} \text{ (linear)}, \quad n = \frac{2}{v} \text{ (ReLU)}",
    why="The factor is 1 there.",
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
    entry="A22",
)


def weight_variance(value: Callable[[sp.Expr], sp.Expr]) -> Callable[[int], Prediction]:
    """A prediction for the second moment of the weights: a function of fan_in, as a function of the layer."""
    return lambda l: formula(value(N[l - 1]), "weight.second_moment", l, entry="A22")


def forward_factor(share: sp.Expr) -> Callable[[int], Prediction]:
    """A share of N v, as a function of the layer."""
    return lambda l: formula(share * N[l - 1] * v[l], "preactivation.ratio", l, entry="A22")


def _by_activation(nets: list[Network], activation: str) -> list[Network]:
    return [net for net in nets if net.activation.name == activation]


fixed = [*small_normal, *default_uniform]

study = Study(
    id="default_initializations",
    title="Default initializations",
    question="What variance do the defaults of PyTorch and MXNet give the weights, what do they do to a signal layer by layer, and at "
    "which widths would they keep it?",
    margin=0.05,
    claims=[
        *claims(torch_as_instance, torch_linear, "weight.second_moment", [1, 2], weight_variance(lambda n: 1 / n)),
        *claims(torch_variance, torch_linear, "weight.second_moment", [1, 2], weight_variance(lambda n: 1 / (3 * n))),
        *claims(torch_keeps, without_biases, "activation.ratio", [1, 2, 3], 1.0),
        *claims(torch_keeps, torch_relu[1:3], "preactivation.second_moment", [4], 1.0),
        *claims(torch_signal, [*torch_linear, *torch_relu, *torch_chain], "preactivation.second_moment", [1, 2, 3, 4]),
        *claims(
            mxnet_uniform,
            default_uniform[:2],
            "weight.second_moment",
            [1],
            weight_variance(lambda _: sp.Rational(49, 30000)),
        ),
        *claims(
            mxnet_normal,
            small_normal[:4],
            "weight.second_moment",
            [1],
            weight_variance(lambda _: sp.Rational(1, 10000)),
        ),
        *claims(works_well, fixed, "preactivation.ratio", [2, 3], 1.0),
        *claims(
            layer_factor,
            _by_activation(fixed, "linear"),
            "preactivation.ratio",
            [2, 3],
            forward_factor(sp.Integer(1)),
        ),
        *claims(
            layer_factor,
            _by_activation(fixed, "relu"),
            "preactivation.ratio",
            [2, 3],
            forward_factor(sp.Rational(1, 2)),
        ),
        *claims(one_width, at_its_width, "preactivation.ratio", [2], 1.0),
    ],
    controls=[
        *claims(
            uniform_as_std,
            default_uniform[:1],
            "weight.second_moment",
            [1],
            weight_variance(lambda _: sp.Rational(49, 10000)),
        )
    ],
)
