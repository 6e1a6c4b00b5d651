"""Convolution and pooling that are fast on a CPU and native everywhere else.

XLA:CPU is far from its own best with the convolutions of a training loop. Inside a loop body the
one that yields the kernel's gradient takes a slow path (jax-ml/jax#12868): a step is some twenty
times slower than it need be. And jaxlib 0.10 hands plain forward convolutions to YNNPACK, which
runs many of them on a single core. `convolve` therefore says for CPUs what the compiler should do,
forward and backward. Other platforms get `jax.lax.conv_general_dilated` and its own gradient. Which
of the two it is gets decided where the program is lowered, so one program text serves all devices.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

_LAYOUT = lax.conv_dimension_numbers((1, 1, 1, 1), (1, 1, 1, 1), ("NHWC", "HWIO", "NHWC"))
# The only meaning of `conv_general_dilated`'s options for which there is a backward pass here.
_PLAIN = {
    "lhs_dilation": (1, 1),
    "rhs_dilation": (1, 1),
    "dimension_numbers": _LAYOUT,
    "feature_group_count": 1,
    "precision": None,
    "out_sharding": None,
}

_Pair = tuple[int, int]
# Images whose patches are made at a time: 2 and 8 are as fast, 1 and 32 slower.
_CHUNK = 4


def convolve(
    images: jax.Array,
    kernel: jax.Array,
    strides: Sequence[int] = (1, 1),
    padding: str | Sequence[tuple[int, int]] = "VALID",
    **options: Any,
) -> jax.Array:
    """Convolves like `jax.lax.conv_general_dilated`, channels last, and fast on CPUs.

    It fits where `flax.nnx.Conv` wants a function: `nnx.Conv(..., conv_general_dilated=convolve)`.

    Args:
      images: float [B, H, W, Cin].
      kernel: float [kh, kw, Cin, Cout], of the dtype of `images`.
      strides: of the height and of the width.
      padding: "VALID", "SAME" or (before, after) of the height and of the width.
      **options: the other arguments of `conv_general_dilated`; one which asks for more than a
        plain convolution (dilation, groups, another layout) leaves everything to that function.

    Returns:
      float [B, H', W', Cout].
    """
    if _PLAIN | options != _PLAIN:
        return lax.conv_general_dilated(images, kernel, strides, padding, **options)
    if isinstance(padding, str):
        padding = lax.padtype_to_pads(images.shape[1:3], kernel.shape[:2], strides, padding)
    pads = tuple((int(before), int(after)) for before, after in padding)
    return _convolve(tuple(strides), pads, images, kernel)


@jax.custom_vjp
def max_pool(images: jax.Array) -> jax.Array:
    """Returns the maxima of the 2x2 squares that tile `images`, [B, H, W, C] -> [B, H//2, W//2, C].

    An odd last row or column is left out, as in PyTorch. Equal maxima share the gradient.
    """
    # Forward, `reduce_window` is ten times faster on CPUs than any reshaping; backward it is the
    # slower one (select-and-scatter), so the gradient is that of a reshape and a maximum.
    lowest = np.array(-np.inf, images.dtype)
    return lax.reduce_window(images, lowest, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def _max_pool_by_reshape(images):
    B, H, W, C = images.shape
    whole = images[:, : H // 2 * 2, : W // 2 * 2]
    return whole.reshape(B, H // 2, 2, W // 2, 2, C).max(axis=(2, 4))


max_pool.defvjp(
    lambda images: (max_pool(images), images),
    lambda images, d_out: jax.vjp(_max_pool_by_reshape, images)[1](d_out),
)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _convolve(
    strides: _Pair, pads: tuple[_Pair, _Pair], images: jax.Array, kernel: jax.Array
) -> jax.Array:
    return _native(strides, pads, images, kernel)


def _native(strides, pads, images, kernel, dilation=(1, 1)):
    return lax.conv_general_dilated(
        images, kernel, strides, pads, lhs_dilation=dilation, dimension_numbers=_LAYOUT
    )


def _on_cpu(strides, pads, images, kernel, dilation=(1, 1)):
    """Computes some rows too many, at the bottom, and cuts them off.

    XLA leaves a convolution whose output is higher than its input to Eigen, which uses all cores,
    and gives others to YNNPACK (`IsConvolutionOpSupportedByYnn` in xla/backends/cpu). With strides
    the detour would cost more than it saves, and a dilated input is Eigen's already.
    """
    (before, after), width_pads = pads
    rows = images.shape[1] + before + after - kernel.shape[0] + 1
    if strides != (1, 1) or dilation != (1, 1) or rows > images.shape[1]:
        return _native(strides, pads, images, kernel, dilation)
    extra = images.shape[1] + 1 - rows
    return _native(strides, ((before, after + extra), width_pads), images, kernel)[:, :rows]


def _forward(strides, pads, images, kernel):
    # Only here: looking at a thousand images at a time, the native form is the faster one.
    out = lax.platform_dependent(
        images,
        kernel,
        cpu=partial(_on_cpu, strides, pads),
        default=partial(_native, strides, pads),
    )
    return out, (images, kernel)


def _backward(strides, pads, residuals, d_out):
    """Chooses each gradient on its own, so that the one nobody asked for is dropped whole."""
    images, kernel = residuals

    def native_images_gradient(kernel, d_out):
        transposed = jax.linear_transpose(lambda x: _native(strides, pads, x, kernel), images)
        return transposed(d_out)[0]

    def native_kernel_gradient(images, d_out):
        transposed = jax.linear_transpose(lambda w: _native(strides, pads, images, w), kernel)
        return transposed(d_out)[0]

    d_images = lax.platform_dependent(
        kernel,
        d_out,
        cpu=partial(_images_gradient, strides, pads, images.shape),
        default=native_images_gradient,
    )
    d_kernel = lax.platform_dependent(
        images,
        d_out,
        cpu=partial(_kernel_gradient, strides, pads, kernel.shape),
        default=native_kernel_gradient,
    )
    return d_images, d_kernel


_convolve.defvjp(_forward, _backward)


def _images_gradient(strides, pads, shape, kernel, d_out):
    """Convolves the outputs' gradient with the turned kernel, as a forward convolution would."""
    turned = kernel[::-1, ::-1].swapaxes(2, 3)
    back_pads = tuple(
        (k - 1 - before, size + before - stride * (size_out - 1) - 1)
        for k, (before, _), size, stride, size_out in zip(
            kernel.shape[:2], pads, shape[1:3], strides, d_out.shape[1:3], strict=True
        )
    )
    return _on_cpu((1, 1), back_pads, d_out, turned, dilation=strides)


def _kernel_gradient(strides, pads, shape, images, d_out):
    """Multiplies the patch under each weight with the outputs' gradient, some images at a time.

    In small chunks the patches, kh * kw times as large as the images, stay in the cache and take
    little memory; one product over the whole batch is a third slower.
    """
    kh, kw, _, Cout = shape
    B, H_out, W_out, _ = d_out.shape
    extra = -B % _CHUNK  # images of zeros, which add nothing
    images = jnp.pad(images, ((0, extra), *pads, (0, 0)))
    d_out = jnp.pad(d_out, ((0, extra), (0, 0), (0, 0), (0, 0)))

    def add_chunk(total, chunk):
        images, d_out = chunk
        under_one_weight = [
            images[:, i:, j:][:, :: strides[0], :: strides[1]][:, :H_out, :W_out]
            for i in range(kh)
            for j in range(kw)
        ]
        patches = jnp.concatenate(under_one_weight, axis=-1)  # [chunk, H', W', kh * kw * Cin]
        product = jnp.tensordot(
            patches, d_out, axes=((0, 1, 2), (0, 1, 2)), preferred_element_type=total.dtype
        )
        return total + product, None

    chunks = jax.tree.map(lambda x: x.reshape(-1, _CHUNK, *x.shape[1:]), (images, d_out))
    # At least float32 for the sum: bfloat16 would lose what a single chunk adds to many.
    zero = jnp.zeros((math.prod(shape[:3]), Cout), np.promote_types(d_out.dtype, np.float32))
    total, _ = lax.scan(add_chunk, zero, chunks)
    return total.reshape(shape).astype(d_out.dtype)
