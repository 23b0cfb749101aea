"""Statements that summarize others, or describe what a source or a framework does (catalogue A24, A28, SY-09)."""

from __future__ import annotations

from theory.identities.identity import Identity
from theory.prediction import Exactness

IDENTITIES = (
    Identity(
        entry="A24",
        statement="A ReLU passes the gradient of a positive preactivation whole, however large; half of the units pass "
        "nothing at initialization.",
        exactness=Exactness.EXACT,
        assumptions=("symmetric weights without atoms, no biases", "the layer is reached"),
        derivation=(
            r"$\varphi'(h) = 1$ for $h > 0$ and 0 for $h < 0$; signs of $h$ are fair, so half of the units are off.",
            r"Without the gain $\sqrt2$ the energy halves in each layer; with it $E|g|^2$ is kept.",
            r"$E\log$ of a layer's factor is $-5/(2n) + O(n^{-2})$, so the typical norm falls as $e^{-5L/(4n)}$; "
            r"the mean is carried by few networks.",
        ),
        reference="He et al. 2015; Hanin and Nica 2018",
        false_as_stated="That ReLU removes vanishing: it does so on the positive side of one unit.",
    ),
    Identity(
        entry="A28",
        statement="Orthogonal layers keep norms, forward and backward, at any depth; the training of 10000 layers "
        "is not a "
        "statement of this theory.",
        assumptions=("square orthogonal matrices, linear layers",),
        derivation=(
            r"$|Wx|^2 = x^T W^T W x = |x|^2$, and $W^T$ is orthogonal too.",
            r"With a near-critical tanh what is lost is of order 1 over the whole depth for orthogonal weights, "
            r"and of order "
            r"$L/n$ in the log for Gaussian ones.",
        ),
        reference="Xiao et al. 2018",
    ),
    Identity(
        entry="SY-09",
        statement="torch.nn.TransformerEncoder deep-copies the layer that it is given: its layers are equal to the "
        "bit at "
        "initialization. This is a tie between layers, not a symmetry between units.",
        assumptions=("PyTorch; parameters not drawn again after construction",),
        derivation=(
            r"The constructor makes $n$ deep copies of one module, parameters included.",
            r"Layers see different inputs, so their gradients differ: the first step breaks the tie.",
        ),
        reference="torch.nn.TransformerEncoder, documentation",
    ),
)
