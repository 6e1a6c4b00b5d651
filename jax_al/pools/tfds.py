"""TFDS image-classification data sets, read from array_record without TensorFlow."""

import pathlib

from jax_al.pools import tfds_prepare
from jax_al.pools.cache import Split, cache_path, cached, fingerprint
from jax_al.pools.decode import decoded_blocks
from jax_al.pools.splits import Source

_CACHE_FORMAT = 2  # part of the key: raise it when the decoding or the files change


def tfds_source(
    name: str,
    data_dir: str | None,
    cache: pathlib.Path,
    image_size: int | None,
    image_key: str | None,
    label_key: str | None,
) -> Source:
    """Opens a data set by TFDS's name, preparing it first if need be; images are decoded once.

    Args:
      name: TFDS's name, such as "cifar10", "cifar10:3.0.2" or "cmaterdb/bangla".
      data_dir: where TFDS keeps prepared data; None means $TFDS_DATA_DIR, then TFDS's default.
      cache: the directory of the decoded images.
      image_size: see `resize_square`; None leaves images as they are.
      image_key: the feature with the image; see `tfds_prepare.find_keys`.
      label_key: the feature with the label.

    Raises:
      UsageError: see `tfds_prepare.prepared_builder`.
    """
    builder = tfds_prepare.prepared_builder(name, data_dir, image_key, label_key)
    keys = tfds_prepare.find_keys(builder, image_key, label_key)
    version = str(builder.version)

    def read(split: str) -> Split:
        source = tfds_prepare.data_source(builder, split)
        key = {
            "format": _CACHE_FORMAT,
            "dataset": builder.info.full_name,
            "split": split,
            "image_size": image_size,
            "keys": keys,
            "files": fingerprint(pathlib.Path(builder.data_dir)),
        }
        return cached(
            cache_path(cache, key),
            len(source),
            lambda: decoded_blocks(builder, source, split, keys, image_size),
        )

    return Source(
        name=builder.info.full_name.removesuffix(f"/{version}"),
        version=version,
        classes=tuple(builder.info.features[keys.label].names),
        rows=lambda split: tfds_prepare.split_rows(builder, split),
        read=read,
    )
