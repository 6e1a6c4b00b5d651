import numpy as np
import pytest

from jax_al.errors import UsageError
from jax_al.pools.csv_table import csv_table
from jax_al.testing import check_pool

TABLE = 'id,a,show,b\n=x,1.5,"two\nlines",-2\n 007 ,1e-3,,16777216\n'


def written(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_a_table_has_ids_numbers_and_something_to_show(tmp_path, encoding):
    pool = csv_table(written(tmp_path, TABLE, encoding))
    check_pool(pool)
    assert list(pool.ids) == ["=x", " 007 "]
    np.testing.assert_array_equal(
        pool.read(slice(None)), np.array([[1.5, -2], [1e-3, 16777216]], np.float32)
    )
    assert (pool.show(0), pool.show(1)) == ("two\nlines", "")


@pytest.mark.parametrize("separator", [";", "\t"])
def test_cells_are_separated_as_spreadsheets_do(tmp_path, separator):
    text = TABLE.replace(",", separator).replace("two", "1,2;3\t4")
    pool = csv_table(written(tmp_path, text))
    assert (list(pool.ids), pool.show(0)) == (["=x", " 007 "], "1,2;3\t4\nlines")


def test_without_a_column_to_show_it_is_the_id(tmp_path):
    assert csv_table(written(tmp_path, "id,a\nx,1\ny,2\n\n")).show(1) == "y"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "must name the columns"),
        ("a,b\n1,2\n", "'id' among them"),
        ("id,a,a\nx,1,2\n", "each of them once"),
        ("id,show\nx,y\n", "no column of numbers"),
        ("id,a\n", "no line below"),
        ("id,a\nx,1,2\n", "Line 2 of .* has 3 values, and there are 2 columns"),
        ("id,a\nx,1\ny,two\n", "Line 3 of .* no number"),
        ("id,a\nx,nan\n", "NaN, infinity"),
        ("id,a\nx,1e39\n", "beyond float32"),
        ("id,a\nx,1\nx,2\n", "'x' stands for two"),
    ],
)
def test_what_is_no_table_is_refused_in_a_sentence(tmp_path, text, sentence):
    with pytest.raises(UsageError, match=sentence):
        csv_table(written(tmp_path, text))


def test_what_cannot_be_read_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(UsageError, match="not text as UTF-8 or UTF-16"):
        csv_table(written(tmp_path, "id,é\n", "latin-1"))
    with pytest.raises(UsageError, match="No such file"):
        csv_table(tmp_path / "none.csv")
