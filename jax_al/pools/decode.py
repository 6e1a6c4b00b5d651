"""Encoded images as arrays of one shape."""

import concurrent.futures
import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from jax_al.errors import UsageError
from jax_al.pools.cache import Split
from jax_al.pools.progress import tracked
from jax_al.pools.tfds_prepare import Keys, one_line

ID_FEATURES = ("id", "file_name", "filename", "image_id")
LARGE_BYTES = 8192  # encoded images from this size on decode faster in threads, smaller slower
_BATCH = 512  # records read at a time: 20 times faster than one by one


def decoded_blocks(
    builder: Any, source: Any, split: str, keys: Keys, image_size: int | None
) -> Iterator[Split]:
    """Decodes a split of a TFDS data set, block by block.

    Args:
      builder: what `prepared_builder` returned.
      source: what `data_source` returned for `split`.
      split: its name.
      keys: the features that hold image and label.
      image_size: see `resize_square`; None leaves images as they are.

    Yields:
      Some hundred images at a time, in order.

    Raises:
      UsageError: the data is damaged, has images of different shapes or without a label.
    """
    features = builder.info.features
    id_feature = next((key for key in ID_FEATURES if key in features), None)
    channels = features[keys.image].shape[-1]

    def decode(record: dict[str, Any]) -> np.ndarray:
        pixels = _decode_image(record[keys.image], channels)
        return pixels if image_size is None else resize_square(pixels, image_size)

    shape: tuple[int, ...] | None = None
    starts = range(0, len(source), _BATCH)
    with concurrent.futures.ThreadPoolExecutor() as threads:
        for start in tracked(starts, f"Decoding {builder.name} {split}"):
            rows = range(start, min(start + _BATCH, len(source)))
            try:
                records = source.__getitems__(rows)
                large = len(records[0][keys.image]) >= LARGE_BYTES
                images = list((threads.map if large else map)(decode, records))
            except Exception as error:  # each layer has its own for damaged bytes
                raise UsageError(
                    f"The prepared data of {builder.name} in {builder.data_dir} is damaged "
                    f"({one_line(error)}): delete that directory and prepare it again."
                ) from error
            shape = shape or images[0].shape
            for image in images:
                if image.shape != shape:
                    raise shapes_differ(shape, image.shape)
            labels = np.array([record[keys.label] for record in records], np.int32)
            if labels.min() < 0:
                raise UsageError(f"Split {split!r} of {builder.name} has images without a label.")
            ids = [_text(record[id_feature]) for record in records] if id_feature else None
            yield Split(np.stack(images), labels, None if ids is None else np.array(ids))


def resize_square(pixels: np.ndarray, size: int) -> np.ndarray:
    """Cuts the middle square out of an image and resizes it to `size`.

    An image that is already that square is returned as it is, bit for bit. The filter is
    Pillow's bicubic, which widens with the scale and so antialiases; it rings less at edges than
    Lanczos and blurs less than a box, and is what most classification pipelines use.

    Args:
      pixels: uint8 [H, W, C], C = 1, 3 or 4.
      size: side of the result.

    Returns:
      uint8 [size, size, C].
    """
    from PIL import Image

    height, width, channels = pixels.shape
    if (height, width) == (size, size):
        return pixels
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = pixels[top : top + side, left : left + side]
    image = Image.fromarray(square[..., 0] if channels == 1 else square)
    resized = np.asarray(image.resize((size, size), Image.Resampling.BICUBIC))
    return resized.reshape(size, size, channels)


def shapes_differ(one: tuple[int, ...], other: tuple[int, ...]) -> UsageError:
    """Returns the error for images of two shapes."""
    shapes = " and ".join("x".join(map(str, shape)) for shape in (one, other))
    return UsageError(
        f"The images have different shapes ({shapes}): set data.image_size to make them squares."
    )


def _decode_image(encoded: bytes, channels: int | None) -> np.ndarray:
    from PIL import Image

    mode = {1: "L", 4: "RGBA"}.get(channels or 3, "RGB")
    with Image.open(io.BytesIO(encoded)) as image:
        pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
