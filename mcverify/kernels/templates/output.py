"""The columns of observables of many networks side by side, from their powers: `columns.columns_of`, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcverify.kernels.templates.jit import kernel, scalar

LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
ROOT_HALF_BITS = np.int64(0x3FE6A09E667F3BCD)  # of sqrt(1/2)
LOG_ODD = (6.666666666666735130e-01, 2.857142874366239149e-01, 1.818357216161805012e-01, 1.479819860510658591e-01)
LOG_EVEN = (3.999999999940941908e-01, 2.222219843214978396e-01, 1.531383769920937332e-01)


@scalar
def log_scaled(value: Any, exponent: Any) -> Any:
    """log(value 2^exponent), value 0 or above 1e-300, to a few roundings (the method and constants of fdlibm)."""
    bits = np.float64(value).view(np.int64)
    power = np.int64(np.int64(bits - ROOT_HALF_BITS) >> 52)
    f = np.int64(bits - np.int64(power << 52)).view(np.float64) - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    odd = z * (LOG_ODD[0] + w * (LOG_ODD[1] + w * (LOG_ODD[2] + w * LOG_ODD[3])))
    rest = odd + w * (LOG_EVEN[0] + w * (LOG_EVEN[1] + w * LOG_EVEN[2]))
    half, k = 0.5 * f * f, np.float64(power + exponent)
    log = k * LN2_HIGH - ((half - (s * (half + rest) + k * LN2_LOW)) - f)
    special = -np.inf if value == 0.0 else value
    return log if value > 0.0 and value < np.inf else special


@scalar
def shifted(value: Any, exponent: Any) -> Any:
    """The value 2^exponent, to 0 or infinity out of range."""
    bounded = min(max(exponent, -2000), 2000)
    half = np.int64(bounded >> 1)
    one = np.int64(np.int64(half + 1023) << 52).view(np.float64)
    return value * one * np.int64(np.int64(bounded - half + 1023) << 52).view(np.float64)


@scalar
def shift_row(out: Any, value: Any, exponent: Any, times: Any) -> None:
    """One statistic of one layer: value 2^(times exponent), for each lane."""
    for lane in range(value.size):
        out[lane] = shifted(value[lane], times * exponent[lane])


@scalar
def log_row(out: Any, value: Any, exponent: Any) -> None:
    """One layer: log(value 4^exponent), for each lane."""
    for lane in range(value.size):
        out[lane] = log_scaled(value[lane], 2 * exponent[lane])


@kernel
def moments(rows: Any, at: int, mean: Any, second: Any, fourth: Any, exponent: Any) -> None:
    """Rows at, at + 1, ... of rows (columns, networks or more): mean, second and fourth moment, log of the second."""
    n = mean.shape[0]
    for k in range(n):
        shift_row(rows[at + k], mean[k], exponent[k], 1)
        shift_row(rows[at + n + k], second[k], exponent[k], 2)
        shift_row(rows[at + 2 * n + k], fourth[k], exponent[k], 4)
        log_row(rows[at + 3 * n + k], second[k], exponent[k])


@scalar
def ratio_row(out: Any, above: Any, below: Any, exponent: Any, below_exponent: Any) -> None:
    """One layer: a second moment over another, NaN where that is 0, for each lane."""
    for lane in range(above.size):
        divisor = below[lane] if below[lane] != 0.0 else np.nan
        out[lane] = shifted(above[lane] / divisor, 2 * (exponent[lane] - below_exponent[lane]))


@kernel
def ratios(rows: Any, at: int, second: Any, exponent: Any, below: Any, below_exponent: Any) -> None:
    """Rows from `at`: second moments over those below, NaN where these are 0."""
    for k in range(second.shape[0]):
        ratio_row(rows[at + k], second[k], below[k], exponent[k], below_exponent[k])
