"""How long a training step, a look at the pool and a whole run take, beside PyTorch, in turns.

    TFDS_DATA_DIR=... python benchmarks/training.py [--turns 1]

A step is what a run does: gather 32 CIFAR-shaped images out of the labeled uint8 ones, normalise
them, forward pass with dropout, backward pass, Adam. jax_al's is the program the runs use, one
`advance` of the learner; beside it the same program with JAX's own convolution gradient, and
PyTorch in both of its memory formats, its tensors in memory and no data loader in between. Then the
forward pass alone, a look at 10,000 images, 1,000 at a time. The pixels are random: time does not
depend on them. Contestants take turns, so that a disturbance meets them all; the figures are
medians.
Last, the CIFAR-10 core-set recipe from start to end (`end_to_end.py`), `--turns` times.
"""

import argparse
import functools
import importlib
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import jax
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

from benchmarks import end_to_end, setting
from jax_al.drivers import fit
from jax_al.drivers.inputs import Inputs
from jax_al.drivers.look import look_over
from jax_al.drivers.programs import Programs
from jax_al.pools.arrays import arrays

try:
    import torch
    from torch import nn
except ImportError:
    sys.exit("benchmarks/training.py compares with PyTorch: pip install 'jax_al[bench]'")

# The function `models.cnn` hides the file of the same name.
CNN_FILE = importlib.import_module("jax_al.learners.networks.cnn")
BATCH = 32
FORWARD_CHUNK = 1000
NUM_FORWARD = CAPACITY = 10_000
Contestant = Callable[[int], None]  # does that many steps, or looks at that many chunks


def jax_contestants(images: np.ndarray, labels: np.ndarray) -> tuple[Contestant, Contestant]:
    """Returns jax_al's training and its forward pass, both compiled by their first call."""
    pool, programs, key = arrays(images), Programs(), jax.random.key(0)
    learner = setting.small_cnn(128, batch_size=BATCH)(pool.spec, 10)
    context = learner.prepare(pool)
    state = fit.start(programs, learner, key, context)

    @functools.cache
    def begun(num_steps: int) -> list:
        """A fit on so many batches; `train` keeps where it stands in place of the first."""
        rows = range(num_steps * BATCH)
        examples = fit.gather(pool, rows, labels[: len(rows)], CAPACITY)
        examples = jax.device_put(examples)
        given = key, state, examples, context
        return [programs.get("begin", learner, learner.begin, *given)(*given), examples]

    def train(num_steps: int) -> None:
        training, examples = begun(num_steps)
        given = training, examples, context
        advance = programs.get("advance", learner, learner.advance, *given, donated=0)
        begun(num_steps)[0] = jax.block_until_ready(advance(*given))

    @functools.cache
    def inputs(num_chunks: int) -> Inputs:
        some = arrays(images[: num_chunks * FORWARD_CHUNK])
        return Inputs(some, FORWARD_CHUNK, "yes")

    def look(num_chunks: int) -> None:
        needs = frozenset({"log_probs"})
        how = {"chunk_size": FORWARD_CHUNK, "num_draws": 1}
        over = inputs(num_chunks)
        jax.block_until_ready(look_over(programs, learner, over, needs, key, state, **how))

    return train, look


