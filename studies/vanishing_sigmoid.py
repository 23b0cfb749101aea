"""The sigmoid's derivative, the zone in which it is supposed not to vanish, and what ReLU does instead."""

from __future__ import annotations

import math

import numpy as np

from mcverify import Check, Claim, Measurement, Network, Statement, Study
from mcverify.claim import Residual, claims
from mcverify.observables import Ratio
from mcverify.picture import Curve, Picture
from mcverify.statement import Expected, Role
from studies.exact import Array, draw, forward
from studies.texts import d2l_2018, d2l_2020

GRID = np.arange(-8.0, 8.0, 0.1)  # that of the snippets


def _sigmoid_net(n: int, depth: int = 4, gain: float = 1.0) -> Network:
    return Network(widths=(n,) * (depth + 1), activation="sigmoid", weights={"scheme": "lecun_normal", "gain": gain})


sigmoids = [_sigmoid_net(n) for n in (16, 32, 64, 128)]
ladder = tuple(_sigmoid_net(n, 3) for n in (8, 12, 16, 24, 32, 64))
relu = [Network(widths=(n,) * 7, activation="relu", weights="he_normal") for n in (32, 128)]

definition = Statement(
    key="definition",
    says="The sigmoid, as the later edition prints it: between 0 and 1, one half at 0.",
    source=d2l_2020("Desaparecimento do Gradiente", "first paragraph", r"1/(1 + \exp(-x))"),
    why="Evaluated on the snippets' grid from -8 to 8.",
    entry="A17",
)
misprint = Statement(
    key="misprint",
    says="The sigmoid, as the 2018 edition prints it.",
    source=d2l_2018("3.15.1.2. Vanishing Gradients", "first paragraph", r"(1 + \exp(-x))"),
    why="The reciprocal is missing: the printed function is never below 1.",
    expected=Expected.REFUTED,
    correction="definition",
    entry="A17",
)
derivative = Statement(
    key="derivative",
    says="The derivative of the sigmoid is even, at most 1/4, largest at 0.",
    formula=r"\sigma'(x) = \sigma(x)(1 - \sigma(x)) = \frac{1}{4 \cosh^2(x/2)} \le \frac{1}{4}",
    why="Differentiate; checked against central differences.",
    role=Role.CORRECTED,
    entry="A17",
)
vanishes = Statement(
    key="vanishes-far-out",
    says="The gradient of the sigmoid vanishes for very large and very small arguments (large of either sign).",
    source=d2l_2018("3.15.1.2. Vanishing Gradients", "the paragraph after the plot"),
    formula=r"\sigma'(x) \le e^{-|x|}",
    why="It falls like exp(-|x|) on both sides.",
    entry="A17",
)
when_small = Statement(
    key="vanishes-when-small",
    says="The gradient of the sigmoid vanishes when its inputs are large and when they are small, read literally.",
    source=d2l_2020("Desaparecimento do Gradiente", "the sentence after the plot"),
    formula=r"|x| \to 0 \Rightarrow \sigma'(x) \to 0",
    why="At small inputs the derivative is at its largest, 1/4; what is meant is large negative inputs.",
    expected=Expected.REFUTED,
    correction="vanishes-far-out",
    entry="A17",
)
goldilocks = Statement(
    key="goldilocks",
    says="Unless the inputs of the sigmoids leave a zone about 0, say [-4, 4], gradients do not vanish: inside the zone they are kept.",
    source=d2l_2018("3.15.1.2. Vanishing Gradients", "the paragraph after the plot, on the Goldilocks zone"),
    formula=r"|h| \le 4 \text{ in all layers} \Rightarrow \mathbb{V}(g_l) = \mathbb{V}(g_{l+1})",
    why="Staying inside is not enough: even at the centre the derivative is 1/4, so a layer of unit gain divides the gradient's "
    "second moment by 16 or more.",
    expected=Expected.REFUTED,
    correction="sixteenfold",
    entry="A17",
)
inside = Statement(
    key="inside-the-zone",
    says="In these networks all preactivations are inside the zone beyond the first layer, so that it is the zone which is put to the "
    "test.",
    formula=r"\max_i |h_{l,i}| \le 4, \quad l \ge 2",
    why="With weights of variance 1/n and activations near 1/2 the preactivations have a standard deviation of about 0.55.",
    role=Role.CORRECTED,
    entry="A17",
)
sixteenfold = Statement(
    key="sixteenfold",
    says="With weights of variance 1/n, the gradient's second moment falls at least sixteenfold a layer.",
    formula=r"|g_l| \le \tfrac{1}{4} \, s_{\max}(W_{l+1}) \, |g_{l+1}|, \quad \chi_1 = n v \, E \sigma'(\sqrt{q} z)^2 \le \frac{n v}{16}",
    why="The derivative is at most 1/4. The bound by the largest singular value holds on every draw; the rate chi_1 in the limit of "
    "infinite width.",
    role=Role.CORRECTED,
    entry="A17",
)
rate = Statement(
    key="rate",
    says="As the width grows, the factor of a layer tends to the Gaussian average of the squared derivative.",
    formula=r"\frac{E|g_l|^2}{E|g_{l+1}|^2} \to n v \, E \sigma'(\sqrt{q_{l+1}} z)^2",
    why="In the limit, gradients and preactivations are independent. Tested by the intercept of a ladder of widths.",
    role=Role.CORRECTED,
    entry="E2",
)
necessary = Statement(
    key="outside-the-zone",
    says="Outside the zone the product of many derivatives may vanish, for some layer.",
    source=d2l_2018("3.15.1.2. Vanishing Gradients", "the paragraph after the plot, last sentences"),
    formula=r"\sigma'(4)^{10}",
    why="At |x| = 4 ten layers multiply the gradient by 0.0177^10: reported.",
    entry="TR-01",
)
relu_positive = Statement(
    key="relu-positive",
    says="ReLU addresses vanishing for very large inputs.",
    source=d2l_2018("3.15.3. Summary", "third item"),
    formula=r"h > 0 \Rightarrow \varphi'(h) = 1",
    why="On the positive side the derivative is 1 however large the input.",
    entry="A24",
)
relu_half = Statement(
    key="relu-half",
    says="But half of the units have no gradient at initialization, whatever the scale of the inputs.",
    formula=r"P(h > 0) = \frac{1}{2}",
    why="Preactivations are symmetric; on the negative side the derivative is 0.",
    role=Role.CORRECTED,
    entry="A24",
)
relu_typical = Statement(
    key="relu-typical",
    says="With He initialization the gradient's mean square is kept, yet that of the typical network falls slowly.",
    formula=r"E \log |\delta_1|^2 \approx E \log |\delta_L|^2 - \frac{5 (L-1)}{2 n}",
    why="The law of the norms is a product of chi-squares with binomial degrees of freedom.",
    role=Role.CORRECTED,
    entry="A24",
)
relu_sigmoid = Statement(
    key="half-at-sigmoid-rate",
    says="A sigmoid network loses half of the gradient's second moment a layer, as ReLU without its gain does.",
    formula=r"\frac{E|g_l|^2}{E|g_{l+1}|^2} = \frac{1}{2}",
    why="It loses 15 parts in 16 and more.",
    expected=Expected.REFUTED,
    role=Role.CONTROL,
    entry="E2",
)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-x))


