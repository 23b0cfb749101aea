"""How the templates are compiled. Strict IEEE arithmetic: no fastmath."""

from __future__ import annotations

from numba import njit

scalar = njit(nogil=True, error_model="numpy", forceinline=True)
"""For scalar functions: into the caller, before its loops are vectorised."""

kernel = njit(nogil=True, error_model="numpy", cache=True)
"""For what Python calls: GIL released, kept on disk."""
