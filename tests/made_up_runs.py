"""Made-up workdirs, so that tests of the report need no training."""

import json
import pathlib

import numpy as np

CLASSES = ["cat", "dog & <b>bird</b>", "frog"]


def make_run(
    path: pathlib.Path,
    strategy: str = "random",
    *,
    seeds=range(3),
    episodes: int = 4,
    max_episodes: int | None = None,
    gain: float = 0.0,
    pool_size: int = 200,
    budget: int = 10,
    looks: bool = False,
    channels: int = 3,
    thumbnail: int = 8,
    classes=CLASSES,
    **fields,
) -> pathlib.Path:
    """Writes config.json, metrics.jsonl, picks.csv and, if wanted, looks/; returns `path`.

    Args:
      path: made with its parents.
      strategy: of the config.
      seeds: which ones have results.
      episodes: how many each has ended.
      max_episodes: of the config; None: as many as `episodes`, so the run is finished. If there
        are more to come, the last one that has ended has bought its labels.
      gain: added to the accuracy after the start.
      pool_size: N.
      budget: labels per episode, and initial ones.
      looks: whether to write looks/.
      channels: of the thumbnails.
      thumbnail: their side in pixels.
      classes: names.
      **fields: further fields of the config; dots as double underscores.
    """
    path.mkdir(parents=True, exist_ok=True)
    last = max_episodes or episodes
    flat = {
        "seed": min(seeds), "num_seeds": len(seeds), "strategy": strategy, "strategy_args": {},
        "budget": budget, "max_episodes": last, "lr": 0.001,
        "model": {"name": "cnn", "widths": [2, 3]},
        "data": {"name": "made_up", "data_dir": None, "pool_splits": ["train"], "pool_size": None},
    }  # fmt: skip
    for name, value in fields.items():
        place, *rest = name.split("__")
        if rest:
            flat[place][rest[0]] = value
        else:
            flat[place] = value
    (path / "config.json").write_text(json.dumps(flat))
    truth = np.random.default_rng(0)
    labels = truth.integers(0, len(classes), pool_size).astype(np.int32)
    index = np.arange(pool_size, dtype=np.int64) * 2  # a pool within a larger one
    metrics, picks = [], ["seed,episode,order,index,id,label"]
    if looks:
        (path / "looks").mkdir(exist_ok=True)
        np.savez(path / "looks/pool.npz", labels=labels, index=index, class_names=np.array(classes))
    for seed in seeds:
        # Everybody starts alike; what follows is the strategy's own.
        start = np.random.default_rng(seed)
        chance = np.random.default_rng([seed, sum(map(ord, strategy))])
        order = start.permutation(pool_size)
        order[budget:] = chance.permutation(order[budget:])
        first_accuracy = start.normal(0.3, 0.01)
        for episode in range(episodes):
            owned = order[: budget * (episode + 1)]
            accuracy = first_accuracy
            if episode:
                accuracy = 0.3 + 0.5 * (1 - 0.6**episode) + gain + chance.normal(0, 0.01)
            bought = episode + 1 < last
            metrics.append(
                {
                    "seed": seed,
                    "episode": episode + 1,
                    "num_labeled": len(owned),
                    "train_loss": 0.1,
                    "test_accuracy": float(accuracy),
                    "test_nll": float(2 - accuracy),
                    "cover_radius": 10.0 - episode if bought and strategy != "random" else None,
                    "labeled_class_counts": np.bincount(
                        labels[owned], minlength=len(classes)
                    ).tolist(),
                    "seconds_train": 1.0 + episode,
                    "seconds_select": 0.5 if bought else 0.0,
                }
            )
        for episode in range(min(episodes + 1, last)):
            rows = order[budget * episode : budget * (episode + 1)]
            picks += [
                f"{seed},{episode},{budget * episode + k},{index[row]},,{labels[row]}"
                for k, row in enumerate(rows)
            ]
            if looks:
                _write_look(path, seed, episode, rows, labels, chance, channels, thumbnail, classes)
        if looks:
            centers = np.random.default_rng(1).normal(0, 4, (len(classes), 2))
            points = centers[labels] + chance.normal(size=(pool_size, 2))
            np.savez(
                path / f"looks/seed_{seed}/map.npz",
                map=points.astype(np.float32),
                embedding="last episode's network",
            )
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in metrics))
    (path / "picks.csv").write_text("\n".join(picks) + "\n")
    return path


def _write_look(path, seed, episode, rows, labels, chance, channels, thumbnail, classes):
    place = path / f"looks/seed_{seed}"
    place.mkdir(exist_ok=True)
    shown = min(12, len(rows))
    images = chance.integers(0, 256, (shown, thumbnail, thumbnail, channels), np.uint8)
    images[:] = images // 4 + (60 * labels[rows[:shown]] % 190)[:, None, None, None].astype(
        np.uint8
    )
    np.savez(
        place / f"episode_{episode:03d}.npz",
        rows=rows,
        score=(chance.random(len(rows)) if episode else np.full(len(rows), np.nan)).astype("f4"),
        predicted=(
            chance.integers(0, len(classes), len(rows)) if episode else np.full(len(rows), -1)
        ).astype(np.int32),
        images=images,
    )
