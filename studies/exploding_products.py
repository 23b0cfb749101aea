"""Products of random matrices: what explodes, what only looks as if, and what eigenvalues do not tell."""

from __future__ import annotations

import math

import numpy as np

from mcverify import Check, Measurement, Statement, Study
from mcverify.claim import claims
from mcverify.picture import Curve, Picture
from mcverify.simulate import simulate
from mcverify.statement import Expected, Role
from studies import matrices
from studies.matrices import FACTORS, log_chi_square, product_of
from studies.texts import d2l_2018, d2l_2020, fleuret

snippet = product_of(4, FACTORS)
mean_critical = [product_of(n, 30, 1 / n) for n in (4, 16)]
typical_critical = [product_of(4, 30, math.exp(-log_chi_square(4)[0]))]

number_of_matrices = Statement(
    key="number-of-matrices",
    says="Of $d$ layers, the gradient with respect to the weights of layer $t$ holds $d-t$ matrices, namely "
    r"$\mathbf{M}_d$ down to $\mathbf{M}_t$, times a vector.",
    source=d2l_2018(
        "3.15.1. Vanishing and Exploding Gradients",
        "the paragraph after the displayed gradient",
        r"\mathbf{M}_d \cdot \ldots \cdot \mathbf{M}_t",
    ),
    why=r"Count and labels disagree: $\mathbf{M}_d$ to $\mathbf{M}_t$ are $d-t+1$ matrices. The chain rule needs $d-t$, down to "
    r"$\mathbf{M}_{t+1}$.",
    expected=Expected.REFUTED,
    correction="chain-rule",
    entry="A1",
)
composition = Statement(
    key="composition",
    says="A network of $L$ layers is the composition of $L$ functions, the first layer applied first.",
    source=d2l_2020(
        "Explosão e Desaparecimento de Gradientes",
        "first displayed formula",
        r"\mathbf{h}^{(l)} = f_l (\mathbf{h}^{(l-1)}) \text{ e portanto } \mathbf{o} = f_L \circ \ldots \circ f_1(\mathbf{x}).",
    ),
    why="A definition. That the simulator computes this composition is checked network by network.",
    entry="A1",
)
chain_rule = Statement(
    key="chain-rule",
    says="The gradient of the output with respect to the weights of layer $l$ is the product of the $L-l$ layer Jacobians above it "
    "and the gradient of the layer itself.",
    source=d2l_2020(
        "Explosão e Desaparecimento de Gradientes",
        "second displayed formula",
        r"\partial_{\mathbf{W}^{(l)}} \mathbf{o} = \underbrace{\partial_{\mathbf{h}^{(L-1)}} \mathbf{h}^{(L)}}_{ \mathbf{M}^{(L)} "
        r"\stackrel{\mathrm{def}}{=}} \cdot \ldots \cdot \underbrace{\partial_{\mathbf{h}^{(l)}} \mathbf{h}^{(l+1)}}_{ "
        r"\mathbf{M}^{(l+1)} \stackrel{\mathrm{def}}{=}} \underbrace{\partial_{\mathbf{W}^{(l)}} \mathbf{h}^{(l)}}_{ "
        r"\mathbf{v}^{(l)} \stackrel{\mathrm{def}}{=}}.",
    ),
    why="The chain rule; checked against central differences in tanh networks.",
    entry="A1",
)
log_space = Statement(
    key="log-space",
    says="Such products run out of the range of floating-point numbers; logs do not, since they move the size into the exponent.",
    source=d2l_2018(
        "3.15.1. Vanishing and Exploding Gradients", "the paragraph after the displayed gradient, on log-space"
    ),
    formula=r"\log |M_k \cdots M_1 v|^2 = \log |v|^2 + \sum_{i=1}^{k} \log \chi^2_{n,i}",
    why="For Gaussian matrices of variance 1 the log is a sum of $k$ independent terms of moderate size. Reported for 2000 "
    "factors, whose norm overflows: the law says 2232.",
    entry="D3",
)
eigenvalues = Statement(
    key="eigenvalues",
    says="Eigenvalues tell the size of a product: where those of the matrices are small or large, so is the product.",
    source=d2l_2018(
        "3.15.1. Vanishing and Exploding Gradients", "the paragraph after the displayed gradient, on eigenvalues"
    ),
    formula=r"\rho(AB) \le \rho(A)\,\rho(B)",
    why=r"With $\rho$ the largest eigenvalue in absolute value: the matrix $A$ whose only nonzero entry is a 2 above the diagonal "
    "has no eigenvalue but 0, and $A A^T$ has the eigenvalue 4.",
    expected=Expected.REFUTED,
    correction="singular-values",
    entry="A2",
)
singular_values = Statement(
    key="singular-values",
    says="Singular values do: the extreme ones bound those of a product one by one, and the $k$ largest in product (Horn).",
    formula=r"s_{\min}(A) s_{\min}(B) \le s_i(AB) \le s_{\max}(A) s_{\max}(B), \quad \prod_{i \le k} s_i(AB) \le \prod_{i \le k} "
    r"s_i(A) s_i(B)",
    why="A product stretches a vector by at most the product of the largest stretches, and by at least that of the smallest.",
    role=Role.CORRECTED,
    entry="A2",
)
bounds = Statement(
    key="bounds-for-products",
    says="Asked as an exercise: what bounds the eigenvalues of a product? For symmetric positive definite matrices the extreme "
    "eigenvalues do; in general it is the condition numbers that multiply at most.",
    source=d2l_2018("3.15.4. Problems", "third item"),
    formula=r"\lambda_{\min}(A) \lambda_{\min}(B) \le \lambda_i(AB) \le \lambda_{\max}(A) \lambda_{\max}(B), \quad "
    r"\mathrm{cond}(AB) \le \mathrm{cond}(A) \, \mathrm{cond}(B)",
    why=r"$AB$ has the eigenvalues of $A^{1/2} B A^{1/2}$. So a product of well-conditioned layers can still be badly conditioned.",
    entry="A2",
)
explodes = Statement(
    key="explodes",
    says=r"The product of a hundred $4 \times 4$ Gaussian matrices with an initial one explodes.",
    source=d2l_2018("3.15.1.1. Exploding Gradients", "the paragraph and its code"),
    formula=r"E \log |M v|^2 = k \left( \log 2 + \psi(n/2) \right), \quad n = 4, \; k = 101, \; |v| = 1",
    why=r"True of the typical product: each factor adds $\log 2 + \psi(2) = 1.12$ to the log of the squared norm, 113 in all (a "
    "factor $10^{24}$ on the norm), give or take 8.",
    entry="A18",
)
explodes_at_one = Statement(
    key="explodes-at-variance-one",
    says=r"The scale at which it explodes is $\sigma^2 = 1$, as the later edition adds, with code for three frameworks.",
    source=d2l_2020("Explosão de Gradiente", "the paragraph before the code", r"\sigma^2=1"),
    formula=r"E \log |M v|^2 = k \left( \log \sigma^2 + \log 2 + \psi(n/2) \right)",
    why=r"The same product. It would explode for every $\sigma^2$ above $e^{-1.12} = 0.33$.",
    entry="A18",
)
spread = Statement(
    key="spread",
    says="Products differ: the log of the squared norm has a variance that is known exactly.",
    formula=r"\mathrm{Var} \log |M v|^2 = k \, \psi_1(n/2)",
    why="It is a sum of $k$ independent logs of chi-squares.",
    role=Role.CORRECTED,
    entry="D3",
)
printed_fits = Statement(
    key="printed-matrix",
    says="The matrix that the text prints is a fair draw: its size fits the law, and its rows are multiples of one another.",
    source=d2l_2018("3.15.1.1. Exploding Gradients", "the printed output after 100 matrices"),
    formula=r"\frac{s_2}{s_1} \approx \exp(-k(\lambda_1 - \lambda_2)), \quad \lambda_1 - \lambda_2 = \frac{\psi(2) - \psi(3/2)}{2}",
    why=r"Products align: by $k = 101$ the second singular value has fallen to about $10^{-8.5}$ of the first, below rounding. The "
    "size is 2 standard deviations below the mean of its law.",
    entry="A18",
)
mean_by_sampling = Statement(
    key="mean-by-sampling",
    says=r"The mean square of an entry of the product, $n^{k-1} \sigma^{2k}$, estimated by averaging simulated products.",
    formula=r"E |M v|^2 = (n \sigma^2)^k",
    why="True, and invisible: the mean is carried by products so rare that no sample holds one. The verdict must be "
    "UNDECIDED, whatever the number of networks; what can be tested is the log.",
    expected=Expected.UNDECIDED,
    role=Role.CORRECTED,
    entry="D1",
)
ill_conditioned = Statement(
    key="ill-conditioned-or-saturated",
    says="The gradient vanishes exponentially with depth if the weights are ill-conditioned, or if units saturate.",
    source=fleuret("Vanishing gradient", "the sentence under the recursion"),
    formula=r"\mathrm{cond}(W) = \infty \;\text{ or }\; |s| \ge 4 \;\Rightarrow\; |g_0| \to 0 \text{ as } L \to \infty",
    why="Neither is sufficient: a projector is as ill-conditioned as can be and keeps the gradients in its range at any depth, and "
    r"large weights make up for the derivative of saturated units.",
    expected=Expected.REFUTED,
    correction="drift",
    entry="A27",
)
drift = Statement(
    key="drift",
    says="Nor is either necessary: in linear networks at the scale that keeps the mean square, the typical product vanishes.",
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
common = Statement(
    key="common-in-deep-networks",
    says="Gradients that vanish or explode are common in very deep networks, and initialization has to see to it that they do not.",
    source=d2l_2018("3.15.3. Summary", "first and second item"),
    why="Measured where the heuristics are in use: ReLU networks of 100 layers, width 64, He initialization. The gradient keeps its "
    "mean square, yet in three networks of four it changes tenfold or more on its way down.",
    entry="D7",
)
mean_scale_is_steady = Statement(
    key="mean-scale-is-steady",
    says="At variance $1/n$ the typical product neither grows nor shrinks.",
    formula=r"E \log |M v|^2 = \log |v|^2 \quad \text{at } \sigma^2 = 1/n",
    why="That is the scale of the mean square; the typical product drifts down.",
    expected=Expected.REFUTED,
    role=Role.CONTROL,
    correction="drift",
    entry="D7",
)


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


LOG = "preactivation.log_second_moment"
START = math.log(1 / 4)  # of the first unit vector of four entries

study = Study(
    id="exploding_products",
    title="Products of matrices",
    question="Of how many matrices is a gradient the product? How does a product of a hundred random matrices behave, on average and "
    "typically? And what do eigenvalues and condition numbers tell of it?",
    margin=0.05,
    claims=[
        Check(
            "number-of-matrices: M_d to M_t against differences",
            lambda seed: matrices.chain_rule_residual(seed, printed=True),
            statement=number_of_matrices,
        ),
        Check("composition: printed against simulated", matrices.composition_residual, statement=composition),
        Check("chain-rule: L-l Jacobians against differences", matrices.chain_rule_residual, statement=chain_rule),
        Measurement(
            "log-space: mean log of 2000 factors", matrices.log_norm_of_2000, "on the log scale, finite", log_space
        ),
        Check("eigenvalues: excess at the counterexample", matrices.radius_excess, statement=eigenvalues),
        Check("singular-values: largest violation", matrices.singular_value_excess, statement=singular_values),
        Check("bounds-for-products: eigenvalues, positive definite", matrices.positive_excess, statement=bounds),
        Check("bounds-for-products: condition numbers", matrices.condition_excess, statement=bounds),
        *claims(explodes, [snippet], LOG, [1, 10, 50, FACTORS], margin=0.5),
        *claims(explodes_at_one, [snippet], LOG, [25, 75], margin=0.5),
        *claims(spread, [snippet], LOG, [10, FACTORS], statistic="variance"),
        Check("printed-matrix: second over first singular value", matrices.rank_one_residual, statement=printed_fits),
        Measurement(
            "printed-matrix: score of its log norm",
            matrices.printed_score,
            "standard deviations from the law",
            printed_fits,
        ),
        *claims(mean_by_sampling, [snippet], "preactivation.second_moment", [50, FACTORS]),
        Check("ill-conditioned: what 100 projectors leave", matrices.left_by_layers, statement=ill_conditioned),
        Check("saturated: what 100 sigmoids at 4 leave", matrices.left_by_saturated, statement=ill_conditioned),
        *claims(drift, mean_critical, LOG, [10, -1], margin=0.2),
        *claims(steady, typical_critical, LOG, [10, -1], START, margin=0.2),
        Measurement(
            "common-in-deep-networks: share of He networks",
            matrices.share_out_of_scale,
            "of 256 networks have gradients off by a factor of 10 or more",
            common,
        ),
    ],
    controls=[*claims(mean_scale_is_steady, mean_critical[:1], LOG, [-1], START, margin=0.2)],
    pictures=[growth],
)
