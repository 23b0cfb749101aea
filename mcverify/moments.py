"""Mergeable sums: what is kept of the values of many networks, one column an observable.

A block's sums come from two passes in float64; two blocks' sums add up by the formulas of Pebay (2008), and a
merged state is always the same binary tree over the block index, so that its bits do not depend on who came first.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcverify.errors import InputError, IntegrityError

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

INTEGERS = ("count", "n_neg_inf", "n_pos_inf", "n_nan")
HEADER = struct.Struct("<4sI")
MAGIC = b"MOM1"
COLUMNS_AT_ONCE = 4096  # bounds the working memory of deep networks


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over the finite values of each column, and how many were not finite; arrays of shape (n_columns,).

    Attributes:
        count: Number of finite values.
        mean: Their mean; NaN where there are none, like `min` and `max`.
        m2: Sum of (x - mean)^2; `m3`, `m4`: of the third and fourth powers. Infinite or NaN where they overflow.
        min: Least finite value; `max`: the largest.
        n_neg_inf: Values that were -inf (logs of dead networks); `n_pos_inf`, `n_nan`: the others.

    >>> both = Moments.of([[1.0], [2.0]]) + Moments.of([[6.0], [-np.inf]])
    >>> both.count, both.mean, both.variance, both.n_neg_inf
    (array([3]), array([3.]), array([7.]), array([1]))
    """

    count: Integers
    mean: Floats
    m2: Floats
    m3: Floats
    m4: Floats
    min: Floats
    max: Floats
    n_neg_inf: Integers
    n_pos_inf: Integers
    n_nan: Integers

    @classmethod
    def of(cls, values: ArrayLike) -> Moments:
        """Moments of (networks, n_columns) float64 values, over the networks.

        Raises:
            InputError: if `values` has another number of axes.
        """
        table = np.asarray(values, dtype=np.float64)
        if table.ndim != 2:
            raise InputError(f"`values` of shape {table.shape}: give one row a network and one column an observable.")
        starts = range(0, max(table.shape[1], 1), COLUMNS_AT_ONCE)
        parts = [_of(table[:, start : start + COLUMNS_AT_ONCE]) for start in starts]
        if len(parts) == 1:
            return parts[0]
        return cls(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)))

    def __add__(self, other: Moments) -> Moments:
        if self.count.shape != other.count.shape:
            raise IntegrityError(f"moments of {self.count.size} columns and of {other.count.size} cannot be merged.")
        with np.errstate(all="ignore"):
            return _merged(self, other)

    def __getitem__(self, column: int | list[int]) -> Moments:
        """One column, as arrays of shape (), or several."""
        return Moments(*(getattr(self, f.name)[column, ...] for f in fields(self)))

    def among(self, columns: Integers, n_columns: int) -> Moments:
        """These moments as those of `columns` among n_columns of which the others are NaN in every network.

        >>> wide = Moments.of([[1.0], [2.0]]).among(np.array([1]), 3)
        >>> wide.to_bytes() == Moments.of([[np.nan, 1.0, np.nan], [np.nan, 2.0, np.nan]]).to_bytes()
        True
        """
        total = self.total.max(initial=0)
        other = {**dict.fromkeys(("mean", "min", "max"), np.nan), "n_nan": total}
        wide = {}
        for f in fields(self):
            values = getattr(self, f.name)
            wide[f.name] = np.full(n_columns, other.get(f.name, 0), values.dtype)
            wide[f.name][columns] = values
        return Moments(**wide)

    @property
    def total(self) -> Integers:
        """Number of values, finite or not."""
        return self.count + self.n_neg_inf + self.n_pos_inf + self.n_nan

    @property
    def variance(self) -> Floats:
        """Unbiased variance; NaN for fewer than two values."""
        with np.errstate(all="ignore"):
            return np.where(self.count > 1, self.m2 / (self.count - 1.0), np.nan)

    @property
    def skewness(self) -> Floats:
        """E[d^3]/E[d^2]^1.5 for d = x - mean; NaN where all are equal.

        >>> float(Moments.of([[-1.0], [-1.0], [2.0]])[0].skewness.round(12))
        0.707106781187
        """
        with np.errstate(all="ignore"):
            return np.asarray(np.sqrt(self.count) * self.m3 / (self.m2 * np.sqrt(self.m2)))

    @property
    def kurtosis(self) -> Floats:
        """E[d^4]/E[d^2]^2 for d = x - mean, 3 for a Gaussian; NaN where all are equal."""
        with np.errstate(all="ignore"):
            return np.asarray(self.count * self.m4 / (self.m2 * self.m2))

    @property
    def mean_error(self) -> Floats:
        """Standard error of the mean."""
        with np.errstate(all="ignore"):
            return np.sqrt(self.variance / self.count)

    @property
    def variance_error(self) -> Floats:
        """Standard error of the variance: Var s^2 = (mu_4 - s^4 (n-3)/(n-1))/n, by the sample's fourth moment."""
        n = self.count
        with np.errstate(all="ignore"):
            fourth = self.m4 / n
            excess = fourth - self.variance**2 * (n - 3) / (n - 1.0)
            return np.sqrt(np.maximum(excess, 0.0) / n)

    def to_bytes(self) -> bytes:
        """Little-endian bytes, equal for equal moments."""
        arrays = (_little_endian(getattr(self, f.name)) for f in fields(self))
        return b"".join([HEADER.pack(MAGIC, self.count.size), *arrays])

    @classmethod
    def from_bytes(cls, data: bytes) -> Moments:
        """The moments that `to_bytes` wrote.

        Raises:
            IntegrityError: if these are not such bytes, or not all of them.

        >>> moments = Moments.of([[1.0, 2.0], [3.0, np.nan]])
        >>> Moments.from_bytes(moments.to_bytes()).n_nan
        array([0, 1])
        """
        names = [f.name for f in fields(cls)]
        magic, size = HEADER.unpack_from(data) if len(data) >= HEADER.size else (b"", 0)
        if magic != MAGIC or len(data) != HEADER.size + 8 * size * len(names):
            raise IntegrityError(f"{len(data)} bytes are not the moments of {size} columns.")
        offsets = (HEADER.size + 8 * size * i for i in range(len(names)))
        kinds = ("<i8" if name in INTEGERS else "<f8" for name in names)
        return cls(*(np.frombuffer(data, kind, size, at) for kind, at in zip(kinds, offsets, strict=True)))


