"""Convolutions: fans, profiles and factors against explicit loops over outputs, channels and taps."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from theory.blocks import convolution, delta_orthogonal
from theory.blocks.convolution import Convolution
from theory.prediction import TheoryError

Array = np.ndarray
LIMIT = 6.0


def z_of(sample: Array, expected: float) -> float:
    return float((sample.mean() - expected) / (sample.std(ddof=1) / math.sqrt(sample.size)))


def signs(count: int) -> Array:
    """All vectors of `count` signs."""
    return np.array(list(product((-1.0, 1.0), repeat=count)))


def convolve(conv: Convolution, W: Array, x: Array) -> Array:
    """The convolution by loops over outputs, channels and taps, in padded coordinates."""
    inputs, outputs = conv.channels_in // conv.groups, conv.channels_out // conv.groups
    pads = conv.pads()
    mode = "wrap" if conv.circular else "constant"
    padded = np.pad(
        x, [(0, 0), *((p, p + conv.dilation * k) for p, k in zip(pads, conv.kernel, strict=True))], mode=mode
    )
    y = np.zeros((conv.channels_out, *conv.output_size))
    for out in range(conv.channels_out):
        for place in np.ndindex(*conv.output_size):
            for channel in range(inputs):
                for tap in np.ndindex(*conv.kernel):
                    at = tuple(conv.stride * p + conv.dilation * t for p, t in zip(place, tap, strict=True))
                    y[(out, *place)] += W[(out, channel, *tap)] * padded[(out // outputs * inputs + channel, *at)]
    return y


def jacobian(conv: Convolution, W: Array) -> Array:
    """(outputs, inputs) matrix of the linear map, column by column."""
    size = conv.channels_in * math.prod(conv.size)
    basis = np.eye(size).reshape(size, conv.channels_in, *conv.size)
    return np.array([convolve(conv, W, e).ravel() for e in basis]).T


SHAPES = {
    "circular": Convolution(channels_in=2, channels_out=3, kernel=(3,), size=(5,), circular=True),
    "same": Convolution(channels_in=2, channels_out=2, kernel=(5,), size=(4,)),
    "two dimensions": Convolution(channels_in=1, channels_out=2, kernel=(3, 3), size=(4, 3)),
    "unequal kernel": Convolution(channels_in=1, channels_out=1, kernel=(1, 3), size=(2, 4)),
    "stride 2": Convolution(channels_in=1, channels_out=2, kernel=(3,), size=(6,), stride=2, circular=True),
    "stride 2, padded": Convolution(channels_in=1, channels_out=2, kernel=(4,), size=(7,), stride=2, padding=1),
    "stride 3, gaps": Convolution(channels_in=1, channels_out=1, kernel=(2,), size=(7,), stride=3, padding=0),
    "dilated": Convolution(channels_in=1, channels_out=1, kernel=(3,), size=(7,), dilation=2),
    "groups": Convolution(channels_in=4, channels_out=6, kernel=(3,), size=(4,), groups=2, padding=1),
    "depthwise": Convolution(channels_in=3, channels_out=3, kernel=(3,), size=(4,), groups=3),
}


@pytest.mark.entry("CV-01", "CV-02", "CV-03", "CV-04")
@pytest.mark.parametrize("name", list(SHAPES))
def test_profiles_are_sums_of_squared_derivatives(name: str) -> None:
    """With independent weights E (dy/dx)^2 = v [dy/dx is one weight or a sum of weights]: count by explicit loops.

    Each weight set to 1 by itself gives a 0/1 matrix; the sum over weights of squares is E J^2 / v exactly.
    """
    conv = SHAPES[name]
    shape = (conv.channels_out, conv.channels_in // conv.groups, *conv.kernel)
    size = math.prod(shape)
    squares = sum(jacobian(conv, e.reshape(shape)) ** 2 for e in np.eye(size))
    forward = np.asarray(squares).sum(axis=1).reshape(conv.channels_out, *conv.output_size)
    backward = np.asarray(squares).sum(axis=0).reshape(conv.channels_in, *conv.size)
    assert np.array_equal(forward, np.broadcast_to(convolution.forward_profile(conv, 1.0), forward.shape))
    assert np.array_equal(backward, np.broadcast_to(convolution.backward_profile(conv, 1.0), backward.shape))
    assert convolution.forward_factor(conv, 0.5) == pytest.approx(0.5 * forward.mean(), rel=1e-14)
    assert convolution.backward_factor(conv, 0.5) == pytest.approx(0.5 * backward.mean(), rel=1e-14)
    if not conv.circular and name != "stride 3, gaps":  # the plain fan counts taps that are not there
        assert forward.mean() < convolution.interior_factors(conv, 1.0)[0]


@pytest.mark.entry("CV-01", "CV-07")
def test_circular_convolution_by_enumeration() -> None:
    """All 64 sign kernels, a fixed x: the mean over space and draws of y^2 is fan_in v mean x^2, of relu(y)^2 half."""
    conv = Convolution(channels_in=2, channels_out=1, kernel=(3,), size=(4,), circular=True)
    x = np.array([[1.0, -2.0, 0.5, 3.0], [0.3, 0.0, -1.1, 0.7]])
    y = np.array([convolve(conv, w.reshape(1, 2, 3), x) for w in signs(6)])
    second = np.mean(x**2)
    assert (y**2).mean() == pytest.approx(convolution.forward_factor(conv, 1.0) * second, rel=1e-14)
    relu = np.mean(np.maximum(y, 0) ** 2)
    assert relu == pytest.approx(convolution.activated_factor(conv, 1.0) * second, rel=1e-14)
    wrong = convolution.forward_factor(SHAPES["same"], 1.0)
    assert (y**2).mean() != pytest.approx(wrong * second, rel=0.02)
    skewed = np.where(signs(6) > 0, 2.0, -0.5)  # mean not 0, not symmetric: no halving
    s = np.array([convolve(conv, w.reshape(1, 2, 3), x) for w in skewed])
    assert np.mean(np.maximum(s, 0) ** 2) / np.mean(s**2) != pytest.approx(0.5, rel=0.02)


@pytest.mark.entry("CV-02")
def test_same_padding_average() -> None:
    """The closed form is the mean of the valid taps for every odd k, H >= r and d; an even fault r^2 is caught."""
    for k, size, d in product((1, 3, 5, 7), (3, 4, 9), (1, 2)):
        conv = Convolution(channels_in=1, channels_out=1, kernel=(k,) * d, size=(size,) * d)
        share = convolution.valid_taps(conv).mean() / conv.taps
        assert convolution.same_average(k, size, d) == pytest.approx(share, rel=1e-13)
        if k > 1:
            r = (k - 1) // 2
            assert (1 - r * r / (k * size)) ** d != pytest.approx(share, rel=1e-3)


@pytest.mark.entry("CV-03")
def test_stride_makes_a_checkerboard() -> None:
    """k = 3, s = 2: pixels read once and twice, mean 3/2; k = 4: all twice. Torch's fan_out is 2^d too large."""
    odd = Convolution(channels_in=1, channels_out=4, kernel=(3, 3), size=(6, 6), stride=2, circular=True)
    assert sorted(set(convolution.reads(odd).ravel())) == [1, 2, 4]
    assert convolution.backward_factor(odd, 1.0) == 4 * 9 / 4 == convolution.interior_factors(odd, 1.0)[1]
    even = Convolution(channels_in=1, channels_out=4, kernel=(4,), size=(8,), stride=2, padding=0, circular=True)
    flat = Convolution(channels_in=1, channels_out=4, kernel=(4,), size=(8,), stride=2, padding=1, circular=True)
    assert set(convolution.reads(flat)) == {2}
    assert even.output_size == (3,)
    assert convolution.torch_fans(odd)[1] == 4 * convolution.interior_factors(odd, 1.0)[1]


