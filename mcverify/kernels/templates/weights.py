"""Weights of one law, drawn and consumed: h += W x forward, g = W^T delta backward, over many networks at once.

Every vector holds all its networks side by side: entry i of network `lane` stands at [i * lanes + lane]. So each
network's sums run in one fixed order, whatever the vector width, the number of lanes and the tiles; loops over
lanes vectorise. Weight (i, j) is entry e = i * n_in + j of its tensor: lane e % PER_BLOCK of counter block
e // PER_BLOCK. Four consecutive entries (a quad) go together, to make the inner loops long. Weights are float32,
vectors and sums float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mcverify.kernels.templates.jit import kernel, scalar
from mcverify.kernels.templates.powers import OK, OVERFLOW, rescale
from mcverify.rng.philox import MASK, SHIFT, philox4x32
from mcverify.rng.variates import normal as variate

PER_BLOCK = 4
WIDE = np.float32
"""Type of the sums of powers within a stretch of entries; float64 for laws whose fourth powers need it."""

FLUSH = 32
"""Entries after which the sums of powers go into float64."""


@scalar
def draw_block(
    z0: Any, z1: Any, z2: Any, z3: Any, block: Any, where: Any, first: int, k0: Any, k1: Any, a: Any, b: Any
) -> None:  # fmt: skip
    """The variates of one counter block, for each lane."""
    for lane in range(z0.size):
        replicate = np.uint64(first + lane)
        w0, w1, w2, w3 = philox4x32(block, where, replicate & MASK, replicate >> SHIFT, k0, k1)
        z0[lane] = variate(w0, w1, w2, w3, 0, a, b)
        if PER_BLOCK > 1:
            z1[lane] = variate(w0, w1, w2, w3, 1, a, b)
        if PER_BLOCK > 2:
            z2[lane] = variate(w0, w1, w2, w3, 2, a, b)
            z3[lane] = variate(w0, w1, w2, w3, 3, a, b)


@kernel
def draw(
    z: Any, start: int, stop: int, lanes: int, where: Any, first: int, k0: Any, k1: Any, a: float, b: float
) -> None:
    """Entries start..stop - 1 of a tensor, start a multiple of 4; z has room for whole quads."""
    for block in range(start // PER_BLOCK, (stop + PER_BLOCK - 1) // PER_BLOCK):
        at = (block * PER_BLOCK - start) * lanes
        z0, z1 = z[at : at + lanes], z[at + lanes : at + 2 * lanes]
        z2, z3 = z[at + 2 * lanes : at + 3 * lanes], z[at + 3 * lanes : at + 4 * lanes]
        draw_block(z0, z1, z2, z3, np.uint64(block), where, first, k0, k1, a, b)


@scalar
def add_powers(p1: Any, p2: Any, z: Any) -> None:
    """Add z and z^2 of four entries (z holds four times the lanes) to their sums."""
    lanes = np.uint64(p1.size)
    for k in range(lanes):
        v0, v1 = WIDE(z[k]), WIDE(z[lanes + k])
        v2, v3 = WIDE(z[lanes + lanes + k]), WIDE(z[lanes + lanes + lanes + k])
        p1[k] += (v0 + v1) + (v2 + v3)
        p2[k] += (v0 * v0 + v1 * v1) + (v2 * v2 + v3 * v3)


@scalar
def add_fourths(p4: Any, z: Any) -> None:
    """Add z^4 of four entries to their sum."""
    lanes = np.uint64(p4.size)
    for k in range(lanes):
        v0, v1 = WIDE(z[k]), WIDE(z[lanes + k])
        v2, v3 = WIDE(z[lanes + lanes + k]), WIDE(z[lanes + lanes + lanes + k])
        v0, v1, v2, v3 = v0 * v0, v1 * v1, v2 * v2, v3 * v3
        p4[k] += (v0 * v0 + v1 * v1) + (v2 * v2 + v3 * v3)


@scalar
def flush(total: Any, part: Any) -> None:
    """Move the sum of a stretch into float64."""
    for lane in range(total.size):
        total[lane] += np.float64(part[lane])
        part[lane] = 0


@scalar
def add_product(total: Any, z: Any, x: Any, std: Any) -> None:
    """Add (z std) x of one entry to total, for each lane."""
    for lane in range(total.size):
        total[lane] += np.float64(z[lane] * std) * x[lane]


@scalar
def add_products(total: Any, z: Any, x: Any, std: Any) -> None:
    """The same for four entries (z and x hold four times the lanes), summed before they are added."""
    lanes = np.uint64(total.size)
    for k in range(lanes):
        y0 = np.float64(z[k] * std) * x[k]
        y1 = np.float64(z[lanes + k] * std) * x[lanes + k]
        y2 = np.float64(z[lanes + lanes + k] * std) * x[lanes + lanes + k]
        y3 = np.float64(z[lanes + lanes + lanes + k] * std) * x[lanes + lanes + lanes + k]
        total[k] += (y0 + y1) + (y2 + y3)


@scalar
def add_unit(h: Any, total: Any) -> None:
    """Move a row's sum to its unit."""
    for lane in range(total.size):
        h[lane] += total[lane]
        total[lane] = 0.0