class Tree:
    """Merges parts into one fixed binary tree over their index, in whatever order they come.

    Two parts are merged as soon as both halves of a node are there: parts 2k and 2k+1, then pairs of pairs, and so
    on. Memory grows with the logarithm of the number of parts, and with how far out of order they come.

    >>> parts = [Moments.of([[float(i)]]) for i in range(3)]
    >>> tree = Tree()
    >>> for i in (2, 0, 1):
    ...     tree.add(i, parts[i])
    >>> tree.total().to_bytes() == ((parts[0] + parts[1]) + parts[2]).to_bytes()
    True
    """

    def __init__(self) -> None:
        self._nodes: dict[tuple[int, int], Moments] = {}  # (level, index) of the largest complete nodes

    def add(self, index: int, part: Moments) -> None:
        """Put a part in its place; each index once."""
        level = 0
        while (level, index ^ 1) in self._nodes:
            sibling = self._nodes.pop((level, index ^ 1))
            part = sibling + part if index & 1 else part + sibling
            level, index = level + 1, index >> 1
        self._nodes[level, index] = part

    def total(self) -> Moments:
        """The sum of all parts 0 .. n-1; complete nodes are joined from the last to the first.

        Raises:
            IntegrityError: if there is no part, or one is missing between others.
        """
        nodes = sorted(
            ((index << level, 1 << level, part) for (level, index), part in self._nodes.items()), reverse=True
        )
        if not nodes:
            raise IntegrityError("there are no moments to merge.")
        start, _, merged = nodes[0]
        for next_start, next_size, part in nodes[1:]:
            if next_start + next_size != start:
                raise IntegrityError(f"part {next_start + next_size} of the moments is missing.")
            start, merged = next_start, part + merged
        if start != 0:
            raise IntegrityError("part 0 of the moments is missing.")
        return merged


