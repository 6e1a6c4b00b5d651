"""The README and the pages of docs/ as tests see them."""

import os
import pathlib
import re
import shlex

import numpy as np
from PIL import Image

import jax_al

ROOT = pathlib.Path(jax_al.__file__).parents[1]
README = ROOT / "README.md"
PAGES = sorted((ROOT / "docs").glob("**/*.md"))
MEASURED = sorted((ROOT / "benchmarks/results").glob("*.md"))

# What a run of a page leaves out: enough to see that the command is one.
LITTLE = (
    "--config.num_seeds=1", "--config.max_episodes=2", "--config.epochs=1",
    "--config.initial_size=10", "--config.budget=10", "--config.wandb.mode=disabled",
)  # fmt: skip


def snippets(page, language):
    """Returns what stands in the fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def commands(page):
    """Returns the lines of the shell that begin with jax-al, whole."""
    lines = "".join(snippets(page, "bash")).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("jax-al ")]


def prose(page):
    """Returns the text without code, targets of links and comments."""
    text = re.sub(r"```.*?```|<!--.*?-->", "", page.read_text(), flags=re.DOTALL)
    return re.sub(r"\]\(.*?\)", "]", re.sub(r"`[^`]*`", "", text))


def links(page):
    """Returns the targets of links and pictures."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", text))


def numbers(text):
    """Returns the numbers in a text, with their signs, as they are written."""
    return re.findall(r"(?<![\w.])[+-]?\d[\d,]*(?:\.\d+)?(?<!,)", text)


def make_files(directory):
    """Writes the files that snippets and commands name, and returns what snippets take as given."""
    rng = np.random.default_rng(0)
    table = rng.standard_normal((300, 3)).astype(np.float32)
    logits = rng.standard_normal((300, 3))
    points = rng.standard_normal((6_000, 3)).astype(np.float32)
    files = {
        "x": table,
        "y": (table[:, 0] > 0).astype(np.int64),
        "xt": table[:40],
        "yt": (table[:40, 0] > 0).astype(np.int64),
        "p": logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)),
        "points": points,
        "rows": np.arange(10),
        "broken": np.array([30, 40]),
    }
    for name, array in files.items():
        np.save(directory / f"{name}.npy", array)
    for number in range(30):
        place = directory / "photos" / ("cat", "dog")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(rng.integers(0, 256, (12, 12, 3), np.uint8))
        picture.save(place / f"{number}.jpg")
    return {
        "__name__": "__main__",  # where a reader has them
        "points": points,
        "rows_owned": np.arange(10),
        "embeddings": points,
        "labeled": np.arange(10),
        "broken": np.array([30, 40]),
    }


def run(fork, command, directory):
    """Runs a jax-al command as it is shown, but that a training is as short as can be."""
    words = shlex.split(command)[1:]
    if words[0] in ("run", "compare"):
        words += LITTLE
    return fork("-m", "jax_al", *words, cwd=directory, env=os.environ | {"PYTHONPATH": str(ROOT)})
