"""Of points that are equal to a strategy chance takes one, wherever they lie in the pool."""

import asking
import jax
import numpy as np
import pytest

from jax_al.strategies import make_strategy
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


def test_a_pool_sorted_by_class_is_not_bought_from_its_first_class():
    truth = np.repeat(np.arange(6), 50)
    rng = np.random.default_rng(0)
    points = (rng.normal(size=(6, 20))[truth] + rng.normal(size=(300, 20))).astype(np.float32)
    query = asking.ask("probcover", {"embedding": points}, asking.pool_of(300), 60)
    assert np.bincount(truth[query.indices], minlength=6).max() <= 20
    apart = asking.ask("probcover", {"embedding": np.eye(30)}, asking.pool_of(30), 6, radius=0.5)
    assert sorted(apart.indices.tolist()) != list(range(6))
