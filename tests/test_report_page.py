"""The command, the page as text, the files beside it."""

import csv
import html
import importlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

import pytest
from absl import flags
from ml_collections import config_flags
from PIL import Image
from scipy import stats

import jax_al as al
from jax_al.cli.command_line import set_options, take_options
from jax_al.cli.start import write_page
from jax_al.errors import UsageError
from jax_al.record.terminal import Terminal
from jax_al.report import write_report
from jax_al.report.configs import flat
from jax_al.report.sections import NOT_REPEATED, command, places_again
from tests.made_up_benchmarks import benchmark_of, images, nearest_mean_on_host
from tests.made_up_runs import NEW, OLD, make_root, make_run, only_merged
from tests.runs import ROOT, tiny_config


@pytest.fixture(scope="module", params=[OLD, NEW])
def made(request, fork, tmp_path_factory):
    """A report of two strategies, in either layout: the directory of the page."""
    root = tmp_path_factory.mktemp("report")
    if request.param == OLD:
        make_run(root / "tree/coreset", "coreset", gain=0.05, looks=True)
        make_run(root / "tree/random", "random", looks=True)
    else:
        make_root(root / "tree", {"coreset": 0.05, "random": 0.0}, looks=True)
    done = fork("-m", "jax_al.report", root / "tree", "--out", root / "page.html", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"Report: {root / 'page.html'}\n"
    return root


@pytest.fixture(scope="module")
def page(made):
    return (made / "page.html").read_text()


def test_the_page_asks_no_network_for_anything(page):
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    assert "default-src 'none'" in page
    assert len(page) < 6_000_000


def test_the_page_has_every_part(page):
    headings = re.findall(r"<h2[^>]*>([^<]*)", page)
    assert headings == [
        "In short", "Accuracy", "Labels needed", "Who beats whom", "Over the episodes",
        "What was picked", "Time", "Settings and how to repeat",
    ]  # fmt: skip
    assert "Better than random: coreset" in page
    for table in re.findall(r"<table.*?</table>", page, re.DOTALL):
        assert "<caption>" in table
        assert '<th scope="col">' in table
    assert page.count('role="img" aria-label="') >= 7
    assert html.escape("--config.strategy=coreset") in page


def test_names_from_files_are_text_and_not_markup(page):
    assert "<b>bird</b>" not in page
    assert "dog &amp; &lt;b&gt;bird" in page


def test_every_picture_has_its_twins_and_its_numbers(made):
    files = made / "page_files"
    names = {path.stem for path in files.iterdir()}
    assert names == {
        "accuracy", "difference", "nll", "cover_radius", "class_balance", "seconds", "overlap",
        "areas", "penalties", "reach", "phases", "episodes", "map",
    }  # fmt: skip
    for name in names - {"episodes"}:
        with Image.open(files / f"{name}.png") as picture:
            picture.load()
        assert "<svg" in (files / f"{name}.svg").read_text()
    for path in files.glob("*.csv"):
        header, *rows = csv.reader(path.read_text().splitlines())
        assert rows
        assert {len(row) for row in rows} == {len(header)}
        assert "nan" not in path.read_text()


def test_the_numbers_are_those_of_the_records(made):
    rows = list(csv.DictReader((made / "page_files/accuracy.csv").open()))
    files = [*made.glob("tree/coreset/metrics.jsonl"), *made.glob("tree/parts/coreset/*/*.jsonl")]
    metrics = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    last = [row["test_accuracy"] for row in metrics if row["num_labeled"] == 40]
    (mine,) = (r for r in rows if r["strategy"] == "coreset" and r["labels"] == "40")
    assert float(mine["mean"]) == pytest.approx(sum(last) / 3)
    low, _ = stats.t.interval(0.95, 2, sum(last) / 3, stats.sem(last))
    assert float(mine["low_95"]) == pytest.approx(low)
    assert int(mine["seeds"]) == 3


@pytest.mark.parametrize("layout", [OLD, NEW])
def test_what_a_strategy_said_of_a_query_is_a_column_of_its_own(tmp_path, layout):
    run = make_run(tmp_path / "run", seeds=range(1), episodes=3, layout=layout)
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    rows[0]["query_info"] = {"cover_radius": 2.5, "num_clusters": 7}
    rows[1]["query_info"] = {"cover_radius": None}
    rows[2]["query_info"] = {}
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_report([run], tmp_path / "report.html")
    found = list(csv.DictReader((tmp_path / "report_files/episodes.csv").open()))
    assert [row["query_info.cover_radius"] for row in found] == ["2.5", "", ""]
    assert [row["query_info.num_clusters"] for row in found] == ["7", "", ""]
    text = (tmp_path / "report_files/episodes.csv").read_text()
    assert "{" not in text
    assert text.splitlines()[0].split(",").count("strategy") == 1


@pytest.mark.parametrize("layout", [OLD, NEW])
def test_a_report_of_one_run_is_one_fast_file(tmp_path, layout):
    run = make_run(tmp_path / "run", seeds=range(1), layout=layout)
    assert write_report([run], run / "report.html", files=False)
    text = (run / "report.html").read_text()
    assert "nothing to compare it with" in text
    assert "Difference to" not in text
    assert [path.name for path in run.iterdir() if "report" in path.name] == ["report.html"]


def test_a_report_that_fails_does_not_fail_the_run(tmp_path, monkeypatch, capsys):
    write_page(tmp_path, Terminal())
    said = capsys.readouterr().err
    assert said.startswith(f"No report this time: {tmp_path} holds no run")
    monkeypatch.setattr("jax_al.report.write_report", lambda *_, **__: 1 / 0)
    write_page(tmp_path, Terminal())
    said = capsys.readouterr().err
    assert said == "No report this time: ZeroDivisionError: division by zero\n"


def test_settings_that_differ_are_told(tmp_path):
    make_run(tmp_path / "a", "coreset", lr=0.1)
    make_run(tmp_path / "b", "random")
    write_report([tmp_path], tmp_path / "report.html", files=False)
    assert "differ in more than the strategy" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "nowhere is not a directory"),
        (["run", "--reference", "bald"], "no strategy 'bald' to compare to, only random"),
        (["run", "--out", "run/config.json/report.html"], "is not a directory to write"),
        (["run", "--out", "."], ". is a directory; name a file"),
        (["broken"], "has 'x' as seed"),
        (["run", "--watch", "-1"], "must be a number above 0"),
        ([], "the following arguments are required"),
    ],
)
def test_a_mistake_is_one_sentence_and_status_2(fork, tmp_path, arguments, sentence):
    make_run(tmp_path / "run")
    make_run(tmp_path / "broken", seed="x")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = fork("-m", "jax_al.report", *arguments, cwd=tmp_path, env=environment)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("*.html"))


