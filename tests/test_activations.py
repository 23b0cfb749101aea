"""Activations and their derivatives; what is none is refused."""

import numpy as np
import pytest

from mcverify.activations import Activation, activations, read_activation
from mcverify.errors import InputError

H = np.concatenate([np.linspace(-12, 12, 481), [1e-8, -1e-8, 1e-30]])
PLAIN = {
    "linear": (lambda h: h, np.ones_like),
    "relu": (lambda h: np.where(h > 0, h, 0), lambda h: np.where(h > 0, 1.0, 0.0)),
    "leaky_relu": (lambda h: np.where(h > 0, h, 0.01 * h), lambda h: np.where(h > 0, 1.0, 0.01)),
    "tanh": (np.tanh, lambda h: 1 / np.cosh(h) ** 2),
    "sigmoid": (lambda h: 1 / (1 + np.exp(-h)), lambda h: 1 / (2 + np.exp(h) + np.exp(-h))),
}


@pytest.mark.parametrize("name", activations)
def test_values_and_derivatives(name):
    """To a few roundings of the definition; the plain forms of the derivatives lose some digits themselves."""
    activation = read_activation("activation", name)
    for ours, plain in ((activation(H), PLAIN[name][0]), (activation.derivative(H), PLAIN[name][1])):
        exact = plain(H)
        assert ours.dtype == np.float64
        assert np.max(np.abs(ours - exact) / np.maximum(np.abs(exact), 1e-30)) < 2e-15


@pytest.mark.parametrize("name", activations)
def test_derivative_is_that_of_the_function(name):
    """Central differences of the float64 definition away from the kink; a wrong derivative is caught."""
    h = H[np.abs(H) > 0.01]
    difference = (PLAIN[name][0](h + 1e-4) - PLAIN[name][0](h - 1e-4)) / 2e-4
    derivative = read_activation("activation", name).derivative(h)
    assert np.max(np.abs(derivative - difference)) < 1e-6
    assert np.max(np.abs(1.001 * derivative - difference)) > 1e-6


@pytest.mark.parametrize("name", activations)
def test_homogeneous_flag(name):
    """phi(8 h) = 8 phi(h), to the bit, exactly for those that say so."""
    activation = read_activation("activation", name)
    assert np.array_equal(activation(8 * H), 8 * activation(H)) == activation.homogeneous


def test_nan_stays():
    """NaN in, NaN out."""
    nan = np.float64("nan")
    for name in activations:
        assert np.isnan(read_activation("activation", name)(nan))


WRONG = [
    ("rellu", "did you mean 'relu'"),
    (None, "activation=None"),
    (3, "activation=3"),
    ({"negative_slope": 0.1}, "activation=None"),
    ({"activation": "relu", "negative_slope": 0.1}, "takes no parameters"),
    ({"activation": "leaky_relu", "slope": 0.1}, "takes negative_slope"),
    ({"activation": "leaky_relu", "negative_slope": float("nan")}, "negative_slope=nan"),
]


@pytest.mark.parametrize(("spec", "message"), WRONG)
def test_wrong_activations_are_refused(spec, message):
    """One sentence that names the argument as it was written."""
    with pytest.raises(InputError) as error:
        read_activation("activation", spec)
    assert message in str(error.value)


def test_round_trip():
    """What content says makes the same activation."""
    leaky = Activation("leaky_relu", {"negative_slope": 0.3})
    assert read_activation("activation", leaky.content()) == leaky
    assert leaky.label == "leaky_relu(0.3)"
