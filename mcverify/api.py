"""What one network's theory says, and whether it is so: `predict`, `verify`; and `run` for studies."""

from __future__ import annotations

import math
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mcverify import observables as observed
from mcverify.bridge import to_theory
from mcverify.claim import MARGIN_OF_MEANS, Claim
from mcverify.engine import Progress
from mcverify.errors import InputError, MissingMomentError, unknown
from mcverify.observables import Observable
from mcverify.outcome import Outcome
from mcverify.report.plainmath import in_plain_text
from mcverify.run import run
from mcverify.study import Study
from theory import catalogue
from theory.prediction import MissingMomentError as TheoryMissesMoment
from theory.prediction import Predicted, Prediction, TheoryError

if TYPE_CHECKING:
    import pandas as pd

    from mcverify.network import Network

__all__ = ["predict", "run", "verify"]

PREDICTION_COLUMNS = (
    "layer",
    "observable",
    "statistic",
    "value",
    "expression",
    "exactness",
    "assumptions",
    "reference",
    "derivation",
    "per_network_std",
    "entry",
    "statement",
    "explanation",
)


def predict(network: Network, observables: Collection[str] | None = None) -> pd.DataFrame:
    """Everything that the theory states of a network, with its numbers.

    Args:
        network: The network.
        observables: Dotted names such as "preactivation.second_moment", to see these alone.

    Returns:
        One row a (layer, observable, statistic), columns `PREDICTION_COLUMNS`; `per_network_std` is the standard
        deviation of one network's value (NaN where it is not known), `expression` a sympy expression. `derivation`
        has one step a line with its formulas in LaTeX between dollar signs, `explanation` the same as plain text.

    Raises:
        InputError: if no statement is about one of the `observables`.
        MissingMomentError: if a law of the network has no variance.

    >>> from mcverify import Network
    >>> table = predict(Network(widths=(64, 64, 64), activation="relu", weights="he_normal"))
    >>> row = table[(table.observable == "preactivation.ratio") & (table.layer == 2)].iloc[0]
    >>> float(row.value), str(row.exactness)
    (1.0, 'EXACT')
    """
    import pandas as pd

    rows = [_prediction_row(*pair) for pair in predictions(network, observables)]
    return pd.DataFrame(rows, columns=list(PREDICTION_COLUMNS))


def predictions(network: Network, observables: Collection[str] | None = None) -> list[tuple[Prediction, Predicted]]:
    """The same as `Prediction` and `Predicted` objects.

    Raises:
        InputError: if no statement is about one of the `observables`.
        MissingMomentError: if a law of the network has no variance.
    """
    for name in observables or ():
        if name not in catalogue.OBSERVABLES:
            raise unknown("observables", name, catalogue.OBSERVABLES)
    try:
        return catalogue.predict(to_theory(network), observables)
    except TheoryMissesMoment as error:
        raise MissingMomentError(str(error)) from error
    except TheoryError as error:
        raise InputError(str(error)) from error


def silences(network: Network, observables: Collection[str]) -> list[str]:
    """A sentence for each observable of which the theory states nothing for this network, with its reason.

    Raises:
        InputError: if no statement is about one of the `observables`.
        MissingMomentError: if a law of the network has no variance.
    """
    stated = {said.observable for said, _ in predictions(network, observables)}
    return [_silence(network, name) for name in dict.fromkeys(observables) if name not in stated]


def _silence(network: Network, name: str) -> str:
    where = catalogue.layers(name, network.depth)
    if not where:
        return f"{name} exists at no layer of a network with {network.depth} weight layer(s)."
    reasons = (str(reason) for layer in where for reason in catalogue.refusals(to_theory(network), name, layer))
    why = next(reasons, "no statement is about its mean").rstrip(".")
    return f"The theory states nothing of {name} for this network: {why}."


def _prediction_row(prediction: Prediction, predicted: Predicted) -> dict[str, object]:
    own = predicted.variance if prediction.statistic == "mean" else None
    return {
        "layer": prediction.layer,
        "observable": prediction.observable,
        "statistic": prediction.statistic,
        "value": predicted.value,
        "expression": prediction.expression,
        "exactness": str(prediction.exactness),
        "assumptions": _joined("; ", prediction.assumptions),
        "reference": prediction.reference,
        "derivation": _joined("\n", prediction.derivation),
        "per_network_std": math.nan if own is None else math.sqrt(own),
        "entry": prediction.entry,
        "statement": prediction.statement,
        "explanation": _in_words(prediction.derivation),
    }


@cache
def _joined(between: str, parts: tuple[str, ...]) -> str:
    return between.join(parts)


@cache
def _in_words(steps: tuple[str, ...]) -> str:
    return "\n".join(map(in_plain_text, steps))


def verify(
    network: Network,
    *,
    margin: float = MARGIN_OF_MEANS,
    replicates: int | None = None,
    seed: int = 0,
    backend: str = "auto",
    budget: str = "standard",
    store: str | Path | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    command: str = "",
) -> Outcome:
    """Test every claim that the theory makes of one network about what the simulators measure.

    Args:
        margin: Smallest departure of a mean that matters, relative; variances and fourth moments have 10 %.
        replicates: Networks to draw; by default as many as the margin and the error rates need.

    The other arguments are those of `run`.

    >>> from mcverify import Network
    >>> net = Network(widths=(16, 16, 16), activation="relu", weights="he_normal")
    >>> outcome = verify(net, margin=0.2, replicates=4096)
    >>> outcome.counts()["contradicted"]
    0
    """
    network.require_one_input()
    measured = set(observed.names())
    study = Study(
        id="network",
        title=network.label,
        question="Does everything that the theory states of this network hold?",
        claims=[_claim(said, network) for said, _ in predictions(network) if said.observable in measured],
        margin=margin,
    )
    return run(
        study,
        replicates=replicates,
        seed=seed,
        backend=backend,
        budget=budget,
        store=store,
        workers=workers,
        progress=progress,
        command=command,
    )


def _claim(prediction: Prediction, network: Network) -> Claim:
    tensor, statistic = prediction.observable.split(".")
    what = prediction.observable if prediction.statistic == "mean" else f"variance of {prediction.observable}"
    return Claim(
        f"{what} at layer {prediction.layer}",
        network,
        Observable(tensor, statistic, prediction.layer),
        prediction,
        prediction.statistic,
    )
