"""One activation over whole vectors: forward, and backward through it."""

from __future__ import annotations

from typing import Any

from mcverify.functions import relu as phi
from mcverify.functions import relu_derivative as derivative
from mcverify.kernels.templates.jit import kernel


@kernel
def activate(x: Any, h: Any, a: float) -> None:
    """Set x to phi(h), elementwise."""
    for k in range(h.size):
        x[k] = phi(h[k], a)


@kernel
def through(g: Any, h: Any, a: float) -> None:
    """Multiply g by phi'(h), elementwise."""
    for k in range(h.size):
        g[k] *= derivative(h[k], a)
