"""The small convolutional network of the experiment that this project reproduces."""

import jax
from flax import nnx

from jax_al.learners.convolution import convolve, max_pool
from jax_al.learners.networks.network import (
    Model,
    answer,
    check_at_least_one,
    check_images,
    check_rates,
    check_widths,
    dropout,
    pure,
    uniform,
)
from jax_al.types import Outputs


class CNN(nnx.Module):
    """Two convolutions and one hidden layer, whose values before the ReLU are the embedding.

    There is no ReLU between the second convolution and the pooling: so it is in the experiment
    that this network reproduces.
    """

    def __init__(
        self,
        *,
        image_shape: tuple[int, int, int],
        num_classes: int,
        widths: tuple[int, int],
        embedding_size: int,
        dropout_rates: tuple[float, float],
        rngs: nnx.Rngs,
    ):
        H, W, C = image_shape
        features = ((H - 4) // 2) * ((W - 4) // 2) * widths[1]

        def conv(inputs: int, outputs: int) -> nnx.Conv:
            init = uniform(3 * 3 * inputs)
            return nnx.Conv(
                inputs,
                outputs,
                kernel_size=(3, 3),
                padding="VALID",
                conv_general_dilated=convolve,
                kernel_init=init,
                bias_init=init,
                rngs=rngs,
            )

        def linear(inputs: int, outputs: int) -> nnx.Linear:
            init = uniform(inputs)
            return nnx.Linear(inputs, outputs, kernel_init=init, bias_init=init, rngs=rngs)

        self.conv1 = conv(C, widths[0])
        self.conv2 = conv(widths[0], widths[1])
        self.hidden = linear(features, embedding_size)
        self.dropout_rates = dropout_rates
        self.head = linear(embedding_size, num_classes)

    def __call__(self, images: jax.Array, key: jax.Array | None, one_mask: bool) -> Outputs:
        key1, key2 = (None, None) if key is None else jax.random.split(key)
        x = nnx.relu(self.conv1(images))
        x = max_pool(self.conv2(x))
        x = dropout(x, self.dropout_rates[0], key1, one_mask)
        embedding = self.hidden(x.reshape(x.shape[0], -1))
        features = dropout(nnx.relu(embedding), self.dropout_rates[1], key2, one_mask)
        return answer(self.head, embedding, features)


def cnn(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int,
    widths: tuple[int, int],
    embedding_size: int,
    dropout_rates: tuple[float, float],
) -> Model:
    """Returns the small convolutional network for images of `image_shape` (H, W, Cin).

    Args:
      image_shape: height, width and channels; height and width at least 6.
      num_classes: C.
      widths: output channels of the two convolutions.
      embedding_size: D, the width of the hidden layer.
      dropout_rates: after the pooling and after the hidden layer.
    """
    check_images("cnn", image_shape, 6)
    check_widths("widths", widths, 2)
    check_at_least_one("embedding_size", embedding_size)
    check_rates("dropout_rates", dropout_rates, 2)
    return pure(
        lambda rngs: CNN(
            image_shape=image_shape,
            num_classes=num_classes,
            widths=widths,
            embedding_size=embedding_size,
            dropout_rates=dropout_rates,
            rngs=rngs,
        )
    )
