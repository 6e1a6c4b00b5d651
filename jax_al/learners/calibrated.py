"""Temperature scaling: a learner that is as sure as it is right, by labels held out."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.learners.held_out import check_share, held_apart, mean_loss, told
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
    """Two fits under way, each leaf with an axis before its own: on what is taught, and on all."""

    key: jax.Array  # decides what is held out
    both: Any
    temperature: jax.Array
    before: jax.Array  # float32 [], mean loss on what is held out, in nats
    after: jax.Array  # the same with the temperature


def calibrated(
    learner: Callable[[Spec, int], Learner], *, share: float = 0.2
) -> Callable[[Spec, int], Learner]:
    """Returns `learner` with temperature scaling (Guo et al. 2017, arXiv 1706.04599).

    Its log-probabilities are log softmax(z / T), z being those of `learner` fitted to all examples:
    the same guesses, another confidence. The temperature is found with another fit, to all but a
    share held out class by class (see `held_apart`). It minimises there

        sum(w l(1 / T)) + 1 / T + log(T),

    the negative log-likelihood and a weak prior with its mode at T = 1, without which a few labels
    that are all guessed right would want T = 0; where none is held out, T is 1. The function of
    1 / T is convex, so halving finds its only minimum. A fit takes twice the time. How it went is
    told in metrics.jsonl, `fit_info`: `temperature`, `held_nll_before` and `held_nll_after`.

    Args:
      learner: called with (spec, number of classes), as `linear()` and the like return it.
      share: of the labeled examples that the temperature is found on.

    Raises:
      UsageError: an option is out of its range; or, when the learner is made, it is not traced.
    """
    share = plain(share)
    check_share("share", share)

    def make(spec: Spec, num_classes: int) -> Learner:
        inner = compiled(
            learner,
            spec,
            num_classes,
            "calibrated is compiled, and this learner runs on the host: take scikit-learn's "
            "CalibratedClassifierCV around the classifier instead.",
        )

        def init(init_key: jax.Array, context: Any) -> State:
            return State(inner.init(init_key, context), jnp.float32(1))

        def begin(train_key: jax.Array, state: State, examples: Examples, context: Any) -> Training:
            held_key = jax.random.fold_in(train_key, _HELD)
            taught = held_apart(held_key, examples, share).taught
            both = [inner.begin(train_key, state.inner, few, context) for few in (taught, examples)]
            nothing = jnp.zeros((), jnp.float32)
            return Training(held_key, _stacked(*both), jnp.float32(1), nothing, nothing)

        def advance(training: Training, examples: Examples, context: Any) -> Training:
            taught, held = held_apart(training.key, examples, share)
            both = lax.map(
                lambda fit: inner.advance(fit[0], fit[1], context),
                (training.both, _stacked(taught, examples)),
            )
            state, _ = inner.finish(_at(both, 0))
            said = told(inner, state, held)
            temperature = best_temperature(said)
            after = said._replace(inputs=tempered(said.inputs, temperature))
            return Training(training.key, both, temperature, mean_loss(said), mean_loss(after))

        def finish(training: Training) -> tuple[State, Fit]:
            state, fit = inner.finish(_at(training.both, 1))
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

    return called(make, "calibrated", learner=described(learner), share=share)


def tempered(log_probs: jax.Array, temperature: jax.Array) -> jax.Array:
    """Returns `log_probs` [..., C] at another temperature."""
    return jax.nn.log_softmax(log_probs / temperature)


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


def _stacked(*trees: Any) -> Any:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _at(tree: Any, place: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[place], tree)
