"""Convolutions: fans counted tap by tap, and the factors of second moments (catalogue CV-01..CV-05, CV-07).

A weight meets one input pixel for each output pixel; with zero padding some taps fall outside and carry nothing.
Counts are exact for every kernel, stride, padding, dilation and number of groups, in any dimension.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt
import sympy as sp

from theory.prediction import TheoryError
from theory.statement import Statement, real, whole

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """The shape of one convolution: weights (channels_out, channels_in/groups, *kernel).

    Attributes:
        channels_in: Channels of the input, c_in.
        channels_out: Channels of the output, c_out.
        kernel: Taps along each dimension.
        size: Pixels of the input along each dimension.
        stride: Step along each dimension, the same for all.
        padding: Zeros on each side of each dimension; None for "same" (odd kernels), 0 for none.
        dilation: Distance of neighbouring taps.
        groups: Groups of channels.
        circular: The input is wrapped around instead of padded.

    Raises:
        TheoryError: naming the argument that makes no convolution, with its value.

    >>> Convolution(channels_in=2, channels_out=4, kernel=(3,), size=(5,)).output_size
    (5,)
    """

    channels_in: int
    channels_out: int
    kernel: tuple[int, ...]
    size: tuple[int, ...]
    stride: int = 1
    padding: int | None = None
    dilation: int = 1
    groups: int = 1
    circular: bool = False

    def __post_init__(self) -> None:
        for name in ("channels_in", "channels_out", "stride", "dilation", "groups"):
            whole(name, getattr(self, name))
        if not self.kernel or len(self.kernel) != len(self.size):
            raise TheoryError(f"`kernel={self.kernel}`, `size={self.size}`: one number each a dimension is needed.")
        for name in ("kernel", "size"):
            for value in getattr(self, name):
                whole(name, value)
        if self.padding is not None:
            whole("padding", self.padding, 0)
        for name in ("channels_in", "channels_out"):
            if getattr(self, name) % self.groups:
                raise TheoryError(f"`groups={self.groups}` does not divide `{name}={getattr(self, name)}`.")
        if self.padding is None and any(k % 2 == 0 for k in self.kernel):
            raise TheoryError(f"`kernel={self.kernel}`: 'same' padding needs odd kernels; give `padding`.")
        if any(size < 1 for size in self.output_size):
            raise TheoryError(f"`size={self.size}` is too small for `kernel={self.kernel}`: no output pixel.")

    def pads(self) -> list[int]:
        """Pixels before the first, along each dimension."""
        if self.padding is not None:
            return [self.padding] * len(self.kernel)
        return [self.dilation * (k - 1) // 2 for k in self.kernel]

    @property
    def output_size(self) -> tuple[int, ...]:
        """Pixels of the output along each dimension."""
        spans = [self.dilation * (k - 1) + 1 for k in self.kernel]
        return tuple(
            (size + 2 * pad - span) // self.stride + 1
            for size, pad, span in zip(self.size, self.pads(), spans, strict=True)
        )

    @property
    def taps(self) -> int:
        """k^d, the taps of one kernel."""
        return math.prod(self.kernel)


def _pixels(conv: Convolution, axis: int) -> tuple[Counts, Bools]:
    """The input pixel that each output pixel reads by each tap along one dimension, and whether there is one."""
    outputs, taps = np.arange(conv.output_size[axis]), np.arange(conv.kernel[axis])
    pixels = outputs[:, None] * conv.stride + taps * conv.dilation - conv.pads()[axis]
    size = conv.size[axis]
    return pixels % size, (pixels >= 0) & (pixels < size) | conv.circular


def _outer(rows: list[Counts]) -> Counts:
    return reduce(np.multiply.outer, rows)


def valid_taps(conv: Convolution) -> Counts:
    """Taps that fall on the input, for each output pixel (CV-01, CV-02).

    >>> valid_taps(Convolution(channels_in=1, channels_out=1, kernel=(3, 3), size=(3, 3))).tolist()
    [[4, 6, 4], [6, 9, 6], [4, 6, 4]]
    """
    return _outer([_pixels(conv, axis)[1].sum(axis=1) for axis in range(len(conv.kernel))])


def reads(conv: Convolution) -> Counts:
    """How often each input pixel is read, one output channel and input channel: the backward taps (CV-03).

    >>> reads(Convolution(channels_in=1, channels_out=1, kernel=(3,), size=(6,), stride=2, circular=True)).tolist()
    [1, 2, 1, 2, 1, 2]
    """
    axes = [(_pixels(conv, axis), size) for axis, size in enumerate(conv.size)]
    return _outer([np.bincount(pixels[inside], minlength=size) for (pixels, inside), size in axes])


def forward_profile(conv: Convolution, variance: float, second: float = 1.0) -> Array:
    """E y^2 at each output pixel, where E x^2 = `second` at every input pixel and channel (CV-01, CV-02).

    >>> forward_profile(Convolution(channels_in=2, channels_out=4, kernel=(3,), size=(3,)), 1 / 6)
    array([0.66666667, 1.        , 0.66666667])
    """
    scale = real("variance", variance, 0) * real("second", second, 0) * conv.channels_in / conv.groups
    return scale * valid_taps(conv).astype(np.float64)


def backward_profile(conv: Convolution, variance: float, gamma2: float = 1.0) -> Array:
    """E (dloss/dx)^2 at each input pixel, where output gradients are uncorrelated, of mean square gamma2 (CV-03)."""
    scale = real("variance", variance, 0) * real("gamma2", gamma2, 0) * conv.channels_out / conv.groups
    return scale * reads(conv).astype(np.float64)


def forward_factor(conv: Convolution, variance: float) -> float:
    """Mean over output pixels of E y^2 / E x^2: v c_in/groups times the mean of the valid taps (CV-01, CV-02).

    >>> forward_factor(Convolution(channels_in=2, channels_out=4, kernel=(3,), size=(9,), circular=True), 1 / 6)
    1.0
    """
    return real("variance", variance, 0) * conv.channels_in * float(valid_taps(conv).mean()) / conv.groups


def backward_factor(conv: Convolution, variance: float) -> float:
    """Mean over input pixels of E (dloss/dx)^2 / gamma2: v c_out/groups times the mean of the reads (CV-01, CV-03)."""
    return real("variance", variance, 0) * conv.channels_out * float(reads(conv).mean()) / conv.groups


def interior_factors(conv: Convolution, variance: float) -> tuple[float, float]:
    """Forward and backward factor away from edges: v c_in k^d/groups and v c_out k^d/(groups s^d) (CV-03, CV-04).

    >>> depthwise = Convolution(channels_in=8, channels_out=8, kernel=(3, 3), size=(9, 9), groups=8)
    >>> [round(f, 12) for f in interior_factors(depthwise, 1 / torch_fans(depthwise)[1])]
    [0.125, 0.125]
    """
    common = real("variance", variance, 0) * conv.taps / conv.groups
    return common * conv.channels_in, common * conv.channels_out / conv.stride ** len(conv.kernel)


def torch_fans(conv: Convolution) -> tuple[int, int]:
    """(fan_in, fan_out) that torch reads off the weight: its fan_out ignores groups and stride (CV-03, CV-04).

    >>> torch_fans(Convolution(channels_in=4, channels_out=8, kernel=(3, 3), size=(9, 9), groups=2))
    (18, 72)
    """
    return conv.channels_in // conv.groups * conv.taps, conv.channels_out * conv.taps


def transposed_factor(conv: Convolution, variance: float) -> float:
    """Mean of E y^2 / E x^2 of ConvTranspose with these shapes, away from edges: v c_in k^d/(groups s^d) (CV-05).

    Its weight has shape (c_in, c_out/groups, *kernel), of which torch takes c_out k^d/groups for the fan-in.

    >>> up = Convolution(channels_in=4, channels_out=8, kernel=(2, 2), size=(4, 4), stride=2, padding=0)
    >>> transposed_factor(up, 1 / (8 * 4))
    0.125
    """
    taps: float = conv.channels_in * conv.taps / (conv.groups * conv.stride ** len(conv.kernel))
    return real("variance", variance, 0) * taps


def same_average(kernel: int, size: int, dimensions: int) -> float:
    """Mean share of taps that fall inside under zero "same" padding: (1 - r(r+1)/(k H))^d, r = (k-1)/2 (CV-02).

    Raises:
        TheoryError: for an even kernel, or H < r. Taps lie side by side: dilation 1.

    >>> round(same_average(3, 6, 1), 12)
    0.888888888889
    """
    k, pixels = whole("kernel", kernel), whole("size", size)
    if k % 2 == 0:
        raise TheoryError(f"`kernel={kernel}`: 'same' padding needs an odd kernel.")
    r = (k - 1) // 2
    if pixels < r:
        raise TheoryError(f"`size={size}`: the closed form needs at least r = {r} pixels; count `valid_taps`.")
    share: float = 1 - r * (r + 1) / (k * pixels)
    return math.pow(share, whole("dimensions", dimensions))


def keras_depthwise_factor(channels: int) -> float:
    """Output factor 2/(C + 1) of Keras' DepthwiseConv2D under Glorot: fans k^2 C and k^2 of (k, k, C, 1) (CV-04).

    >>> keras_depthwise_factor(7)
    0.25
    """
    return 2 / (whole("channels", channels) + 1)


def activated_factor(conv: Convolution, variance: float, slope: float = 0.0) -> float:
    """Mean over pixels of E phi(y)^2 / E x^2 with phi homogeneous: (1 + a^2)/2 of the linear factor (CV-07).

    >>> activated_factor(Convolution(channels_in=2, channels_out=4, kernel=(3,), size=(9,), circular=True), 2 / 6)
    1.0
    """
    return (1 + real("slope", slope) ** 2) / 2 * forward_factor(conv, variance)


_k, _d, _ci, _co, _g, _s, _H, _C = sp.symbols("k d c_in c_out G s H C", integer=True, positive=True)
_v, _a = sp.Symbol("v", positive=True), sp.Symbol("a", real=True)
_r = (_k - 1) / 2
WEIGHTS = "weights iid of mean 0, any law, independent of the input"

STATEMENTS = (
    Statement(
        entry="CV-01",
        statement="Circular, stride 1: the mean square over pixels and channels is multiplied by the true fan-in "
        "times v for every fixed input.",
        expression=_v * _ci * _k**_d / _g,
        evaluate=forward_factor,
        assumptions=(WEIGHTS, "circular padding, stride 1"),
        derivation=(
            r"$E y_{o,p}^2 = v\sum_{c,t} x_{c,p+t}^2$ over the $c_{in}/G$ channels and $k^d$ taps.",
            r"Summed over $p$ each pixel is read $k^d$ times by each output channel of its group.",
        ),
    ),
    Statement(
        entry="CV-02",
        statement="Zero 'same' padding loses the taps outside: the mean over pixels has the factor "
        "(1 - r(r+1)/(k H))^d.",
        expression=(1 - _r * (_r + 1) / (_k * _H)) ** _d,
        evaluate=same_average,
        assumptions=(WEIGHTS, "odd k, H >= r = (k-1)/2, stride 1, dilation 1", "E x^2 the same at every pixel"),
        derivation=(
            r"Position $p$ loses $\max(0, r-p)$ taps on the left, in all $\sum_{j=1}^r j = r(r+1)/2$, and as many "
            r"on the right.",
            r"Of $kH$ taps $kH - r(r+1)$ remain; dimensions multiply.",
        ),
    ),
    Statement(
        entry="CV-03",
        statement="A stride s divides the mean backward factor by s^d, which torch's fan_out ignores; pixels form a "
        "checkerboard if s does not divide k (dilation 1).",
        expression=_v * _co * _k**_d / (_g * _s**_d),
        evaluate=backward_factor,
        assumptions=(WEIGHTS, "circular padding, s divides H", "output gradients uncorrelated, independent of W"),
        derivation=(
            r"There are $(H/s)^d$ outputs of $k^d$ taps each: $k^d/s^d$ reads an input pixel in the mean.",
            r"A pixel is read by $\lfloor k/s\rfloor$ or $\lceil k/s\rceil$ outputs a dimension, at dilation 1.",
        ),
    ),
    Statement(
        entry="CV-04",
        statement="Keras gives a depthwise kernel the fans k^2 C and k^2: its output factor is 2/(C+1).",
        expression=2 / (_C + 1),
        evaluate=keras_depthwise_factor,
        assumptions=(WEIGHTS, "Glorot, v = 2/(fan_in + fan_out)"),
        derivation=(r"$v = 2/(k^2C + k^2)$ and an output pixel reads $k^2$ taps of one channel.",),
    ),
    Statement(
        entry="CV-05",
        statement="An output pixel of a transposed convolution reads c_in k^d/(G s^d) taps in the mean, not torch's "
        "fan_in c_out k^d/G.",
        expression=_v * _ci * _k**_d / (_g * _s**_d),
        evaluate=transposed_factor,
        assumptions=(WEIGHTS, "away from the edges"),
        derivation=(
            r"Each input pixel writes $k^d$ taps to each of the $c_{out}/G$ channels of its group.",
            r"There are $s^d$ output pixels an input pixel: $c_{in} k^d/(G s^d)$ taps an output.",
            r"Unit-gain Kaiming, $v = G/(c_{out}k^d)$: factor $c_{in}/(c_{out}s^d)$.",
        ),
    ),
    Statement(
        entry="CV-07",
        statement="ReLU halves the second moment of a convolution's output at every pixel and every width.",
        expression=(1 + _a**2) / 2 * _v * _ci * _k**_d / _g,
        evaluate=activated_factor,
        assumptions=(
            "weights iid, symmetric about 0, independent of the input",
            "phi homogeneous, slope a",
            "the expression: circular padding, stride 1, the mean over pixels",
        ),
        reference="He et al. 2015, section 2.2",
        derivation=(
            r"Flipping the sign of one filter flips its whole channel and changes no law: "
            r"$E\varphi(y)^2 = \frac{1+a^2}{2}E y^2$.",
        ),
    ),
)
