"""Faults planted in a copy of the simulator are refuted by the shipped studies; the copy without one is not.

The copy draws other weights, or computes another derivative, than the network says; everything else (store, tests,
studies) is the real thing. 2048 networks a cell suffice: each fault moves some claim by 20 % or more.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from mcverify import kernels, sampling
from mcverify.distributions import Law
from mcverify.kernels import Block
from mcverify.network import Network
from mcverify.observables import names
from mcverify.outcome import Outcome
from mcverify.run import run

Fault = Callable[[Network], Network]


@dataclass(frozen=True)
class Faulty:
    """The cpu simulator with a fault between what a network says and what is simulated."""

    fault: Fault
    name: str = "faulty"
    assumes: frozenset[str] = frozenset()
    version: int = 1

    def work(self, net: Network) -> float:
        return float(net.n_weights)

    def measures(self, net: Network) -> frozenset[str]:
        return frozenset(names())

    def assumes_for(self, net: Network) -> frozenset[str]:
        return self.assumes

    def simulate_block(self, net: Network, seed: int, first: int, count: int) -> Block:
        return kernels.backend("cpu").simulate_block(self.fault(net), seed, first, count)


def none(net: Network) -> Network:
    """The copy as it should be."""
    return net


def fan_out_for_fan_in(net: Network) -> Network:
    """Weight variances divided by the number of outputs where they say inputs."""
    return scaled(net, lambda law, fan_in, fan_out: (law.variance or 0.0) * fan_in / fan_out)


def gain_one_for_root_two(net: Network) -> Network:
    """He's gain forgotten: half the variance in ReLU networks."""
    return scaled(net, lambda law, _in, _out: (law.variance or 0.0) / 2) if net.activation.name == "relu" else net


def standard_deviation_for_variance(net: Network) -> Network:
    """Weights multiplied by their variance instead of its root."""
    return scaled(net, lambda law, _in, _out: (law.variance or 0.0) ** 2)


def uniform_without_root_three(net: Network) -> Network:
    """Uniform weights whose bound is the standard deviation."""
    return scaled(net, lambda law, _in, _out: (law.variance or 0.0) / (3 if law.name == "uniform" else 1))


def missing_half(net: Network) -> Network:
    """A ReLU that lets everything pass, forward and back: nothing is halved."""
    return net.replace(activation="linear", output_activation="linear") if net.activation.name == "relu" else net


def twelve_percent_more(net: Network) -> Network:
    """Weight variances 12 % too large."""
    return scaled(net, lambda law, _in, _out: (law.variance or 0.0) * 1.12)


def scaled(net: Network, variance: Callable[[Law, int, int], float]) -> Network:
    """The network with other weight variances, where a law has one."""
    fans = zip(net.weight_laws, net.widths, net.widths[1:], strict=False)
    laws = [law if law.name == "orthogonal" else replace(law, variance=variance(law, *fan)) for law, *fan in fans]
    return net.replace(weights=laws)


def with_fault(monkeypatch: pytest.MonkeyPatch, fault: Fault, study: str) -> Outcome:
    monkeypatch.setattr(sampling, "backend_of", lambda _name: Faulty(fault))
    return run(study, replicates=2048)


def broken(outcome: Outcome) -> list[str]:
    """Claims that are expected to hold and are refuted."""
    return [row["claim"] for row in outcome.rows() if (row["expected"], row["verdict"]) == ("SUPPORTED", "REFUTED")]


@pytest.mark.parametrize(
    ("fault", "study"),
    [
        (fan_out_for_fan_in, "xavier_compromise"),
        (gain_one_for_root_two, "relu_halving"),
        (missing_half, "relu_halving"),
        (standard_deviation_for_variance, "forward_variance"),
        (uniform_without_root_three, "forward_variance"),
        (uniform_without_root_three, "default_initializations"),
    ],
)
def test_fault_is_refuted(monkeypatch: pytest.MonkeyPatch, fault: Fault, study: str) -> None:
    """The study contradicts the faulty simulator."""
    outcome = with_fault(monkeypatch, fault, study)
    assert broken(outcome)
    assert outcome.exit_code == 1


@pytest.mark.parametrize("study", ["xavier_compromise", "relu_halving", "forward_variance", "default_initializations"])
def test_no_fault_is_not_refuted(monkeypatch: pytest.MonkeyPatch, study: str) -> None:
    """The same copy without a fault contradicts nothing: a false alarm has probability 1e-6 / 32 a study."""
    outcome = with_fault(monkeypatch, none, study)
    assert not broken(outcome)
    assert outcome.counts()["contradicted"] == 0


def test_nothing_beyond_the_margin_is_supported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights of 12 % more variance: no claim with a margin of 5 % is supported at a departure beyond it."""
    outcome = with_fault(monkeypatch, twelve_percent_more, "xavier_compromise")
    supported = [row for row in outcome.rows() if row["verdict"] == "SUPPORTED" and row["observable"].endswith("ratio")]
    assert all(abs(row["delta"]) < math.log1p(row["margin"]) for row in supported)
    assert broken(outcome)
