import importlib

import asking
import jax
import numpy as np
import pytest

from jax_al.errors import UsageError
from jax_al.strategies import make_strategy
from jax_al.types import Signals


def asked(points, labeled, budget, **how):
    pool = asking.pool_of(len(points), labeled)
    query = asking.ask("discriminative", {"embedding": points}, pool, budget, **how)
    return query.indices.tolist()


def blobs(farthest=8.0):
    rng = np.random.default_rng(0)
    blob = np.repeat([0, 1, 2], [40, 20, 20])
    middles = np.array([[0, 0, 0], [8, 0, 0], [0, farthest, 0]])
    return blob, middles[blob] + rng.normal(size=(80, 3))


def test_it_picks_where_no_label_is():
    blob, points = blobs()
    for key in range(3):
        picks = asked(points, range(30), 10, key=key, sub_batches=1)
        assert (blob[picks] > 0).all()


def test_what_was_picked_counts_as_labeled_afterwards():
    """So the second part is not taken where the first one was."""
    blob, points = blobs(farthest=16.0)
    for key in range(3):
        picks = asked(points, range(30), 6, key=key, sub_batches=2)
        assert blob[picks].tolist() == [2, 2, 2, 1, 1, 1]


def test_a_classifier_is_trained_for_each_part_asked_for(monkeypatch):
    """A budget of 7 in 5 parts: rounded up, parts of two would be only four."""
    _, points = blobs()
    module = importlib.import_module("jax_al.strategies.discriminative")
    trained, train = [], module._train

    def counted(*args):
        jax.debug.callback(lambda: trained.append(1))
        return train(*args)

    monkeypatch.setattr(module, "_train", counted)
    select = make_strategy("discriminative", sub_batches=5, steps=2).select
    ask = asking.quickly(select, static_argnums=3)  # traced anew, and counted
    signals = Signals(embedding=points.astype(np.float32))
    ask(jax.random.key(0), signals, asking.pool_of(80, range(30)), 7)
    jax.effects_barrier()
    assert len(trained) == 5


def test_a_budget_that_parts_do_not_divide():
    _, points = blobs()
    for budget in (1, 7, 23):
        assert len(set(asked(points, range(30), budget, sub_batches=5, steps=2))) == budget


def test_bad_options_are_named():
    with pytest.raises(UsageError, match="sub_batches is 0"):
        make_strategy("discriminative", sub_batches=0)
    for bad in (0, float("inf"), float("nan")):
        with pytest.raises(UsageError, match=f"lr is {bad}; it must be a number, above 0"):
            make_strategy("discriminative", lr=bad)
