"""B, C, D: exact theory at finite width; E, F: general activations and laws of weights."""

from __future__ import annotations

from theory.entries.entry import EXACT, INFINITE, LEADING, Entry

_P = "theory.products"
_HN = "Hanin and Nica 2018"

ENTRIES: tuple[Entry, ...] = (
    Entry("B1", "second moments of linear nets with biases", EXACT, ("theory.forward.preactivation_second_moment",)),
    Entry(
        "B2",
        "fourth moments and scatter for any kurtosis",
        EXACT,
        ("theory.forward.fourth_moment", "theory.forward.second_moment_variance", "theory.power_sums.multiply"),
    ),
    Entry(
        "B3",
        "law of the norm of a linear Gaussian net",
        EXACT,
        ("theory.laws.networks.log_norm", "theory.logs.log_second_moment", "theory.logs.log_second_moment_variance"),
    ),
    Entry("B4", "random inputs: second and fourth moments alone matter", EXACT, ("theory.power_sums.of_tensor",)),
    Entry("C1", "mean of the squared norm at every width", EXACT, ("theory.forward.activation_second_moment",)),
    Entry(
        "C2",
        "relative variance of one layer's factor",
        EXACT,
        ("theory.ratios.relative_variance", "theory.limits.relative_variance"),
        "Hanin and Rolnick 2018",
    ),
    Entry("C3", "mean square of the derivative", EXACT, ("theory.conditions.fair_signs",)),
    Entry(
        "C4",
        "mean and variance of the log norm of ReLU nets",
        EXACT,
        ("theory.finite_width.log_mean", "theory.finite_width.log_variance", "theory.logs.log_second_moment"),
    ),
    Entry(
        "C5",
        "probability that a net is alive",
        EXACT,
        ("theory.laws.counts.dead_probability", "theory.units.alive_probability", "theory.conditions.alive"),
    ),
    Entry(
        "C6",
        "law of the log norm",
        (*EXACT, *INFINITE),
        ("theory.laws.networks.log_norm", "theory.laws.networks.normal_limit"),
        _HN,
    ),
    Entry(
        "C7",
        "backward moments at every width",
        EXACT,
        (
            "theory.laws.networks.log_gradient",
            "theory.laws.networks.log_jacobian",
            "theory.backward.activation_gradient_second_moment",
            "theory.backward.preactivation_gradient_second_moment",
            "theory.backward.fourth_moment",
        ),
        "Hanin 2018; " + _HN,
    ),
    Entry(
        "C8",
        "gradients of weights have one law in every layer",
        EXACT,
        (
            "theory.laws.networks.log_weight_gradient",
            "theory.backward.weight_gradient_second_moment",
            "theory.logs.log_second_moment",
        ),
    ),
    Entry("C9", "a fixed gradient into a ReLU output", EXACT, ("theory.losses.fixed_gradient",)),
    Entry(
        "C10",
        "gradients that come from a loss",
        (*EXACT, *INFINITE),
        ("theory.losses.loss_gradient", f"{_P}.loss_gradient_second_moment"),
    ),
    Entry("D1", "mean square of a product of matrices", EXACT, (f"{_P}.frobenius_second_moment",)),
    Entry("D2", "fourth moment of a product of matrices", EXACT, (f"{_P}.trace_recursion",)),
    Entry(
        "D3",
        "log norm of a product applied to a vector",
        EXACT,
        ("theory.laws.networks.product_log_norm", f"{_P}.log_norm"),
    ),
    Entry(
        "D4",
        "log of an entry of a product",
        EXACT,
        ("theory.laws.networks.product_log_entry", f"{_P}.log_entry"),
    ),
    Entry(
        "D5",
        "log determinant and growth of volumes",
        EXACT,
        ("theory.laws.networks.product_log_volume", f"{_P}.log_volume"),
    ),
    Entry("D6", "Lyapunov exponents", (*EXACT, *INFINITE), (f"{_P}.lyapunov_exponents",), "Newman 1986"),
    Entry("D7", "critical scales: mean square and typical", EXACT, (f"{_P}.critical_std",)),
    Entry(
        "E1",
        "the length map",
        (*EXACT, *INFINITE),
        ("theory.mean_field.length_map", "theory.mean_field.second_moment", "theory.mean_field.one_step"),
        "Poole et al. 2016; Schoenholz et al. 2017",
    ),
    Entry(
        "E2",
        "gradient energy by the product of chi_1",
        INFINITE,
        ("theory.mean_field.chi_1", "theory.mean_field.gradient_second_moment", "theory.mean_field.variance_map_slope"),
        "Schoenholz et al. 2017; Yang, Tensor Programs",
    ),
    Entry(
        "E3",
        "tanh at unit weight variance: algebraic decay",
        INFINITE,
        ("theory.mean_field.critical_decay",),
        false=True,
    ),
    Entry(
        "E4",
        "mean and variance of G_l to order 1/n",
        LEADING,
        (
            "theory.corrections.signal.signal_of",
            "theory.corrections.forward.mean",
            "theory.corrections.forward.variance",
        ),
        "Roberts, Yaida and Hanin 2022",
    ),
    Entry("E5", "Jacobian of one hidden layer", EXACT, ("theory.corrections.hidden_layer.jacobian_second_moment",)),
    Entry(
        "E6",
        "Jacobian second moment to order 1/n",
        LEADING,
        ("theory.corrections.tangents.step", "theory.corrections.gradients.second_moment"),
    ),
    Entry("E7", "gradients of weights to order 1/n", LEADING, ("theory.corrections.gradients.second_moment",)),
    Entry(
        "E8",
        "gelu and silu have no gain with a stable fixed point",
        INFINITE,
        ("theory.mean_field.length_fixed_points",),
    ),
    Entry(
        "F1",
        "kurtosis of the weights to order 1/n",
        LEADING,
        ("theory.corrections.weights.kurtosis_corrected_mean", "theory.corrections.forward.mean"),
    ),
    Entry(
        "F2",
        "ties break backward halving",
        EXACT,
        ("theory.corrections.weights.tie_probability", "theory.corrections.weights.tied_halving"),
    ),
    Entry("F3", "skewed weights break halving", LEADING, ("theory.corrections.weights.skewed_halving",)),
    Entry(
        "F4",
        "moments of each weight law",
        EXACT,
        ("theory.distributions.variance", "theory.distributions.kurtosis", "theory.distributions.standard_moment"),
    ),
)
