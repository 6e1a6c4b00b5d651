"""ResNet-18 for small images (He et al. 2016, arXiv 1512.03385)."""

import jax
from flax import nnx

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

# Channels in units of `width`, and the stride of the first block: two blocks a stage.
STAGES = ((1, 1), (2, 2), (4, 2), (8, 2))


class Block(nnx.Module):
    """Two convolutions beside a shortcut, which is a 1x1 convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int, rngs: nnx.Rngs):
        self.first = ConvNorm(inputs, outputs, stride=stride, rngs=rngs)
        self.second = ConvNorm(outputs, outputs, rngs=rngs)
        changes = stride != 1 or inputs != outputs
        self.shortcut = nnx.data(
            ConvNorm(inputs, outputs, size=1, stride=stride, rngs=rngs) if changes else None
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        beside = x if self.shortcut is None else self.shortcut(x)
        return nnx.relu(self.second(nnx.relu(self.first(x))) + beside)


class ResNet18(nnx.Module):
    """Seventeen convolutions and the mean over the image, which is the embedding.

    For small images it begins with a 3x3 convolution of stride 1 and no pooling, as the networks
    of the paper's section 4.2 on CIFAR-10 do.
    """

    def __init__(
        self,
        *,
        image_shape: tuple[int, int, int],
        num_classes: int,
        width: int,
        dropout_rates: tuple[float],
        rngs: nnx.Rngs,
    ):
        self.stem = ConvNorm(image_shape[2], width, rngs=rngs)
        blocks, channels = [], width
        for times, stride in STAGES:
            blocks.append(Block(channels, width * times, stride, rngs))
            channels = width * times
            blocks.append(Block(channels, channels, 1, rngs))
        self.blocks = nnx.List(blocks)
        self.head = nnx.Linear(channels, num_classes, rngs=rngs)
        self.dropout_rates = dropout_rates

    def __call__(self, images: jax.Array, key: jax.Array | None, one_mask: bool) -> Outputs:
        x = nnx.relu(self.stem(images))
        for block in self.blocks:
            x = block(x)
        embedding = x.mean(axis=(1, 2))
        features = dropout(embedding, self.dropout_rates[0], key, one_mask)
        return answer(self.head, embedding, features)


def resnet18(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int,
    width: int,
    dropout_rates: tuple[float],
) -> Model:
    """Returns ResNet-18 for images of `image_shape` (H, W, Cin); D = 8 `width`.

    Args:
      image_shape: height, width and channels; height and width at least 8.
      num_classes: C.
      width: channels of the first convolution; 64 is the paper's, less is cheaper.
      dropout_rates: one, before the last layer; the strategies of stochastic passes need it above
        0, the paper has none.
    """
    check_images("resnet18", image_shape, 8)
    check_at_least_one("width", width)
    check_rates("dropout_rates", dropout_rates, 1)
    return pure(
        lambda rngs: ResNet18(
            image_shape=image_shape,
            num_classes=num_classes,
            width=width,
            dropout_rates=dropout_rates,
            rngs=rngs,
        )
    )
