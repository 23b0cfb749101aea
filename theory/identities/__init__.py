"""Identities and exact facts that are not averages of an observable over networks (catalogue A, SY, TR).

Each module states some entries twice: as functions, and as `Identity` records with assumptions and derivation.
"""

from __future__ import annotations

from theory.identities import (
    chain_rule,
    dropout,
    homogeneous,
    lsuv,
    normalization,
    product_variance,
    profiles,
    records,
    regression,
    sigmoid,
    singular_values,
    symmetry,
)
from theory.identities.identity import Identity

__all__ = ["IDENTITIES", "Identity", "of_entry"]

IDENTITIES: tuple[Identity, ...] = (
    *chain_rule.IDENTITIES,
    *singular_values.IDENTITIES,
    *product_variance.IDENTITIES,
    *homogeneous.IDENTITIES,
    *profiles.IDENTITIES,
    *sigmoid.IDENTITIES,
    *symmetry.IDENTITIES,
    *dropout.IDENTITIES,
    *normalization.IDENTITIES,
    *regression.IDENTITIES,
    *lsuv.IDENTITIES,
    *records.IDENTITIES,
)
"""All of them."""


def of_entry(entry: str) -> list[Identity]:
    """The statements of one entry, in order.

    >>> [s.exactness.value for s in of_entry("A2")]
    ['EXACT', 'BOUND']
    """
    return [statement for statement in IDENTITIES if statement.entry == entry]
