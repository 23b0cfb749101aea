"""What an entry of the catalogue is."""

from __future__ import annotations

from dataclasses import dataclass

from theory.prediction import Exactness

EXACT = (Exactness.EXACT,)
BOUND = (Exactness.BOUND,)
LEADING = (Exactness.LEADING_ORDER,)
INFINITE = (Exactness.INFINITE_WIDTH,)


@dataclass(frozen=True)
class Entry:
    """One statement, or a group of statements that belong together.

    Attributes:
        id: Identifier, such as "A14".
        title: What it says, in a few words.
        exactness: Its classes; empty for a report without a prediction.
        where: Dotted names of the functions or classes of `theory` that state it.
        reference: Paper, or "elementary".
        false: What a source says is false as stated, and the entry corrects it.
        out_of_scope: Why no statement is made; empty where one is.
        alias_of: The entry under which it is stated; empty for one of its own.
    """

    id: str
    title: str
    exactness: tuple[Exactness, ...] = ()
    where: tuple[str, ...] = ()
    reference: str = "elementary"
    false: bool = False
    out_of_scope: str = ""
    alias_of: str = ""

    @property
    def classes(self) -> str:
        """The classes in words.

        >>> Entry("A1", "", EXACT, false=True).classes, Entry("OR-11", "", out_of_scope="training").classes
        ('EXACT; false as printed', 'out of scope: training')
        """
        if self.out_of_scope:
            return f"out of scope: {self.out_of_scope}"
        words = ", ".join(self.exactness) or "EMPIRICAL"
        return f"{words}; false as printed" if self.false else words
