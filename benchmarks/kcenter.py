"""Greedy k-center against what people use: seconds, distances, memory, growth.

    python benchmarks/kcenter.py [--points embeddings.npy] [CASE ...]   # measure
    python benchmarks/kcenter.py --report                              # table and picture

Every case runs in a process of its own and appends one line to results/kcenter.jsonl; running it
again replaces it. Needs the `bench` extra. Without --points: ReLU features with a decaying
spectrum, made up.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

RESULTS = Path(__file__).parent / "results"
LINES = RESULTS / "kcenter.jsonl"
REPEATS = 5

# The paper's setting (Sener & Savarese 2018, section 5.1), and a cold start.
PAPER = {"N": 50_000, "D": 512, "initial": 10_000, "picks": 5_000}
COLD = {"N": 50_000, "D": 512, "initial": 0, "picks": 1_000}
GROWTH = {
    "N": [
        {"N": n, "D": 64, "initial": 1_000, "picks": 1_000} for n in (10_000, 100_000, 1_000_000)
    ],
    "D": [{"N": 20_000, "D": d, "initial": 1_000, "picks": 1_000} for d in (32, 256, 2_048)],
    "picks": [{"N": 50_000, "D": 128, "initial": 1_000, "picks": q} for q in (100, 1_000, 10_000)],
}


def made_up(N: int, D: int) -> np.ndarray:
    """Clusters whose spectrum decays, through a ReLU."""
    rng = np.random.default_rng(0)
    scale = (1 + np.arange(D, dtype=np.float32)) ** -0.5
    clusters = 2 * rng.standard_normal((100, D), dtype=np.float32) * scale
    points = np.empty((N, D), np.float32)
    for start in range(0, N, 10_000):
        part = points[start : start + 10_000]
        noise = rng.standard_normal(part.shape, dtype=np.float32) * scale
        part[:] = np.maximum(clusters[rng.integers(0, 100, len(part))] + noise, 0)
    return points


def problem(setting: dict, path: str | None) -> tuple[np.ndarray, np.ndarray]:
    points = made_up(setting["N"], setting["D"]) if path is None else np.load(path)
    initial = np.random.default_rng(1).permutation(len(points))[: setting["initial"]]
    return points, initial


class Stopwatch:
    """Wall and processor seconds since it was made; the latter hardly notice other processes."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def read(self) -> np.ndarray:
        return np.array([time.perf_counter() - self.wall, time.process_time() - self.cpu])


def seconds(both: np.ndarray) -> dict:
    return {"seconds": float(both[0]), "cpu_seconds": float(both[1]), "load": os.getloadavg()[0]}


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def ours(setting: dict, path: str | None) -> dict:
    import jax

    from jax_al.geometry.kcenter import kcenter_greedy

    points, initial = problem(setting, path)
    jax.device_put(np.zeros(1)).block_until_ready()
    before = peak_mb()
    runs = []
    for _ in range(REPEATS + 1):
        watch = Stopwatch()
        result = kcenter_greedy(points, setting["picks"], initial)
        runs.append(watch.read())
    best = np.min(runs[1:], axis=0)
    return seconds(best) | {
        "median": float(np.median(runs[1:], axis=0)[0]),
        "compile_seconds": float(runs[0][0] - best[0]),
        "distances": result.work.distances / (len(points) * (len(initial) + setting["picks"])),
        "rounds": result.work.rounds,
        "memory_mb": peak_mb() - before,
        "radius": result.radius,
    }


def in_jit(setting: dict, path: str | None) -> dict:
    """The form that the learner compiles into its programs."""
    import jax

    from jax_al.geometry.kcenter import kcenter_greedy_traced

    points, initial = problem(setting, path)
    args = jax.device_put(points), jax.device_put(initial.astype(np.int32)), len(initial)
    watch = Stopwatch()
    program = jax.jit(kcenter_greedy_traced, static_argnums=3)
    program = program.lower(*args, setting["picks"]).compile()
    compiling = watch.read()
    runs = []
    for _ in range(3):
        watch = Stopwatch()
        jax.block_until_ready(program(*args))
        runs.append(watch.read())
    return seconds(np.min(runs, axis=0)) | {"compile_seconds": float(compiling[0])}