@scalar
def repeat(repeated: Any, d: Any) -> None:
    """Four copies of d."""
    for start in range(0, repeated.size, d.size):
        repeated[start : start + d.size] = d


@scalar
def add_scaled(g: Any, z: Any, d: Any, std: Any) -> None:
    """Add (z std) d to g, elementwise."""
    for k in range(z.size):
        g[k] += np.float64(z[k] * std) * d[k]


@scalar
def measure_weights(z: Any, start: int, stop: int, lanes: int, sums: Any, parts: Any) -> None:
    """Add z, z^2, z^4 of entries start..stop - 1 to `parts`, and these to `sums` (3, lanes) at every FLUSH entries."""
    quad = 4 * lanes
    z[(stop - start) * lanes :] = 0
    for e in range(start, stop, 4):
        entries = z[(e - start) * lanes : (e - start) * lanes + quad]
        add_powers(parts[0], parts[1], entries)
        add_fourths(parts[2], entries)
        if (e + 4) % FLUSH == 0 or e + 4 >= stop:
            for power in range(3):
                flush(sums[power], parts[power])


@kernel
def forward(
    h: Any, x: Any, n_in: int, lanes: int, z: Any, room: int, stored: bool, drawn: bool,
    where: Any, first: int, k0: Any, k1: Any, a: float, b: float, std: Any,
    sums: Any, mean: Any, second: Any, fourth: Any, exponent: Any,
) -> None:  # fmt: skip
    """Add W x to h, W = std z, and `rescale` it; the means of z, z^2, z^4 over all entries into sums (3, lanes).

    Args:
        h: (n_out lanes) float64. x: (n_in lanes) float64.
        z: float32 room for the z of `room` entries, a multiple of FLUSH; for all, in whole quads, where they are
            `stored`; they are there already where they are `drawn`.
        where: Second counter word. first: replicate of lane 0. a, b: constants of the law. std: float32.
    """
    total, parts = np.zeros(lanes), np.zeros((3, lanes), WIDE)
    size = h.size // lanes * n_in
    sums[:] = 0
    for start in range(0, size, room):
        stop = min(size, start + room)
        at = start * lanes if stored else 0
        tile = z[at : at + (stop - start + 3) // 4 * 4 * lanes]
        if not drawn:
            draw(tile, start, stop, lanes, where, first, k0, k1, a, b)
        measure_weights(tile, start, stop, lanes, sums, parts)
        e = start
        while e < stop:
            i, j = e // n_in, e % n_in
            step = 4 if e % 4 == 0 and j + 4 <= n_in else 1
            entries, part = tile[(e - start) * lanes : (e - start + step) * lanes], x[j * lanes : (j + step) * lanes]
            if step == 4:
                add_products(total, entries, part, std)
            else:
                add_product(total, entries, part, std)
            e += step
            if j + step == n_in:
                add_unit(h[i * lanes : (i + 1) * lanes], total)
    sums /= np.float64(size)
    rescale(h, lanes, mean, second, fourth, exponent)


@kernel
def backward(
    g: Any, delta: Any, n_in: int, lanes: int, z: Any, room: int, stored: bool, drawn: bool,
    where: Any, first: int, k0: Any, k1: Any, a: float, b: float, std: Any,
    mean: Any, second: Any, fourth: Any, exponent: Any, kinds: Any,
) -> None:  # fmt: skip
    """Add W^T delta to g, with the very weights of `forward`, and `rescale` it; g (n_in lanes), delta (n_out lanes)."""
    quad = 4 * lanes
    repeated = np.zeros(quad)
    size = delta.size // lanes * n_in
    for start in range(0, size, room):
        stop = min(size, start + room)
        at = start * lanes if stored else 0
        tile = z[at : at + (stop - start + 3) // 4 * 4 * lanes]
        if not drawn:
            draw(tile, start, stop, lanes, where, first, k0, k1, a, b)
        e = start
        while e < stop:
            i, j = e // n_in, e % n_in
            if e == start or j == 0:
                repeat(repeated, delta[i * lanes : (i + 1) * lanes])
            step = min(n_in - j, stop - e, 4)
            entries = tile[(e - start) * lanes : (e - start + step) * lanes]
            add_scaled(g[j * lanes : (j + step) * lanes], entries, repeated[: step * lanes], std)
            e += step
    rescale(g, lanes, mean, second, fourth, exponent)
    for lane in range(lanes):
        if kinds[lane] == OK and not np.isfinite(second[lane]):
            kinds[lane] = OVERFLOW
