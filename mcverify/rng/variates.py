"""Each law as a scalar function: four random words to one standardised variate, float32.

`name(w0, w1, w2, w3, lane, a, b)`: of the variates that one block of four words gives, the one at `lane`. `a` and
`b` are the law's constants. Only + - * / and square roots, in the order written, so that the bits are those of any
IEEE machine. The same text runs on NumPy arrays and compiled. Polynomials are Chebyshev fits made for this file;
their errors are tested.
"""

from __future__ import annotations

from typing import Any

import numpy as np

F = np.float32
HALF = F(0.5)
ONE = F(1)
TWO = F(2)
LN2 = F(0.6931471805599453)
LN2_HIGH, LN2_LOW = F(0.693359375), F(-2.1219444005469057e-04)
PER_LN2 = F(1.4426950408889634)
LARGEST_EXPONENT, HUGE = F(88), F(3e38)
TO_UNIT = F(2.0**-31)
TO_WORD = F(2.0**-32)
TOP_BIT = np.uint64(31)
LOW_BIT = np.uint64(1)
ROOT_HALF_BITS = np.int32(0x3F3504F3)  # of float32(sqrt(1/2))
MANTISSA_BITS, EXPONENT_BIAS = np.int32(23), np.int32(127)
SQRT_3 = F(3.0**0.5)
SQRT_HALF = F(0.5**0.5)

LOG_POLYNOMIAL = (
    *(F(0.33333354047279085), F(-0.25000851943543073), F(0.19999826572958485), F(-0.166213699102307)),
    *(F(0.14227114035841879), F(-0.13202104209002521), F(0.1262032748918015), F(-0.07362867871504869)),
)
COS_POLYNOMIAL = (
    *(F(0.9999999997799044), F(-1.233700534269706), F(0.25366932247226703)),
    *(F(-0.02086268754765234), F(0.0009177238820778672), F(-2.3824535490106817e-05)),
)
SIN_POLYNOMIAL = (
    *(F(1.5707963267681448), F(-0.6459640955780682), F(0.07969260371710453)),
    *(F(-0.004681657795523228), F(0.0001602546910583313), F(-3.4318293108952843e-06)),
)
EXP_POLYNOMIAL = (
    *(F(0.16666701036489864), F(0.04166175937594854), F(0.008358682077179259)),
    *(F(0.0013285715682637958), F(0.0002645272763837556)),
)
QUANTILE_CENTRE = (
    *(F(1.2533140172817991), F(0.32812118927933426), F(0.01630839471682139), F(-0.0032486894667862957)),
    *(F(-0.00023737899146004777), F(9.755788051391982e-05), F(-6.5455235514709146e-06)),
    *(F(-3.063960862965309e-07), F(3.95789143491071e-08)),
)
QUANTILE_TAIL = (
    *(F(4.7170874194412695), F(1.4246214868730047), F(0.004670771264082464), F(-0.0028234110686044737)),
    *(F(0.001410479932574137), F(-0.001131776612791533), F(0.0007984616245187289), F(-0.00022649731620129408)),
)
TAIL_FROM = F(5)
TAIL_CENTRE = F(3.5)


def log(x: Any) -> Any:
    """Natural logarithm of a positive normal float32, relative error below 2e-7 away from x = 1."""
    return log_of_scaled(x, np.int32(0))


def log_of_scaled(x: Any, exponent: Any) -> Any:
    """log(x 2^exponent), without a cancellation between the two."""
    bits = np.float32(x).view(np.int32)
    power = np.int32(np.int32(bits - ROOT_HALF_BITS) >> MANTISSA_BITS)
    f = np.int32(bits - np.int32(power << MANTISSA_BITS)).view(np.float32) - ONE  # x = (1 + f) 2^power
    p = LOG_POLYNOMIAL
    cubic = f * (f * (f * (f * (f * (f * (f * p[7] + p[6]) + p[5]) + p[4]) + p[3]) + p[2]) + p[1]) + p[0]
    square = f * f
    return F(np.int32(power + exponent)) * LN2 + (f - (HALF * square - square * (f * cubic)))


def exponential(word: Any) -> Any:
    """A standard exponential: -log((word + 1/2) / 2^32), at most 22.9."""
    return -log_of_scaled(F(np.uint32(word)) + HALF, np.int32(-32))


def signed_unit(word: Any) -> Any:
    """Uniform on (-1, 1): the word read as a signed number."""
    return F(np.int32(np.uint32(word))) * TO_UNIT


def sign(bit: Any) -> Any:
    """1 for a bit 0, -1 for a bit 1."""
    return ONE - TWO * F(np.uint32(bit))


def normal_pair(radius_word: Any, angle_word: Any, lane: int) -> Any:
    """One of two independent standard normals (Box and Muller 1958), at most 6.77 in size.

    The angle is t pi/2, t in (-1, 1): a half circle; the word's lowest bit says which half.
    """
    radius = np.sqrt(TWO * exponential(radius_word)) * sign(angle_word & LOW_BIT)
    t = signed_unit(angle_word)
    q = t * t
    if lane == 0:
        p = COS_POLYNOMIAL
        return radius * (q * (q * (q * (q * (q * p[5] + p[4]) + p[3]) + p[2]) + p[1]) + p[0])
    p = SIN_POLYNOMIAL
    return radius * (t * (q * (q * (q * (q * (q * p[5] + p[4]) + p[3]) + p[2]) + p[1]) + p[0]))


