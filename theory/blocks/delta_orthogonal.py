"""Delta-orthogonal kernels: an orthogonal matrix at the central tap, 0 elsewhere (catalogue CV-06)."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import sympy as sp

from theory.prediction import TheoryError
from theory.statement import Statement, whole

Array = npt.NDArray[np.float64]


def delta_kernel(matrix: Array, kernel: tuple[int, ...]) -> Array:
    """The kernel (c_out, c_in, *kernel) with `matrix` (c_out, c_in) at its centre (CV-06).

    Raises:
        TheoryError: for an even kernel, c_out < c_in, or columns that are not orthonormal.

    >>> delta_kernel(np.eye(2), (3,))[0].tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    rows, columns = matrix.shape
    if rows < columns:
        raise TheoryError(f"`matrix` of shape {matrix.shape}: c_out >= c_in is needed to keep norms.")
    if any(whole("kernel", k) % 2 == 0 for k in kernel):
        raise TheoryError(f"`kernel={kernel}`: a central tap needs odd kernels.")
    if not np.allclose(matrix.T @ matrix, np.eye(columns), rtol=0, atol=1e-10):
        raise TheoryError("`matrix`: its columns are not orthonormal.")
    weights = np.zeros((rows, columns, *kernel))
    centre = math.prod(kernel) // 2  # of the flattened taps: all sizes are odd
    weights.reshape(rows, columns, -1)[:, :, centre] = matrix
    return weights


def norm_factor() -> float:
    """|y|^2 / |x|^2 on every draw (CV-06)."""
    return 1.0


def flattened_factor(channels_in: int, channels_out: int, taps: int) -> float:
    """E |y|^2 / |x|^2 of a Haar matrix (c_out, c_in k^d) as kernel, circular: c_out k^d/max(c_out, c_in k^d) (CV-06).

    Its mean is that of the norm of each patch; y is no isometry of the image.

    >>> flattened_factor(4, 4, 9), flattened_factor(1, 32, 9)
    (1.0, 9.0)
    """
    outputs, k = whole("channels_out", channels_out), whole("taps", taps)
    return outputs * k / max(outputs, whole("channels_in", channels_in) * k)


_ci, _co, _t = sp.symbols("c_in c_out t", integer=True, positive=True)

STATEMENTS = (
    Statement(
        entry="CV-06",
        statement="A delta-orthogonal convolution keeps |x| on every draw, with any 'same' padding.",
        expression=sp.Integer(1),
        evaluate=norm_factor,
        assumptions=("stride 1, odd kernel, 'same' padding (zero, circular or reflected)", "c_out >= c_in"),
        reference="Xiao et al. 2018, section 3",
        derivation=(
            r"Only the central tap is not 0: $y_p = Q x_p$ at every pixel, and padding is never read.",
            r"$Q^TQ = I$ gives $|y_p| = |x_p|$ at every pixel.",
        ),
    ),
    Statement(
        entry="CV-06",
        statement="An orthogonal matrix of the flattened kernel keeps norms of patches in the mean, and no image's "
        "norm on each draw.",
        expression=_co * _t / sp.Max(_co, _ci * _t),
        evaluate=flattened_factor,
        assumptions=("Haar weights of shape (c_out, c_in t), t = k^d taps", "circular padding, stride 1"),
        derivation=(
            r"$E|W p|^2 = c_{out}/\max(c_{out}, c_{in}t)\,|p|^2$ for each patch $p$.",
            r"Every pixel is in $t$ patches.",
        ),
    ),
)
