"""What a Python caller may get wrong, and the sentences that answer it."""

import contextlib
import inspect
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jax_al.drivers.part import Tell
from jax_al.errors import UsageError, composed, reworded
from jax_al.features.pool import FeaturePool, with_features
from jax_al.outside import expanded, is_text
from jax_al.pools.rows import RowPool, base_of, check_ids
from jax_al.session.fold import BY_CHANCE
from jax_al.session.opening import check_seed_limit
from jax_al.types import Benchmark, Pool, Spec

# What the command line calls otherwise, for `python_words`. A session overwrites nothing.
OF_A_RUN = {"--overwrite": "overwrite=True", "--workdir": "directory"}
OF_A_SESSION = {"start anew with --overwrite": "name another directory"}


def check_least(**values: tuple[Any, int]) -> None:
    """Holds whole numbers, each with the least that it may be, by their names.

    Raises:
      UsageError: one is less, or is no whole number.
    """
    for name, (value, least) in values.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise UsageError(f"{name} is {value!r}, but must be a whole number.")
        if value < least:
            raise UsageError(f"{name} is {value}, but must be at least {least}.")


def check_seeds(seeds: Sequence[int]) -> None:
    """Makes sure that `seeds` are whole numbers from 0 to JAX's limit, one after the other.

    Raises:
      UsageError: they are not.
    """
    if not seeds or list(seeds) != list(range(seeds[0], seeds[0] + len(seeds))) or seeds[0] < 0:
        raise UsageError(f"seeds must be consecutive whole numbers from 0 on, not {seeds}.")
    check_seed_limit("seeds[0]", seeds[0], len(seeds))


def check_seed(seed: Any) -> None:
    """Makes sure that `seed` is a whole number from 0 to JAX's limit.

    Raises:
      UsageError: it is not.
    """
    check_least(seed=(seed, 0))
    check_seed_limit("seed", int(seed))


def check_pool_like(name: str, pool: Any) -> None:
    """Makes sure that the argument `name` is a pool.

    Raises:
      UsageError: it is not.
    """
    if not all(hasattr(pool, one) for one in ("ids", "spec", "read", "__len__")):
        raise UsageError(
            f"{name} must be a Pool, such as al.arrays(x), and not a {type(pool).__name__}."
        )
    if not isinstance(dtype := getattr(pool.spec, "dtype", None), np.dtype):
        raise UsageError(
            f"{name} must have an al.Spec(shape, dtype) with a dtype of NumPy, such as "
            f"np.dtype(np.float32), and not {dtype!r}."
        )


def check_read(name: str, pool: Pool) -> None:
    """Makes sure that the argument `name` is a pool whose first row is what its spec says.

    Raises:
      UsageError: it does not.
    """
    check_pool_like(name, pool)
    if isinstance(pool, RowPool) or not len(pool):
        return
    check_ids(pool.ids)
    read, wanted = pool.read(slice(0, 1)), (1, *pool.spec.shape)
    if not hasattr(read, "dtype") or np.shape(read) != wanted:
        raise UsageError(
            f"{name} must read arrays as its spec says, {wanted} of one row, and not a "
            f"{type(read).__name__} {np.shape(read)}: al.testing.check_pool tells more."
        )
    if read.dtype != pool.spec.dtype:
        raise UsageError(
            f"{name} must read arrays of {pool.spec.dtype}, as its spec says, and reads "
            f"{read.dtype}: end its read with .astype({str(pool.spec.dtype)!r})."
        )


def check_alike(there: Spec, here: Spec) -> None:
    """Makes sure that examples of `there` are like those of a session, of `here`.

    Raises:
      UsageError: they are not.
    """
    if here != there:
        raise UsageError(
            f"The examples are {there.dtype} {there.shape}, and those of the session "
            f"{here.dtype} {here.shape}."
        )


def read_as(own: Pool, pool: Pool) -> Pool:
    """Returns `pool` read as that of a session, `own`, is.

    Raises:
      UsageError: its examples are of another shape.
    """
    # Features of a file are of its own rows; others must be as they were fitted here.
    if isinstance(own, FeaturePool) and not (
        isinstance(pool, FeaturePool) and (own.is_of_file or own.is_alike(pool))
    ):
        # What looks at pixels would take numbers from 0 to 1 for the darkest of pictures.
        check_alike(base_of(pool).spec, own.base.spec)
        pool = with_features(base_of(pool), own, cache=False)
    check_alike(pool.spec, own.spec)
    return pool


def check_maker(learner: Any) -> None:
    """Makes sure that `learner` can make a learner.

    Raises:
      UsageError: it cannot.
    """
    if not callable(learner):
        raise UsageError(
            "learner must be a function of (Spec, number of classes), such as al.linear() or, of a "
            f"scikit-learn classifier, al.host_learner(...), and not {learner!r}."
        )
    try:
        signature = inspect.signature(learner)
    except ValueError:  # not every callable can tell what it takes
        return
    try:
        signature.bind(None, 2)
    except TypeError as error:
        name = getattr(learner, "__name__", type(learner).__name__)
        raise UsageError(
            f"learner must be a function of (Spec, number of classes), which {name} is not "
            f"({error}): al.linear() is one, and al.linear makes it."
        ) from error


def check_draw(count: Any, why: Any) -> None:
    """Makes sure that so many rows can be drawn for a reason.

    Raises:
      UsageError: they cannot.
    """
    check_least(count=(count, 1))
    if why not in BY_CHANCE:
        raise UsageError(f"Nothing is drawn for {why!r}; say {', '.join(BY_CHANCE)}.")


