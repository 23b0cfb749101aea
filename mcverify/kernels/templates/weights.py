"""Weights of one law, drawn and consumed: h += W x forward, g += W^T delta backward, over many networks at once.

Every vector holds all its networks side by side: entry i of network `lane` stands at [i * lanes + lane]. So each
network's sums run in one fixed order, whatever the vector width, the number of lanes and the tiles; loops over
lanes vectorise. Weight (i, j) is entry e = i * n_in + j of its tensor: lane e % PER_BLOCK of counter block
e // PER_BLOCK. Four consecutive entries (a quad) go together, to make the inner loops long.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mcverify.kernels.templates.jit import kernel, scalar
from mcverify.rng.philox import MASK, SHIFT, philox4x32
from mcverify.rng.variates import normal as variate

PER_BLOCK = 4
WIDE = np.float32
"""Type of the sums of powers within a stretch of entries; float64 for laws whose fourth powers need it."""

FLUSH = 256
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
def add_products(total: Any, p1: Any, p2: Any, p4: Any, z: Any, x: Any, std: Any) -> None:
    """Add z std x to total, and z, z^2, z^4 to their sums; elementwise."""
    for k in range(z.size):
        total[k] += (z[k] * std) * x[k]
        wide = WIDE(z[k])
        square = wide * wide
        p1[k] += wide
        p2[k] += square
        p4[k] += square * square


@scalar
def add_quad(total: Any, p1: Any, p2: Any, p4: Any, z: Any, x: Any, std: Any) -> None:
    """The same for four entries (z and x hold four times the lanes), summed before they are added."""
    lanes = np.uint64(total.size)
    for k in range(lanes):
        z0, z1, z2, z3 = z[k], z[lanes + k], z[lanes + lanes + k], z[lanes + lanes + lanes + k]
        x0, x1, x2, x3 = x[k], x[lanes + k], x[lanes + lanes + k], x[lanes + lanes + lanes + k]
        total[k] += ((z0 * std) * x0 + (z1 * std) * x1) + ((z2 * std) * x2 + (z3 * std) * x3)
        v0, v1, v2, v3 = WIDE(z0), WIDE(z1), WIDE(z2), WIDE(z3)
        p1[k] += (v0 + v1) + (v2 + v3)
        v0, v1, v2, v3 = v0 * v0, v1 * v1, v2 * v2, v3 * v3
        p2[k] += (v0 + v1) + (v2 + v3)
        p4[k] += (v0 * v0 + v1 * v1) + (v2 * v2 + v3 * v3)


@scalar
def add_scaled(g: Any, z: Any, d: Any, std: Any) -> None:
    """Add z std d to g, elementwise."""
    for k in range(z.size):
        g[k] += (z[k] * std) * d[k]


@scalar
def flush(sums: Any, p1: Any, p2: Any, p4: Any, lanes: int) -> None:
    """Move the sums of powers into the float64 totals, three a lane."""
    for k in range(p1.size):
        lane = k % lanes
        sums[lane] += np.float64(p1[k])
        sums[lanes + lane] += np.float64(p2[k])
        sums[2 * lanes + lane] += np.float64(p4[k])
        p1[k] = 0
        p2[k] = 0
        p4[k] = 0


@kernel
def forward(
    h: Any, x: Any, sums: Any, n_in: int, lanes: int, tile: Any, drawn: bool,
    where: Any, first: int, k0: Any, k1: Any, a: float, b: float, std: Any,
) -> None:  # fmt: skip
    """Add W x to h, W = std z; and to sums (3 lanes) those of z, z^2, z^4 over all entries.

    Args:
        h: (n_out lanes) float32. x: (n_in lanes) float32.
        tile: float32 room for the z of at least 8 entries; all of them, where they are `drawn` already.
        where: Second counter word. first: replicate of lane 0. a, b: constants of the law.
        std: float32.
    """
    quad = 4 * lanes
    total = np.zeros(quad, np.float32)
    p1, p2, p4 = np.zeros(quad, WIDE), np.zeros(quad, WIDE), np.zeros(quad, WIDE)
    room = tile.size // quad * 4
    pending = 0
    for i in range(h.size // lanes):
        row, e = i * n_in, i * n_in
        total[:] = 0
        while e < row + n_in:
            start = e - e % 4
            stop = min(row + n_in, start + room)
            base = start if drawn else 0
            if not drawn:
                draw(tile, start, stop, lanes, where, first, k0, k1, a, b)
            while e < stop:
                upto = min(stop, e - e % 4 + 4)
                lo, hi = (e % 4) * lanes, (e % 4 + upto - e) * lanes
                z = tile[(e + base - start) * lanes : (upto + base - start) * lanes]
                part = x[(e - row) * lanes : (upto - row) * lanes]
                if upto - e == 4:
                    add_quad(total[:lanes], p1[:lanes], p2[:lanes], p4[:lanes], z, part, std)
                else:
                    add_products(total[lo:hi], p1[lo:hi], p2[lo:hi], p4[lo:hi], z, part, std)
                pending += upto - e
                e = upto
                if pending >= FLUSH:
                    flush(sums, p1, p2, p4, lanes)
                    pending = 0
        for lane in range(lanes):
            even = total[lane] + total[2 * lanes + lane]
            h[i * lanes + lane] += even + (total[lanes + lane] + total[3 * lanes + lane])
    flush(sums, p1, p2, p4, lanes)


@kernel
def backward(
    g: Any, delta: Any, n_in: int, lanes: int, tile: Any, drawn: bool,
    where: Any, first: int, k0: Any, k1: Any, a: float, b: float, std: Any,
) -> None:  # fmt: skip
    """Add W^T delta to g, with the very weights of `forward`; g (n_in lanes), delta (n_out lanes) float32."""
    quad = 4 * lanes
    repeated = np.zeros(quad, np.float32)
    room = tile.size // quad * 4
    for i in range(delta.size // lanes):
        row, e = i * n_in, i * n_in
        for k in range(quad):
            repeated[k] = delta[i * lanes + k % lanes]
        while e < row + n_in:
            start = e - e % 4
            stop = min(row + n_in, start + room)
            base = start if drawn else 0
            if not drawn:
                draw(tile, start, stop, lanes, where, first, k0, k1, a, b)
            while e < stop:
                upto = min(stop, e - e % 4 + 4)
                z = tile[(e + base - start) * lanes : (upto + base - start) * lanes]
                part = g[(e - row) * lanes : (upto - row) * lanes]
                add_scaled(part, z, repeated[: z.size], std)
                e = upto
