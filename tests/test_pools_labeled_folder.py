"""Folders of pictures whose labels are known: by subfolder, or by a table beside."""

import numpy as np
import pytest
from made_up_pictures import encoded, pixels

import jax_al as al
from jax_al.errors import UsageError


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A function that writes pictures by the names of their files."""
    monkeypatch.chdir(tmp_path)

    def written(root, names, first=0):
        for seed, name in enumerate(names, first):
            path = tmp_path / root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(pixels(seed), "PNG"))

    return written


def opened(name="./photos", **options):
    return al.benchmark(name, cache_dir="cache", image_size=8, **options)


def test_the_class_is_the_first_subfolder(places):
    places("photos", ["cat/a.png", "cat/deep/b.png", "dog/c.png"])
    places("more", ["dog/d.png"], 10)
    found = opened(labels="folders", test_path="./more")
    assert found.classes == ("cat", "dog")
    assert found.truth.tolist() == [0, 0, 1]
    assert list(found.pool.ids) == ["cat/a.png", "cat/deep/b.png", "dog/c.png"]
    assert found.test_labels.tolist() == [1]
    assert (found.truth.dtype, found.test_labels.dtype) == (np.int32, np.int32)
    assert found.name == "photos"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_names_the_classes(places, tmp_path, encoding, delimiter):
    places("photos", ['a, "x";\t.png', "b.png"])
    lines = ['Id,"Label"\r\n', '"a, ""x"";\t.png",NA\r\n', "b.png, 1.0 \r\n", ",\r\n"]
    text = "".join(delimiter.join(line.rsplit(",", 1)) for line in lines)
    (tmp_path / "y.csv").write_bytes(text.encode(encoding))
    found = opened(labels="y.csv")
    assert found.classes == ("1.0", "NA")
    assert found.truth.tolist() == [1, 0]


def test_without_labels_there_is_a_pool_alone(places):
    places("photos", ["a.png"])
    found = opened()
    assert (found.truth, found.classes, found.test) == (None, (), None)
    assert al.benchmark("./photos", cache_dir="cache").pool.spec.shape == (96, 96, 3)


def test_a_picture_under_two_labels_is_left_out_and_told(places, tmp_path, caplog):
    places("photos", ["cat/a.png", "cat/b.png", "dog/c.png"])
    (tmp_path / "photos/dog/same.png").write_bytes((tmp_path / "photos/cat/a.png").read_bytes())
    (tmp_path / "photos/cat/z.png").write_bytes((tmp_path / "photos/cat/b.png").read_bytes())
    found = opened(labels="folders")
    assert list(found.pool.ids) == ["cat/b.png", "dog/c.png"]
    assert found.truth.tolist() == [0, 1]
    assert "1 pictures lie there under two labels" in caplog.text


def test_what_is_no_picture_is_told(places, tmp_path, caplog):
    places("photos", ["cat/a.png"])
    (tmp_path / "photos/notes.txt").write_text("x")
    opened(labels="folders")
    assert "Of the files in ./photos 1 was passed over, such as notes.txt, which" in caplog.text


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"labels": "folders"}, r"b\.png lies in no subfolder of \./photos"),
        ({"labels": "y.csv"}, r"y\.csv has no label of b\.png"),
        ({"labels": "two.csv"}, r"two\.csv has two labels of b\.png: 'x' and 'y'"),
        ({"labels": "gone.csv"}, r"gone\.csv cannot be read: No such file"),
        ({"labels": "head.csv"}, r"head\.csv must have the columns id and label, and has a, b"),
        ({"labels": "more.csv"}, r"more\.csv has more cells in the line of 'b' than"),
        ({"labels": "none.csv"}, r"none\.csv must have the columns id and label, and has none"),
        ({"labels": "book.csv"}, r"book\.csv is a workbook or an archive"),
        ({"labels": "long.csv"}, r"long\.csv cannot be read as a table: field larger than"),
        ({"labels": "y.npy"}, r"labels is 'y\.npy', but must be 'folders' or the path of"),
        ({"test_path": "./photos"}, r"test_path needs labels"),
        ({"test_labels": "y.csv"}, r"test_labels is set, but test_path is not"),
        ({"label_key": "y"}, r"label_key is 'y', but says nothing about \./photos"),
    ],
)
def test_what_does_not_fit_is_a_sentence(places, tmp_path, options, sentence):
    places("photos", ["cat/a.png", "b.png"])
    (tmp_path / "y.csv").write_text("id,label\ncat/a.png,x\n")
    (tmp_path / "two.csv").write_text("id,label\nb.png,x\nb.png,y\n")
    (tmp_path / "long.csv").write_text(f"id,label\nb.png,{'x' * 200_000}\n")
    (tmp_path / "more.csv").write_text("id,label\nb, c.png,x\n")
    (tmp_path / "none.csv").write_text("\n")
    (tmp_path / "book.csv").write_bytes(b"PK\x03\x04\x14")
    (tmp_path / "head.csv").write_text("a,b\n")
    with pytest.raises(UsageError, match=sentence):
        opened(**options)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("./photosx", r"There is no folder \./photosx; a file ends in \.npy or \.npz\."),
        ("photos", r"name=photos is a data set of TFDS; the folder is \./photos\."),
    ],
)
def test_a_folder_that_is_not_there_or_named_as_a_data_set_is_told(places, name, sentence):
    places("photos", ["cat/a.png"])
    with pytest.raises(UsageError, match=sentence):
        opened(name, labels="folders")


def test_a_class_of_the_test_set_alone_is_a_sentence(places):
    places("photos", ["cat/a.png"])
    places("more", ["cow/d.png"], 10)
    with pytest.raises(UsageError, match=r"cow/d\.png of \./more is of the class 'cow', which no"):
        opened(labels="folders", test_path="./more")
