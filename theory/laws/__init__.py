"""Exact laws at finite width: of logs of squared norms, and what they say of sample sizes.

`log_norm`, `log_gradient`, `log_weight_gradient`, `log_jacobian` take a network, the `product_...` functions the size
of a product of Gaussian matrices; each gives a `LogLaw` with `mean`, `variance`, `cdf`, `sf`, `pdf`, `ppf`, `error`.
"""

from __future__ import annotations

from theory.laws.counts import (
    dead_jacobian_probability,
    dead_probability,
    networks_for_alive,
    networks_for_mean,
    relative_variance,
)
from theory.laws.log_law import LogLaw
from theory.laws.networks import (
    NormalLimit,
    log_gradient,
    log_jacobian,
    log_norm,
    log_weight_gradient,
    normal_limit,
    product_log_entry,
    product_log_norm,
    product_log_volume,
)

__all__ = [
    "LogLaw",
    "NormalLimit",
    "dead_jacobian_probability",
    "dead_probability",
    "log_gradient",
    "log_jacobian",
    "log_norm",
    "log_weight_gradient",
    "networks_for_alive",
    "networks_for_mean",
    "normal_limit",
    "product_log_entry",
    "product_log_norm",
    "product_log_volume",
    "relative_variance",
]
