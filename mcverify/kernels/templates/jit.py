"""How the templates are compiled. Strict IEEE arithmetic: no fastmath."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

scalar = njit(nogil=True, error_model="numpy", forceinline=True)
"""For scalar functions: into the caller, before its loops are vectorised."""


def kernel(function: Callable[..., Any]) -> Any:
    """For what Python calls: GIL released, kept on disk where a folder for that can be written."""
    try:
        return njit(nogil=True, error_model="numpy", cache=True)(function)
    except RuntimeError:  # numba finds no such folder
        return njit(nogil=True, error_model="numpy")(function)
