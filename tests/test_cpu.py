"""The fast simulator is the plain one, to rounding, on every law and activation; its bits depend on nothing else."""

import concurrent.futures

import numpy as np
import pytest

import mcverify as mc
from mcverify import observables
from mcverify.kernels import KINDS, cpu, reference
from mcverify.kernels.columns import columns_of

LAWS = {
    "normal": {"law": "normal", "variance": 0.3},
    "uniform": {"law": "uniform", "variance": 0.3},
    "truncated": {"law": "truncated_normal", "variance": 0.3, "bound": 1.5},
    "cut": {"law": "truncated_normal", "variance": 0.3, "rescaled": False},
    "rademacher": {"law": "rademacher", "variance": 0.3},
    "laplace": {"law": "laplace", "variance": 0.3},
    "student_t": {"law": "student_t", "df": 5, "variance": 0.3},
    "cauchy": {"law": "student_t", "df": 1, "scale": 0.3},
    "sparse": {"law": "sparse", "sparsity": 0.4, "variance": 0.3},
    "orthogonal": {"law": "orthogonal", "gain": 1.3},
    "constant": {"law": "constant", "value": -0.3},
}
ACTIVATIONS = ["linear", "relu", {"activation": "leaky_relu", "negative_slope": 0.2}, "tanh", "sigmoid"]


def net_of(law, activation, **more):
    """A small network with random biases; no width is a multiple of 4."""
    spec = LAWS[law]
    biases = {"law": "normal", "variance": 0.1} if law == "orthogonal" else spec
    arguments = {"widths": (5, 7, 3, 6), "activation": activation, "weights": spec, "biases": biases}
    return mc.Network(**{**arguments, "input": {"law": "uniform", "mean": 0.5}, **more})


def largest_difference(net, ours, plain):
    """The largest difference of two blocks: relative, for means to the root second moment, for logs absolute."""
    columns = observables.columns(net.depth)
    place = {observable: i for i, observable in enumerate(columns)}
    worst = 0.0
    for i, observable in enumerate(columns):
        a, b = ours.values[:, i], plain.values[:, i]
        scale = np.abs(b)
        if observable.statistic == "mean":
            second = observables.Observable(observable.tensor, "second_moment", observable.layer)
            scale = np.sqrt(plain.values[:, place[second]])
        if observable.statistic == "log_second_moment":
            scale = np.ones_like(b)
        differ = ~((a == b) | (np.isnan(a) & np.isnan(b)))
        if np.any(differ):
            worst = max(worst, float(np.max(np.abs(a[differ] - b[differ]) / scale[differ])))
    return worst


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
@pytest.mark.parametrize("law", LAWS)
def test_agrees_with_reference(law, activation):
    """Every observable to 1e-6 (powers of weights are added in float32, 32 at a time); kinds are equal."""
    net = net_of(law, activation)
    ours, plain = cpu.simulate_block(net, 3, 250, 9), reference.simulate_block(net, 3, 250, 9)
    assert largest_difference(net, ours, plain) < 1e-6
    assert np.array_equal(ours.kinds, plain.kinds)


@pytest.mark.parametrize("activation", ["gelu", "hardtanh", "sine", {"activation": "celu", "alpha": 0.5}], ids=str)
def test_agrees_with_reference_on_other_activations(activation):
    """One of each family; `test_functions` has the compiled functions of all, equal to the plain ones."""
    net = net_of("normal", activation)
    ours, plain = cpu.simulate_block(net, 3, 250, 9), reference.simulate_block(net, 3, 250, 9)
    assert largest_difference(net, ours, plain) < 1e-6
    assert np.array_equal(ours.kinds, plain.kinds)


def test_comparison_catches_a_wrong_weight():
    """Planted fault: networks whose weight variance is 0.1 % off differ by more than the tolerance."""
    net = net_of("normal", "relu")
    wrong = net.replace(weights={"law": "normal", "variance": 0.3003})
    chunk = cpu._Chunk(cpu.Plan(wrong, cpu.key(3, net.canonical), 4), 0, kinds := np.zeros(4, np.uint8))
    chunk.run()
    values = np.empty((4, len(observables.columns(net.depth))))
    chunk.write_columns(values)
    assert largest_difference(net, cpu.Block(values, kinds), reference.simulate_block(net, 3, 0, 4)) > 1e-4


MORE = {
    "values and loss": {
        "biases": "zeros",
        "output_activation": "tanh",
        "input": [1.0, -2.0, 0.5, 0.0, 3.0],
        "output_gradient": {"loss": "half_squared_error", "target": [1, 2, 3, 4, 5, 6]},
    },
    "laws by layer": {"weights": ["he_uniform", "lecun_normal", {"law": "rademacher", "variance": 1}]},
    "heavy input": {"input": {"law": "student_t", "df": 3}, "output_gradient": "laplace"},
    "wide": {"widths": (70, 130, 66), "weights": "he_normal"},
    "one unit": {"widths": (1, 1, 1)},
}


@pytest.mark.parametrize("case", MORE)
def test_agrees_with_reference_in_other_forms(case):
    """Given values, a loss, laws that differ by layer, widths beyond a tile."""
    net = net_of("normal", "relu", **MORE[case])
    ours, plain = cpu.simulate_block(net, 0, 0, 5), reference.simulate_block(net, 0, 0, 5)
    assert largest_difference(net, ours, plain) < 1e-6
    assert np.array_equal(ours.kinds, plain.kinds)


