r"""A pool larger than memory should hold: does an episode stay within 2 GiB, and how long is it?

    python benchmarks/big_pool.py [--gigabytes 8] [--strategies margin coreset] [--directory /tmp]

Writes a .npy of so many gigabytes of made-up images, uint8 [N, 32, 32, 3] in ten classes that can
be told apart, and lets launch.py run an episode of the recipes' CNN on it, labels and a small test
set in files beside it: 1,000 labels, two epochs, a look at the whole pool, 1,000 labels more, and
the training on all of them. Told are the wall seconds, those of the look and of the selection, what
lies on disk, and the peak of the anonymous memory of the process (RssAnon in /proc/PID/status, seen
every 50 ms): what the system cannot take away, unlike pages of mapped files. More than 2 GiB of it
is a failure. Options after -- go to launch.py. The files are removed at the end. Smaller images and
a smaller network show what so many examples cost in memory, for a fraction of the time:

    python benchmarks/big_pool.py --gigabytes 0.5 --side 8 -- --config.data.resident=no \
        "--config.model.widths=(2,2)"
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

from benchmarks import setting

LIMIT = 2 * 2**30  # bytes of anonymous memory
POLL = 0.05  # seconds
NUM_CLASSES, NUM_TEST, BLOCK = 10, 1_000, 8_192
RECIPE = [
    "--config=default", "--config.initial_size=1000", "--config.budget=1000",
    "--config.max_episodes=2", "--config.epochs=2", "--config.wandb.mode=disabled",
]  # fmt: skip


class Measured(NamedTuple):
    """One strategy's episode."""

    wall: float  # seconds
    look: float
    select: float
    accuracies: tuple[float, float]  # before and after
    anonymous: int  # bytes, the peak
    on_disk: int  # bytes in the workdir at the end


def make_images(rng: np.random.Generator, labels: np.ndarray, side: int) -> np.ndarray:
    """Returns uint8 [n, side, side, 3]: noise around a coarse pattern that is the class's own."""
    patterns = np.random.default_rng(0).integers(120, 136, (NUM_CLASSES, 4, 4, 3))
    large = patterns.repeat(side // 4, axis=1).repeat(side // 4, axis=2).astype(np.int16)
    noise = rng.integers(-112, 113, (len(labels), side, side, 3), np.int16)
    return (large[labels] + noise).astype(np.uint8)


def make_files(directory: Path, num_points: int, side: int) -> None:
    """Writes pool and test set, images and labels, block by block."""
    for seed, (name, size) in enumerate({"pool": num_points, "test": NUM_TEST}.items()):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, NUM_CLASSES, size, np.int32)
        np.save(directory / f"{name}_labels.npy", labels)
        shape = (size, side, side, 3)
        path = directory / f"{name}.npy"
        images = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
        for start in range(0, size, BLOCK):
            images[start : start + BLOCK] = make_images(rng, labels[start : start + BLOCK], side)
        images.flush()


def anonymous(pid: int) -> int:
    """Returns the bytes of anonymous memory that a process holds now; 0 once it is over."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def run(strategy: str, files: Path, more: Sequence[str]) -> Measured:
    """Runs an episode of `strategy` in a process of its own and watches it."""
    workdir = files / "run"
    data = {
        "name": "pool.npy",
        "labels": "pool_labels.npy",
        "test_path": "test.npy",
        "test_labels": "test_labels.npy",
    }
    options = [f"--config.data.{field}={files / name}" for field, name in data.items()]
    command = [sys.executable, "launch.py", *RECIPE, *options, f"--config.strategy={strategy}"]
    start, peak = time.perf_counter(), 0
    log = files / "log.txt"
    with (
        open(log, "w") as out,
        subprocess.Popen(
            [*command, f"--workdir={workdir}", *more],
            cwd=setting.ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        while process.poll() is None:
            peak = max(peak, anonymous(process.pid))
            time.sleep(POLL)
    wall = time.perf_counter() - start
    if process.returncode:
        raise RuntimeError(f"launch.py failed ({process.returncode}): {log.read_text()[-3_000:]}")
    first, last = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    on_disk = sum(path.stat().st_size for path in workdir.rglob("*") if path.is_file())
    shutil.rmtree(workdir)
    return Measured(
        wall,
        first["seconds_embed"],
        first["seconds_select"],
        (first["test_accuracy"], last["test_accuracy"]),
        peak,
        on_disk,
    )


def main() -> None:
    """Makes the files, runs and judges."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gigabytes", type=float, default=8)
    parser.add_argument("--side", type=int, default=32, help="of the images, a multiple of 4")
    parser.add_argument("--strategies", nargs="+", default=["margin", "coreset"])
    parser.add_argument("--directory", type=Path, help="where the pool is written for the while")
    parser.add_argument("--out", type=Path, default=setting.RESULTS / "big_pool.md")
    parser.add_argument("more", nargs="*", metavar="OPTION", help="of launch.py, after --")
    args = parser.parse_args()
    num_points = int(args.gigabytes * 1e9) // (args.side**2 * 3)
    measured: dict[str, Measured] = {}
    with tempfile.TemporaryDirectory(dir=args.directory) as name:
        make_files(Path(name), num_points, args.side)
        for strategy in args.strategies:
            measured[strategy] = run(strategy, Path(name), args.more)
            print(strategy, measured[strategy], flush=True)
    with setting.written(args.out) as lines:
        lines += [
            "# An episode on a pool that memory should not hold",
            "",
            f"`python benchmarks/big_pool.py --gigabytes {args.gigabytes:g} --side {args.side}`"
            f"{' with ' + ' '.join(args.more) if args.more else ''}: {setting.machine()}. "
            f"{num_points:,} images {args.side}x{args.side}x3 on disk; 1,000 labels, 1,000 more.",
            "",
            "| | seconds | of the look | of the selection | peak anonymous memory | written "
            "| accuracy before, after |",
            "|---|---:|---:|---:|---:|---:|---|",
        ]
        for strategy, found in measured.items():
            before, after = found.accuracies
            lines.append(
                f"| {strategy} | {found.wall:.0f} | {found.look:.0f} | {found.select:.1f} "
                f"| {found.anonymous / 2**20:,.0f} MiB | {found.on_disk / 1e6:,.0f} MB "
                f"| {before:.3f}, {after:.3f} |"
            )
    for strategy, found in measured.items():
        if found.anonymous >= LIMIT:
            sys.exit(
                f"{strategy} came to hold {found.anonymous / 2**30:.2f} GiB of anonymous memory; "
                f"it must stay below {LIMIT / 2**30:g} GiB."
            )


if __name__ == "__main__":
    main()
