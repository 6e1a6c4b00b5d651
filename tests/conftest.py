"""What holds for every test: strict promotion, so that no dtype or shape changes unseen."""

import gc
import os
import pathlib
import shutil

from kept_programs import kept_programs

# Before jax starts: 8 CPU devices would hide single-device mistakes, so tests that want several
# start a process of their own.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Three processes share the cores: more threads of BLAS than one each wait for one another, and some
# tests took four times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# The same tiny programs are compiled by many tests, by the processes they start, by the next run,
# and by the other workers of pytest-xdist, which inherit the environment of the first process.
if "PYTEST_XDIST_WORKER" not in os.environ:
    # In memory where there is room: tests wait for the disk whenever a file must be safe on it.
    memory = pathlib.Path("/dev/shm")
    if memory.is_dir() and shutil.disk_usage(memory).free > 4 << 30:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(kept_programs())
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"

import hypothesis
import jax
import pytest
from forks import forking

# How long an example takes is no property: machines are shared.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


# Bits and rounding are the subject of these: `make test` compiles them as for users.
AS_FOR_USERS = {
    "test_convolution",
    "test_initial_labels",
    "test_kcenter",
    "test_kcenter_exclude",
    "test_kcenter_sharded",
    "test_near_duplicates",
    "test_robust",
}
# And of some tests of these, which bear the mark themselves.
IN_PART = {
    "test_clustering",
    "test_drivers_fit",
    "test_drivers_look",
    "test_learners_contract",
    "test_run_resume",
    "test_ties",
}

# They begin first, so that at the end no process waits for one of them alone.
DEAREST = (
    "test_run_resume",
    "test_strategies",
    "test_cluster",
    "test_launch",
    "test_learners_contract",
    "test_report_reading",
    "test_report_browser",
    "test_models",
    "test_kcenter",
    "test_run_compare",
    "test_readme",
    "test_clustering",
    "test_report_page",
    "test_drivers_programs",
    "test_docs",
    "test_drivers_fit",
)


def pytest_xdist_auto_num_workers():
    """One more than there are cores: a fifth of the time tests wait for what they have started."""
    return (os.cpu_count() or 1) + 1


def pytest_ignore_collect(collection_path, config):
    """Where only what is compiled as for users is wanted, no other module is imported."""
    wanted = AS_FOR_USERS | IN_PART
    is_test = collection_path.suffix == ".py" and collection_path.stem.startswith("test_")
    if config.getoption("markexpr") == "as_for_users" and is_test:
        return collection_path.stem not in wanted or None
    return None


def pytest_collection_finish():
    """What is imported stays to the end: the garbage collector need not look through it again."""
    gc.freeze()
    gc.set_threshold(50_000)


def pytest_collection_modifyitems(items):
    place = {name: number for number, name in enumerate(DEAREST)}
    items.sort(key=lambda item: place.get(item.module.__name__, len(place)))
    for item in items:
        name = item.module.__name__
        if name in AS_FOR_USERS:
            item.add_marker(pytest.mark.as_for_users)
        elif item.get_closest_marker("as_for_users") and name not in IN_PART:
            raise pytest.UsageError(f"{name} has marked tests: IN_PART must name it.")


@pytest.fixture(autouse=True, scope="module")
def _programs_are_let_go(request):
    """What is compiled is let go where another module could be given what is not its own.

    A module that sets a constant of ours finds nothing compiled with another one, and leaves
    nothing. And a compiled program is some ten mappings of memory, of which Linux grants a process
    65,530: with all programs of all tests in one process, the next compilation ends in a
    segmentation fault.
    """
    sets = "setattr(" in pathlib.Path(request.module.__file__).read_text(encoding="utf-8")
    if sets:
        jax.clear_caches()
    yield
    if sets or mappings() > MAPPINGS:
        jax.clear_caches()


MAPPINGS = 25_000  # the rest is for one module


def mappings():
    """How many mappings of memory this process has; where nobody tells, too many."""
    try:
        with open("/proc/self/maps", "rb") as lines:
            return sum(1 for _ in lines)
    except OSError:
        return MAPPINGS + 1


@pytest.fixture(scope="session")
def fork():
    """Runs a command in a process of its own whose imports are made already (tests/forks.py)."""
    with forking() as found:
        yield found


@pytest.fixture(scope="module")
def compiled_plainly():
    """For modules where what is asked, not how fast, is tested; the others keep their way."""
    before = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)
