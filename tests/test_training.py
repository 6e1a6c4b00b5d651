import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats

from jax_al.drivers.score import score
from jax_al.learners.augmentation import augmented
from jax_al.learners.epoch import Trained, train_epoch
from jax_al.learners.inputs import Normalizer, normalize
from jax_al.learners.networks.network import Model
from jax_al.learners.optimizers import make_optimizer
from jax_al.types import NOTHING, UNKNOWN, Examples, Outputs

N, SIDE, CLASSES = 20, 8, 3
RATE = 0.01
ADAM = make_optimizer("adam", 0.0)
LABELED = (9, 4, 17, 1, 12, 6, 19, 3, 14, 8, 5)
AS_THEY_ARE = Normalizer(jnp.zeros(1), jnp.ones(1))
NORMALIZER = Normalizer(jnp.array([100.0]), jnp.array([70.0]))


def pool_images():
    """Random images whose first pixel is their index, so that a batch tells which rows it holds."""
    images = np.random.default_rng(0).integers(0, 256, (N, SIDE, SIDE, 1), np.uint8)
    images[:, 0, 0, 0] = np.arange(N)
    return images


def examples_of(indices=LABELED, capacity=N, images=None, weights=None):
    """Those of the pool, the padding as zeros."""
    images = pool_images() if images is None else images
    padding = capacity - len(indices)
    rows = np.array(indices, np.int32)

    def padded(array, value):
        return np.pad(array, (0, padding), constant_values=value)

    return Examples(
        np.pad(images[rows], ((0, padding), (0, 0), (0, 0), (0, 0))),
        padded((5 * rows + 1) % CLASSES, UNKNOWN),
        padded(np.array([1] * len(indices) if weights is None else weights, np.float32), 0),
        padded(rows, NOTHING),
        np.int32(len(indices)),
    )


def fresh(key=1):
    params = init_linear(jax.random.key(key))
    return Trained(params, ADAM.init(params))


def apply_linear(params, images, key=None):
    del key
    flat = images.reshape(images.shape[0], -1)
    return Outputs(jax.nn.log_softmax(flat @ params["w"] + params["b"][None]), flat, flat)


def init_linear(key):
    w = 0.1 * jax.random.normal(key, (SIDE * SIDE, CLASSES))
    return {"w": w, "b": jnp.zeros(CLASSES)}


LINEAR = Model(init_linear, apply_linear)


SEEN = []  # the batches shown to RECORDING, each a list of indices


def apply_recording(params, images, key=None):
    jax.debug.callback(
        lambda rows: SEEN.append(np.asarray(rows).astype(int).tolist()), images[:, 0, 0, 0]
    )
    return apply_linear(params, images, key)


RECORDING = Model(init_linear, apply_recording)


@functools.cache
def compiled(model, batch_size, augment):
    return jax.jit(
        functools.partial(
            train_epoch, model=model, optimizer=ADAM, batch_size=batch_size, augment=augment
        )
    )


def epoch(
    key, examples, *, model=LINEAR, batch_size=4, augment=False, rate=RATE, trained=None,
    normalizer=NORMALIZER,
):  # fmt: skip
    """One epoch, from fresh parameters if there is no `trained`."""
    trained = fresh() if trained is None else trained
    run = compiled(model, batch_size, augment)
    found = run(key, trained, jnp.float32(rate), examples, normalizer)
    jax.effects_barrier()
    return found


def batches_of(key, examples, batch_size):
    SEEN.clear()
    epoch(key, examples, model=RECORDING, batch_size=batch_size, normalizer=AS_THEY_ARE)
    return list(SEEN)


