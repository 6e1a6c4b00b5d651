"""Made-up runs of both layouts, so that tests of the report need no training."""

import json
import pathlib

import numpy as np

from jax_al.record.files import merge, write_part
from jax_al.session.records import Pick

CLASSES = ["cat", "dog & <b>bird</b>", "frog"]
OLD, NEW = "old", "new"


def make_run(
    path: pathlib.Path,
    strategy: str = "random",
    *,
    layout: str = OLD,
    gain: float = 0.0,
    **options,
) -> pathlib.Path:
    """Writes what a run of one strategy leaves; returns `path`.

    Args:
      path: made with its parents.
      strategy: of the config.
      layout: OLD, a workdir whose files are of this strategy; or NEW, a root and its parts.
      gain: added to the accuracy after the start.
      **options: see `_Made`, and further fields of the config; dots as double underscores.
    """
    if layout == NEW:
        return make_root(path, {strategy: gain}, **options)
    made = _Made(path, **options)
    made.write_config(strategy=strategy)
    rows, picks = [], []
    for seed in made.seeds:
        own_rows, own_picks = made.part(strategy, seed, gain, path / f"looks/seed_{seed}")
        rows += own_rows
        picks += own_picks
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = ["seed,episode,order,index,id,label", *(",".join(map(str, p[:-1])) for p in picks)]
    (path / "picks.csv").write_text("\n".join(lines) + "\n")
    return path


def make_root(path: pathlib.Path, gains: dict[str, float], **options) -> pathlib.Path:
    """Writes what a run of {strategy: gain} leaves in the new layout; returns `path`.

    Args:
      path: made with its parents.
      gains: what is added to the accuracy of each strategy after the start.
      **options: as in `make_run`.
    """
    made = _Made(path, **options)
    first, *others = gains
    made.write_config(layout=2, strategy=first, compare=[first, *others] if others else [])
    for strategy, gain in gains.items():
        for seed in made.seeds:
            part = path / "parts" / strategy / f"seed_{seed}"
            rows, picks = made.part(strategy, seed, gain, part / "looks")
            for row in rows:
                row["strategy"] = strategy
            write_part(part, rows, picks)
    merge(path, list(gains))
    return path


def looks_of(run: pathlib.Path, seed: int, strategy: str = "random") -> pathlib.Path:
    """Returns the directory of the looks of a seed, in either layout."""
    parts = run / "parts"
    return parts / strategy / f"seed_{seed}/looks" if parts.exists() else run / f"looks/seed_{seed}"


def only_merged(run: pathlib.Path) -> None:
    """Removes the records that the parts of `run` have of their own, if it has parts."""
    for name in ("metrics.jsonl", "picks.csv"):
        for path in run.glob(f"parts/*/*/{name}"):
            path.unlink()


