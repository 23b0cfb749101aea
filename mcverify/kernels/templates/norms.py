"""Norms of homogeneous networks over many networks at once: neither matrices nor vectors are drawn.

phi(h) is p h above 0 and q h below, times 2^e. A squared norm is v 4^exponent, v in [1/4, 1), or 0; arrays are
(layers, networks). See `chain_norms` for the law.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mcverify.kernels.templates.jit import kernel, scalar
from mcverify.kernels.templates.powers import DEAD, NOTHING, OK, power_of_two, top_exponent
from mcverify.rng.chi_squares import is_accepted, is_clear, proposed
from mcverify.rng.halves import positive_signs
from mcverify.rng.philox import MASK, SHIFT, philox4x32
from mcverify.rng.variates import normal_pair

ATTEMPT = np.uint64(1 << 22)
N_ATTEMPTS = 64


@scalar
def words_of(where: Any, replicate: Any, k0: Any, k1: Any) -> Any:
    """The first counter block of a stream."""
    return philox4x32(np.uint64(0), where, replicate & MASK, replicate >> SHIFT, k0, k1)


@scalar
def draw_units(normal: Any, spare: Any, bits: Any, where: Any, first: int, k0: Any, k1: Any) -> None:
    """Two normals and 64 bits, for each lane."""
    for lane in range(normal.size):
        w0, w1, w2, w3 = words_of(where, np.uint64(first + lane), k0, k1)
        normal[lane] = np.float64(normal_pair(w0, w1, 0))
        spare[lane] = np.float64(normal_pair(w0, w1, 1))
        bits[lane] = (w2 << SHIFT) | w3


@scalar
def propose(a: Any, b: Any, clear: Any, ka: Any, kb: Any, where: Any, first: int, k0: Any, k1: Any) -> None:
    """The first attempt at chi-squares of ka and of kb degrees of freedom; whether both are clear, for each lane."""
    for lane in range(a.size):
        w0, w1, w2, w3 = words_of(where, np.uint64(first + lane), k0, k1)
        za, zb = np.float64(normal_pair(w0, w1, 0)), np.float64(normal_pair(w0, w1, 1))
        a[lane] = proposed(ka[lane], za)
        b[lane] = proposed(kb[lane], zb)
        clear[lane] = np.float64(is_clear(ka[lane], za, w2) & is_clear(kb[lane], zb, w3))


@scalar
def settled(k: float, side: int, where: Any, replicate: Any, k0: Any, k1: Any) -> Any:
    """A chi-square of k degrees of freedom from the first attempt that is accepted."""
    for attempt in range(N_ATTEMPTS):
        w0, w1, w2, w3 = words_of(where + np.uint64(attempt) * ATTEMPT, replicate, k0, k1)
        z = np.float64(normal_pair(w0, w1, side))
        if is_accepted(k, z, w2 if side == 0 else w3):
            return proposed(k, z)
    return k  # with probability below 1e-80


@scalar
def chi_squares(a: Any, b: Any, clear: Any, ka: Any, kb: Any, where: Any, first: int, k0: Any, k1: Any) -> None:
    """Chi-squares of ka and of kb degrees of freedom, for each lane."""
    propose(a, b, clear, ka, kb, where, first, k0, k1)
    for lane in range(a.size):
        if clear[lane] == 0.0:
            a[lane] = settled(ka[lane], 0, where, np.uint64(first + lane), k0, k1)
            b[lane] = settled(kb[lane], 1, where, np.uint64(first + lane), k0, k1)


@scalar
def half_exponent(square: Any) -> Any:
    """The k for which a positive number is in [1/4, 1) 4^k."""
    return np.int64(top_exponent(square) + 1) >> 1


@scalar
def put(out: Any, out_exponent: Any, lane: int, square: Any, exponent: Any) -> None:
    """Write square 4^exponent in its normal form."""
    k = half_exponent(square)
    out[lane] = square * power_of_two(-2 * k)
    out_exponent[lane] = exponent + k if square > 0.0 else NOTHING


@scalar
def spread(x: Any, exponent: Any, lane: int, scale: Any, scale_exponent: Any, bias: Any, bias_exponent: Any) -> Any:
    """The variance of each entry of h_l, its exponent, and the share of it that is not the bias's."""
    product, product_exponent = scale * scale * x[lane], exponent[lane] + scale_exponent
    common = max(product_exponent, bias_exponent)
    product *= power_of_two(2 * (product_exponent - common))
    both = product + bias * bias * power_of_two(2 * (bias_exponent - common))
    return both, common, product / both if both > 0.0 else 0.0


@kernel
def first_norms(
    x: Any, exponent: Any, n: int, std: float, std_exponent: int, where: Any, first: int, k0: Any, k1: Any
) -> None:
    """Set the squared norm of a Gaussian input of n entries, for each lane."""
    lanes = x.size
    ka, kb, b, clear = np.full(lanes, np.float64(n)), np.zeros(lanes), np.empty(lanes), np.empty(lanes)
    a = np.empty(lanes)
    chi_squares(a, b, clear, ka, kb, where, first, k0, k1)
    for lane in range(lanes):
        put(x, exponent, lane, std * std * a[lane], std_exponent)


