import math

import numpy as np
import pytest
from PIL import Image

from jax_al.report import Sheet, learning_curve, plot_curves, plot_picks
from jax_al.report.charts import charts
from jax_al.report.entrants import gather
from jax_al.report.pictures import whole_ticks
from jax_al.report.styles import make_styles
from jax_al.report.twins import line_picture
from jax_al.report.workdirs import read
from tests.made_up_runs import make_run


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


@pytest.mark.parametrize("ends", [(0.85, 4.15), (0.95, 1.05), (1, 2), (-2, 60), (95, 1005)])
def test_ticks_are_whole_numbers(ends):
    ticks = whole_ticks().tick_values(*ends)
    assert len(ticks)
    np.testing.assert_array_equal(ticks, np.round(ticks))


@pytest.mark.parametrize("episodes", [1, 2, 4])
def test_pictures_of_lines_have_whole_ticks(tmp_path, episodes):
    entrants = gather([read(make_run(tmp_path / "run", episodes=episodes))])
    for chart in charts(entrants, None):
        figure = line_picture(chart, make_styles(["random"], None), [])
        ticks = figure.axes[0].get_xticks()
        assert len(ticks), chart.key
        np.testing.assert_array_equal(ticks, np.round(ticks))


def assert_picture(path):
    with Image.open(path) as picture:
        picture.load()
        assert picture.format == "PNG"
        assert np.ptp(np.asarray(picture.convert("L"))) > 100
    assert [p.name for p in path.parent.iterdir()] == [path.name]
