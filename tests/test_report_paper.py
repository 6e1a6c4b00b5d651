"""Pictures for a paper, and what all pictures of a comparison have in common."""

import re

import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image

from jax_al.cli.start import write_page
from jax_al.drivers.root import clear
from jax_al.record.terminal import Terminal
from jax_al.report import draw, pictures, write_report
from jax_al.report.charts import charts
from jax_al.report.compared import compare
from jax_al.report.entrants import gather
from jax_al.report.figures import line_figure, palette, seconds_figure
from jax_al.report.page import HERE
from jax_al.report.paper import COLUMN
from jax_al.report.pictures import line_picture
from jax_al.report.styles import COLORS, DARK, GRAY, LEGEND, PAIR_COLORS
from jax_al.report.workdirs import read
from jax_al.strategies.table import STRATEGIES
from tests.made_up_runs import make_root, make_run

GAINS = {"random": 0.0, "coreset": 0.05, "margin": 0.1}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The files beside a report that a run has written at its end, and the run."""
    root = make_root(tmp_path_factory.mktemp("paper") / "run", GAINS, looks=True)
    write_page(root, Terminal())
    return root / "report_files"


def test_the_report_that_a_run_writes_has_every_figure_in_three_kinds(files):
    page = (files.parent / "report.html").read_text()
    figures = {path.stem for path in files.glob("*.png")}
    assert {"accuracy", "difference", "overlap", "areas", "reach", "phases", "map"} <= figures
    for name in figures:
        for kind in ("pdf", "svg", "png"):
            assert (files / f"{name}.{kind}").stat().st_size > 1000
    linked = set(re.findall(r'href="report_files/([a-z_]+)\.pdf"', page))
    assert linked == set(re.findall(r'id="plot-([a-z_]+)"', page)) - {"map"}
    assert linked <= figures


def test_figures_are_as_wide_as_a_column_of_a_paper(files):
    for path in files.glob("*.png"):
        with Image.open(path) as picture:
            assert picture.width == round(COLUMN * 300), path.name
            assert np.ptp(np.asarray(picture.convert("L"))) > 100
    for path in files.glob("*.svg"):
        assert re.search(r'<svg [^>]*width="244\.8pt"', path.read_text()), path.name
    for path in files.glob("*.pdf"):
        content = path.read_bytes()
        assert re.search(rb"/MediaBox \[ ?0 0 244\.8 ", content), path.name
        assert b"/Type3" not in content  # journals refuse such fonts


def test_the_same_numbers_give_the_same_files(files, tmp_path):
    write_report([files.parent], tmp_path / "again.html")
    again = tmp_path / "again_files"
    assert {path.name for path in again.iterdir()} == {path.name for path in files.iterdir()}
    for path in again.iterdir():
        assert path.read_bytes() == (files / path.name).read_bytes(), path.name


def test_a_run_that_is_overwritten_takes_the_figures_with_it(tmp_path):
    root = make_root(tmp_path / "run", {"random": 0}, seeds=range(1), episodes=2)
    write_page(root, Terminal())
    (root / "notes.txt").write_text("mine")
    clear(root)
    assert [path.name for path in root.iterdir() if path.name[0] != "."] == ["notes.txt"]


def test_the_page_is_there_before_the_figures_are_drawn(tmp_path, monkeypatch):
    run = make_run(tmp_path / "run")
    page = tmp_path / "report.html"
    found = []
    monkeypatch.setattr("jax_al.report.build.write_files", lambda *_: found.append(page.exists()))
    write_report([run], page)
    assert found == [True]


@pytest.mark.parametrize("count", [2, LEGEND + 2])
def test_curve_png_has_the_colors_and_the_intervals_of_the_page(tmp_path, monkeypatch, count):
    gains = {"random": 0.0, **{f"s{k}": 0.02 * k for k in range(count)}}
    root = make_root(tmp_path / "run", gains, seeds=range(2), episodes=3)
    drawn = []

    def spied(*arguments, **options):
        drawn.append(line_picture(*arguments, **options))
        return drawn[-1]

    monkeypatch.setattr(pictures, "line_picture", spied)
    draw(root, lambda row: None)
    (axes,) = drawn[0].axes
    compared = compare(gather(read(root)))
    (accuracy,) = (c for c in charts(compared.entrants, "random") if c.key == "accuracy")
    page = line_figure(accuracy, compared.styles, legend=True)["data"]
    shown = {
        trace["name"]: trace["line"]["color"]
        for trace in page
        if not trace["meta"]["band"] and trace["name"] not in compared.tables.others
    }
    named = {
        line.get_label().partition(" (")[0]: line.get_color()
        for line in axes.lines
        if not line.get_label().startswith("_")
    }
    assert named == shown
    assert len(axes.collections) == (len(shown) if len(gains) <= 5 else 0)  # intervals
    assert named["random"] == GRAY


def test_shares_are_shown_from_0_to_1(tmp_path):
    root = make_root(tmp_path / "run", GAINS)
    compared = compare(gather(read(root)))
    found = {chart.key: chart for chart in charts(compared.entrants, "random")}
    assert {"class_balance", "overlap", "cover_radius"} <= found.keys()
    for key, chart in found.items():
        axis = line_figure(chart, compared.styles, legend=False)["layout"]["yaxis"]
        limits = line_picture(chart, compared.styles, ()).axes[0].get_ylim()
        is_share = key in ("class_balance", "overlap", "near_duplicates")
        assert (axis.get("range") == [0, 1]) == is_share
        assert (limits == (0, 1)) == is_share


def test_plotly_knows_all_that_is_said_in_a_figure(tmp_path):
    root = make_root(tmp_path / "run", GAINS)
    compared = compare(gather(read(root)))
    drawn = charts(compared.entrants, "random")
    figures = [line_figure(chart, compared.styles, legend=True) for chart in drawn]
    figures.append(seconds_figure(compared.tables.standings))
    for figure in figures:
        known = go.Figure(figure)  # ValueError: a name or a value that plotly does not take
        assert [trace.type for trace in known.data] == [trace["type"] for trace in figure["data"]]
    with pytest.raises(ValueError, match="Invalid property"):
        go.Figure(figure | {"layout": {"bar_mode": "stack"}})


def test_a_pair_has_no_color_of_a_strategy(tmp_path):
    assert not set(PAIR_COLORS) & {*COLORS, GRAY}
    assert len({*PAIR_COLORS, *COLORS, GRAY}) == len(PAIR_COLORS) + len(COLORS) + 1
    root = make_root(tmp_path / "run", GAINS)
    compared = compare(gather(read(root)))
    (overlap,) = (c for c in charts(compared.entrants, "random") if c.key == "overlap")
    page = line_figure(overlap, compared.styles, legend=True)["data"]
    on_page = [trace["line"]["color"] for trace in page if not trace["meta"]["band"]]
    (axes,) = line_picture(overlap, compared.styles, ()).axes
    in_file = [line.get_color() for line in axes.lines if not line.get_label().startswith("_")]
    assert on_page == in_file == list(PAIR_COLORS[:3])


def luminance(color):
    """The relative luminance of WCAG 2."""
    parts = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_every_line_is_bright_on_a_dark_ground():
    css = (HERE / "page.css").read_text()
    _, ground = re.findall(r"--card: (#[0-9a-f]{6})", css)
    assert DARK.keys() == {*COLORS, *PAIR_COLORS, GRAY}
    assert len(set(DARK.values())) == len(DARK)
    for color in DARK.values():
        contrast = (luminance(color) + 0.05) / (luminance(ground) + 0.05)
        assert contrast > 5, (color, contrast)
    assert palette()["rgba(0,114,178,0.16)"] == "rgba(61,155,235,0.16)"


def test_a_page_of_every_strategy_and_a_large_pool_stays_below_6_mb(tmp_path):
    gains = {name: 0.003 * k for k, name in enumerate(STRATEGIES)}
    root = make_root(
        tmp_path / "run", gains, looks=True, seeds=range(2), episodes=12, budget=100,
        pool_size=50_000, thumbnail=32,
    )  # fmt: skip
    write_report([root], tmp_path / "report.html", files=False)
    assert (tmp_path / "report.html").stat().st_size < 6_000_000
