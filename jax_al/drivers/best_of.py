"""The driver of `best_of`: batches are bought in thought, and the learner refitted with the truth.

What is refitted is what the next episode will fit, with its keys, so the accuracy of the batch that
is kept, judged by the test set, is to the bit the one that the next episode tells.
"""

import time
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jax_al import interrupt
from jax_al.drivers.engine import Asked, Engine
from jax_al.drivers.part import Driver
from jax_al.session.fold import Record
from jax_al.session.work import Select
from jax_al.types import PoolState

LEAST_SEEN = 4  # times the budget: examples that a draw but the first sees, if there are so many
MOST_SEEN = 5_000  # likewise; both as in the paper's code


class BestOf(Driver):
    """Computes the work of a part whose strategy has a `lookahead`."""

    def _ask(self, work: Select, record: Record, state: Any) -> Asked:
        """Returns the best of what the parts of the strategy would ask.

        Its `info` says which strategy and which draw that was, from 0, the share of right answers
        of its fit, and the mean and the least of all candidates'.
        """
        strategy, lookahead = self.part.strategy, self.part.strategy.lookahead
        truth = self.engine.benchmark.truth
        assert lookahead is not None
        assert truth is not None  # the engine has checked it
        begun = time.perf_counter()
        pool, labels = self.pool_state(record), self._columns(record)
        init_key, train_key, _ = self._keys(work.episode + 1)
        start = state if self.schedule.warm_start else self.engine.init(init_key)
        query_key, shares = self._keys(work.episode)[2], []
        best: tuple[float, int, int, Asked] | None = None
        for number, part in enumerate(strategy.parts):
            for draw, key, seen in views(query_key, lookahead.draws, pool, self.schedule.budget):
                interrupt.check()
                asked = self._answer(part, key, state, seen, work.count)
                batch = asked.chosen.rows
                rows, told = [*record.order, *batch.tolist()], [*labels, *truth[batch].tolist()]
                room = self.capacity(len(rows))
                fitted, _ = self.engine.fit(train_key, start, rows, told, room)
                shares.append(accuracy(self.engine, fitted, pool, lookahead.judge))
                if best is None or shares[-1] > best[0]:
                    best = shares[-1], number, draw, asked
        assert best is not None
        right, number, draw, asked = best
        info = {"best_of_strategy": float(number), "best_of_draw": float(draw)}
        info |= {"best_of_accuracy": right, "best_of_mean": float(np.mean(shares))}
        info |= {"best_of_least": min(shares)}
        signals = asked.signals
        if strategy.parts[number].embedding != strategy.embedding:
            signals = signals._replace(embedding=None)  # a map is of the one that is named
        chosen = asked.chosen._replace(info=info)
        spent = time.perf_counter() - begun - asked.seconds_embed  # all the others' looks, too
        return asked._replace(chosen=chosen, signals=signals, seconds_select=spent)


def views(
    query_key: jax.Array, draws: int, pool: PoolState, budget: int
) -> Iterator[tuple[int, jax.Array, PoolState]]:
    """Yields number, key and pool of each draw: the first is asked as the strategy alone would be.

    Each other one has a key of its own and sees a random number of the points that may be asked, at
    random; the others are excluded, thus absent.
    """
    yield 0, query_key, pool
    selectable = np.flatnonzero(np.asarray(pool.selectable))
    least, most = (min(n, len(selectable)) for n in (LEAST_SEEN * budget, MOST_SEEN))
    for draw in range(1, draws):
        key = jax.random.fold_in(query_key, draw)
        rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
        count = rng.integers(min(least, most), most, endpoint=True)
        excluded = np.array(pool.excluded)
        excluded[rng.permutation(selectable)[max(count, least) :]] = True
        yield draw, key, pool._replace(excluded=jnp.asarray(excluded))


def accuracy(engine: Engine, state: Any, pool: PoolState, judge: str) -> float:
    """Returns the share of right answers of `state`.

    Args:
      engine: whose benchmark has a truth.
      state: of its learner.
      pool: before the batch.
      judge: "test": on the test set; "pool": on the points of `pool` that may be asked.
    """
    if judge == "test":
        found = engine.test(state).accuracy
        assert found is not None  # the engine has checked that there is a test set
        return found
    said = engine.predict(state, engine.benchmark.pool).argmax(axis=1)
    may_be_asked = np.asarray(pool.selectable)
    return float((said == engine.benchmark.truth)[may_be_asked].mean())
