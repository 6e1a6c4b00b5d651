"""VGG-16, with which the core-set paper trained (Sener & Savarese 2018, section 5)."""

import jax
from flax import nnx

from jax_al.learners.convolution import max_pool
from jax_al.learners.networks.layers import ConvNorm
from jax_al.learners.networks.network import (
    Model,
    answer,
    check_at_least_one,
    check_images,
    check_rates,
    dropout,
    pure,
)
from jax_al.types import Outputs

# Convolutions between poolings, and their channels in units of `width`: configuration D of
# Simonyan & Zisserman 2015 (arXiv 1409.1556), table 1.
STAGES = ((2, 1), (2, 2), (3, 4), (3, 8), (3, 8))


class VGG16(nnx.Module):
    """Thirteen convolutions, five poolings, one hidden layer, whose values are the embedding.

    As usual for small images there is one hidden layer, not two of 4,096, and every convolution is
    normalised.
    """

    def __init__(
        self,
        *,
        image_shape: tuple[int, int, int],
        num_classes: int,
        width: int,
        embedding_size: int,
        dropout_rates: tuple[float, float],
        rngs: nnx.Rngs,
    ):
        H, W, channels = image_shape
        stages = []
        for count, times in STAGES:
            stage = []
            for _ in range(count):
                stage.append(ConvNorm(channels, width * times, rngs=rngs))
                channels = width * times
            stages.append(nnx.List(stage))
        self.stages = nnx.List(stages)
        features = (H // 32) * (W // 32) * channels
        he = nnx.initializers.he_normal()
        self.hidden = nnx.Linear(features, embedding_size, kernel_init=he, rngs=rngs)
        self.head = nnx.Linear(embedding_size, num_classes, rngs=rngs)
        self.dropout_rates = dropout_rates

    def __call__(self, images: jax.Array, key: jax.Array | None, one_mask: bool) -> Outputs:
        key1, key2 = (None, None) if key is None else jax.random.split(key)
        x = images
        for stage in self.stages:
            for layer in stage:
                x = nnx.relu(layer(x))
            x = max_pool(x)
        x = dropout(x.reshape(x.shape[0], -1), self.dropout_rates[0], key1, one_mask)
        embedding = self.hidden(x)
        features = dropout(nnx.relu(embedding), self.dropout_rates[1], key2, one_mask)
        return answer(self.head, embedding, features)


def vgg16(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int,
    width: int,
    embedding_size: int,
    dropout_rates: tuple[float, float],
) -> Model:
    """Returns VGG-16 for images of `image_shape` (H, W, Cin).

    Args:
      image_shape: height, width and channels; height and width at least 32.
      num_classes: C.
      width: channels of the first convolutions; 64 is the paper's, less is cheaper.
      embedding_size: D, the width of the hidden layer.
      dropout_rates: before and after the hidden layer.
    """
    check_images("vgg16", image_shape, 32)
    check_at_least_one("width", width)
    check_at_least_one("embedding_size", embedding_size)
    check_rates("dropout_rates", dropout_rates, 2)
    return pure(
        lambda rngs: VGG16(
            image_shape=image_shape,
            num_classes=num_classes,
            width=width,
            embedding_size=embedding_size,
            dropout_rates=dropout_rates,
            rngs=rngs,
        )
    )
