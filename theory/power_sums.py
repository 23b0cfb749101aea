"""Power sums from layer to layer: eighth moments of a layer's vector, with scale and width (catalogue B2, B4, C7).

`theory.partitions` has the steps, per entry and relative to the mean, so that depth 10,000 neither cancels nor
overflows before it must. What a law lacks is NaN, and so is all that needs it. `symbolic_forward` is the
recursion up to fourth moments in symbols, for small nets.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import sympy as sp

from theory import distributions, partitions
from theory.central_moments import CentralMoments
from theory.net import DenseNet, Distribution, once_per_net
from theory.partitions import Moments
from theory.prediction import TheoryError
from theory.symbols import N, beta, beta_kurtosis, c2_of, c4_of, kappa, v

NO_CUMULANTS = (0.0, 0.0, 0.0)


class PowerSums:
    """Power sums of a random vector y of n entries; a value, but for what it works out when first asked.

    A value that no float holds is infinite, or NaN where it would be 0; one that is not known is NaN.

    Attributes:
        mean: E |y|^2 / n.
        width: n.
        r2: E |y|^4 / (E |y|^2)^2 - 1.
        q: E sum y_j^4 / (E |y|^2)^2.
    """

    __slots__ = ("_before", "_moments", "_step", "mean", "q", "r2", "width")
    _before: PowerSums
    _step: Callable[[Moments], Moments]

    def __init__(self, mean: float, width: int, moments: Moments) -> None:
        self.mean, self.width, self.r2, self.q = mean, width, moments.r2, moments.q
        self._moments: Moments | None = moments

    @classmethod
    def after(
        cls, before: PowerSums, step: Callable[[Moments], Moments], mean: float, width: int, low: tuple[float, float]
    ) -> PowerSums:
        """Those of a vector made from another: r2 and q now, the sixth and eighth moments by `step` when asked for."""
        made = cls.__new__(cls)
        made.mean, made.width, (made.r2, made.q) = mean, width, low
        made._before, made._step, made._moments = before, step, None
        return made

    @property
    def moments(self) -> Moments:
        """Those of the power sums over their scale, to the eighth; vectors before this one get theirs too."""
        chain = [self]
        while chain[-1]._moments is None:
            chain.append(chain[-1]._before)
        found = chain[-1]._moments
        for one in reversed(chain[:-1]):
            found = one._moments = one._step(found)
        return found

    @property
    def excess(self) -> float:
        """E |y|^4 / (E |y|^2)^2 - 1."""
        return self.r2

    @property
    def variance(self) -> float:
        """Variance of |y|^2 / n."""
        return scaled(self.r2, self.mean, self.mean)

    @property
    def fourth_moment(self) -> float:
        """E sum y_j^4 / n."""
        return self.mean * self.mean * self.q * self.width

    @property
    def central(self) -> CentralMoments:
        """Those of |y|^2 over its mean."""
        moments = self.moments
        return CentralMoments(moments.r2, moments.r3, moments.r4)

    @property
    def squared_departure_variance(self) -> float:
        """Variance of (|y|^2 / n - mean)^2."""
        return scaled(self.central.squared_departure_variance, *(self.mean,) * 4)

    @property
    def fourth_moment_excess(self) -> float:
        """Var sum y_j^4 / (E sum y_j^4)^2."""
        return self.moments.qq / self.q**2

    @property
    def fourth_moment_variance(self) -> float:
        """Variance of sum y_j^4 / n."""
        return scaled(self.moments.qq, *(self.mean,) * 4, self.width, self.width)


def scaled(relative: float, *factors: float) -> float:
    """The product, NaN in place of 0 where only the float is too small: 0 says that there is no scatter."""
    value = math.prod(factors, start=relative)
    return math.nan if value == 0 != relative else value


def of_tensor(entries: Distribution | tuple[float, ...], width: int) -> PowerSums:
    """Those of a vector of given values, or of `width` independent entries of a law.

    >>> y = of_tensor((3.0, 4.0), 2)
    >>> y.mean, y.variance, y.fourth_moment
    (12.5, 0.0, 168.5)
    """
    if isinstance(entries, Distribution):
        second = distributions.raw_moment(entries, 1)
        return PowerSums(second, width, partitions.of_entries(width, distributions.cumulants(entries)))
    mean = math.fsum(value**2 for value in entries) / width
    return PowerSums(mean, width, partitions.of_values(entries))


def multiply(y: PowerSums, width: int, weight: Distribution, bias: Distribution) -> PowerSums:
    """Those of W y + b, with `width` rows, for independent zero-mean weights and biases, or a Haar-orthogonal W.

    E h^2 = v E|y|^2 + beta. Given y the rows are independent and symmetric in all that squares see (a bias that is
    not symmetric counts as one times a fair sign, as W y is symmetric). Rows of an orthogonal W are not
    independent; with biases their moments beyond the second are not known.
    """
    signal = distributions.variance(weight) * y.width * y.mean
    offset = distributions.raw_moment(bias, 1)
    mean = signal + offset
    if not mean > 0:
        raise TheoryError("the statement needs a signal; this network is 0 from here on.")
    if not distributions.is_iid(weight):
        return _turned(y, mean, width) if not offset else PowerSums(mean, width, partitions.UNKNOWN)
    share = 1.0 if math.isinf(signal) else signal / mean
    laws = distributions.cumulants(weight), distributions.cumulants(bias) if offset else NO_CUMULANTS
    low = partitions.low_rows(width, *partitions.low_of_rows(y.r2, y.q, share, *laws))
    return PowerSums.after(y, partial(_rows, width, share, *laws), mean, width, low)


def _rows(
    width: int, share: float, weight: tuple[float, float, float], bias: tuple[float, float, float], before: Moments
) -> Moments:
    return partitions.rows(width, partitions.of_rows(before, share, weight, bias))


def _turned(y: PowerSums, mean: float, width: int) -> PowerSums:
    size = max(width, y.width)
    low = partitions.low_turned(y.r2, partitions.directions(width, size))
    return PowerSums.after(y, partial(partitions.turned, width=width, size=size), mean, width, low)


def activate(h: PowerSums, slope: float) -> PowerSums:
    """Those of phi(h), or of phi'(h) g for g = h, when signs are fair given |h|.

    Flipping the signs of rows of W and of b flips those of h and changes no law: given |h| they are independent
    fair coins, and phi(h)^2 = h^2 or a^2 h^2.
    """
    low = partitions.low_masks(h.r2, h.q, slope)
    return PowerSums.after(h, partial(partitions.masks, slope=slope), (1 + slope**2) / 2 * h.mean, h.width, low)


def known(value: float) -> float | None:
    """The value, or None where it is NaN or beyond what a float can hold."""
    return value if math.isfinite(value) else None


def require_fourth_moments(net: DenseNet, last: int, first: int = 0, *, biases: bool = True) -> None:
    """Raise where a law of layers first..last (0: that of the input) has no fourth moment; gradients need no `biases`.

    Raises:
        MissingMomentError: naming the law and its parameter.
        TheoryError: for orthogonal matrices with biases, whose rows are dependent.
    """
    for layer, of_bias, error in _missing_moments(net):
        if first <= layer <= last and (biases or not of_bias):
            raise error


@once_per_net
def _missing_moments(net: DenseNet) -> list[tuple[int, bool, TheoryError]]:
    """The layers (0 for the input) without a fourth moment, whether for the biases, with what to say."""
    found = []
    for layer in range(net.depth + 1):
        laws = (net.input,) if layer == 0 else (net.weight(layer), net.bias(layer))
        for of_bias, law in enumerate(laws):
            try:
                if isinstance(law, Distribution) and distributions.is_iid(law):
                    distributions.kurtosis(law)
            except TheoryError as error:
                found.append((layer, bool(of_bias), error))
        if layer and not distributions.is_iid(net.weight(layer)) and not distributions.is_zero(net.bias(layer)):
            dependent = f"the statement needs that layer {layer} has no biases, as its weights are orthogonal."
            found.append((layer, True, TheoryError(dependent)))
    return found


def symbolic_forward(layer: int, m0: sp.Expr, S0: sp.Expr, F0: sp.Expr) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """(E |x_l|^2, E |x_l|^4, E sum x_l^4) in symbols, from those of the input (B2).

    >>> x = sp.symbols("m S F")
    >>> symbolic_forward(1, *x)[0].subs({beta[1]: 0})
    m*(alpha[1]**2/2 + 1/2)*N[1]*v[1]
    """
    state = (m0, S0, F0)
    for k in range(1, layer + 1):
        e2, e22, e4 = symbolic_entry(k, *state)
        quartic = N[k] * c4_of(k) * e4
        state = (N[k] * c2_of(k) * e2, N[k] * (N[k] - 1) * c2_of(k) ** 2 * e22 + quartic, quartic)
    return state


def symbolic_entry(layer: sp.Expr | int, m: sp.Expr, S: sp.Expr, F: sp.Expr) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """E h_i^2, E h_i^2 h_j^2 and E h_i^4 of a layer from the power sums before it (B2)."""
    variance, bias = v[layer], beta[layer]
    e2 = variance * m + bias
    e22 = variance**2 * S + 2 * variance * bias * m + bias**2
    e4 = 3 * variance**2 * S + (kappa[layer] - 3) * variance**2 * F + 6 * variance * bias * m
    return e2, e22, e4 + beta_kurtosis[layer] * bias**2


def symbolic_turned(variance: sp.Expr, size: sp.Expr, m: sp.Expr, S: sp.Expr) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """The same for a Haar-orthogonal layer without biases, `size` its larger side (OR-01)."""
    pair = size * variance**2 * S / (size + 2)
    return variance * m, pair, 3 * pair
