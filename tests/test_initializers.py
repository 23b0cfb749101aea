"""Published schemes have their published variances."""

import pytest

from mcverify import initializers
from mcverify.errors import InputError
from mcverify.initializers import read_scheme

FAN_IN, FAN_OUT = 6, 4
VARIANCES = [
    ("lecun_normal", "normal", 1 / 6),
    ("lecun_uniform", "uniform", 1 / 6),
    ("he_normal", "normal", 1 / 3),
    ("he_uniform", "uniform", 1 / 3),
    ("xavier_normal", "normal", 1 / 5),
    ("glorot_normal", "normal", 1 / 5),
    ("xavier_uniform", "uniform", 1 / 5),
    ("glorot_uniform", "uniform", 1 / 5),
    ("torch_linear", "uniform", 1 / 18),
    ("mxnet_uniform", "uniform", 0.07**2 / 3),
    ("mxnet_normal", "normal", 1e-4),
    ("zeros", "constant", None),
    ({"scheme": "he_normal", "mode": "fan_out"}, "normal", 1 / 2),
    ({"scheme": "he_normal", "gain": 3}, "normal", 9 / 6),
    ({"scheme": "he_uniform", "negative_slope": 1}, "uniform", 1 / 6),
    ({"scheme": "xavier_normal", "mode": "fan_in", "gain": 2}, "normal", 4 / 6),
]


@pytest.mark.parametrize(("spec", "law", "variance"), VARIANCES)
def test_variance(spec, law, variance):
    """Law and variance at fan_in 6, fan_out 4."""
    resolved = read_scheme("weights", spec).resolve(FAN_IN, FAN_OUT)
    assert resolved.name == law
    assert resolved.variance == (variance and pytest.approx(variance, rel=1e-15))


def test_factories_make_the_same_schemes():
    """HeNormal() is what "he_normal" is."""
    assert initializers.HeNormal(mode="fan_out") == read_scheme("w", {"scheme": "he_normal", "mode": "fan_out"})
    assert initializers.GlorotNormal() == read_scheme("w", "xavier_normal")
    assert initializers.HeNormal(gain=2.0).label == "he_normal(gain=2.0)"


WRONG = [
    ("he_norml", "did you mean 'he_normal'"),
    ({"scheme": "he_normal", "mode": "fan_on"}, "did you mean 'fan_in'"),
    ({"scheme": "he_normal", "gain": -1}, "weights.gain=-1"),
    ({"scheme": "he_normal", "gain": 1, "negative_slope": 0}, "give one of them"),
    ({"scheme": "xavier_normal", "negative_slope": 0.1}, "weights.negative_slope=0.1"),
    ({"scheme": "zeros", "gain": 1}, "takes no options"),
    ({"scheme": "he_normal", "fan": 1}, "weights.fan=1"),
]


@pytest.mark.parametrize(("spec", "message"), WRONG)
def test_wrong_schemes_are_refused(spec, message):
    """One sentence that names the argument as it was written."""
    with pytest.raises(InputError) as error:
        read_scheme("weights", spec)
    assert message in str(error.value)
