"""Formulas of one's own: a Prediction of any expression in the symbols of `theory.symbols`.

The value is the expression with the network's numbers in it, whatever the truth. The scatter of one network's
value (variance and law) does not depend on the claim, and is taken from the catalogue where it states one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import sympy as sp

from theory import conditions, distributions
from theory.net import DenseNet, Distribution
from theory.power_sums import of_tensor
from theory.prediction import Exactness, Predicted, Prediction, TheoryError
from theory.symbols import L, N, a, beta, beta_kurtosis, gamma2, gamma4, kappa, l, m0, p, r, slope, t, v


def formula(
    expression: sp.Expr | float,
    observable: str,
    layer: int,
    *,
    entry: str = "",
    statement: str = "",
    statistic: str = "mean",
    exactness: Exactness = Exactness.EXACT,
    assumptions: tuple[str, ...] = (),
    reference: str = "",
    derivation: tuple[str, ...] = (),
    states: frozenset[str] = frozenset(),
    scatter: bool = True,
) -> Prediction:
    """A prediction from an expression in N[l], v[l], beta[l], kappa[l], a[l], m_0, gamma2, a, l and L.

    `l` becomes the layer, `L` the depth, the scalar `a` the slope of the hidden layers. With `scatter` the
    variance and law of one network's value are those of the catalogue.

    >>> net = DenseNet((4, 3), "linear", weights=(Distribution("normal", 0.5),), input=(1.0,) * 4)
    >>> formula(N[l - 1] * v[l] * m0, "preactivation.second_moment", 1).at(net).value
    2.0
    """
    given = sp.sympify(expression)
    return Prediction(
        entry=entry or "formula",
        statement=statement or f"{observable} is {given}",
        observable=observable,
        layer=layer,
        statistic=statistic,
        expression=given,
        evaluate=partial(_evaluate, given, (observable, layer, statistic), scatter),
        exactness=exactness,
        assumptions=assumptions,
        reference=reference or "a formula of the user's",
        derivation=derivation,
        states=states,
    )


def _evaluate(expression: sp.Expr, key: tuple[str, int, str], scatter: bool, net: DenseNet) -> Predicted:
    observable, layer, statistic = key
    value = substitute(expression, net, layer)
    log = observable.endswith("log_second_moment") and statistic == "mean"
    found = _scatter(net, observable, layer, statistic) if scatter else None
    if found is None:
        return Predicted(value=value, log=log)
    bound = found.variance_is_bound
    return Predicted(value=value, variance=found.variance, law=found.law, log=log, variance_is_bound=bound)


def _scatter(net: DenseNet, observable: str, layer: int, statistic: str) -> Predicted | None:
    from theory.catalogue import lookup

    found = lookup(net, observable, layer, statistic)
    return found[1] if found is not None and found[0].exactness == Exactness.EXACT else None


def substitute(expression: sp.Expr, net: DenseNet, layer: int | None = None) -> float:
    """The number that an expression has at a network; rounded once, at the end.

    Raises:
        TheoryError: if a symbol is left that the network has no number for.

    >>> net = DenseNet((2, 3), "relu", weights=(Distribution("normal", 0.1),))
    >>> substitute(N[0] * v[1], net), substitute(N[0] / N[1], net)
    (0.2, 0.6666666666666666)
    """
    placed = expression.subs({L: net.depth, **({} if layer is None else {l: layer})}).doit()
    numbers = {item: _number(item, net) for item in placed.atoms(sp.Indexed)}
    scalars = {m0: _input_moment, gamma2: _gradient_moment, gamma4: _gradient_fourth, slope: _hidden_slope}
    numbers |= {symbol: _exact(of(net)) for symbol, of in scalars.items() if placed.has(symbol)}
    value = placed.xreplace(numbers).doit()
    left = value.free_symbols
    if left:
        raise TheoryError(f"the network has no number for {', '.join(sorted(map(str, left)))} in {expression}.")
    number = sp.N(value, 30)
    if not number.is_real or abs(number) > 1e300:
        raise TheoryError(f"{expression} is {number} for this network; a prediction is a finite real number.")
    return float(number)


def _exact(value: float) -> sp.Rational:
    return sp.Rational(*float(value).as_integer_ratio())


def _number(item: sp.Indexed, net: DenseNet) -> sp.Expr:
    name, index = str(item.base), item.indices[0]
    if not index.is_Integer or name not in _INDEXED:
        raise TheoryError(f"the network has no number for {item}.")
    first = 0 if name in ("N", "p") else 1
    if not first <= index <= net.depth:
        raise TheoryError(f"{item}: layers go from {first} to {net.depth}.")
    return _exact(_INDEXED[name](net, int(index)))


def _input_moment(net: DenseNet) -> float:
    return of_tensor(net.one_input, net.widths[0]).mean


def _gradient_moment(net: DenseNet) -> float:
    return of_tensor(conditions.output_law(net), net.widths[-1]).mean


def _gradient_fourth(net: DenseNet) -> float:
    return of_tensor(conditions.output_law(net), net.widths[-1]).fourth_moment


def _hidden_slope(net: DenseNet) -> float:
    return conditions.homogeneous_slope(net, 1)


def _kurtosis(law: Distribution, net: DenseNet, layer: int) -> float:
    return distributions.kurtosis(law, max(net.widths[layer - 1 : layer + 1]))


_INDEXED: dict[str, Callable[[DenseNet, int], float]] = {
    str(N): lambda net, k: net.widths[k],
    str(v): lambda net, k: distributions.variance(net.weight(k)),
    str(beta): lambda net, k: distributions.raw_moment(net.bias(k), 1),
    str(kappa): lambda net, k: _kurtosis(net.weight(k), net, k),
    str(beta_kurtosis): lambda net, k: _kurtosis(net.bias(k), net, k),
    str(a): conditions.homogeneous_slope,
    str(p): conditions.gate,
    str(r): conditions.reached,
    str(t): conditions.ratio_gate,
}
