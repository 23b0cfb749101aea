"""The recursion of power sums: E |x|^2, E |x|^4 and E sum_j x_j^4 from layer to layer (catalogue B2, C7).

Numbers are kept per entry and relative to the mean, so that depth 10,000 neither cancels nor overflows
before it must. `symbolic_forward` is the same recursion in symbols, for small nets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import sympy as sp

from theory import distributions
from theory.net import DenseNet, Distribution, once_per_net
from theory.prediction import MissingMomentError, TheoryError
from theory.symbols import N, beta, beta_kurtosis, c2_of, c4_of, kappa, v


@dataclass(frozen=True)
class PowerSums:
    """Power sums of a random vector y of n entries.

    Attributes:
        mean: E |y|^2 / n.
        excess: E |y|^4 / (E |y|^2)^2 - 1; NaN where it is not known.
        quartic: E sum y_j^4 / (E |y|^2)^2.
        width: n.
    """

    mean: float
    excess: float
    quartic: float
    width: int

    @property
    def variance(self) -> float:
        """Variance of |y|^2 / n."""
        return self.mean * self.mean * self.excess

    @property
    def fourth_moment(self) -> float:
        """E sum y_j^4 / n."""
        return self.mean * self.mean * self.quartic * self.width


def of_tensor(entries: Distribution | tuple[float, ...], width: int) -> PowerSums:
    """Those of a vector of given values, or of `width` independent entries of a law.

    >>> of_tensor((3.0, 4.0), 2)
    PowerSums(mean=12.5, excess=0.0, quartic=0.5392, width=2)
    """
    if not isinstance(entries, Distribution):
        squares = [value**2 for value in entries]
        total = math.fsum(squares)
        quartic = math.fsum((s / total) ** 2 for s in squares) if total else math.nan
        return PowerSums(total / width, 0.0, quartic, width)
    second = distributions.raw_moment(entries, 1)
    try:
        ratio = distributions.relative_moment(entries, 2)
    except MissingMomentError:
        ratio = math.nan
    return PowerSums(second, (ratio - 1) / width, ratio / width, width)


def multiply(y: PowerSums, width: int, weight: Distribution, bias: Distribution) -> PowerSums:
    """Those of W y + b, with `width` rows, for independent zero-mean weights and biases.

    e2 = v m + beta per entry; e22 = E h_i^2 h_j^2 and e4 = E h_i^4 relative to e2^2, with r = v m / e2:
    e22 = 1 + r^2 excess, e4 = 3 r^2 (1 + excess) + (kappa - 3) r^2 quartic + 6 r (1 - r) + kappa_b (1 - r)^2.
    """
    signal = distributions.variance(weight) * y.width * y.mean
    offset = distributions.raw_moment(bias, 1)
    mean = signal + offset
    if not mean > 0:
        raise TheoryError("the statement needs a signal; this network is 0 from here on.")
    r = 1.0 if math.isinf(signal) else signal / mean
    try:
        flat = _kurtosis(weight)
        bias_flat = _kurtosis(bias) if offset else 0.0
    except MissingMomentError:
        flat = bias_flat = math.nan
    both = r * r * y.excess
    fourth = 3 * r * r * (1 + y.excess) + (flat - 3) * r * r * y.quartic + 6 * r * (1 - r)
    fourth += bias_flat * (1 - r) ** 2
    return PowerSums(mean, both + (fourth - 1 - both) / width, fourth / width, width)


def activate(h: PowerSums, slope: float) -> PowerSums:
    """Those of phi(h), or of phi'(h) g for g = h, when signs are fair: c2 and c4 instead of 1."""
    c2, c4 = (1 + slope**2) / 2, (1 + slope**4) / 2
    rho = c4 / c2**2
    return PowerSums(c2 * h.mean, h.excess + (rho - 1) * h.quartic, rho * h.quartic, h.width)


def known(value: float) -> float | None:
    """The value, or None where it is NaN or beyond what a float can hold."""
    return value if math.isfinite(value) else None


def require_fourth_moments(net: DenseNet, last: int, first: int = 1) -> None:
    """Raise where the input or a law of layers first..last has no fourth moment.

    Raises:
        MissingMomentError: naming the law and its parameter.
        TheoryError: for orthogonal matrices, whose entries are dependent.
    """
    for layer, error in _missing_moments(net):
        if first <= layer <= last:
            raise error


@once_per_net
def _missing_moments(net: DenseNet) -> list[tuple[int, TheoryError]]:
    """The layers (0 for the input) without a fourth moment, with what to say."""
    found = []
    for layer in range(net.depth + 1):
        entries = (net.input,) if layer == 0 else (net.weight(layer), net.bias(layer))
        for law in entries:
            try:
                if isinstance(law, Distribution):
                    _fourth(law)
            except TheoryError as error:
                found.append((layer, error))
                break
    return found


def _fourth(law: Distribution) -> float:
    if not distributions.is_iid(law):
        raise TheoryError("the statement needs independent weights; those of an orthogonal matrix are not.")
    return distributions.kurtosis(law)


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


def _kurtosis(law: Distribution) -> float:
    return distributions.kurtosis(law) if distributions.is_iid(law) else math.nan