@pytest.mark.entry("CV-02", "CV-03")
def test_dilation_changes_padding_and_checkerboard() -> None:
    """Dilation 2 at stride 2 reads every other pixel although s divides k; "same" loses more taps than at 1."""
    conv = Convolution(channels_in=1, channels_out=1, kernel=(4,), size=(8,), stride=2, padding=3, dilation=2)
    assert set(convolution.reads(conv)) == {0, 2, 3, 4}
    assert not convolution.reads(conv)[::2].any()
    same = Convolution(channels_in=1, channels_out=1, kernel=(3,), size=(6,), dilation=2)
    assert convolution.valid_taps(same).mean() / 3 < 0.95 * convolution.same_average(3, 6, 1)


@pytest.mark.entry("CV-02")
def test_long_signals() -> None:
    """10^6 samples are counted without a matrix of outputs by inputs."""
    conv = Convolution(channels_in=1, channels_out=1, kernel=(9,), size=(10**6,))
    assert convolution.valid_taps(conv).mean() / 9 == pytest.approx(convolution.same_average(9, 10**6, 1), rel=1e-14)
    assert convolution.reads(conv).sum() == convolution.valid_taps(conv).sum()


@pytest.mark.entry("CV-04", "CV-05")
def test_framework_fans() -> None:
    """Depthwise kaiming(fan_out) has factors 1/C; Keras 2/(C+1); transposed convolutions c_in/(c_out s^d)."""
    C = 6
    depthwise = Convolution(channels_in=C, channels_out=C, kernel=(3, 3), size=(9, 9), groups=C)
    fan_in, fan_out = convolution.torch_fans(depthwise)
    assert (fan_in, fan_out) == (9, 9 * C)
    assert convolution.interior_factors(depthwise, 1 / fan_out) == pytest.approx((1 / C, 1 / C), rel=1e-14)
    glorot = 2 / (9 * C + 9)
    assert convolution.interior_factors(depthwise, glorot)[0] == pytest.approx(convolution.keras_depthwise_factor(C))
    up = Convolution(channels_in=4, channels_out=8, kernel=(4, 4), size=(5, 5), stride=2, padding=1)
    assert convolution.transposed_factor(up, 1 / (8 * 16)) == 4 / (8 * 4)


