"""The logarithm of a number whose exponent is kept beside it."""

from __future__ import annotations

from typing import Any

import numpy as np

SCALED_LN2_HIGH, SCALED_LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
SCALED_ROOT_HALF_BITS = np.int64(0x3FE6A09E667F3BCD)  # of sqrt(1/2)
SCALED_ODD = (6.666666666666735130e-01, 2.857142874366239149e-01, 1.818357216161805012e-01, 1.479819860510658591e-01)
SCALED_EVEN = (3.999999999940941908e-01, 2.222219843214978396e-01, 1.531383769920937332e-01)


def log_scaled(value: Any, exponent: Any) -> Any:
    """log(value 2^exponent), value 0 or above 1e-300, to a few roundings (the method and constants of fdlibm)."""
    bits = np.float64(value).view(np.int64)
    power = np.int64(np.int64(bits - SCALED_ROOT_HALF_BITS) >> 52)
    f = np.int64(bits - np.int64(power << 52)).view(np.float64) - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    odd = z * (SCALED_ODD[0] + w * (SCALED_ODD[1] + w * (SCALED_ODD[2] + w * SCALED_ODD[3])))
    rest = odd + w * (SCALED_EVEN[0] + w * (SCALED_EVEN[1] + w * SCALED_EVEN[2]))
    half, k = 0.5 * f * f, np.float64(power + exponent)
    log = k * SCALED_LN2_HIGH - ((half - (s * (half + rest) + k * SCALED_LN2_LOW)) - f)
    special = -np.inf if value == 0.0 else value
    return log if value > 0.0 and value < np.inf else special
