"""Small made-up archives in the formats of CIFAR-10 and Flowers-102, and the network's stand-in.

Also what tests of benchmarks share: one opened and read whole.
"""

import contextlib
import hashlib
import io
import shutil
import tarfile
import types

import numpy as np
import pytest
import scipy.io
import tensorflow_datasets as tfds
from PIL import Image
from tensorflow_datasets.core.download import checksums, downloader

from jax_al.pools.load import benchmark
from jax_al.pools.rows import whole_index

CIFAR_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
FLOWERS_URL = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"
CIFAR_CLASSES = ["airplane", "automobile", "bird", "cat", "deer"]
CIFAR_CLASSES += ["dog", "frog", "horse", "ship", "truck"]


def tar_gz(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def cifar(per_batch=3, test=4, seed=0):
    """Returns ({url: archive}, {id: (uint8 [32, 32, 3], label)})."""
    rng = np.random.default_rng(seed)
    sizes = {f"data_batch_{i}.bin": per_batch for i in range(1, 6)} | {"test_batch.bin": test}
    files, truth, train = {}, {}, 0
    for name, size in sizes.items():
        pixels = rng.integers(0, 256, (size, 32, 32, 3), dtype=np.uint8)
        labels = rng.integers(0, 10, size, dtype=np.uint8)
        # One byte of label, then the red plane, the green and the blue.
        rows = np.concatenate([labels[:, None], pixels.transpose(0, 3, 1, 2).reshape(size, -1)], 1)
        files[f"cifar-10-batches-bin/{name}"] = rows.tobytes()
        first = 0 if name.startswith("test") else train
        prefix = "test" if name.startswith("test") else "train"
        for i in range(size):
            truth[f"{prefix}_{first + i:05d}"] = (pixels[i], int(labels[i]))
        train += size
    names = "\n".join(CIFAR_CLASSES) + "\n\n"
    files["cifar-10-batches-bin/batches.meta.txt"] = names.encode()
    return {CIFAR_URL: tar_gz(files)}, truth


def flowers(seed=0):
    """Returns ({url: archive}, {split: {file_name: (jpeg bytes, label from 0)}})."""
    rng = np.random.default_rng(seed)
    ids = {"train": [3, 5, 9, 1], "validation": [2, 8, 7], "test": [4, 6, 10, 11, 12]}
    labels = rng.integers(1, 103, 12)
    labels[:2] = 1, 102
    jpegs = {}
    for i in range(1, 13):
        height, width = rng.integers(70, 130, 2)
        coarse = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(coarse).resize((width, height)).save(buffer, "JPEG")
        jpegs[i] = buffer.getvalue()
    split_keys = {"train": "trnid", "validation": "valid", "test": "tstid"}
    set_ids = {split_keys[split]: np.array([rows]) for split, rows in ids.items()}
    archives = {
        FLOWERS_URL + "102flowers.tgz": tar_gz(
            {f"jpg/image_{i:05d}.jpg": jpeg for i, jpeg in jpegs.items()}
        ),
        FLOWERS_URL + "imagelabels.mat": _mat(labels=labels[None]),
        FLOWERS_URL + "setid.mat": _mat(**set_ids),
    }
    truth = {
        split: {f"image_{i:05d}.jpg": (jpegs[i], int(labels[i - 1]) - 1) for i in rows}
        for split, rows in ids.items()
    }
    return archives, truth


def _mat(**arrays):
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, arrays)
    return buffer.getvalue()


@contextlib.contextmanager
def served(name, archives, *, register=True):
    """Answers TFDS's downloads from `archives`, and registers their checksums for `name`."""

    @contextlib.contextmanager
    def open_url(url, **_):
        data = archives[url]
        yield types.SimpleNamespace(url=url, headers={}), iter([data[:100], data[100:]])

    infos = {
        url: checksums.UrlInfo(
            size=tfds.core.utils.Size(len(data)),
            checksum=hashlib.sha256(data).hexdigest(),
            filename=url.rsplit("/", 1)[1],
        )
        for url, data in archives.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(downloader, "_open_url", open_url)
        if register:
            patch.setattr(tfds.builder_cls(name), "url_infos", infos)
        yield


def define(name, features, splits):
    """Registers, once, a TFDS data set `name` of these features and {split: [example, ...]}."""
    with contextlib.suppress(tfds.core.registered.DatasetNotFoundError):
        return tfds.builder_cls(name)

    def info(self):
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def split_generators(self, dl_manager):
        return {split: enumerate(examples) for split, examples in splits.items()}

    def generate(self):
        raise NotImplementedError

    methods = {"_info": info, "_split_generators": split_generators, "_generate_examples": generate}
    camel = "".join(word.capitalize() for word in name.split("_"))
    return type(
        camel,
        (tfds.core.GeneratorBasedBuilder,),
        {"VERSION": tfds.core.Version("1.0.0"), "__module__": __name__, **methods},
    )


def opened(name, **arguments):
    """Opens a benchmark with a test set and reads all of it."""
    found = benchmark(name, **arguments)
    return types.SimpleNamespace(
        name=found.name,
        version=found.version,
        images=found.pool.read(slice(0, len(found.pool))),
        labels=found.truth,
        index=whole_index(found.pool),
        ids=np.array(found.pool.ids),
        test_images=found.test.read(slice(0, len(found.test))),
        test_labels=found.test_labels,
        test_ids=np.array(found.test.ids),
        class_names=found.classes,
    )


def assert_same(one, other):
    """Makes sure that two benchmarks `opened` are equal."""
    for field, value in vars(one).items():
        np.testing.assert_array_equal(value, getattr(other, field))


def prepare_cifar(root, archives):
    """Fills a data_dir with a prepared cifar10."""
    with served("cifar10", archives):
        opened("cifar10", data_dir=str(root), cache_dir=str(root / "cache"))
    shutil.rmtree(root / "cache")


def png(pixels):
    """Returns uint8 [H, W] or [H, W, C] as the bytes of a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
