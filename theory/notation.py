r"""How the symbols of the statements are written and what each of them means.

Every symbol that may stand in a prediction has one row in `SYMBOLS`; `latex` writes an expression with it, and
`legend` explains the symbols of an expression.
"""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp

SYMBOLS: dict[str, tuple[str, str]] = {
    "N": ("N_l", "width of layer l; N_0 is that of the input"),
    "v": ("v_l", "variance of one weight of layer l"),
    "beta": (r"\beta_l", "variance of one bias of layer l; 0 without biases"),
    "kappa": (r"\kappa_l", "kurtosis E w^4 / (E w^2)^2 of the weights of layer l: 3 for a Gaussian"),
    "kappa_b": (r"{\kappa^b}_l", "kurtosis of the biases of layer l"),
    "alpha": (r"a_l", "slope of the activation of layer l on the negative side: 0 for ReLU, 1 for linear"),
    "a": ("a", "slope of the activation on the negative side: 0 for ReLU, 1 for linear"),
    "m_0": ("m_0", "mean over the entries of the input of E x^2"),
    "gamma2": (r"\gamma^2", "second moment of one entry of the output gradient g_L"),
    "gamma4": (r"\gamma_4", "fourth moment of one entry of the output gradient g_L"),
    "l": ("l", "the layer"),
    "L": ("L", "depth: the number of weight layers"),
    "q": ("k", "running layer of a sum or product"),
    "j": ("j", "running layer of a sum"),
    "p": ("p_l", "probability that the next ReLU behind layer l is reached by a signal; 1 where there is none"),
    "r": ("r_l", "probability that a signal reaches layer l"),
    "t": ("t_l", "what conditioning on a gradient that is not 0 does to the mask of layer l"),
    "m": ("m_l", "E |x_l|^2"),
    "S": ("S_l", "E |x_l|^4"),
    "F": ("F_l", "E of the sum of the x_j^4 of layer l"),
    "m_delta": (r"{m^\delta}_l", "E |delta_l|^2, given that layer l is reached"),
    "S_delta": (r"{S^\delta}_l", "E |delta_l|^4, given that layer l is reached"),
    "F_delta": (r"{F^\delta}_l", "E of the sum of the delta_i^4 of layer l, given that it is reached"),
    "mu": (r"\mu", "mean of one entry"),
    "sigma2": (r"\sigma^2", "variance of one entry"),
    "n": ("n", "number of entries"),
    "Q": ("q_l", "E h_l^2 at infinite width"),
    "V": ("V(q)", "E phi(sqrt(q) z)^2 for a standard normal z"),
    "V4": ("V_4(q)", "E phi(sqrt(q) z)^4"),
    "D": ("D(q)", "E phi'(sqrt(q) z)^2"),
    "M": ("M(q)", "E phi(sqrt(q) z)"),
    "E_x2": ("E x_{l-1}^2", "second moment of the activations before, V(q_{l-1}) at infinite width"),
    "ell": (r"\ell(n, a)", "E log of the sum of phi(z_i)^2 over n standard normals, given that it is not 0"),
    "ell_0": (r"\ell_0", "E log of the mean square of the input"),
    "s2": ("s_2(n, a)", "variance of the log of the sum of phi(z_i)^2 over n standard normals"),
    "s2_0": ("s_{2,0}", "variance of the log of the mean square of the input"),
}
"""Name of a symbol in code: how it is written in LaTeX (with its index or argument), and what it means."""


def latex(expression: sp.Expr | float) -> str:
    r"""The LaTeX of an expression, its symbols written as `SYMBOLS` has them.

    >>> from theory.symbols import N, gamma2, l
    >>> latex(gamma2 * N[l - 1])
    '\\gamma^2 {N}_{l - 1}'
    """
    given = sp.sympify(expression)
    return str(sp.latex(given, symbol_names={symbol: _bare(name) for symbol, name in _symbols(given).items()}))


def legend(expressions: Iterable[sp.Expr | float]) -> list[tuple[str, str]]:
    r"""The symbols of some expressions with their meanings, in the order of `SYMBOLS`.

    >>> from theory.symbols import N, l
    >>> legend([N[l]])
    [('N_l', 'width of layer l; N_0 is that of the input'), ('l', 'the layer')]
    """
    used = {name for expression in expressions for name in names(sp.sympify(expression))}
    return [row for name, row in SYMBOLS.items() if name in used]


def names(expression: sp.Expr) -> set[str]:
    """The names of all symbols, indexed symbols and undefined functions of an expression.

    >>> from theory.symbols import N, l
    >>> sorted(names(N[l - 1]))
    ['N', 'l']
    """
    functions = {type(item).__name__ for item in expression.atoms(sp.core.function.AppliedUndef)}
    return set(_symbols(expression).values()) | functions


def _symbols(expression: sp.Expr) -> dict[sp.Symbol, str]:
    """Every symbol, bases of indexed ones included, with its name."""
    plain = expression.atoms(sp.Symbol)
    bases = {base.label for base in expression.atoms(sp.IndexedBase)}
    return {symbol: str(symbol) for symbol in plain | bases}


def _bare(name: str) -> str:
    """A symbol without its index: what LaTeX writes before the index that the expression has."""
    if name not in SYMBOLS:
        return str(sp.latex(sp.Symbol(name)))
    written = SYMBOLS[name][0]
    bare = written if name == "l" else written.removesuffix("_l")
    return bare[1:-1] if bare.startswith("{") else bare
