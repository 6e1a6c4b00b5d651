"""Layers of the deeper networks: convolutions without bias, each followed by a normalisation."""

import math

import jax
from flax import nnx

from jax_al.learners.convolution import convolve

GROUP_SIZE = 16  # channels normalised together (Wu & He 2018, table 3: 16 or 32 groups alike)


class ConvNorm(nnx.Module):
    """A 3x3 (or 1x1) convolution that keeps the size, divided by its stride, and group norm.

    Group norm (Wu & He 2018, arXiv 1803.08494) and not batch norm: what a network says of an image
    then never depends on the other images of the batch, in training and afterwards alike, and
    small labeled sets do not make it worse. Weights begin as in He et al. 2015.
    """

    def __init__(
        self, inputs: int, outputs: int, *, size: int = 3, stride: int = 1, rngs: nnx.Rngs
    ):
        before = size // 2
        self.conv = nnx.Conv(
            inputs,
            outputs,
            kernel_size=(size, size),
            strides=(stride, stride),
            padding=((before, before), (before, before)),
            use_bias=False,
            conv_general_dilated=convolve,
            kernel_init=nnx.initializers.he_normal(),
            rngs=rngs,
        )
        self.norm = nnx.GroupNorm(
            outputs, num_groups=outputs // math.gcd(outputs, GROUP_SIZE), rngs=rngs
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        # In bfloat16 the norm is computed in float32, by a promotion that strict mode forbids.
        with jax.numpy_dtype_promotion("standard"):
            return self.norm(self.conv(x))