def assert_same_bits(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.mark.parametrize("batch_size", [1, 4, 11, 32])
def test_an_epoch_shows_every_labeled_point_exactly_once(batch_size):
    seen = batches_of(jax.random.key(0), examples_of(), batch_size)
    assert len(seen) == -(-len(LABELED) // batch_size)
    assert all(len(rows) == batch_size for rows in seen)
    shown = [row for rows in seen for row in rows]
    assert sorted(shown[: len(LABELED)]) == sorted(LABELED)
    assert set(shown[len(LABELED) :]) <= {LABELED[0]}  # padding repeats the first


def test_the_last_batch_has_room_where_the_labels_fill_the_capacity():
    """Nine in batches of four: the ninth has three places of padding beside it."""
    some = LABELED[:9]
    seen = batches_of(jax.random.key(0), examples_of(some, capacity=9), 4)
    shown = [row for rows in seen for row in rows]
    assert len(shown) == 12
    assert sorted(shown[:9]) == sorted(some)
    assert set(shown[9:]) == {some[0]}


def test_the_order_is_new_in_every_epoch_and_repeats_for_one_key():
    orders = [batches_of(jax.random.key(key), examples_of(), 11) for key in (0, 1, 0)]
    assert orders[0] != orders[1]
    assert orders[0] == orders[2]


def adam_update(grads, opt_state):
    with jax.numpy_dtype_promotion("standard"):  # optax needs it
        return optax.adam(RATE).update(grads, opt_state)


def in_float64(trained, batches, images):
    """The same batches through a loop of one's own: numpy's float64 gradients, optax's Adam."""
    params = jax.tree.map(lambda p: np.asarray(p, np.float64), trained.params)
    opt_state = optax.adam(RATE).init(trained.params)
    loss_sum, hits, count = 0.0, 0, 0
    for rows in batches:
        x = (np.asarray(images)[rows].reshape(len(rows), -1) - 100.0) / 70.0
        y = (5 * np.asarray(rows) + 1) % CLASSES
        logits = x @ params["w"] + params["b"]
        probs = np.exp(logits - logits.max(1, keepdims=True))
        probs /= probs.sum(1, keepdims=True)
        loss_sum += -np.log(probs[np.arange(len(y)), y]).sum()
        hits += (probs.argmax(1) == y).sum()
        count += len(y)
        error = (probs - np.eye(CLASSES)[y]) / len(y)
        grads = {"w": jnp.float32(x.T @ error), "b": jnp.float32(error.sum(0))}
        updates, opt_state = adam_update(grads, opt_state)
        params = jax.tree.map(lambda p, u: p + np.asarray(u, np.float64), params, updates)
    return params, loss_sum / count, hits / count


@pytest.mark.parametrize("indices", [LABELED, (0, 7, 3, 2, 11)])
@pytest.mark.parametrize("batch_size", [4, 32])
def test_an_epoch_equals_a_plain_loop_over_the_same_batches_whose_last_one_is_smaller(
    indices, batch_size
):
    key, examples = jax.random.key(5), examples_of(indices)
    shown = [row for rows in batches_of(key, examples, batch_size) for row in rows][: len(indices)]
    batches = [shown[i : i + batch_size] for i in range(0, len(shown), batch_size)]
    params, loss, accuracy = in_float64(fresh(), batches, pool_images())
    trained, score = epoch(key, examples, batch_size=batch_size)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), trained.params, params)
    np.testing.assert_allclose(score.loss, loss, rtol=1e-5)
    np.testing.assert_allclose(score.accuracy, accuracy, rtol=1e-6)


def step_of_adam(weights):
    """One step down the weighted mean loss of all labeled points, by optax alone."""
    images, start = pool_images(), fresh()
    rows, weights = np.array(LABELED), np.array(weights, np.float32)

    def loss(params):
        log_probs = apply_linear(params, (images[rows].astype(np.float32) - 100) / 70).log_probs
        labels = (5 * rows + 1) % CLASSES
        losses = -jnp.take_along_axis(log_probs, labels[:, None], 1)[:, 0]
        return (weights * losses).sum() / weights.sum()

    value, grads = jax.jit(jax.value_and_grad(loss))(start.params)
    updates, _ = adam_update(grads, optax.adam(RATE).init(start.params))
    return optax.apply_updates(start.params, updates), value


@pytest.mark.parametrize("weights", [[1.0] * 11, [0.5, 3.0, *[1.0] * 8, 7.0]])
def test_one_step_is_a_step_of_adam_on_the_weighted_mean(weights):
    expected, loss = step_of_adam(weights)
    examples = examples_of(weights=weights)
    trained, fit = epoch(jax.random.key(0), examples, batch_size=len(LABELED))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), trained.params, expected)
    np.testing.assert_allclose(fit.loss, loss, rtol=1e-5)


def test_what_stands_in_the_padding_has_no_weight():
    examples, key = examples_of(), jax.random.key(0)
    changed = examples._replace(inputs=examples.inputs.copy(), weights=examples.weights.copy())
    changed.inputs[len(LABELED) :], changed.weights[len(LABELED) :] = 255, 9
    assert_same_bits(epoch(key, examples), epoch(key, changed))


