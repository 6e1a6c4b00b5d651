"""A ceiling of what choosing could reach: the best of what several strategies would ask.

It is asked by a driver of simulations, which refits the learner: see `drivers/best_of.py`.
"""

from collections.abc import Sequence
from typing import Any, NoReturn

from jax_al.errors import UsageError
from jax_al.strategies.entries import strategies_named
from jax_al.strategies.strategy import strategy
from jax_al.types import Lookahead, Strategy

JUDGES = ("test", "pool")
STRATEGIES = ("random", "margin", "coreset", "badge", "typiclust")


def best_of(
    strategies: Sequence[str] = STRATEGIES, *, draws: int = 4, judge: str = "test"
) -> Strategy:
    """Buys in thought what several strategies would ask, refits, and keeps what helped most.

    BoSS (2026, arXiv 2603.13109), "a best-of-strategies selector as an oracle": in each episode
    every strategy proposes `draws` batches, the learner is fitted with the true labels of each, and
    the batch is bought whose fit is right most often. The first draw sees the whole pool, as the
    strategy alone would; each other one sees a random part of it, as in the paper. Among equals the
    first counts, by the order of `strategies`, then of draws. **No campaign could do so:** it looks
    at the truth of examples before they are bought, and at that of the set it judges by. It is no
    strategy to label with but a ceiling for those that are, and no bound: batches that no strategy
    proposes are not tried. Judged by the test set, it has been chosen by the accuracy that is then
    told; judged by the pool, it has not.

    Each episode costs as many queries and fits as there are candidates: `draws` times the number of
    strategies.

    Args:
      strategies: names, as of a comparison: "typiclust@pixels_pca" too.
      draws: batches that each proposes.
      judge: "test": by the accuracy on the test set; "pool": on what of the pool had no label
        before the batch, batch included.

    Raises:
      UsageError: there is no such strategy or judge; one brings pseudo-labels, or is a `best_of`;
        by a run: the pool has no truth, or there is no test set to judge by.
    """
    if type(draws) is not int or draws < 1:
        raise UsageError(f"draws is {draws!r}, but must be a whole number, at least 1.")
    if judge not in JUDGES:
        raise UsageError(f"judge is {judge!r}, but must be one of {', '.join(JUDGES)}.")
    if isinstance(strategies, str) or not strategies:
        raise UsageError(f"strategies must be a list of one or more names, not {strategies!r}.")
    parts = strategies_named(strategies)
    for name, part in parts.items():
        if part.pseudo_labels or part.lookahead:
            what = "brings pseudo-labels" if part.pseudo_labels else "refits by itself"
            raise UsageError(f"{name} {what}, so it cannot be one of those of best_of.")
    needs = frozenset({"true_labels"}).union(*(part.needs for part in parts.values()))
    most = [part.max_points for part in parts.values() if part.max_points is not None]
    made = strategy(_refuse, needs=needs, uses_labels=True, max_points=min(most, default=None))
    return made._replace(parts=tuple(parts.values()), lookahead=Lookahead(draws, judge))


def _refuse(*_: Any) -> NoReturn:
    raise UsageError(
        "best_of refits a learner on what it tries, so only a run with a simulated oracle can ask "
        "it: al.run, or jax-al compare."
    )
