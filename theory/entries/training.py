"""SY: symmetry; TR: training; FW: initializers of frameworks. Entries stated elsewhere are aliases."""

from __future__ import annotations

from theory.entries.entry import BOUND, EXACT, INFINITE, Entry

_I = "theory.identities"

ENTRIES: tuple[Entry, ...] = (
    Entry("SY-07", "balance of weights and gradients at a unit", EXACT, (f"{_I}.homogeneous.unit_imbalance",)),
    Entry(
        "SY-09",
        "layers that PyTorch copies",
        EXACT,
        (f"{_I}.records.IDENTITIES",),
        "documentation of torch.nn.TransformerEncoder",
        out_of_scope="a fact about one framework's constructor; stated, and tested where that framework is",
    ),
    Entry(
        "TR-01",
        "ten layers at the edge of the Goldilocks zone",
        (*EXACT, *BOUND),
        ("theory.mean_field.goldilocks", f"{_I}.sigmoid.gradient_bound"),
    ),
    Entry(
        "TR-02",
        "profiles of tanh nets, standard and normalized",
        INFINITE,
        ("theory.mean_field.profile",),
        "Glorot and Bengio 2010",
    ),
    Entry(
        "TR-03",
        "weight gradients over layers beyond homogeneous nets",
        INFINITE,
        ("theory.mean_field.weight_gradient_growth", "theory.mean_field.weight_gradient_ratio"),
        false=True,
    ),
    Entry(
        "TR-04",
        "which schemes train 30 layers",
        reference="He et al. 2015",
        out_of_scope="empirical; the factor of the logits is C1",
    ),
    Entry(
        "TR-06",
        "layerwise rates (LARS)",
        EXACT,
        (f"{_I}.profiles.layerwise_rates", f"{_I}.profiles.update_profile"),
        "You, Gitman and Ginsburg 2017",
    ),
    Entry(
        "TR-08",
        "constant components and unseen data",
        EXACT,
        (f"{_I}.normalization.unseen_mean_square", f"{_I}.normalization.constant_components"),
        false=True,
    ),
    Entry("TR-09", "pairs of digits after normalization", out_of_scope="a fact about one data set, for tests alone"),
    Entry(
        "FW",
        "moments of the laws that frameworks draw from",
        EXACT,
        ("theory.distributions.standard_moment", "theory.parameters.entries"),
        "documentation of the frameworks",
    ),
)
