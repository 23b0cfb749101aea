"""CV: convolutions; AR: residual, normalized, attending, dropping and tied layers."""

from __future__ import annotations

from theory.entries.entry import BOUND, EXACT, INFINITE, Entry

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "CV-01",
        "fan-in and fan-out of a convolution",
        EXACT,
        ("theory.blocks.convolution.forward_factor", "theory.blocks.convolution.backward_factor"),
    ),
    Entry(
        "CV-02",
        "zero padding",
        EXACT,
        ("theory.blocks.convolution.valid_taps", "theory.blocks.convolution.same_average"),
    ),
    Entry(
        "CV-03",
        "strides",
        EXACT,
        ("theory.blocks.convolution.reads", "theory.blocks.convolution.torch_fans"),
        false=True,
    ),
    Entry(
        "CV-04",
        "groups and depthwise convolutions",
        EXACT,
        ("theory.blocks.convolution.torch_fans", "theory.blocks.convolution.keras_depthwise_factor"),
        false=True,
    ),
    Entry("CV-05", "transposed convolutions", EXACT, ("theory.blocks.convolution.transposed_factor",), false=True),
    Entry(
        "CV-06", "delta-orthogonal kernels", EXACT, ("theory.blocks.delta_orthogonal.norm_factor",), "Xiao et al. 2018"
    ),
    Entry(
        "CV-07", "ReLU halving in convolutions", (*EXACT, *INFINITE), ("theory.blocks.convolution.activated_factor",)
    ),
    Entry(
        "AR-01",
        "residual branches of two layers",
        (*EXACT, *INFINITE),
        ("theory.blocks.residual.energy", "theory.blocks.residual.branch_factor", "theory.blocks.residual.deep_limit"),
    ),
    Entry(
        "AR-02",
        "residual branches of one layer",
        EXACT,
        ("theory.blocks.residual.one_layer_factor", "theory.blocks.residual.one_layer_two_blocks"),
        false=True,
    ),
    Entry("AR-03", "branches that start at 0", EXACT, ("theory.blocks.residual.energy",)),
    Entry(
        "AR-04",
        "batch normalization, batch to infinity",
        (*INFINITE, *BOUND),
        ("theory.blocks.normalization.infinite_batch_rate",),
        "Yang et al. 2019",
    ),
    Entry(
        "AR-05",
        "batch normalization at a finite batch",
        INFINITE,
        ("theory.blocks.normalization.batch_rate", "theory.blocks.normalization.relu_batch_rate"),
        "Yang et al. 2019",
    ),
    Entry("AR-06", "layer normalization", INFINITE, ("theory.blocks.normalization.layer_norm_rate",)),
    Entry("AR-07", "scale invariance under normalization", EXACT, ("theory.blocks.normalization.scaled_gradient",)),
    Entry(
        "AR-08",
        "dot products of attention",
        EXACT,
        (
            "theory.blocks.attention.score_variance",
            "theory.blocks.attention.score_kurtosis",
            "theory.blocks.attention.tied_score_mean",
        ),
    ),
    Entry(
        "AR-09",
        "dropout: energy and correlation",
        (*EXACT, *INFINITE),
        ("theory.blocks.dropout.second_moment", "theory.blocks.dropout.correlation_at_one"),
        "Schoenholz et al. 2017",
    ),
    Entry(
        "AR-10",
        "tied matrices and embeddings",
        EXACT,
        ("theory.blocks.tied.transpose", "theory.blocks.tied.twice", "theory.blocks.tied.self_logit"),
    ),
    Entry("AR-11", "positional encodings, mixtures of experts, LSTM gates", out_of_scope="no initialization claim"),
)