def slope(x: Array) -> Array:
    """Its derivative."""
    return sigmoid(x) * (1 - sigmoid(x))


def definition_residual(seed: int) -> Residual:
    """Residuals of sigma(x) + sigma(-x) = 1 and log(sigma/(1-sigma)) = x on the grid."""
    del seed
    s = sigmoid(GRID)
    residual = max(np.abs(s + sigmoid(-GRID) - 1).max(), np.abs(np.log(s / (1 - s)) - GRID).max())
    return Residual(largest=float(residual), bound=1e-11, draws=GRID.size)


def misprint_residual(seed: int) -> Residual:
    """The printed function against its own symmetry f(x) + f(-x) = 1 of a sigmoid, on the grid."""
    del seed
    return Residual(largest=float(np.abs(2 + np.exp(-GRID) + np.exp(GRID) - 1).min()), bound=1e-11, draws=GRID.size)


def derivative_residual(seed: int) -> Residual:
    """Sigma (1 - sigma) against 1/(4 cosh^2) and differences; evenness; nothing above 1/4."""
    del seed
    step = 1e-5
    differences = (sigmoid(GRID + step) - sigmoid(GRID - step)) / (2 * step)
    residuals = (
        np.abs(slope(GRID) - 1 / (4 * np.cosh(GRID / 2) ** 2)).max(),
        np.abs(slope(GRID) - slope(-GRID)).max(),
        np.abs(slope(GRID) - differences).max(),
        slope(GRID).max() - 0.25,
    )
    return Residual(largest=float(max(residuals)), bound=1e-10, draws=GRID.size)


def exponential_excess(seed: int) -> Residual:
    """By how much the derivative exceeds exp(-|x|), relative, anywhere out to 700."""
    del seed
    x = np.linspace(-700.0, 700.0, 14001)
    ratio = np.exp(np.abs(x)) / (4 * np.cosh(x / 2) ** 2)
    return Residual(largest=max(0.0, float(ratio.max()) - 1), bound=1e-12, draws=x.size)


def slope_near_zero(seed: int) -> Residual:
    """The derivative at x = 1e-6, which would be 0 if it vanished for small inputs."""
    del seed
    return Residual(largest=float(slope(np.array([1e-6]))[0]), bound=1e-3, draws=1)