def merge(parts: Iterable[Moments]) -> Moments:
    """The sum of parts in the fixed tree of `Tree`; only a few of them are held at a time.

    Raises:
        IntegrityError: if there are none, or their columns differ in number.
    """
    tree = Tree()
    for index, part in enumerate(parts):
        tree.add(index, part)
    return tree.total()


def _of(x: Floats) -> Moments:
    finite = np.isfinite(x)
    count = np.asarray(finite.sum(axis=0), dtype=np.int64)
    n = np.maximum(count, 1)
    with np.errstate(all="ignore"):
        kept = np.where(finite, x, 0.0)
        rough = (kept / n).sum(axis=0)  # divided first: a sum of large values must not overflow
        mean = rough + np.where(finite, x - rough, 0.0).sum(axis=0) / n
        d = np.where(finite, x - mean, 0.0)
        square = d * d
        m2, m3, m4 = square.sum(axis=0), (square * d).sum(axis=0), (square * square).sum(axis=0)
    some = count > 0
    return Moments(
        count=count,
        mean=np.where(some, mean, np.nan),
        m2=m2,
        m3=m3,
        m4=m4,
        min=np.where(some, np.where(finite, x, np.inf).min(axis=0, initial=np.inf), np.nan),
        max=np.where(some, np.where(finite, x, -np.inf).max(axis=0, initial=-np.inf), np.nan),
        n_neg_inf=np.asarray(np.isneginf(x).sum(axis=0), dtype=np.int64),
        n_pos_inf=np.asarray(np.isposinf(x).sum(axis=0), dtype=np.int64),
        n_nan=np.asarray(np.isnan(x).sum(axis=0), dtype=np.int64),
    )


def _merged(a: Moments, b: Moments) -> Moments:
    """Pebay (2008), equations 2.1 and 3.1 for two sets; d is 0 where one of the two is empty."""
    n_a, n_b = a.count.astype(np.float64), b.count.astype(np.float64)
    n = np.maximum(n_a + n_b, 1.0)
    d = np.where((n_a > 0) & (n_b > 0), b.mean - a.mean, 0.0)
    dd = d * d
    return Moments(
        count=a.count + b.count,
        mean=np.where(n_a > 0, a.mean + d * (n_b / n), b.mean),
        m2=a.m2 + b.m2 + dd * (n_a * n_b / n),
        m3=a.m3 + b.m3 + dd * d * (n_a * n_b * (n_a - n_b) / n**2) + 3 * d * (n_a / n * b.m2 - n_b / n * a.m2),
        m4=a.m4
        + b.m4
        + dd * dd * (n_a * n_b * (n_a**2 - n_a * n_b + n_b**2) / n**3)
        + 6 * dd * ((n_a / n) ** 2 * b.m2 + (n_b / n) ** 2 * a.m2)
        + 4 * d * (n_a / n * b.m3 - n_b / n * a.m3),
        min=np.fmin(a.min, b.min),
        max=np.fmax(a.max, b.max),
        n_neg_inf=a.n_neg_inf + b.n_neg_inf,
        n_pos_inf=a.n_pos_inf + b.n_pos_inf,
        n_nan=a.n_nan + b.n_nan,
    )


def _little_endian(array: Integers | Floats) -> bytes:
    if array.dtype == np.int64:
        return array.astype("<i8").tobytes()
    return np.where(np.isnan(array), np.nan, array).astype("<f8").tobytes()  # one NaN, whatever the processor's sign