@kernel
def forward(
    n: Any, numbers: Any, exponents: Any, table: Any, starts: Any, least: Any, below: Any, guide: Any,
    streams: Any, first: int, k0: Any, k1: Any, drawn: Any,
    x: Any, x_exponent: Any, h: Any, h_exponent: Any, kinds: Any,
) -> None:  # fmt: skip
    """|h_l|^2, |x_l|^2 of layers 1..L from |x_0|^2.

    Args:
        n: (L + 1) widths.
        numbers: (4, L): mantissas of the standard deviations of weights and biases; p, q. exponents: (3, L), theirs.
        table: (L) which table of `halves` a layer uses: `below` from its start on, and its row of `guide`.
        streams: (2) second counter words of units and of norms at layer 0.
        drawn: (5, L, networks), written: active units; their sum of squares, that of the others; two normals.
        x, x_exponent: (L + 1, networks). h, h_exponent: (L, networks). kinds: (networks).
    """
    lanes = kinds.size
    bits, clear, rest = np.empty(lanes, np.uint64), np.empty(lanes), np.empty(lanes)
    for l in range(n.size - 1):
        units, a, b, normal, spare = drawn[0, l], drawn[1, l], drawn[2, l], drawn[3, l], drawn[4, l]
        where, width, which = np.uint64(l + 1), n[l + 1], table[l]
        scale, bias, p, q = numbers[0, l], numbers[1, l], numbers[2, l], numbers[3, l]
        draw_units(normal, spare, bits, streams[0] + where, first, k0, k1)
        own = below[starts[which] :]
        for lane in range(lanes):
            some = (scale > 0.0 and x[l, lane] > 0.0) or bias > 0.0
            k = positive_signs(bits[lane], width, least[which], own, guide[which]) if some else 0
            units[lane] = np.float64(k)
            rest[lane] = np.float64(width - k)
        chi_squares(a, b, clear, units, rest, streams[1] + where, first, k0, k1)
        about = (scale, exponents[0, l], bias, exponents[1, l], p * p, q * q, exponents[2, l])
        through_layer(x[l], x_exponent[l], a, b, about, h[l], h_exponent[l], x[l + 1], x_exponent[l + 1])
        for lane in range(lanes):
            if kinds[lane] == OK and x[l + 1, lane] == 0.0:
                kinds[lane] = DEAD


@scalar
def through_layer(
    before: Any, before_exponent: Any, a: Any, b: Any, about: Any, h: Any, h_exponent: Any, x: Any, x_exponent: Any
) -> None:
    """|h_l|^2 and |x_l|^2 from |x_{l-1}|^2, for each lane."""
    scale, scale_exponent, bias, bias_exponent, pp, qq, slope_exponent = about
    for lane in range(h.size):
        each, exponent, _ = spread(before, before_exponent, lane, scale, scale_exponent, bias, bias_exponent)
        put(h, h_exponent, lane, each * (a[lane] + b[lane]), exponent)
        put(x, x_exponent, lane, each * (pp * a[lane] + qq * b[lane]), exponent + slope_exponent)


@kernel
def backward(
    n: Any, numbers: Any, exponents: Any, gradient: float, gradient_exponent: int,
    streams: Any, first: int, k0: Any, k1: Any, drawn: Any, x: Any, x_exponent: Any,
    g: Any, g_exponent: Any, delta: Any, delta_exponent: Any,
) -> None:  # fmt: skip
    """|g_l|^2 of layers 0..L and |delta_l|^2 of layers 1..L.

    Args:
        gradient: Mantissa of the standard deviation of dL/dx_L.
        streams: (2) second counter words of its part along x_L, and of norms at layer 0.
        g, g_exponent: (L + 1, networks). delta, delta_exponent: (L, networks).
    """
    depth, lanes = n.size - 1, x.shape[1]
    a, b, clear, ka, kb = np.empty(lanes), np.empty(lanes), np.empty(lanes), np.empty(lanes), np.empty(lanes)
    c, c_exponent = np.empty(lanes), np.empty(lanes, np.int64)
    r, r_exponent = np.full(lanes, gradient * gradient), np.full(lanes, gradient_exponent)
    draw_products(c, c_exponent, x[depth], x_exponent[depth], gradient, gradient_exponent, streams[0], first, k0, k1)
    for l in range(depth, 0, -1):
        units, p, q = drawn[0, l - 1], numbers[2, l - 1], numbers[3, l - 1]
        for lane in range(lanes):
            lost = 1.0 if x[l, lane] > 0.0 else 0.0
            ka[lane] = units[lane] - lost
            kb[lane] = np.float64(n[l]) - units[lane] - lost
        chi_squares(a, b, clear, ka, kb, streams[1] + np.uint64(l), first, k0, k1)
        about = (np.float64(n[l]), p, q, exponents[2, l - 1])
        back_through_layer(
            x[l], x_exponent[l], c, c_exponent, r, r_exponent, drawn[:, l - 1], a, b, about,
            g[l], g_exponent[l], delta[l - 1], delta_exponent[l - 1],
        )  # fmt: skip
        scale, bias = numbers[0, l - 1], numbers[1, l - 1]
        for lane in range(lanes):
            r[lane] = scale * scale * delta[l - 1, lane]
            r_exponent[lane] = delta_exponent[l - 1, lane] + exponents[0, l - 1]
        if bias > 0.0:
            about = (scale, exponents[0, l - 1], bias, exponents[1, l - 1])
            next_products(c, c_exponent, x[l - 1], x_exponent[l - 1], r, r_exponent, drawn[4, l - 1], about)
    for lane in range(lanes):
        ka[lane] = np.float64(n[0]) - (1.0 if x[0, lane] > 0.0 else 0.0)
        kb[lane] = 0.0
    chi_squares(a, b, clear, ka, kb, streams[1], first, k0, k1)
    for lane in range(lanes):
        t, common, rr = meeting(c[lane], c_exponent[lane], x[0, lane], x_exponent[0, lane], r[lane], r_exponent[lane])
        put(g[0], g_exponent[0], lane, t * t + rr * a[lane], common)