@pytest.mark.parametrize("augment", [False, True])
def test_the_result_does_not_depend_on_the_capacity(augment):
    key = jax.random.key(3)
    tight, roomy = (epoch(key, examples_of(capacity=c), augment=augment) for c in (len(LABELED), N))
    assert_same_bits(tight, roomy)


def test_epochs_continue_each_other():
    examples = examples_of()
    first, _ = epoch(jax.random.key(0), examples)
    second, _ = epoch(jax.random.key(1), examples, trained=first)
    steps = int(second.opt_state.count)
    assert steps == 2 * -(-len(LABELED) // 4)


def test_at_rate_zero_the_parameters_stay_and_the_score_is_the_plain_one():
    examples, start = examples_of(), fresh()
    trained, fit = epoch(jax.random.key(0), examples, rate=0.0)
    assert_same_bits(trained.params, start.params)
    there = slice(0, len(LABELED))
    inputs = normalize(examples.inputs[there], NORMALIZER)
    plain = score(apply_linear(start.params, inputs).log_probs, examples.labels[there])
    np.testing.assert_allclose(fit[:2], (plain.loss, plain.accuracy), rtol=1e-5)


def apply_dropping(params, images, key=None):
    keep = jax.random.bernoulli(key, 0.5, images.shape)
    return apply_linear(params, images * keep.astype(jnp.float32))


def test_dropout_is_on_and_it_and_the_augmentation_follow_the_key():
    dropping, examples = Model(init_linear, apply_dropping), examples_of()
    found = [
        epoch(jax.random.key(0), examples, model=model, augment=augment)[0].params["w"]
        for model, augment in ((LINEAR, False), (dropping, False), (dropping, True))
    ]
    for i in range(3):
        assert all((found[i] != found[j]).any() for j in range(i))
    again, _ = epoch(jax.random.key(0), examples, model=dropping, augment=True)
    np.testing.assert_array_equal(found[-1], again.params["w"])


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((60, 8, 8, 1), np.uint8), ((60, 16, 9, 3), np.float32), ((60, 9, 24, 1), np.uint8)],
)
def test_an_augmented_image_is_a_shifted_and_perhaps_mirrored_copy(shape, dtype):
    size, height, width, _ = shape
    batch = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    found = augmented(jax.random.key(0), jnp.asarray(batch))
    assert (found.shape, found.dtype) == (batch.shape, batch.dtype)
    down, across = height // 8, width // 8
    padded = np.pad(batch, ((0, 0), (down, down), (across, across), (0, 0)), mode="reflect")
    moves = set()
    for i in range(size):
        crops = {
            (top, left, mirror): padded[i, top : top + height, left : left + width][:, ::mirror]
            for top in range(2 * down + 1)
            for left in range(2 * across + 1)
            for mirror in (1, -1)
        }
        here = [move for move, crop in crops.items() if (crop == np.asarray(found[i])).all()]
        assert len(here) == 1
        moves |= set(here)
    assert {move[0] for move in moves} == set(range(2 * down + 1))
    assert {move[1] for move in moves} == set(range(2 * across + 1))
    assert {move[2] for move in moves} == {1, -1}


def test_every_shift_and_mirror_image_is_as_likely():
    size = 3_000
    # Eight to a line, rising: two pixels tell the shift and whether the image is turned.
    ramp = jnp.arange(SIDE * SIDE, dtype=jnp.int32).reshape(1, SIDE, SIDE, 1)
    found = augmented(jax.random.key(4), jnp.broadcast_to(ramp, (size, SIDE, SIDE, 1)))
    first, second = np.asarray(found)[:, 4, 3:5, 0].T
    mirrored = second < first
    top, left = np.divmod(np.where(mirrored, second, first), SIDE)
    moves = np.stack([top - 3, left - 2, mirrored], axis=1)
    _, counts = np.unique(moves, axis=0, return_counts=True)
    assert moves.min(axis=0).tolist() == [0, 0, 0]
    assert moves.max(axis=0).tolist() == [2, 2, 1]
    assert len(counts) == 18
    assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize(("height", "pad"), [(5, 1), (23, 2)])  # as in the report, an eighth
def test_an_image_is_shifted_by_up_to_an_eighth_of_its_height(height, pad):
    column = jnp.arange(height, dtype=jnp.int32).reshape(1, height, 1, 1)
    found = augmented(jax.random.key(5), jnp.broadcast_to(column, (200, height, 6, 1)))
    middle = height // 2
    moves = np.asarray(found)[:, middle, 0, 0] - middle
    assert set(moves.tolist()) == set(range(-pad, pad + 1))
