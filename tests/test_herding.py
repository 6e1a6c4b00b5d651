import asking
import jax
import numpy as np
import pytest

from jax_al.errors import UsageError
from jax_al.strategies import covering, make_strategy
from jax_al.types import Signals


def plain_greedy(similar, weights, labeled, budget):
    """In float64, every gain worked out for every pick."""
    best = similar[labeled].max(axis=0, initial=0)
    picks = []
    for _ in range(budget):
        gain = np.maximum(similar - best, 0) @ weights
        gain[labeled + picks] = -1
        picks.append(int(gain.argmax()))
        best = np.maximum(best, similar[picks[-1]])
    return picks


def sq_distances(points):
    points = points.astype(np.float64)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return np.square(points[:, None] - points[None]).sum(axis=2)


def some_points(seed=0, N=60):
    return np.random.default_rng(seed).normal(size=(N, 4)).astype(np.float32) + 0.2


def some_log_probs(N=60):
    logits = 2 * np.random.default_rng(5).normal(size=(N, 3))
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("bandwidth", [1.0, 0.3])
@pytest.mark.parametrize("labeled", [[], [3, 17]])
def test_max_herding_is_plain_greedy(bandwidth, labeled):
    points = some_points()
    similar = np.exp(-sq_distances(points) / bandwidth**2)
    pool = asking.pool_of(60, labeled)
    query = asking.ask("max_herding", {"embedding": points}, pool, 9, bandwidth=bandwidth)
    assert query.indices.tolist() == plain_greedy(similar, np.ones(60), labeled, 9)


@pytest.mark.parametrize(("table", "budget", "some"), [(60 * 60, 4, False), (40 * 60, 4, True)])
def test_a_sample_of_candidates_is_drawn_only_where_there_is_no_room(
    table, budget, some, monkeypatch
):
    monkeypatch.setattr(covering, "TABLE", table)
    found = {tuple(asked_anew(some_points(), key, budget)) for key in range(3)}
    assert (len(found) > 1) == some


def test_similarities_that_are_not_held_give_the_same_picks(monkeypatch):
    """Nine picks want all 60 for candidates, and there is room for 40 of them."""
    monkeypatch.setattr(covering, "TABLE", 40 * 60)
    points = some_points()
    expected = plain_greedy(np.exp(-sq_distances(points)), np.ones(60), [3, 17], 9)
    assert asked_anew(points, 0, 9) == expected


def asked_anew(points, key, budget):
    """The picks, by a program that is compiled for this test alone."""
    ask = asking.quickly(make_strategy("max_herding").select, static_argnums=3)
    signals = Signals(embedding=points)
    return ask(jax.random.key(key), signals, asking.pool_of(60, [3, 17]), budget).indices.tolist()


@pytest.mark.parametrize("labeled", [[], [3], [3, 17, 20], [3, 17, 20, 41]])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_uncertainty_herding_is_plain_greedy_by_its_rules(labeled, temperature):
    points, log_probs = some_points(), some_log_probs()
    points[41] = 3 * points[20]  # the same direction: at distance 0, which does not count
    sq = sq_distances(points)
    apart = sq[np.ix_(labeled, labeled)]
    bandwidth = np.sqrt(apart[apart > 1e-9].min()) if len(labeled) > 1 else 1.0
    probs = np.exp(log_probs / temperature)
    probs = np.sort(probs / probs.sum(axis=1, keepdims=True), axis=1)
    doubt = 1 - (probs[:, -1] - probs[:, -2]) if labeled else np.ones(60)
    query = asking.ask(
        "uncertainty_herding",
        {"embedding": points, "log_probs": log_probs},
        asking.pool_of(60, labeled),
        6,
        temperature=temperature,
    )
    np.testing.assert_allclose(query.info["bandwidth"], bandwidth, rtol=1e-5)
    expected = plain_greedy(np.exp(-sq / bandwidth**2), doubt, labeled, 6)
    same = {41: 20}  # of the twins chance takes one
    assert [same.get(row, row) for row in query.indices.tolist()] == [
        same.get(row, row) for row in expected
    ]


def test_with_labels_close_together_it_is_margin_sampling():
    points, log_probs = some_points(), some_log_probs()
    points[17] = points[3] * np.float32([1, 1, 1, 1.05])
    given = {"embedding": points, "log_probs": log_probs}
    pool = asking.pool_of(60, [3, 17])
    margin = asking.ask("margin", given, pool, 8).indices
    assert asking.ask("uncertainty_herding", given, pool, 8).indices.tolist() == margin.tolist()


def test_with_a_bandwidth_whose_square_is_zero_a_pick_covers_itself_alone():
    query = asking.ask(
        "max_herding", {"embedding": some_points()}, asking.pool_of(60, [3]), 9, bandwidth=1e-30
    )
    np.testing.assert_array_equal(query.scores, 1)


def test_bad_options_are_named():
    with pytest.raises(UsageError, match="bandwidth is 0; it must be a number, above 0"):
        make_strategy("max_herding", bandwidth=0)
    with pytest.raises(UsageError, match="temperature is -1"):
        make_strategy("uncertainty_herding", temperature=-1)
