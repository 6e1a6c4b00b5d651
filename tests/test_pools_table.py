"""Benchmarks of .npy and .npz files, and of functions from outside."""

import numpy as np
import pytest

from jax_al.errors import UsageError
from jax_al.pools.load import benchmark
from jax_al.testing.pool import check_pool

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 5))
Y = np.append(RNG.integers(3, 6, 57), [3, 4, 5])
NAMES = np.array(["cat", "dog", "eel"])[Y - 3]
TEST_X, TEST_Y = RNG.normal(size=(20, 5)), np.repeat([5, 3], 10)


@pytest.fixture
def files(tmp_path):
    """The directory as text with a slash, with some files in it."""
    saved = {"x": X, "y": Y, "names": NAMES, "test_x": TEST_X, "test_y": TEST_Y}
    saved |= {"images": RNG.integers(0, 256, (60, 4, 4, 3), np.uint8)}
    saved |= {"test_names": np.array(["eel", "cat"])[np.arange(20) % 2]}
    for name, array in saved.items():
        np.save(tmp_path / f"{name}.npy", array)
    np.savez(tmp_path / "both.npz", x=X, y=Y, names=NAMES, more=X[:, :2])
    np.savez(tmp_path / "test.npz", features=TEST_X, y=TEST_Y)
    np.savez(tmp_path / "several.npz", a=X, b=X, y=Y)
    table = np.column_stack([X[:, :2], Y, X[:, 2:]])
    np.save(tmp_path / "table.npy", table)
    np.save(tmp_path / "test_table.npy", np.column_stack([TEST_X[:, :2], TEST_Y, TEST_X[:, 2:]]))
    return f"{tmp_path}/"


def assert_rows(pool, array):
    np.testing.assert_array_equal(pool.read(slice(None)), array.astype(np.float32))
    check_pool(pool)


@pytest.mark.parametrize(
    ("name", "labels", "test_path", "test_labels"),
    [
        ("x.npy", "{}y.npy", "test_x.npy", "{}test_y.npy"),
        ("x.npy", "{}y.npy", "test.npz", "y"),
        ("both.npz", "y", "test.npz", None),
        ("both.npz", "{}y.npy", "test_table.npy", "column:2"),
        ("table.npy", "column:2", "test_table.npy", None),
        ("table.npy", "column:2", "test_x.npy", "{}test_y.npy"),
    ],
)
def test_labels_stand_beside_inside_or_in_a_column(files, name, labels, test_path, test_labels):
    found = benchmark(
        files + name,
        labels=labels.format(files),
        test_path=files + test_path,
        test_labels=test_labels and test_labels.format(files),
    )
    assert_rows(found.pool, X)
    assert_rows(found.test, TEST_X)
    assert found.classes == ("3", "4", "5")
    assert found.truth.dtype == found.test_labels.dtype == np.int32
    np.testing.assert_array_equal(found.truth, Y - 3)
    np.testing.assert_array_equal(found.test_labels, TEST_Y - 3)
    assert found.name == name


@pytest.mark.parametrize("labels", ["{}names.npy", "names"])
def test_labels_may_be_names(files, labels):
    found = benchmark(
        files + "both.npz",
        labels=labels.format(files),
        test_path=files + "test_x.npy",
        test_labels=files + "test_names.npy",
    )
    assert found.classes == ("cat", "dog", "eel")
    np.testing.assert_array_equal(found.truth, Y - 3)
    np.testing.assert_array_equal(found.test_labels, [2, 0] * 10)


