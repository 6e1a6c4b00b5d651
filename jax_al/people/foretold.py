"""What very many pictures take after they have been read, told before they are.

A few pictures of noise stand for them: what is seen hardly changes how long features take.
"""

import time

import numpy as np

from jax_al.features.named import features_named
from jax_al.geometry.groups import groups_within
from jax_al.people.settings import Settings, suited
from jax_al.people.twins import NEAR
from jax_al.pools.arrays import arrays
from jax_al.pools.progress import in_words
from jax_al.types import Features

_PICTURES = 128  # of noise
_POINTS = 8192  # of noise, that are compared with each other
_NUMBERS = 192  # what a picture is compared by: 8 x 8 blocks of three colors


def what_follows(settings: Settings, count: int) -> str:
    """Returns a sentence: what `count` pictures take once they are read, in time and on disk.

    Args:
      settings: of the project, whose features are made of pictures; not of another tool.
      count: of pictures.

    Raises:
      UsageError: the features cannot be had.
    """
    args = settings.features_args
    if args is None:  # not chosen yet
        args = suited(settings, count).features_args or {}
    first, *more = features_named(settings.features or "", **args)
    near = f"Looking for near duplicates takes about {in_words(_comparing(count))}."
    if not isinstance(first, Features) or not first.fit.__module__.startswith("jax_al."):
        return near  # from a file, or of somebody who may not like noise
    seconds, width = _cost(first, settings.size, count)
    numbers = width + (min(width, args.get("pca") or width) if more else 0)
    return (
        f"After that, features ({settings.features}) take about {in_words(seconds)} and "
        f"{4 * count * numbers / 2**30:.1f} GiB. {near}"
    )


def _cost(features: Features, size: int, count: int) -> tuple[float, int]:
    """Returns the seconds that features of `count` pictures take, and how many they are of each."""
    noise = np.random.default_rng(0).integers(0, 256, (_PICTURES, size, size, 3), np.uint8)
    start = time.perf_counter()
    state = features.fit(arrays(noise))
    fitted = time.perf_counter()
    found = np.asarray(features.apply(state, noise))  # compiles
    compiled = time.perf_counter()
    np.asarray(features.apply(state, noise))
    each = (time.perf_counter() - compiled) / _PICTURES
    return fitted - start + each * count, found.shape[1]


def _comparing(count: int) -> float:
    """Returns the seconds that it takes to compare `count` pictures with each other."""
    noise = np.random.default_rng(0).standard_normal((_POINTS, _NUMBERS), np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    groups_within(noise, NEAR)  # compiles
    start = time.perf_counter()
    groups_within(noise, NEAR)
    return (time.perf_counter() - start) * (count / _POINTS) ** 2
