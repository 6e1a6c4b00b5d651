"""What the README shows runs as it stands, and its tables and pictures are those in the repo."""

import pathlib
import re

import numpy as np
import pytest

import jax_al

ROOT = pathlib.Path(jax_al.__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
TABLES = re.findall(r"<!-- ((?:docs|benchmarks)/\S+) -->\n(.*?)<!-- /\1 -->", TEXT, re.DOTALL)


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_a_snippet_runs(number, capsys):
    points = np.random.default_rng(0).standard_normal((1_500, 3)).astype(np.float32)
    names = {"points": points}
    exec(SNIPPETS[number], names)
    if "learner" in names:
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in lines] == ["20", "40", "60", "80"]
        assert float(lines[-1].split()[-1]) > float(lines[0].split()[-1])


def test_a_table_is_the_one_that_its_script_wrote():
    assert len(TABLES) == 8
    for name, shown in TABLES:
        assert shown.strip() == (ROOT / name).read_text().strip(), name


def test_a_picture_that_is_shown_is_there():
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", TEXT)
    assert pictures
    for name in pictures:
        assert (ROOT / name).is_file(), name
