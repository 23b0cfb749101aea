"""Each activation and its derivative as functions phi(h, a) and phi'(h, a), float64, by family.

The same text runs on NumPy arrays and compiled; only + - * /, comparisons and the bits of numbers, so that the result
is that of any IEEE machine. `a` is the activation's parameter, if it has one. NaN stays NaN, and infinities give the
limits. phi and phi' are right to 1e-14 of their value, or where they pass through a zero to 1e-15; what lies below
1e-304 may be 0. At a kink at 0 phi' is that of the left side, at other kinks 0.
"""
