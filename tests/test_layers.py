"""The package is layered: a file imports only files that come before it in one list."""

import ast
import pathlib
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import jax_al

# What each room may import beside its own files; a name is a file or a directory of the package.
BASE = {"types", "errors", "outside", "durable"}
GEOMETRY, POOLS = BASE | {"geometry"}, BASE | {"pools"}
BELOW_DRIVERS = BASE | {
    "geometry", "pools", "features", "learners", "strategies", "session", "oracles", "interrupt",
    "record", "__version__",
}  # fmt: skip
PEOPLE = BELOW_DRIVERS | {"drivers", "statistics"}
EVERYTHING = PEOPLE | {"report", "people", "page", "cli", "recipes"}
MAY_IMPORT = {
    "types": set(),
    "errors": set(),
    "durable": set(),
    "interrupt": set(),
    "outside": {"errors"},
    "statistics": set(),
    "geometry": BASE,
    "pools": BASE,
    "features": GEOMETRY | POOLS,
    "learners": GEOMETRY,
    "strategies": GEOMETRY,
    "session": BASE | {"interrupt"},
    "oracles": POOLS | {"session"},
    "record": POOLS | {"session"},
    "report": BASE | {"statistics", "session"},
    "drivers": BELOW_DRIVERS,
    "people": PEOPLE,
    "page": PEOPLE | {"people"},
    "cli": EVERYTHING,
    "testing": GEOMETRY | POOLS | {"strategies", "learners", "oracles"},
    "kcenter": GEOMETRY | {"cli"},
    "recipes": set(),
    "__main__": {"cli", "strategies"},  # the doors, of whatever room
}
# The record computes nothing, so that it can be tested without a device.
WITHOUT_JAX = (
    "events",
    "journal",
    "fold",
    "progress",
    "checks",
    "work",
    "readers",
    "records",
    "locks",
)
HEAVY = ("wandb", "tensorflow_datasets", "sklearn", "matplotlib", "tensorflow")

ROOT = pathlib.Path(jax_al.__file__).parent
FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def layer(path):
    if path.name == "__main__.py":
        return "__main__"
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


def test_a_wheel_has_every_package():
    listed = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["tool"]["setuptools"]
    found = {
        ".".join(path.parent.relative_to(ROOT.parent).parts) for path in ROOT.rglob("__init__.py")
    }
    assert set(listed["packages"]) == found | {"jax_al.recipes"}


def test_the_lock_of_ci_has_all_that_is_wanted():
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = map(Requirement, [*project["dependencies"], *extras["test"], *extras["docs"]])
    lines = (ROOT.parent / ".ci" / "lock.txt").read_text().splitlines()
    locked = {one.name: one for one in map(Requirement, lines[2:])}  # after two of comment
    for one in wanted:
        (version,) = locked[canonicalize_name(one.name)].specifier
        assert version.operator == "=="
        assert one.specifier.contains(version.version), one


def test_every_room_is_in_the_table():
    assert {layer(path) for path in FILES} == set(MAY_IMPORT)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_room_may(path):
    here = layer(path)
    assert imported_layers(path) <= MAY_IMPORT[here] | {here}


def test_the_package_itself_imports_nothing():
    assert imported_layers(ROOT / "__init__.py") == set()


@pytest.mark.parametrize("name", WITHOUT_JAX)
def test_the_record_computes_nothing(name):
    tree = ast.parse((ROOT / "session" / f"{name}.py").read_text(encoding="utf-8"))
    imported = {
        module.split(".")[0]
        for node in ast.walk(tree)
        for module in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert not imported & {"jax", "flax", "optax", "orbax"}


def test_the_learner_comes_without_the_heavy_guests():
    program = f"import sys, jax_al.drivers.engine; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
