"""OR: orthogonal weights and the singular values of Jacobians."""

from __future__ import annotations

from theory.entries.entry import EXACT, INFINITE, LEADING, Entry

_PSG = "Pennington, Schoenholz and Ganguli 2017, 2018"

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "OR-01",
        "norms under Haar matrices, square or not",
        EXACT,
        ("theory.orthogonal.norm_ratio", "theory.orthogonal.entry_variance"),
        "Saxe et al. 2014",
    ),
    Entry(
        "OR-02",
        "fourth moments of Haar entries",
        EXACT,
        ("theory.orthogonal.entry_power_moment", "theory.orthogonal.mixed_moment"),
    ),
    Entry("OR-03", "what tells raw QR from Haar", EXACT, ("theory.orthogonal.raw_qr_mean",), "Mezzadri 2007"),
    Entry(
        "OR-04",
        "ReLU with Haar weights: second moment of a layer's ratio",
        EXACT,
        ("theory.orthogonal.relu_ratio_moment",),
    ),
    Entry(
        "OR-05",
        "moments of the spectrum of the Jacobian by recursion",
        EXACT,
        ("theory.jacobian.spectrum",),
        "Hanin and Nica 2018",
    ),
    Entry(
        "OR-06",
        "spread of squared singular values at criticality",
        INFINITE,
        ("theory.free_products.singular_value_variance",),
        _PSG,
    ),
    Entry(
        "OR-07",
        "S-transforms",
        INFINITE,
        ("theory.free_products.s_transform", "theory.free_products.free_product"),
        _PSG,
    ),
    Entry(
        "OR-08",
        "products of Gaussian matrices: Fuss-Catalan moments and edge",
        INFINITE,
        ("theory.free_products.fuss_catalan", "theory.free_products.upper_edge"),
    ),
    Entry(
        "OR-09",
        "isometry: linear Haar nets have it, ReLU nets cannot",
        (*EXACT, *INFINITE),
        ("theory.free_products.linear_haar_condition", "theory.free_products.relu_isometry_probability"),
        _PSG,
    ),
    Entry(
        "OR-10",
        "orthogonal against Gaussian tanh nets at great depth",
        LEADING,
        ("theory.orthogonal.haar_log_energy_variance", "theory.orthogonal.gaussian_log_energy"),
        "Xiao et al. 2018",
        false=True,
    ),
    Entry("OR-11", "training 10000 layers", out_of_scope="a claim about training, which no budget here can test"),
)
