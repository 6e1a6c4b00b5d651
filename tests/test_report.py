import json
import math

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from jax_al.report import Sheet, draw, plot_curves, plot_picks
from jax_al.report.charts import Chart, Line, Point, accuracy_chart, charts
from jax_al.report.compared import compare
from jax_al.report.entrants import curve_of, gather
from jax_al.report.fonts import families
from jax_al.report.look_files import Pool
from jax_al.report.pictures import _sheet, line_picture, whole_ticks
from jax_al.report.styles import make_styles
from jax_al.report.workdirs import read
from jax_al.session.records import Pick
from jax_al.statistics import Interval
from tests.made_up_runs import looks_of, make_root, make_run


def rows(num_seeds, counts=(10, 20, 30)):
    rng = np.random.default_rng(0)
    return [
        {"seed": s, "num_labeled": n, "test_accuracy": rng.random()}
        for s in range(num_seeds)
        for n in counts
    ]


def curve(metrics):
    (line,) = accuracy_chart({"random": curve_of(metrics, "test_accuracy")}).lines
    return line.points


def test_a_curve_is_the_mean_over_seeds_at_each_count_in_order_and_within_its_interval():
    metrics = rows(4)
    points = curve(metrics[::-1])
    table = np.array([row["test_accuracy"] for row in metrics]).reshape(4, 3)
    assert [point.x for point in points] == [10, 20, 30]
    assert [point.value.num_seeds for point in points] == [4, 4, 4]
    np.testing.assert_allclose([p.value.estimate for p in points], table.mean(axis=0))
    for point, column in zip(points, table.T, strict=True):
        low, high = stats.t.interval(0.95, 3, column.mean(), stats.sem(column))
        np.testing.assert_allclose(point.value[1:3], np.clip([low, high], 0, 1))


