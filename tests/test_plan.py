"""What is planned before anything is drawn: how many networks, which values are kept, which simulator may be used."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

import mcverify as mc
from mcverify import plan, sampling
from mcverify.claim import Claim
from mcverify.errors import InputError
from mcverify.kernels import Block, backend
from mcverify.network import Network
from mcverify.observables import Observable, Ratio, SecondMoment, names
from mcverify.statement import Expected

HE = Network(widths=(16, 16, 16), activation="relu", weights="he_normal")


def families(*claims: Claim) -> tuple[plan.Family, plan.Family]:
    return plan.families(mc.Study("planned", claims=claims), margin=0.1, budget="standard")


def replicates(*claims: Claim) -> int:
    (cell,) = plan.wanted(families(*claims), None, backend("cpu")).values()
    return cell.replicates


def test_a_smaller_margin_takes_more_networks() -> None:
    """The number goes as one over the square of the margin on the scale of delta, up to whole blocks."""
    few, many = (replicates(Claim("kept", HE, Ratio("activation", layer=2), margin=m)) for m in (0.1, 0.05))
    assert many / few == pytest.approx((math.log1p(0.1) / math.log1p(0.05)) ** 2, rel=0.05)


def test_the_number_is_capped() -> None:
    """No claim plans more than the cap of its network, and a tiny network no more than `MAX_NETWORKS`."""
    tiny = Network(widths=(2, 1, 1), activation="relu", weights="he_normal")
    assert replicates(Claim("kept", tiny, SecondMoment("activation", layer=2), margin=1e-4)) == plan.MAX_NETWORKS
    assert plan.cap(Network(widths=(2000, 2000)), backend("cpu")) == 1024


@pytest.mark.parametrize(
    ("observable", "stated"),
    [
        (Observable("preactivation", "mean", 1), 1.0),
        (SecondMoment("preactivation", layer=1), -2.0),
        (SecondMoment("preactivation", layer=1), 1e200),
        (SecondMoment("preactivation", layer=1), 1e-90),
        (SecondMoment("preactivation", layer=1), 0.0),
        (Observable("activation", "alive", 2), 0.5),
    ],
)
def test_any_false_number_is_refuted(observable: Observable, stated: float) -> None:
    """Zero for a positive mean, a negative second moment, numbers at the ends of what a float holds."""
    false = Claim("false", HE, observable, stated, expected=Expected.REFUTED)
    outcome = mc.run(mc.Study("false", claims=[false]))
    assert outcome.rows()[0]["verdict"] == "REFUTED"
    assert outcome.rows()[0]["replicates"] < 50_000


def test_values_go_where_tests_need_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not all columns fit, those whose law is known (moments decide them) are the first to go."""
    exact = Claim("exact", HE, Ratio("activation", layer=1))
    catoni = Claim("catoni", HE, SecondMoment("weight_gradient", layer=2))
    (cell,) = plan.wanted(families(exact, catoni), None, backend("cpu")).values()
    assert cell.columns == {exact.observable: False, catoni.observable: True}
    monkeypatch.setattr(sampling, "MAX_SAMPLE_BYTES", 8 * cell.replicates)
    assert sampling._columns(cell) == (catoni.observable,)


def test_variance_is_about_an_exact_mean_only() -> None:
    """A mean that holds at infinite width alone is no centre for squares: its bias would be added to the variance."""
    net = Network(widths=(2, 2, 2, 2), activation="tanh", weights={"law": "normal", "variance": 2.0})
    claim = Claim("scatter", net, SecondMoment("activation", layer=3), 0.07, "variance")
    (asked,) = families(claim)[0].asked[0]
    assert asked.question.center is None


@dataclass(frozen=True)
class Assuming:
    """A simulator that builds on Gaussian projections."""

    name: str = "chainlike"
    assumes: frozenset[str] = frozenset({"gaussian_projection"})
    version: int = 1

    def work(self, net: Network) -> float:
        return float(net.n_weights)

    def measures(self, net: Network) -> frozenset[str]:
        return frozenset(names())

    def assumes_for(self, net: Network) -> frozenset[str]:
        return self.assumes

    def simulate_block(self, net: Network, seed: int, first: int, count: int) -> Block:
        raise AssertionError("must not be asked")


def test_no_circularity() -> None:
    """A claim whose prediction follows from what a simulator assumes is refused there, by name; elsewhere it runs."""
    follows = families(Claim("kept", HE, Ratio("preactivation", layer=2), 1.0))
    with pytest.raises(InputError, match="'chainlike'` assumes gaussian_projection"):
        plan.refuse_circles(follows, Assuming())
    plan.refuse_circles(follows, Assuming(assumes=frozenset({"something else"})))
