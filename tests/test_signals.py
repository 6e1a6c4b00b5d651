import ast
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax_al.drivers.signals import pool_signals
from jax_al.learners.inference import fit_normalizer

from jax_al.drivers import signals
from jax_al.learners import inference, training
from jax_al.learners.networks import Model, make_model
from jax_al.types import Outputs, Signals

N, CLASSES, EMBEDDING, SAMPLES = 11, 3, 4, 5
IMAGES = np.random.default_rng(0).integers(0, 256, (N, 8, 8, 1), np.uint8)
NORMALIZER = fit_normalizer(IMAGES)
EVERYTHING = frozenset(Signals._fields) - {"true_labels"}


def cnn(rate):
    return make_model(
        "cnn",
        IMAGES.shape[1:],
        CLASSES,
        widths=(2, 3),
        embedding_size=EMBEDDING,
        dropout_rates=(rate, rate),
    )


def look_with(model, needs, chunk_size=4):
    params = model.init(jax.random.key(1))

    @jax.jit
    def look(key, images):
        return pool_signals(
            key,
            params,
            images,
            NORMALIZER,
            model=model,
            needs=needs,
            chunk_size=chunk_size,
            num_samples=SAMPLES,
        )

    return lambda key=0: look(jax.random.key(key), jnp.asarray(IMAGES))


@pytest.fixture(scope="module")
def look():
    """Everything there is to see, with dropout."""
    return look_with(cnn(0.5), EVERYTHING)


@pytest.mark.parametrize(
    ("needs", "calls"),
    [
        ({"embedding"}, ["plain"]),
        ({"log_probs"}, ["plain"]),
        ({"embedding", "log_probs"}, ["plain"]),
        ({"head_inputs"}, ["plain"]),
        ({"sampled_probs"}, ["stochastic"]),
        ({"mc_probs", "mc_entropy"}, ["stochastic"]),
        ({"embedding", "sampled_probs"}, ["plain", "stochastic"]),
    ],
)
def test_only_what_is_needed_is_computed(needs, calls):
    model, seen = cnn(0.5), []

    def apply(params, images, key=None, one_mask=False):
        seen.append("plain" if key is None else "stochastic")
        assert one_mask == (key is not None)
        return model.apply(params, images, key, one_mask)

    watched = Model(model.init, apply)
    shapes = jax.eval_shape(look_with(watched, frozenset(needs)))
    assert sorted(seen) == calls
    assert {name for name, shape in shapes._asdict().items() if shape is not None} == needs


def test_shapes_are_those_the_type_states(look):
    shapes = jax.tree.map(jnp.shape, look())
    assert shapes == Signals(
        embedding=(N, EMBEDDING),
        head_inputs=(N, EMBEDDING),
        log_probs=(N, CLASSES),
        mc_probs=(N, CLASSES),
        mc_entropy=(N,),
        mc_std=(N, CLASSES),
        mc_votes=(N, CLASSES),
        sampled_probs=(SAMPLES, N, CLASSES),
    )
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(look()))


def test_looking_twice_gives_the_same_bits_and_the_plain_signals_know_no_key(look):
    one, again, other = look(0), look(0), look(1)
    jax.tree.map(np.testing.assert_array_equal, one, again)
    np.testing.assert_array_equal(one.embedding, other.embedding)
    np.testing.assert_array_equal(one.log_probs, other.log_probs)


def test_stochastic_passes_differ_between_keys_and_between_passes(look):
    one, other = look(0).sampled_probs, look(1).sampled_probs
    for t in range(SAMPLES):
        assert (one[t] != other[t]).any()
        assert all((one[t] != one[u]).any() for u in range(t))


def test_a_pass_is_one_network_for_the_whole_pool_whatever_the_chunk(look):
    """The same image says the same wherever it stands, so its passes can be joined with others'."""
    model = cnn(0.5)
    found = pool_signals(
        jax.random.key(0),
        model.init(jax.random.key(1)),
        jnp.asarray(np.repeat(IMAGES[:1], N, axis=0)),
        NORMALIZER,
        model=model,
        needs=frozenset({"sampled_probs"}),
        chunk_size=4,
        num_samples=SAMPLES,
    ).sampled_probs
    np.testing.assert_allclose(found, np.repeat(found[:, :1], N, axis=1), rtol=1e-5)
    whole = look_with(model, frozenset({"sampled_probs"}), chunk_size=N * SAMPLES)()
    np.testing.assert_allclose(whole.sampled_probs, look(0).sampled_probs, rtol=1e-4, atol=1e-6)


def test_the_statistics_are_those_of_the_passes(look):
    found = look()
    probs = np.asarray(found.sampled_probs, np.float64)
    np.testing.assert_allclose(found.mc_probs, probs.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found.mc_std, probs.std(axis=0), rtol=1e-3, atol=1e-6)
    entropies = -(probs * np.log(probs)).sum(axis=2)
    np.testing.assert_allclose(found.mc_entropy, entropies.mean(axis=0), rtol=1e-5)
    votes = np.eye(CLASSES)[probs.argmax(axis=2)].mean(axis=0)
    np.testing.assert_allclose(found.mc_votes, votes, rtol=1e-6)


def test_probabilities_of_exactly_zero_have_no_entropy():
    def apply(params, images, key=None, one_mask=False):
        logits = jnp.full((len(images), CLASSES), -jnp.inf).at[:, 0].set(0.0)
        return Outputs(logits, images[:, 0, 0], images[:, 0, 0])

    model = Model(lambda key: {}, apply)
    found = look_with(model, frozenset({"mc_entropy", "mc_probs"}))()
    assert found.mc_entropy.tolist() == [0.0] * N


def test_stochastic_passes_at_rate_zero_equal_the_plain_pass():
    found = look_with(cnn(0.0), EVERYTHING)()
    for probs in found.sampled_probs:
        np.testing.assert_allclose(probs, np.exp(found.log_probs), rtol=1e-5)


def test_probabilities_sum_to_one(look):
    found = look()
    np.testing.assert_allclose(found.sampled_probs.sum(axis=2), 1, rtol=1e-5)
    np.testing.assert_allclose(np.exp(found.log_probs).sum(axis=1), 1, rtol=1e-5)
    assert (found.sampled_probs >= 0).all()


@pytest.mark.parametrize("chunk_size", [1, N, 100])
def test_the_plain_signals_are_those_of_every_image_alone_whatever_the_chunk(look, chunk_size):
    plain = look_with(cnn(0.5), frozenset({"embedding", "log_probs"}), chunk_size)()
    np.testing.assert_allclose(plain.embedding, look().embedding, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(plain.log_probs, look().log_probs, rtol=1e-4, atol=1e-5)


def test_the_path_of_the_pool_and_the_test_set_never_augments(monkeypatch):
    def refuse(*_):
        raise AssertionError("augmented")

    monkeypatch.setattr(training, "augmented", refuse)
    model = cnn(0.5)
    jax.eval_shape(look_with(model, EVERYTHING))
    jax.eval_shape(
        lambda params: training.evaluate(
            params,
            jnp.asarray(IMAGES),
            jnp.zeros(N, jnp.int32),
            NORMALIZER,
            model=model,
            chunk_size=4,
        ),
        model.init(jax.random.key(0)),
    )
    for module in (signals, inference):
        names = {
            node.module for node in ast.walk(ast.parse(inspect.getsource(module)))
            if isinstance(node, ast.ImportFrom)
        }  # fmt: skip
        assert "jax_al.learners.training" not in names
