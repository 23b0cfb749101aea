"""The errors a caller may want to tell apart; each message says what was given and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class McverifyError(Exception):
    """Base of every error that mcverify raises on purpose."""


class InputError(McverifyError, ValueError):
    """A user's argument, file or option cannot be used; nothing was run and nothing was written."""


class MissingMomentError(InputError):
    """A law lacks the moment that a statement needs (Student t with 2 degrees of freedom has no variance)."""


class OutputError(McverifyError, OSError):
    """A report or store cannot be written where it was asked for."""


class IntegrityError(McverifyError):
    """Stored results contradict each other; no verdict can be built on them."""


def unknown(argument: str, value: object, known: Iterable[str]) -> InputError:
    """The error for a name that nothing goes by, with the closest known one.

    >>> print(unknown("activation", "rellu", ["relu", "tanh"]))
    `activation='rellu'` is not known; did you mean 'relu'? Known: relu, tanh.
    """
    names = sorted(known)
    close = difflib.get_close_matches(str(value), names, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    return InputError(f"`{argument}={value!r}` is not known{hint} Known: {', '.join(names)}.")
