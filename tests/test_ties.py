"""Of points that are equal to a strategy chance takes one, wherever they lie in the pool."""

import asking
import jax
import numpy as np
import pytest

from jax_al.strategies import make_strategy
from jax_al.strategies.choosing import highest
from jax_al.strategies.table import STRATEGIES
from jax_al.testing import made_up
from jax_al.types import Signals

# k-center gives ties to the lowest row, so that its picks are those of everybody's greedy k-center.
BY_ROW = {"coreset", "coreset_robust", "uncertainty_coreset"}
N, C, BUDGET, KEYS = 24, 4, 4, 24
LABELED = np.array([7, 0, 11, 6])


@pytest.mark.parametrize("name", sorted(set(STRATEGIES) - BY_ROW))
def test_no_place_in_the_pool_is_favored(name):
    """All points alike: 96 picks of 20 points; one that is never picked has a chance of 0.8%."""
    options = {"steps": 20} if name == "discriminative" else {}
    made = make_strategy(name, **options)
    everything = made_up.alike(0, N, C)._replace(true_labels=np.zeros(N, np.int32))
    signals = Signals(**{need: getattr(everything, need) for need in made.needs})
    pool = made_up.pool_of(N, LABELED, LABELED % 2, np.zeros(0, int), N)
    ask = asking.program(name, quick=False, **options)  # as the contract asks: compiled already
    keys = map(jax.random.key, range(KEYS))
    picks = np.array([ask(key, signals, pool, BUDGET).indices for key in keys])
    counts = np.bincount(picks.ravel(), minlength=N)
    assert (counts > 0).sum() >= 18  # of 20: fewer has a chance below 1e-4
    first = np.bincount(picks[:, 0], minlength=N)
    assert first.max() <= 8  # where always the same would be 24; a chance below 1e-4


@pytest.mark.as_for_users
@pytest.mark.parametrize("name", ["representative", "active_transfer", "discriminative", "badge"])
def test_where_equal_rows_lie_in_a_tile_decides_nothing(name):
    """As for users, and so large that a matrix product rounds its last rows otherwise."""
    N, D = 2001, 768
    made = make_strategy(name, **({"steps": 20} if name == "discriminative" else {}))
    row = np.random.default_rng(0).normal(size=D).astype(np.float32)
    points = np.broadcast_to(row, (N, D))
    log_probs = np.log(np.full((N, 3), 1 / 3, np.float32))
    given = {"embedding": points, "head_inputs": points, "log_probs": log_probs}
    signals = Signals(**{need: given[need] for need in made.needs})
    pool = made_up.pool_of(N, LABELED, LABELED % 2, np.zeros(0, int), N)
    ask = jax.jit(lambda *given: made.select(*given, 1).indices)
    firsts = {int(ask(jax.random.key(key), signals, pool)[0]) for key in range(6)}
    assert len(firsts) >= 5


def test_zero_and_minus_zero_are_equal():
    scores, pool = np.where(np.arange(40) % 2, 0.0, -0.0), asking.pool_of(40)
    picks = asking.quickly(lambda key: highest(key, scores, pool, 20))(jax.random.key(0))
    assert 4 <= (picks % 2).sum() <= 16


def test_nothing_of_the_size_of_the_pool_is_sorted():
    """Sorting takes forty times as long at a million points."""
    scores, pool = np.zeros((3, 5000), np.float32), asking.pool_of(5000, [1], capacity=4)

    def ask(key, scores, pool):
        return highest(key, scores, pool, 7)

    for function, given in ((ask, scores[0]), (jax.vmap(ask, in_axes=(None, 0, None)), scores)):
        program = jax.jit(function).lower(jax.random.key(0), given, pool).compile()
        sorts = [line for line in program.as_text().splitlines() if " sort(" in line]
        assert sorts
        assert not any("5000]" in line for line in sorts)


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_the_highest_are_those_of_a_sort_and_chance_decides_at_the_edge(kind):
    rng = np.random.default_rng(3)
    scores = rng.integers(0, 6, 300).astype(kind)
    scores[:9] = [np.nan, np.nan, np.inf, np.inf, -np.inf, -np.inf, -3, 7, 7]
    pool = asking.pool_of(300, labeled=[7, 20], excluded=[2, 21])
    offered = np.setdiff1d(np.arange(300), [7, 20, 2, 21])
    ask = asking.quickly(lambda key, Q: highest(key, scores, pool, Q), static_argnums=1)
    value = np.nan_to_num(scores.astype(float), nan=-1e30, posinf=1e30, neginf=-1e30)
    edges = set()
    for key in range(8):
        picks = ask(jax.random.key(key), 70)
        assert len(set(picks)) == 70
        assert np.isin(picks, offered).all()
        assert value[picks].tolist() == sorted(value[offered], reverse=True)[:70]
        edges.add(picks[-1])
    assert len(edges) > 1
    everything = ask(jax.random.key(0), 310)
    assert sorted(everything[:296]) == offered.tolist()
    assert (everything[296:] == -1).all()


def test_a_pool_sorted_by_class_is_not_bought_from_its_first_class():
    truth = np.repeat(np.arange(6), 50)
    rng = np.random.default_rng(0)
    points = (rng.normal(size=(6, 20))[truth] + rng.normal(size=(300, 20))).astype(np.float32)
    query = asking.ask("probcover", {"embedding": points}, asking.pool_of(300), 60)
    assert np.bincount(truth[query.indices], minlength=6).max() <= 20
    apart = asking.ask("probcover", {"embedding": np.eye(30)}, asking.pool_of(30), 6, radius=0.5)
    assert sorted(apart.indices.tolist()) != list(range(6))
