"""The variance of a product of two random variables, dependent or not (catalogue A3)."""

from __future__ import annotations

import sympy as sp

from theory.identities.identity import Identity

IDENTITIES = (
    Identity(
        entry="A3",
        statement="V(AB) = V(A)V(B) + V(A)E(B)^2 + V(B)E(A)^2 = V(A)E(B^2) + V(B)E(A)^2 for independent A and B; "
        "that Cov(A, B) = Cov(A^2, B^2) = 0 is enough.",
        assumptions=("finite variances", "Cov(A, B) = Cov(A^2, B^2) = 0"),
        derivation=(
            r"$V(AB) = E(A^2B^2) - E(AB)^2 = \mathrm{Cov}(A^2, B^2) + E(A^2)E(B^2) - (\mathrm{Cov}(A,B) + "
            r"E(A)E(B))^2$.",
            r"With both covariances 0: $V(AB) = E(A^2)E(B^2) - E(A)^2E(B)^2$.",
            r"Put $E(A^2) = V(A) + E(A)^2$: $V(A)E(B^2) + E(A)^2(E(B^2) - E(B)^2) = V(A)E(B^2) + V(B)E(A)^2$.",
        ),
    ),
)


def variance_of_dependent_product(
    means: tuple[sp.Expr, sp.Expr], variances: tuple[sp.Expr, sp.Expr], covariance: sp.Expr, square_covariance: sp.Expr
) -> sp.Expr:
    """V(AB) whatever the dependence, from E, V, Cov(A, B) and Cov(A^2, B^2) (A3).

    >>> one, half = sp.Integer(1), sp.Rational(1, 2)
    >>> variance_of_dependent_product((half, half), (half / 2, half / 2), half / 2, half / 2)  # A = B, a fair 0/1
    1/4
    """
    (a, b), (va, vb) = means, variances
    return square_covariance + (va + a**2) * (vb + b**2) - (covariance + a * b) ** 2
