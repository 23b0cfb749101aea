"""Means over the units of each network, and exponents, for vectors that hold many networks side by side.

Entry i of network `lane` stands at [i * lanes + lane]; a vector's true value is v 2^exponent, network by network.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mcverify.kernels.templates.jit import kernel, scalar

NOTHING = -(1 << 40)
"""Exponent of a vector of zeros."""

OK, DEAD, UNDERFLOW, OVERFLOW, NAN = 0, 1, 2, 3, 4


@scalar
def add_powers(v: Any, s1: Any, s2: Any, s4: Any, top: Any) -> None:
    """One unit: v, v^2, v^4 and the size of v, for each lane."""
    for lane in range(v.size):
        wide = np.float64(v[lane])
        square = wide * wide
        s1[lane] += wide
        s2[lane] += square
        s4[lane] += square * square
        if abs(v[lane]) > top[lane]:  # noqa: PLR1730  (max would keep this from vectorising)
            top[lane] = abs(v[lane])


@scalar
def divide(s: Any, n: Any) -> None:
    """Divide each by n."""
    for lane in range(s.size):
        s[lane] /= n


@kernel
def measure(v: Any, lanes: int, mean: Any, second: Any, fourth: Any, top: Any) -> None:
    """Means over units of v, v^2, v^4, and the largest |v| (NaN left out); each (lanes) float64, written."""
    n = v.size // lanes
    mean[:] = 0
    second[:] = 0
    fourth[:] = 0
    top[:] = 0
    for i in range(n):
        add_powers(v[i * lanes : (i + 1) * lanes], mean, second, fourth, top)
    divide(mean, np.float64(n))
    divide(second, np.float64(n))
    divide(fourth, np.float64(n))


@scalar
def add_positive(v: Any, out: Any) -> None:
    """One unit: whether v > 0, for each lane."""
    for lane in range(v.size):
        out[lane] += np.float64(v[lane] > 0)


@kernel
def positive_share(v: Any, lanes: int, out: Any) -> None:
    """Share of units above 0, for each lane, into out (lanes) float64."""
    out[:] = 0
    for i in range(v.size // lanes):
        add_positive(v[i * lanes : (i + 1) * lanes], out)
    divide(out, np.float64(v.size // lanes))


@scalar
def scale_unit(v: Any, factor: Any) -> None:
    """Multiply by factor in float64, for each lane."""
    for lane in range(v.size):
        v[lane] = np.float32(np.float64(v[lane]) * factor[lane])


@kernel
def shift(v: Any, lanes: int, exponent: Any) -> None:
    """Multiply v by 2^exponent, rounding once."""
    factor = np.empty(lanes)
    for lane in range(lanes):
        factor[lane] = math.ldexp(1.0, min(max(exponent[lane], -1000), 1000))
    for i in range(v.size // lanes):
        scale_unit(v[i * lanes : (i + 1) * lanes], factor)


@scalar
def top_exponent(top: Any, exponent: Any) -> Any:
    """Exponent of a vector's largest entry; NOTHING where it is 0 or infinite."""
    if top > 0 and top < np.inf:
        return exponent + math.frexp(top)[1]
    return NOTHING


@kernel
def align(
    v: Any, v_exponent: Any, v_top: Any, w: Any, w_exponent: Any, w_top: Any, lanes: int, common: Any
) -> None:  # fmt: skip
    """Scale v and w to one exponent, written to `common`: the largest entry of both comes into [1/2, 1)."""
    for lane in range(lanes):
        largest = max(top_exponent(v_top[lane], v_exponent[lane]), top_exponent(w_top[lane], w_exponent[lane]))
        common[lane] = 0 if largest == NOTHING else largest
    shift(v, lanes, v_exponent - common)
    if w.size:
        shift(w, lanes, w_exponent - common)


@kernel
def judge_forward(
    kinds: Any, alive: Any, h_top: Any, true_mean: Any, true_top: Any, x_mean: Any, x_top: Any, homogeneous: bool
) -> None:  # fmt: skip
    """What a layer did to each network; the first event stays."""
    for lane in range(kinds.size):
        finite = np.isfinite(true_mean[lane]) and np.isfinite(true_top[lane])
        zero = x_top[lane] == 0 and not np.isnan(x_mean[lane])
        alive[lane] = 0.0 if zero else 1.0
        if kinds[lane] != OK:
            continue
        if not finite:
            kinds[lane] = OVERFLOW
        elif np.isnan(x_mean[lane]):
            kinds[lane] = NAN
        elif zero:
            kinds[lane] = UNDERFLOW if h_top[lane] > 0 and not homogeneous else DEAD


@kernel
def judge_backward(kinds: Any, g_top: Any, delta_top: Any, mean: Any, top: Any, homogeneous: bool) -> None:
    """What a layer did to each network's gradient; the first event stays."""
    for lane in range(kinds.size):
        if kinds[lane] != OK:
            continue
        if g_top[lane] > 0 and delta_top[lane] == 0 and not homogeneous:
            kinds[lane] = UNDERFLOW
        elif not (np.isfinite(mean[lane]) and np.isfinite(top[lane])):
            kinds[lane] = OVERFLOW


@kernel
def times_plus(v: Any, std: Any, mean: Any) -> None:
    """Make v into v std + mean, in float32."""
    for k in range(v.size):
        v[k] = v[k] * std + mean


@scalar
def shifted(value: Any, exponent: Any) -> Any:
    """The value 2^exponent, to 0 or infinity out of range."""
    if -1000 < exponent < 1000:
        return value * np.int64((exponent + 1023) << 52).view(np.float64)
    return math.ldexp(value, min(max(exponent, -(1 << 20)), 1 << 20))


@kernel
def moments(values: Any, at: int, mean: Any, second: Any, fourth: Any, exponent: Any) -> None:
    """Columns at, at + 1, ... of values (networks, columns): mean, second and fourth moment, log of the second."""
    n = mean.shape[0]
    for lane in range(mean.shape[1]):
        row = values[lane]
        for k in range(n):
            e = exponent[k, lane]
            row[at + k] = shifted(mean[k, lane], e)
            row[at + n + k] = shifted(second[k, lane], 2 * e)
            row[at + 2 * n + k] = shifted(fourth[k, lane], 4 * e)
            row[at + 3 * n + k] = math.log(second[k, lane]) + 2 * math.log(2.0) * e


@kernel
def ratios(values: Any, at: int, second: Any, exponent: Any, below: Any, below_exponent: Any) -> None:
    """Columns from `at`: second moments over those below, NaN where these are 0."""
    for lane in range(second.shape[1]):
        row = values[lane]
        for k in range(second.shape[0]):
            divisor = below[k, lane] if below[k, lane] != 0 else np.nan
            row[at + k] = shifted(second[k, lane] / divisor, 2 * (exponent[k, lane] - below_exponent[k, lane]))
