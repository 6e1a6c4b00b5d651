import math

import numpy as np
import pytest
from PIL import Image

from jax_al.report import Sheet, learning_curve, plot_curves, plot_picks


def rows(num_seeds, counts=(10, 20, 30)):
    rng = np.random.default_rng(0)
    return [
        {"seed": s, "num_labeled": n, "test_accuracy": rng.random(), "test_nll": rng.random()}
        for s in range(num_seeds)
        for n in counts
    ]


@pytest.mark.parametrize("field", ["test_accuracy", "test_nll"])
def test_a_curve_is_mean_and_sample_deviation_at_each_count_in_order(field):
    metrics = rows(4)
    curve = learning_curve(metrics[::-1], field)
    table = np.array([row[field] for row in metrics]).reshape(4, 3)
    assert [point.num_labeled for point in curve] == [10, 20, 30]
    assert [point.num_seeds for point in curve] == [4, 4, 4]
    np.testing.assert_allclose([point.mean for point in curve], table.mean(axis=0))
    np.testing.assert_allclose([point.std for point in curve], table.std(axis=0, ddof=1))


def test_seeds_that_are_behind_count_only_where_they_have_been():
    metrics = rows(2)[:-1]
    last = learning_curve(metrics)[-1]
    assert (last.num_labeled, last.num_seeds) == (30, 1)
    assert last.mean == metrics[2]["test_accuracy"]
    assert math.isnan(last.std)


def test_without_rows_there_is_no_curve():
    assert learning_curve([]) == []


@pytest.mark.parametrize("num_seeds", [1, 3])
def test_curves_are_a_readable_picture(tmp_path, num_seeds):
    path = tmp_path / "curve.png"
    plot_curves(path, {"coreset": rows(num_seeds), "random": rows(1, (10,))}, "digits")
    assert_picture(path)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_contact_sheet_is_a_readable_picture(tmp_path, channels):
    path = tmp_path / "picks.png"
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, channels), np.uint8)
    names = ["zero", "a flower of a very long name", "two"]
    sheets = [Sheet("initial", images, names), Sheet("episode 1", images[:1], names[:1])]
    plot_picks(path, sheets, "digits")
    assert_picture(path)


def assert_picture(path):
    with Image.open(path) as picture:
        picture.load()
        assert picture.format == "PNG"
        assert np.ptp(np.asarray(picture.convert("L"))) > 100
    assert [p.name for p in path.parent.iterdir()] == [path.name]
