"""Equal initial weights in linear and softmax regression do no harm (catalogue A25)."""

from __future__ import annotations

import numpy as np

from theory.identities.identity import Array, Identity

IDENTITIES = (
    Identity(
        entry="A25",
        statement="Softmax regression from equal weights follows the path from 0, shifted: rows of the gradient "
        "differ from "
        "the first step on, column sums of W are conserved, and the loss is convex.",
        assumptions=("gradient descent with any step, on any batches, without weight decay",),
        derivation=(
            r"Row $k$ of the gradient on $(x, y)$ is $(p_k - 1[y=k])\,x$, which differs between classes although "
            r"$p$ is uniform.",
            r"$\sum_k (p_k - 1[y=k]) = 0$: column sums of $W$ never change.",
            r"$W + 1v^T$ adds $v \cdot x$ to every logit: the same probabilities, so the same gradients. Take $W = "
            r"c$: the path "
            r"is that from 0, plus $c$.",
            r"The loss is a log-sum-exp of linear functions minus a linear one: convex, so no start is bad.",
        ),
    ),
    Identity(
        entry="A25",
        statement="Gradient descent on least squares from w_0 converges to pinv(X) y + (I - P) w_0, P the "
        "projector on the row "
        "space of X: the start matters only where the data say nothing.",
        assumptions=("step below 2 over the largest eigenvalue of X^T X",),
        derivation=(
            r"$w_{t+1} = w_t - \eta X^T(Xw_t - y)$ moves in the row space alone, so $(I-P)w_t = (I-P)w_0$.",
            r"In the row space the error $Pw_t - X^+y$ is multiplied by $1 - \eta s_i^2$ along each singular "
            r"direction, "
            r"below 1 in absolute value.",
        ),
    ),
)


def softmax_gradient(w: Array, x: Array, label: int) -> Array:
    """Gradient of the cross entropy by W, shape (classes, features), on one sample: (p_k - 1[y = k]) x (A25).

    >>> softmax_gradient(np.zeros((2, 1)), np.array([3.0]), 0)
    array([[-1.5],
           [ 1.5]])
    """
    logits = w @ x
    p = np.exp(logits - logits.max())
    p /= p.sum()
    p[label] -= 1
    return np.outer(p, x)


def least_squares_limit(data: Array, targets: Array, start: Array) -> Array:
    """Where gradient descent on |X w - y|^2/2 ends: pinv(X) y + (I - P) w_0 (A25).

    >>> least_squares_limit(np.array([[1.0, 0.0]]), np.array([2.0]), np.array([5.0, 7.0]))
    array([2., 7.])
    """
    inverse = np.linalg.pinv(data)
    return np.asarray(inverse @ targets + start - inverse @ (data @ start), dtype=np.float64)
