import asking
import numpy as np
import pytest

from jax_al.errors import UsageError
from jax_al.strategies import make_strategy


def asked(points, labeled, budget, **how):
    pool = asking.pool_of(len(points), labeled)
    query = asking.ask("facility_location", {"embedding": points}, pool, budget, **how)
    return query.indices.tolist()


def similarities(points, similarity):
    points = points.astype(np.float64)
    if similarity == "cosine":
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        return np.maximum(points @ points.T, 0)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    return 2 * np.linalg.norm(points - points.mean(axis=0), axis=1).max() - distances


@pytest.mark.parametrize("similarity", ["cosine", "euclidean"])
@pytest.mark.parametrize("labeled", [[], [3, 17]])
def test_it_is_plain_greedy(similarity, labeled):
    points = np.random.default_rng(len(labeled)).normal(size=(60, 4)).astype(np.float32) + 0.2
    similar = similarities(points, similarity)
    best = similar[labeled].max(axis=0, initial=0)
    expected = []
    for _ in range(9):
        gain = np.maximum(similar - best, 0).sum(axis=1)
        gain[labeled + expected] = -1
        expected.append(int(gain.argmax()))
        best = np.maximum(best, similar[expected[-1]])
    assert asked(points, labeled, 9, similarity=similarity) == expected


def test_euclidean_is_the_build_phase_of_k_medoids():
    # 2 is the median of all; then the far pair is as near to 30 as to 31: chance decides.
    points = np.array([[0.0], [1.0], [2.0], [30.0], [31.0]])
    found = [asked(points, [], 2, key=key, similarity="euclidean") for key in range(12)]
    assert {tuple(picks) for picks in found} == {(2, 3), (2, 4)}


def test_there_are_references_enough_and_what_gains_nothing_is_told():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(size=(30, 3)), np.repeat(rng.normal(size=(3, 3)), 10, 0)])
    pool = asking.pool_of(60)
    query = asking.ask("facility_location", {"embedding": points}, pool, 40, max_references=5)
    # All 60 are references: 33 points differ, and 7 of 40 picks are like one before.
    assert float(query.info["random_picks"]) == 7
    assert len(set(query.indices.tolist())) == 40
    assert len({tuple(points[row]) for row in query.indices[:33]}) == 33
    assert (query.scores[:33] > 0).all()
    assert (query.scores[33:] == 0).all()


def test_a_sample_of_references_is_drawn_only_where_the_pool_is_larger():
    points = np.random.default_rng(0).normal(size=(60, 3))
    answers = {
        (m, tuple(asked(points, [], 4, key=key, max_references=m)))
        for key in range(3)
        for m in (60, 15)
    }
    assert len([a for a in answers if a[0] == 60]) == 1
    assert len([a for a in answers if a[0] == 15]) > 1


def test_bad_options_are_named():
    with pytest.raises(UsageError, match="similarity is 'dot'; it must be 'cosine' or"):
        make_strategy("facility_location", similarity="dot")
    with pytest.raises(UsageError, match="max_references is 0"):
        make_strategy("facility_location", max_references=0)
