"""Products of random matrices: what explodes, what only looks as if, and what eigenvalues do not tell."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import digamma, polygamma

from mcverify import Check, Measurement, Network, Statement, Study
from mcverify.claim import Residual, claims
from mcverify.picture import Curve, Picture
from mcverify.simulate import simulate
from mcverify.statement import Expected, Role
from studies.exact import Array, draw, forward
from studies.texts import d2l_2018, d2l_2020, fleuret

FACTORS = 101  # the snippets draw one matrix and multiply by a hundred more


def _product(n: int, factors: int, variance: float = 1.0) -> Network:
    """A product of n x n Gaussian matrices applied to the first unit vector."""
    unit = [1.0] + [0.0] * (n - 1)
    return Network(
        widths=(n,) * (factors + 1), activation="linear", weights={"law": "normal", "variance": variance}, input=unit
    )


def log_chi_square(n: int) -> tuple[float, float]:
    """Mean and variance of log chi2_n."""
    return float(math.log(2) + digamma(n / 2)), float(polygamma(1, n / 2))


snippet = _product(4, FACTORS)
mean_critical = [_product(n, 30, 1 / n) for n in (4, 16)]
typical_variance = math.exp(-log_chi_square(4)[0])
typical_critical = [_product(4, 30, typical_variance)]

PRINTED = np.array(
    [
        [3.1575275e20, -5.0052276e19, 2.0565092e21, -2.3741922e20],
        [-4.6332600e20, 7.3445046e19, -3.0176513e21, 3.4838066e20],
        [-5.8487235e20, 9.2711797e19, -3.8092853e21, 4.3977330e20],
        [-6.2947415e19, 9.9783660e18, -4.0997977e20, 4.7331174e19],
    ]
)
"""What the 2018 edition prints after multiplying its matrices."""

explodes = Statement(
    key="explodes",
    says="The product of a hundred 4 x 4 Gaussian matrices of variance 1 with an initial one explodes.",
    source=d2l_2018("3.15.1.1. Exploding Gradients", "the paragraph and its snippet"),
    formula=r"E \log |M v|^2 = k \left( \log 2 + \psi(n/2) \right), \quad n = 4, \; k = 101",
    why="True of the typical product: each factor adds log 2 + psi(2) = 1.12 nats to the log of the squared norm, 113 nats in all "
    "(a factor e^56 = 10^24.5 on the norm), give or take 8.",
    entry="A18",
)
spread = Statement(
    key="spread",
    says="How much one product differs from another: the log of the squared norm has variance k psi_1(n/2).",
    formula=r"\mathrm{Var} \log |M v|^2 = k \, \psi_1(n/2)",
    why="It is a sum of k independent logs of chi-squares.",
    role=Role.CORRECTED,
    entry="D3",
)
printed_fits = Statement(
    key="printed-matrix",
    says="The matrix that the text prints is a fair draw: its size fits the law, and its rows are multiples of one another.",
    source=d2l_2018("3.15.1.1. Exploding Gradients", "the printed output after 100 matrices"),
    formula=r"s_2/s_1 \sim \exp(-k(\lambda_1 - \lambda_2)), \quad \lambda_1 - \lambda_2 = \frac{\psi(2) - \psi(3/2)}{2}",
    why="Products align: the second singular value falls below float32 rounding of the first. Measured on the printed digits.",
    entry="A18",
)
mean_by_sampling = Statement(
    key="mean-by-sampling",
    says="The mean square of an entry, n^(k-1) sigma^(2k), estimated by averaging simulated products.",
    formula=r"E |M v|^2 = (n \sigma^2)^k",
    why="It is true and cannot be seen: the mean is carried by products so rare that no sample holds one. The verdict must be "
    "UNDECIDED, whatever the number of networks; the log is what can be tested.",
    expected=Expected.UNDECIDED,
    role=Role.CORRECTED,
    entry="D1",
)
number_of_matrices = Statement(
    key="number-of-matrices",
    says="The gradient with respect to the weights of layer t of d is a product of d-t matrices M_d to M_t and a vector.",
    source=d2l_2018(
        "3.15.1. Vanishing and Exploding Gradients", "second paragraph", r"\mathbf{M}_d \cdot \ldots \cdot \mathbf{M}_t"
    ),
    why="Count and labels disagree: M_d to M_t are d-t+1 matrices; the chain rule needs d-t, down to M_{t+1}.",
    expected=Expected.REFUTED,
    correction="chain-rule",
    entry="A1",
)
chain_rule = Statement(
    key="chain-rule",
    says="The gradient with respect to the weights of layer l is the product of the L-l layer Jacobians above it and the vector of "
    "the layer itself.",
    source=d2l_2020(
        "Explosão e Desaparecimento do Gradiente",
        "the second displayed formula",
        r"\partial_{\mathbf{W}^{(l)}} \mathbf{o} = \underbrace{\partial_{\mathbf{h}^{(L-1)}} \mathbf{h}^{(L)}}_{ \mathbf{M}^{(L)} "
        r"\stackrel{\mathrm{def}}{=}} \cdot \ldots \cdot \underbrace{\partial_{\mathbf{h}^{(l)}} \mathbf{h}^{(l+1)}}_{ "
        r"\mathbf{M}^{(l+1)} \stackrel{\mathrm{def}}{=}} \underbrace{\partial_{\mathbf{W}^{(l)}} \mathbf{h}^{(l)}}_{ "
        r"\mathbf{v}^{(l)} \stackrel{\mathrm{def}}{=}}.",
    ),
    why="The chain rule; checked against central differences on random tanh networks.",
    entry="A1",
)
eigenvalues = Statement(
    key="eigenvalues",
    says="Because the matrices have a wide variety of eigenvalues, their product is very large or very small: eigenvalues bound "
    "products.",
    source=d2l_2018("3.15.1. Vanishing and Exploding Gradients", "second paragraph, the sentence on eigenvalues"),
    formula=r"\rho(AB) \le \rho(A)\,\rho(B)",
    why="A = [[0, 2], [0, 0]] has no eigenvalue but 0, and A times its transpose has the eigenvalue 4.",
    expected=Expected.REFUTED,
    correction="singular-values",
    entry="A2",
)
singular_values = Statement(
    key="singular-values",
    says="Singular values do bound products: extreme ones one by one, and the largest k of them in product (Horn).",
    formula=r"s_{\min}(A) s_{\min}(B) \le s_i(AB) \le s_{\max}(A) s_{\max}(B), \quad \prod_{i \le k} s_i(AB) \le \prod_{i \le k} "
    r"s_i(A) s_i(B)",
    why="A product stretches a vector by at most the product of the largest stretches.",
    role=Role.CORRECTED,
    entry="A2",
)
log_space = Statement(
    key="log-space",
    says="Log-space moves the trouble from the mantissa to the exponent: the log norm is well behaved where the norm is not.",
    source=d2l_2018("3.15.1. Vanishing and Exploding Gradients", "second paragraph, on log-space"),
    formula=r"\log |M_k \cdots M_1 v|^2 = \sum_i \log \chi^2_n",
    why="A sum of k terms with mean and variance of order 1 each; reported for a product of 2000 factors, whose norm overflows.",
    entry="D3",
)
ill_conditioned = Statement(
    key="ill-conditioned",
    says="The gradient vanishes exponentially with depth if the weights are ill-conditioned.",
    source=fleuret("Vanishing gradient", "the sentence under the recursion"),
    formula=r"\kappa(W) = \infty \Rightarrow |W^k g| \to 0",
    why="Not sufficient: a projector is as ill-conditioned as can be and keeps the gradients in its range at any depth.",
    expected=Expected.REFUTED,
    correction="drift",
    entry="A27",
)
drift = Statement(
    key="drift",
    says="Nor is it necessary: at the scale that keeps the mean square, with weights as good as any, the typical product vanishes.",
    formula=r"E \log \frac{|M v|^2}{|v|^2} = k \left( \psi(n/2) - \log(n/2) \right) < 0 \quad \text{at } \sigma^2 = 1/n",
    why="The mean of the log is below the log of the mean.",
    role=Role.CORRECTED,
    entry="D7",
)
steady = Statement(
    key="typical-scale",
    says="The scale at which the typical product neither grows nor shrinks is larger.",
    formula=r"\sigma = \exp\left( -\frac{\log 2 + \psi(n/2)}{2} \right)",
    why="It makes the mean of the log zero.",
    role=Role.CORRECTED,
    entry="D7",
)
mean_scale_is_steady = Statement(
    key="mean-scale-is-steady",
    says="At variance 1/n the typical product neither grows nor shrinks.",
    formula=r"E \log |M v|^2 = \log |v|^2 \quad \text{at } \sigma^2 = 1/n",
    why="That is the scale of the mean square; the typical product drifts down.",
    expected=Expected.REFUTED,
    role=Role.CONTROL,
    entry="D7",
)


def chain_rule_residual(seed: int, printed: bool = False) -> Residual:
    """d h_3 / d W_1[0, 1] by the product of Jacobians against central differences, over 20 tanh networks.

    `printed` multiplies by one matrix more, M_1, as the labels of the 2018 edition say.
    """
    net, step, worst = Network(widths=(5, 5, 5, 5), activation="tanh", weights="lecun_normal"), 1e-5, 0.0
    for replicate in range(20):
        drawn = draw(net, seed, replicate)
        w, x = drawn.weights, drawn.input
        _, a = forward(w, x, np.tanh)
        product = w[2] @ np.diag(1 - a[2] ** 2) @ w[1] @ np.diag(1 - a[1] ** 2)  # M_3 M_2
        if printed:
            product = product @ w[0]  # M_1
        by_rule = product[:, 0] * x[1]  # W_1[0, 1] enters h_1 at unit 0 with x_1
        ends = [forward([_moved(w[0], sign * step), *w[1:]], x, np.tanh)[0][-1] for sign in (1, -1)]
        differences = (ends[0] - ends[1]) / (2 * step)
        worst = max(worst, float(np.abs(by_rule - differences).max() / np.abs(differences).max()))
    return Residual(largest=worst, bound=1e-6, draws=20)


def _moved(matrix: Array, step: float) -> Array:
    other = matrix.copy()
    other[0, 1] += step
    return other


def eigenvalue_excess(seed: int) -> Residual:
    """By how much the spectral radius of AB exceeds the product of those of A and B, at the counterexample."""
    del seed
    a = np.array([[0.0, 2.0], [0.0, 0.0]])
    radius = [max(abs(np.linalg.eigvals(m))) for m in (a @ a.T, a, a.T)]
    return Residual(largest=float(radius[0] - radius[1] * radius[2]), bound=1e-12, draws=1)


def singular_value_excess(seed: int) -> Residual:
    """Largest violation of the bounds, relative, over the weights of 200 networks."""
    net, worst = Network(widths=(5, 5, 5), activation="linear", weights={"law": "normal", "variance": 1.0}), 0.0
    for replicate in range(200):
        a, b = draw(net, seed, replicate).weights
        s, sa, sb = (np.linalg.svd(m, compute_uv=False) for m in (a @ b, a, b))
        horn = np.cumsum(np.log(s)) - np.cumsum(np.log(sa * sb))
        worst = max(worst, s[0] / (sa[0] * sb[0]) - 1, sa[-1] * sb[-1] / s[-1] - 1, float(horn.max()), abs(horn[-1]))
    return Residual(largest=float(worst), bound=1e-9, draws=200)


def projector_loss(seed: int) -> Residual:
    """How much of a gradient 100 rank-one projectors lose: 'it vanishes' would leave nothing (residual 1)."""
    u = np.random.default_rng(seed).standard_normal(8)
    projector = np.outer(u, u) / (u @ u)
    g = u.copy()
    for _ in range(100):
        g = projector.T @ g
    return Residual(largest=float(np.linalg.norm(g) / np.linalg.norm(u)), bound=1e-6, draws=1)


def printed_score(seed: int) -> float:
    """Standard score of the printed matrix: mean log squared norm of its columns against the law of one column."""
    del seed
    mean, variance = log_chi_square(4)
    logs = np.log(np.sum(PRINTED**2, axis=0))
    return float((logs.mean() - FACTORS * mean) / math.sqrt(FACTORS * variance))


def rank_one_residual(seed: int) -> Residual:
    """Second over first singular value of the printed matrix, which prints eight digits of float32."""
    del seed
    s = np.linalg.svd(PRINTED, compute_uv=False)
    return Residual(largest=float(s[1] / s[0]), bound=4 * 2.0**-23, draws=1)


def log_norm_of_2000(seed: int) -> float:
    """Mean over 64 products of log |Mv|^2 after 2000 factors; the norms themselves overflow."""
    sim = simulate(_product(4, 2000), replicates=64, seed=seed, keep_values=False)
    frame = sim.frame()
    row = frame[
        (frame.observable == "preactivation.log_second_moment") & (frame.layer == 2000) & (frame.statistic == "mean")
    ]
    return float(row.value.iloc[0] + math.log(4))


def growth(seed: int) -> Picture:
    """log10 of the norm of products after each factor: a few draws, and the predicted mean with its spread."""
    sim = simulate(snippet, replicates=256, seed=seed)
    layers = tuple(range(1, FACTORS + 1))
    draws = np.array([sim.values("preactivation.log_second_moment", k)[:12] for k in layers]).T / (2 * math.log(10))
    mean, variance = log_chi_square(4)
    centre = [(k * mean - math.log(4)) / (2 * math.log(10)) for k in layers]
    width = [2 * math.sqrt(k * variance) / (2 * math.log(10)) for k in layers]
    x = tuple(float(k) for k in layers)
    curves = [
        Curve(label="one product" if i == 0 else "", x=x, y=tuple(map(float, draw)), role="faint")
        for i, draw in enumerate(draws)
    ]
    curves.append(
        Curve(
            label="predicted mean, two standard deviations",
            x=x,
            y=tuple(centre),
            low=tuple(c - w for c, w in zip(centre, width, strict=True)),
            high=tuple(c + w for c, w in zip(centre, width, strict=True)),
        )
    )
    return Picture(
        key="growth",
        title="Products of Gaussian 4 x 4 matrices explode",
        how_to_read="Each thin line is one product applied to a vector; its size grows by about 10^0.24 a factor. The band holds "
        "about 95 % of the products.",
        x_label="number of factors",
        y_label="log10 of the root mean square entry",
        curves=tuple(curves),
        statement="explodes",
    )


study = Study(
    id="exploding_products",
    title="Products of matrices",
    question="How does a product of a hundred random matrices behave, on average and typically; how many matrices are there in a "
    "gradient; and what do eigenvalues and conditioning say about it?",
    margin=0.05,
    claims=[
        *claims(explodes, [snippet], "preactivation.log_second_moment", [1, 10, 50, FACTORS], margin=0.5),
        *claims(spread, [snippet], "preactivation.log_second_moment", [10, FACTORS], statistic="variance"),
        Check("printed-matrix: second over first singular value", rank_one_residual, statement=printed_fits),
        Measurement(
            "printed-matrix: score of its log norm", printed_score, "standard deviations from the law", printed_fits
        ),
        *claims(mean_by_sampling, [snippet], "preactivation.second_moment", [50, FACTORS]),
        Check(
            "number-of-matrices: M_d to M_t against differences",
            lambda seed: chain_rule_residual(seed, printed=True),
            statement=number_of_matrices,
        ),
        Check("chain-rule: L-l Jacobians against differences", chain_rule_residual, statement=chain_rule),
        Check("eigenvalues: excess at the counterexample", eigenvalue_excess, statement=eigenvalues),
        Check("singular-values: largest violation", singular_value_excess, statement=singular_values),
        Measurement("log-space: mean log norm of 2000 factors", log_norm_of_2000, "nats, finite", log_space),
        Check("ill-conditioned: what 100 projectors leave of a gradient", projector_loss, statement=ill_conditioned),
        *claims(drift, mean_critical, "preactivation.log_second_moment", [10, -1], margin=0.2),
        *claims(steady, typical_critical, "preactivation.log_second_moment", [10, -1], math.log(1 / 4), margin=0.2),
    ],
    controls=[
        *claims(
            mean_scale_is_steady,
            mean_critical[:1],
            "preactivation.log_second_moment",
            [-1],
            math.log(1 / 4),
            margin=0.2,
        )
    ],
    pictures=[growth],
)
