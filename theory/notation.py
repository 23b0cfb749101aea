r"""How the symbols of the statements are written and what each of them means.

Every symbol that may stand in a prediction has one row in `SYMBOLS`; `latex` writes an expression with it, and
`legend` explains the symbols of an expression.
"""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp
from sympy.printing.latex import LatexPrinter

SYMBOLS: dict[str, tuple[str, str]] = {
    "N": ("N_l", r"width of layer $l$; $N_0$ is that of the input"),
    "v": ("v_l", r"variance of one weight of layer $l$"),
    "beta": (r"\beta_l", r"variance of one bias of layer $l$; 0 without biases"),
    "kappa": (r"\kappa_l", r"kurtosis $E w^4/(E w^2)^2$ of the weights of layer $l$: 3 for a Gaussian"),
    "kappa_b": (r"{\kappa^b}_l", r"kurtosis of the biases of layer $l$"),
    "alpha": (r"a_l", r"slope of the activation of layer $l$ on the negative side: 0 for ReLU, 1 for linear"),
    "a": ("a", r"slope of the activation on the negative side: 0 for ReLU, 1 for linear"),
    "m_0": ("m_0", r"mean over the entries of the input of $E x^2$"),
    "gamma2": (r"\gamma^2", r"second moment of one entry of the output gradient $g_L$"),
    "gamma4": (r"\gamma_4", r"fourth moment of one entry of the output gradient $g_L$"),
    "l": ("l", r"the layer"),
    "L": ("L", r"depth: the number of weight layers"),
    "q": ("k", r"running layer of a sum or product"),
    "j": ("j", r"running layer of a sum"),
    "p": ("p_l", r"probability that the next ReLU behind layer $l$ is reached by a signal; 1 where there is none"),
    "r": ("r_l", r"probability that a signal reaches layer $l$"),
    "t": ("t_l", r"what conditioning on a gradient that is not 0 does to the mask of layer $l$"),
    "m": ("m_l", r"$E|x_l|^2$"),
    "S": ("S_l", r"$E|x_l|^4$"),
    "F": ("F_l", r"mean of the sum of the $x_j^4$ of layer $l$"),
    "m_delta": (r"{m^\delta}_l", r"$E|\delta_l|^2$, given that layer $l$ is reached"),
    "S_delta": (r"{S^\delta}_l", r"$E|\delta_l|^4$, given that layer $l$ is reached"),
    "F_delta": (r"{F^\delta}_l", r"mean of the sum of the $\delta_i^4$ of layer $l$, given that it is reached"),
    "mu": (r"\mu", r"mean of one entry"),
    "sigma2": (r"\sigma^2", r"variance of one entry"),
    "n": ("n", r"number of entries"),
    "Q": ("q_l", r"$E h_l^2$ at infinite width"),
    "V": ("V(q)", r"$E\varphi(\sqrt{q}z)^2$ for a standard normal $z$"),
    "V4": ("V_4(q)", r"$E\varphi(\sqrt{q}z)^4$ for a standard normal $z$"),
    "D": ("D(q)", r"$E\varphi'(\sqrt{q}z)^2$ for a standard normal $z$"),
    "M": ("M(q)", r"$E\varphi(\sqrt{q}z)$ for a standard normal $z$"),
    "V_1": ("V'(q)", r"the derivative of $V$ in $q$"),
    "V_2": ("V''(q)", r"the second derivative of $V$ in $q$"),
    "V4_1": ("V'_4(q)", r"the derivative of $V_4$ in $q$"),
    "V4_2": ("V''_4(q)", r"the second derivative of $V_4$ in $q$"),
    "M_1": ("M'(q)", r"the derivative of $M$ in $q$"),
    "M_2": ("M''(q)", r"the second derivative of $M$ in $q$"),
    "epsilon": (r"\varepsilon_l", r"the term of order $1/N$ of $E h_l^2$"),
    "K_G": (
        "K_l",
        r"variance over networks of $G_l$, the variance of $h_l$ given the layer before, to order $1/N$",
    ),
    "A": ("A_l", r"mean fourth cumulant of $h_l$ given the layer before; 0 for Gaussian weights"),
    "c": ("c_l", r"mean square at the output of a tangent that starts at layer $l$, at infinite width"),
    "Delta_c": (r"{\Delta c}_l", r"the term of order $1/N$ of the same"),
    "c_1": ("{c'}_l", r"the derivative of $c_l$ in $q_l$"),
    "r_1": ("r_1", r"$v_1|x_0|^2/q_1$, the share of the input in $E h_1^2$"),
    "Z": ("Z(q)", r"$E z^2\varphi'(\sqrt{q}z)^2$ for a standard normal $z$"),
    "E_x2": ("E x_{l-1}^2", r"second moment of the activations before, $V(q_{l-1})$ at infinite width"),
    "ell": (
        r"\ell(n, a)",
        r"mean of the log of the sum of $\varphi(z_i)^2$ over $n$ standard normals, given that it is not 0",
    ),
    "ell_0": (r"\ell_0", r"mean of the log of the mean square of the input"),
    "s2": ("s_2(n, a)", r"variance of the log of the sum of $\varphi(z_i)^2$ over $n$ standard normals"),
    "s2_0": ("s_{2,0}", r"variance of the log of the mean square of the input"),
    "T_A": (
        "T_l",
        r"$E(\mathrm{tr}\,A)^2$ with $A = J J^T$, $J = \partial x_l/\partial x_0$; $N_0^2$ at the input",
    ),
    "Q_A": ("{Q^A}_l", r"$E\,\mathrm{tr}\,A^2$ with $A = J J^T$, $J = \partial x_l/\partial x_0$; $N_0$ at the input"),
    "F_A": (
        "{F^A}_l",
        r"mean of the sum of the $A_{ii}^2$, with $A = J J^T$, $J = \partial x_l/\partial x_0$; $N_0$ at the input",
    ),
    "u": ("u_l", r"mean of the square of $g_l$ in one direction across $x_l$, given that $x_l$ is not 0"),
    "e": ("e_l", r"what the square of $g_l$ along $x_l$ has more, given that $x_l$ is not 0"),
    "rho_kept": (r"\rho_l", r"mean of the share of the square along $x_l$ that the mask of layer $l$ keeps"),
    "P": ("P_l", r"probability that $x_l$ is not 0"),
    "G_1": ("G_1", r"sum of the entries of the output gradient; its square is an expectation where it is random"),
    "G_2": ("G_2", r"(expected) sum of the squares of the output gradient"),
    "A_loss": (r"{A}_l", r"mean of the square of $g_l$ along $x_l$, over $|x_l|^2$, for the target 0"),
    "B_loss": (
        r"{B}_l",
        r"mean of the square of $g_l$ in one direction across $x_l$, over $|x_l|^2$, for the target 0",
    ),
    "Y_loss": (r"{Y}_l", r"the same quantity for a fixed output gradient equal to the target"),
    "rho": (r"\rho(n, a)", r"mean of the root of the sum of $\varphi(z_i)^2$ over $n$ standard normals"),
    "X_0": ("X_0", r"$E|x_0|$"),
    "E_x0_2": ("E x_0^2", r"mean square of the entries of the input"),
    "inverse_mean": (
        r"R(n, a)",
        r"mean of the sum of $\varphi'(z_i)^2$ over that of $\varphi(z_i)^2$, for $n$ standard normals",
    ),
    "Q_a": ("{q^a}_l", r"$E h_l^2$ for the first of two inputs, at infinite width"),
    "Q_b": ("{q^b}_l", r"$E h_l^2$ for the second of two inputs, at infinite width"),
    "Q_ab": ("{q^{ab}}_l", r"$E h_l h'_l$ over two inputs, at infinite width"),
    "E_xa_xb": ("E x_0 x'_0", r"mean over the entries of the products of two inputs"),
    "K": (
        "K(q_1, q_2, q_{12})",
        r"$E\varphi(u)\varphi(v)$ for Gaussian $u, v$ of variances $q_1, q_2$ and covariance $q_{12}$",
    ),
    "D4": ("D_4(q)", r"$E\varphi'(\sqrt{q}z)^4$ for a standard normal $z$"),
}
"""Name of a symbol in code: how it is written in LaTeX (with its index or argument), and what it means.

Meanings have their formulas in LaTeX between dollar signs.
"""


