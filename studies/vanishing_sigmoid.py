"""The sigmoid's derivative, the zone in which it is supposed not to vanish, and what ReLU does instead."""

from __future__ import annotations

from functools import partial

from mcverify import Check, Claim, Measurement, Network, Statement, Study
from mcverify.claim import claims
from mcverify.observables import Ratio
from mcverify.picture import Curve, Picture
from mcverify.statement import Expected, Role
from studies import sigmoids
from studies.sigmoids import GRID, sigmoid_net
from studies.texts import d2l_2018, d2l_2020

nets = [sigmoid_net(n) for n in (16, 32, 64, 128)]
ladder = tuple(sigmoid_net(n, 3) for n in (8, 12, 16, 24, 32, 64))
relu = [Network(widths=(n,) * 7, activation="relu", weights="he_normal") for n in (32, 128)]

definition = Statement(
    key="definition",
    says="The sigmoid, as the later edition prints it.",
    source=d2l_2020("Desaparecimento do Gradiente", "first paragraph", r"1/(1 + \exp(-x))"),
    why=r"A definition: it takes values between 0 and 1, and $\log \frac{\sigma}{1 - \sigma}$ gives $x$ back, on the grid of the code.",
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
threshold = Statement(
    key="threshold-like",
    says="The sigmoid resembles a threshold: away from 0 it is close to a step from 0 to 1.",
    source=d2l_2020("Desaparecimento do Gradiente", "first paragraph, on thresholds"),
    formula=r"|\sigma(x) - 1[x > 0]| \le e^{-|x|}, \quad x \ne 0",
    why=r"The distance is $1/(1 + e^{|x|})$.",
    entry="A17",
)
snippet = Statement(
    key="snippet",
    says="The code of both editions computes the sigmoid and its gradient at 160 points from $-8$ to $7.9$, in three frameworks.",
    source=d2l_2020("Desaparecimento do Gradiente", "the code (2018 edition: 3.15.1.2, the code)"),
    formula=r"\sigma(x) = \frac{1}{1 + e^{-x}}, \quad \sigma'(x) = \frac{1}{4 \cosh^2(x/2)}",
    why="A definition. Values and gradients of the simulator, in float32 as in the code, are compared with these formulas.",
    entry="A17",
)
derivative = Statement(
    key="derivative",
    says=r"The derivative of the sigmoid is even, largest at 0, and nowhere above $\frac{1}{4}$.",
    formula=r"\sigma'(x) = \sigma(x)(1 - \sigma(x)) = \frac{1}{4 \cosh^2(x/2)} \le \frac{1}{4}",
    why="Differentiate; checked against central differences.",
    role=Role.CORRECTED,
    entry="A17",
)
vanishes = Statement(
    key="vanishes-far-out",
    says="Where arguments are very large or very small, read as large of either sign, the sigmoid has almost no gradient.",
    source=d2l_2018("3.15.1.2. Vanishing Gradients", "the paragraph after the code, first sentence"),
    formula=r"\sigma'(x) \le e^{-|x|}",
    why="It falls off like $e^{-|x|}$ on both sides.",
    entry="A17",
)
when_small = Statement(
    key="vanishes-when-small",
    says="Where inputs are large, and also where they are small, read as close to 0, the sigmoid has almost no gradient.",
    source=d2l_2020("Desaparecimento do Gradiente", "the sentence after the code"),
    formula=r"|x| \to 0 \Rightarrow \sigma'(x) \to 0",
    why=r"At small inputs the derivative is at its largest, $\frac{1}{4}$. What is meant is large negative inputs.",
    expected=Expected.REFUTED,
    correction="vanishes-far-out",
    entry="A17",
)
goldilocks = Statement(
    key="goldilocks",
    says="Gradients are safe while the inputs of all sigmoids stay in a zone about 0, read as a promise.",
    source=d2l_2018(
        "3.15.1.2. Vanishing Gradients",
        "the paragraph after the code, on the zone (later edition: near zero)",
        "[-4, 4]",
    ),
    formula=r"|h| \le 4 \text{ in all layers} \Rightarrow \mathbb{V}(g_l) = \mathbb{V}(g_{l+1})",
    why=r"Staying inside is not enough: even at the centre the derivative is $\frac{1}{4}$, so that a layer with weights of variance "
    "$1/n$ divides the mean square of the gradient by 16 or more.",
    expected=Expected.REFUTED,
    correction="sixteenfold",
    entry="A17",
)
inside = Statement(
    key="inside-the-zone",
    says="In the networks that refute it all preactivations beyond the first layer are inside the zone, so that the zone is what is "
    "put to the test.",
    formula=r"\max_i |h_{l,i}| \le 4, \quad l \ge 2",
    why="With weights of variance $1/n$ and activations near one half, preactivations have a standard deviation of about 0.55.",
    role=Role.CORRECTED,
    entry="A17",
)
sixteenfold = Statement(
    key="sixteenfold",
    says=r"A sigmoid layer passes on at most $\frac{1}{4}$ of what its weights would; with weights of variance $1/n$, in wide networks, "
    "at most a sixteenth of the mean square.",
    formula=r"|g_l| \le \tfrac{1}{4} \, s_{\max}(W_{l+1}) \, |g_{l+1}|, \quad n v \, E \sigma'(\sqrt{q} z)^2 \le \frac{n v}{16}",
    why=r"The derivative is at most $\frac{1}{4}$. The first bound, by the largest singular value of the weights, is checked on single "
    "networks; for the second see the statement on the rate.",
    role=Role.CORRECTED,
    entry="A17",
)
rate = Statement(
    key="rate",
    says="As the width grows, the factor of a layer tends to a Gaussian average of the squared derivative.",
    formula=r"\frac{E|g_l|^2}{E|g_{l+1}|^2} \to n v \, E \sigma'(\sqrt{q_{l+1}} z)^2 \le \frac{n v}{16}",
    why="In the limit gradients and preactivations are independent. Tested by the intercept of a ladder of widths.",
    role=Role.CORRECTED,
    entry="E2",
)
outside = Statement(
    key="outside-the-zone",
    says="Outside the zone gradients do vanish, unless weights are large: a layer whose inputs are all beyond 4 passes on at most "
    "0.018 of what its weights would.",
    source=d2l_2018("3.15.1.2. Vanishing Gradients", "the paragraph after the code, second sentence", "[-4, 4]"),
    formula=r"|h_{l+1,i}| \ge 4 \text{ for all } i \Rightarrow |g_l| \le \sigma'(4) \, s_{\max}(W_{l+1}) \, |g_{l+1}|",
    why=r"Beyond 4 the derivative is below $\sigma'(4) = 0.0177$. Ten such layers, with weights that stretch nothing, leave "
    r"$\sigma'(4)^{10}$.",
    entry="TR-01",
)
some_layer = Statement(
    key="some-layer",
    says="With many layers it is likely that one of them leaves the zone and cuts the gradient off.",
    source=d2l_2020("Desaparecimento do Gradiente", "the paragraph after the code (2018 edition: the same)"),
    why="True to the extent that layers are exposed anew to the same risk. Measured for weights of variance $9/n$, width 32: how many "
    "networks have a unit outside, in one layer and in ten.",
    entry="TR-01",
)
relu_default = Statement(
    key="relu-more-stable",
    says="ReLU is more stable, and so became the default choice.",
    source=d2l_2020("Desaparecimento do Gradiente", "last sentence (2018 edition: 3.15.1.2, last sentence)"),
    why="How it became the default is history. What ten layers leave of a gradient is measured, each with its usual initialization "
    "(He for ReLU, variance $1/n$ for the sigmoid).",
    entry="A24",
)
relu_positive = Statement(
    key="relu-positive",
    says="With ReLU, gradients do not vanish for very large inputs. (That it speeds up training too is not tested here.)",
    source=d2l_2018("3.15.3. Summary", "third item (later edition: Summary, third item)"),
    formula=r"h > 0 \Rightarrow \varphi'(h) = 1",
    why="Of large positive inputs, that is: there the derivative is 1.",
    entry="A24",
)
relu_half = Statement(
    key="relu-half",
    says="But half of the units have no gradient at initialization, whatever the scale of the inputs.",
    formula=r"P(h > 0) = \frac{1}{2}",
    why="Preactivations are symmetric, and on the negative side the derivative is 0.",
    role=Role.CORRECTED,
    entry="A24",
)
relu_typical = Statement(
    key="relu-typical",
    says="With He initialization the mean square of the gradient is kept, yet in the typical network it falls slowly.",
    formula=r"E \log |\delta_1|^2 \approx E \log |\delta_L|^2 - \frac{5 (L-1)}{2 n}",
    why="The squared norm is a product of chi-squares with binomial degrees of freedom, and the mean of its log is below the log of "
    "its mean.",
    role=Role.CORRECTED,
    entry="A24",
)
half_rate = Statement(
    key="half-at-sigmoid-rate",
    says="A sigmoid layer with weights of variance $1/n$ halves the mean square of the gradient, as ReLU without its gain does.",
    formula=r"\frac{E|g_l|^2}{E|g_{l+1}|^2} = \frac{1}{2}",
    why="It takes away 15 parts in 16 and more.",
    expected=Expected.REFUTED,
    role=Role.CONTROL,
    correction="rate",
    entry="E2",
)


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
            Curve(label="sigmoid", x=x, y=tuple(map(float, sigmoids.sigmoid(GRID)))),
            Curve(label="gradient", x=x, y=tuple(map(float, sigmoids.slope(GRID)))),
        ),
        statement="definition",
    )


