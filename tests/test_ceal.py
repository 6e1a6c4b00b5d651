import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_al.base import NOTHING, UNKNOWN, Signals, UsageError, empty_pool, label_points
from jax_al.strategies.ceal import ceal
from jax_al.strategies.uncertainty import SCORES

PROBS = jnp.array(
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
    labeled = jnp.array(labeled, jnp.int32)
    pool = label_points(empty_pool(6, 6), labeled, jnp.zeros_like(labeled))
    signals = Signals(log_probs=jnp.log(PROBS))
    return ceal(**options).select(jax.random.key(0), signals, pool, budget)


def test_the_unsure_are_bought_and_the_surest_get_their_guess():
    query = asked(1, threshold=0.05, decay=0.0)
    assert query.indices.tolist() == [3]
    # 0.999 has entropy 0.008; 0.95 has 0.2; point 5 is labeled.
    assert query.pseudo_labels.tolist() == [UNKNOWN, 2, 0, UNKNOWN, UNKNOWN, UNKNOWN]
    assert query.pseudo_labels.dtype == jnp.int32
    assert float(query.info["num_pseudo_labels"]) == 2


def test_what_is_bought_brings_no_pseudo_label():
    query = asked(7, threshold=5.0)
    assert sorted(query.indices[:5].tolist()) == [0, 1, 2, 3, 4]
    assert query.indices[5:].tolist() == [NOTHING] * 2
    assert (query.pseudo_labels == UNKNOWN).all()


def test_the_threshold_falls_evenly_with_the_batches_owned_and_not_below_zero():
    for labeled, expected in (((5,), 0.3), ((5, 4, 3), 0.1), ((5, 4, 3, 0), 0.0)):
        info = asked(1, labeled, threshold=0.4, decay=0.1).info
        assert float(info["entropy_threshold"]) == pytest.approx(expected, abs=1e-7)
    assert (asked(1, (5, 4, 3, 0), threshold=0.4, decay=0.1).pseudo_labels == UNKNOWN).all()
    # Two batches of two: the count of labels does not matter, that of batches does.
    info = asked(2, (5, 4, 3, 0), threshold=0.4, decay=0.1).info
    assert float(info["entropy_threshold"]) == pytest.approx(0.2)


def test_without_labels_nothing_is_guessed():
    query = asked(2, ())
    assert (query.pseudo_labels == UNKNOWN).all()
    assert float(query.info["random_fallback"]) == 1


def test_the_scores_are_those_of_the_definitions():
    probs = np.random.default_rng(0).dirichlet(np.ones(4), 50)
    log_probs = jnp.asarray(np.log(probs), jnp.float32)
    ordered = np.sort(probs, axis=1)
    expected = {
        "entropy": -(probs * np.log(probs)).sum(axis=1),
        "least_confidence": 1 - ordered[:, -1],
        "margin": ordered[:, -2] - ordered[:, -1],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(SCORES[name](log_probs), values, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("option", "bad"), [("score", "entropie"), ("threshold", -1), ("decay", "fast")]
)
def test_bad_options_are_sentences(option, bad):
    with pytest.raises(UsageError, match=rf"config\.strategy_args\.{option}"):
        ceal(**{option: bad})