def check_keep(keep_checkpoints: Any) -> None:
    """Makes sure that the newest so many checkpoints, or all (None), can be kept.

    Raises:
      UsageError: they cannot.
    """
    if keep_checkpoints is not None:
        check_least(keep_checkpoints=(keep_checkpoints, 1))


def checked_directory(directory: str | Path | None) -> Path | None:
    """Returns where a run or a session is kept, wherever one goes meanwhile; None: nowhere.

    Raises:
      UsageError: it is no name of a directory, or a file is there.
    """
    if directory is None:
        return None
    if not isinstance(directory, str | Path) or directory == "":
        raise UsageError(f"directory is {directory!r}, but must name one, or be None.")
    place = expanded(directory).absolute()
    if os.path.lexists(place) and not place.is_dir():
        what = "a file" if place.exists() else "a link to nothing"
        raise UsageError(f"directory is {str(directory)!r}, which is {what}: name another.")
    return place


def distinct_ids(pool: Pool) -> frozenset[str]:
    """Returns the ids of a pool, by which answers go.

    Raises:
      UsageError: two examples have the same.
    """
    ids = frozenset(pool.ids)
    if len(ids) != len(pool):
        raise UsageError(
            f"The pool has {len(pool):,} examples and {len(ids):,} different ids: each needs one "
            "of its own."
        )
    return ids


def check_known(answers: Any, ids: frozenset[str]) -> None:
    """Makes sure that answers, if they are a mapping at all, are of examples that there are.

    Raises:
      UsageError: one is of another.
    """
    for name in answers if isinstance(answers, Mapping) else ():
        if name not in ids:
            raise UsageError(
                f"There is no example {name!r} in the pool: answers go by id, a text, as "
                "request.ids has them."
            )


def check_benchmark(benchmark: Benchmark, initial: int, budget: int) -> None:
    """Makes sure that a benchmark is whole, and large enough for `initial` labels and a query.

    Raises:
      UsageError: it is not.
    """
    if not isinstance(benchmark, Benchmark):
        raise UsageError(
            "benchmark must be an al.Benchmark(pool, truth, classes), and not a "
            f"{type(benchmark).__name__}."
        )
    check_read("The pool of the benchmark", benchmark.pool)
    N, C = len(benchmark.pool), len(benchmark.classes)
    if initial > N:
        raise UsageError(f"initial is {initial}, but the pool holds {N} examples.")
    if budget > N:
        raise UsageError(
            f"budget is {budget}, but the pool holds {N} examples: no query could be that large."
        )
    check_classes(benchmark.classes)
    if benchmark.test is not None:
        _check_test(benchmark)
    for name, labels, size in (
        ("truth", benchmark.truth, N),
        (
            "test_labels",
            benchmark.test_labels,
            0 if benchmark.test is None else len(benchmark.test),
        ),
    ):
        if labels is None:
            continue
        is_whole = isinstance(labels, np.ndarray) and labels.dtype.kind in "iu"
        if (
            not is_whole
            or labels.shape != (size,)
            or labels.min(initial=0) < 0
            or labels.max(initial=0) >= C
        ):
            raise UsageError(
                f"{name} must be a NumPy array of whole numbers, a class from 0 to {C - 1} for "
                f"each of the {size} examples."
            )
        if not labels.dtype.isnative:
            raise UsageError(
                f"{name} has its bytes in an order that is not this machine's ({labels.dtype.str}):"
                f" give {name}.astype('int32')."
            )


def check_classes(classes: Any, least: int = 2) -> None:
    """Makes sure that `classes` are the names of at least `least` classes.

    Raises:
      UsageError: they are not.
    """
    if isinstance(classes, np.ndarray):
        raise UsageError("classes must be a list of names, not a NumPy array: give its tolist().")
    are_names = isinstance(classes, Sequence) and not isinstance(classes, str)
    are_names = are_names and all(is_text(one) and one for one in classes)
    if (
        not are_names
        or len(classes) < least
        or len({composed(one) for one in classes}) < len(classes)
    ):
        many = "two or more different names" if least else "different names"
        raise UsageError(f"classes must be {many}, not {classes!r}.")


def _check_test(benchmark: Benchmark) -> None:
    check_pool_like("The test set of the benchmark", benchmark.test)
    assert benchmark.test is not None
    here, there = benchmark.pool.spec, benchmark.test.spec
    if here != there:
        raise UsageError(
            f"The examples of the test set are {there.dtype} {there.shape}, and those of the pool "
            f"{here.dtype} {here.shape}: they must be alike."
        )
    if benchmark.test_labels is None:
        raise UsageError("The benchmark has a test set without test_labels: give both or neither.")


def guarded(tell: Tell) -> Tell:
    """Returns `tell` that stops nothing: once it has failed it is told nothing more."""
    has_failed = False

    def on_event(event: Mapping[str, Any]) -> None:
        nonlocal has_failed
        if has_failed:
            return
        try:
            tell(event)
        except Exception as error:  # of any kind: who listens is a guest
            has_failed = True
            print(
                f"tell failed at {event['event']!r} ({type(error).__name__}: {error}) and is told "
                "nothing more; the run goes on.",
                file=sys.stderr,
            )

    return on_event


def python_words(words: Mapping[str, str]) -> contextlib.AbstractContextManager[None]:
    """Puts words of Python, the values, in place of those of the command line."""

    def change(text: str) -> str:
        for word, instead in words.items():
            text = text.replace(word, instead)
        return text

    return reworded(change)