@pytest.mark.parametrize(("law", "activation"), [("normal", "relu"), ("sparse", "tanh"), ("orthogonal", "linear")])
def test_blocks_change_no_bit(law, activation, monkeypatch):
    """Whole, in pieces, in threads, with other lanes or tiles, weights kept or drawn again: the same bytes."""
    net = net_of(law, activation, widths=(9, 21, 6))
    whole = cpu.simulate_block(net, 7, 100, 70)

    def piece(at):
        return cpu.simulate_block(net, 7, 100 + at, 10).values

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        assert np.concatenate(list(pool.map(piece, range(0, 70, 10)))).tobytes() == whole.values.tobytes()
    for lanes, tile, store in ((16, 1 << 12, 0), (1, 1, 1 << 30), (64, 1 << 14, 0), (64, 1, 1 << 30)):
        monkeypatch.setattr(cpu, "lanes_of", lambda net, lanes=lanes: lanes)
        monkeypatch.setattr(cpu, "TILE", tile)
        monkeypatch.setattr(cpu, "STORE_BYTES", store)
        assert cpu.simulate_block(net, 7, 100, 70).values.tobytes() == whole.values.tobytes()


def test_replicates_past_32_bits():
    """Replicates are 64-bit: a block that crosses 2^32 agrees with `reference`."""
    net = net_of("normal", "relu")
    first = 2**32 - 2
    ours, plain = cpu.simulate_block(net, 0, first, 4), reference.simulate_block(net, 0, first, 4)
    assert largest_difference(net, ours, plain) < 1e-6


def logs_of_linear(net, seed, replicate):
    """Logs of the mean squares of h_1..h_L and of the gradients g_0..g_L of a deep linear network, by normalizing."""
    real = mc.realize(net, seed, replicate)
    weights = [w.astype(float) for w in real["weights"]]
    forward, x, log = [], real["input"].astype(float), 0.0
    for w in weights:
        x = w @ x
        log += np.log(np.mean(x**2))
        forward.append(log)
        x /= np.sqrt(np.mean(x**2))
    backward, g, log = [], real["output_gradient"].astype(float), 0.0
    for w in reversed(weights):
        g = w.T @ g
        log += np.log(np.mean(g**2))
        backward.append(log)
        g /= np.sqrt(np.mean(g**2))
    return np.array(forward), np.array(backward[::-1])


@pytest.mark.parametrize("variance", [1e-3, 0.25, 1e3])
def test_deep_and_far_from_critical(variance):
    """2000 linear layers, gains from vanishing to exploding: logs finite and right to 1e-8 nats of some 10^4.

    Rounding: 1e-16 a layer, times what cancels in a sum of 4 terms, at worst some 10^4 among 8000 sums; and 1e-12 of
    every logarithm.
    """
    net = mc.Network(widths=(4,) * 2001, weights={"law": "normal", "variance": variance})
    block = cpu.simulate_block(net, 0, 0, 2)
    columns = observables.columns(net.depth)
    names = np.array([c.name for c in columns])
    for row in range(2):
        forward, backward = logs_of_linear(net, 0, row)
        values = block.values[row]
        assert np.max(np.abs(values[names == "preactivation.log_second_moment"] - forward)) < 1e-8
        ours = values[names == "activation_gradient.log_second_moment"][:-1]
        assert np.max(np.abs(ours - backward)) < 1e-8
        ratio = values[names == "preactivation.ratio"]
        assert np.allclose(np.log(ratio), np.diff(forward), atol=1e-8)
    assert list(block.kinds) == [0, 0]


def test_deep_gradients_of_tanh():
    """300 saturating tanh layers: gradients explode past float64, their logs stay finite."""
    net = mc.Network(widths=(16,) * 301, activation="tanh", weights={"law": "normal", "variance": 4.0})
    block = cpu.simulate_block(net, 0, 0, 8)
    logs = [i for i, c in enumerate(observables.columns(300)) if c.name == "activation_gradient.log_second_moment"]
    assert np.all(np.isfinite(block.values[:, logs]))
    assert np.max(block.values[:, logs]) > 100


def test_compiled_columns_are_the_plain_ones():
    """The compiled columns equal `columns_of` to rounding of the logs, dead networks included."""
    net = mc.Network(widths=(3, 2, 2, 3), activation="relu", weights="he_normal")
    chunk = cpu._Chunk(cpu.Plan(net, cpu.key(0, net.canonical), 200), 0, kinds := np.zeros(200, np.uint8))
    chunk.run()
    values = np.empty((200, len(observables.columns(net.depth))))
    chunk.write_columns(values)
    assert {KINDS[k] for k in kinds} == {"ok", "dead"}
    assert np.allclose(values, columns_of(net.depth, chunk.powers, chunk.extra), rtol=4e-16, atol=1e-14, equal_nan=True)


@pytest.mark.skipif(not np._core._multiarray_umath.__cpu_features__.get("AVX2"), reason="no AVX2 here")
@pytest.mark.parametrize("law", ["normal", "uniform", "laplace", "truncated_normal", "sparse", "rademacher"])
def test_weights_are_drawn_in_vectors(law, monkeypatch, tmp_path):
    """The compiled loop multiplies vectors (vpmuludq on ymm or zmm); else generation is ten times slower."""
    from mcverify.distributions import Law

    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    module = cpu.weights_module(Law(law, 1.0, {"sparsity": 0.5} if law == "sparse" else {}))
    z = np.zeros(64, np.float32)
    words = [np.uint64(1)] * 3
    fresh = type(module.draw)(module.draw.py_func, targetoptions={"nopython": True, "error_model": "numpy"})
    fresh(z, 0, 4, 16, words[0], 0, words[1], words[2], 0.5, 1.0)
    text = "".join(fresh.inspect_asm().values())
    assert any(f"vpmuludq\t%{register}" in text for register in ("ymm", "zmm"))
