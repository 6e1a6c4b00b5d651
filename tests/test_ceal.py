import asking
import jax
import numpy as np
import pytest

from jax_al.errors import UsageError
from jax_al.strategies.ceal import ceal
from jax_al.strategies.uncertainty import SCORES
from jax_al.types import NOTHING, UNKNOWN

PROBS = np.array(
    [
        [0.5, 0.4, 0.1],
        [0.0, 0.0, 1.0],
        [0.999, 0.001, 0.0],
        [0.4, 0.3, 0.3],
        [0.05, 0.95, 0.0],
        [0.0, 1.0, 0.0],
    ]
)


def asked(budget, labeled=(5,), **options):
    with np.errstate(divide="ignore"):
        signals = {"log_probs": np.log(PROBS)}
    return asking.ask("ceal", signals, asking.pool_of(6, labeled), budget, **options)


def test_the_unsure_are_bought_and_the_surest_get_their_guess():
    query = asked(1, threshold=0.05, decay=0.0)
    assert query.indices.tolist() == [3]
    # 0.999 has entropy 0.008; 0.95 has 0.2; point 5 is labeled.
    assert query.pseudo_labels.tolist() == [UNKNOWN, 2, 0, UNKNOWN, UNKNOWN, UNKNOWN]
    assert query.pseudo_labels.dtype == np.int32
    assert float(query.info["num_pseudo_labels"]) == 2


def test_what_is_bought_brings_no_pseudo_label():
    query = asked(7, threshold=5.0)
    assert sorted(query.indices[:5].tolist()) == [0, 1, 2, 3, 4]
    assert query.indices[5:].tolist() == [NOTHING] * 2
    assert (query.pseudo_labels == UNKNOWN).all()


@pytest.mark.parametrize(("queries", "expected"), [(0, 0.5), (1, 0.375), (2, 0.25), (5, 0.0)])
@pytest.mark.parametrize("labeled", [1, 4])
def test_the_threshold_falls_evenly_with_the_queries_made_whatever_was_owned(
    queries, labeled, expected
):
    with np.errstate(divide="ignore"):
        signals = {"log_probs": np.log(PROBS)}
    pool = asking.pool_of(6, range(5, 5 - labeled, -1))
    pool = pool._replace(num_queries=np.array(queries, np.int32))
    query = asking.ask("ceal", signals, pool, 2, threshold=0.5, decay=0.125)
    assert float(query.info["entropy_threshold"]) == pytest.approx(expected, abs=1e-7)
    if expected == 0:
        assert (query.pseudo_labels == UNKNOWN).all()


def test_without_labels_nothing_is_guessed():
    query = asked(2, ())
    assert (query.pseudo_labels == UNKNOWN).all()
    assert float(query.info["random_fallback"]) == 1
    assert float(query.info["entropy_threshold"]) == 0


def test_the_scores_are_those_of_the_definitions():
    probs = np.random.default_rng(0).dirichlet(np.ones(4), 50)
    log_probs = np.log(probs).astype(np.float32)
    ordered = np.sort(probs, axis=1)
    expected = {
        "entropy": -(probs * np.log(probs)).sum(axis=1),
        "least_confidence": 1 - ordered[:, -1],
        "margin": ordered[:, -2] - ordered[:, -1],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(jax.jit(SCORES[name])(log_probs), values, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("option", "bad"),
    [
        ("score", "entropie"),
        ("threshold", -1),
        ("threshold", float("nan")),
        ("decay", float("inf")),
        ("decay", "fast"),
    ],
)
def test_bad_options_are_sentences(option, bad):
    with pytest.raises(UsageError, match=rf"^{option}"):
        ceal(**{option: bad})
