"""One step of the length map as a residual of each network: exact at every width, no expansion (G3)."""

from __future__ import annotations

from theory.activations import Activation
from theory.prediction import TheoryError


def step_residual(activation: Activation, G: float, G_next: float, s: float, bias: float = 0.0) -> float:
    """D_l = G_{l+1} - s V(G_l) - bias of one network, which has mean 0 over networks at every width (G3).

    Args:
        activation: phi of layer l.
        G: G_l = v_l |x_{l-1}|^2 + beta_l.
        G_next: G_{l+1} of the same network.
        s: N_l v_{l+1}.
        bias: beta_{l+1}.

    >>> from theory import activations
    >>> step_residual(activations.get("relu"), 2.0, 3.5, 2.0)
    1.5
    """
    return G_next - s * activation.second_moment(G).value - bias


def step_residual_variance(activation: Activation, G: float, s: float, width: int) -> float:
    """Var[D_l | G_l] = s^2/N_l (E phi^4 - (E phi^2)^2) at G_l; its mean over networks is Var D_l, as E[D_l | G_l] = 0.

    Args:
        activation: phi of layer l.
        G: G_l.
        s: N_l v_{l+1}.
        width: N_l.

    Raises:
        TheoryError: if the width is below 1.

    >>> from theory import activations
    >>> step_residual_variance(activations.get("relu"), 2.0, 2.0, 5)
    4.0
    """
    if width < 1:
        raise TheoryError(f"the width of a layer is at least 1, here {width}.")
    second, fourth = activation.second_moment(G).value, activation.power_mean(G, 4).value
    return s**2 / width * (fourth - second**2)
