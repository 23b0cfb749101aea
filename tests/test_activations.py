"""Activations and their derivatives; what is none is refused."""

import numpy as np
import pytest

from mcverify.activations import Activation, activations, read_activation
from mcverify.errors import InputError

H = np.concatenate([np.linspace(-12, 12, 481), [1e-8, -1e-8, 1e-30]])


@pytest.mark.parametrize("name", activations)
def test_derivative_is_that_of_the_function(name):
    """Central differences away from kinks, to 1e-6; a derivative 0.1 % off is caught."""
    h = H[(np.abs(H) > 0.01) & (np.abs(np.abs(H) - 1) > 0.01) & (np.abs(H - 6) > 0.01) & (H < 9)]
    activation = read_activation("activation", name)
    difference = (activation(h + 1e-5) - activation(h - 1e-5)) / 2e-5
    derivative = activation.derivative(h)
    assert np.max(np.abs(derivative - difference)) < 1e-6
    assert np.max(np.abs(1.001 * derivative - difference)) > 1e-6


@pytest.mark.parametrize("name", activations)
def test_parameters(name):
    """A parameter changes phi on one side, and phi' with it."""
    for key in activations[name].defaults:
        activation, other = read_activation("activation", name), Activation(name, {key: 0.7})
        for one, two in ((activation, other), (activation.derivative, other.derivative)):
            assert not np.array_equal(one(H[H < 0]), two(H[H < 0]))
            assert np.array_equal(one(H[H > 0]), two(H[H > 0]))
        h = H[H < -0.01]
        difference = (other(h + 1e-5) - other(h - 1e-5)) / 2e-5
        assert np.max(np.abs(other.derivative(h) - difference)) < 1e-6


@pytest.mark.parametrize("name", activations)
def test_homogeneous_flag(name):
    """phi(8 h) = 8 phi(h), to the bit, exactly for those that say so."""
    activation = read_activation("activation", name)
    assert np.array_equal(activation(8 * H), 8 * activation(H)) == activation.homogeneous


@pytest.mark.parametrize("name", activations)
def test_flat_flag(name):
    """phi or phi' is 0 at several points for those that say so; a parameter may make others so."""
    activation = read_activation("activation", name)
    h = H[(np.abs(H) < 9) & (np.abs(H) > 1e-6)]
    zeros = max(np.sum(activation(h) == 0), np.sum(activation.derivative(h) == 0))
    assert (zeros > 1) == activation.flat


WRONG = [
    ("rellu", "did you mean 'relu'"),
    (None, "activation=None"),
    (3, "activation=3"),
    ({"negative_slope": 0.1}, "give the key `activation` or `expression`"),
    ({"activation": "relu", "negative_slope": 0.1}, "takes no parameters"),
    ({"activation": "leaky_relu", "slope": 0.1}, "takes negative_slope"),
    ({"activation": "leaky_relu", "negative_slope": float("nan")}, "negative_slope=nan"),
    ({"activation": "celu", "alpha": 0}, "alpha=0"),
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
    assert Activation("prelu") == Activation("prelu", {"negative_slope": 0.25}) != leaky
    assert hash(Activation("prelu")) == hash(Activation("prelu", {"negative_slope": 0.25}))