def cosine(word: Any) -> Any:
    """cos(2 pi V), V uniform."""
    t = signed_unit(word)
    q = t * t
    p = COS_POLYNOMIAL
    return sign(word & LOW_BIT) * (q * (q * (q * (q * (q * p[5] + p[4]) + p[3]) + p[2]) + p[1]) + p[0])


def expm1(y: Any) -> Any:
    """exp(y) - 1 for y >= 0, relative error below 1e-6 up to y = 88; infinite beyond."""
    beyond = F(y > LARGEST_EXPONENT) * HUGE
    y = np.minimum(y, LARGEST_EXPONENT)
    power = np.int32(y * PER_LN2)
    r = (y - F(power) * LN2_HIGH) - F(power) * LN2_LOW
    p = EXP_POLYNOMIAL
    part = r + r * r * (HALF + r * (r * (r * (r * (r * p[4] + p[3]) + p[2]) + p[1]) + p[0]))
    scale = np.int32(np.int32(power + EXPONENT_BIAS) << MANTISSA_BITS).view(np.float32)
    return (scale * part + (scale - ONE)) + beyond + beyond


def pick(w0: Any, w1: Any, w2: Any, w3: Any, lane: int) -> Any:
    """The word of a lane."""
    if lane == 0:
        return w0
    if lane == 1:
        return w1
    if lane == 2:
        return w2
    return w3


def normal(w0: Any, w1: Any, w2: Any, w3: Any, lane: int, a: Any, b: Any) -> Any:
    """Standard normal; four a block."""
    if lane < 2:
        return normal_pair(w0, w1, lane)
    return normal_pair(w2, w3, lane - 2)


def uniform(w0: Any, w1: Any, w2: Any, w3: Any, lane: int, a: Any, b: Any) -> Any:
    """Uniform on (-sqrt 3, sqrt 3); four a block."""
    return SQRT_3 * ((F(np.int32(np.uint32(pick(w0, w1, w2, w3, lane)))) + HALF) * TO_UNIT)


def rademacher(w0: Any, w1: Any, w2: Any, w3: Any, lane: int, a: Any, b: Any) -> Any:
    """1 or -1; four a block."""
    return sign(pick(w0, w1, w2, w3, lane) >> TOP_BIT)


def laplace(w0: Any, w1: Any, w2: Any, w3: Any, lane: int, a: Any, b: Any) -> Any:
    """Double exponential of variance 1; four a block. The sign is the lowest bit, the size the other 31."""
    word = pick(w0, w1, w2, w3, lane)
    size = -log_of_scaled(F(np.uint32(word >> LOW_BIT)) + HALF, np.int32(-31))
    return SQRT_HALF * (sign(word & LOW_BIT) * size)


def truncated_normal(w0: Any, w1: Any, w2: Any, w3: Any, lane: int, a: Any, b: Any) -> Any:
    """A normal cut at +-bound times b; a = P(|z| < bound); by the quantile function; four a block.

    With y = 2 Phi(z) - 1 and m = -log(1 - y^2), z / y is smooth in m (Giles 2010).
    """
    y = a * ((np.float64(np.int32(np.uint32(pick(w0, w1, w2, w3, lane)))) + 0.5) * 2.0**-31)
    m = -log(F((1.0 - y) * (1.0 + y)))
    c = QUANTILE_CENTRE
    centre = m * (m * (m * (m * (m * (m * (m * (m * c[8] + c[7]) + c[6]) + c[5]) + c[4]) + c[3]) + c[2]) + c[1]) + c[0]
    t = QUANTILE_TAIL
    s = np.sqrt(np.maximum(m, F(0))) - TAIL_CENTRE
    tail = s * (s * (s * (s * (s * (s * (s * t[7] + t[6]) + t[5]) + t[4]) + t[3]) + t[2]) + t[1]) + t[0]
    in_tail = F(m > TAIL_FROM)
    return F(b) * (F(y) * (centre + in_tail * (tail - centre)))


def student_t(w0: Any, w1: Any, w2: Any, w3: Any, lane: int, a: Any, b: Any) -> Any:
    """Student t with a degrees of freedom, times b (Bailey 1994); one a block.

    sqrt(a (U^(-2/a) - 1)) cos(2 pi V), U of 96 bits, so that heavy tails are not cut short. With e = U^(-1/a) - 1
    the root is that of a e (e + 2).
    """
    u = F(np.uint32(w0)) + (F(np.uint32(w1)) + (F(np.uint32(w2)) + HALF) * TO_WORD) * TO_WORD
    e = expm1(-log_of_scaled(u, np.int32(-32)) * F(1.0 / a))
    return F(b) * (np.sqrt(F(a)) * (np.sqrt(e) * np.sqrt(e + TWO) * cosine(w3)))


def sparse(w0: Any, w1: Any, w2: Any, w3: Any, lane: int, a: Any, b: Any) -> Any:
    """0 with probability a / 2^32, else a normal times b; two a block."""
    if lane == 0:
        return normal_pair(w0, w1, 0) * (F(np.float64(w2) >= a) * F(b))
    return normal_pair(w0, w1, 1) * (F(np.float64(w3) >= a) * F(b))


def constant(w0: Any, w1: Any, w2: Any, w3: Any, lane: int, a: Any, b: Any) -> Any:
    """1."""
    return F(ONE + F(0) * F(np.uint32(w0 & LOW_BIT)))
