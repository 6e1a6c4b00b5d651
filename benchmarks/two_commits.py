"""Two commits side by side: do they buy the same labels, to the bit, and how long do they take?

    python benchmarks/two_commits.py BEFORE AFTER [--cases digits,cifar,compare] [--strategies all]

BEFORE and AFTER are git revisions, each checked out for the while, or `.`, the working tree as it
is. Both run the same recipes with this interpreter, every run in a workdir of its own, with a cache
of compiled programs for each commit. A recipe runs once on both for the caches, then `--turns`
times by turns; the seconds are medians of the turns. The table says what differs and by how much;
if that is a pick, a number of labels or a test accuracy, or if a commit does not repeat itself, a
sentence names the first and the exit status is 1 (2 if something could not be run at all).
`--strategies all` adds every strategy, on few small episodes, once and unmeasured.

Both layouts of a workdir are read: a directory for each strategy, or one for all with a column
`strategy`. "First row" is when the first line of metrics.jsonl is there, or, where there is a
journal.jsonl, the first `trained` in it, which comes before the purchase.
"""

import argparse
import contextlib
import csv
import importlib.metadata
import json
import math
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

ROOT = Path(__file__).resolve().parents[1]
OUT = Path(__file__).parent / "results" / "two_commits.md"
SOME = "--config.compare=('random','coreset','entropy','bald','badge','typiclust')"
SMALL = ["--config.max_episodes=3", "--config.num_seeds=2"]
IMAGES = ["--config.data.pool_size=5000", "--config.data.test_size=1000"]
CASES = {  # each: recipes and their options
    "digits": {name: ["--config.num_seeds=3"] for name in ("digits_coreset", "digits_random")},
    "cifar": {"cifar_coreset": [*SMALL, *IMAGES, "--config.epochs=4"]},
    "compare": {"digits_compare": [SOME, "--config.num_seeds=5"]},
    "strategies": {"digits_compare": [*SMALL, "--config.epochs=5"]},
}
EXACT = ("picks", "num_labeled", "test_accuracy")  # a difference in these is a failure
TOLD = ("train_loss", "test_nll", "test_ece", "cover_radius", "query_info")
KEY = ("strategy", "seed", "episode", "order")
BEGUN = {"metrics.jsonl": b"\n", "journal.jsonl": b'"trained"'}  # what a first row is known by
POLL = 0.02  # seconds between two looks for it

Values = dict[tuple, Any]  # by the first three or all four of KEY


class Revision(NamedTuple):
    """One of the two commits, ready to run."""

    role: str  # "before" or "after"
    commit: str
    checkout: Path
    environment: dict[str, str]
    cache: Path  # of its compiled programs
    options: list[str]  # that it alone gets


class Outcome(NamedTuple):
    """What one run left."""

    values: dict[str, Values]  # by name: those of EXACT and TOLD, and `compiles`
    seconds: dict[str, float]


