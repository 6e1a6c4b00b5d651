"""Tests that would not notice: one operator or constant changed at a time, and the tests after it.

    python benchmarks/mutants.py --each 4 --out mutants.jsonl
    python benchmarks/mutants.py --each 8 --only session/ strategies/choosing.py --out mutants.jsonl
    python benchmarks/mutants.py --again --out mutants.jsonl

draws places of each module of MODULES by a fixed seed, changes one (cosmic-ray's operators) in a
copy of the working tree and runs the tests that belong to the module, up to the first that fails.
A line a mutant goes to `--out`; what is there already is not run again, but for those that passed,
with `--again`, once tests have been added. What is left is equivalent, a matter of speed, or a test
to be written. About ten seconds a mutant.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

try:
    from cosmic_ray.ast import get_ast
    from cosmic_ray.mutating import MutationVisitor
    from cosmic_ray.operators.provider import OperatorProvider
except ImportError:
    sys.exit("benchmarks/mutants.py changes operators by cosmic-ray: pip install 'jax_al[bench]'")

ROOT = Path(__file__).resolve().parents[1]
KCENTER = ("test_kcenter_inputs", "test_kcenter_exclude", "test_kcenter_storage")
MODULES = {  # the files of tests that belong to a module, the likeliest to notice first
    "statistics": ("test_statistics",),
    "session/records": ("test_records", "test_files"),
    "session/readers": ("test_fold", "test_records"),
    "session/fold": ("test_fold", "test_session_machine"),
    "session/checks": ("test_progress",),
    "session/journal": ("test_journal",),
    "session/progress": ("test_progress", "test_session_machine"),
    "session/checkpoint": ("test_checkpoint",),
    "strategies/choosing": ("test_strategies", "test_select"),
    "strategies/numbers": ("test_drivers_choose",),
    "strategies/parts": ("test_active_transfer", "test_discriminative"),
    "strategies/entries": ("test_strategies", "test_from_python"),
    "strategies/select": ("test_select",),
    "strategies/plain_arrays": ("test_select",),
    "strategies/draws": ("test_select",),
    "strategies/members": ("test_clustering", "test_cluster_margin", "test_typiclust"),
    "learners/augmentation": ("test_training",),
    "learners/epoch": ("test_training",),
    "learners/optimizers": ("test_optimizers", "test_training"),
    "learners/training_options": ("test_learners_network", "test_learners_table"),
    "learners/inputs": ("test_learners_inputs",),
    "learners/convolution": ("test_convolution",),
    "learners/linear": ("test_learners_linear",),
    "geometry/near_duplicates": ("test_near_duplicates",),
    "geometry/within": ("test_within", "test_probcover"),
    "geometry/vectors": ("test_clustering", "test_probcover"),
    "geometry/lazy_greedy": ("test_lazy_greedy",),
    "geometry/rounding": ("test_rounding",),
    "geometry/clustering": ("test_clustering",),
    "geometry/kcenter/sizes": KCENTER[::2],
    "geometry/kcenter/rows": KCENTER[:2],
    "geometry/kcenter/engine": ("test_kcenter",),
    "geometry/kcenter/lazy": ("test_kcenter",),
    "geometry/kcenter/greedy": KCENTER[:2],
    "geometry/kcenter/points": KCENTER,
    "geometry/kcenter/reading": (*KCENTER[::-2], "test_kcenter_sharded"),
    "geometry/kcenter/distances": ("test_kcenter",),
    "geometry/kcenter/dense": ("test_kcenter", "test_kcenter_exclude"),
    "geometry/kcenter/traced": ("test_kcenter", "test_kcenter_exclude"),
    "geometry/kcenter/sharded": ("test_kcenter_sharded",),
    "geometry/robust/answer": ("test_robust",),
    "geometry/robust/search": ("test_robust",),
    "geometry/robust/covering": ("test_robust",),
    "geometry/robust/balls": ("test_robust", "test_coreset_robust"),
    "geometry/robust/pairs": ("test_robust",),
}
SWAPS = {  # binary operators, as cosmic-ray calls them
    "Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "Mul_Add", "FloorDiv_Div", "FloorDiv_Mul",
    "Mod_Mul", "Pow_Mul", "BitAnd_BitOr", "BitOr_BitAnd", "RShift_LShift", "LShift_RShift",
}  # fmt: skip
OTHERS = {
    "AddNot", "NumberReplacer", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue",
    "ReplaceAndWithOr", "ReplaceOrWithAnd", "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak", "ZeroIterationForLoop",
}  # fmt: skip
PLAINLY = "--xla_cpu_use_fusion_emitters=false"
OPTIONS = ("-o", "addopts=", "-q", "-x", "-p", "no:xdist", "-p", "no:cacheprovider")


def is_wanted(name: str) -> bool:
    """Whether the operator of this name makes a change that somebody could have written."""
    kind, _, pair = name.partition("_")
    if kind == "ReplaceBinaryOperator":
        return pair in SWAPS
    if kind == "ReplaceComparisonOperator":  # `is` for `==` says little
        return pair.startswith("Is") == ("_Is" in pair)
    return name in OTHERS or name.startswith("ReplaceUnaryOperator_Delete")


def is_of_a_type(node: Any) -> bool:
    """Whether a node of the syntax tree belongs to an annotation."""
    while (parent := node.parent) is not None:
        if parent.type in ("annassign", "tfpdef") and parent.children[1:2] != [node]:
            return parent.type == "tfpdef" and node is not parent.children[0]
        if parent.type == "annassign":
            return True
        if parent.type == "funcdef" and node is parent.annotation:
            return True
        node = parent
    return False


def places(source: str) -> dict[Any, list[tuple[str, int]]]:
    """Returns the changes possible at each place: operators, each with the number of its place."""
    found: dict[Any, list[tuple[str, int]]] = {}
    provider = OperatorProvider()
    for name in filter(is_wanted, provider):
        operator, count, nodes = provider[name](), 0, [get_ast(source)]
        while nodes:
            node = nodes.pop()
            for place in operator.mutation_positions(node):
                if not is_of_a_type(node):
                    found.setdefault(place, []).append((name, count))
                count += 1
            nodes += getattr(node, "children", [])[::-1]
    return found


def is_a_program(code: str) -> bool:
    """Whether it compiles: the star before parameters by name is no product."""
    try:
        compile(code, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def mutants(module: str, source: str, seed: int) -> Iterator[dict[str, Any]]:
    """Yields mutants in an order that `seed` decides, one a place."""
    rng, found = random.Random(f"{seed}:jax_al/{module}.py"), places(source)
    order = sorted(found)
    rng.shuffle(order)
    for place in order:
        name, count = rng.choice(sorted(found[place]))
        code = MutationVisitor.mutate_code(source, OperatorProvider()[name](), count)
        lines = zip(source.splitlines(), code.splitlines(), strict=False)
        was, now = next((pair for pair in lines if pair[0] != pair[1]), ("", ""))
        if was and is_a_program(code) and now.strip() != "/,":
            told = {"module": module, "line": place[0][0], "was": was.strip(), "now": now.strip()}
            yield told | {"code": code}


def passes(tree: Path, test: str, log: Path, limit: float) -> bool:
    """Whether a file of tests passes in `tree`, within `limit` seconds; in a fork, jax imported."""
    child = os.fork()
    if child == 0:
        os.setsid()
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.chdir(tree)
        os.environ["PYTHONPATH"] = str(tree)
        sys.path.insert(0, str(tree))
        import jax
        import pytest

        as_for_users = (tree / "tests" / "conftest.py").read_text().partition("AS_FOR_USERS")[2]
        if f'"{test}"' not in as_for_users:
            os.environ |= {"XLA_FLAGS": PLAINLY, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
            jax.config.update("jax_disable_most_optimizations", True)
        os._exit(int(pytest.main([*OPTIONS, "--hypothesis-seed=0", f"tests/{test}.py"])))
    end = time.monotonic() + limit
    while not (done := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > end:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return False
        time.sleep(0.02)
    return os.waitstatus_to_exitcode(done[1]) == 0


def main() -> None:
    """Draws mutants, or takes those that passed, and runs the tests on each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--each", type=int, default=4, help="mutants of a module")
    parser.add_argument("--seed", type=int, default=0, help="decides which")
    parser.add_argument("--only", nargs="+", default=[""], help="modules that begin so")
    parser.add_argument("--again", action="store_true", help="only those that passed before")
    parser.add_argument("--out", type=Path, default=Path("mutants.jsonl"))
    args = parser.parse_args()
    lines = args.out.read_text().splitlines() if args.out.exists() else []
    told = {(one["module"], one["line"], one["now"]): one for one in map(json.loads, lines)}
    with tempfile.TemporaryDirectory() as folder:
        tree, log = Path(folder) / "tree", Path(folder) / "log"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".*", "__pycache__", "build"))
        sys.dont_write_bytecode = True
        os.environ |= {
            "JAX_PLATFORMS": "cpu",
            "PYTEST_XDIST_WORKER": "gw0",  # so that conftest.py keeps this cache
            "JAX_COMPILATION_CACHE_DIR": f"{folder}/cache",
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        import jax.numpy  # noqa: F401  (each fork has it then; nothing is started by it)

        usual: dict[str, float] = {}  # seconds that each file of tests takes
        for module, tests in MODULES.items():
            path = tree / "jax_al" / f"{module}.py"
            source = path.read_text()
            for number, mutant in enumerate(mutants(module, source, args.seed)):
                code, key = mutant.pop("code"), (module, mutant["line"], mutant["now"])
                passed_before = key in told and told[key]["noticed_by"] is None
                is_due = passed_before if args.again else key not in told and number < args.each
                if not is_due or not module.startswith(tuple(args.only)):
                    continue
                for test in tests:
                    if test not in usual:
                        start = time.monotonic()
                        assert passes(tree, test, log, 900), log.read_text()
                        usual[test] = time.monotonic() - start
                path.write_text(code)
                failed = (t for t in tests if not passes(tree, t, log, 15 + 3 * usual[t]))
                told[key] = mutant | {"noticed_by": next(failed, None)}
                path.write_text(source)
                print(json.dumps(told[key]), flush=True)
                args.out.write_text("".join(json.dumps(one) + "\n" for one in told.values()))


if __name__ == "__main__":
    main()
