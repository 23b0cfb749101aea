"""The catalogue: every entry, what it says, how exact it is, and which functions of `theory` state it.

`docs/mathematics` gives statements and proofs; `docs/mathematics/entries.md` is the table with the tests.
"""

from __future__ import annotations

from theory.entries import blocks, claims, finite_width, limits, mean_field, orthogonal, training
from theory.entries.aliases import ALIASES
from theory.entries.entry import Entry
from theory.prediction import TheoryError

__all__ = ["ALIASES", "ENTRIES", "Entry", "get"]

_LISTS = (claims, finite_width, mean_field, orthogonal, blocks, training, limits)

ENTRIES: dict[str, Entry] = {entry.id: entry for part in _LISTS for entry in part.ENTRIES}
"""All entries by identifier, by section."""


def get(name: str) -> Entry:
    """The entry of that identifier; of the entry that it stands for, if it is an alias.

    Raises:
        TheoryError: for an identifier that is in no list.

    >>> get("MF-01").id, get("A1").title
    ('E1', 'number and labels of the Jacobian factors')
    """
    found = ENTRIES.get(ALIASES.get(name, name))
    if found is None:
        raise TheoryError(f"{name!r} is no entry of the catalogue; see theory.entries.ENTRIES and ALIASES.")
    return found