def git(*words: str) -> str:
    """Returns what git says in this repository."""
    done = subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        give_up(f"git {words[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def give_up(sentence: str) -> NoReturn:
    print(f"two_commits.py: {sentence}", file=sys.stderr)
    raise SystemExit(2)


def stop(number: int, frame: object) -> None:
    """Ends the program after its tidying up, which a second Ctrl-C is not to cut off."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


@contextlib.contextmanager
def prepared(role: str, name: str, place: Path, options: list[str]) -> Iterator[Revision]:
    """Checks `name` out below `place`, and removes it at the end; `.` stays where it is."""
    here = name == "."
    commit = git("rev-parse", "--short", "HEAD" if here else f"{name}^{{commit}}")
    checkout = ROOT if here else place / role
    label = f"the working tree at {commit}" if here else commit
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    try:
        if not here:
            git("worktree", "add", "--detach", "--quiet", str(checkout), commit)
        program = [sys.executable, "-c", "import jax_al; print(jax_al.__file__)"]
        found = subprocess.check_output(program, cwd=checkout, env=environment, text=True)
        if not Path(found.strip()).is_relative_to(checkout):
            give_up(f"{role} would run {found.strip()}, which is not of its commit.")
        yield Revision(role, label, checkout, environment, place / f"{role}_programs", options)
    finally:
        if not here:
            remove = ["git", "-C", str(ROOT), "worktree", "remove", "--force", str(checkout)]
            subprocess.run(remove, stderr=subprocess.DEVNULL, check=False)


def run(one: Revision, recipe: str, options: Sequence[str]) -> Outcome:
    """Runs a recipe in a new workdir and reads what it leaves."""
    with tempfile.TemporaryDirectory(prefix="two_commits_") as place:
        workdir, log = Path(place) / "run", Path(place) / "log"
        command = [sys.executable, "launch.py", f"--config=configs/{recipe}.py", *options]
        command += [*one.options, "--config.wandb.mode=disabled", f"--workdir={workdir}"]
        command += [f"--jax_compilation_cache_dir={one.cache}"]
        command += ["--jax_persistent_cache_min_compile_time_secs=0"]  # as launch.py sets by itself
        start = time.perf_counter()
        with open(log, "w") as output:
            process = subprocess.Popen(
                command, cwd=one.checkout, env=one.environment, stdout=output, stderr=output
            )
        try:
            while process.poll() is None and not has_begun(workdir):
                time.sleep(POLL)
            seconds = {"first row": time.perf_counter() - start}
            status = process.wait()
            seconds["whole command"] = time.perf_counter() - start
        finally:
            process.terminate()  # does nothing to one that has ended
            process.wait()
        if status:
            last = "\n".join(log.read_text().splitlines()[-15:])
            give_up(f"{recipe} failed on {one.commit} with status {status}:\n{last}")
        found = read(workdir, seconds)
        if not all(found.values.values()):
            give_up(f"{recipe} left no metrics or no picks on {one.commit}.")
        return found


def has_begun(workdir: Path) -> bool:
    """Whether a first row of metrics, or a first network, is on record."""
    return any(
        name in names and word in Path(folder, name).read_bytes()
        for folder, _, names in os.walk(workdir)  # passes over what vanishes meanwhile
        for name, word in BEGUN.items()
    )


def read(workdir: Path, seconds: dict[str, float]) -> Outcome:
    """Reads picks and metrics; to `seconds` come the sums of those in the metrics."""
    seconds, rows, picks = dict(seconds), {}, {}
    for strategy, path in files(workdir, "metrics.jsonl"):
        for row in map(json.loads, path.read_text().splitlines()):
            rows[row.get("strategy") or strategy, row["seed"], row["episode"]] = row
    for strategy, path in files(workdir, "picks.csv"):
        for line in csv.DictReader(path.read_text().splitlines()):
            place = [int(line[name]) for name in KEY[1:]]
            pick = {name: int(line[name]) for name in ("index", "label")}
            picks[(line.get("strategy") or strategy, *place)] = pick
    for row in rows.values():
        for name in row:
            if name.startswith("seconds_"):
                seconds[f"`{name}`"] = seconds.get(f"`{name}`", 0.0) + (row[name] or 0.0)
    values: dict[str, Values] = {"picks": picks}
    for name in (*EXACT[1:], *TOLD, "compiles"):
        values[name] = {key: row.get(name) for key, row in rows.items()}
    return Outcome(values, seconds)


def files(workdir: Path, name: str) -> list[tuple[str, Path]]:
    """Returns the files `name`, each with the strategy of its lines, should they tell none."""
    if not (workdir / name).exists():  # a comparison with a directory for each
        return [(path.parent.name, path) for path in sorted(workdir.glob(f"*/{name}"))]
    config = workdir / "config.json"
    fields = json.loads(config.read_text()) if config.exists() else {}
    return [(fields.get("strategy", ""), workdir / name)]


def differing(one: Values, other: Values) -> list[tuple]:
    """Returns the keys whose values differ in any bit (-0.0 is not 0.0) or that only one has."""

    def text(values: Values, key: tuple) -> str:
        return json.dumps(values[key], sort_keys=True) if key in values else ""

    return [key for key in sorted(one | other) if text(one, key) != text(other, key)]


def distance(one: Any, other: Any) -> float:
    """Returns the largest difference of numbers in two values; infinite if their form differs."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return max((distance(one[name], other[name]) for name in one), default=0.0)
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return max(map(distance, one, other), default=0.0)
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other)
    return 0.0 if one == other else math.inf


def cell(name: str, one: Values, other: Values) -> str:
    """Returns in a few words whether two columns are equal."""
    keys, total = differing(one, other), len(one | other)
    if not keys:
        return f"{total:,} equal"
    words = f"**{len(keys):,} of {total:,} differ**"
    if name == "picks":
        return words
    largest = max(distance(one.get(key), other.get(key)) for key in keys)
    return f"{words}, by {largest:.2g}" if largest < math.inf else f"{words}, also in form"


def complaints(title: str, one: Outcome, other: Outcome) -> list[str]:
    """Returns a line of a list for each of EXACT that differs, naming the first place."""
    found = []
    for name in EXACT:
        first, second = one.values[name], other.values[name]
        for key in differing(first, second)[:1]:
            place = ", ".join(f"{word} {at}" for word, at in zip(KEY, key, strict=False))
            values = [str(each.get(key, "nothing")) for each in (first, second)]
            found.append(f"- {title}: {name} differ first at {place}: {' and '.join(values)}.")
    return found