def test_classes_of_whole_numbers_are_sorted_as_numbers(tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", np.array([10, -1, 9] * 20))
    found = benchmark(str(tmp_path / "x.npy"), labels=str(tmp_path / "y.npy"))
    assert found.classes == ("-1", "9", "10")
    assert found.truth.tolist() == [2, 0, 1] * 20


def test_a_table_without_labels_has_no_truth(files):
    found = benchmark(files + "x.npy")
    assert_rows(found.pool, X)
    assert (found.truth, found.classes, found.test, found.test_labels) == (None, (), None, None)


def test_labels_of_bytes_are_text(files):
    np.save(files + "utf8.npy", np.array(["cät".encode(), b"dog"])[np.arange(60) % 2])
    assert benchmark(files + "x.npy", labels=files + "utf8.npy").classes == ("cät", "dog")


def test_images_of_a_file_are_images(files):
    found = benchmark(files + "images.npy", labels=files + "y.npy")
    assert found.pool.spec.is_image
    check_pool(found.pool)
    np.testing.assert_array_equal(found.pool.show(2), np.load(files + "images.npy")[2])


def test_a_subset_of_a_table(files):
    places = {"labels": files + "y.npy", "test_path": files + "test_x.npy"}
    found = benchmark(
        files + "x.npy", **places, test_labels=files + "test_y.npy", pool_size=9, test_size=4
    )
    assert_rows(found.pool, X[found.pool.index])
    np.testing.assert_array_equal(found.truth, Y[found.pool.index] - 3)
    np.testing.assert_array_equal(found.test_labels, TEST_Y[found.test.index] - 3)
    assert found.pool.ids == tuple(map(str, found.pool.index))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "none.npy"}, "no file .*none.npy"),
        ({"name": "text.npy"}, "text.npy cannot be read as a file of arrays"),
        ({"name": "text.npz"}, "text.npz cannot be read as a file of arrays"),
        ({"name": "table.csv", "labels": "y"}, "table.csv', a file that is no .npy or .npz: save"),
        ({"name": "objects.npy"}, "objects.npy holds Python objects: save numbers"),
        ({"name": "several.npz"}, r"must hold the rows as 'x'.*'a' \(60, 5\), 'b'"),
        ({"name": "y.npy"}, r"y.npy cannot be a pool. .*not of shape \(60,\)"),
        ({"name": "nan.npy"}, "nan.npy cannot be a pool. Row 1 of the examples holds NaN"),
        ({"labels": "y"}, "data.labels is 'y', but must be the path"),
        ({"name": "both.npz", "labels": "z"}, r"data.labels is 'z'.*\(x, y, names, more\)"),
        ({"labels": "{}none.npy"}, "no file"),
        ({"labels": "{}test_y.npy"}, r"a label for each of 60 rows, and is of shape \(20,\)"),
        ({"labels": "{}x.npy"}, r"is of shape \(60, 5\)"),
        ({"labels": "column:5"}, r"data.labels is 'column:5', but .* has columns 0\.\.4"),
        ({"labels": "column:-1"}, "has columns"),
        ({"labels": "column:x"}, "has columns"),
        ({"labels": "column:2"}, r"whole numbers or strings as labels, and has .* in row 0"),
        ({"name": "images.npy", "labels": "column:1"}, "has no two columns"),
        ({"labels": "{}dates.npy"}, "not datetime64"),
        ({"labels": "{}bytes.npy"}, "bytes.npy holds labels of bytes that are no text"),
        ({"labels": "{}large.npy"}, r"in row 0, which is beyond 2\^63"),
        ({"labels": "{}unsigned.npy"}, r"has 9223372036854775808 in row 1, which is beyond 2\^63"),
        ({"test_path": "{}test_x.npy"}, "data.test_path needs labels"),
        ({"labels": "{}y.npy", "test_path": "{}test_x.npy"}, "data.test_path needs labels"),
        ({"labels": "{}y.npy", "test_labels": "{}y.npy"}, "data.test_path is not"),
        (
            {"labels": "{}y.npy", "test_path": "{}images.npy", "test_labels": "{}y.npy"},
            r"holds examples of uint8 \(4, 4, 3\), but those of .* are float32 \(5,\)",
        ),
        (
            {"labels": "{}y.npy", "test_path": "{}x.npy", "test_labels": "{}eight.npy"},
            "has the class 8 in row 59, which no example of the pool has",
        ),
        (
            {"labels": "{}y.npy", "test_path": "{}x.npy", "test_labels": "{}names.npy"},
            "holds <U3 and the labels of the pool int64",
        ),
        ({"image_size": 8}, "data.image_size is 8, but says nothing about"),
        ({"label_key": "y"}, "data.label_key is 'y', but says nothing about"),
        ({"pool_size": 61}, "data.pool_size must lie between 1 and 60"),
    ],
)
def test_what_cannot_be_is_one_sentence(files, changes, words):
    for name in ("text.npy", "text.npz", "table.csv"):
        with open(files + name, "w") as file:
            file.write("no array")
    np.save(files + "objects.npy", np.array([[{}], [{}]]))
    np.save(files + "nan.npy", np.where(np.arange(3)[:, None] == 1, np.nan, np.ones((3, 2))))
    np.save(files + "dates.npy", np.zeros(60, "M8[D]"))
    np.save(files + "eight.npy", np.append(Y[:59], 8))
    np.save(files + "bytes.npy", np.array([b"a", b"\xff"])[np.arange(60) % 2])
    np.save(files + "large.npy", Y * 1e300 / 3)
    np.save(files + "unsigned.npy", (np.arange(60, dtype=np.uint64) % 2) << 63)
    changes = {k: v.format(files) if isinstance(v, str) else v for k, v in changes.items()}
    name = changes.pop("name", "x.npy")
    with pytest.raises(UsageError, match=words) as caught:
        benchmark(files + name, **changes)
    assert "\n" not in str(caught.value)


