"""What every learner promises."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jax_al.types import NOTHING, UNKNOWN, Examples, Fit, Learner, Outputs, Spec

_N = 24  # examples in the pool
_COUNT, _FEWER = 13, 9  # labels; neither fills a batch
_CAPACITY, _MORE = 16, 31
_FEW_ROWS = np.array([7, 2, 11] * (_N // 3))  # another batch, of the same size


def check_learner(
    make: Callable[[Spec, int], Learner],
    *,
    spec: Spec | None = None,
    num_classes: int = 3,
    seed: int = 0,
) -> None:
    """Holds a learner to its promises, on a pool of random numbers.

    What it says has the right shapes and is normalised, before any fit and after; it repeats for
    equal keys, does not depend on the other examples of a batch, on the capacity or on what stands
    in the padding; its draws are functions, the same for all examples; its State is made of arrays;
    and all is traced, once whatever the number of labels, and goes by the weights of the examples
    (both unless `on_host`: not every classifier of scikit-learn takes weights).

    Args:
      make: what `cnn(...)`, `linear(...)` and the like return. Keep it small: it is fitted some
        seven times.
      spec: of an example; None: images uint8 [8, 8, 1].
      num_classes: C, at least 2.
      seed: of all that is random.

    Raises:
      AssertionError: a promise is broken; the message says which.
    """
    spec = Spec((8, 8, 1), np.dtype(np.uint8)) if spec is None else spec
    _hold(callable(make), f"A learner is made by a function of (Spec, C), and {make!r} is none.")
    learner = make(spec, num_classes)
    _check_fields(learner)
    pool = _RandomPool(spec, seed)
    rows = np.random.default_rng(seed).permutation(_N)[:_COUNT]
    programs = _Programs(learner, learner.prepare(pool), jax.random.key(seed))
    inputs = programs.place(pool.read(slice(None)))

    untrained = programs.untrained()
    _check_state(untrained)
    _check_outputs(programs.predict(untrained, inputs), num_classes, "before any fit")

    examples = _examples(pool, rows, num_classes, _CAPACITY)
    state, fit = programs.fit(untrained, examples)
    _check_state(state)
    _check_fit(fit)
    outputs = programs.predict(state, inputs)
    _check_outputs(outputs, num_classes, "after a fit")
    again, _ = programs.fit(untrained, examples)
    _hold(
        _same(outputs, programs.predict(again, inputs)),
        "Two fits with the same key to the same examples predict differently.",
    )
    for count in (_FEWER, 1):
        other, _ = programs.fit(untrained, _examples(pool, rows[:count], num_classes, _CAPACITY))
        _check_outputs(programs.predict(other, inputs), num_classes, f"after a fit to {count}")
    warm, _ = programs.fit(state, examples)
    _check_outputs(programs.predict(warm, inputs), num_classes, "after a second fit from the first")
    if not learner.on_host:
        _check_weights(programs, untrained, state, examples, seed)
        _check_traces(programs, untrained, state)
    _check_capacity(programs, untrained, state, outputs, pool, rows, num_classes, inputs)
    _check_rows_apart(programs, state, inputs, outputs)
    if learner.head is not None:
        _check_head(learner.head(state), outputs)
    if learner.sample is not None:
        _check_draws(programs, state, inputs, num_classes)


def _check_head(head: Any, outputs: Outputs) -> None:
    head, inputs, log_probs = (
        np.asarray(x, np.float64) for x in (head, outputs.head_inputs, outputs.log_probs)
    )
    shape = (inputs.shape[1] + 1, log_probs.shape[1])
    _hold(
        head.shape == shape, f"The head is of shape {head.shape}, and must be [F + 1, C] {shape}."
    )
    gaps = inputs @ head[:-1] + head[-1] - log_probs
    _hold(
        np.ptp(gaps, axis=1).max() <= 1e-3 * (1 + np.abs(log_probs).max()),
        "The head, times the head inputs, gives other log-probabilities than predict.",
    )


class _RandomPool:
    """A pool of random numbers."""

    def __init__(self, spec: Spec, seed: int):
        rng = np.random.default_rng(seed)
        self.spec = spec
        self.ids: Sequence[str] = [str(row) for row in range(_N)]
        shape = (_N, *spec.shape)
        if spec.dtype == np.uint8:
            self._inputs = rng.integers(0, 256, shape, np.uint8)
        else:
            self._inputs = rng.normal(3, 2, shape).astype(spec.dtype)

    def __len__(self) -> int:
        return _N

    def read(self, rows: np.ndarray | slice) -> np.ndarray:
        return self._inputs[rows]

    def show(self, row: int) -> None:
        return None


class _Programs:
    """The functions of a learner, compiled where they can be, and how often they were traced."""

    def __init__(self, learner: Learner, context: Any, key: jax.Array):
        self.learner, self.context = learner, context
        self.init_key, self.train_key, self.sample_key = jax.random.split(key, 3)
        self.traces = {"begin": 0, "advance": 0}
        self._init, self._begin = self._compiled("init"), self._compiled("begin")
        self._advance, self._finish = self._compiled("advance"), self._compiled("finish")
        self.predict, self.sample = self._compiled("predict"), self._compiled("sample")

    def place(self, tree: Any) -> Any:
        return tree if self.learner.on_host else jax.tree.map(jnp.asarray, tree)

    def untrained(self) -> Any:
        return self._init(self.init_key, self.context)

    def fit(self, state: Any, examples: Examples) -> tuple[Any, Fit]:
        examples = self.place(examples)
        training = self._begin(self.train_key, state, examples, self.context)
        for _ in range(self.learner.steps):
            like = _like(training)
            training = self._advance(training, examples, self.context)
            _hold(
                self.learner.on_host or _like(training) == like,
                "`advance` changes the structure, a shape or a dtype of Training.",
            )
        return self._finish(training)

    def _compiled(self, name: str) -> Callable[..., Any]:
        function = getattr(self.learner, name)
        if self.learner.on_host or function is None:
            return function

        def counted(*arguments):
            self.traces[name] = self.traces.get(name, 0) + 1
            return function(*arguments)

        compiled = jax.jit(counted)

        def called(*arguments):
            try:
                return compiled(*arguments)
            except TypeError as error:  # JAX's for what it cannot trace
                words = str(error).splitlines()[0]
                raise AssertionError(f"`{name}` cannot be traced: {words}") from error

        return called


def _examples(
    pool: _RandomPool, rows: np.ndarray, num_classes: int, capacity: int, rubbish: int = 0
) -> Examples:
    """Returns examples in NumPy with `rubbish` for inputs in the padding."""
    inputs: Any
    padding = capacity - len(rows)
    inputs = np.full((capacity, *pool.spec.shape), rubbish, pool.spec.dtype)
    inputs[: len(rows)] = pool.read(rows)

    def padded(array: np.ndarray, value: int) -> Any:
        return np.pad(array, (0, padding), constant_values=value)

    return Examples(
        inputs,
        padded(np.arange(len(rows), dtype=np.int32) % num_classes, UNKNOWN),
        padded(np.ones(len(rows), np.float32), 0),
        padded(rows.astype(np.int32), NOTHING),
        np.array(len(rows), np.int32),  # type: ignore[arg-type]  # the types speak of JAX's
    )


def _check_fields(learner: Learner) -> None:
    _hold(isinstance(learner, Learner), f"A {type(learner).__name__} is no Learner.")
    _hold(
        isinstance(learner.steps, int) and learner.steps >= 1,
        f"`steps` is {learner.steps!r}, but must be a whole number, at least 1.",
    )
    draws = learner.draws
    _hold(
        draws is None or (isinstance(draws, int) and draws >= 0),
        f"`draws` is {draws!r}, but must be None or a whole number from 0 on.",
    )
    _hold(
        (learner.sample is None) == (draws == 0),
        "`sample` must be None exactly where `draws` is 0.",
    )


def _check_state(state: Any) -> None:
    for leaf in jax.tree.leaves(state):
        _hold(
            isinstance(leaf, jax.Array | np.ndarray),
            f"State holds a {type(leaf).__name__}, but must be made of arrays for a checkpoint.",
        )


def _check_fit(fit: Any) -> None:
    _hold(isinstance(fit, Fit), "`finish` must return (State, Fit).")
    _hold(np.isfinite(float(fit.loss)), f"The loss of a fit is {fit.loss}.")
    _hold(0 <= float(fit.accuracy) <= 1, f"The accuracy of a fit is {fit.accuracy}.")
    for name, value in fit.info.items():
        _hold(np.isfinite(float(value)), f"What a fit tells of {name!r} is {value}.")


def _check_outputs(outputs: Any, num_classes: int, when: str) -> None:
    _hold(isinstance(outputs, Outputs), "`predict` must return Outputs.")
    for name, array in outputs._asdict().items():
        _hold(
            array.dtype == np.float32 and array.ndim == 2 and len(array) == _N,
            f"`{name}` is {array.dtype} {list(array.shape)} {when}, but must be float32 with a row "
            f"for each of {_N} examples.",
        )
        _hold(bool(np.isfinite(array).all()), f"`{name}` is not finite {when}.")
    _check_log_probs(outputs.log_probs, num_classes, f"`log_probs` {when}")


def _check_log_probs(log_probs: Any, num_classes: int, what: str) -> None:
    _hold(
        log_probs.shape[1] == num_classes,
        f"{what}: {log_probs.shape[1]} columns for {num_classes} classes.",
    )
    sums = np.exp(np.asarray(log_probs, np.float64)).sum(axis=1)
    _hold(bool(np.allclose(sums, 1, atol=1e-4)), f"{what}: the probabilities do not sum to 1.")


def _check_weights(
    programs: _Programs, untrained: Any, state: Any, examples: Examples, seed: int
) -> None:
    factors = np.random.default_rng(seed).exponential(size=_CAPACITY).astype(np.float32)
    other, _ = programs.fit(untrained, examples._replace(weights=examples.weights * factors))
    _hold(
        not _same(state, other),
        "The weights of the examples change nothing in a fit, whose loss must be sum(w l) / sum(w):"
        " class weights and the members of an ensemble go by them.",
    )


def _check_traces(programs: _Programs, untrained: Any, state: Any) -> None:
    for name, count in programs.traces.items():
        if name in ("begin", "advance"):
            _hold(count == 1, f"`{name}` was traced {count} times for one capacity.")
    _hold(
        _like(untrained) == _like(state),
        "A fitted State differs in structure, shapes or dtypes from an untrained one.",
    )


def _check_capacity(
    programs: _Programs,
    untrained: Any,
    state: Any,
    outputs: Outputs,
    pool: _RandomPool,
    rows: np.ndarray,
    num_classes: int,
    inputs: Any,
) -> None:
    """Compares with a fit at another capacity whose padding is not zero."""
    examples = _examples(pool, rows, num_classes, _MORE, rubbish=200)
    roomy, _ = programs.fit(untrained, examples)
    words = "The capacity, or what stands in the padding, changes a fit"
    if not programs.learner.on_host:
        _hold(_same(state, roomy), f"{words}: its State.")
    _hold(_same(outputs, programs.predict(roomy, inputs)), f"{words}: its predictions.")


def _check_rows_apart(programs: _Programs, state: Any, inputs: Any, outputs: Outputs) -> None:
    found = programs.predict(state, inputs[_FEW_ROWS])
    for name, whole, part in zip(Outputs._fields, outputs, found, strict=True):
        _hold(
            _close(np.asarray(whole)[_FEW_ROWS], part),
            f"`{name}` of an example depends on the batch around it.",
        )


def _check_draws(programs: _Programs, state: Any, inputs: Any, num_classes: int) -> None:
    key, count = programs.sample_key, programs.learner.draws
    found = []
    for number in (0, 1, 1000) if count is None else range(min(count, 5)):
        draw = number if programs.learner.on_host else jnp.int32(number)
        found.append(np.asarray(programs.sample(key, draw, state, inputs)))
        _check_log_probs(found[-1], num_classes, f"draw {number}")
        _hold(
            _same(found[-1], programs.sample(key, draw, state, inputs)),
            f"Draw {number} differs when it is drawn again with the same key.",
        )
        _hold(
            _close(found[-1][_FEW_ROWS], programs.sample(key, draw, state, inputs[_FEW_ROWS])),
            f"Draw {number} is not one function: what it says of an example depends on the batch.",
        )
    _hold(
        len(found) == 1 or not all(_same(found[0], other) for other in found[1:]),
        "All draws are the same.",
    )


def _like(tree: Any) -> Any:
    leaves, structure = jax.tree.flatten(tree)
    return structure, [(jnp.shape(leaf), jnp.asarray(leaf).dtype) for leaf in leaves]


def _same(one: Any, other: Any) -> bool:
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)


def _close(one: Any, other: Any) -> bool:
    return bool(np.allclose(one, other, rtol=1e-3, atol=1e-4))


def _hold(promise: bool, sentence: str) -> None:
    if not promise:
        raise AssertionError(sentence)