@pytest.mark.entry("CV-05")
def test_transposed_convolution_reads_backwards() -> None:
    """A transposed convolution is the transpose of the strided one from c_out to c_in: reads of its interior pixels."""
    back = Convolution(channels_in=2, channels_out=3, kernel=(4,), size=(20,), stride=2, padding=1)
    squares = sum(jacobian(back, e.reshape(3, 2, 4)) ** 2 for e in np.eye(24))
    per_pixel = np.asarray(squares).sum(axis=0).reshape(2, 20)[:, 4:-4]
    up = Convolution(channels_in=3, channels_out=2, kernel=(4,), size=(10,), stride=2, padding=1)
    assert per_pixel.mean() == convolution.transposed_factor(up, 1.0) == 3 * 4 / 2
    assert per_pixel.mean() != 2 * 4  # torch's fan_in


@pytest.mark.entry("CV-06")
def test_delta_orthogonal_keeps_norms() -> None:
    """Zero and circular padding, c_out >= c_in: |y| = |x| to rounding; a flattened orthogonal kernel does not."""
    rng = np.random.default_rng(1)
    q = np.linalg.qr(rng.standard_normal((5, 3)))[0]
    x = rng.standard_normal((3, 4, 4))
    for circular in (False, True):
        conv = Convolution(channels_in=3, channels_out=5, kernel=(3, 3), size=(4, 4), circular=circular)
        y = convolve(conv, delta_orthogonal.delta_kernel(q, (3, 3)), x)
        assert np.sum(y**2) == pytest.approx(delta_orthogonal.norm_factor() * np.sum(x**2), rel=1e-13)
    line = Convolution(channels_in=2, channels_out=2, kernel=(3,), size=(4,), circular=True)
    z, factors = rng.standard_normal((2, 4)), []
    for _ in range(2000):
        a, r = np.linalg.qr(rng.standard_normal((6, 2)))
        flat = (a * np.sign(np.diag(r))).T.reshape(2, 2, 3)
        factors.append(np.sum(convolve(line, flat, z) ** 2) / np.sum(z**2))
    assert abs(z_of(np.array(factors), delta_orthogonal.flattened_factor(2, 2, 3))) < LIMIT
    assert np.std(factors) > 0.1
    tall = Convolution(channels_in=1, channels_out=4, kernel=(3,), size=(4,), circular=True)
    a = np.linalg.qr(rng.standard_normal((4, 3)))[0].reshape(4, 1, 3)
    ratio = np.sum(convolve(tall, a, z[:1]) ** 2) / np.sum(z[:1] ** 2)
    assert ratio == pytest.approx(delta_orthogonal.flattened_factor(1, 4, 3), rel=1e-13)


CONV = {"channels_in": 2, "channels_out": 4, "kernel": (3,), "size": (5,)}


@pytest.mark.entry("CV-02", "CV-06")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Convolution(**{**CONV, "stride": 0}), "stride=0"),
        (lambda: Convolution(**{**CONV, "kernel": (2,)}), r"kernel=\(2,\)"),
        (lambda: Convolution(**{**CONV, "groups": 3}), "groups=3"),
        (lambda: Convolution(**{**CONV, "size": (0,)}), "size=0"),
        (lambda: Convolution(**{**CONV, "size": (3, 3)}), "one number each a dimension"),
        (lambda: Convolution(**{**CONV, "kernel": (7,), "padding": 0}), "no output pixel"),
        (lambda: Convolution(**{**CONV, "padding": -1}), "padding=-1"),
        (lambda: convolution.same_average(4, 9, 1), "kernel=4"),
        (lambda: convolution.same_average(9, 3, 1), "size=3"),
        (lambda: convolution.forward_factor(SHAPES["same"], math.nan), "variance=nan"),
        (lambda: delta_orthogonal.delta_kernel(np.ones((2, 2)), (3,)), "not orthonormal"),
        (lambda: delta_orthogonal.delta_kernel(np.eye(2)[:1], (3,)), "c_out >= c_in"),
        (lambda: delta_orthogonal.delta_kernel(np.eye(2), (2,)), r"kernel=\(2,\)"),
    ],
)
def test_bad_input(call: object, message: str) -> None:
    """The argument and its value are named."""
    with pytest.raises(TheoryError, match=message):
        call()  # type: ignore[operator]