def sharded(setting: dict, path: str | None) -> dict:
    """Points split over virtual devices, which share the processor: what is sent, not how fast."""
    devices = setting["devices"]
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
    import jax
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    from jax_al.geometry.kcenter.sharded import ShardedPoints, sharded_greedy

    points, initial = problem(setting, path)
    mesh = Mesh(np.array(jax.devices()), ("rows",))
    split = jax.device_put(points, NamedSharding(mesh, PartitionSpec("rows", None)))
    matrix = ShardedPoints(split)
    sharded_greedy(matrix, initial, setting["picks"])
    watch = Stopwatch()
    work = sharded_greedy(matrix, initial, setting["picks"]).work
    taken = watch.read()
    centers_bytes = len(initial) * points.shape[1] * 4
    before = matrix.bytes_exchanged + centers_bytes
    return seconds(taken) | {
        "rounds": work.rounds,
        "collectives": work.collectives,
        "bytes_per_round": (work.bytes_exchanged - before) // work.rounds,
        "bytes_of_centers": centers_bytes,
        "bytes_exchanged": work.bytes_exchanged,
    }


def from_disk(setting: dict, path: str | None) -> dict:
    """A matrix of 8 GB in a memory-mapped file, within 2 GB."""
    from jax_al.geometry.kcenter import kcenter_greedy

    N, D = setting["N"], setting["D"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "points.npy"
        part = made_up(20_000, D)
        scales = np.random.default_rng(2)
        with file.open("wb") as out:
            header = {"descr": "<f4", "fortran_order": False, "shape": (N, D)}
            np.lib.format.write_array_header_1_0(out, header)
            for _ in range(0, N, len(part)):
                # Other points in every part, without another billion random numbers.
                out.write(part * scales.uniform(0.5, 1.5, (len(part), 1)).astype(np.float32))
        before = peak_mb()
        points = np.load(file, mmap_mode="r")
        watch = Stopwatch()
        result = kcenter_greedy(
            points, setting["picks"], range(setting["initial"]), max_bytes=2_000_000_000
        )
        taken = watch.read()
    centers = setting["initial"] + setting["picks"]
    return seconds(taken) | {
        "distances": result.work.distances / (N * centers),
        "rounds": result.work.rounds,
        "bytes_read": result.work.bytes_read,
        "bytes_plain_loop": N * D * 4 * centers,
        "peak_mb": peak_mb(),
        "peak_mb_making_the_file": before,
    }


def torch_loop(setting: dict, path: str | None, most: int = 500) -> dict:
    """The fastest running-minimum loop we could write: one matrix-vector product per center."""
    import torch

    points, initial = problem(setting, path)
    x = torch.from_numpy(points)
    watch = Stopwatch()
    sq_norms = (x * x).sum(1)
    nearest = torch.full((len(x),), float("inf"))
    if len(initial):
        for part in torch.from_numpy(initial).split(1_000):
            torch.minimum(nearest, torch.cdist(x, x[part]).amin(1).square_(), out=nearest)
    else:
        first = (x - x.mean(0)).square().sum(1).argmax()
        nearest = (x - x[first]).square().sum(1)
    once = watch.read()
    picks = min(setting["picks"], most)
    watch = Stopwatch()
    for _ in range(picks):
        center = x[int(nearest.argmax())]
        sq = torch.addmv(sq_norms, x, center, alpha=-2).add_(center @ center)
        torch.minimum(nearest, sq, out=nearest)
    return seconds(once + watch.read() / picks * setting["picks"]) | {"picks_measured": picks}


def torch_idiom(setting: dict, path: str | None) -> dict:
    """As published implementations write it: the norm of the differences to the new center."""
    import torch

    points, _ = problem(setting, path)
    x = torch.from_numpy(points)
    nearest = torch.full((len(x),), float("inf"))
    picks = min(setting["picks"], 100)
    watch = Stopwatch()
    for _ in range(picks):
        center = x[int(nearest.argmax())]
        nearest = torch.minimum(nearest, torch.linalg.norm(x - center, dim=1))
    return seconds(watch.read() / picks * setting["picks"]) | {"picks_measured": picks}


def skactiveml(setting: dict, path: str | None) -> dict:
    from skactiveml.pool import CoreSet

    points, initial = problem(setting, path)
    labels = np.full(len(points), np.nan)
    labels[initial] = 0
    picks = min(setting["picks"], 1_000)
    watch = Stopwatch()
    CoreSet(random_state=0).query(points, labels, batch_size=1)
    once = watch.read()
    watch = Stopwatch()
    CoreSet(random_state=0).query(points, labels, batch_size=1 + picks)
    more = (watch.read() - once) / picks * (setting["picks"] - 1)
    return seconds(once + more) | {"picks_measured": picks}


def fpsample(setting: dict, path: str | None) -> dict:
    import fpsample

    points, _ = problem(setting, path)
    watch = Stopwatch()
    fpsample.fps_sampling(points, setting["picks"])
    return seconds(watch.read()) | {"picks_measured": setting["picks"]}


CASES = {
    "disk/jax_al": (from_disk, {"N": 1_000_000, "D": 2_048, "initial": 1_000, "picks": 1_000}),
    "paper/jax_al": (ours, PAPER),
    "paper/torch matvec loop": (torch_loop, PAPER),
    "paper/torch norm loop": (torch_idiom, PAPER),
    "paper/scikit-activeml": (skactiveml, PAPER),
    "cold/jax_al": (ours, COLD),
    "cold/torch matvec loop": (torch_loop, COLD),
    "cold/fpsample": (fpsample, COLD),
}
JIT = {
    "learner": {"N": 50_000, "D": 128, "initial": 900, "picks": 100},
    "1000+1000": {"N": 50_000, "D": 512, "initial": 1_000, "picks": 1_000},
    "paper": PAPER,
}
SHARDED = [
    {"N": 50_000, "D": 512, "initial": 1_000, "picks": 1_000, "devices": n} for n in (1, 2, 4, 8)
] + [
    {"N": 50_000, "D": 512, "initial": 1_000, "picks": 100, "devices": 8},
    {"N": 50_000, "D": 128, "initial": 1_000, "picks": 1_000, "devices": 8},
    PAPER | {"devices": 8},
]
CASES |= {f"jit {name}/jax_al": (in_jit, setting) for name, setting in JIT.items()}
CASES |= {
    f"sharded {s['devices']} x D={s['D']}, {s['initial']}+{s['picks']}/jax_al": (sharded, s)
    for s in SHARDED
}
for axis, settings in GROWTH.items():
    for setting in settings:
        CASES[f"{axis}={setting[axis]}/jax_al"] = (ours, setting)
        CASES[f"{axis}={setting[axis]}/torch matvec loop"] = (torch_loop, setting | {"most": 100})


def run_case(name: str, path: str | None) -> None:
    function, setting = CASES[name]
    options = {"most": setting["most"]} if "most" in setting else {}
    fixed = path is not None and np.load(path, mmap_mode="r").shape == (setting["N"], setting["D"])
    measured = function(setting, path if fixed else None, **options)
    source = Path(path).name if fixed else "made up"
    print(json.dumps({"case": name, **setting, "points": source, **measured}))


def measure(names: list[str], path: str | None) -> None:
    for name in names:
        line = [sys.executable, __file__, "--one", name, *(["--points", path] if path else [])]
        print(name, flush=True)
        done = subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True)
        new = json.loads(done.stdout.splitlines()[-1]) | {"machine": machine()}
        kept = [row for row in read() if row["case"] != name]
        LINES.write_text("".join(json.dumps(row) + "\n" for row in [*kept, new]))
        print(f"  {new['seconds']:.3g} s, {new['cpu_seconds']:.3g} s of CPU", flush=True)


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def read() -> list[dict]:
    return [json.loads(line) for line in LINES.read_text().splitlines()] if LINES.exists() else []