@scalar
def meeting(c: Any, c_exponent: Any, x: Any, x_exponent: Any, r: Any, r_exponent: Any) -> Any:
    """The part of g along x, c / |x|, and the square r of what scales the rest, with their common exponent."""
    known = x > 0.0 and c != 0.0
    t = c / np.sqrt(x) if known else 0.0
    t_exponent = c_exponent - x_exponent if known else NOTHING
    common = max(t_exponent, r_exponent)
    return t * power_of_two(t_exponent - common), common, r * power_of_two(2 * (r_exponent - common))


@scalar
def put_signed(out: Any, out_exponent: Any, lane: int, value: Any, exponent: Any) -> None:
    """Write value 2^exponent with its size in [1/2, 1), or 0."""
    k = top_exponent(abs(value))
    out[lane] = value * power_of_two(-k)
    out_exponent[lane] = exponent + k if value != 0.0 else NOTHING


@scalar
def draw_products(
    c: Any, c_exponent: Any, x: Any, x_exponent: Any, std: Any, std_exponent: Any, where: Any, first: int, k0: Any,
    k1: Any,
) -> None:  # fmt: skip
    """x_L . g_L for a Gaussian g_L, for each lane."""
    for lane in range(c.size):
        w0, w1, _, _ = words_of(where, np.uint64(first + lane), k0, k1)
        z = np.float64(normal_pair(w0, w1, 0))
        put_signed(c, c_exponent, lane, np.sqrt(x[lane]) * (std * z), x_exponent[lane] + std_exponent)


@scalar
def back_through_layer(
    x: Any, x_exponent: Any, c: Any, c_exponent: Any, r: Any, r_exponent: Any, drawn: Any, a: Any, b: Any, about: Any,
    g: Any, g_exponent: Any, delta: Any, delta_exponent: Any,
) -> None:  # fmt: skip
    """|g_l|^2 and |delta_l|^2, for each lane, from a and b, the parts beside the directions of active and other units.

    c: x_l . g_l. r: square of what scales g_l across x_l.
    """
    n, p, q, slope_exponent = about
    units, plus, minus, normal = drawn[0], drawn[1], drawn[2], drawn[3]
    for lane in range(g.size):
        size = p * p * plus[lane] + q * q * minus[lane]
        inverse = 1.0 / np.sqrt(size) if x[lane] > 0.0 else 0.0
        cosine, sine = p * np.sqrt(plus[lane]) * inverse, q * np.sqrt(minus[lane]) * inverse
        t, common, rr = meeting(c[lane], c_exponent[lane], x[lane], x_exponent[lane], r[lane], r_exponent[lane])
        turn = np.sqrt(rr) * normal[lane]
        on_plus = t * cosine - turn * sine if units[lane] > 0.0 else 0.0
        on_minus = t * sine + turn * cosine if units[lane] < n else 0.0
        active, other = on_plus * on_plus + rr * a[lane], on_minus * on_minus + rr * b[lane]
        put(g, g_exponent, lane, active + other, common)
        put(delta, delta_exponent, lane, p * p * active + q * q * other, common + slope_exponent)


@scalar
def next_products(
    c: Any, c_exponent: Any, before: Any, before_exponent: Any, r: Any, r_exponent: Any, spare: Any, about: Any
) -> None:
    """x_{l-1} . g_{l-1} from x_l . g_l where b_l is Gaussian, for each lane."""
    scale, scale_exponent, bias, bias_exponent = about
    for lane in range(c.size):
        both, exponent, share = spread(before, before_exponent, lane, scale, scale_exponent, bias, bias_exponent)
        aside = np.sqrt(before[lane] / both) * bias * power_of_two(bias_exponent - exponent)
        free, free_exponent = aside * np.sqrt(r[lane]) * spare[lane], before_exponent[lane] + r_exponent[lane]
        common = max(c_exponent[lane], free_exponent)
        kept = c[lane] * share * power_of_two(c_exponent[lane] - common)
        put_signed(c, c_exponent, lane, kept + free * power_of_two(free_exponent - common), common)
