"""Strategies that follow one another as labels grow: typiclust:100,margin."""

import functools
import re
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.errors import UsageError
from jax_al.strategies.choosing import MOST_INT32
from jax_al.strategies.strategy import strategy
from jax_al.types import UNKNOWN, PoolState, Query, Signals, Strategy

_UNTIL = re.compile(r"(.+):(\d+)")


def is_schedule(name: str) -> bool:
    """Whether `name` is meant as that of a schedule: it has a comma, or ends in :NUMBER."""
    return "," in name or _UNTIL.fullmatch(name) is not None


def stages_of(name: str) -> list[tuple[str, int]]:
    """Returns the strategies of A:100,B:500,C and up to how many labels each is asked.

    The last is asked from there on; its number is that of the one before it.

    Raises:
      UsageError: `name` does not read so.
    """
    *first, last = (piece.strip() for piece in name.split(","))
    matches = [_UNTIL.fullmatch(piece) for piece in first]
    if not first or not last or _UNTIL.fullmatch(last) or not all(matches):
        raise UsageError(
            f"There is no strategy {name!r}: a strategy is one name, or several that follow one "
            "another, A:100,B, which is A until 100 labels are owned, then B."
        )
    stages = [(match[1], int(match[2])) for match in matches if match]
    limits = [until for _, until in stages]
    if sorted(set(limits)) != limits or limits[0] == 0 or limits[-1] > MOST_INT32:
        raise UsageError(
            f"The strategy {name!r} changes at {', '.join(map(str, limits))} labels; these must be "
            f"from 1 to {MOST_INT32} and rise."
        )
    return [*stages, (last, limits[-1])]


def schedule(parts: Sequence[Strategy], limits: Sequence[int]) -> Strategy:
    """Returns a strategy that asks one of `parts`, by how many labels are owned.

    All that any of them needs is computed in every episode. Its `info` holds `stage`, which of them
    was asked, from 0; what the others would tell reads 0. The cover radius stays out of it unless
    all tell theirs.

    Args:
      parts: two or more.
      limits: one fewer, rising: part i is asked while fewer than limits[i] labels are owned, the
        last from then on.

    Raises:
      UsageError: one works on the host or refits learners, or two look at different embeddings.
    """
    if any(part.lookahead for part in parts):
        raise UsageError(
            "best_of refits learners, so it cannot be one of several strategies in a row: ask it "
            "alone."
        )
    if any(part.on_host for part in parts):
        raise UsageError("A strategy that works on the host cannot be one of several in a row.")
    embeddings = sorted({part.embedding for part in parts if "embedding" in part.needs})
    if len(embeddings) > 1:
        raise UsageError(
            "Strategies in a row must look at the same embedding, and these look at "
            f"{' and '.join(embeddings)}."
        )
    needs = frozenset().union(*(part.needs for part in parts))

    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        def asked(part: Strategy) -> Query:
            seen = Signals(**{need: getattr(signals, need) for need in part.needs})
            return part.select(query_key, seen, pool, budget)

        shapes = [jax.eval_shape(functools.partial(asked, part)) for part in parts]
        names = set().union(*(shape.info for shape in shapes))
        if not all("cover_radius" in shape.info for shape in shapes):
            names -= {"cover_radius"}
        guesses = any(part.pseudo_labels for part in parts)
        scored = any(shape.scores is not None for shape in shapes)

        def alike(part: Strategy, number: int) -> Query:
            query = asked(part)
            info = {name: jnp.float32(query.info.get(name, 0)) for name in sorted(names)}
            labels, scores = query.pseudo_labels, query.scores
            if guesses and labels is None:
                labels = jnp.full(pool.labeled.size, UNKNOWN, jnp.int32)
            if scored and scores is None:
                scores = jnp.full(budget, jnp.nan)
            return Query(query.indices, info | {"stage": jnp.float32(number)}, labels, scores)

        stage = (pool.num_labeled >= jnp.array(limits, jnp.int32)).sum()
        return lax.switch(
            stage, [functools.partial(alike, part, i) for i, part in enumerate(parts)]
        )

    most = [part.max_points for part in parts if part.max_points is not None]
    made = strategy(
        select,
        needs=needs,
        seeded=any(part.seeded for part in parts),
        embedding=embeddings[0] if embeddings else "model",
        pseudo_labels=any(part.pseudo_labels for part in parts),
        uses_labels=any(part.uses_labels for part in parts),
        max_points=min(most, default=None),
    )
    return made._replace(parts=tuple(parts))
