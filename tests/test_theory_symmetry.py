"""Symmetries, ties and what breaks them, by a second route: bitwise training in fixed-order loops, enumeration."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import permutations, product

import numpy as np
import pytest

from theory.identities import dropout, regression, symmetry
from theory.identities.symmetry import TwoLayers
from theory.prediction import TheoryError

Array = np.ndarray
Rows = list[list[float]]


def evaluate(net: TwoLayers, x: Array, phi: Callable[[Array], Array]) -> Array:
    return net.w2 @ phi(net.w1 @ x + net.b1) + net.b2


def parameters(seed: int = 1, hidden: int = 4) -> TwoLayers:
    rng = np.random.default_rng(seed)
    return TwoLayers(
        rng.normal(size=(hidden, 3)), rng.normal(size=hidden), rng.normal(size=(2, hidden)), rng.normal(size=2)
    )


INPUTS = np.random.default_rng(2).normal(size=(20, 3))


@pytest.mark.entry("A20", "SY-06")
def test_symmetries_leave_the_function() -> None:
    """Relabelings to rounding, tanh flips and scales by powers of 2 bitwise, sigmoid flips to rounding."""
    net = parameters()

    def relu(h: Array) -> Array:
        return np.maximum(h, 0)

    def sigmoid(h: Array) -> Array:
        return 1 / (1 + np.exp(-h))

    for x in INPUTS:
        for order in permutations(range(4)):
            assert np.allclose(
                evaluate(symmetry.relabel(net, order), x, np.tanh), evaluate(net, x, np.tanh), atol=1e-14
            )
        turned = symmetry.flip(net, 2)
        assert np.array_equal(evaluate(turned, x, np.tanh), evaluate(net, x, np.tanh))
        scaled = symmetry.rescale(net, np.array([2.0, 0.5, 8.0, 1.0]))
        assert np.array_equal(evaluate(scaled, x, relu), evaluate(net, x, relu))
        flipped = symmetry.flip_sigmoid(net, 1)
        assert np.allclose(evaluate(flipped, x, sigmoid), evaluate(net, x, sigmoid), atol=1e-14)


@pytest.mark.entry("A20")
def test_symmetries_of_one_activation_are_not_of_another() -> None:
    """A flip of relu, a scale of tanh, a sigmoid flip without its bias: another function."""
    net, x = parameters(), INPUTS[0]

    def relu(h: Array) -> Array:
        return np.maximum(h, 0)

    def sigmoid(h: Array) -> Array:
        return 1 / (1 + np.exp(-h))

    for changed, phi in (
        (symmetry.flip(net, 2), relu),
        (symmetry.rescale(net, np.array([2.0, 0.5, 8.0, 1.0])), np.tanh),
        (symmetry.flip(net, 1), sigmoid),
    ):
        assert np.abs(evaluate(changed, x, phi) - evaluate(net, x, phi)).max() > 1e-3
    with pytest.raises(TheoryError, match="positive"):
        symmetry.rescale(net, np.array([1.0, -1.0, 1.0, 1.0]))


@pytest.mark.entry("A20")
def test_counts_by_enumeration() -> None:
    """Distinct parameters of one function, all relabelings and flips of two layers, by listing them."""
    hidden = (3, 2)
    orders = {(p, r) for p in permutations(range(3)) for r in permutations(range(2))}
    flips = set(product((1, -1), repeat=sum(hidden)))
    assert len(orders) == symmetry.n_relabelings(hidden)
    assert len(flips) == symmetry.n_sign_flips(hidden)


# Training in plain loops: every sum in one fixed order


def step(
    w1: Rows, w2: Rows, data: Sequence[tuple[list[float], list[float]]], state: dict[str, Rows], adam: bool
) -> tuple[Rows, Rows]:
    """One step on a batch for |W_2 tanh(W_1 x) - y|^2/2, with momentum or Adam, and weight decay."""
    d1 = [[0.0] * len(row) for row in w1]
    d2 = [[0.0] * len(row) for row in w2]
    for x, y in data:
        h = [math.tanh(sum(w * v for w, v in zip(row, x, strict=True))) for row in w1]
        error = [sum(w * v for w, v in zip(row, h, strict=True)) - t for row, t in zip(w2, y, strict=True)]
        for i, value in enumerate(h):
            back = sum(e * row[i] for e, row in zip(error, w2, strict=True)) * (1 - value * value)
            for j, v in enumerate(x):
                d1[i][j] += back * v
            for k, e in enumerate(error):
                d2[k][i] += e * value
    return _move(w1, d1, state, "1", adam), _move(w2, d2, state, "2", adam)


def _move(w: Rows, d: Rows, state: dict[str, Rows], key: str, adam: bool) -> Rows:
    m = state.setdefault("m" + key, [[0.0] * len(row) for row in w])
    s = state.setdefault("s" + key, [[0.0] * len(row) for row in w])
    moved = []
    for i, row in enumerate(w):
        new = []
        for j, value in enumerate(row):
            g = d[i][j] + 1e-3 * value
            m[i][j] = 0.9 * m[i][j] + g
            s[i][j] = 0.99 * s[i][j] + g * g
            new.append(value - 0.01 * (m[i][j] / (math.sqrt(s[i][j]) + 1e-8) if adam else m[i][j]))
        moved.append(new)
    return moved


def trained(w1: Rows, w2: Rows, adam: bool, steps: int = 100) -> tuple[Rows, Rows]:
    rng = np.random.default_rng(3)
    state: dict[str, Rows] = {}
    for _ in range(steps):
        batch = [(list(rng.normal(size=3)), list(rng.normal(size=2))) for _ in range(4)]
        w1, w2 = step(w1, w2, batch, state, adam)
    return w1, w2


@pytest.mark.entry("A19", "SY-01")
@pytest.mark.parametrize("adam", [False, True], ids=["momentum", "adam"])
def test_equal_units_stay_equal_to_the_bit(adam: bool) -> None:
    """100 random mini-batches: equal rows in and columns out stay equal; entries of a row do not."""
    w1, w2 = trained([[0.3, 0.3, 0.3]] * 5, [[0.2] * 5, [-0.1] * 5], adam)
    assert all(row == w1[0] for row in w1)
    assert all(len(set(row)) == 1 for row in w2)
    assert len(set(w1[0])) == 3  # the printed claim, that all entries stay equal, fails
    assert w1[0] != [0.3] * 3


@pytest.mark.entry("A19", "SY-02")
def test_random_outputs_separate_constant_rows() -> None:
    """W_1 = c with random W_2: rows differ after one step, by a change of rank at most min(n_out, batch)."""
    rng = np.random.default_rng(4)
    w2 = [list(rng.normal(size=5)) for _ in range(2)]
    after, _ = trained([[0.3] * 3] * 5, w2, adam=False, steps=1)
    assert len({tuple(row) for row in after}) == 5
    change = np.array(after) - 0.3 * (1 - 0.01 * 1e-3)  # weight decay moves all entries alike
    assert np.linalg.matrix_rank(change, tol=1e-10) == symmetry.first_gradient_rank(2, 4)
    assert symmetry.first_gradient_rank(2, 1) == 1
    assert np.linalg.matrix_rank(np.array(trained(list(rng.normal(size=(5, 3))), w2, adam=False, steps=1)[0])) == 3


@pytest.mark.entry("A19", "SY-03")
def test_zero_parameters() -> None:
    """tanh from W = 0 never moves; with a sigmoid W_2 moves, and units stay equal."""
    w1, w2 = trained([[0.0] * 3] * 5, [[0.0] * 5] * 2, adam=False)
    assert not np.any(w1)
    assert not np.any(w2)
    h, error = 1 / (1 + math.exp(-0.0)), -1.0
    assert error * h != 0  # dW_2 of a sigmoid unit at 0
    assert symmetry.symmetric_subspace(5, 3, 2) == (1 * 4 + 2 * 2, 5 * 4 + 2 * 6)


# Dropout


@pytest.mark.entry("A21", "SY-05")
@pytest.mark.parametrize("keep", [Fraction(1, 2), Fraction(1, 3), Fraction(9, 10)])
def test_dropout_by_enumeration(keep: Fraction) -> None:
    """All masks of up to 3 units and 3 steps, in fractions: P(broken) and the expected number of distinct units."""
    for units, masks in product((1, 2, 3), (0, 1, 2, 3)):
        broken, distinct = Fraction(0), Fraction(0)
        for bits in product((0, 1), repeat=units * masks):
            chance = math.prod((keep if b else 1 - keep for b in bits), start=Fraction(1))
            histories = {bits[u * masks : (u + 1) * masks] for u in range(units)}
            distinct += chance * len(histories)
            broken += chance * (len(histories) > 1)
        assert dropout.expected_distinct(units, keep, masks) == distinct
        if masks == 1:
            assert dropout.broken_probability(units, keep) == broken
            if keep != Fraction(1, 2):
                assert 1 - 2 * keep**units != broken or units == 1  # p^H twice instead of p^H and (1-p)^H
    with pytest.raises(TheoryError, match="keep=2"):
        dropout.broken_probability(2, 2)


@pytest.mark.entry("A21")
def test_histories_decide_in_training() -> None:
    """Units trained under masks are equal to the bit exactly where their masks were; masks of inputs do nothing."""
    rng = np.random.default_rng(5)
    for on_inputs in (False, True):
        rows, out = [[0.3, -0.2, 0.1] for _ in range(6)], [0.4] * 6
        histories = [()] * 6
        for _ in range(3):
            x, y = list(rng.normal(size=3)), float(rng.normal())
            mask = [int(b) for b in rng.integers(0, 2, 3 if on_inputs else 6)]
            seen = [v * m for v, m in zip(x, mask, strict=True)] if on_inputs else x
            on = [1] * 6 if on_inputs else mask
            h = [math.tanh(sum(w * v for w, v in zip(row, seen, strict=True))) for row in rows]
            error = sum(w * v * m for w, v, m in zip(out, h, on, strict=True)) - y
            steps = [error * w * m * (1 - v * v) for w, v, m in zip(out, h, on, strict=True)]
            out = [w - 0.1 * error * v * m for w, v, m in zip(out, h, on, strict=True)]
            rows = [
                [w - 0.1 * s * v for w, v in zip(row, seen, strict=True)] for row, s in zip(rows, steps, strict=True)
            ]
            histories = [(*old, m) for old, m in zip(histories, on, strict=True)]
        for a, b in product(range(6), repeat=2):
            assert (rows[a] == rows[b]) == (histories[a] == histories[b])
        assert (len({tuple(r) for r in rows}) == 1) is on_inputs


# Regression


@pytest.mark.entry("A25", "SY-08")
def test_softmax_gradient_by_differences() -> None:
    """Central differences of the cross entropy; rows differ at equal weights; column sums of the gradient are 0."""
    rng = np.random.default_rng(6)
    w, x = rng.normal(size=(3, 4)), rng.normal(size=4)

    def loss(v: Array) -> float:
        logits = v @ x
        return float(np.log(np.sum(np.exp(logits))) - logits[1])

    gradient = regression.softmax_gradient(w, x, 1)
    for i, j in np.ndindex(w.shape):
        move = np.zeros_like(w)
        move[i, j] = 1e-5
        assert gradient[i, j] == pytest.approx((loss(w + move) - loss(w - move)) / 2e-5, abs=1e-8)
    equal = regression.softmax_gradient(np.full((3, 4), 0.7), x, 1)
    assert np.abs(gradient.sum(axis=0)).max() < 1e-14
    assert np.abs(equal[0] - equal[1]).max() > 0.1
    assert np.array_equal(equal[0], equal[2])


@pytest.mark.entry("A25", "SY-08")
def test_softmax_path_from_equal_weights_is_that_from_zero() -> None:
    """200 steps of stochastic gradient descent: the path from c is the one from 0 plus c; a random start is another."""
    rng = np.random.default_rng(7)
    starts = [np.zeros((3, 4)), np.full((3, 4), 0.7), rng.normal(size=(3, 4))]
    ends = [w.copy() for w in starts]
    for _ in range(200):
        x, label = rng.normal(size=4), int(rng.integers(3))
        ends = [w - 0.1 * regression.softmax_gradient(w, x, label) for w in ends]
    assert np.allclose(ends[1] - 0.7, ends[0], atol=1e-12)
    assert np.abs(ends[2] - starts[2] - ends[0]).max() > 0.1
    assert all(np.allclose(e.sum(axis=0), s.sum(axis=0), atol=1e-12) for e, s in zip(ends, starts, strict=True))


@pytest.mark.entry("A25", "SY-08")
def test_least_squares_limit() -> None:
    """Gradient descent on 3 equations in 5 unknowns ends at pinv(X) y + (I - P) w_0, not at pinv(X) y."""
    rng = np.random.default_rng(8)
    data, y, start = rng.normal(size=(3, 5)), rng.normal(size=3), np.full(5, 0.7)
    w, rate = start.copy(), 1 / np.linalg.norm(data, 2) ** 2
    for _ in range(5000):
        w -= rate * data.T @ (data @ w - y)
    assert np.allclose(w, regression.least_squares_limit(data, y, start), atol=1e-10)
    assert np.abs(w - np.linalg.pinv(data) @ y).max() > 1e-2