study = Study(
    id="vanishing_sigmoid",
    title="The sigmoid and vanishing gradients",
    question="Where does the gradient of a sigmoid vanish? Does it help to keep its inputs in a zone about 0? How fast does the "
    "gradient fall layer by layer, and is ReLU free of that?",
    margin=0.05,
    claims=[
        Check("definition: inverse, values between 0 and 1", sigmoids.definition_residual, statement=definition),
        Check(
            "misprint: the same of the printed function",
            lambda seed: sigmoids.definition_residual(seed, sigmoids.printed),
            statement=misprint,
        ),
        Check("threshold-like: distance to the step over its bound", sigmoids.threshold_excess, statement=threshold),
        Check("snippet: the simulator's sigmoid and gradient", sigmoids.snippet_residual, statement=snippet),
        Measurement("snippet: largest gradient on the grid", sigmoids.largest_on_grid, "at x = 0", snippet),
        Check("derivative: closed form, evenness, maximum", sigmoids.derivative_residual, statement=derivative),
        Check("vanishes-far-out: excess over exp(-|x|)", sigmoids.exponential_excess, statement=vanishes),
        Check("vanishes-when-small: derivative at 1e-6", sigmoids.slope_at, statement=when_small),
        *claims(goldilocks, nets, "activation_gradient.ratio", [1, 2], 1.0),
        Check("inside-the-zone: largest preactivation beyond 4", sigmoids.zone_excess, statement=inside),
        Check("sixteenfold: excess over the bound on every draw", sigmoids.bound_excess, statement=sixteenfold),
        *[
            Claim(
                f"rate: activation_gradient.ratio at layer {layer}, widths 8 to 64",
                ladder,
                Ratio("activation_gradient", layer=layer),
                statement=rate,
            )
            for layer in (1, 2)
        ],
        Check("outside-the-zone: excess over the bound", sigmoids.outside_excess, statement=outside),
        Measurement("outside-the-zone: sigma'(4)^10", sigmoids.ten_layers_at_four, "of the gradient's norm", outside),
        *[
            Measurement(
                f"some-layer: share of networks, layers 2 to {layers + 1}",
                partial(sigmoids.share_cut_off, layers=layers),
                "of 100 networks have a unit outside the zone",
                some_layer,
            )
            for layers in (1, 10)
        ],
        *[
            Measurement(
                f"relu-more-stable: {activation}, ten layers of width 64",
                partial(sigmoids.log10_left, activation=activation),
                "is the mean log10 of the gradient's mean square at layer 1",
                relu_default,
            )
            for activation in ("relu", "sigmoid")
        ],
        Check("relu-positive: slope by differences", sigmoids.relu_slope_residual, statement=relu_positive),
        *claims(relu_half, relu, "preactivation.active_fraction", [1, 4]),
        *claims(relu_typical, relu, "preactivation_gradient.log_second_moment", [1, 3], margin=0.1),
        *claims(relu_typical, relu, "preactivation_gradient.ratio", [1, 3], 1.0),
    ],
    controls=[*claims(half_rate, nets[1:3], "activation_gradient.ratio", [2], 0.5)],
    pictures=[curves],
)
