"""Unsupervised patches: how much of each corner of an image looks like which of many small patches.

Coates, Lee & Ng, "An Analysis of Single-Layer Networks in Unsupervised Feature Learning" (AISTATS
2011). For a patch x of an image, cut everywhere at a stride:

    n = (x - mean(x)) / sqrt(var(x) + 10)          in units of 0..255
    w = (n - m) W,   W = V (D + 1)^(-1/2) V'       ZCA, of the covariance V D V' of sampled n
    z_k = |w - c_k|                                c_k: k-means of the sampled w
    f_k = max(0, mean(z) - z_k)                    "triangle": 0 for all but the nearer centroids

and f is summed over each cell of a grid, 2 x 2: four quadrants. Nothing is learned from a label.
Beyond the paper, if asked for: the mirror image is added, and of the sums roots are taken.
"""

import functools
import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging
from jax import lax

from jax_al.errors import UsageError
from jax_al.features.options import count, switch
from jax_al.features.seen import spec_of
from jax_al.geometry.clustering import kmeans
from jax_al.geometry.vectors import inner
from jax_al.types import Features, Pool, Spec

# Added to the variance of a patch, in squared units of 0..255: no noise is blown up.
CONTRAST = 10.0
# Added to the eigenvalues that whitening divides by. The paper's code has 0.1; on other images
# of CIFAR-10's pool, 1 was better by 0.012 at 100 labels and by 0.020 at 1,000 (docs/features.md).
RIDGE = 1.0
ITERATIONS = 50  # of k-means at most
_SEED = 2011  # a constant, so that every run and every machine samples the same patches
_READ_BYTES = 1 << 24  # images read together
_MOST_BYTES = 1 << 29  # of the patches of one image and what is made of them
_VERSION = 1  # another one where the numbers change: what is cached is made anew


def patches(
    *,
    patch: int = 6,
    centroids: int = 400,
    stride: int = 1,
    grid: int = 2,
    samples: int = 100_000,
    mirror: bool = False,
    root: bool = False,
) -> Features:
    """Returns features of images uint8 [H, W, channels]: float32 [B, grid * grid * centroids].

    The fit samples patches with a fixed seed, so it depends on the pool and on nothing else. Its
    State has mean [D], whitening [D, D] and centroids [K, D], D = patch * patch * channels; K is
    less than `centroids` where the sample holds fewer distinct patches.

    Args:
      patch: pixels a side of a patch.
      centroids: patches that others are compared with; more are better and cost in proportion.
      stride: pixels between two patches.
      grid: cells a side that are summed apart.
      samples: patches that are sampled for the fit.
      mirror: whether what the mirror image gives, left for right, is added: worth much for photos,
        in twice the time, and wrong for writing.
      root: whether the square roots of the sums are taken, so that many patches of one kind count
        less than many kinds (Perronnin, Sanchez & Mensink 2010).

    Raises:
      UsageError: an option is out of its range; by `fit`: the examples are no images, or too small
        or too large for the options.
    """
    count("patch", patch, least=2)
    count("centroids", centroids)
    count("stride", stride)
    count("grid", grid)
    count("samples", samples)
    switch("mirror", mirror)
    switch("root", root)
    shape = {"patch": patch, "stride": stride, "grid": grid}

    def fit(pool: Pool) -> dict[str, np.ndarray]:
        check_patches(pool.spec, centroids=centroids, **shape)
        return _fit(normalised(sample(pool, patch, samples)), centroids)

    def apply(state: dict[str, Any], images: Any) -> jax.Array:
        spec = spec_of(images)
        check_patches(spec, centroids=centroids, **shape)
        if spec.shape[2] * patch**2 != len(state["mean"]):
            raise UsageError(
                f"The patches were learned from images of {len(state['mean']) // patch**2} "
                f"channels, and these have {spec.shape[2]}."
            )
        return _apply(state, images, **shape, mirror=mirror, root=root)

    options = f"centroids={centroids}, samples={samples}"
    given = ", ".join(f"{name}={value}" for name, value in shape.items())
    # As they were called before there were these, where they are not used.
    more = "".join(f", {name}" for name, on in {"mirror": mirror, "root": root}.items() if on)
    return Features(f"patches({given}, {options}, version={_VERSION}{more})", fit, apply)


def sample(pool: Pool, patch: int, samples: int) -> np.ndarray:
    """Returns patches uint8 [samples, patch * patch * channels] from random places of the pool."""
    height, width, _ = pool.spec.shape
    rng = np.random.RandomState(_SEED)  # as NumPy promises never to change its stream
    rows = np.sort(rng.randint(0, len(pool), samples))
    top, left = (rng.randint(0, side - patch + 1, samples) for side in (height, width))
    found = np.empty((samples, patch * patch * pool.spec.shape[2]), np.uint8)
    wanted, first = np.unique(rows, return_index=True)
    first = np.append(first, samples)
    step = max(1, _READ_BYTES // math.prod(pool.spec.shape))
    for start in range(0, len(wanted), step):
        images = pool.read(wanted[start : start + step])
        here = slice(first[start], first[start + len(images)])
        windows = np.lib.stride_tricks.sliding_window_view(images, (patch, patch), axis=(1, 2))
        image = np.searchsorted(wanted[start : start + step], rows[here])
        cut = windows[image, top[here], left[here]]  # [n, channels, patch, patch]
        found[here] = np.moveaxis(cut, 1, -1).reshape(len(cut), -1)
    return found


def normalised(patches: np.ndarray) -> np.ndarray:
    """Returns patches uint8 [n, D] with mean 0 and about the same contrast, float32 [n, D]."""
    centred = patches.astype(np.float32)
    centred -= centred.mean(axis=1, keepdims=True)
    centred /= np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + np.float32(CONTRAST))
    return centred


