"""Temperature scaling: a learner that is as sure as it is right, by labels held out in turn."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.errors import UsageError
from jax_al.learners.held_out import dealt, mean_loss, only, told
from jax_al.learners.logistic import sum_of_blocks
from jax_al.learners.naming import called, described
from jax_al.learners.wrapping import compiled
from jax_al.outside import plain
from jax_al.types import Examples, Fit, Learner, Outputs, Spec

HOTTEST = 100.0  # the temperature is sought between this and its inverse
HALVINGS = 40
_HELD = 2**32 - 1  # names the key of what is held out; no epoch has this number


class State(NamedTuple):
    """All that is needed to predict."""

    inner: Any
    temperature: jax.Array  # float32 [], above 0


class Training(NamedTuple):
    """Fits under way."""

    key: jax.Array  # decides what is held out when
    fits: Any  # each leaf with an axis of K + 1 before its own: without each fold, and with all
    temperature: jax.Array
    before: jax.Array  # float32 [], mean loss on what was held out, in nats
    after: jax.Array  # the same with the temperature


def calibrated(
    learner: Callable[[Spec, int], Learner], *, folds: int = 5
) -> Callable[[Spec, int], Learner]:
    """Returns `learner` with temperature scaling (Guo et al. 2017, arXiv 1706.04599).

    Its log-probabilities are log softmax(z / T), z being those of `learner` fitted to all examples:
    the same guesses, another confidence. The temperature is found with K = `folds` more fits, each
    without a K-th of the examples, class by class (see `dealt`): at few labels those of one fold
    say next to nothing of it. On all, each as the fit that has not seen it says, it minimises

        sum(w l(1 / T)) + 1 / T + log(T),

    the negative log-likelihood and a weak prior with its mode at T = 1, without which a few labels
    that are all guessed right would want T = 0; where none is held out, T is 1. The function of
    1 / T is convex, so halving finds its only minimum. A fit takes K + 1 times as long. How it went
    is told in metrics.jsonl, `fit_info`: `temperature`, `held_nll_before` and `held_nll_after`.

    Args:
      learner: called with (spec, number of classes), as `linear()` and the like return it.
      folds: K, at least 2.

    Raises:
      UsageError: an option is out of its range; or, when the learner is made, it is not traced.
    """
    folds = plain(folds)
    if type(folds) is not int or folds < 2:
        raise UsageError(f"folds is {folds!r}, but must be a whole number, at least 2.")

    def make(spec: Spec, num_classes: int) -> Learner:
        inner = compiled(
            learner,
            spec,
            num_classes,
            "calibrated is compiled, and this learner runs on the host: take scikit-learn's "
            "CalibratedClassifierCV around the classifier instead.",
        )

        def without(fold: jax.Array, fold_of: jax.Array, examples: Examples) -> Examples:
            is_there = jnp.arange(fold_of.size) < examples.count
            return only(examples, is_there & (fold_of != fold))

        def init(init_key: jax.Array, context: Any) -> State:
            return State(inner.init(init_key, context), jnp.float32(1))

        def begin(train_key: jax.Array, state: State, examples: Examples, context: Any) -> Training:
            held_key = jax.random.fold_in(train_key, _HELD)
            fold_of = dealt(held_key, examples, folds)

            def one(fold):
                taught = without(fold, fold_of, examples)
                return inner.begin(train_key, state.inner, taught, context)

            nothing = jnp.zeros((), jnp.float32)
            fits = lax.map(one, jnp.arange(folds + 1))  # of the last nothing is left out
            return Training(held_key, fits, jnp.float32(1), nothing, nothing)

        def advance(training: Training, examples: Examples, context: Any) -> Training:
            fold_of = dealt(training.key, examples, folds)

            def one(given):
                fold, fit = given
                return inner.advance(fit, without(fold, fold_of, examples), context)

            fits = lax.map(one, (jnp.arange(folds + 1), training.fits))
            without_one = jax.tree.map(lambda leaf: leaf[:folds], fits)
            states = lax.map(lambda fit: inner.finish(fit)[0], without_one)
            said = held_told(inner, states, fold_of, examples)
            temperature = best_temperature(said)
            after = said._replace(inputs=tempered(said.inputs, temperature))
            return Training(training.key, fits, temperature, mean_loss(said), mean_loss(after))

        def finish(training: Training) -> tuple[State, Fit]:
            state, fit = inner.finish(jax.tree.map(lambda leaf: leaf[folds], training.fits))
            found = {
                "temperature": training.temperature,
                "held_nll_before": training.before,
                "held_nll_after": training.after,
            }
            return State(state, training.temperature), fit._replace(info=fit.info | found)

        def predict(state: State, inputs: jax.Array) -> Outputs:
            outputs = inner.predict(state.inner, inputs)
            return outputs._replace(log_probs=tempered(outputs.log_probs, state.temperature))

        def sample(key: jax.Array, draw: jax.Array, state: State, inputs: jax.Array) -> jax.Array:
            assert inner.sample is not None
            return tempered(inner.sample(key, draw, state.inner, inputs), state.temperature)

        def head(state: State) -> jax.Array:
            assert inner.head is not None
            return inner.head(state.inner) / state.temperature

        return inner._replace(
            init=init,
            begin=begin,
            advance=advance,
            finish=finish,
            predict=predict,
            sample=sample if inner.sample is not None else None,
            head=head if inner.head is not None else None,
        )

    return called(make, "calibrated", learner=described(learner), folds=folds)


def tempered(log_probs: jax.Array, temperature: jax.Array) -> jax.Array:
    """Returns `log_probs` [..., C] at another temperature."""
    return jax.nn.log_softmax(log_probs / temperature)


def held_told(learner: Learner, states: Any, fold_of: jax.Array, examples: Examples) -> Examples:
    """Returns what the fit without each fold says of that fold, of all folds, as `told` does.

    Args:
      learner: of the fits.
      states: theirs, each leaf with an axis of K folds before its own.
      fold_of: int32 [L], in which fold an example is held out, or -1.
      examples: all of them.
    """

    def one(given):
        fold, state = given
        return told(learner, state, only(examples, fold_of == fold))

    folds = jax.tree.leaves(states)[0].shape[0]
    by_fold = lax.map(one, (jnp.arange(folds), states))
    inputs, labels, weights, rows = (x.reshape(-1, *x.shape[2:]) for x in by_fold[:4])
    # All blocks are visited: each fold has its own at its beginning, and the others weigh nothing.
    return Examples(inputs, labels, weights, rows, jnp.int32(labels.size))


def best_temperature(said: Examples) -> jax.Array:
    """Returns the temperature that suits what `held_out.told` returned best, float32 []."""

    def slope(sharpness):  # of what is minimised, along 1 / T
        def of_block(log_probs, labels, weights):
            probs = jax.nn.softmax(sharpness * log_probs)
            right = jnp.take_along_axis(log_probs, labels[:, None], axis=1)[:, 0]
            return (weights * ((probs * log_probs).sum(axis=1) - right)).sum()

        return sum_of_blocks(of_block, said) + 1 - 1 / sharpness

    def halve(_, ends):
        low, high = ends
        middle = (low + high) / 2
        is_beyond = slope(jnp.exp(middle)) > 0
        return jnp.where(is_beyond, low, middle), jnp.where(is_beyond, middle, high)

    ends = -jnp.log(jnp.float32(HOTTEST)), jnp.log(jnp.float32(HOTTEST))
    low, high = lax.fori_loop(0, HALVINGS, halve, ends)
    return jnp.exp(-(low + high) / 2)
