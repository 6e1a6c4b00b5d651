"""The CIFAR-10 core-set recipe from start to end, beside the same loop in PyTorch.

    python benchmarks/training.py --turns 1      calls this
    python benchmarks/end_to_end.py --seeds 1    the PyTorch half alone

jax_al is `launch.py` as a user starts it, in a process of its own, with starting, checkpoints,
records, pictures and report (its programs and the decoded images are in their caches). PyTorch does
the episodes alone, also in a process of its own: the same network, channels_last, all tensors in
memory and no loader; Adam, ten epochs; evaluation; the embedding of the whole pool; greedy k-center
with a matrix product for the labeled points and one distance to the pool for each pick. Seconds are
wall-clock, of whole processes. The data set is where TFDS looks, $TFDS_DATA_DIR. Needs the `bench`
extra.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

from jax_al.types import Pool

ROOT = Path(__file__).resolve().parents[1]
INITIAL = BUDGET = 100
EPOCHS, BATCH, CHUNK = 10, 32, 1_000


def torch_run(num_seeds: int, episodes: int) -> None:
    """Does the episodes of each seed in PyTorch."""
    import torch
    from torch import nn

    from benchmarks.setting import load_whole

    data = load_whole("cifar10")

    def tensor(images: Pool) -> torch.Tensor:
        pixels = torch.from_numpy(images.read(slice(0, len(images)))).permute(0, 3, 1, 2)
        return pixels.contiguous(memory_format=torch.channels_last)

    pool, test = tensor(data.pool), tensor(data.test)
    truth = torch.from_numpy(np.array(data.truth)).long()
    test_truth = torch.from_numpy(np.array(data.test_labels)).long()
    means = [pool[:, channel].double().mean() for channel in range(3)]
    stds = [pool[:, channel].double().std() for channel in range(3)]
    mean, std = (torch.stack(v).float()[None, :, None, None] for v in (means, stds))

    def make() -> tuple[nn.Module, nn.Module]:
        body = nn.Sequential(
            nn.Conv2d(3, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.MaxPool2d(2),
            nn.Dropout(0.25), nn.Flatten(), nn.Linear(64 * 14 * 14, 128),
        )  # fmt: skip
        head = nn.Sequential(nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10), nn.LogSoftmax(1))
        return body.to(memory_format=torch.channels_last), head

    @torch.inference_mode()
    def look(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
        network.eval()
        return torch.cat([network((chunk.float() - mean) / std) for chunk in images.split(CHUNK)])

    @torch.inference_mode()
    def farthest(points: torch.Tensor, centers: torch.Tensor) -> torch.Tensor:
        norms = points.square().sum(1)
        nearest = torch.full_like(norms, torch.inf)
        for rows in centers.split(CHUNK):
            sq = norms[:, None] + norms[rows] - 2 * points @ points[rows].T
            nearest = torch.minimum(nearest, sq.min(1).values)
        picks = []
        for _ in range(BUDGET):
            pick = nearest.argmax()
            picks.append(pick)
            nearest = torch.minimum(nearest, norms + norms[pick] - 2 * points @ points[pick])
            nearest[pick] = -torch.inf
        return torch.stack(picks)

    for seed in range(num_seeds):
        torch.manual_seed(seed)
        owned = torch.randperm(len(pool))[:INITIAL]
        for episode in range(1, episodes + 1):
            body, head = make()
            network = nn.Sequential(body, head).train()
            optimizer = torch.optim.Adam(network.parameters(), 1e-3)
            for _ in range(EPOCHS):
                for rows in owned[torch.randperm(len(owned))].split(BATCH):
                    optimizer.zero_grad()
                    log_probs = network((pool[rows].float() - mean) / std)
                    nn.functional.nll_loss(log_probs, truth[rows]).backward()
                    optimizer.step()
            guesses = look(network, test).argmax(1)
            accuracy = (guesses == test_truth).float().mean().item()
            print(f"seed {seed}, {len(owned)} labels: {accuracy:.4f}", flush=True)
            if episode < episodes:
                owned = torch.cat([owned, farthest(look(body, pool), owned)])


def recipe(workdir: str) -> list[str]:
    """Returns the command of the core-set recipe; its lines come as they are printed."""
    recipe = "--config=configs/cifar_coreset.py"
    return [sys.executable, "-u", "launch.py", recipe, f"--workdir={workdir}"]


def jax_al_seconds(num_seeds: int, episodes: int) -> float:
    """Returns the seconds of one run of launch.py in a new workdir."""
    with tempfile.TemporaryDirectory() as workdir:
        options = [f"--config.num_seeds={num_seeds}", f"--config.max_episodes={episodes}"]
        return seconds_of([*recipe(workdir), *options])


def torch_seconds(num_seeds: int, episodes: int) -> float:
    """Returns the seconds of the same in PyTorch."""
    options = [f"--seeds={num_seeds}", f"--episodes={episodes}"]
    return seconds_of([sys.executable, __file__, *options])


def seconds_of(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True)
    return time.perf_counter() - start


def first_step_seconds(turns: int) -> list[float]:
    """Returns, for each turn, the seconds from the command to the first line of metrics.

    It comes after a single training step and a look at 1,000 test images. The programs and the
    decoded images are in their caches, after a turn that does not count.
    """
    found = []
    for _ in range(turns + 1):
        with tempfile.TemporaryDirectory() as workdir:
            command = [*recipe(workdir), "--config.max_episodes=1", "--config.epochs=1"]
            command += ["--config.initial_size=32", "--config.data.test_size=1000"]
            start = time.perf_counter()
            with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
                for line in process.stdout or ():
                    if line.split()[:3] == ["0", "1", "32"]:  # seed, episode, labels
                        found.append(time.perf_counter() - start)
    return found[1:]


def fill_caches(episodes: int) -> None:
    """Runs until the first row of metrics: before it all programs are compiled."""
    with tempfile.TemporaryDirectory() as workdir:
        command = [*recipe(workdir), f"--config.max_episodes={episodes}"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout or ():
                if line.split()[:2] == ["0", "1"]:  # seed, episode
                    process.terminate()


def measure(turns: int, several: int, episodes: int = 10) -> dict[str, list[float]]:
    """Returns the seconds of one seed in turns, here and in PyTorch, and of `several` here."""
    contestants = [
        ("jax_al", jax_al_seconds, 1),
        ("PyTorch, channels_last, the episodes alone", torch_seconds, 1),
    ]
    fill_caches(episodes)
    if several > 1:
        contestants.append((f"jax_al, {several} seeds", jax_al_seconds, several))
    seconds: dict[str, list[float]] = {}
    for _ in range(turns):
        for name, run, count in contestants:
            seconds.setdefault(name, []).append(run(count, episodes))
    return seconds


def main() -> None:
    """Does the PyTorch half."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--episodes", type=int, default=10)
    args = parser.parse_args()
    torch_run(args.seeds, args.episodes)


if __name__ == "__main__":
    main()
