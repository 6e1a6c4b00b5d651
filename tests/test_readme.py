"""What the README shows runs as it stands, and its tables and pictures are those in the repo."""

import pathlib
import re

import numpy as np

import jax_al

ROOT = pathlib.Path(jax_al.__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
TABLES = re.findall(r"<!-- ((?:docs|benchmarks)/\S+) -->\n(.*?)<!-- /\1 -->", TEXT, re.DOTALL)


def test_the_snippets_run_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((1_500, 3))
    names = {
        "np": np,
        "points": rng.standard_normal((1_500, 3)).astype(np.float32),
        "x": rng.standard_normal((1_500, 3)).astype(np.float32),
        "lp": logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)),
        "rows": np.arange(10),
        "broken": np.array([3, 4]),
        "images": rng.integers(0, 256, (60, 6, 6, 1), np.uint8),
    }
    for snippet in SNIPPETS:
        exec(snippet, names)
    assert len(names["q"].rows) == 50
    assert len(names["found"]) == 2 * 2 * 3
    assert names["probs"].shape == (60, 2)
    assert [row["num_labeled"] for row in names["rows"]] == [10, 20]


def test_a_table_is_the_one_that_its_script_wrote():
    assert len(TABLES) == 8
    for name, shown in TABLES:
        assert shown.strip() == (ROOT / name).read_text().strip(), name


def test_a_picture_that_is_shown_is_there():
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", TEXT)
    assert pictures
    for name in pictures:
        assert (ROOT / name).is_file(), name
