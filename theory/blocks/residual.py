"""Residual blocks h -> h + alpha branch(h): what the sum does to second moments (catalogue AR-01, AR-02, AR-03)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import sympy as sp
from scipy import special

from theory.prediction import Exactness, TheoryError
from theory.statement import Statement, real, whole


def branch_factor(width: int, hidden: int, first_variance: float, last_variance: float, slope: float = 0.0) -> float:
    """E |W_2 phi(W_1 h)|^2 / |h|^2 for any h: N v_1 (1 + a^2)/2 N_hidden v_2 with N the width of h (AR-01).

    >>> branch_factor(6, 10, 2 / 6, 1 / 10)
    1.0
    """
    rate = (1 + real("slope", slope) ** 2) / 2
    first, last = real("first_variance", first_variance, 0), real("last_variance", last_variance, 0)
    return whole("width", width) * whole("hidden", hidden) * first * last * rate


def energy(alphas: Sequence[float], factors: Sequence[float] | float = 1.0) -> float:
    """E |h_L|^2 / |h_0|^2 = prod (1 + alpha_l^2 rho_l); E |g_0|^2 / |g_L|^2 is the same (AR-01).

    Args:
        alphas: The multiplier of each branch.
        factors: rho_l = E |branch(h)|^2 / |h|^2 of each block, or one for all.

    >>> energy([1.0, 0.5]), energy([0.0] * 100)
    (2.5, 1.0)
    """
    rho = [factors] * len(alphas) if isinstance(factors, int | float) else list(factors)
    if len(rho) != len(alphas):
        raise TheoryError(f"`factors`: {len(rho)} given for {len(alphas)} blocks; give one a block.")
    terms = [real("alphas", a) * a * real("factors", r, 0) for a, r in zip(alphas, rho, strict=True)]
    return _exp("alphas", math.fsum(math.log1p(real("alphas^2 factors", term, 0)) for term in terms))


def _exp(name: str, log: float) -> float:
    if log > 709:
        raise TheoryError(f"`{name}`: e^{log:g} is beyond what a float can hold.")
    return math.exp(log)


def deep_limit(total: float) -> float:
    """lim (1 + c/L)^L = e^c, with c = L alpha^2 kept as the depth grows (AR-01).

    >>> round(deep_limit(1.0), 6)
    2.718282
    """
    return _exp("total", real("total", total, 0))


def one_layer_factor(width: int, variance: float, positive_share: float) -> float:
    """E |h + W relu(h)|^2 / |h|^2 for a fixed h: 1 + N v |relu(h)|^2/|h|^2 (AR-02).

    Args:
        width: N.
        variance: v of the entries of W.
        positive_share: |relu(h)|^2 / |h|^2 in [0, 1]; 1/2 is its mean for a symmetric h.

    >>> one_layer_factor(4, 2 / 4, 1.0), one_layer_factor(4, 2 / 4, 0.5)
    (3.0, 2.0)
    """
    share = real("positive_share", positive_share, 0, 1)
    return 1 + whole("width", width) * real("variance", variance, 0) * share


def _half_square(mean: float, variance: float) -> float:
    """E relu(s)^2 for s ~ N(mean, variance)."""
    if variance == 0:
        return max(mean, 0.0) ** 2
    std = math.sqrt(variance)
    density = math.exp(-(mean**2) / (2 * variance)) / math.sqrt(2 * math.pi)
    return (mean**2 + variance) * float(special.ndtr(mean / std)) + mean * std * density


def one_layer_two_blocks(width: int) -> float:
    """E |h_2|^2 / |h_0|^2 of two blocks h + W relu(h), v = 2/N Gaussian, h_0 of fair signs and equal sizes (AR-02).

    (1 + alpha^2)^2 would be 4: the excess is of order 1/N.

    >>> [round(one_layer_two_blocks(n), 4) for n in (1, 8, 1000)]
    [4.7201, 4.0871, 4.0007]
    """
    n = whole("width", width)
    chances = _binomial(n - 1)  # positive entries of h_0 among the other n - 1
    kept = (
        chance * (_half_square(1.0, 2 * (others + 1) / n) + _half_square(-1.0, 2 * others / n))
        for others, chance in chances.items()
    )
    return 2 + math.fsum(kept) / math.fsum(chances.values())


def _binomial(n: int) -> dict[int, float]:
    """Chances of Bin(n, 1/2) over that of its mode, down to 1e-30."""
    found, middle = {n // 2: 1.0}, n // 2
    for step in (1, -1):
        k, chance = middle, 1.0
        while 0 <= k + step <= n and chance > 1e-30:
            chance *= (n - k) / (k + 1) if step > 0 else k / (n - k + 1)
            k += step
            found[k] = chance
    return found


_alpha, _rho = sp.IndexedBase("alpha", real=True), sp.IndexedBase("rho", nonnegative=True)
_l, _L = sp.symbols("l L", integer=True, positive=True)
_c, _s, _N, _v = sp.symbols("c s N v", positive=True)

ENERGY = Statement(
    entry="AR-01",
    statement="Each block multiplies the mean of |h|^2, forward, and of |g|^2, backward, by 1 + alpha^2 rho.",
    expression=sp.Product(1 + _alpha[_l] ** 2 * _rho[_l], (_l, 1, _L)),
    evaluate=energy,
    assumptions=(
        "branch W_2 phi(W_1 h), phi homogeneous (ReLU: rho = 1 at v_1 = 2/N, v_2 = 1/N_hidden)",
        "W_2 zero mean and independent of all else; W_1 iid, symmetric (backward: without atoms, h not 0)",
        "h_0 fixed, or independent of the weights; backward the same of g_L",
    ),
    reference="Hanin and Rolnick 2018; Zhang, Dauphin and Ma 2019",
    derivation=(
        r"Given $h$, $E W_2\varphi(W_1 h) = 0$: $E|h + \alpha W_2\varphi(W_1 h)|^2 = |h|^2 + "
        r"\alpha^2 E|W_2\varphi(W_1h)|^2$.",
        r"Rows of $W_1 h$ have fair signs: $E|W_2\varphi(W_1 h)|^2 = N v_2 N_h \frac{1+a^2}{2} v_1 |h|^2 = "
        r"\rho|h|^2$ for every $h$.",
        r"The factor does not depend on $h$: multiply over blocks.",
        r"Backward, $J^T g = g + \alpha W_1^T D W_2^T g$: the same steps with $W_2$ first.",
    ),
)

DEEP_LIMIT = Statement(
    entry="AR-01",
    statement="With alpha^2 = c/L the mean of |h|^2 grows to e^c |h_0|^2 and no further as blocks are added.",
    expression=sp.exp(_c),
    evaluate=deep_limit,
    exactness=Exactness.INFINITE_WIDTH,
    assumptions=("those of the product over blocks", "depth to infinity: at depth L the factor is e^c (1 - c^2/(2L))"),
    derivation=(r"$\log(1 + c/L)^L = c - c^2/(2L) + \ldots \to c$.",),
)

ONE_LAYER = Statement(
    entry="AR-02",
    statement="A branch of one layer, h + W relu(h), multiplies |h|^2 by a factor that depends on the signs of h: "
    "from 1 to 3 at v = 2/N, 2 in the mean only for a symmetric h.",
    expression=1 + _N * _v * _s,
    evaluate=one_layer_factor,
    assumptions=("W zero mean, independent of h", "s = |relu(h)|^2/|h|^2 of a fixed h, or its mean over h"),
    derivation=(
        r"$E|h + W\,\mathrm{relu}(h)|^2 = |h|^2 + N v|\mathrm{relu}(h)|^2$ for fixed $h$.",
        r"For $h$ with fair signs $E|\mathrm{relu}(h)|^2 = \frac12 E|h|^2$.",
    ),
)

ONE_LAYER_TWICE = Statement(
    entry="AR-02",
    statement="After two blocks of one layer the mean of |h|^2 exceeds (1 + 1)^2 |h_0|^2 even for a symmetric h_0.",
    expression=4 + sp.Function("excess")(_N),
    evaluate=one_layer_two_blocks,
    assumptions=("Gaussian W of variance 2/N", "entries of h_0 of equal size and fair signs"),
    derivation=(
        r"Given $h_0$ the entries of $h_1$ are $N(h_{0,i}, \sigma^2)$, $\sigma^2 = \frac2N |\mathrm{relu}(h_0)|^2$.",
        r"Entry $i$ itself is in $\mathrm{relu}(h_0)$ only where it is positive: $\sigma^2$ is larger there by "
        r"$\frac2N h_{0,i}^2$.",
        r"$\partial_{\sigma^2} E\,\mathrm{relu}(h_{1,i})^2 = P(h_{1,i} > 0) > \frac12$ there: more than half is kept.",
        r"Sum over the number of positive entries, Bin$(N-1, \frac12)$ beside entry $i$.",
    ),
)

IDENTITY = Statement(
    entry="AR-03",
    statement="With the last branch weight or the gate at 0 a residual net is the identity, and so is its Jacobian: "
    "every singular value is 1, on every draw.",
    expression=sp.Integer(1),
    evaluate=lambda: 1.0,
    assumptions=("every branch ends in a weight or a gate that is 0 (ReZero, SkipInit, Fixup)",),
    reference="Bachlechner et al. 2021; De and Smith 2020; Zhang, Dauphin and Ma 2019",
    derivation=(r"$h + 0 \cdot f(h) = h$, whatever $f$ is, and $J = I + 0 \cdot f'(h) = I$.",),
)

STATEMENTS = (ENERGY, DEEP_LIMIT, ONE_LAYER, ONE_LAYER_TWICE, IDENTITY)