def test_the_interval_of_a_share_ends_at_0_and_1_and_that_of_a_difference_does_not(tmp_path):
    metrics = [{"seed": s, "num_labeled": 10, "test_accuracy": (0.02, 0.98)[s]} for s in range(2)]
    (point,) = curve(metrics)
    assert point.value[:3] == (0.5, 0.0, 1.0)
    assert [math.isnan(end) for end in curve(metrics[:1])[0].value[1:3]] == [True, True]
    for name in ("random", "coreset"):
        run = make_run(tmp_path / name, name, seeds=range(2))
        lines = (run / "metrics.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        for row in rows:
            row["test_accuracy"] = 0.98 if (row["seed"] == 1) == (name == "random") else 0.02
        (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    compared = compare(
        gather([run for name in ("random", "coreset") for run in read(tmp_path / name)])
    )
    drawn = {chart.key: chart for chart in charts(compared.entrants, "random")}
    values = [point.value for line in drawn["accuracy"].lines for point in line.points]
    assert {value[1:3] for value in values} == {(0.0, 1.0)}
    assert all(p.value.low < -1 < 1 < p.value.high for p in drawn["difference"].lines[0].points)
    assert {standing.area[1:3] for standing in compared.tables.standings} == {(0.0, 1.0)}


def test_seeds_that_are_behind_count_only_where_they_have_been():
    metrics = rows(2)[:-1]
    last = curve(metrics)[-1]
    assert (last.x, last.value.num_seeds) == (30, 1)
    assert last.value.estimate == metrics[2]["test_accuracy"]
    assert math.isnan(last.value.low)


def test_without_rows_or_without_a_test_set_there_is_no_curve():
    assert curve([]) == []
    assert curve([row | {"test_accuracy": None} for row in rows(2)]) == []


@pytest.mark.parametrize("num_seeds", [1, 3])
def test_curves_are_a_readable_picture(tmp_path, num_seeds):
    path = tmp_path / "curve.png"
    plot_curves(path, {"coreset": rows(num_seeds), "random": rows(1, (10,))}, "digits")
    assert_picture(path)


@pytest.mark.parametrize("gains", [{"random": 0}, {"random": 0, "coreset": 0.1}])
def test_a_root_gets_its_two_pictures_from_its_files(tmp_path, gains):
    root = make_root(tmp_path, gains, looks=True)
    asked = []

    def show(row):
        asked.append(row)
        return np.full((8, 8, 1), row, np.uint8)

    drawn = draw(root, show)
    assert drawn == {name: root / f"{name}.png" for name in ("curve", "picks")}
    for path in drawn.values():
        with Image.open(path) as picture:
            picture.load()
    with np.load(looks_of(root, 0) / f"episode_{len(gains) - 1:03}.npz") as look:
        assert asked[:10] == look["rows"].tolist()
    assert len(asked) == 10 * (4 if len(gains) == 1 else 2)  # of each episode, or each strategy


def test_without_test_set_and_images_nothing_is_drawn(tmp_path):
    root = make_root(tmp_path, {"random": 0}, looks=True, test=False, channels=0)
    assert draw(root, lambda row: f"text {row}") == {}


@pytest.mark.parametrize("channels", [1, 3])
def test_the_contact_sheet_is_a_readable_picture(tmp_path, channels):
    path = tmp_path / "picks.png"
    images = list(np.random.default_rng(0).integers(0, 256, (3, 8, 8, channels), np.uint8))
    names = ["zero", "a flower of a very long name", "two"]
    sheets = [Sheet("initial", images, names), Sheet("episode 1", images[:1], names[:1])]
    plot_picks(path, sheets, "digits")
    assert_picture(path)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["\u732b", "$5 or $6", "\U0001f408 \ue000", "\u0643\u0644\u0628"])
def test_names_in_any_script_are_drawn_without_a_warning(tmp_path, name):
    image = np.full((8, 8, 1), 99, np.uint8)
    plot_picks(tmp_path / "picks.png", [Sheet(f"{name}\n1 of 2", [image], [name])], name)
    assert_picture(tmp_path / "picks.png")


def test_who_has_no_font_for_a_name_sees_the_number_of_the_class():
    nowhere = "\U000f1234"  # of nobody
    assert families("\u00e9tat") == ["DejaVu Sans"]
    assert families(nowhere) is None
    pool = Pool(np.zeros(2, np.int32), np.arange(2), [nowhere, "dog"], [])
    picks = [Pick(0, 0, k, k, str(k), k, "random") for k in (0, 1)]
    sheet = _sheet("initial", picks, pool, lambda row: np.zeros((8, 8, 1), np.uint8))
    assert sheet.class_names == ["class 0", "dog"]


@pytest.mark.parametrize("ends", [(0.85, 4.15), (0.95, 1.05), (1, 2), (-2, 60), (95, 1005)])
def test_ticks_are_whole_numbers(ends):
    ticks = whole_ticks().tick_values(*ends)
    assert len(ticks)
    np.testing.assert_array_equal(ticks, np.round(ticks))


@pytest.mark.parametrize("episodes", [1, 2, 4])
def test_pictures_of_lines_have_whole_ticks(tmp_path, episodes):
    entrants = gather(read(make_run(tmp_path / "run", episodes=episodes)))
    for chart in charts(entrants, None):
        figure = line_picture(chart, make_styles(["random"], None), [])
        ticks = figure.axes[0].get_xticks()
        assert len(ticks), chart.key
        np.testing.assert_array_equal(ticks, np.round(ticks))


def test_a_legend_names_what_is_drawn_alone():
    value = Interval(0.5, 0.4, 0.6, 3)
    drawn = Line("coreset", [Point(1, value), Point(2, value)])
    chart = Chart("cover_radius", "", "", "", [Line("random", []), drawn], "")
    styles = make_styles(["random", "coreset"], None)
    for others in ([], ["random"]):
        (legend,) = line_picture(chart, styles, others).legends
        assert [text.get_text() for text in legend.get_texts()] == ["coreset"]
        assert legend.get_title().get_text() == ""


def assert_picture(path):
    with Image.open(path) as picture:
        picture.load()
        assert picture.format == "PNG"
        assert np.ptp(np.asarray(picture.convert("L"))) > 100
    assert [p.name for p in path.parent.iterdir()] == [path.name]
