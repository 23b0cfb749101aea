"""Mergeable moments: equal to exact arithmetic, whatever the cut into parts."""

from __future__ import annotations

import itertools
from dataclasses import fields
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcverify.errors import InputError, IntegrityError
from mcverify.moments import Moments, Tree, merge

Exact = tuple[Fraction, ...]


def exact(values: list[float]) -> Exact:
    """Mean, M2, M3, M4 in rational arithmetic."""
    x = [Fraction(value) for value in values]
    mean = sum(x, Fraction(0)) / len(x)
    return mean, *(sum(((value - mean) ** power for value in x), Fraction(0)) for power in (2, 3, 4))


def of(values: list[float]) -> Moments:
    return Moments.of(np.reshape(values, (-1, 1)))


def blocks_of(values: np.ndarray, size: int = 256) -> list[Moments]:
    return [of(values[start : start + size].tolist()) for start in range(0, len(values), size)]


def gamma_on_an_offset() -> np.ndarray:
    """2e5 values of standard deviation 1 on an offset of 1e4, skewed and with kurtosis 4.5."""
    return 1e4 + np.random.default_rng(1).gamma(4.0, 0.5, 200_000)


def errors(moments: Moments, truth: Exact, n: int) -> tuple[float, float]:
    """Relative errors of the variance and of the kurtosis."""
    _, m2, _, m4 = truth
    variance, kurtosis = m2 / (n - 1), n * m4 / m2**2
    return (
        abs(float(Fraction(float(moments.variance[0])) / variance - 1)),
        abs(float(Fraction(float(moments.kurtosis[0])) / kurtosis - 1)),
    )


def test_merging_small_integers_is_exact() -> None:
    """Two halves of a set of integers add up to its rational moments to the bit."""
    a, b = [1.0, 2.0, 4.0, 9.0], [0.0, -8.0, 16.0, 4.0]
    merged = of(a) + of(b)
    assert [float(m[0]) for m in (merged.mean, merged.m2, merged.m3, merged.m4)] == [float(m) for m in exact(a + b)]
    assert (merged.min[0], merged.max[0], merged.count[0]) == (-8, 16, 8)


def test_accuracy_on_an_offset() -> None:
    """On 2e5 gamma values with offset 1e4 the merged variance is right to 1e-13, the kurtosis to 1e-11."""
    values = gamma_on_an_offset()
    scaled = [int(value * 2**40) for value in values]  # exact: a double near 1e4 has 39 binary places
    truth = tuple(m / 2 ** (40 * p) for m, p in zip(exact_of_integers(scaled), (1, 2, 3, 4), strict=True))
    variance, kurtosis = errors(merge(blocks_of(values)), truth, len(values))
    assert variance < 1e-13
    assert kurtosis < 1e-11


def exact_of_integers(x: list[int]) -> Exact:
    """As `exact`, by integer power sums."""
    n = len(x)
    s1, s2, s3, s4 = (sum(value**power for value in x) for power in (1, 2, 3, 4))
    mean = Fraction(s1, n)
    m2 = s2 - n * mean**2
    m3 = s3 - 3 * mean * s2 + 2 * n * mean**3
    m4 = s4 - 4 * mean * s3 + 6 * mean**2 * s2 - 3 * n * mean**4
    return mean, Fraction(m2), Fraction(m3), Fraction(m4)


def test_accuracy_check_catches_raw_power_sums() -> None:
    """Variances from sums of squares, the textbook shortcut, miss 1e-13 on the same values by far."""
    values = gamma_on_an_offset()
    raw = (np.sum(values**2) - len(values) * values.mean() ** 2) / (len(values) - 1)
    variance = merge(blocks_of(values)).variance[0]
    assert abs(raw / variance - 1) > 1e-11


