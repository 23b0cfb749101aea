"""What an identity is on paper: a statement that holds of every draw, or a fact that is not an observable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from theory.prediction import Exactness

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A statement of the theory that is checked draw by draw, or by enumeration, rather than by an average.

    Attributes:
        entry: Identifier in the catalogue, such as "A13".
        statement: One sentence.
        exactness: Its class.
        assumptions: What it assumes, one short sentence each.
        derivation: The steps, one sentence each; formulas between dollar signs are LaTeX.
        reference: Paper, or "elementary".
        false_as_stated: What a source says instead, where that is false; empty where it is not.
    """

    entry: str
    statement: str
    derivation: tuple[str, ...]
    exactness: Exactness = Exactness.EXACT
    assumptions: tuple[str, ...] = ()
    reference: str = "elementary"
    false_as_stated: str = ""
