"""Drawn and given vectors of many networks side by side: scaled, measured, brought to one exponent.

Entry i of network `lane` stands at [i * lanes + lane].
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mcverify.kernels.templates.jit import kernel, scalar
from mcverify.kernels.templates.powers import power_of_two, rescale


@kernel
def widen(v: Any, z: Any, std: Any, mean: Any) -> None:
    """Set v, float64, to z std + mean, float32."""
    for k in range(v.size):
        v[k] = np.float64(z[k] * std + mean)


@kernel
def measure(v: Any, lanes: int, mean: Any, second: Any, fourth: Any, exponent: Any) -> None:
    """`rescale`, from Python."""
    rescale(v, lanes, mean, second, fourth, exponent)


@scalar
def scale_unit(v: Any, factor: Any) -> None:
    """Multiply by factor, for each lane."""
    for lane in range(v.size):
        v[lane] *= factor[lane]


@kernel
def align(v: Any, v_exponent: Any, w: Any, w_exponent: Any, lanes: int, common: Any) -> None:
    """Scale v and w, each with its largest entry in [1/2, 1), to the larger of their exponents, `common`."""
    v_factor, w_factor = np.empty(lanes), np.empty(lanes)
    for lane in range(lanes):
        common[lane] = max(v_exponent[lane], w_exponent[lane])
        v_factor[lane] = power_of_two(v_exponent[lane] - common[lane])
        w_factor[lane] = power_of_two(w_exponent[lane] - common[lane])
    for at in range(0, v.size, lanes):
        scale_unit(v[at : at + lanes], v_factor)
    for at in range(0, w.size, lanes):
        scale_unit(w[at : at + lanes], w_factor)
