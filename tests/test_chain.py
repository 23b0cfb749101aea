"""`chain` draws from the joint law that Gaussian matrices give: compared with `cpu`, in law, on small networks.

Every comparison is a family of two-sample Kolmogorov-Smirnov tests (and one of the numbers of networks of each kind)
on logs of norms at every layer, forward and backward, and on what joins them: products and ratios across layers and
directions, sums, a fixed random projection. Together the comparisons fail with probability at most `RATE`.
"""

from __future__ import annotations

import concurrent.futures
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

import mcverify as mc
from mcverify import observables
from mcverify.errors import InputError
from mcverify.kernels import KINDS, Block, chain, chain_norms, chain_vectors, cpu, generated
from mcverify.moments import Moments
from mcverify.network import Network

RATE = 1e-4
COUNT = 6000
RARE = 50
SEED = 11
OTHER_SEED = 12


def normal(variance: float) -> dict[str, Any]:
    return {"law": "normal", "variance": variance}


def leaky(slope: float) -> dict[str, Any]:
    return {"activation": "leaky_relu", "negative_slope": slope}


BIASED = {"biases": normal(0.3)}
MIXED = {"output_activation": "linear", "weights": [normal(0.4), normal(0.7), normal(0.5), normal(0.2)]}
LOSS = {"output_gradient": {"loss": "half_squared_error", "target": [0.5, -1, 0, 2]}}

NORMS: dict[str, tuple[tuple[int, ...], Any, dict[str, Any]]] = {
    "one unit": ((1, 1, 1, 1), leaky(0.4), {}),
    "two units": ((2,) * 5, "relu", {}),
    "three units": ((3,) * 6, "relu", {}),
    "five units": ((5,) * 7, "relu", {}),
    "16 units": ((16,) * 9, "relu", {}),
    "64 units": ((64,) * 9, leaky(0.2), {}),
    "leaky": ((3, 5, 2, 4), leaky(0.3), {"output_gradient": normal(2)}),
    "negative slope": ((2, 3, 1, 2), leaky(-2.5), {"input": [1.0, -0.5]}),
    "linear": ((5, 2, 3, 1, 4), "linear", {}),
    "abs": ((3, 4, 1, 2, 3), "abs", {"input": {"law": "uniform", "mean": 0.5}}),
    "mixed": ((4, 6, 3, 5, 2), "relu", MIXED),
    "one unit, biased": ((1, 1, 1, 1), leaky(0.4), BIASED),
    "biased": ((3, 2, 4, 3, 2), "relu", BIASED),
    "biased, leaky": ((2, 3, 2, 3), leaky(0.5), {"biases": [normal(2), "zeros", normal(0.1)]}),
    "biased, wide": ((16,) * 6, "relu", BIASED),
}
"""Networks of the O(1) form: widths, activation, the rest."""

VECTORS: dict[str, tuple[tuple[int, ...], Any, dict[str, Any]]] = {
    "one unit": ((1, 1, 1, 1), "tanh", {}),
    "two units": ((2,) * 5, "relu", {}),
    "three units": ((3,) * 6, "sigmoid", {}),
    "five units": ((5,) * 7, "relu", {}),
    "16 units": ((16,) * 9, "tanh", {}),
    "64 units": ((64,) * 5, "gelu", {}),
    "biased": ((3, 5, 2, 4), "tanh", BIASED),
    "biased, homogeneous": ((2, 3, 1, 3), leaky(0.3), {"biases": {"law": "uniform", "variance": 0.5}}),
    "loss": ((3, 5, 2, 4), "softplus", LOSS),
    "values": ((3, 5, 4), "silu", {"input": [1.0, -2.0, 0.0], "output_gradient": [1.0, 0.0, 2.0, -1.0]}),
    "overflowing": ((3, 4, 3, 2), "exp", {"weights": normal(4.0)}),
    "dying": ((2, 2, 3, 2), "relu6", {}),
}
"""Networks of the O(n) form."""


def net_of(case: tuple[tuple[int, ...], Any, dict[str, Any]]) -> Network:
    widths, activation, more = case
    return Network(widths=widths, activation=activation, **{"weights": "he_normal", **more})


