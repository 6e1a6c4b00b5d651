"""Several fits of one learner, which can disagree."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.errors import UsageError
from jax_al.learners.naming import called, described
from jax_al.learners.wrapping import compiled
from jax_al.outside import plain
from jax_al.types import Examples, Fit, Learner, Outputs, Spec

BY = ("bootstrap", "key")
LEAST_WEIGHT = 1e-6  # of an example that is there


class Training(NamedTuple):
    """Fits under way, each leaf with an axis of M members before its own."""

    keys: jax.Array  # [M], each decides the weights of a member
    members: Any


def ensemble(
    learner: Callable[[Spec, int], Learner], *, members: int = 5, by: str = "bootstrap"
) -> Callable[[Spec, int], Learner]:
    """Returns M = `members` learners as one, to be made for a pool.

    Its probabilities are the mean of its members' (Lakshminarayanan et al. 2017, arXiv 1612.01474);
    draw number i is what member i says (without what chance it may have of its own), so all
    strategies that look at stochastic draws work on it. Embedding and head inputs are those of the
    first member: others' have other axes.

    Each member has keys of its own, for the parameters that it begins with and for its fit. By
    "bootstrap" it also weighs the examples anew in every fit, each by a draw of the exponential
    distribution: the Bayesian bootstrap (Rubin 1981). Unlike with draws with replacement no example
    is left out, so neither is a class that has only one.

    Members are fitted one after another: side by side in one program, every L-BFGS waits for the
    slowest at each step (measured: five fits 3.5 s, one after another 0.64 s).

    Args:
      learner: called with (spec, number of classes), as `linear()` and the like return it.
      members: M, at least 2.
      by: "bootstrap"; or "key": all members see the same, as is usual for networks.

    Raises:
      UsageError: an option is out of its range; when the learner is made: it is not traced; when
        it is fitted by "key": no key decides anything in it.
    """
    members = plain(members)
    if type(members) is not int or members < 2:
        raise UsageError(f"members is {members!r}, but must be a whole number, at least 2.")
    if by not in BY:
        raise UsageError(f"by is {by!r}, but must be 'bootstrap' or 'key'.")

    def make(spec: Spec, num_classes: int) -> Learner:
        member = compiled(
            learner,
            spec,
            num_classes,
            "An ensemble is compiled, and this learner runs on the host: take scikit-learn's "
            "BaggingClassifier around the classifier instead.",
        )

        def init(init_key: jax.Array, context: Any) -> Any:
            keys = jax.random.split(init_key, members)
            return jax.vmap(lambda key: member.init(key, context))(keys)

        def seen(key: jax.Array, examples: Examples) -> Examples:
            return examples if by == "key" else weighed(key, examples)

        def begin(train_key: jax.Array, state: Any, examples: Examples, context: Any) -> Training:
            if by == "key":
                _check_key_matters(member, train_key, state, examples, context)
            weigh_key, fit_key = jax.random.split(train_key)
            weigh_keys = jax.random.split(weigh_key, members)
            fit_keys = jax.random.split(fit_key, members)

            def one(start):
                weigh_key, fit_key, state = start
                return member.begin(fit_key, state, seen(weigh_key, examples), context)

            return Training(weigh_keys, lax.map(one, (weigh_keys, fit_keys, state)))

        def advance(training: Training, examples: Examples, context: Any) -> Training:
            def one(fit):
                weigh_key, inner = fit
                return member.advance(inner, seen(weigh_key, examples), context)

            return training._replace(members=lax.map(one, tuple(training)))

        def finish(training: Training) -> tuple[Any, Fit]:
            state, fit = jax.vmap(member.finish)(training.members)
            return state, jax.tree.map(lambda leaf: leaf.mean(axis=0), fit)

        def predict(state: Any, inputs: jax.Array) -> Outputs:
            first = member.predict(_at(state, 0), inputs)
            others = lax.map(
                lambda one: member.predict(one, inputs).log_probs,
                jax.tree.map(lambda leaf: leaf[1:], state),
            )
            log_probs = jnp.concatenate([first.log_probs[None], others])
            mean = jax.nn.logsumexp(log_probs, axis=0) - jnp.log(jnp.float32(members))
            return first._replace(log_probs=mean)

        def sample(key: jax.Array, draw: jax.Array, state: Any, inputs: jax.Array) -> jax.Array:
            del key
            return member.predict(_at(state, draw), inputs).log_probs

        return Learner(
            member.prepare,
            init,
            begin,
            advance,
            member.steps,
            finish,
            predict,
            sample=sample,
            draws=members,
        )

    return called(make, "ensemble", learner=described(learner), members=members, by=by)


def weighed(key: jax.Array, examples: Examples) -> Examples:
    """Returns `examples` with each weight times a draw of the exponential distribution."""
    # JAX draws element i from (key, i) alone, so the capacity L decides nothing.
    factors = jax.random.exponential(key, examples.weights.shape)
    return examples._replace(weights=examples.weights * jnp.maximum(factors, LEAST_WEIGHT))


def _at(state: Any, member: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf[member], state)


def _check_key_matters(
    member: Learner, key: jax.Array, state: Any, examples: Examples, context: Any
) -> None:
    """Makes sure that a key decides how `member` begins."""
    one = _at(state, 0)
    in_init = _uses_key(member.init, key, context)
    if not (in_init or _uses_key(member.begin, key, one, examples, context)):
        raise UsageError(
            "by is 'key', but no key decides anything in a fit of this learner, so all members "
            "would be the same: take by='bootstrap'."
        )


def _uses_key(function: Callable[..., Any], *arguments: Any) -> bool:
    """Whether what `function` returns depends on the first of `arguments`, a key."""
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), arguments)
    program = jax.make_jaxpr(function)(*shapes).jaxpr
    matter = {id(variable) for variable in program.outvars}
    for equation in reversed(program.eqns):  # a key may be split, and no part of it be used
        if any(id(variable) in matter for variable in equation.outvars):
            matter |= {id(variable) for variable in equation.invars}
    return id(program.invars[0]) in matter
