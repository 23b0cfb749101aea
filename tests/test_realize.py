"""The tensors of one replicate: shapes, types, scales; addressed by seed and replicate."""

import numpy as np
import pytest

import mcverify as mc
from mcverify.errors import InputError

NET = mc.Network(widths=(3, 5, 2), weights="he_normal", biases="torch_linear", input={"law": "normal", "mean": 2})


def test_shapes_and_types():
    """Lists of float32 arrays, (fan_out, fan_in) and (fan_out,), layer 1 first."""
    real = mc.realize(NET, seed=1, replicate=2)
    assert [w.shape for w in real["weights"]] == [(5, 3), (2, 5)]
    assert [b.shape for b in real["biases"]] == [(5,), (2,)]
    assert (real["input"].shape, real["output_gradient"].shape) == ((3,), (2,))
    assert {t.dtype for t in [*real["weights"], *real["biases"], real["input"]]} == {np.dtype("float32")}


def test_addressed_by_seed_and_replicate():
    """Equal calls are equal to the bit; another seed or replicate, and each tensor, differs."""
    first = mc.realize(NET, 1, 2)["weights"][0]
    assert np.array_equal(first, mc.realize(NET, 1, 2)["weights"][0])
    for seed, replicate in ((1, 3), (2, 2), (1, 2 + 2**32)):
        assert not np.any(first == mc.realize(NET, seed, replicate)["weights"][0])
    square = mc.realize(mc.Network(widths=(4, 4, 4)), 0, 0)
    assert not np.any(square["weights"][0] == square["weights"][1])


@pytest.mark.entry("FW")
def test_bounds():
    """A uniform scheme stays within its published bounds; constants are constants; values are kept."""
    net = mc.Network(
        widths=(50, 50), weights="xavier_uniform", biases={"law": "constant", "value": 0.5}, input=[1.0] * 50
    )
    real = mc.realize(net)
    bound = (6 / 100) ** 0.5
    assert 0.98 * bound < np.max(np.abs(real["weights"][0])) <= bound * (1 + 1e-6)
    assert np.all(real["biases"][0] == 0.5)
    assert np.all(real["input"] == 1)


def test_loss_has_no_output_gradient():
    """With a loss the gradient follows from the forward pass."""
    loss = {"loss": "half_squared_error", "target": [0, 0]}
    assert mc.realize(NET.replace(output_gradient=loss))["output_gradient"] is None


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"seed": 0.5}, {"replicate": -1}, {"replicate": None}])
def test_wrong_arguments(wrong):
    """Named in the error."""
    with pytest.raises(InputError, match=next(iter(wrong))):
        mc.realize(NET, **wrong)