def test_skewness_and_standard_errors() -> None:
    """For 0, 0, 0, 1 they are the textbook's numbers."""
    moments = of([0.0, 0.0, 0.0, 1.0])[0]
    p, n = 0.25, 4
    variance = n * p * (1 - p) / (n - 1)
    fourth = p * (1 - p) * (1 - 3 * p * (1 - p))
    assert float(moments.variance) == pytest.approx(variance, rel=1e-14)
    assert float(moments.skewness) == pytest.approx((1 - 2 * p) / np.sqrt(p * (1 - p)), rel=1e-14)
    assert float(moments.kurtosis) == pytest.approx(fourth / (p * (1 - p)) ** 2, rel=1e-14)
    assert float(moments.mean_error) == pytest.approx(np.sqrt(variance / n), rel=1e-14)
    assert float(moments.variance_error) == pytest.approx(
        np.sqrt((fourth - variance**2 * (n - 3) / (n - 1)) / n), rel=1e-14
    )


def test_variance_error_is_the_spread_of_variances() -> None:
    """Over 20,000 samples of 50 exponentials the mean squared error is Var s^2 to 5 of its standard errors.

    False-alarm rate below 1e-6; a standard error by the Gaussian formula 2 s^4/(n-1) is off by a factor 4 and caught.
    """
    x = np.random.default_rng(2).exponential(size=(50, 20_000))
    sample = Moments.of(x)
    truth = (9 - 47 / 49) / 50  # mu_4 = 9, sigma = 1
    square = (sample.variance - 1) ** 2
    assert abs(square.mean() - truth) < 5 * square.std() / np.sqrt(square.size)
    assert abs(square.mean() - 2 / 49) > 5 * square.std() / np.sqrt(square.size)
    assert np.median(sample.variance_error**2) < truth < 2 * np.mean(sample.variance_error**2)


finite = st.floats(-1e6, 1e6, allow_nan=False)
any_value = finite | st.sampled_from([np.inf, -np.inf, np.nan])


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(st.lists(any_value, min_size=1, max_size=40), st.integers(0, 40))
def test_parts_add_up_to_the_whole(values: list[float], cut: int) -> None:
    """Wherever a sample is cut, counts and extremes add up exactly and sums to rounding."""
    cut = min(cut, len(values))
    whole, sum_ = of(values), of(values[:cut]) + of(values[cut:])
    for name in ("count", "n_neg_inf", "n_pos_inf", "n_nan", "min", "max"):
        np.testing.assert_array_equal(getattr(sum_, name), getattr(whole, name))
    size = max((abs(value) for value in values if np.isfinite(value)), default=0.0)
    for name, power in (("mean", 1), ("m2", 2), ("m3", 3), ("m4", 4)):
        bound = 1e-13 * len(values) * (2 * size) ** power  # rounding of sums of len(values) terms
        np.testing.assert_allclose(getattr(sum_, name), getattr(whole, name), rtol=0, atol=bound)


def test_values_that_are_not_finite_are_counted_and_left_out() -> None:
    """Infinities and NaN are counted by kind; a column without a finite value has no mean."""
    moments = Moments.of([[1.0, -np.inf], [np.nan, -np.inf], [np.inf, np.nan], [3.0, -np.inf]])
    assert moments.count.tolist() == [2, 0]
    assert moments.n_neg_inf.tolist() == [0, 3]
    assert moments.n_pos_inf.tolist() == [1, 0]
    assert moments.n_nan.tolist() == [1, 1]
    assert moments.total.tolist() == [4, 4]
    assert moments.mean[0] == 2
    assert np.isnan([moments.mean[1], moments.min[1], moments.max[1], moments.variance[1]]).all()


def test_the_mean_of_large_values_does_not_overflow() -> None:
    """1e308 thrice has mean 1e308; the sum would be infinite."""
    assert of([1e308] * 3).mean[0] == pytest.approx(1e308, rel=1e-15)