class _Made:
    """What all parts of a run share.

    Args:
      path: of the run.
      seeds: which ones have results.
      episodes: how many each has ended.
      max_episodes: of the config; None: as many as `episodes`, so the run is finished. If there
        are more to come, the last one that has ended has bought its labels.
      pool_size: N.
      budget: labels per episode, and initial ones.
      looks: whether to write looks/.
      channels: of the thumbnails; 0: there are no images.
      thumbnail: their side in pixels.
      classes: names.
      truth: whether the pool's classes are known.
      test: whether there is a test set.
      **fields: of the config.
    """

    def __init__(
        self,
        path,
        *,
        seeds=range(3),
        episodes=4,
        max_episodes=None,
        pool_size=200,
        budget=10,
        looks=False,
        channels=3,
        thumbnail=8,
        classes=CLASSES,
        truth=True,
        test=True,
        **fields,
    ):
        self.path, self.seeds, self.episodes, self.fields = path, seeds, episodes, fields
        self.last = max_episodes or episodes
        self.budget, self.looks, self.channels, self.thumbnail = budget, looks, channels, thumbnail
        self.classes, self.test = classes, test
        rng = np.random.default_rng(0)
        self.labels = rng.integers(0, len(classes), pool_size).astype(np.int32)
        self.index = np.arange(pool_size, dtype=np.int64) * 2  # a pool within a larger one
        path.mkdir(parents=True, exist_ok=True)
        if looks:
            (path / "looks").mkdir(exist_ok=True)
            known = {"labels": self.labels} if truth else {}
            names = {} if channels else {"ids": np.array([f"row <{i}>" for i in self.index])}
            np.savez(
                path / "looks/pool.npz",
                index=self.index, class_names=np.array(classes), **known, **names,
            )  # fmt: skip

    def write_config(self, **own):
        flat = {
            "seed": min(self.seeds), "num_seeds": len(self.seeds), "strategy_args": {},
            "budget": self.budget, "max_episodes": self.last, "lr": 0.001,
            "model": {"name": "cnn", "widths": [2, 3]},
            "data": {
                "name": "made_up", "data_dir": None, "pool_splits": ["train"], "pool_size": None,
            },
        } | own  # fmt: skip
        for name, value in self.fields.items():
            place, *rest = name.split("__")
            if rest:
                flat[place][rest[0]] = value
            else:
                flat[place] = value
        (self.path / "config.json").write_text(json.dumps(flat))

    def part(self, strategy, seed, gain, looks):
        """Returns the rows and the picks of a seed, and writes its looks if they are wanted."""
        # Everybody starts alike; what follows is the strategy's own.
        start = np.random.default_rng(seed)
        chance = np.random.default_rng([seed, sum(map(ord, strategy))])
        pool_size, budget, rows, picks = len(self.index), self.budget, [], []
        order = start.permutation(pool_size)
        order[budget:] = chance.permutation(order[budget:])
        first_accuracy = start.normal(0.3, 0.01)
        for episode in range(self.episodes):
            owned = order[: budget * (episode + 1)]
            accuracy = first_accuracy
            if episode:
                accuracy = 0.3 + 0.5 * (1 - 0.6**episode) + gain + chance.normal(0, 0.01)
            bought = episode + 1 < self.last
            counts = np.bincount(self.labels[owned], minlength=len(self.classes))
            rows.append(
                {
                    "seed": seed,
                    "episode": episode + 1,
                    "num_labeled": len(owned),
                    "train_loss": 0.1,
                    "test_accuracy": float(accuracy) if self.test else None,
                    "test_nll": float(2 - accuracy) if self.test else None,
                    "cover_radius": 10.0 - episode if bought and strategy != "random" else None,
                    "test_class_accuracy": [float(accuracy)] * len(counts) if self.test else None,
                    "labeled_class_counts": counts.tolist(),
                    "seconds_train": 1.0 + episode,
                    "seconds_select": 0.5 if bought else 0.0,
                }
            )
        if self.looks:
            looks.mkdir(parents=True, exist_ok=True)
        for episode in range(min(self.episodes + 1, self.last)):
            bought = order[budget * episode : budget * (episode + 1)]
            picks += [
                Pick(
                    seed, episode, budget * episode + k, int(self.index[row]), "",
                    int(self.labels[row]), strategy,
                )
                for k, row in enumerate(bought)
            ]  # fmt: skip
            if self.looks:
                self._write_look(looks / f"episode_{episode:03d}.npz", episode, bought, chance)
        if self.looks:
            centers = np.random.default_rng(1).normal(0, 4, (len(self.classes), 2))
            points = centers[self.labels] + chance.normal(size=(pool_size, 2))
            np.savez(
                looks / "map.npz", map=points.astype(np.float32), embedding="last episode's network"
            )
        return rows, picks

    def _write_look(self, file, episode, rows, chance):
        shown, pictures = min(12, len(rows)), {}
        if self.channels:
            side = self.thumbnail
            images = chance.integers(0, 256, (shown, side, side, self.channels), np.uint8)
            colors = (60 * self.labels[rows[:shown]] % 190)[:, None, None, None]
            pictures["images"] = images // 4 + colors.astype(np.uint8)
        np.savez(
            file,
            rows=rows,
            score=(chance.random(len(rows)) if episode else np.full(len(rows), np.nan)).astype(
                "f4"
            ),
            predicted=(
                chance.integers(0, len(self.classes), len(rows))
                if episode
                else np.full(len(rows), -1)
            ).astype(np.int32),
            **pictures,
        )