def comparison(title: str, before: Outcome, after: Outcome) -> list[str]:
    """Returns a row of the table for each strategy."""

    def part(outcome: Outcome, field: str, strategy: str) -> Values:
        return {key: value for key, value in outcome.values[field].items() if key[0] == strategy}

    lines = []
    for name in sorted({key[0] for one in (before, after) for key in one.values["compiles"]}):
        cells = [title, name]
        for field in (*EXACT, *TOLD):
            cells.append(cell(field, part(before, field, name), part(after, field, name)))
        counts = [part(one, "compiles", name).values() for one in (before, after)]
        cells.append(", ".join(str(max((n or 0 for n in each), default=0)) for each in counts))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def timing(title: str, before: Sequence[Outcome], after: Sequence[Outcome]) -> list[str]:
    """Returns a row of the table for each kind of seconds."""
    lines = []
    for name in before[0].seconds | after[0].seconds:
        cells, medians = [title, name], []
        for each in (before, after):
            values = [one.seconds.get(name, math.nan) for one in each]
            medians.append(statistics.median(values))
            cells.append(f"{medians[-1]:.3g} ({', '.join(f'{value:.3g}' for value in values)})")
        ratio = f"{medians[1] / medians[0]:.2f}" if medians[0] else ""
        lines.append(f"| {' | '.join(cells)} | {ratio} |")
    return lines


def head(*names: str) -> list[str]:
    return ["", f"| {' | '.join(names)} |", "|---" * len(names) + "|"]


def machine() -> str:
    """Returns cores, processor and versions in words."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        if found := re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text()):
            model = found[1]
    jax = importlib.metadata.version("jax")
    return f"{os.cpu_count()} cores, {model}, jax {jax}, Python {platform.python_version()}"


def page(both: Sequence[Revision], outcomes: dict[str, list[list[Outcome]]]) -> tuple[str, bool]:
    """Returns the text about all `outcomes`, of both by run, and whether all that must is equal."""
    problems, same, times = [], [], []
    for title, (before, after) in outcomes.items():
        problems += complaints(f"{title}, before and after", before[0], after[0])
        for role, found in (("before", before), ("after", after)):
            for other in found[1:]:
                problems += complaints(f"{title}, {role} twice", found[0], other)
        same += comparison(title, before[0], after[0])
        if before[1:]:
            times += timing(title, before[1:], after[1:])
    commits = [" ".join([one.commit, *one.options]) for one in both]
    text = [
        "# Two commits side by side",
        "",
        f"`benchmarks/two_commits.py`: before is {commits[0]}, after {commits[1]}. {machine()}.",
        "",
        *(problems or ["Every pick and every accuracy is the same, bit for bit."]),
        *head("run", "strategy", *EXACT, *TOLD, "compiles"),
        *same,
    ]
    if times:
        text += head("run", "seconds, median (all)", "before", "after", "after / before") + times
    return "\n".join(text) + "\n", not problems


def main() -> None:
    """Runs both, compares, prints and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("before", metavar="BEFORE", help="a git revision, or . for these files")
    parser.add_argument("after", metavar="AFTER", help="the same")
    parser.add_argument("--cases", default="digits,cifar,compare", help="some of these; may be ''")
    parser.add_argument("--strategies", choices=["all"], help="all strategies too, at small size")
    parser.add_argument("--data_dir", help="of TFDS, for cifar; $TFDS_DATA_DIR if not given")
    parser.add_argument("--turns", type=int, default=1, help="0: compare only, measure nothing")
    parser.add_argument("--jobs", type=int, help="--jobs of AFTER")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    cases = [name for name in args.cases.split(",") if name]
    cases += ["strategies"] * bool(args.strategies)
    if unknown := set(cases) - CASES.keys():
        parser.error(f"there is no case {', '.join(sorted(unknown))}.")
    named = args.data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    data_dir = Path(named).expanduser().resolve()
    if "cifar" in cases and not (data_dir / "cifar10").is_dir():
        print("There is no CIFAR-10 here (--data_dir says where): the case cifar is skipped.")
        cases.remove("cifar")
    plan = [(case, recipe) for case in cases for recipe in CASES[case]]
    data = [f"--config.data.data_dir={data_dir}"]
    jobs = [] if args.jobs is None else [f"--jobs={args.jobs}"]
    if not plan:
        give_up("there is nothing to run.")
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, stop)

    outcomes: dict[str, list[list[Outcome]]] = {}
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory())).resolve()
        both = [
            stack.enter_context(prepared("before", args.before, place, [])),
            stack.enter_context(prepared("after", args.after, place, jobs)),
        ]
        for case, recipe in plan:
            options = CASES[case][recipe] + data * (case == "cifar")
            found = outcomes[f"{case}, {recipe}"] = [[], []]
            for turn in range(1 + max(0, args.turns) * (case != "strategies")):
                for one, runs in zip(both, found, strict=True):
                    runs.append(run(one, recipe, options))
                    seconds = runs[-1].seconds["whole command"]
                    print(f"{case}, {recipe}, {one.role}, turn {turn}: {seconds:.1f} s", flush=True)
    text, is_equal = page(both, outcomes)
    args.out.write_text(text)
    print(text)
    sys.exit(not is_equal)


if __name__ == "__main__":
    main()
