"""G: statistical limits that follow from the theory."""

from __future__ import annotations

from theory.entries.entry import EXACT, INFINITE, LEADING, Entry

_L = "theory.limits"

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "G1",
        "networks that a mean of norms needs",
        EXACT,
        (
            "theory.laws.counts.networks_for_mean",
            f"{_L}.relative_variance",
            f"{_L}.log_spread",
            f"{_L}.moment_may_be_estimated",
        ),
    ),
    Entry("G2", "ratios of layers are martingale differences", EXACT, ("theory.ratios.activation_ratio",)),
    Entry(
        "G3",
        "one step of the length map without approximation",
        EXACT,
        ("theory.corrections.residual.step_residual", "theory.corrections.residual.step_residual_variance"),
    ),
    Entry(
        "G4",
        "logs given alive, beside the count of the dead",
        EXACT,
        ("theory.laws.counts.networks_for_alive", "theory.logs.log_second_moment", "theory.units.alive_probability"),
    ),
    Entry("G5", "error of a variance", EXACT, (f"{_L}.relative_error_of_variance",)),
    Entry("G6", "networks that show a correction in 1/n", LEADING, (f"{_L}.networks_to_see",)),
    Entry("G7", "claims at infinite width are no point nulls", INFINITE, ("theory.corrections.forward.mean",)),
    Entry("G8", "identities on every net, enumeration of small ones", EXACT, ("theory.identities.IDENTITIES",)),
    Entry("G9", "several claims at once", out_of_scope="a matter of statistics: docs/verdicts.md"),
)
