import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_al.base import NOTHING, Signals, UsageError, empty_pool, label_points
from jax_al.strategies import STRATEGIES, make_strategy

N, D, CLASSES, SAMPLES = 12, 3, 4, 2
every_strategy = pytest.mark.parametrize("name", STRATEGIES)


def signals_of(seed, needs):
    """All signals a strategy could need, of which it gets those it does."""
    keys = jax.random.split(jax.random.key(seed), 4)
    everything = Signals(
        embedding=jax.random.normal(keys[0], (N, D)),
        features=jax.nn.softplus(jax.random.normal(keys[3], (N, D))),
        log_probs=jax.nn.log_softmax(jax.random.normal(keys[1], (N, CLASSES))),
        sampled_probs=jax.nn.softmax(jax.random.normal(keys[2], (SAMPLES, N, CLASSES))),
    )
    return Signals(**{name: getattr(everything, name) for name in needs})


def pool_of(labeled):
    pool = empty_pool(N, N)
    indices = jnp.array(labeled, jnp.int32)
    return label_points(pool, indices, indices % CLASSES)


@functools.cache
def jitted(name):
    return jax.jit(make_strategy(name).select, static_argnums=3)


def asked(name, labeled, budget, key=0, seed=0):
    signals = signals_of(seed, make_strategy(name).needs)
    return jitted(name)(jax.random.key(key), signals, pool_of(labeled), budget)


@every_strategy
@pytest.mark.parametrize("labeled", [(3,), (7, 0, 11), tuple(range(1, N))])
@pytest.mark.parametrize("budget", [4, N])
def test_a_query_is_distinct_unlabeled_points_then_nothing(name, labeled, budget):
    indices = asked(name, labeled, budget).indices
    assert (indices.shape, indices.dtype) == ((budget,), jnp.int32)
    bought = min(budget, N - len(labeled))
    points = indices[:bought].tolist()
    assert len(set(points)) == bought
    assert set(points) <= set(range(N)) - set(labeled)
    assert indices[bought:].tolist() == [NOTHING] * (budget - bought)


@every_strategy
def test_a_budget_larger_than_the_pool_takes_what_is_left(name):
    indices = asked(name, (3, 5), N + 3).indices.tolist()
    assert sorted(indices[: N - 2]) == [i for i in range(N) if i not in (3, 5)]
    assert indices[N - 2 :] == [NOTHING] * 5


@every_strategy
def test_when_everything_is_labeled_nothing_is_asked(name):
    assert asked(name, tuple(range(N)), 2).indices.tolist() == [NOTHING] * 2


@every_strategy
def test_the_info_is_finite_scalars(name):
    for value in asked(name, (3,), 4).info.values():
        assert (value.shape, value.dtype) == ((), jnp.float32)
        assert jnp.isfinite(value)


@every_strategy
def test_one_key_gives_one_query_and_jit_changes_nothing(name):
    strategy = make_strategy(name)
    arguments = (jax.random.key(5), signals_of(0, strategy.needs), pool_of((2, 9)), 4)
    plain = strategy.select(*arguments)
    for _ in range(2):
        jax.tree.map(np.testing.assert_array_equal, plain, jitted(name)(*arguments))


@every_strategy
def test_a_batch_of_seeds_equals_one_after_the_other(name):
    strategy = make_strategy(name)
    keys = jax.random.split(jax.random.key(0), 3)
    pools = [pool_of(labeled) for labeled in ((1, 4), (0,), (5, 6, 2))]
    signals = [signals_of(seed, strategy.needs) for seed in range(3)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *zip(signals, pools, strict=True))
    together = jax.vmap(strategy.select, (0, 0, 0, None))(keys, *stacked, 4)
    for i in range(3):
        alone = jitted(name)(keys[i], signals[i], pools[i], 4)
        np.testing.assert_array_equal(together.indices[i], alone.indices)
        for field, value in alone.info.items():
            np.testing.assert_allclose(together.info[field][i], value, rtol=1e-6)


def test_random_reaches_every_unlabeled_point_about_equally_often():
    counts = np.zeros(N, int)
    for key in range(300):
        counts[np.asarray(asked("random", (3, 5), 2, key=key).indices)] += 1
    assert counts[[3, 5]].tolist() == [0, 0]
    # 60 expected of each of ten, standard deviation 7: six of them are a wide berth.
    assert (np.abs(np.delete(counts, [3, 5]) - 60) < 42).all()


@pytest.mark.parametrize("seed", range(4))
def test_the_cover_radius_is_the_largest_distance_that_is_left(seed):
    query = asked("coreset", (3, 8), 4, seed=seed)
    points = np.asarray(signals_of(seed, {"embedding"}).embedding, np.float64)
    centers = points[[3, 8, *query.indices.tolist()]]
    distances = np.linalg.norm(points[:, None] - centers[None], axis=2)
    np.testing.assert_allclose(query.info["cover_radius"], distances.min(axis=1).max(), rtol=1e-5)


def test_coreset_takes_the_farthest_point_and_knows_no_key():
    embedding = jnp.array([[0.0], [1.0], [5.0], [-9.0], [20.0]])
    pool = label_points(empty_pool(5, 5), jnp.array([0]), jnp.array([0]))
    select = make_strategy("coreset").select
    for key in range(2):
        query = select(jax.random.key(key), Signals(embedding=embedding), pool, 3)
        assert query.indices.tolist() == [4, 3, 2]
        assert float(query.info["cover_radius"]) == 1.0


def test_unknown_names_and_options_are_sentences():
    with pytest.raises(UsageError, match="did you mean 'coreset'"):
        make_strategy("corset")
    with pytest.raises(UsageError, match="no option 'temperature': it takes none"):
        make_strategy("random", temperature=2)