@cache
def places(depth: int) -> dict[str, list[int]]:
    """Columns by the name of the observable."""
    found: dict[str, list[int]] = {}
    for index, column in enumerate(observables.columns(depth)):
        found.setdefault(column.name, []).append(index)
    return found


def column(net: Network, block: Block, name: str) -> NDArray[np.float64]:
    """The values of an observable, (networks, layers)."""
    return block.values[:, places(net.depth)[name]]


def lost(block: Block) -> NDArray[np.bool_]:
    """Which networks had vectors that were not finite: what follows from them has no law."""
    return np.isin(block.kinds, [KINDS.index("overflow"), KINDS.index("nan")])


def features(net: Network, block: Block, measured: frozenset[str]) -> NDArray[np.float64]:
    """What is compared, (networks, features), not finite where a network is dead; without those not finite before."""

    def logs(*tensors: str) -> NDArray[np.float64]:
        return np.hstack([column(net, block, f"{tensor}.log_second_moment") for tensor in tensors])

    forward = logs("input", "preactivation", "activation")
    backward, weights = logs("preactivation_gradient", "activation_gradient"), logs("weight_gradient")
    every, x, g = np.hstack([forward, backward, weights]), logs("input", "activation"), logs("activation_gradient")
    projection = np.random.default_rng(0).standard_normal(every.shape[1])
    with np.errstate(invalid="ignore"):
        joined = [
            every,
            x + g,
            x - g,
            np.diff(x, axis=1),
            np.diff(g, axis=1),
            x[:, :1] + g[:, -1:],
            x[:, -1:] - g[:, :1],
        ]
        joined += [part.sum(axis=1, keepdims=True) for part in (forward, backward, weights)]
        joined += [(every @ projection)[:, None]]
    names = ("preactivation.mean", "activation_gradient.mean", "weight_gradient.mean", "preactivation.active_fraction")
    joined += [column(net, block, name) for name in names if name in measured]
    return np.hstack(joined)[~lost(block)]


def fates(net: Network, block: Block) -> NDArray[np.int64]:
    """Of each network its kind and, of finite vectors, the number of layers that are alive, as one number."""
    alive = np.where(lost(block), 0, column(net, block, "activation.alive").sum(axis=1))
    return block.kinds + len(KINDS) * alive.astype(np.int64)


def fate_p_value(net: Network, *blocks: Block) -> float:
    """Of the numbers of networks by fate, rare ones taken together."""
    counts = np.array([np.bincount(fates(net, block), minlength=len(KINDS) * (net.depth + 1)) for block in blocks])
    common = counts.sum(axis=0) >= RARE
    table = np.hstack([counts[:, common], counts[:, ~common].sum(axis=1, keepdims=True)])
    table = table[:, table.sum(axis=0) >= RARE]
    return 1.0 if table.shape[1] < 2 else float(stats.chi2_contingency(table, correction=False).pvalue)


def p_values(net: Network, ours: Block, theirs: Block, measured: frozenset[str]) -> NDArray[np.float64]:
    """Of one family: fates, then each feature over the networks in which it is finite."""
    pairs = zip(features(net, ours, measured).T, features(net, theirs, measured).T, strict=True)
    kept = [(a[np.isfinite(a)], b[np.isfinite(b)]) for a, b in pairs]
    found = [stats.ks_2samp(a, b, method="asymp").pvalue for a, b in kept if min(a.size, b.size) >= RARE]
    return np.array([fate_p_value(net, ours, theirs), *found])


def differs(p: NDArray[np.float64], rate: float) -> bool:
    """Whether Holm's method rejects anything: whether Bonferroni's does."""
    return bool(np.min(p) * len(p) < rate)


def compared(form: Any, net: Network) -> NDArray[np.float64]:
    measured = chain.measures(net) if form is chain_norms else frozenset(observables.names())
    ours = form.simulate_block(net, SEED, 0, COUNT)
    with np.errstate(all="ignore"):
        theirs = cpu.simulate_block(net, OTHER_SEED, 0, COUNT)
    return p_values(net, ours, theirs, measured)


