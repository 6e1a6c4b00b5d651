"""A look says of every example what the learner says of it, whatever the chunks and blocks."""

import ast
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_benchmarks import (
    CLASSES,
    CNN,
    LINEAR,
    QUICK,
    TINY,
    images,
    nearest_mean_on_host,
    table,
)

from jax_al.drivers import inputs as reading
from jax_al.drivers import look as looking
from jax_al.drivers.inputs import Inputs, check_resident
from jax_al.drivers.look import FINE, look_at, look_over, map_chunks
from jax_al.drivers.programs import Programs
from jax_al.errors import UsageError
from jax_al.learners import cnn, epoch
from jax_al.types import Fit, Learner, Outputs, Signals

N, DRAWS = 11, 5
EVERYTHING = frozenset(Signals._fields) - {"true_labels", "head"}
POOL = images(N)


def facts(inputs):
    """Of every image its sum and its mirror: exact in integers, and of two ranks."""
    wide = inputs.astype(jnp.int32)
    return {"sum": wide.sum(axis=(1, 2, 3)), "mirror": inputs[:, ::-1]}


@settings(max_examples=10)
@given(st.integers(1, 13), st.integers(1, 16))
def test_chunked_equals_unchunked(count, chunk_size):
    inputs = images(count).read(slice(None))
    found = map_chunks(facts, jnp.asarray(inputs), chunk_size)
    jax.tree.map(np.testing.assert_array_equal, found, facts(inputs))


@pytest.mark.parametrize(("count", "chunk_size"), [(7, 3), (6, 3), (1, 3), (3, 100)])
def test_no_chunk_is_larger_than_asked_and_the_last_repeats_the_last_input(count, chunk_size):
    seen = []

    def show(chunk):
        jax.debug.callback(lambda rows: seen.append(rows.tolist()), chunk)
        return chunk

    map_chunks(show, jnp.arange(count), chunk_size)
    jax.effects_barrier()
    size = min(chunk_size, count)
    starts = range(0, count, size)
    assert seen == [[min(start + i, count - 1) for i in range(size)] for start in starts]


def parts_of(make, pool):
    learner = make(pool.spec, CLASSES)
    return learner, learner.init(jax.random.key(1), learner.prepare(pool))


def looked(make, pool, needs, *, key=0, chunk_size=4, num_draws=DRAWS, **how):
    learner, state = parts_of(make, pool)
    inputs = Inputs(pool, chunk_size, how.pop("resident", "yes"))
    return look_over(
        Programs(),
        learner,
        inputs,
        frozenset(needs),
        jax.random.key(key),
        state,
        chunk_size=chunk_size,
        num_draws=num_draws,
        **how,
    )


@pytest.fixture(scope="module")
def look():
    """Everything there is to see, with dropout, by one program."""
    learner, state = parts_of(CNN, POOL)
    run = jax.jit(look_at(learner, EVERYTHING, 4, DRAWS))
    own = POOL.read(slice(None))
    return lambda key=0, inputs=own: run(jax.random.key(key), state, inputs)


@pytest.mark.parametrize(
    ("needs", "calls"),
    [
        ({"embedding"}, ["plain"]),
        ({"log_probs"}, ["plain"]),
        ({"embedding", "log_probs"}, ["plain"]),
        ({"head_inputs"}, ["plain"]),
        ({"sampled_probs"}, ["drawn"]),
        ({"mc_probs", "mc_mean_entropy"}, ["drawn"]),
        ({"embedding", "sampled_probs"}, ["drawn", "plain"]),
    ],
)
def test_only_what_is_needed_is_computed(needs, calls):
    learner, state = parts_of(CNN, POOL)
    seen = []

    def watched(name, function):
        return lambda *given: seen.append(name) or function(*given)

    learner = learner._replace(
        predict=watched("plain", learner.predict), sample=watched("drawn", learner.sample)
    )
    function = look_at(learner, frozenset(needs), 4, DRAWS)
    found = jax.eval_shape(function, jax.random.key(0), state, POOL.read(slice(None)))
    assert sorted(seen) == calls
    assert found.keys() == needs | {FINE}


def test_shapes_are_those_the_type_states(look):
    found = look()
    D = TINY["embedding_size"]
    assert jax.tree.map(jnp.shape, found) == {
        "embedding": (N, D),
        "head_inputs": (N, D),
        "log_probs": (N, CLASSES),
        "mc_probs": (N, CLASSES),
        "mc_mean_entropy": (N,),
        "mc_std": (N, CLASSES),
        "mc_votes": (N, CLASSES),
        "sampled_probs": (N, DRAWS, CLASSES),
        FINE: (N,),
    }
    assert found.pop(FINE).all()
    assert all(leaf.dtype == jnp.float32 for leaf in found.values())


