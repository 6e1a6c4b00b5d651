"""Two sessions, equal work, one stacked call: the types leave room for a driver that stacks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_up_benchmarks import CLASSES, CNN, LINEAR, images, table

import jax_al as al
from jax_al.drivers.fit import gather

N, BUDGET = 30, 6


def begun(pool, make, seed):
    """Returns a session that has trained on one answered request, and what it trained on."""
    names = [f"class {k}" for k in range(CLASSES)]
    session = al.Session(
        pool, classes=names, learner=make, strategy="random", budget=BUDGET, seed=seed
    )
    request = session.ask()
    session.tell({id: names[(place + seed) % CLASSES] for place, id in enumerate(request.ids)})
    session.train()
    rows = [pool.ids.index(id) for id in request.ids]
    return session, (rows, [(place + seed) % CLASSES for place in range(BUDGET)])


def keys_of(seed, episode):
    """Returns the first two keys of an episode: of the weights, and of the training."""
    return jax.random.split(jax.random.fold_in(jax.random.key(seed), episode), 3)[:2]


@pytest.mark.parametrize(("of", "make"), [(images, CNN), (table, LINEAR)])
def test_two_sessions_and_one_stacked_call_answer_alike(of, make):
    pool = of(N)
    sessions, work = zip(*(begun(pool, make, seed) for seed in range(2)), strict=True)
    assert work[0] != work[1]

    learner = make(pool.spec, CLASSES)
    context = learner.prepare(pool)
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(gather(pool, *w, 64) for w in work))
    keys = [keys_of(seed, max(session.record.trained)) for seed, session in enumerate(sessions)]
    init_keys, train_keys = (jnp.stack(some) for some in zip(*keys, strict=True))
    state = jax.jit(jax.vmap(learner.init, (0, None)))(init_keys, context)
    begin = jax.jit(jax.vmap(learner.begin, (0, 0, 0, None)))
    advance = jax.jit(jax.vmap(learner.advance, (0, 0, None)))
    training = begin(train_keys, state, stacked, context)
    for _ in range(learner.steps):
        training = advance(training, stacked, context)
    state, _ = jax.vmap(learner.finish)(training)
    outputs = jax.jit(jax.vmap(learner.predict, (0, None)))(state, pool.read(slice(0, N)))

    for session, log_probs in zip(sessions, outputs.log_probs, strict=True):
        np.testing.assert_allclose(session.predict(pool), np.exp(log_probs), atol=1e-4)
    apart = np.abs(np.exp(outputs.log_probs[0]) - np.exp(outputs.log_probs[1])).max()
    assert apart > 0.01  # or either could be the other's
