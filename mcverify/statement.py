"""A statement in words and a formula, where it is from, and the verdict that it is expected to get."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Why a study holds a statement."""

    SOURCE = "source"  # as a text states it, true or false
    CORRECTED = "corrected"  # what is true instead, or what makes it true
    CONTROL = "control"  # false on purpose: a study that cannot refute it is blind


class Expected(StrEnum):
    """The verdict that a statement is expected to get."""

    SUPPORTED = "SUPPORTED"
    REFUTED = "REFUTED"
    UNDECIDED = "UNDECIDED"


@dataclass(frozen=True)
class Source:
    """A place in a text.

    Attributes:
        text: Which text, such as "Fleuret, EE-559 lecture 5.5".
        section: Heading under which it stands.
        paragraph: Which paragraph, slide or formula of that section, in words.
        formula: The formula exactly as printed, in LaTeX; empty where the text gives words only.
    """

    text: str
    section: str
    paragraph: str
    formula: str = ""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What is said, in our words, with its formula and source, and what the verdict should be and why.

    Attributes:
        key: Short name, unique in its study; letters, digits and dashes.
        says: The statement, one or two sentences.
        expected: The verdict that all of its claims are expected to get.
        why: Why: the derivation in a nutshell, or what is wrong with it.
        formula: Our formula for it, LaTeX; empty to show the source's alone.
        source: Where it is from; None for our own corrections and controls.
        correction: Key of the statement that says what is true instead.
        entry: Entry of the catalogue of statements in the documentation, such as "A14".
    """

    key: str
    says: str
    expected: Expected = Expected.SUPPORTED
    role: Role = Role.SOURCE
    why: str = ""
    formula: str = ""
    source: Source | None = None
    correction: str | None = None
    entry: str = ""
