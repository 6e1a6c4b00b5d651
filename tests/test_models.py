import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_al.errors import UsageError
from jax_al.learners import networks
from jax_al.learners.networks.network import Model, in_dtype

OPTIONS = {"widths": (4, 6), "embedding_size": 16, "dropout_rates": (0.25, 0.5)}
SHAPE = (9, 8, 3)


def make_model(name, shape, num_classes, **options):
    return getattr(networks, name)(image_shape=shape, num_classes=num_classes, **options)


@functools.cache
def compiled(name, shape, num_classes, **options):
    """A model whose functions are one program each for all tests."""
    model = make_model(name, shape, num_classes, **options)
    return Model(jax.jit(model.init), jax.jit(model.apply, static_argnames="one_mask"))


def made(**changes):
    """A small model, its parameters and five images."""
    model = compiled("cnn", SHAPE, 7, **OPTIONS | changes)
    images = np.random.default_rng(1).normal(size=(5, *SHAPE)).astype(np.float32)
    return model, model.init(jax.random.key(0)), images


def assert_same_bits(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def differ(a, b):
    return any(bool((x != y).any()) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b)))  # noqa: B905


def test_the_network_of_the_report_has_the_size_of_its_pytorch_twin():
    model = make_model(
        "cnn",
        (32, 32, 3),
        10,
        widths=(32, 64),
        embedding_size=128,
        dropout_rates=(0.25, 0.5),
    )
    params = jax.eval_shape(model.init, jax.random.key(0))
    assert jax.tree.map(jnp.shape, params) == {
        "conv1": {"kernel": (3, 3, 3, 32), "bias": (32,)},
        "conv2": {"kernel": (3, 3, 32, 64), "bias": (64,)},
        "hidden": {"kernel": (64 * 14 * 14, 128), "bias": (128,)},
        "head": {"kernel": (128, 10), "bias": (10,)},
    }
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 1_626_442
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(params))


def test_outputs_are_log_probabilities_and_the_embedding_before_its_relu():
    model, params, images = made()
    outputs = model.apply(params, images)
    assert outputs.log_probs.shape == (5, 7)
    assert outputs.log_probs.dtype == jnp.float32
    np.testing.assert_allclose(jnp.exp(outputs.log_probs).sum(axis=1), np.ones(5), rtol=1e-6)
    assert outputs.embedding.shape == (5, 16)
    assert outputs.embedding.dtype == jnp.float32
    assert (outputs.embedding < 0).any()

    logits = jnp.maximum(outputs.embedding, 0) @ params["head"]["kernel"]
    expected = jax.nn.log_softmax(logits + params["head"]["bias"][None])
    np.testing.assert_allclose(outputs.log_probs, expected, rtol=1e-5)


def test_no_relu_between_the_second_convolution_and_the_pooling():
    model, params, images = made()
    # With all weights of the hidden layer at 1 the embedding is the sum of the pooled maps, which
    # a strongly negative bias of the second convolution can only make negative without a ReLU.
    params["hidden"] = jax.tree.map(jnp.ones_like, params["hidden"])
    params["conv2"]["bias"] = jnp.full_like(params["conv2"]["bias"], -100.0)
    assert (model.apply(params, images).embedding < 0).all()


def test_a_new_key_makes_a_new_network_and_the_same_key_the_same():
    model, params, _ = made()
    assert_same_bits(params, model.init(jax.random.key(0)))
    assert differ(params, model.init(jax.random.key(1)))


def test_dropout_is_on_exactly_when_there_is_a_key():
    model, params, images = made()
    plain = model.apply(params, images)
    assert_same_bits(plain, model.apply(params, images))
    first = model.apply(params, images, jax.random.key(2))
    assert_same_bits(first, model.apply(params, images, jax.random.key(2)))
    assert differ(first, model.apply(params, images, jax.random.key(3)))
    assert differ(first, plain)


@pytest.mark.parametrize("rates", [(0.0, 0.5), (0.25, 0.0)])
def test_each_dropout_acts_alone_where_it_stands(rates):
    model, params, images = made(dropout_rates=rates)
    plain, dropped = model.apply(params, images), model.apply(params, images, jax.random.key(2))
    assert differ(plain.embedding, dropped.embedding) == (rates[0] > 0)
    assert differ(plain.log_probs, dropped.log_probs)


