"""Arc tangent."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcverify.functions.bits import select

ARCTAN_EIGHTH = 0.41421356237309503  # tan(pi / 8)
ARCTAN_QUARTER, ARCTAN_HALF = 0.7853981633974483, 1.5707963267948966
ARCTAN_TAYLOR = (
    *(-1 / 3, 1 / 5, -1 / 7, 1 / 9, -1 / 11, 1 / 13, -1 / 15, 1 / 17, -1 / 19, 1 / 21, -1 / 23),
    *(1 / 25, -1 / 27, 1 / 29, -1 / 31, 1 / 33, -1 / 35, 1 / 37, -1 / 39, 1 / 41, -1 / 43),
)


def arctan(x: Any) -> Any:
    """The arc tangent, by Taylor's series below tan(pi/8).

    Above 1 it is pi/2 less that of 1/x, above tan(pi/8) it is pi/4 more than that of (x - 1)/(x + 1).
    """
    size = np.abs(np.float64(x))
    large = size > 1.0
    y = select(large, 1.0 / np.maximum(size, 1.0), size)
    middle = y > ARCTAN_EIGHTH
    y = select(middle, (y - 1.0) / (y + 1.0), y)
    z, t = y * y, ARCTAN_TAYLOR
    end = z * (z * (z * (z * (z * (z * t[20] + t[19]) + t[18]) + t[17]) + t[16]) + t[15]) + t[14]
    end = z * (z * (z * (z * (z * (z * (z * end + t[13]) + t[12]) + t[11]) + t[10]) + t[9]) + t[8]) + t[7]
    end = z * (z * (z * (z * (z * (z * (z * end + t[6]) + t[5]) + t[4]) + t[3]) + t[2]) + t[1]) + t[0]
    value = select(middle, ARCTAN_QUARTER, 0.0) + (y + y * z * end)
    return (1.0 - 2.0 * np.float64(x < 0.0)) * select(large, ARCTAN_HALF - value, value)