class _Printer(LatexPrinter):
    """Sympy's printer, with the functions of `SYMBOLS` as written there and polygammas as psi."""

    def _print_Function(self, expr: sp.Function, exp: str | None = None) -> str:  # noqa: N802  (sympy looks for this name)
        name = type(expr).__name__
        if not _is_ours(expr) or name not in SYMBOLS:
            return str(super()._print_Function(expr, exp))
        return self._called(head(name), expr.args, exp)

    def _print_polygamma(self, expr: sp.Function, exp: str | None = None) -> str:
        order, argument = expr.args
        return self._called(r"\psi" if order == 0 else rf"\psi_{{{self._print(order)}}}", (argument,), exp)

    def _called(self, written: str, arguments: Iterable[sp.Expr], exp: str | None) -> str:
        inside = ", ".join(map(self._print, arguments))
        call = rf"{written}\left({inside}\right)"
        return call if exp is None else f"{call}^{{{exp}}}"


def latex(expression: sp.Expr | float) -> str:
    r"""The LaTeX of an expression, its symbols and functions written as `SYMBOLS` has them.

    >>> from theory.symbols import N, gamma2, l
    >>> latex(gamma2 * N[l - 1])
    '\\gamma^2 {N}_{l - 1}'
    >>> latex(sp.Function("V_1")(N[l]) ** 2)
    "V'\\left({N}_{l}\\right)^{2}"
    """
    given = sp.sympify(expression)
    return str(
        _Printer({"symbol_names": {symbol: _bare(name) for symbol, name in _symbols(given).items()}}).doprint(given)
    )


