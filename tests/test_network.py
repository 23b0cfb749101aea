"""Networks: every form of every argument, and every mistake."""

import json
import pickle

import numpy as np
import pytest

import mcverify as mc
from mcverify import initializers
from mcverify.distributions import Law
from mcverify.errors import InputError

HALF = {"loss": "half_squared_error", "target": [1.0, 2.0]}


def test_same_network_in_several_forms():
    """A scheme, its object, and the law it stands for are one network, with one content."""
    forms = [
        "he_normal",
        {"scheme": "he_normal"},
        initializers.HeNormal(),
        {"law": "normal", "variance": [2 / 4, 2 / 8]},
        [Law("normal", 2 / 4), {"law": "normal", "variance": 2 / 8}],
    ]
    nets = [mc.Network(widths=[np.int64(4), 8, 2], activation="relu", weights=form) for form in forms]
    assert len({net.canonical for net in nets}) == 1
    assert len(set(nets)) == 1
    assert json.loads(nets[0].canonical) == nets[0].content()


def test_defaults():
    """No biases, standard normal input and output gradient, the same activation in the last layer."""
    net = mc.Network(widths=(3, 2), activation="tanh", weights="lecun_normal")
    assert net.bias_laws[0].is_zero
    assert net.input_law == net.output_gradient_law == Law("normal", 1.0)
    assert net.output_activation.name == "tanh"
    assert not net.homogeneous
    assert (net.depth, net.n_weights) == (1, 6)


def test_vectors():
    """Values, laws with a mean, and the loss."""
    net = mc.Network(widths=(3, 2), input=np.array([1, 2, 3]), output_gradient=HALF)
    assert (net.input_values, net.input_law) == ((1.0, 2.0, 3.0), None)
    assert (net.target, net.output_gradient_law) == ((1.0, 2.0), None)
    shifted = mc.Network(widths=(3, 2), input={"law": "uniform", "mean": 0.5}, output_gradient="rademacher")
    assert shifted.input_law == Law("uniform", 1.0, mean=0.5)
    assert shifted.output_gradient_law == Law("rademacher", 1.0)


def test_replace():
    """Schemes are resolved anew for new widths; what decides nothing does not change equality."""
    net = mc.Network(widths=(4, 4), activation="relu", weights="he_normal")
    assert net.replace(widths=(8, 4)).weight_laws[0].variance == 1 / 4
    assert net.replace(activation="tanh").output_activation.name == "tanh"
    assert net.replace(weights={"law": "normal", "variance": 0.5}) == net
    with pytest.raises(InputError, match="did you mean 'widths'"):
        net.replace(width=3)


def test_pickle():
    """A network survives a trip to another process."""
    net = mc.Network(widths=(4, 2), activation={"activation": "leaky_relu"}, weights="he_normal", output_gradient=HALF)
    assert pickle.loads(pickle.dumps(net)) == net


LABELS = [
    ({"widths": (64, *[128] * 10), "activation": "relu", "weights": "he_normal"}, "64-128x10 relu he_normal"),
    ({"widths": (4, 4), "weights": {"law": "normal", "variance": 0.25}}, "4-4 linear normal(variance=0.25)"),
    (
        {"widths": (4, 4, 4), "biases": "torch_linear", "output_activation": "tanh"},
        "4x3 linear lecun_normal biases torch_linear output tanh",
    ),
]


@pytest.mark.parametrize(("arguments", "label"), LABELS)
def test_label(arguments, label):
    """Short text that says what is drawn."""
    assert mc.Network(**arguments).label == label


WRONG = [
    ({"widths": (4,)}, "widths=(4,)"),
    ({"widths": "4,4"}, "widths='4,4'"),
    ({"widths": 4}, "widths=4"),
    ({"widths": (4, 0)}, "widths[1]=0"),
    ({"widths": (4, -3)}, "widths[1]=-3"),
    ({"widths": (4, 2.5)}, "widths[1]=2.5"),
    ({"widths": (4, True)}, "widths[1]=True"),
    ({"widths": (4, "8")}, "widths[1]='8'"),
    ({"widths": (4, None)}, "widths[1]=None"),
    ({"widths": (1 << 20, 1 << 20)}, "too large"),
    ({"activation": "rellu"}, "activation='rellu'"),
    ({"output_activation": "softmax"}, "output_activation='softmax'"),
    ({"weights": "kaiming"}, "weights='kaiming'"),
    ({"weights": 0.1}, "weights=0.1"),
    ({"weights": {"variance": 0.1}}, "the key `scheme` or `law`"),
    ({"weights": None}, "weights=None"),
    ({"weights": {"law": "normal", "variance": -0.1}}, "weights.variance=-0.1"),
    ({"weights": {"law": "normal", "variance": [0.1]}}, "one a layer, 2 in all"),
    ({"weights": ["he_normal"]}, "one a layer, 2 in all"),
    ({"weights": ["he_normal", {"law": "normal", "variance": -1}]}, "weights[1].variance=-1"),
    ({"biases": {"law": "orthogonal"}}, "biases.law='orthogonal'"),
    ({"biases": "zeroes"}, "biases='zeroes'"),
    ({"input": [1, 2]}, "list of 2"),
    ({"input": 3}, "no list"),
    ({"input": [1, 2, float("nan")]}, "input[2]=nan"),
    ({"input": [1, 2, 1e39]}, "input[2]=1e+39"),
    ({"input": ["a", 2, 3]}, "input[0]='a'"),
    ({"input": "identity"}, "only one vector"),
    ({"input": [[1, 2, 3], [4, 5]]}, "`input[1]=[4, 5]` is a list of 2; give 3 numbers"),
    ({"input": [[1, 2, 3], [4, 5, float("inf")]]}, "input[1][2]=inf"),
    ({"input": [[1, 2, 3], 4]}, "`input[1]=4` is no list"),
    ({"input": [[1, 2, 3]]}, "has one row"),
    ({"input": [[[1, 2, 3]] * 3] * 2}, "only one vector"),
    ({"output_gradient": [[1, 2], [3, 4]]}, "only one vector"),
    ({"input": "gaussian"}, "input.law='gaussian'"),
    ({"input": {"law": "student_t", "df": 2}}, "has no variance"),
    ({"output_gradient": {"law": "normal", "mean": 1}}, "output_gradient.mean"),
    ({"output_gradient": {"loss": "cross_entropy", "target": [1, 2]}}, "output_gradient.loss='cross_entropy'"),
    ({"output_gradient": {"loss": "half_squared_error"}}, "one further key, `target`"),
    ({"output_gradient": {"loss": "half_squared_error", "target": [1]}}, "list of 1"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_mistakes_are_refused(arguments, message):
    """One clear error that names the argument as it was written."""
    with pytest.raises(InputError) as error:
        mc.Network(**{"widths": (3, 4, 2), **arguments})
    assert message in str(error.value)
    assert "\n" not in str(error.value)
