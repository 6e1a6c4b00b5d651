"""Files in PyTorch's older form, written without it."""

import collections
import io
import pickle
import sys
import types
from unittest import mock

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
SYSTEM = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}
STORAGES = {"f4": "FloatStorage", "i8": "LongStorage", "f2": "HalfStorage"}


def _modules():
    """Names that a pickle of PyTorch may hold, so that pickle finds them."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in STORAGES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def rebuild(*args):
        raise AssertionError("pickling calls nothing")

    rebuild.__module__, rebuild.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = rebuild
    torch._utils = utils
    return {"torch": torch, "torch._utils": utils}


class Tensor:
    """A view of `base`, an array in one dimension, as PyTorch describes it."""

    def __init__(self, base, offset, shape, strides):
        self.base, self.numbers = base, (offset, tuple(shape), tuple(strides))

    def __reduce__(self):
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        return rebuild, (self.base, *self.numbers, False, collections.OrderedDict())


def tensor(array):
    """Returns a Tensor of all of `array`, however it lies in memory."""
    base = np.lib.stride_tricks.as_strided(array, (array.size,), (array.itemsize,))
    return Tensor(base, 0, array.shape, [step // array.itemsize for step in array.strides])


class _Pickler(pickle.Pickler):
    def persistent_id(self, found):
        if not isinstance(found, np.ndarray):
            return None
        name = STORAGES[found.dtype.str[1:]]
        return (
            "storage",
            getattr(sys.modules["torch"], name),
            str(id(found)),
            "cpu",
            found.size,
            None,
        )


def content(found, head=MAGIC):
    """Returns the bytes of a file that holds `found`: a dictionary of Tensors, or whatever."""
    file = io.BytesIO()
    tensors = found.values() if isinstance(found, dict) else ()
    bases = {str(id(x.base)): x.base for x in tensors if isinstance(x, Tensor)}
    with mock.patch.dict(sys.modules, _modules()):
        for part in (head, 1001, SYSTEM, found, list(bases)):
            _Pickler(file, 2).dump(part)
    for base in bases.values():
        file.write(base.size.to_bytes(8, "little") + base.tobytes())
    return file.getvalue()
