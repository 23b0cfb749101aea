"""The columns of observables of many networks side by side, from their powers: `columns.columns_of`, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcverify.functions.log_scaled import log_scaled
from mcverify.kernels.templates.jit import kernel, scalar


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


@kernel
def seconds(rows: Any, at: int, second: Any, exponent: Any) -> None:
    """The same rows of a tensor of which the second moment alone is known; the others stay as they are."""
    n = second.shape[0]
    for k in range(n):
        shift_row(rows[at + n + k], second[k], exponent[k], 2)
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
