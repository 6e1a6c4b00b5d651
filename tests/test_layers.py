"""The package is layered: a file imports only files that come before it in one list."""

import ast
import pathlib
import subprocess
import sys

import pytest

import jax_al

# Lowest first. A package (a directory) counts as one; its own files may import each other.
ORDER = (
    "base",
    "interrupt",
    "tfds_prepare",
    "image_cache",
    "data",
    "convolution",
    "kcenter",
    "lazy_greedy",
    "clustering",
    "models",
    "optimizers",
    "checkpoint",
    "records",
    "looks",
    "near_duplicates",
    "oracle",
    "inference",
    "wandb_writer",
    "workdir",
    "command_line",
    "terminal",
    "robust",
    "training",
    "signals",
    "strategies",
    "embeddings",
    "replicates",
    "programs",
    "learner",
    "settings",
    "history",
    "statistics",
    "report",
    "phases",
    "experiment",
    "compare",
)
ALONE = ("base", "statistics")  # import nothing else of the package
ONLY = {"report": {"statistics"}}  # these import that much less than is below them
HEAVY = ("wandb", "tensorflow_datasets", "sklearn", "matplotlib", "tensorflow")

ROOT = pathlib.Path(jax_al.__file__).parent
FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def layer(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_layers(path):
    """The files and packages of `jax_al` that `path` imports, wherever in it the import stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("jax_al.")}
    return found


def test_every_file_has_its_place_and_every_place_its_file():
    layers = {layer(path) for path in FILES}
    assert layers <= set(ORDER)
    assert set(ORDER) == layers
    assert len(set(ORDER)) == len(ORDER)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_is_below_it(path):
    here = layer(path)
    below = set() if here in ALONE else ONLY.get(here, set(ORDER[: ORDER.index(here)]))
    assert imported_layers(path) <= below | {here}


def test_the_package_itself_imports_nothing():
    assert imported_layers(ROOT / "__init__.py") == set()


def test_the_learner_comes_without_the_heavy_guests():
    program = f"import sys, jax_al.learner; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