def torch_contestants(
    images: np.ndarray, labels: np.ndarray, memory_format: torch.memory_format
) -> tuple[Contestant, Contestant]:
    """Returns training and forward pass of the same network in PyTorch."""
    network = nn.Sequential(
        nn.Conv2d(3, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(64 * 14 * 14, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
        nn.LogSoftmax(1),
    ).to(memory_format=memory_format)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(memory_format=memory_format)
    classes = torch.from_numpy(labels).long()
    mean = pixels.float().mean((0, 2, 3), keepdim=True)
    std = pixels.float().std((0, 2, 3), keepdim=True)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    loss_function = nn.NLLLoss()

    def train(num_steps: int) -> None:
        network.train()
        order = torch.randperm(num_steps * BATCH)
        for rows in order.split(BATCH):
            optimizer.zero_grad()
            log_probs = network((pixels[rows].float() - mean) / std)
            loss_function(log_probs, classes[rows]).backward()
            optimizer.step()

    @torch.inference_mode()
    def look(num_chunks: int) -> None:
        network.eval()
        for chunk in pixels[: num_chunks * FORWARD_CHUNK].split(FORWARD_CHUNK):
            network((chunk.float() - mean) / std).argmax(1)

    return train, look


def milliseconds(contestant: Contestant, count: int) -> float:
    """Returns the time of one of `count` units of work."""
    start = time.perf_counter()
    contestant(count)
    return (time.perf_counter() - start) / count * 1e3


def in_turns(
    contestants: dict[str, tuple[Contestant, int]], repeats: int
) -> dict[str, list[float]]:
    """Measures everyone `repeats` times in turns, after one call each that warms it up."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for contestant, count in contestants.values():
        contestant(count)
    for _ in range(repeats):
        for name, (contestant, count) in contestants.items():
            times[name].append(milliseconds(contestant, count))
    return times


def machine() -> dict[str, str | int | None]:
    """Says what the figures were measured on."""
    cpu = platform.processor() or "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        cpu = next((line.split(": ")[1] for line in lines if line.startswith("model name")), cpu)
    return {
        "device": jax.devices()[0].device_kind,
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "torch threads": torch.get_num_threads(),
        "jax": jax.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def table(title: str, unit: str, times: dict[str, list[float]], scale: float) -> list[str]:
    """Returns the lines of a markdown table."""
    lines = [f"| {title} | median, {unit} | lowest | highest |", "|---|---|---|---|"]
    for name, values in times.items():
        figures = (f(values) * scale for f in (statistics.median, min, max))
        lines.append(f"| {name} | " + " | ".join(f"{figure:.3g}" for figure in figures) + " |")
    return lines


def draw(panels: dict[str, tuple[dict[str, list[float]], float]], path: Path) -> None:
    """Draws the medians, a panel of bars for each title: its times and what to multiply them by."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    rows = sum(len(times) for times, _ in panels.values()) + len(panels)
    figure, axes = plt.subplots(
        len(panels),
        figsize=(8, 0.45 * rows),
        height_ratios=[len(times) for times, _ in panels.values()],
        layout="constrained",
        squeeze=False,
    )
    for ax, (title, (times, scale)) in zip(axes[:, 0], panels.items(), strict=True):
        medians = [statistics.median(values) * scale for values in times.values()]
        colors = ["#0072b2" if name.startswith("jax_al") else "#999999" for name in times]
        bars = ax.barh(list(times), medians, color=colors)
        ax.bar_label(bars, fmt="%.3g", padding=3)
        ax.set_title(title, loc="left", fontsize="medium")
        ax.invert_yaxis()
        ax.margins(x=0.1)
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measures, prints the tables and writes them and the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=20, help="training steps per repeat")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--turns", type=int, default=1, help="whole runs of each; 0: none")
    parser.add_argument(
        "--seeds", type=int, default=5, help="of a whole run of several seeds; 1: none"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (50_000, 32, 32, 3), dtype=np.uint8)
    labels = rng.integers(0, 10, 50_000, dtype=np.int32)

    train, look = jax_contestants(images, labels)
    torch_train, torch_look = torch_contestants(images, labels, torch.contiguous_format)
    last_train, last_look = torch_contestants(images, labels, torch.channels_last)
    # The convolution is looked up when the network is built and traced, that is in the first call.
    with mock.patch.object(CNN_FILE, "convolve", jax.lax.conv_general_dilated):
        native_train, _ = jax_contestants(images, labels)
        native_train(1)

    steps = in_turns(
        {
            "jax_al": (train, args.steps),
            "PyTorch, channels_last": (last_train, args.steps),
            "PyTorch, default format": (torch_train, args.steps),
            "jax_al with JAX's own convolution gradient": (native_train, 2),
        },
        args.repeats,
    )
    chunks = NUM_FORWARD // FORWARD_CHUNK
    forward = in_turns(
        {
            "jax_al": (look, chunks),
            "PyTorch, channels_last": (last_look, chunks),
            "PyTorch, default format": (torch_look, chunks),
        },
        args.repeats,
    )
    whole = end_to_end.measure(args.turns, args.seeds) if args.turns else {}
    first = {"jax_al": end_to_end.first_step_seconds(args.repeats)} if args.turns else {}
    facts = machine()
    step_title, look_title = f"step of {BATCH} images", f"forward pass, {NUM_FORWARD:,} images"
    whole_title = "CIFAR-10 core-set, 10 episodes"
    lines = [
        "# Training, forward pass and a whole run of the small CNN, 32x32x3 images",
        "",
        f"`python benchmarks/training.py --turns {args.turns} --seeds {args.seeds}`: "
        + ", ".join(f"{k} {v}" for k, v in facts.items()),
        "",
        *table(step_title, "ms", steps, 1),
        "",
        *table(look_title, "s", forward, chunks / 1e3),
    ]
    panels = {
        # Without the one that is 30 times as long as the others.
        f"{step_title}, ms": (dict(list(steps.items())[:3]), 1.0),
        f"{look_title}, s": (forward, chunks / 1e3),
    }
    if whole:
        lines += ["", *table(whole_title, "s", whole, 1)]
        lines += ["", *table("from the command to the first step's metrics", "s", first, 1)]
        panels[f"{whole_title}, s"] = (whole, 1.0)
    text = "\n".join(lines) + "\n"
    print(text)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "training.md").write_text(text)
    draw(panels, args.out / "training.png")
    record = {
        "machine": facts,
        "ms_per_step": steps,
        "ms_per_1000_images_forward": forward,
        "s_whole_run": whole,
        "s_to_first_step": first,
    }
    (args.out / "training.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