def _fit(patches: np.ndarray, centroids: int) -> dict[str, np.ndarray]:
    mean, whitening = _whitening(patches)
    whitened = (patches - mean) @ whitening
    clusters = _kmeans(whitened, min(centroids, len(whitened)))
    exist = np.asarray(clusters.sizes) > 0
    if exist.sum() < centroids:
        logging.warning(
            "The pool has no more than %d distinct patches: there are so many centroids, not %d.",
            exist.sum(), centroids,
        )  # fmt: skip
    return {"mean": mean, "whitening": whitening, "centroids": np.asarray(clusters.centers)[exist]}


def _whitening(patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mean [D] and W [D, D] as float32, by way of float64."""
    mean = patches.mean(axis=0, dtype=np.float64)
    scatter = np.zeros((len(mean), len(mean)))
    for start in range(0, len(patches), 8192):
        centred = patches[start : start + 8192] - mean
        scatter += centred.T @ centred
    values, vectors = np.linalg.eigh(scatter / max(1, len(patches) - 1))
    whitening = (vectors / np.sqrt(np.maximum(values, 0) + RIDGE)) @ vectors.T
    return mean.astype(np.float32), whitening.astype(np.float32)


@functools.partial(jax.jit, static_argnums=1)
def _kmeans(points: jax.Array, centroids: int) -> Any:
    key = jax.random.key(_SEED)
    return kmeans(key, points, centroids, max_clusters=centroids, iterations=ITERATIONS)


@functools.partial(jax.jit, static_argnames=("patch", "stride", "grid", "mirror", "root"))
def _apply(
    state: dict[str, jax.Array],
    images: jax.Array,
    *,
    patch: int,
    stride: int,
    grid: int,
    mirror: bool,
    root: bool,
) -> jax.Array:
    """Image by image: what is made of one stays in the cache of a core."""

    def sums(image):
        cut = _cut(image.astype(jnp.float32), patch, stride)
        height, width, D = cut.shape
        cut = cut.reshape(-1, D)
        cut = cut - cut.mean(axis=1, keepdims=True)
        cut = cut / jnp.sqrt(jnp.square(cut).mean(axis=1, keepdims=True) + CONTRAST)
        w, c = inner(cut - state["mean"][None], state["whitening"].T), state["centroids"]
        own = jnp.square(w).sum(axis=1, keepdims=True)
        sq = own + jnp.square(c).sum(axis=1)[None] - 2 * inner(w, c)
        z = jnp.sqrt(jnp.maximum(sq, 0.0))
        triangle = jnp.maximum(z.mean(axis=1, keepdims=True) - z, 0.0).reshape(height, width, -1)
        rows, columns = (_cells(side, grid) for side in (height, width))
        return jnp.concatenate([triangle[a, b].sum(axis=(0, 1)) for a in rows for b in columns])

    def one(image):
        found = sums(image) + sums(image[:, ::-1]) if mirror else sums(image)
        return jnp.sqrt(found) if root else found

    return lax.map(one, images)


def _cut(image: jax.Array, patch: int, stride: int) -> jax.Array:
    """All patches of an image [H, W, channels]: [h, w, patch * patch * channels]."""
    height, width = (_places(side, patch, stride) for side in image.shape[:2])
    shifted = [
        image[i : i + (height - 1) * stride + 1 : stride, j : j + (width - 1) * stride + 1 : stride]
        for i in range(patch)
        for j in range(patch)
    ]
    return jnp.concatenate(shifted, axis=-1)


def _places(side: int, patch: int, stride: int) -> int:
    return (side - patch) // stride + 1


def _cells(side: int, grid: int) -> list[slice]:
    """The places 0..side-1 in `grid` slices; of an odd number the first ones have more."""
    cuts = [-(-side * i // grid) for i in range(grid + 1)]
    return [slice(a, b) for a, b in itertools.pairwise(cuts)]


def check_patches(
    spec: Spec, *, patch: int = 6, stride: int = 1, grid: int = 2, centroids: int = 400
) -> None:
    """Makes sure that `patches` can be cut from such examples.

    Raises:
      UsageError: they are no images, or too small or too large.
    """
    if not spec.is_image:
        raise UsageError(
            f"patches are cut from images, and these examples are {spec.dtype} {spec.shape}: take "
            "other features, or none."
        )
    height, width, channels = spec.shape
    least = patch + (grid - 1) * stride
    if min(height, width) < least:
        raise UsageError(
            f"patches of {patch} pixels, {stride} apart, on a grid of {grid}, need images of "
            f"{least} pixels a side, and these are {height}x{width}: lower patch, stride or grid."
        )
    places = _places(height, patch, stride) * _places(width, patch, stride)
    needed = 4 * places * 2 * (patch * patch * channels + centroids)
    if needed > _MOST_BYTES:
        raise UsageError(
            f"patches would hold {needed / 2**30:.1f} GiB for one image of {height}x{width}, more "
            f"than {_MOST_BYTES / 2**30:.1f}: raise stride, or make the images smaller (--size of "
            "jax-al label, data.image_size of a recipe)."
        )
