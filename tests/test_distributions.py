"""Each law's variates have its moments and its distribution; what is no law is refused.

Statistical checks: fixed seed, 400,000 variates a law, two-sided level 1e-4 a check (about 50 checks: a right
implementation with another seed fails once in 200 runs); a scale that is 2 % off is caught by the variance check
with probability above 0.999, except for the heaviest tails.
"""

import numpy as np
import pytest
from scipy import special, stats

from mcverify.distributions import Law, laws, read_law
from mcverify.errors import InputError
from mcverify.rng import draws, streams, variates

N = 400_000
LEVEL = 1e-4
KEY = streams.key(2024, "{}")
Z = float(stats.norm.isf(LEVEL / 2))


def mixed(cdf, atom):
    """The distribution function of a law that is 0 with probability `atom`."""
    return lambda x: (1 - atom) * cdf(x) + atom * (x >= 0)


CASES = {
    "normal": (Law("normal", 1.0), stats.norm.cdf, 3.0),
    "uniform": (Law("uniform", 1.0), stats.uniform(-(3**0.5), 2 * 3**0.5).cdf, 1.8),
    "truncated": (
        Law("truncated_normal", 1.0, {"bound": 2.0, "rescaled": True}),
        lambda x: stats.truncnorm(-2, 2).cdf(x * stats.truncnorm(-2, 2).std()),
        float(stats.truncnorm(-2, 2).stats("k")) + 3,
    ),
    "laplace": (Law("laplace", 1.0), stats.laplace(scale=0.5**0.5).cdf, 6.0),
    "student_t": (Law("student_t", 1.0, {"df": 9.0}), stats.t(9, scale=(7 / 9) ** 0.5).cdf, 3 + 6 / 5),
    "sparse": (Law("sparse", 1.0, {"sparsity": 0.25}), mixed(stats.norm(scale=(4 / 3) ** 0.5).cdf, 0.25), 4.0),
    "rademacher": (Law("rademacher", 1.0), mixed(lambda x: (x >= -1) / 2 + (x >= 1) / 2, 0.0), 1.0),
}


def sample(law, replicate=0, size=N):
    return draws.standardised(law, size, streams.WEIGHT, 1, replicate, KEY).astype(float)


@pytest.mark.parametrize("case", CASES)
def test_mean_and_variance(case):
    """Mean 0 and variance 1, to the standard errors that the kurtosis gives."""
    law, _, kurtosis = CASES[case]
    x = sample(law)
    assert abs(np.mean(x)) < Z / N**0.5
    assert abs(np.mean(x**2) - 1) <= Z * ((kurtosis - 1) / N) ** 0.5 + 1e-7


@pytest.mark.parametrize("case", CASES)
def test_variance_check_catches_two_percent(case):
    """Planted fault: variates 2 % too large fail the check of the variance."""
    law, _, kurtosis = CASES[case]
    assert abs(np.mean((1.02 * sample(law)) ** 2) - 1) > Z * ((kurtosis - 1) / N) ** 0.5 + 1e-7


@pytest.mark.parametrize("case", [case for case in CASES if case not in ("rademacher", "sparse")])
def test_distribution(case):
    """Kolmogorov and Smirnov's test of the whole distribution."""
    law, cdf, _ = CASES[case]
    assert stats.kstest(sample(law), cdf).pvalue > LEVEL


def test_distribution_check_catches_another_law():
    """Planted fault: a t law with 20 instead of 9 degrees of freedom, of the same variance."""
    wrong = sample(Law("student_t", 1.0, {"df": 20.0}))
    assert stats.kstest(wrong, CASES["student_t"][1]).pvalue < LEVEL


def test_sparse_zeros_and_values():
    """A quarter of the entries is 0, the rest is normal of variance 4/3."""
    x = sample(CASES["sparse"][0])
    zeros = int(np.sum(x == 0))
    assert stats.binomtest(zeros, N, 0.25).pvalue > LEVEL
    assert stats.kstest(x[x != 0], stats.norm(scale=(4 / 3) ** 0.5).cdf).pvalue > LEVEL


@pytest.mark.parametrize("df", [0.5, 1.0, 2.5, 30.0])
def test_student_t_by_scale(df):
    """Any degrees of freedom; without a variance the variate is a plain t."""
    law = Law("student_t", None, {"df": df}, scale=2.0)
    assert stats.kstest(sample(law, size=100_000), stats.t(df).cdf).pvalue > LEVEL


