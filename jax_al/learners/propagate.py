"""Labels are spread over the pool first, and the learner is fitted to all that they reach."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jax_al.errors import UsageError
from jax_al.geometry.neighbours import nearest_neighbours
from jax_al.learners.inputs import Normalizer, by_column, normalize
from jax_al.learners.naming import called, described
from jax_al.learners.networks.network import check_at_least_one
from jax_al.learners.spread import Graph, graph_of, or_1, spread
from jax_al.learners.wrapping import compiled
from jax_al.outside import plain
from jax_al.types import Examples, Fit, Learner, Pool, Spec

_READ = 4096  # examples read together


class Context(NamedTuple):
    """What is prepared once a run."""

    inner: Any  # the learner's
    inputs: jax.Array  # [N, ...], the pool as it was read
    graph: Graph


class Taught(NamedTuple):
    """What the learner is fitted to: the labeled examples, and behind them those reached."""

    labels: jax.Array  # int32 [L + M]
    weights: jax.Array  # float32 [L + M]
    rows: jax.Array  # int32 [L + M], 0 in the padding
    count: jax.Array  # type: ignore[assignment]  # int32 []; hides tuple.count


class Training(NamedTuple):
    """A fit under way."""

    inner: Any  # the learner's
    taught: Taught


def propagate(
    learner: Callable[[Spec, int], Learner],
    *,
    neighbours: int = 20,
    alpha: float = 0.9,
    power: float = 3.0,
    equal_classes: bool = True,
    most: int = 2_000,
    max_points: int = 100_000,
) -> Callable[[Spec, int], Learner]:
    """Returns `learner` fitted to labels that are spread over the pool, to be made for a pool.

    Examples that are alike are joined: W = A + A' with A_ij = max(cos(x_i, x_j), 0)^power for the
    neighbours j of i, of which x are the inputs, flat and standardised as `learner` does it. The
    labels Y [N, C], each with the weight of its example, are spread by F = (I - alpha S)^(-1) Y,
    S = D^(-1/2) W D^(-1/2) (Zhou et al. 2004, *Learning with local and global consistency*), and
    the columns of F are divided by their sums, as if all classes were equally frequent (the class
    mass normalisation of Zhu et al. 2003, *Semi-supervised learning using Gaussian fields and
    harmonic functions*). A row with shares z = F_i / sum(F_i) is taken to be of its largest class,
    with the weight 1 - H(z) / log C (Iscen et al. 2019, *Label propagation for deep semi-supervised
    learning*). `learner` is fitted to the labeled examples, with their own labels and weights, and
    to `most` of the others by chance. What no label reaches is left out.

    What `learner` finds out as a fit begins, such as a penalty by cross-validation, it finds on the
    labeled examples alone. What it finds out on the way it finds on the guesses, too: of
    `calibrated` and `validation_share` what is held out is mostly guessed, so that
    `calibrated(propagate(...))` is wanted and not the other way round. The loss and accuracy of a
    fit are on all it was fitted to. Predictions, draws, embedding and head inputs are those of
    `learner`.

    The graph is of the whole pool, the only thing a Context is made of: rows that are excluded from
    being asked (skipped, broken, somebody else's) pass labels on and are fitted to as all others
    without a label. `prepare` keeps the pool in memory, for a while two more copies as float32, and
    finds the neighbours exactly, in a time that grows with N^2 (see `nearest_neighbours`).

    Args:
      learner: what is fitted, such as `linear()`; not one that works on the host.
      neighbours: k, of each row; all others in a smaller pool.
      alpha: above 0, below 1; the larger, the farther labels go.
      power: 0 or more; the larger, the more the nearest count.
      equal_classes: whether the columns of F are divided by their sums.
      most: M, examples at most besides the labeled ones: what a fit costs grows with it.
      max_points: N, at most; of a million the graph would take days.

    Raises:
      UsageError: an option is out of its range; when the learner is made, `learner` works on the
        host; by `prepare`, the pool has less than two examples, or more than `max_points`.
    """
    neighbours, alpha, power, most = plain(neighbours), plain(alpha), plain(power), plain(most)
    max_points = plain(max_points)
    _check(neighbours, alpha, power, equal_classes, most, max_points)

    def make(spec: Spec, num_classes: int) -> Learner:
        inner = compiled(
            learner,
            spec,
            num_classes,
            "propagate is for learners in JAX, as linear() and networks are, and this one works on "
            "the host.",
        )

        def prepare(pool: Pool) -> Context:
            if len(pool) < 2:
                raise UsageError("propagate needs a pool of two examples at least.")
            if len(pool) > max_points:
                raise UsageError(
                    f"propagate is for pools of at most {max_points:,} examples, as the time that "
                    f"its graph takes grows with their square, and this one holds {len(pool):,}: "
                    "choose the bare learner, a smaller pool, or raise max_points."
                )
            inputs = jnp.asarray(_whole(pool))
            context = inner.prepare(pool)
            points = _points(
                inputs, context if isinstance(context, Normalizer) else by_column(pool)
            )
            near = nearest_neighbours(points, min(neighbours, len(pool) - 1), metric="cosine")
            graph = graph_of(near.rows, np.maximum(1 - near.distances, 0) ** power)
            return Context(context, inputs, graph)

        def init(init_key: jax.Array, context: Context) -> Any:
            return inner.init(init_key, context.inner)

        def begin(
            train_key: jax.Array, state: Any, examples: Examples, context: Context
        ) -> Training:
            choose_key, fit_key = jax.random.split(train_key)
            N = len(context.inputs)
            rows = jnp.where(_is_there(examples), examples.rows, N)  # beyond the end: nowhere
            seeds = jnp.zeros((N, num_classes))
            seeds = seeds.at[rows, examples.labels].add(examples.weights, mode="drop")
            reached = spread(context.graph, seeds, alpha)
            if equal_classes:
                reached /= or_1(reached.sum(axis=0))[None, :]
            guesses, weights = guessed(reached)
            weights = weights.at[rows].set(0.0, mode="drop")
            taught = _joined(choose_key, examples, guesses, weights, min(most, N))
            return Training(inner.begin(fit_key, state, examples, context.inner), taught)

        def advance(training: Training, examples: Examples, context: Context) -> Training:
            del examples
            taught = training.taught
            everything = Examples(context.inputs[taught.rows], *taught)
            return Training(inner.advance(training.inner, everything, context.inner), taught)

        def finish(training: Training) -> tuple[Any, Fit]:
            return inner.finish(training.inner)

        return inner._replace(
            prepare=prepare, init=init, begin=begin, advance=advance, finish=finish
        )

    return called(  # without max_points, which decides nothing in a fit
        make,
        "propagate",
        learner=described(learner),
        neighbours=neighbours,
        alpha=alpha,
        power=power,
        equal_classes=equal_classes,
        most=most,
    )


def guessed(reached: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the class int32 [N] that F float32 [N, C] says of each row, and how surely, [N].

    That is 1 - H(z) / log C of z = F / sum(F), and 0 where F is 0.
    """
    totals = reached.sum(axis=1)
    shares = reached / or_1(totals)[:, None]
    entropy = jax.scipy.special.entr(shares).sum(axis=1)
    weights = jnp.clip(1 - entropy / np.log(shares.shape[1]), 0.0, 1.0)
    return shares.argmax(axis=1).astype(jnp.int32), jnp.where(totals > 0, weights, 0.0)


def _joined(
    key: jax.Array, examples: Examples, guesses: jax.Array, weights: jax.Array, most: int
) -> Taught:
    """Returns the examples and, right behind them, `most` rows whose weight is not 0, by chance."""
    N = weights.size
    # Where all are taken, in the order of the pool, chance decides nothing, and no key is read.
    drawn = jax.random.uniform(key, (N,)) if most < N else jnp.zeros(N)
    chance = jnp.where(weights > 0, drawn, -1.0)
    best, rows = lax.top_k(chance, most)
    rows = jnp.sort(jnp.where(best >= 0, rows, N))
    is_reached = rows < N
    rows = jnp.where(is_reached, rows, 0)

    def behind(own, more):
        # Where the examples end, so that the capacity moves nothing.
        zero = jnp.zeros((), own.dtype)
        own = jnp.pad(jnp.where(_is_there(examples), own, zero), (0, most))
        return lax.dynamic_update_slice(own, jnp.where(is_reached, more, zero), (examples.count,))

    return Taught(
        behind(examples.labels, guesses[rows]),
        behind(examples.weights, weights[rows]),
        behind(examples.rows, rows),
        examples.count + is_reached.sum(dtype=jnp.int32),
    )


def _is_there(examples: Examples) -> jax.Array:
    return jnp.arange(examples.labels.size) < examples.count


def _whole(pool: Pool) -> np.ndarray:
    """Returns all examples of `pool`, read some at a time."""
    inputs = np.empty((len(pool), *pool.spec.shape), pool.spec.dtype)
    for first in range(0, len(pool), _READ):
        inputs[first : first + _READ] = pool.read(slice(first, min(first + _READ, len(pool))))
    return inputs


def _points(inputs: jax.Array, normalizer: Normalizer) -> np.ndarray:
    """Returns the inputs flat and standardised, float32 [N, F]."""
    return np.asarray(normalize(inputs, normalizer)).reshape(len(inputs), -1)


def _check(
    neighbours: int, alpha: float, power: float, equal_classes: bool, most: int, max_points: int
) -> None:
    for name, whole in (("neighbours", neighbours), ("most", most), ("max_points", max_points)):
        check_at_least_one(name, whole)
    if type(alpha) not in (int, float) or not 0 < alpha < 1:
        raise UsageError(f"alpha is {alpha!r}, but must be a number above 0 and below 1.")
    if type(power) not in (int, float) or not 0 <= power < np.inf:
        raise UsageError(f"power is {power!r}, but must be a number from 0 on.")
    if not isinstance(equal_classes, bool):
        raise UsageError(f"equal_classes is {equal_classes!r}, but must be True or False.")