def test_dropout_keeps_the_expectation():
    model, params, images = made()
    keys = jax.random.split(jax.random.key(2), 2000)
    sampled = jax.jit(jax.vmap(lambda key: model.apply(params, images, key).embedding))(keys)
    # Before the first nonlinearity after it, dropout is unbiased: four standard errors.
    sampled, plain = np.asarray(sampled), np.asarray(model.apply(params, images).embedding)
    error = 4 * sampled.std(axis=0) / np.sqrt(2000)
    assert (np.abs(sampled.mean(axis=0) - plain) < error).all()


def test_rate_zero_with_a_key_is_the_plain_pass_bit_for_bit():
    model, params, images = made(dropout_rates=(0.0, 0.0))
    assert_same_bits(model.apply(params, images), model.apply(params, images, jax.random.key(2)))


def test_one_image_alone_gives_what_it_gives_in_a_batch():
    model, params, images = made()
    together = model.apply(params, images)
    alone = model.apply(params, images[:1])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a[:1], b, atol=1e-5), together, alone)


def test_seeds_can_be_mapped():
    model, _, images = made()
    keys = jax.random.split(jax.random.key(0), 3)
    alone = [model.apply(model.init(key), images, key) for key in keys]
    params = jax.tree.map(lambda *leaves: np.stack(leaves), *map(model.init, keys))
    together = jax.jit(jax.vmap(lambda params, key: model.apply(params, images, key)))(params, keys)
    for i, one in enumerate(alone):
        jax.tree.map(
            lambda a, b, i=i: np.testing.assert_allclose(a[i], b, atol=1e-5), together, one
        )


def test_an_image_that_is_too_small_is_refused():
    with pytest.raises(UsageError, match="at least 6x6 pixels, and these are 8x5"):
        make_model("cnn", (8, 5, 3), 7, **OPTIONS)


def test_the_smallest_allowed_image_works():
    model = compiled("cnn", (6, 6, 1), 2, **OPTIONS)
    outputs = model.apply(model.init(jax.random.key(0)), jnp.zeros((1, 6, 6, 1)))
    assert outputs.log_probs.shape == (1, 2)


def test_weights_and_biases_start_as_in_pytorch():
    """Uniform within 1 / sqrt(fan in): what `torch.nn.Conv2d` and `torch.nn.Linear` document."""
    model = compiled("cnn", SHAPE, 300, **OPTIONS | {"widths": (64, 96), "embedding_size": 256})
    params = model.init(jax.random.key(3))
    for name, fan_in in {"conv1": 27, "conv2": 9 * 64, "hidden": 2 * 2 * 96, "head": 256}.items():
        for values in params[name].values():
            scaled = np.asarray(values).ravel() * fan_in**0.5
            assert np.abs(scaled).max() <= 1
            # The mean of n uniform values lies within 5 of its standard deviations (3 n)**-0.5.
            assert abs(scaled.mean()) < 5 * (3 * scaled.size) ** -0.5
            assert abs((scaled**2).mean() - 1 / 3) < 5 * (4 / 45 / scaled.size) ** 0.5


def test_with_one_mask_every_image_meets_the_same_network():
    model, params, images = made()
    same = np.broadcast_to(images[:1], images.shape)
    key = jax.random.key(4)
    one = model.apply(params, same, key, one_mask=True).head_inputs
    own = model.apply(params, same, key).head_inputs
    assert all((row == one[0]).all() for row in one)
    assert any((row != own[0]).any() for row in own)
    dropped = float((one == 0).mean())
    plain = float((model.apply(params, same).head_inputs == 0).mean())
    assert dropped > plain


DEEP = {
    "vgg16": {"width": 4, "embedding_size": 16, "dropout_rates": (0.5, 0.5)},
    "resnet18": {"width": 4, "dropout_rates": (0.3,)},
}
# torchvision's vgg16_bn has 14,723,136 parameters before its classifier, 4,224 of them biases of
# convolutions, which a normalisation makes idle; then 512 x 512 + 512 and 512 x 10 + 10.
# ResNet-18 for CIFAR-10 in github.com/kuangliu/pytorch-cifar has 11,173,962.
SIZES = {"vgg16": 14_723_136 - 4_224 + 262_656 + 5_130, "resnet18": 11_173_962}