@pytest.mark.parametrize("bound", [0.05, 0.7, 3.5])
def test_truncated_normal_bounds(bound):
    """Within the bound, and of the truncated normal's distribution, for narrow and wide cuts."""
    x = sample(Law("truncated_normal", 1.0, {"bound": bound, "rescaled": False}), size=100_000)
    assert np.max(np.abs(x)) <= bound * (1 + 1e-6)
    assert stats.kstest(x, stats.truncnorm(-bound, bound).cdf).pvalue > LEVEL
    rescaled = sample(Law("truncated_normal", 1.0, {"bound": bound, "rescaled": True}), size=100_000)
    assert np.allclose(rescaled, x / stats.truncnorm(-bound, bound).std(), rtol=1e-5)


@pytest.mark.parametrize("case", ["normal", "laplace", "student_t", "sparse"])
def test_entries_are_uncorrelated(case):
    """Neighbours, also within a counter block, and their squares: correlations within their standard error."""
    x = sample(CASES[case][0])
    for lag in (1, 2, 3, 4):
        assert abs(np.mean(x[:-lag] * x[lag:])) < Z / (N - lag) ** 0.5
        assert abs(np.corrcoef(x[:-lag] ** 2, x[lag:] ** 2)[0, 1]) < Z / (N - lag) ** 0.5


def random_words():
    generator = np.random.default_rng(1)
    edges = np.array([0, 1, 2, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1], np.uint64)
    return np.concatenate([edges, generator.integers(0, 2**32, 200_000, np.uint64)])


def test_normal_is_box_muller_of_the_same_bits():
    """Error below 1.5e-6 (3 ulp of the largest), plus that of U in 24 bits, which shows near radius 0; at most 6.77."""
    w0, w1 = random_words(), np.random.default_rng(2).permutation(random_words())
    radius = np.sqrt(-2 * np.log((w0.astype(float) + 0.5) / 2**32))
    half = np.where(w1 % np.uint64(2) == 0, 1.0, -1.0)
    angle = w1.astype(np.uint32).astype(np.int32) / 2**31 * np.pi / 2
    for lane, exact in ((0, radius * half * np.cos(angle)), (1, radius * half * np.sin(angle))):
        z = variates.normal(w0, w1, w0, w1, lane, 0.0, 1.0)
        assert z.dtype == np.float32
        assert np.all(np.abs(z - exact) < 1.5e-6 + np.minimum(2.0**-24 / radius, 2.0**-12))
        assert np.any(np.abs(1.00001 * z - exact) > 1.5e-6 + np.minimum(2.0**-24 / radius, 2.0**-12))
        assert np.max(np.abs(z)) < 6.77


def test_truncated_normal_is_the_quantile_of_the_same_bits():
    """Relative error below 3e-6 against SciPy's quantile function, with a bound far out."""
    word = random_words()
    inside = special.erf(6 / 2**0.5)
    z = variates.truncated_normal(word, word, word, word, 0, inside, 1.0)
    y = inside * (word.astype(np.uint32).astype(np.int32) + 0.5) / 2**31
    exact = -special.ndtri((1 - np.abs(y)) / 2) * np.sign(y)
    assert np.max(np.abs(z / -np.where(exact == 0, 1, -exact) - 1)) < 3e-6


def test_exponential():
    """Relative error of exp(y) - 1 below 1e-6, from tiny to the largest y; infinite beyond."""
    y = np.float32(np.exp(np.random.default_rng(3).uniform(-20, np.log(88), 100_000)))
    assert np.max(np.abs(variates.expm1(y) / np.expm1(y.astype(float)) - 1)) < 1e-6
    with np.errstate(over="ignore"):
        assert variates.expm1(np.float32([0, 90, 1e4])).tolist() == [0, np.inf, np.inf]


@pytest.mark.parametrize("df", [0.7, 5.0, 200.0])
def test_student_t_is_bailey_of_the_same_bits(df):
    """Error below 3e-6 of the radius against float64, plus that of U in 24 bits, which shows near radius 0."""
    w0, w1, w3 = random_words(), random_words()[::-1], np.random.default_rng(2).permutation(random_words())
    u = (w0.astype(float) + (w1.astype(float) + (w1.astype(float) + 0.5) / 2**32) / 2**32) / 2**32
    radius = np.sqrt(df * np.expm1(-2 / df * np.log(u)))
    half = np.where(w3 % np.uint64(2) == 0, 1.0, -1.0)
    exact = radius * half * np.cos(w3.astype(np.uint32).astype(np.int32) / 2**31 * np.pi / 2)
    bound = 3e-6 * radius * (1 + 6 / df) + np.minimum(2.0**-23 / radius, 2.0**-11)
    assert np.all(np.abs(variates.student_t(w0, w1, w1, w3, 0, df, 1.0) - exact) < bound)