N_COMPARISONS = len(NORMS) + len(VECTORS)


@pytest.mark.parametrize("case", NORMS)
def test_norms_have_the_joint_law(case: str) -> None:
    """The O(1) form."""
    net = net_of(NORMS[case])
    assert chain.takes_norms(net)
    assert not differs(compared(chain_norms, net), RATE / N_COMPARISONS)


@pytest.mark.parametrize("case", VECTORS)
def test_vectors_have_the_joint_law(case: str) -> None:
    """The O(n) form; it serves homogeneous networks too."""
    assert not differs(compared(chain_vectors, net_of(VECTORS[case])), RATE / N_COMPARISONS)


FAULTS = {
    "no degree lost": ("norms", "lost = 1.0 if x[l, lane] > 0.0 else 0.0", "lost = 0.0"),
    "no turn": ("norms", "turn = np.sqrt(rr) * normal[lane]", "turn = 0.0"),
    "product free of the bias": ("norms", "aside * np.sqrt(r[lane]) * spare[lane]", "0.0 * aside * r[lane]"),
    "nothing along x": ("projections", "along[lane] = std * (forced[lane] - ", "along[lane] = 0.0 * (forced[lane] - "),
    "not across x": ("projections", "forced[lane] - size * (chance[lane] * inverse)", "forced[lane]"),
}
"""By name: the template, what stands there, what is planted instead."""

WHERE = {"no turn": NORMS["leaky"], "product free of the bias": NORMS["biased, leaky"]}