def report() -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = {row["case"]: row for row in read()}
    lines = []
    for group in ("paper", "cold"):
        own = rows[f"{group}/jax_al"]
        lines += [
            f"\n{group}: N={own['N']:,}, D={own['D']}, {own['initial']:,} centers, "
            f"{own['picks']:,} picks; points: {own['points']}; {own['machine']}\n",
            "| | seconds | times ours | CPU seconds | times ours | picks measured | distances "
            "| compile | extra memory | load |",
            "|---|---|---|---|---|---|---|---|---|---|",
        ]
        for name, row in rows.items():
            if name.startswith(group + "/"):
                mine = "compile_seconds" in row
                lines.append(
                    f"| {name.split('/')[1]} | {row['seconds']:.2f} "
                    f"| {row['seconds'] / own['seconds']:.0f} | {row['cpu_seconds']:.2f} "
                    f"| {row['cpu_seconds'] / own['cpu_seconds']:.0f} "
                    f"| {row.get('picks_measured', row['picks']):,} "
                    + (
                        f"| {row['distances']:.1%} | {row['compile_seconds']:.1f} s "
                        f"| {row['memory_mb']:.0f} MB "
                        if mine
                        else "| 100% | | "
                    )
                    + f"| {row['load']:.1f} |"
                )
    if "disk/jax_al" in rows:
        disk = rows["disk/jax_al"]
        lines.append(
            f"\nfrom disk: N={disk['N']:,}, D={disk['D']:,}, {disk['initial']:,} centers, "
            f"{disk['picks']:,} picks: {disk['seconds']:.0f} s, peak {disk['peak_mb']:,.0f} MB, "
            f"{disk['bytes_read'] / 1e9:.1f} GB read where the plain loop reads "
            f"{disk['bytes_plain_loop'] / 1e9:,.0f} GB"
        )
    lines += [
        "\ninside jit, as the learner uses it\n",
        "| N, D | centers + picks | points | seconds | CPU seconds | compile |",
        "|---|---|---|---|---|---|",
    ]
    for name in JIT:
        if row := rows.get(f"jit {name}/jax_al"):
            lines.append(
                f"| {row['N']:,}, {row['D']} | {row['initial']:,} + {row['picks']:,} "
                f"| {row['points']} | {row['seconds']:.2f} | {row['cpu_seconds']:.2f} "
                f"| {row['compile_seconds']:.1f} s |"
            )
    lines += [
        "\nsharded over virtual devices, which share one processor; bytes are what each receives\n",
        "| devices | N, D | centers + picks | points | rounds | collectives | KB per round "
        "| MB of first centers | MB in all | seconds |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        if name.startswith("sharded"):
            lines.append(
                f"| {row['devices']} | {row['N']:,}, {row['D']} "
                f"| {row['initial']:,} + {row['picks']:,} | {row['points']} "
                f"| {row['rounds']} | {row['collectives']} "
                f"| {row['bytes_per_round'] / 1e3:,.0f} | {row['bytes_of_centers'] / 1e6:.1f} "
                f"| {row['bytes_exchanged'] / 1e6:.1f} | {row['seconds']:.2f} |"
            )
    lines += ["\n| growth with | | | | exponent |", "|---|---|---|---|---|"]
    figure, axes = plt.subplots(1, len(GROWTH), figsize=(11, 3.4), layout="constrained")
    for axis, (along, settings) in zip(axes, GROWTH.items(), strict=True):
        values = [setting[along] for setting in settings]
        for who, style in (("jax_al", "o-"), ("torch matvec loop", "s--")):
            found = [rows[f"{along}={value}/{who}"] for value in values]
            seconds = [row["seconds"] for row in found]
            exponent = np.polyfit(np.log(values), np.log(seconds), 1)[0]
            cells = " | ".join(f"{v:,}: {s:.3g} s" for v, s in zip(values, seconds, strict=True))
            lines.append(f"| {along}, {who} | {cells} | {exponent:.2f} |")
            axis.loglog(values, seconds, style, label=f"{who}: {along}^{exponent:.2f}")
        fixed = {k: v for k, v in settings[0].items() if k != along}
        axis.set_title(", ".join(f"{k}={v:,}" for k, v in fixed.items()), fontsize=8)
        axis.set_xlabel(along)
        axis.legend(fontsize=7)
    axes[0].set_ylabel("seconds")
    figure.savefig(RESULTS / "kcenter.png", dpi=150)
    text = "\n".join(lines).strip() + "\n"
    (RESULTS / "kcenter.md").write_text(text)
    print(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", help=f"of {', '.join(CASES)}; default all")
    parser.add_argument("--points", help=".npy file for the paper's setting and the cold start")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        run_case(arguments.one, arguments.points)
    elif arguments.report:
        report()
    else:
        RESULTS.mkdir(exist_ok=True)
        measure(arguments.cases or list(CASES), arguments.points)


if __name__ == "__main__":
    main()
