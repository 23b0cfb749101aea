"""Blocks of networks: each file states what one of them does to second moments and gradients.

A block is no observable of a dense network, so its statements are `Statement`s: an expression, assumptions, exactness,
reference, and `at(...)`, which puts numbers in. Beside each stands the plain function of numbers that it evaluates.
"""

from __future__ import annotations

from theory.blocks import (
    attention,
    convolution,
    delta_orthogonal,
    dropout,
    normalization,
    residual,
    tied,
)
from theory.statement import Statement

STATEMENTS: tuple[Statement, ...] = (
    *convolution.STATEMENTS,
    *delta_orthogonal.STATEMENTS,
    *residual.STATEMENTS,
    *normalization.STATEMENTS,
    *attention.STATEMENTS,
    *dropout.STATEMENTS,
    *tied.STATEMENTS,
)
"""Every statement about a block, in the order of the catalogue."""

__all__ = [
    "STATEMENTS",
    "Statement",
    "attention",
    "convolution",
    "delta_orthogonal",
    "dropout",
    "normalization",
    "residual",
    "tied",
]
