"""Tensors in a file that `torch.save` wrote in its older form, read without torch.

Such a file holds pickles, and a pickle may call whatever it names. Here it may name what tensors
are made of and nothing else. In order, the file has: a magic number, the version of the form, facts
about the machine, the dictionary of tensors, the keys of their storages (each a pickle of its own);
then for each key the number of elements, int64, and the elements (torch/serialization.py,
`_legacy_save`).
"""

import collections
import math
import os
import pickle
import pickletools
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from jax_al.errors import UsageError

_MAGIC = 0x1950A86A20F9469CFC6C
_FORM = 1001
_DTYPES: dict[str, np.dtype] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class _Storage(NamedTuple):
    key: str
    dtype: np.dtype
    size: int  # elements


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int  # of its first element, in elements
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in elements


def read_tensors(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Returns the tensors in the file `path` by their names, float32 or int64.

    Args:
      path: what `torch.save(model.state_dict(), path, _use_new_zipfile_serialization=False)`
        wrote, as all of PyTorch before 1.6 did.

    Raises:
      UsageError: there is no such file; it is damaged; or it holds, or wants to call, anything but
        tensors of these types by names.
    """
    try:
        with open(path, "rb") as file:
            return _read(file)
    except Exception as error:  # whatever a damaged pickle comes to, it is the file's fault
        said = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(f"{path} cannot be read as tensors of PyTorch: {said}.") from error


def _read(file: BinaryIO) -> dict[str, np.ndarray]:
    if [_load(file) for _ in range(2)] != [_MAGIC, _FORM]:
        raise ValueError("it was not saved in PyTorch's older form")
    if _load(file)["little_endian"] is not True:
        raise ValueError("its numbers are big-endian")
    found = _load(file)
    storages = {key: np.empty(0) for key in _load(file)}
    tensors = found.items() if isinstance(found, dict) else ()
    if not tensors or not all(type(n) is str and type(x) is _Tensor for n, x in tensors):
        raise ValueError("it holds something else than tensors by their names")
    wanted = {tensor.storage.key: tensor.storage for _, tensor in tensors}
    for key in storages:
        storages[key] = _elements(file, wanted[key])
    views = {name: _view(tensor, storages[tensor.storage.key]) for name, tensor in tensors}
    # Many views of one storage would become as many copies.
    if sum(view.size for view in views.values()) > sum(map(len, storages.values())):
        raise ValueError("its tensors are larger than what it holds")
    return {name: np.array(view, order="C") for name, view in views.items()}


def _load(file: BinaryIO) -> Any:
    """Returns what the next pickle holds."""
    start = file.tell()
    for number, (code, place, _) in enumerate(pickletools.genops(file)):
        # The unpickler makes room for as many as the largest place says: gigabytes for a few bytes.
        if "PUT" in code.name and place and place > number:
            raise pickle.UnpicklingError("it remembers more than it says")
    file.seek(start)
    return _Restricted(file).load()


def _elements(file: BinaryIO, storage: _Storage) -> np.ndarray:
    size = int.from_bytes(file.read(8), "little", signed=True)
    if size != storage.size:
        raise ValueError(f"a storage has {size} elements in place of {storage.size}")
    content = file.read(size * storage.dtype.itemsize)
    if len(content) != size * storage.dtype.itemsize:
        raise EOFError("it ends too early")
    return np.frombuffer(content, storage.dtype)


def _view(tensor: _Tensor, elements: np.ndarray) -> np.ndarray:
    shape, strides = tensor.shape, tensor.strides
    numbers = (tensor.offset, *shape, *strides)
    last = tensor.offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    is_within = min(numbers) >= 0 and last < len(elements) and math.prod(shape) <= len(elements)
    if tensor.storage.dtype != elements.dtype or not is_within:
        raise ValueError("a tensor reaches beyond its storage")
    steps = tuple(step * elements.itemsize for step in strides)
    return np.lib.stride_tricks.as_strided(elements[tensor.offset :], shape, steps)


class _Restricted(pickle.Unpickler):
    """Makes tensors and dictionaries; whatever else a pickle names is refused and not imported."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            # A function of its own each time: a pickle may set attributes of what it names.
            return lambda storage, offset, shape, strides, *_: _Tensor(
                storage, offset, shape, strides
            )
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch" and name in _DTYPES:
            return name
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is not needed here")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, name, key, _, size, view = pid
        if kind != "storage" or view is not None:
            raise pickle.UnpicklingError("it holds a storage of another kind")
        return _Storage(key, _DTYPES[name], size)