def test_logarithm():
    """Relative error below 3e-7 wherever the result is not tiny."""
    x = np.float32(np.exp(np.random.default_rng(3).uniform(-80, 80, 100_000)))
    exact = np.log(x.astype(float))
    assert np.max(np.abs(variates.log(x) - exact) / np.maximum(np.abs(exact), 0.5)) < 3e-7


def test_orthogonal_matrices():
    """Columns (rows, where wide) are orthonormal up to the standardisation."""
    for shape in ((5, 5), (7, 3), (3, 7), (1, 4)):
        w = draws.matrix(Law("orthogonal", 1.0), shape, 1, 1, 0, KEY).astype(float) / max(shape) ** 0.5
        gram = w.T @ w if shape[0] >= shape[1] else w @ w.T
        assert np.allclose(gram, np.eye(min(shape)), atol=1e-6)


def test_orthogonal_is_haar():
    """The first entry of a 3 x 3 Haar matrix is uniform on (-1, 1) (Archimedes); without the sign fix it is not."""
    z = [draws.standardised(Law("normal", 1.0), 9, 1, 1, r, KEY).reshape(3, 3) for r in range(4000)]
    fixed = [draws.orthogonal_factor(one)[0, 0] / 3**0.5 for one in z]
    raw = [np.linalg.qr(one.astype(float))[0][0, 0] for one in z]
    assert stats.kstest(fixed, stats.uniform(-1, 2).cdf).pvalue > LEVEL
    assert stats.kstest(raw, stats.uniform(-1, 2).cdf).pvalue < LEVEL


def test_laws_and_variates_have_the_same_names():
    """Every law but the matrix law has a variate function."""
    assert all(callable(getattr(variates, name)) for name in laws if name != "orthogonal")


WRONG = [
    ({"law": "gaussian", "variance": 1}, "weights.law='gaussian'"),
    ({"law": 3, "variance": 1}, "weights.law=3"),
    ({"law": "normal"}, "needs `variance`"),
    ({"law": "normal", "variance": -1}, "weights.variance=-1"),
    ({"law": "normal", "variance": float("nan")}, "weights.variance=nan"),
    ({"law": "normal", "variance": float("inf")}, "weights.variance=inf"),
    ({"law": "normal", "variance": "big"}, "weights.variance='big'"),
    ({"law": "normal", "variance": True}, "weights.variance=True"),
    ({"law": "normal", "variance": None}, "needs `variance`"),
    ({"law": "normal", "variance": [1, 2, 3]}, "one a layer"),
    ({"law": "normal", "variance": 1, "df": 3}, "weights.df"),
    ({"law": "normal", "variance": 1, "mean": 3}, "weights.mean"),
    ({"law": "normal", "variance": 1, "scale": 3}, "weights.scale"),
    ({"law": "student_t", "variance": 1}, "needs `df`"),
    ({"law": "student_t", "df": 2, "variance": 1}, "has no variance"),
    ({"law": "student_t", "df": 0, "scale": 1}, "weights.df=0"),
    ({"law": "student_t", "df": 5}, "or `scale`"),
    ({"law": "student_t", "df": 5, "variance": 1, "scale": 1}, "give one of them"),
    ({"law": "truncated_normal", "variance": 1, "bound": 0}, "weights.bound=0"),
    ({"law": "truncated_normal", "variance": 1, "bound": -2}, "weights.bound=-2"),
    ({"law": "truncated_normal", "variance": 1, "rescaled": 1}, "weights.rescaled=1"),
    ({"law": "sparse", "variance": 1, "sparsity": 1}, "weights.sparsity=1"),
    ({"law": "sparse", "variance": 1, "sparsity": -0.1}, "weights.sparsity=-0.1"),
    ({"law": "sparse", "variance": 1}, "needs `sparsity`"),
    ({"law": "constant"}, "needs `value`"),
    ({"law": "constant", "value": 1, "variance": 1}, "weights.variance"),
    ({"law": "orthogonal"}, "law of matrices"),
]


@pytest.mark.parametrize(("spec", "message"), WRONG)
def test_wrong_laws_are_refused(spec, message):
    """One sentence that names the argument as it was written."""
    with pytest.raises(InputError) as error:
        read_law("weights", spec)
    assert message in str(error.value)


def test_law_by_layer():
    """A list of variances has one a layer; an orthogonal gain becomes the variance of an entry."""
    spec = {"law": "student_t", "df": 9, "variance": [0.5, 0.25]}
    assert [read_law("weights", spec, position=i, count=2).variance for i in range(2)] == [0.5, 0.25]
    assert read_law("weights", {"law": "orthogonal", "gain": 3}, sides=(4, 8)).variance == 9 / 8
