"""The README is short, what it shows runs as it stands, and its figures are measured ones."""

import re

import numpy as np
import pages

from jax_al.strategies import STRATEGIES

TEXT = pages.README.read_text()


def test_it_is_read_in_five_minutes():
    assert len(pages.README.read_bytes()) <= 10_000


def test_the_snippets_run_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = pages.make_files(tmp_path)
    for snippet in pages.snippets(pages.README, "python"):
        exec(snippet, names)
    assert names["probs"].shape == (300, 2)
    assert [row["num_labeled"] for row in names["rows"]] == [20, 40, 60] * 2
    assert len(names["result"].indices) == 1000


def test_the_commands_run_one_after_the_other(fork, tmp_path):
    pages.make_files(tmp_path)
    for command in pages.commands(pages.README):
        done = pages.run(fork, command, tmp_path)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    assert (tmp_path / "report.html").stat().st_size > 0
    lines = (tmp_path / "picks.csv").read_text().splitlines()
    assert lines[0].split(",") == ["order", "row", "distance"]
    assert len(np.load(tmp_path / "d.npy")) == 1000


def test_the_two_commands_are_those_of_the_makefile():
    makefile = (pages.ROOT / "Makefile").read_text()
    for target in re.findall(r"\bmake (\w+)", TEXT):
        assert f"\n{target}:" in makefile, target


def test_every_figure_stands_in_a_results_file():
    text = pages.prose(pages.README)
    text = re.sub(r"Python 3\.\d+|Savarese 2018|\d+ strategies|make test .*|\d+ minutes", "", text)
    results = [pages.ROOT / "docs" / f"{name}.md" for name in ("results", "benchmarks")]
    results += [pages.ROOT / "docs" / f"{name}.md" for name in ("which", "learners", "propagate")]
    results += [*(pages.ROOT / "docs").glob("*_compare.md"), *pages.MEASURED]
    results += [pages.ROOT / "docs" / f"{name}.md" for name in ("digits_again", "cifar_study")]
    measured = set(pages.numbers("\n".join(page.read_text() for page in results)))
    found = pages.numbers(text)
    assert len(found) > 40
    assert [number for number in found if number not in measured] == []


def test_a_row_of_the_small_table_is_that_of_the_whole_tables():
    tables = [
        (pages.ROOT / "docs" / f"{name}.md").read_text() for name in ("digits_again", "cifar_study")
    ]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", TEXT, re.MULTILINE)
    assert len(rows) == 6
    for name, *cells in rows:
        for table, cell in zip(tables, cells, strict=True):
            found = [line for line in table.splitlines() if line.startswith(f"| {name} |")]
            assert [f"| {cell} |" in line for line in found] == ([] if cell == "-" else [True]), (
                name
            )


def test_it_counts_the_strategies():
    assert f"{len(STRATEGIES)} strategies" in TEXT
