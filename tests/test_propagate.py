"""Propagation: what the learner is fitted to, and when that is a help."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

import jax_al as al
from jax_al.errors import UsageError
from jax_al.learners import host_learner, learner_options, linear, make_learner, propagate
from jax_al.learners.propagate import guessed
from jax_al.types import NOTHING, UNKNOWN, Examples, Spec

RNG = np.random.default_rng(0)
SPEC = Spec((8,), np.dtype(np.float32))
# Each class is an arc in a plane of its own, half a circle, and two rows are far away.
TRUTH = np.append(np.repeat(np.arange(3), 70), [0, 0]).astype(np.int32)


def arcs():
    angles = np.tile(np.linspace(0, np.pi, 70), 3)
    points = RNG.normal(0, 0.02, (212, 8))
    everyone = np.arange(210)
    points[everyone, 2 * TRUTH[:210]] += np.cos(angles)
    points[everyone, 2 * TRUTH[:210] + 1] += np.sin(angles)
    points[210:, 6:] += 5
    return points.astype(np.float32)


POINTS = arcs()
POOL = al.arrays(POINTS)
ROWS = np.array([0, 71, 142, 1, 72])  # all near one end of their arcs


PROPAGATE = propagate(linear(penalty=0.01), neighbours=4, alpha=0.99)


def examples_of(rows, capacity, weights=None):
    padding = capacity - len(rows)

    def padded(array, value):
        return jnp.asarray(np.pad(array, (0, padding), constant_values=value))

    weights = np.ones(len(rows)) if weights is None else weights
    return Examples(
        jnp.asarray(np.pad(POINTS[rows], ((0, padding), (0, 0)))),
        padded(TRUTH[rows], UNKNOWN),
        padded(np.asarray(weights, np.float32), 0),
        padded(rows.astype(np.int32), NOTHING),
        jnp.int32(len(rows)),
    )


def test_how_sure_a_row_is_is_how_far_its_entropy_is_from_the_largest():
    reached = jnp.asarray([[2.0, 2, 2], [0, 5, 0], [0, 0, 0], [1, 3, 0]])
    guesses, weights = guessed(reached)
    entropy = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    np.testing.assert_allclose(weights, [0, 1, 0, 1 - entropy / np.log(3)], atol=1e-6)
    assert (guesses[1], guesses[3]) == (1, 1)


@pytest.fixture(scope="module")
def parts():
    learner = PROPAGATE(SPEC, 3)
    context = learner.prepare(POOL)
    state = learner.init(jax.random.key(0), context)
    begin = jax.jit(learner.begin)

    def taught(examples):
        return begin(jax.random.key(0), state, examples, context).taught

    return learner, context, state, taught


def test_the_labeled_come_first_with_what_they_are_and_then_those_that_are_reached(parts):
    taught = parts[3](examples_of(ROWS, 8, [1, 2, 3, 4, 0.5]))
    count = int(taught.count)
    np.testing.assert_array_equal(taught.rows[:5], ROWS)
    np.testing.assert_array_equal(taught.labels[:5], TRUTH[ROWS])
    np.testing.assert_array_equal(taught.weights[:5], [1, 2, 3, 4, 0.5])
    others = np.asarray(taught.rows)[5:count]
    assert len({*ROWS, *others}) == count
    assert (np.asarray(taught.weights)[5:count] > 0).all()
    assert (np.asarray(taught.weights)[count:] == 0).all()
    assert (np.asarray(taught.labels)[5:count] == TRUTH[others]).mean() > 0.97


def test_two_far_rows_that_are_joined_to_each_other_alone_are_left_out():
    learner = propagate(linear(penalty=0.01), neighbours=1)(SPEC, 3)
    context = learner.prepare(POOL)
    state = learner.init(jax.random.key(0), context)
    training = learner.begin(jax.random.key(0), state, examples_of(ROWS, 8), context)
    there = np.asarray(training.taught.rows)[: int(training.taught.count)]
    assert not np.isin([210, 211], there).any()
    trained, fit = learner.finish(learner.advance(training, examples_of(ROWS, 8), context))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((trained, fit)))


def accuracy(make, rows):
    learner = make(SPEC, 3)
    context = learner.prepare(POOL)
    examples = examples_of(rows, 8)
    state = learner.init(jax.random.key(0), context)
    training = jax.jit(learner.begin)(jax.random.key(0), state, examples, context)
    for _ in range(learner.steps):
        training = jax.jit(learner.advance)(training, examples, context)
    guesses = learner.predict(learner.finish(training)[0], jnp.asarray(POINTS)).log_probs.argmax(1)
    return (guesses == TRUTH)[:210].mean()


def test_where_classes_are_apart_a_few_labels_say_the_rest():
    bare, with_it = accuracy(linear(penalty=0.01), ROWS), accuracy(PROPAGATE, ROWS)
    assert bare < 0.7 < 0.97 < with_it


def test_the_penalty_is_chosen_on_the_labeled_examples():
    rows = np.r_[0:70:7, 70:140:7, 140:210:7]
    examples = examples_of(rows, 32)
    found = []
    for make in (linear(), propagate(linear(), neighbours=4)):
        learner = make(SPEC, 3)
        context = learner.prepare(POOL)
        state = learner.init(jax.random.key(0), context)
        training = jax.jit(learner.begin)(jax.random.key(0), state, examples, context)
        found.append(getattr(training, "inner", training).penalty)
    assert found[0] == found[1]


def test_no_more_than_wanted_are_taken_and_others_with_another_key():
    learner = propagate(linear(penalty=0.01), neighbours=4, most=20)(SPEC, 3)
    context = learner.prepare(POOL)
    state = learner.init(jax.random.key(0), context)
    begin, examples = jax.jit(learner.begin), examples_of(ROWS, 8)
    rows = [begin(jax.random.key(seed), state, examples, context).taught.rows for seed in (0, 0, 1)]
    np.testing.assert_array_equal(rows[0], rows[1])
    assert (rows[0] != rows[2]).any()
    assert len(set(rows[0][:25].tolist())) == 25


def test_classes_are_taken_to_be_as_frequent_unless_it_says_so():
    """Of labels in the middle of nowhere the class with more of them takes less."""
    rng = np.random.default_rng(1)
    points = rng.normal(0, 1, (200, 8)).astype(np.float32)
    labels = jnp.asarray([0, 0, 0, 0, 0, 0, 1, UNKNOWN])
    examples = examples_of(np.arange(7), 8)._replace(labels=labels)
    shares = {}
    for equal in (True, False):
        learner = propagate(linear(penalty=0.01), equal_classes=equal)(SPEC, 2)
        context = learner.prepare(al.arrays(points))
        state = learner.init(jax.random.key(0), context)
        taught = learner.begin(jax.random.key(0), state, examples, context).taught
        shares[equal] = np.asarray(taught.labels)[7 : int(taught.count)].mean()
    assert shares[False] < 0.1
    assert 0.3 < shares[True] < 0.7


def test_a_session_goes_on_to_the_same_bits(tmp_path):
    told = {f"{row}": str(label) for row, label in enumerate(TRUTH)}

    def session():
        return al.Session(
            POOL, classes=["0", "1", "2"], learner=PROPAGATE, strategy="margin", budget=4,
            seed=0, directory=str(tmp_path / "run"),
        )  # fmt: skip

    with session() as one:
        for _ in range(2):
            request = one.ask()
            one.tell({name: told[name] for name in request.ids})
        one.train()
        before = one.predict(POOL)
    with session() as again:
        np.testing.assert_array_equal(again.predict(POOL), before)


def test_by_name_its_options_and_those_of_the_learner_come_together():
    assert learner_options("propagate")["learner"] == "linear"
    assert {"neighbours", "penalty"} <= learner_options("propagate").keys()
    made = make_learner("propagate", SPEC, 3, neighbours=4, penalty=0.01)
    assert made.steps == 1
    images = Spec((8, 8, 1), np.dtype(np.uint8))
    assert make_learner("propagate", images, 3, learner="cnn", alpha=0.5, epochs=7).steps == 7


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"neighbours": 0}, "neighbours is 0, but must be a whole number, at least 1"),
        ({"most": 2.5}, "most is 2.5"),
        ({"alpha": 1}, "alpha is 1, but must be a number above 0 and below 1"),
        ({"power": -1}, "power is -1, but must be a number from 0 on"),
        ({"equal_classes": 1}, "equal_classes is 1, but must be True or False"),
    ],
)
def test_mistakes_are_one_sentence(options, words):
    with pytest.raises(UsageError, match=words):
        propagate(linear(), **options)


def test_a_learner_on_the_host_and_a_pool_of_one_are_refused():
    with pytest.raises(UsageError, match="is for learners in JAX"):
        propagate(host_learner(RandomForestClassifier()))(SPEC, 3)
    with pytest.raises(UsageError, match="two examples at least"):
        PROPAGATE(SPEC, 3).prepare(al.arrays(POINTS[:1]))


def test_a_pool_too_large_for_its_graph_is_refused():
    learner = propagate(linear(), max_points=200)(SPEC, 3)
    with pytest.raises(UsageError, match=r"at most 200 examples, .* holds 212: choose the bare"):
        learner.prepare(POOL)
    assert propagate(linear(), max_points=9).__qualname__ == propagate(linear()).__qualname__