def test_the_directory_of_the_page_is_made(tmp_path):
    run = make_run(tmp_path / "run", seeds=range(1), episodes=2)
    write_report([run], tmp_path / "a/new/report.html", files=False)
    assert (tmp_path / "a/new/report.html").stat().st_size > 1_000_000
    with pytest.raises(UsageError, match="nowhere is not a directory"):
        write_report([tmp_path / "nowhere"], tmp_path / "other/report.html")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("layout", [OLD, NEW])
def test_watching_follows_a_run_to_its_end(tmp_path, layout):
    run = make_run(tmp_path / "run", max_episodes=4, episodes=4, layout=layout)
    only_merged(run)
    whole = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text("")
    out = tmp_path / "report.html"
    watcher = subprocess.Popen(
        [sys.executable, "-m", "jax_al.report", str(run), "--out", str(out), "--watch", "0.3"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert watcher.stderr is not None
        assert "no episode has ended" in watcher.stderr.readline()
        assert not out.exists()
        (run / "metrics.jsonl").write_text("".join(whole[:2]))
        until(lambda: out.exists() and '"refresh": 0.3' in out.read_text())
        (run / "metrics.jsonl").write_text("".join(whole))
        watcher.communicate(timeout=60)
    finally:
        watcher.kill()
    assert watcher.returncode == 0
    assert '"refresh": null' in out.read_text()


def until(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("It did not happen within a minute.")


def in_json(config):
    return json.loads(config.to_json_best_effort())


def repeated(config):
    """Returns the config that the command on the page makes of `config`."""
    words = shlex.split(command(flat(in_json(config)), "runs/a place"))
    assert words[:4] == ["jax-al", "run", "default", "--workdir=runs/a place"]
    words, options = take_options(["jax-al", "--config=configs/default.py", *words[4:]])
    values = flags.FlagValues()
    config_flags.DEFINE_config_file("config", flag_values=values, lock_config=True, sys_argv=words)
    values(words)
    set_options(values.config, options)
    return values.config


def test_the_command_makes_the_same_config():
    config = tiny_config(strategy="random", lr=0.02)
    given = {"embedding": "a b.npy", "size": 3, "rate": 1e-05, "number": "3", "on": True, "k": None}
    with config.unlocked():
        config.strategy_args.update(given | {"widths": (4,), "name": "a=b"})
    assert in_json(repeated(config)) == in_json(config)


@pytest.mark.parametrize(
    "recipe", sorted((ROOT / "configs").glob("[!_]*.py")), ids=lambda path: path.stem
)
def test_the_command_makes_the_same_config_for_every_recipe(recipe):
    config = importlib.import_module(f"configs.{recipe.stem}").get_config()
    assert in_json(repeated(config)) == in_json(config)


def test_the_command_leaves_out_what_is_of_one_start_or_of_old_runs_alone():
    config = flat(in_json(tiny_config()))
    gone = {"seed_axis": "vmap", "seeds_at_once": 3, "part": "1/4", "scheduler": "a", "layout": 2}
    assert set(gone) == set(NOT_REPEATED)
    assert command(config | gone, "runs/a") == command(config, "runs/a")


def test_a_run_from_python_is_repeated_by_no_command(tmp_path):
    given = {"learner": nearest_mean_on_host, "strategies": ["random"], "episodes": 2}
    al.run(benchmark_of(images(40)), initial=6, budget=4, directory=tmp_path / "run", **given)
    write_report([tmp_path / "run"], tmp_path / "report.html", files=False)
    page = html.unescape((tmp_path / "report.html").read_text())
    assert "None: this was al.run in Python" in page
    assert "jax-al run" not in page


def test_each_strategy_of_a_new_root_is_repeated_alone_and_in_a_place_of_its_own(tmp_path):
    root = make_root(tmp_path / "root", {"coreset": 0, "typiclust@pixels_pca": 0}, looks=True)
    write_report([root], tmp_path / "report.html", files=False)
    page = html.unescape((tmp_path / "report.html").read_text())
    for name, words in (
        ("coreset", ["--config.strategy=coreset"]),
        (
            "typiclust@pixels_pca",
            ["--config.strategy=typiclust", "--config.strategy_args.embedding=pixels_pca"],
        ),
    ):
        (line,) = (line for line in page.splitlines() if f"--workdir=runs/again/{name}" in line)
        assert all(word in line for word in [*words, "--config.compare=()"])
        assert "layout" not in line


def test_no_two_runs_are_repeated_in_the_same_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = [pathlib.Path(name) for name in ("x/coreset", "y/coreset", "x/random")]
    places = places_again([tmp_path / path for path in paths])
    assert [str(place) for place in places.values()] == [
        "runs/again/x/coreset", "runs/again/y/coreset", "runs/again/x/random",
    ]  # fmt: skip
    here = places_again([pathlib.Path(".")])
    assert str(here[pathlib.Path(".")]) == f"runs/again/{tmp_path.name}"
    for path in paths[:2]:
        make_run(path, "coreset", seeds=[0] if path.parts[0] == "x" else [1])
    write_report(paths[:2], tmp_path / "report.html", files=False)
    page = (tmp_path / "report.html").read_text()
    for path in paths[:2]:
        assert f"--workdir=runs/again/{path}" in page