# --- from outside -------------------------------------------------------------------------------


@pytest.fixture
def module(tmp_path, monkeypatch, request):
    """Writes a module on Python's path and returns its name."""
    monkeypatch.syspath_prepend(tmp_path)
    name = f"outside_{abs(hash(request.node.name))}"

    def write(code):
        (tmp_path / f"{name}.py").write_text(
            "import numpy as np\nfrom jax_al.pools.arrays import arrays\n"
            "from jax_al.types import Benchmark\nX = np.arange(12.0).reshape(6, 2)\n"
            "pool = arrays(X)\n" + code
        )
        return name

    return write


def test_a_function_from_outside_may_return_a_pool(module):
    name = module("def make():\n    return pool\n")
    found = benchmark(f"{name}:make", pool_size=4)
    assert found.name == f"{name}:make"
    assert (found.truth, found.classes, found.test) == (None, (), None)
    assert_rows(found.pool, np.arange(12.0).reshape(6, 2)[found.pool.index])


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_a_function_from_outside_may_return_a_benchmark(module, dtype):
    name = module(
        f"def make():\n    truth = np.arange(6, dtype='{dtype}') % 2\n"
        "    return Benchmark(pool, truth, ('a', 'b'), pool, truth, 'mine', '2')\n"
    )
    found = benchmark(f"{name}:make", pool_size=3, test_size=2)
    assert (found.name, found.version, found.classes) == ("mine", "2", ("a", "b"))
    np.testing.assert_array_equal(found.truth, found.pool.index % 2)
    assert len(found.test) == 2
    assert found.truth.dtype == found.test_labels.dtype == np.int32


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("", "has no function 'make'"),
        ("make = 3", "has no function 'make'"),
        ("def make(): return X", "returned a ndarray without 'ids'"),
        ("def make(): return None", "returned a NoneType without 'ids'"),
        ("def make(): return Benchmark(X, None, ())", "returned a ndarray without 'ids'"),
        (
            "def make(): return Benchmark(pool, None, (), arrays(X[:, :1]))",
            "test set whose examples differ",
        ),
        (
            "def make(): return Benchmark(pool, [0.0] * 6, ('a',))",
            r"labels that are whole numbers, one for each of 6 examples, not float64 \(6,\)",
        ),
        (
            "def make(): return Benchmark(pool, np.zeros(5, np.int32), ('a',))",
            r"not int32 \(5,\)",
        ),
        (
            "def make(): return Benchmark(pool, np.arange(6, dtype=np.int32), ('a',))",
            r"labels 0\.\.5 for 1 classes",
        ),
        (
            "def make():\n    pool.spec = pool.spec._replace(shape=(3,))\n    return pool",
            r"whose examples are of shape \(2,\), where its spec says \(3,\)",
        ),
        (
            "def make():\n    pool.spec = (2,)\n    return pool",
            r"whose spec is \(2,\), and not an al.Spec",
        ),
        (
            "def make():\n    pool.spec = pool.spec._replace(dtype='float32')\n    return pool",
            "with a dtype of NumPy",
        ),
        (
            "class Lists(type(pool)):\n"
            "    def read(self, rows): return super().read(rows).tolist()\n"
            "def make():\n    pool.__class__ = Lists\n    return pool",
            "a pool that reads a list, and not an array",
        ),
        (
            "class Twice(type(pool)):\n    ids = ['a'] * 6\n"
            "def make():\n    pool.__class__ = Twice\n    return pool",
            "without 6 distinct texts as ids",
        ),
    ],
)
def test_what_comes_from_outside_is_checked(module, code, words):
    name = module(code)
    with pytest.raises(UsageError, match=words) as caught:
        benchmark(f"{name}:make")
    assert f"{name}:make" in str(caught.value)


def test_a_module_that_is_not_there_is_one_sentence():
    with pytest.raises(UsageError, match=r"there is no module 'not_there'"):
        benchmark("not_there:make")


def test_an_error_of_their_own_comes_through(module):
    name = module("def make():\n    return 1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        benchmark(f"{name}:make")
