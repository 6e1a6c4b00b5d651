import asking
import jax
import numpy as np
import pytest

from jax_al.errors import UsageError
from jax_al.strategies.cluster_margin import cluster_margin, round_robin
from jax_al.types import NOTHING


def asked(embedding, margins, budget, labeled=(0,), **how):
    pool = asking.pool_of(len(margins), labeled, capacity=5)
    probs = np.stack([0.5 + margins / 2, 0.5 - margins / 2], axis=1)
    signals = {"embedding": embedding, "log_probs": np.log(probs)}
    return asking.ask("cluster_margin", signals, pool, budget, **how)


def in_turns(key, clusters, mask, num_clusters):
    return ordered(jax.random.key(key), clusters.astype(np.int32), mask, num_clusters)


ordered = asking.quickly(round_robin, static_argnums=3)


@pytest.mark.parametrize("seed", range(3))
def test_clusters_give_one_point_in_turn_the_smallest_first(seed):
    rng = np.random.default_rng(seed)
    clusters, mask = rng.integers(0, 5, 30), rng.random(30) < 0.8
    order = in_turns(seed, clusters, mask, 5).tolist()
    assert sorted(order) == list(range(30))
    assert not mask[order[mask.sum() :]].any()
    sizes = np.bincount(clusters[mask], minlength=5)
    in_turn = sorted(np.flatnonzero(sizes), key=lambda k: (sizes[k], k))
    expected = [k for turn in range(30) for k in in_turn if sizes[k] > turn]
    assert clusters[order[: mask.sum()]].tolist() == expected


def test_the_order_within_a_cluster_is_left_to_the_key():
    clusters, everyone = np.zeros(4, int), np.ones(4, bool)
    firsts = {int(in_turns(key, clusters, everyone, 1)[0]) for key in range(40)}
    assert firsts == {0, 1, 2, 3}


def test_unsure_points_of_different_clusters():
    # Three heaps; the third is sure, so no candidate, and of the others each gives one point.
    heap = np.repeat([0.0, 10.0, 20.0], 8)[:, None]
    embedding = heap + np.linspace(0, 1, 24)[:, None]
    margins = np.where(np.arange(24) < 16, 0.1, 0.9)
    for key in range(3):
        how = {"candidates_per_pick": 7, "picks_per_cluster": 1}
        query = asked(embedding, margins, 2, key=key, **how)
        assert sorted(i // 8 for i in query.indices.tolist()) == [0, 1]
        assert float(query.info["num_clusters"]) == 2


def test_collapsed_embeddings_and_too_large_a_budget():
    query = asked(np.zeros((6, 2)), np.full(6, 0.5), 8, labeled=(2,))
    assert sorted(query.indices[:5].tolist()) == [0, 1, 3, 4, 5]
    assert query.indices[5:].tolist() == [NOTHING] * 3


@pytest.mark.parametrize("option", ["candidates_per_pick", "picks_per_cluster", "iterations"])
@pytest.mark.parametrize("bad", [0, 2.5, True])
def test_bad_options_are_sentences(option, bad):
    with pytest.raises(UsageError, match=rf"^{option}"):
        cluster_margin(**{option: bad})