@pytest.mark.parametrize("n", range(1, 9))
def test_tree_is_the_same_in_every_order(n: int) -> None:
    """Parts come in any order; the merged bytes are those of the list."""
    rng = np.random.default_rng(3)
    parts = [Moments.of(rng.standard_cauchy((5, 2))) for _ in range(n)]
    expected = merge(parts).to_bytes()
    orders = itertools.permutations(range(n)) if n < 6 else (rng.permutation(n).tolist() for _ in range(50))
    for order in orders:
        tree = Tree()
        for index in order:
            tree.add(index, parts[index])
        assert tree.total().to_bytes() == expected


def test_merging_in_order_of_arrival_changes_bits() -> None:
    """The fault that the tree is there for: a running sum in another order has other bytes."""
    rng = np.random.default_rng(3)
    parts = [Moments.of(rng.standard_cauchy((5, 2))) for _ in range(8)]
    forward, backward = parts[0], parts[-1]
    for part in parts[1:]:
        forward = forward + part
    for part in parts[-2::-1]:
        backward = backward + part
    assert forward.to_bytes() != backward.to_bytes()


def test_tree_holds_few_nodes() -> None:
    """A thousand parts in order leave ten nodes at most."""
    tree, part = Tree(), of([1.0])
    for index in range(1000):
        tree.add(index, part)
        assert len(tree._nodes) <= 10
    assert tree.total().count[0] == 1000


def test_a_missing_part_is_an_error() -> None:
    """A tree with a gap, or without parts, has no total."""
    tree = Tree()
    with pytest.raises(IntegrityError, match="no moments"):
        tree.total()
    tree.add(1, of([1.0]))
    with pytest.raises(IntegrityError, match="part 0"):
        tree.total()
    tree.add(0, of([1.0]))
    tree.add(3, of([1.0]))
    with pytest.raises(IntegrityError, match="part 2"):
        tree.total()


def test_bytes_round_trip() -> None:
    """What is written is read, to the bit, and written again to the same bytes."""
    moments = Moments.of(np.random.default_rng(4).standard_normal((7, 5)) * [1, 1e200, 0, np.inf, np.nan])
    data = moments.to_bytes()
    read = Moments.from_bytes(data)
    assert read.to_bytes() == data
    for name in (f.name for f in fields(Moments)):
        np.testing.assert_array_equal(getattr(read, name), getattr(moments, name))
        assert getattr(read, name).dtype == getattr(moments, name).dtype


def test_nan_has_one_byte_form() -> None:
    """A NaN with its sign set, as some processors make it, is written like any other."""
    nan = of([np.nan])
    negative = Moments(
        *(np.copysign(a, -1) if a.dtype == float else a for a in (getattr(nan, f.name) for f in fields(nan)))
    )
    negative.m2[:] = negative.m3[:] = negative.m4[:] = 0.0
    assert negative.to_bytes() == nan.to_bytes()


@pytest.mark.parametrize(
    "data", [b"", b"MOM1", b"MOM2" + bytes(4), of([1.0]).to_bytes()[:-1], of([1.0]).to_bytes() + b"x"]
)
def test_other_bytes_are_an_error(data: bytes) -> None:
    """Bytes that are cut short, too long or of another kind are not taken for moments."""
    with pytest.raises(IntegrityError, match="bytes are not the moments"):
        Moments.from_bytes(data)


def test_other_shapes_are_errors() -> None:
    """Values need two axes, and only equal numbers of columns add up."""
    with pytest.raises(InputError, match="one row a network"):
        Moments.of([1.0, 2.0])
    with pytest.raises(IntegrityError, match="1 columns and of 2"):
        _ = of([1.0]) + Moments.of([[1.0, 2.0]])


def test_many_columns_are_those_of_few() -> None:
    """Columns are worked on in groups; each has the moments that it has alone among two."""
    values = np.random.default_rng(5).standard_normal((3, 9000))
    moments = Moments.of(values)
    for column in (0, 4095, 4096, 8999):
        alone = Moments.of(values[:, [column, column]])[0]
        assert moments[column].to_bytes() == alone.to_bytes()