@pytest.mark.parametrize("name", DEEP)
def test_deep_networks_have_the_size_of_their_pytorch_twins(name):
    options = DEEP[name] | {"width": 64} | ({"embedding_size": 512} if name == "vgg16" else {})
    model = make_model(name, (32, 32, 3), 10, **options)
    params = jax.eval_shape(model.init, jax.random.key(0))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == SIZES[name]


@pytest.mark.parametrize("name", DEEP)
def test_deep_networks_see_each_image_alone_and_every_part_of_them_learns(name):
    model = make_model(name, (32, 40, 3), 7, **DEEP[name])
    images = np.random.default_rng(1).normal(size=(3, 32, 40, 3)).astype(np.float32)
    images[2] = images[0]

    # One program, which computes but once what its parts have in common: most of the layers.
    @jax.jit
    def run(params, images, key):
        def loss(params):
            outputs = model.apply(params, images)
            return -outputs.log_probs[:, 2].mean(), outputs

        grads, outputs = jax.grad(loss, has_aux=True)(params)
        dropped, masked = (model.apply(params, images, key, one_mask) for one_mask in (False, True))
        return outputs, grads, dropped, masked

    params, key = jax.jit(model.init)(jax.random.key(0)), jax.random.key(2)
    outputs, grads, dropped, masked = run(params, images, key)
    assert outputs.log_probs.shape == (3, 7)
    assert outputs.embedding.shape[0] == 3
    other = run(params, np.concatenate([images[:1], images[1:] + 1]), key)[0]
    np.testing.assert_allclose(outputs.log_probs[0], other.log_probs[0], rtol=1e-4, atol=1e-5)
    assert (outputs.log_probs[1:] != other.log_probs[1:]).any()
    logits = outputs.head_inputs @ params["head"]["kernel"] + params["head"]["bias"][None]
    np.testing.assert_allclose(outputs.log_probs, jax.nn.log_softmax(logits), rtol=1e-4, atol=1e-5)

    assert all(np.asarray(leaf).any() for leaf in jax.tree.leaves(grads))
    assert (dropped.log_probs != outputs.log_probs).any()
    np.testing.assert_allclose(masked.log_probs[0], masked.log_probs[2], rtol=1e-5)
    assert (dropped.log_probs[0] != dropped.log_probs[2]).any()


@pytest.mark.parametrize(
    ("name", "shape", "changes", "message"),
    [
        ("vgg16", (31, 32, 3), {}, "'vgg16' needs images of at least 32x32"),
        ("resnet18", (32, 7, 1), {}, "'resnet18' needs images of at least 8x8"),
        ("vgg16", (32, 32, 3), {"width": 0}, "width is 0, but must be a whole number, at least 1"),
        ("resnet18", (32, 32, 3), {"dropout_rates": (0.1, 0.2)}, "must be 1 number.s. from 0"),
        ("resnet18", (32, 32, 3), {"dropout_rates": 0.1}, "is 0.1, but must be 1 number.s."),
        ("resnet18", (32, 32, 3), {"dropout_rates": ("a",)}, "must be 1 number.s. from 0"),
        ("resnet18", (32, 32, 3), {"width": "wide"}, "is 'wide', but must be a whole number"),
        ("resnet18", (32, 32, 3), {"width": 8.0}, "is 8.0, but must be a whole number"),
    ],
)
def test_mistakes_in_the_options_of_deep_networks(name, shape, changes, message):
    with pytest.raises(UsageError, match=message):
        make_model(name, shape, 10, **DEEP[name] | changes)


@pytest.mark.parametrize("name", ["cnn", "resnet18"])
def test_in_bfloat16_a_network_says_nearly_the_same_in_float32(name):
    options = DEEP.get(name, OPTIONS)
    model = make_model(name, (32, 32, 3), 7, **options)
    low = in_dtype(model, jnp.bfloat16)
    params = jax.jit(low.init)(jax.random.key(0))
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(params))
    images = np.random.default_rng(1).normal(size=(3, 32, 32, 3)).astype(np.float32)
    expected, found = jax.jit(model.apply)(params, images), jax.jit(low.apply)(params, images)
    for one, other in zip(expected, found, strict=True):
        assert other.dtype == jnp.float32
        assert (one != other).any()
        np.testing.assert_allclose(other, one, atol=0.05 * float(jnp.abs(one).max()))
    grads = jax.eval_shape(jax.grad(lambda p: -low.apply(p, images).log_probs.mean()), params)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(grads))
