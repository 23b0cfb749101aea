"""The generator gives the published words, and a draw depends on its address alone."""

import numpy as np
import pytest
from numba import njit

from mcverify.distributions import Law
from mcverify.rng import draws, philox, streams

ONES = 0xFFFFFFFF
VECTORS = [
    ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ((ONES,) * 4, (ONES, ONES), "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


def words(counter, key, generator=philox.philox4x32):
    return " ".join(f"{int(word):08x}" for word in generator(*map(np.uint64, counter), *map(np.uint64, key)))


@pytest.mark.parametrize(("counter", "key", "expected"), VECTORS)
def test_known_answers(counter, key, expected):
    """Random123's vectors for philox4x32-10."""
    assert words(counter, key) == expected


def test_known_answers_catch_a_missing_round(monkeypatch):
    """Planted fault: with other key increments no vector is met."""
    monkeypatch.setattr(philox, "TWO_W0", philox.W0)
    assert all(words(counter, key) != expected for counter, key, expected in VECTORS[:2])


def test_compiled_and_array_forms_agree():
    """The same text on scalars, on arrays, and compiled gives the same words."""
    two_rounds = njit(philox.two_rounds)
    namespace = {**vars(philox), "two_rounds": two_rounds}
    code = philox.philox4x32.__code__
    compiled = njit(type(philox.philox4x32)(code, namespace))
    counters = np.arange(100, dtype=np.uint64)
    rest = [np.uint64(n) for n in (7, 2**32 - 1, 5, 2**31, 9)]
    arrays = philox.philox4x32(counters, *rest)
    for i, counter in enumerate(counters):
        assert [int(w[i]) for w in arrays] == [int(w) for w in compiled(counter, *rest)]


def test_stream_words_are_distinct():
    """Tensor kind, attempt and layer have their own bits."""
    kinds = (streams.WEIGHT, streams.BIAS, streams.INPUT, streams.OUTPUT_GRADIENT)
    cases = [(k, layer, attempt) for k in kinds for layer in (0, 1, streams.MAX_LAYER) for attempt in (0, 1, 63)]
    assert len({int(streams.stream(*case)) for case in cases}) == len(cases)
    assert max(int(streams.stream(*case)) for case in cases) < 2**32


def test_key_depends_on_seed_and_content():
    """Another seed or another network is another key; and the key of an example stays what it was."""
    assert len({streams.key(seed, text) for seed in (0, 1) for text in ("{}", '{"a":1}')}) == 4
    assert streams.key(0, "{}") == streams.key(0, "{}")


def test_a_draw_is_addressed_not_consumed():
    """Entry e does not depend on how many entries are drawn; replicates past 2^32 differ from those below."""
    law, key = Law("normal", 1.0), streams.key(3, "{}")
    long, short = (draws.standardised(law, size, 1, 2, 5, key) for size in (1001, 7))
    assert np.array_equal(long[:7], short)
    assert not np.array_equal(short, draws.standardised(law, 7, 1, 2, 5 + 2**32, key))
    assert not np.array_equal(short, draws.standardised(law, 7, 1, 3, 5, key))
    assert not np.array_equal(short, draws.standardised(law, 7, 2, 2, 5, key))