def outside_zone(seed: int) -> Residual:
    """Largest |h| from the second layer on, over 200 networks of width 64: how far it is beyond 4."""
    net, worst = _sigmoid_net(64), 0.0
    for replicate in range(200):
        drawn = draw(net, seed, replicate)
        h, _ = forward(drawn.weights, drawn.input, sigmoid)
        worst = max(worst, *(float(np.abs(one).max()) for one in h[1:]))
    return Residual(largest=max(0.0, worst - 4.0), bound=0.0, draws=200)


def bound_excess(seed: int) -> Residual:
    """Largest excess of |g_l| over smax(W_{l+1}) |g_{l+1}| / 4, relative, over 100 networks of width 32."""
    net, worst = _sigmoid_net(32), -math.inf
    for replicate in range(100):
        drawn = draw(net, seed, replicate)
        h, _ = forward(drawn.weights, drawn.input, sigmoid)
        g = drawn.output_gradient
        for w, one in zip(reversed(drawn.weights), reversed(h), strict=True):
            below = w.T @ (slope(one) * g)
            bound = np.linalg.norm(w, 2) * np.linalg.norm(g) / 4
            worst, g = max(worst, float(np.linalg.norm(below) / bound - 1)), below
    return Residual(largest=max(0.0, worst), bound=1e-12, draws=400)


def ten_layers_at_four(seed: int) -> float:
    """sigma'(4)^10."""
    del seed
    return float(slope(np.array([4.0]))[0] ** 10)


def relu_slope_residual(seed: int) -> Residual:
    """|phi'(h) - 1| of ReLU by differences at positive h from 1e-3 to 1e6, where the step does not reach 0."""
    h = np.exp(np.random.default_rng(seed).uniform(math.log(1e-3), math.log(1e6), 1000))
    step = h * 1e-3
    differences = (np.maximum(h + step, 0) - np.maximum(h - step, 0)) / (2 * step)
    return Residual(largest=float(np.abs(differences - 1).max()), bound=1e-10, draws=1000)


def curves(seed: int) -> Picture:
    """The sigmoid and its derivative on the snippets' grid."""
    del seed
    x = tuple(map(float, GRID))
    return Picture(
        key="sigmoid",
        title="The sigmoid and its derivative",
        how_to_read="The derivative is at most 1/4, at 0, and falls off on both sides: outside [-4, 4] it is below 0.018.",
        x_label="x",
        y_label="value",
        curves=(
            Curve(label="sigmoid", x=x, y=tuple(map(float, sigmoid(GRID)))),
            Curve(label="gradient", x=x, y=tuple(map(float, slope(GRID)))),
        ),
        statement="definition",
    )


study = Study(
    id="vanishing_sigmoid",
    title="The sigmoid and vanishing gradients",
    question="Where does the gradient of a sigmoid vanish; does it help to keep its inputs in a zone about 0; how fast does the "
    "gradient fall layer by layer; and is ReLU free of that?",
    margin=0.05,
    claims=[
        Check("definition: symmetry and inverse", definition_residual, statement=definition),
        Check("misprint: symmetry of the printed function", misprint_residual, statement=misprint),
        Check("derivative: closed form, evenness, maximum", derivative_residual, statement=derivative),
        Check("vanishes-far-out: excess over exp(-|x|)", exponential_excess, statement=vanishes),
        Check("vanishes-when-small: derivative at 1e-6", slope_near_zero, statement=when_small),
        *claims(goldilocks, sigmoids, "activation_gradient.ratio", [1, 2], 1.0),
        Check("inside-the-zone: largest preactivation beyond 4", outside_zone, statement=inside),
        Check("sixteenfold: excess over the bound on every draw", bound_excess, statement=sixteenfold),
        *[
            Claim(
                f"rate: activation_gradient.ratio at layer {layer}, widths 8 to 64",
                ladder,
                Ratio("activation_gradient", layer=layer),
                statement=rate,
            )
            for layer in (1, 2)
        ],
        Measurement("outside-the-zone: sigma'(4)^10", ten_layers_at_four, "factor on the gradient", necessary),
        Check("relu-positive: slope by differences", relu_slope_residual, statement=relu_positive),
        *claims(relu_half, relu, "preactivation.active_fraction", [1, 4]),
        *claims(relu_typical, relu, "preactivation_gradient.log_second_moment", [1, 3], margin=0.1),
        *claims(relu_typical, relu, "preactivation_gradient.ratio", [1, 3], 1.0),
    ],
    controls=[*claims(relu_sigmoid, sigmoids[1:3], "activation_gradient.ratio", [2], 0.5)],
    pictures=[curves],
)