@pytest.mark.parametrize("fault", FAULTS)
def test_comparison_catches(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted faults, one term or one degree of freedom each, are seen at a rate of 1e-4 in all."""
    template, right, wrong = FAULTS[fault]
    form: Any = {"norms": chain_norms, "projections": chain_vectors}[template]
    load = form.load

    def planted(name: str, scalars: tuple[str, ...] = ()) -> Any:
        if name != template:
            return load(name, scalars)
        text = generated.source(name, scalars)
        assert text.count(right) == 1
        faulty = generated.imported("mcverify_planted", text.replace(right, wrong))
        return SimpleNamespace(**{**vars(load(name, scalars)), "backward": faulty.backward})  # the rest is compiled

    monkeypatch.setattr(form, "load", planted)
    assert differs(compared(form, net_of(WHERE.get(fault, NORMS["five units"]))), RATE / N_COMPARISONS)


BITS = {
    "norms": (chain_norms, net_of(((9, 21, 2, 6), "relu", BIASED))),
    "vectors": (chain_vectors, net_of(((9, 21, 2, 6), "tanh", BIASED))),
}


@pytest.mark.parametrize("form", BITS)
def test_blocks_change_no_bit(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole, in pieces, in threads, with other lanes, layers kept or computed again: the same bytes."""
    module, net = BITS[form]
    whole = module.simulate_block(net, 7, 2**32 - 30, 90)

    def piece(at: int) -> bytes:
        return bytes(module.simulate_block(net, 7, 2**32 - 30 + at, 10).values.tobytes())

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        assert b"".join(pool.map(piece, range(0, 90, 10))) == whole.values.tobytes()
    for lanes, keep in ((16, 0), (1, 1 << 30), (64, 0)):
        monkeypatch.setattr(module, "lanes_of", lambda net, lanes=lanes: lanes)
        monkeypatch.setattr(chain_vectors, "KEEP_BYTES", keep)
        again = module.simulate_block(net, 7, 2**32 - 30, 90)
        assert again.values.tobytes() == whole.values.tobytes()
        assert again.kinds.tobytes() == whole.kinds.tobytes()


def products(net: Network, lanes: int) -> NDArray[np.float64]:
    """log |x_l . g_l| of layers 0..L, (L + 1, networks), by the O(n) form."""
    found: dict[int, NDArray[np.float64]] = {}

    def product(x: NDArray[np.float64], x_exponent: Any, g: NDArray[np.float64], g_exponent: Any) -> Any:
        scaled = np.abs(np.sum(x.reshape(-1, lanes) * g.reshape(-1, lanes), axis=0))
        return np.log(scaled) + np.log(2) * (x_exponent + g_exponent)

    class Recorded(chain_vectors.Chunk):
        def output_gradient(self) -> None:
            super().output_gradient()
            exponents = self.powers["activation"].exponent[-1], self.powers["activation_gradient"].exponent[-1]
            found[net.depth] = product(self.layer(net.depth).x, exponents[0], self.g, exponents[1])

        def pulled(self, index: int, z: Any, x: Any) -> Any:
            g = super().pulled(index, z, x)
            exponent = self.powers["activation_gradient"].exponent[index - 1]
            found[index - 1] = product(x, self.before(index)[3], g, exponent)
            return g

    plan = chain_vectors.Plan(net, cpu.key(0, net.canonical), lanes)
    Recorded(plan, 0, np.zeros(lanes, np.uint8)).run()
    return np.array([found[layer] for layer in range(net.depth + 1)])


@pytest.mark.parametrize("activation", ["linear", leaky(0.3), "abs"], ids=str)
def test_product_is_kept(activation: Any) -> None:
    """x . g is the same at every layer of a homogeneous network without biases, to rounding.

    A sum of n products of size |x| |g| / n loses 1e-16 n of it; x . g is smaller than |x| |g| by a factor whose
    chance to be below 1e-6 is 64 networks times 1e-6 (a normal near 0), so 40 layers keep 1e-16 n 40 1e6 < 1e-7.
    """
    logs = products(Network(widths=(7, *(6, 9) * 20), activation=activation, weights="he_normal"), 64)
    assert np.max(np.abs(logs - logs[0])) < 1e-7


def test_product_is_not_kept_with_biases() -> None:
    """Planted fault: with biases it is not."""
    logs = products(Network(widths=(7, 6, 9), activation="linear", weights="he_normal", **BIASED), 64)
    assert np.max(np.abs(logs - logs[0])) > 0.1


def test_norms_of_one_unit() -> None:
    """With one unit a layer the O(1) form has |x_l| |g_l| = |x_0 g_0| in every layer."""
    net = Network(widths=(1,) * 30, activation=leaky(0.4), weights="he_normal")
    block = chain_norms.simulate_block(net, 0, 0, 50)
    names = ("activation.log_second_moment", "activation_gradient.log_second_moment")
    x, g = (column(net, block, name) for name in names)
    total = np.hstack([column(net, block, "input.log_second_moment"), x]) + g
    assert np.max(np.abs(total - total[:, :1])) < 1e-11


@pytest.mark.parametrize("variance", [1e-3, 1e3])
def test_depth_ten_thousand(variance: float) -> None:
    """Far from critical, 10,000 layers deep: logs are finite, and both forms agree on them within 6 standard errors."""
    net = Network(widths=(4,) * 10_001, activation=leaky(0.5), weights=normal(variance))
    norms, vectors = chain_norms.simulate_block(net, 0, 0, 64), chain_vectors.simulate_block(net, 1, 0, 16)
    for name in ("activation.log_second_moment", "activation_gradient.log_second_moment"):
        a, b = column(net, norms, name), column(net, vectors, name)
        assert np.all(np.isfinite(a))
        assert np.all(np.isfinite(b))
        end = -1 if name.startswith("activation.") else 0
        gap = a[:, end].mean() - b[:, end].mean()
        assert abs(a[:, end].mean()) > 10_000
        assert abs(gap) < 6 * np.sqrt(a[:, end].var() / 64 + b[:, end].var() / 16)
    assert not norms.kinds.any()
    assert not vectors.kinds.any()


def test_million_units() -> None:
    """Layers of 1e6: the ratio of He's ReLU layers has mean 1 and variance 5 / n, within 6 standard errors."""
    net = Network(widths=(4000, *(1_000_000, 4000) * 2), activation="relu", weights="he_normal")
    block, count = chain_norms.simulate_block(net, 0, 0, 20_000), 20_000
    ratios = column(net, block, "activation.ratio")
    for layer, width in enumerate(net.widths[1:]):
        scaled = (ratios[:, layer] - 1) / np.sqrt(5 / width)
        assert abs(scaled.mean()) < 6 / np.sqrt(count)
        assert abs(scaled.var() - 1) < 6 * np.sqrt(2.1 / count)


def test_what_is_measured() -> None:
    """Just the columns that are not measured are NaN; frames and values have none of them."""
    for case, form in ((NORMS["mixed"], "norms"), (NORMS["biased"], "norms"), (VECTORS["biased"], "vectors")):
        net = net_of(case)
        measured = chain.measures(net)
        block = chain.simulate_block(net, 0, 0, 300)
        for index, found in enumerate(observables.columns(net.depth)):
            assert np.all(np.isnan(block.values[:, index])) == (found.name not in measured), (form, found)
        assert "weight.mean" not in measured
        sim = mc.simulate(net, 300, backend="chain")
        assert set(sim.frame().observable) == measured == {observable.name for observable in sim.kept}
        with pytest.raises(InputError, match=r"does not measure weight.mean .* backend='cpu'"):
            sim.moments("weight.mean", 1)


def test_moments_of_what_is_not_measured() -> None:
    """The moments of all columns are those of the block, NaN columns included, to the byte."""
    net = net_of(NORMS["two units"])
    values = np.vstack([chain.simulate_block(net, 3, first, 500).values for first in (0, 500)])
    sim = mc.simulate(net, 1000, 3, backend="chain")
    assert sim.all_moments.to_bytes() == Moments.of(values).to_bytes()


def test_zero_weights() -> None:
    """A layer without variance leaves h = b, forward and backward, as in `cpu`; without biases all is 0."""
    for biases in (["zeros", "zeros", "zeros"], ["zeros", normal(1), "zeros"]):
        net = net_of(((3, 4, 2, 3), leaky(0.5), {"weights": [normal(1), normal(0), normal(1)], "biases": biases}))
        ours, plain = chain_norms.simulate_block(net, 0, 0, 50), cpu.simulate_block(net, 1, 0, 50)
        for name in (name for name in chain.measures(net) if name.endswith(("second_moment", "ratio"))):
            a, b = column(net, ours, name), column(net, plain, name)
            assert np.array_equal(np.isfinite(a), np.isfinite(b)), name
            assert np.array_equal(a == 0, b == 0), name
        assert np.array_equal(ours.kinds, plain.kinds)


def test_refused_before_work() -> None:
    """Weights that are not Gaussian, by name, everywhere; circular claims and those on what is not measured too."""
    net = Network(widths=(3, 4, 2), activation="relu", weights="he_uniform")
    for work in (lambda: mc.simulate(net, 5, backend="chain"), lambda: mc.verify(net, backend="chain", replicates=5)):
        with pytest.raises(InputError, match="law 'uniform'; give backend='cpu'"):
            work()
    gaussian = net.replace(weights="he_normal")
    claim = mc.Claim("kept", gaussian, observables.SecondMoment("activation", layer=2), 1.0)
    with pytest.raises(InputError, match=r"'chain'` assumes .*gaussian_projection.* give backend='cpu'"):
        mc.run(mc.Study("circular", claims=[claim]), backend="chain", replicates=5)
    mean = mc.Claim("mean", gaussian, observables.Observable("activation", "mean", 2), 1.0)
    with pytest.raises(InputError, match=r"does not measure activation.mean .* give backend='cpu'"):
        mc.run(mc.Study("unmeasured", claims=[mean]), backend="chain", replicates=5)


def test_a_claim_runs() -> None:
    """A claim that follows from nothing that `chain` assumes is judged on it, a false one refuted."""
    net = Network(widths=(8, 8, 8), activation="tanh", weights="he_normal")
    mean = observables.Observable("activation_gradient", "mean", 0)
    true = mc.Claim("mean", net, mean, 0.0)
    false = mc.Claim("shifted", net, mean, 0.5, expected="REFUTED")
    rows = mc.run(mc.Study("on_chain", claims=[true, false], margin=0.1), backend="chain").rows()
    assert [row["verdict"] for row in rows] == ["SUPPORTED", "REFUTED"]
