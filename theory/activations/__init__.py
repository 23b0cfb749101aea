"""Each activation as an expression, with its integrals over a Gaussian.

`get` gives an activation of the table by name, `of_expression` one that a user writes as a sympy expression.
"""

from __future__ import annotations

from theory.activations.activation import Activation, x
from theory.activations.expression import of_expression
from theory.activations.quadrature import Integral
from theory.activations.table import TABLE, Row, alpha, get, negative_slope

__all__ = ["TABLE", "Activation", "Integral", "Row", "alpha", "get", "negative_slope", "of_expression", "x"]