@pytest.mark.as_for_users
def test_looking_twice_gives_the_same_bits_and_the_plain_signals_know_no_key(look):
    one, again, other = look(0), look(0), look(1)
    jax.tree.map(np.testing.assert_array_equal, one, again)
    for name in ("embedding", "head_inputs", "log_probs"):
        np.testing.assert_array_equal(one[name], other[name])


def test_draws_differ_between_keys_and_from_each_other(look):
    one, other = look(0)["sampled_probs"], look(1)["sampled_probs"]
    for t in range(DRAWS):
        assert (one[:, t] != other[:, t]).any()
        assert all((one[:, t] != one[:, u]).any() for u in range(t))


@pytest.mark.as_for_users
def test_a_draw_is_one_function_for_the_whole_pool_whatever_the_chunk(look):
    """The same image says the same wherever it stands, so its draws can be joined with others'."""
    same = np.repeat(POOL.read(slice(0, 1)), N, axis=0)
    found = look(inputs=same)["sampled_probs"]
    np.testing.assert_allclose(found, np.repeat(found[:1], N, axis=0), rtol=1e-5)
    whole = looked(CNN, POOL, {"sampled_probs"}, chunk_size=N * DRAWS)["sampled_probs"]
    np.testing.assert_allclose(whole, look()["sampled_probs"], rtol=1e-4, atol=1e-6)