def head(name: str) -> str:
    r"""How a symbol is written without its index or argument.

    >>> head("V_1"), head("kappa_b"), head("gamma2"), head("m_0")
    ("V'", '\\kappa^b', '\\gamma^2', 'm_0')
    """
    written = SYMBOLS[name][0]
    bare = written if name == "l" else written.removesuffix("_l").partition("(")[0]
    return bare[1:-1] if bare.startswith("{") else bare


def legend(expressions: Iterable[sp.Expr | float]) -> list[tuple[str, str]]:
    r"""The symbols of some expressions with their meanings, in the order of `SYMBOLS`.

    >>> from theory.symbols import N, l
    >>> legend([N[l]])
    [('N_l', 'width of layer $l$; $N_0$ is that of the input'), ('l', 'the layer')]
    """
    used = {name for expression in expressions for name in names(sp.sympify(expression))}
    return [row for name, row in SYMBOLS.items() if name in used]


def names(expression: sp.Expr) -> set[str]:
    """The names of all symbols, indexed symbols and undefined functions of an expression.

    >>> from theory.symbols import N, l
    >>> sorted(names(N[l - 1]))
    ['N', 'l']
    """
    functions = {type(item).__name__ for item in expression.atoms(sp.Function) if _is_ours(item)}
    return set(_symbols(expression).values()) | functions


def _is_ours(function: sp.Function) -> bool:
    return isinstance(function, sp.core.function.AppliedUndef) or type(function).__module__.startswith("theory.")


def _symbols(expression: sp.Expr) -> dict[sp.Symbol, str]:
    """Every symbol, bases of indexed ones included, with its name."""
    plain = expression.atoms(sp.Symbol)
    bases = {base.label for base in expression.atoms(sp.IndexedBase)}
    return {symbol: str(symbol) for symbol in plain | bases}


def _bare(name: str) -> str:
    """What LaTeX writes for a symbol before the index that the expression has."""
    return head(name) if name in SYMBOLS else str(sp.latex(sp.Symbol(name)))
