"""MF: signal propagation at infinite width; GN: gains."""

from __future__ import annotations

from theory.entries.entry import BOUND, EXACT, INFINITE, Entry

_PS = "Poole et al. 2016; Schoenholz et al. 2017"

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "MF-02",
        "the correlation map and its slope at 1",
        INFINITE,
        ("theory.mean_field.correlation_map", "theory.mean_field.correlation"),
        _PS,
    ),
    Entry(
        "MF-03",
        "depth scales",
        INFINITE,
        ("theory.mean_field.xi_q", "theory.mean_field.xi_c"),
        "Schoenholz et al. 2017",
    ),
    Entry(
        "MF-04",
        "the edge of chaos",
        (*INFINITE, *BOUND),
        ("theory.mean_field.edge_point", "theory.mean_field.edge", "theory.mean_field.edge_closed_form"),
        _PS,
    ),
    Entry(
        "MF-05",
        "half-stable fixed points",
        INFINITE,
        ("theory.mean_field.half_stable_points",),
        "Roberts, Yaida and Hanin 2022, chapter 5",
    ),
    Entry(
        "MF-08",
        "the ReLU correlation map",
        INFINITE,
        ("theory.mean_field.angle_map", "theory.mean_field.correlation_decay"),
        "Cho and Saul 2009",
    ),
    Entry(
        "MF-09",
        "closed forms of V and D",
        EXACT,
        ("theory.activations.Activation.second_moment", "theory.activations.Activation.derivative_second_moment"),
    ),
    Entry(
        "MF-10",
        "closed forms of the kernels",
        EXACT,
        ("theory.activations.Activation.kernel", "theory.activations.Activation.derivative_kernel"),
        "Cho and Saul 2009; Williams 1997",
    ),
    Entry(
        "MF-11",
        "NNGP and neural tangent kernel",
        INFINITE,
        ("theory.mean_field.nngp", "theory.mean_field.ntk"),
        "Lee et al. 2018; Jacot et al. 2018",
    ),
    Entry("GN-01", "gains forward, backward, centred", (*EXACT, *INFINITE), ("theory.mean_field.gains",)),
    Entry("GN-02", "what PyTorch's gains do", INFINITE, ("theory.mean_field.torch_gains",), false=True),
    Entry(
        "GN-03", "the fixed point of selu", INFINITE, ("theory.mean_field.self_normalization",), "Klambauer et al. 2017"
    ),
    Entry(
        "GN-04",
        "odd activations never shrink gradients at a fixed point",
        BOUND,
        ("theory.mean_field.backward_factor",),
    ),
)
