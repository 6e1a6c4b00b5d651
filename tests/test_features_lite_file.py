"""PyTorch's older files: tensors come back whatever their strides, and nothing else is let in."""

import collections
import io
import os
import zipfile

import made_up_torch as torch
import numpy as np
import pytest

from jax_al.errors import UsageError
from jax_al.features.torch_file import read_tensors

RNG = np.random.default_rng(0)
FLOATS = RNG.normal(size=(2, 3, 4)).astype(np.float32)


@pytest.fixture
def file(tmp_path):
    """Writes a file and returns its path."""

    def write(content):
        path = tmp_path / "weights.pth"
        path.write_bytes(content)
        return path

    return write


def refused(path, match=None):
    with pytest.raises(UsageError, match=match) as told:
        read_tensors(path)
    assert str(told.value).startswith(f"{path} cannot be read as tensors of PyTorch: ")
    assert "\n" not in str(told.value)


def test_tensors_come_back_by_name_and_in_order(file):
    turned = np.ascontiguousarray(FLOATS.transpose(2, 0, 1)).transpose(1, 2, 0)
    base = np.arange(20, dtype=np.float32)
    found = read_tensors(
        file(
            torch.content(
                collections.OrderedDict(
                    whole=torch.tensor(FLOATS),
                    turned=torch.tensor(turned),
                    count=torch.tensor(np.array(7)),
                    head=torch.Tensor(base, 0, (2, 3), (3, 1)),
                    tail=torch.Tensor(base, 5, (3, 2), (1, 6)),
                )
            )
        )
    )
    assert list(found) == ["whole", "turned", "count", "head", "tail"]
    np.testing.assert_array_equal(found["whole"], FLOATS)
    np.testing.assert_array_equal(found["turned"], FLOATS)
    np.testing.assert_array_equal(found["head"], base[:6].reshape(2, 3))
    np.testing.assert_array_equal(found["tail"], [[5, 11], [6, 12], [7, 13]])
    assert (found["count"], found["count"].dtype) == (7, np.int64)
    assert found["turned"].dtype == np.float32


class Call:
    """What a pickle calls when it is read by `pickle.load`."""

    def __init__(self, function, *arguments):
        self.parts = function, arguments

    def __reduce__(self):
        return self.parts


@pytest.mark.parametrize("place", ["magic number", "tensor", "name", "whole"])
@pytest.mark.parametrize(("function", "named"), [(os.system, "posix.system"), (eval, "eval")])
def test_what_calls_anything_is_refused_before_it_is_called(file, tmp_path, place, function, named):
    there = tmp_path / "called"
    words = f"touch {there}" if function is os.system else f"open({str(there)!r}, 'w')"
    call = Call(function, words)
    content = {
        "magic number": lambda: torch.content({"x": torch.tensor(FLOATS)}, head=call),
        "tensor": lambda: torch.content({"x": torch.tensor(FLOATS), "y": call}),
        "name": lambda: torch.content({call: torch.tensor(FLOATS)}),
        "whole": lambda: torch.content(call),
    }[place]()
    refused(file(content), rf"it names \S*{named}, which is not needed here")
    assert not there.exists()


def test_a_pickle_cannot_change_what_it_names(file):
    """It sets the defaults of the function that makes tensors, which later files would get."""
    spoiled = (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(N}X\x0c\x00\x00\x00__defaults__(K\x01tstb."
    )
    refused(file(spoiled), "pickle exhausted")  # the first one is read, and no second is there
    short = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(tR."  # without arguments
    refused(file(short), "missing 4 required")


def test_a_few_bytes_cannot_ask_for_gigabytes(file):
    far = b"\x80\x02Nr" + (2**27).to_bytes(4, "little") + b"."  # in C's memo: 2 GB of nothing
    refused(file(far), "remembers more than it says")
    base = np.zeros(100, np.float32)
    views = {str(n): torch.Tensor(base, 0, (100,), (1,)) for n in range(2)}
    refused(file(torch.content(views)), "tensors are larger than what it holds")


def test_a_file_that_ends_anywhere_is_refused(file):
    content = torch.content({"x": torch.tensor(FLOATS), "y": torch.tensor(FLOATS[0])})
    read_tensors(file(content))
    for length in [*range(0, len(content), 23), len(content) - 1]:
        refused(file(content[:length]))


def test_another_type_of_numbers_is_refused(file):
    content = torch.content({"x": torch.tensor(FLOATS.astype(np.float16))})
    refused(file(content), r"it names torch.HalfStorage")


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [(0, (5,), (1,)), (1, (2, 2), (2, 1)), (-1, (2,), (1,)), (3, (2,), (-1,)), (0, (99,), (0,))],
)
def test_a_tensor_beyond_its_storage_is_refused(file, offset, shape, strides):
    tensor = torch.Tensor(np.zeros(4, np.float32), offset, shape, strides)
    refused(file(torch.content({"x": tensor})), "reaches beyond its storage")


@pytest.mark.parametrize("found", [{"x": 1}, [1, 2], {}, {1: torch.tensor(FLOATS)}])
def test_what_holds_no_tensors_is_refused(file, found):
    refused(file(torch.content(found)), "something else than tensors by their names")


def test_the_newer_form_and_other_files_are_refused(file, tmp_path):
    newer = io.BytesIO()
    with zipfile.ZipFile(newer, "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    refused(file(newer.getvalue()))
    refused(file(torch.content({"x": torch.tensor(FLOATS)}, head=5)), "older form")
    refused(tmp_path / "none.pth", "No such file")