def test_the_statistics_are_those_of_the_draws(look):
    found = look()
    probs = np.asarray(found["sampled_probs"], np.float64)
    np.testing.assert_allclose(found["mc_probs"], probs.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(found["mc_std"], probs.std(axis=1), rtol=1e-3, atol=1e-6)
    entropies = -(probs * np.log(probs)).sum(axis=2)
    np.testing.assert_allclose(found["mc_mean_entropy"], entropies.mean(axis=1), rtol=1e-5)
    votes = np.eye(CLASSES)[probs.argmax(axis=2)].mean(axis=1)
    np.testing.assert_allclose(found["mc_votes"], votes, rtol=1e-6)


def test_probabilities_sum_to_one(look):
    found = look()
    np.testing.assert_allclose(found["sampled_probs"].sum(axis=2), 1, rtol=1e-5)
    np.testing.assert_allclose(np.exp(found["log_probs"]).sum(axis=1), 1, rtol=1e-5)
    assert (found["sampled_probs"] >= 0).all()


def certain(spec, num_classes):
    """A learner that is sure of class 0 of every table, and says what it sees as embedding."""

    def predict(state, inputs):
        logits = jnp.full((len(inputs), num_classes), -jnp.inf).at[:, 0].set(0.0)
        return Outputs(logits, inputs, inputs)

    return Learner(
        prepare=lambda pool: (),
        init=lambda key, context: {},
        begin=lambda key, state, examples, context: state,
        advance=lambda training, examples, context: training,
        steps=1,
        finish=lambda training: (training, Fit(0.0, 1.0)),
        predict=predict,
        sample=lambda key, draw, state, inputs: predict(state, inputs).log_probs,
        draws=None,
    )


def test_probabilities_of_exactly_zero_have_no_entropy_and_equal_draws_no_deviation():
    found = looked(certain, table(N), {"mc_mean_entropy", "mc_probs", "mc_std", "log_probs"})
    assert found["mc_mean_entropy"].tolist() == [0.0] * N
    assert not found["mc_std"].any()
    np.testing.assert_array_equal(found["mc_probs"], np.exp(found["log_probs"]))


@pytest.mark.as_for_users
@pytest.mark.parametrize("chunk_size", [1, N, 100])
def test_the_plain_signals_are_those_of_every_image_alone_whatever_the_chunk(look, chunk_size):
    plain = looked(CNN, POOL, {"embedding", "log_probs"}, chunk_size=chunk_size)
    for name in ("embedding", "log_probs"):
        np.testing.assert_allclose(plain[name], look()[name], rtol=1e-4, atol=1e-5)


def test_the_path_of_the_pool_and_the_test_set_never_augments(monkeypatch):
    def refuse(*_):
        raise AssertionError("augmented")

    monkeypatch.setattr(epoch, "augmented", refuse)
    learner, state = parts_of(cnn(**TINY, **QUICK, augment=True), POOL)
    inputs = POOL.read(slice(None))
    jax.eval_shape(look_at(learner, EVERYTHING, 4, DRAWS), jax.random.key(0), state, inputs)
    for module in (looking, reading):
        names = {
            node.module for node in ast.walk(ast.parse(inspect.getsource(module)))
            if isinstance(node, ast.ImportFrom)
        }  # fmt: skip
        assert not any(name.startswith("jax_al.learners") for name in names)


PLAIN, DRAWN = {"embedding", "log_probs"}, {"embedding", "mc_mean_entropy", "sampled_probs"}


@pytest.mark.as_for_users
@pytest.mark.parametrize(
    ("make", "of", "needs", "count", "chunk_size", "num_draws"),
    [
        (CNN, images, PLAIN, 37, 2, DRAWS),  # three blocks, of the last of which 5 rows are real
        (CNN, images, PLAIN, 17, 1, DRAWS),  # one row is left for the last block
        (CNN, images, PLAIN, N, 100, DRAWS),  # a chunk larger than the pool
        (CNN, images, DRAWN, 130, 7, 2),  # the largest chunk of draws, 3, would divide no block
        (CNN, images, DRAWN, 33, 2, DRAWS),  # more draws than a chunk holds
        (LINEAR, table, PLAIN, 37, 2, DRAWS),
        (LINEAR, table, PLAIN, 48, 3, DRAWS),  # whole blocks
        (LINEAR, images, PLAIN, N, 100, DRAWS),
    ],
)
def test_a_look_in_blocks_gives_the_bits_of_a_resident_one(
    make, of, needs, count, chunk_size, num_draws
):
    found, blocks = (
        looked(
            make,
            of(count),
            needs,
            chunk_size=chunk_size,
            num_draws=num_draws,
            resident=resident,
        )
        for resident in ("yes", "no")
    )
    assert all(isinstance(leaf, jax.Array) for leaf in found.values())
    assert all(type(leaf) is np.ndarray for leaf in blocks.values())
    jax.tree.map(np.testing.assert_array_equal, found, blocks)


def test_what_is_large_is_kept_in_a_file_that_leaves_nothing_behind(monkeypatch, tmp_path):
    # The embedding is 37 x 6 x 4 bytes, the log-probabilities are half of that.
    monkeypatch.setattr(looking, "HOST_BYTES", 4 * 600)
    pool, needs = table(37), {"embedding", "log_probs"}
    found = looked(LINEAR, pool, needs, chunk_size=2, resident="no", scratch=tmp_path)
    assert isinstance(found["embedding"], np.memmap)
    assert type(found["log_probs"]) is np.ndarray
    assert list(tmp_path.iterdir()) == []
    expected = looked(LINEAR, pool, needs, chunk_size=2)
    jax.tree.map(np.testing.assert_array_equal, found, expected)


@pytest.mark.parametrize("resident", ["yes", "no"])
def test_rows_of_no_use_are_told_and_no_others(resident):
    values = np.zeros((20, 4), np.float32)
    values[3, 1], values[7], values[9, 0] = 1e16, 1e15, -2e15
    pool = table(20)
    bad = values.copy()

    class Shown:
        """A pool whose reading is beyond what `arrays` would let pass."""

        ids, spec = pool.ids, pool.spec._replace(shape=(4,))

        def __len__(self):
            return 20

        def read(self, rows):
            return bad[rows]

    bad[17, 2] = np.nan
    fine = looked(certain, Shown(), {"embedding"}, chunk_size=1, resident=resident)[FINE]
    assert np.flatnonzero(~np.asarray(fine)).tolist() == [3, 9, 17]
    # No distance is made of log-probabilities: only NaN and infinity are of no use in them.
    assert not looked(certain, Shown(), {"log_probs"})[FINE].any()


def test_every_row_is_read_once_and_in_order():
    pool, seen = table(37), []

    class Watched:
        ids, spec = pool.ids, pool.spec

        def __len__(self):
            return len(pool)

        def read(self, rows):
            seen.extend(range(len(pool))[rows])
            return pool.read(rows)

    blocks = list(Inputs(Watched(), 2, "no").blocks())
    assert seen == list(range(37))
    assert [(block.start, block.count) for block in blocks] == [(0, 16), (16, 16), (32, 5)]
    assert {block.inputs.shape for block in blocks} == {(16, 6)}
    np.testing.assert_array_equal(blocks[2].inputs[5:], np.repeat(pool.read([36]), 11, axis=0))


def test_a_pool_is_resident_where_it_fits_or_as_it_is_told(monkeypatch):
    pool = table(20)
    assert Inputs(pool, 2).is_resident
    monkeypatch.setattr(reading, "HOST_BYTES", 20 * 6 * 4 - 1)
    assert not Inputs(pool, 2).is_resident
    assert Inputs(pool, 2, "yes").is_resident
    with pytest.raises(UsageError, match=r"resident is 'maybe', but must be auto, yes, no"):
        check_resident("maybe")


@pytest.mark.parametrize("resident", ["yes", "no"])
def test_a_learner_on_the_host_is_given_numpy_blocks(resident):
    pool = table(37)
    learner = nearest_mean_on_host(pool.spec, CLASSES)
    state = {"classes": np.array([0, 2]), "means": pool.read([0, 1])}
    found = look_over(
        Programs(),
        learner,
        Inputs(pool, 2, resident),
        frozenset({"embedding", "log_probs"}),
        jax.random.key(0),
        state,
        chunk_size=2,
        num_draws=1,
    )
    expected = learner.predict(state, pool.read(slice(None)))
    np.testing.assert_array_equal(found["embedding"], expected.embedding)
    np.testing.assert_allclose(found["log_probs"], expected.log_probs, rtol=1e-6)
    assert found[FINE].all()
