"""What the page shows of the pool: 2-D maps with the picks, and thumbnails with reasons.

Maps and thumbnails weigh; a page has room for so much of them. First comes the first seed of every
strategy, then the second, and so on while there is room.
"""

import base64
import io
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from jax_al.report.entrants import Entrant
from jax_al.report.workdirs import Look, Pool, ReportError, read_looks, read_map, read_pool

MAP_BYTES = 2_000_000  # of base64 text, the maps of the first seeds
LOOKS_BYTES = 3_500_000  # of JSON, everything; plotly.js has 4.8 MB of the page's 10
THUMBNAIL = 48  # pixels a side at most
SMALL_THUMBNAIL = 32  # where many strategies share the room
MANY = 4
FIGURES = 4  # significant ones of a score


class Looks(NamedTuple):
    """All there is to look at, ready for JSON, and what to say about it."""

    data: dict[str, Any] | None
    notes: list[str]


def gather_looks(entrants: Sequence[Entrant]) -> Looks:
    """Reads looks/ of all entrants.

    Raises:
      ReportError: a file cannot be read, or pools differ.
    """
    pool = _common_pool(entrants)
    if pool is None:
        return Looks(None, [])
    N = len(pool.labels)
    ranked = [
        (entrant, entrant.seeds[rank])
        for rank in range(max(len(entrant.seeds) for entrant in entrants))
        for entrant in entrants
        if rank < len(entrant.seeds)
    ]
    room = max(1, MAP_BYTES * 3 // 4 // 4 // len(entrants))  # points: x and y in 2 bytes each
    kept = _kept_rows(N, room, ranked[: len(entrants)], pool)
    size = THUMBNAIL if len(entrants) <= MANY else SMALL_THUMBNAIL

    strategies: dict[str, dict[str, Any]] = {}
    used, left_out, has_map = 0, 0, False
    for entrant, seed in ranked:
        if used > LOOKS_BYTES:
            left_out += (entrant.path(seed) / "looks" / f"seed_{seed}").is_dir()
            continue
        entry = _entry(entrant, seed, pool, kept, size)
        weight = len(json.dumps(entry))
        if not entry:
            continue
        if entrant.name in strategies and used + weight > LOOKS_BYTES:
            left_out, used = left_out + 1, LOOKS_BYTES + 1
            continue
        used += weight
        has_map = has_map or "x" in entry
        strategies.setdefault(entrant.name, {})[str(seed)] = entry
    notes = []
    if has_map and len(kept) < N:
        notes.append(
            f"The map shows {len(kept):,} of the {N:,} points: all that were bought, and a random "
            "part of the others."
        )
    if left_out:
        notes.append(
            f"{left_out} more seeds have maps and pictures that would make the page heavy."
        )
    if not strategies:
        return Looks(None, notes)
    width = np.uint8 if len(pool.class_names) < 256 else np.uint16
    data = {
        "classes": pool.class_names,
        "labels": _text(pool.labels[kept].astype(width)),
        "labelBytes": width().itemsize,
        "strategies": strategies,
    }
    return Looks(data, notes)


def _entry(entrant: Entrant, seed: int, pool: Pool, kept: np.ndarray, size: int) -> dict[str, Any]:
    """Returns the map, the picks and the gallery of one seed; empty if it has neither."""
    entry: dict[str, Any] = {}
    found = read_map(entrant.path(seed), seed)
    if found is not None:
        points, embedding = found
        if points.shape != (len(pool.labels), 2):
            raise ReportError(
                f"The map of seed {seed} in {entrant.path(seed)} has shape {points.shape}, but "
                f"the pool has {len(pool.labels)} points."
            )
        entry |= _coordinates(points[kept]) | {"embedding": embedding}
        entry["picks"] = {
            episode: _positions(_rows_of(picks, pool), kept)
            for episode, picks in entrant.picks.get(seed, {}).items()
        }
    looks = read_looks(entrant.path(seed), seed)
    if looks:
        entry["gallery"] = _gallery(looks, pool, size)
    return entry


def _common_pool(entrants: Sequence[Entrant]) -> Pool | None:
    common, where = None, None
    for run in (run for entrant in entrants for run in entrant.runs):
        pool = read_pool(run.path)
        if pool is None:
            continue
        if common is None:
            common, where = pool, run.path
        elif not np.array_equal(pool.index, common.index):
            raise ReportError(f"looks/pool.npz differs between {where} and {run.path}.")
    return common


def _kept_rows(N: int, room: int, shown: Sequence[tuple[Entrant, int]], pool: Pool) -> np.ndarray:
    """Returns the rows of the pool that the maps show, rising: all bought and some others."""
    if room >= N:
        return np.arange(N)
    bought = {
        int(row)
        for entrant, seed in shown
        for picks in entrant.picks.get(seed, {}).values()
        for row in _rows_of(picks, pool)
    }
    others = np.setdiff1d(np.arange(N), list(bought))
    some = np.random.default_rng(0).permutation(others)[: max(0, room - len(bought))]
    return np.sort(np.concatenate([np.array(sorted(bought), int), some]))


def _rows_of(picks: Sequence[int], pool: Pool) -> np.ndarray:
    """Returns the rows of the pool for indices in the whole pool; unknown ones are left out."""
    wanted = np.asarray(picks, np.int64)
    rows = np.searchsorted(pool.index, wanted)
    rows = np.minimum(rows, len(pool.index) - 1)
    return rows[pool.index[rows] == wanted]


def _positions(rows: np.ndarray, kept: np.ndarray) -> list[int]:
    places = np.minimum(np.searchsorted(kept, rows), len(kept) - 1)
    return [int(place) for place in places[kept[places] == rows]]


def _coordinates(points: np.ndarray) -> dict[str, str]:
    """Returns x and y as 16-bit steps between the smallest and the largest: finer than a screen."""
    low, high = points.min(axis=0), points.max(axis=0)
    steps = (points - low) / np.maximum(high - low, 1e-30) * 65535
    whole = np.nan_to_num(steps).round().astype(np.uint16)
    return {"x": _text(whole[:, 0]), "y": _text(whole[:, 1])}


def _gallery(looks: dict[int, Look], pool: Pool, size: int) -> dict[str, Any]:
    """Returns one picture with all thumbnails, a line per episode, and what is known of each."""
    tiles, episodes = {}, {}
    for line, (episode, look) in enumerate(sorted(looks.items())):
        rows = look.rows[: len(look.images)]
        episodes[episode] = {
            "line": line,
            "index": [int(i) for i in pool.index[rows]],
            "label": [int(c) for c in pool.labels[rows]],
            "predicted": [int(c) for c in look.predicted[: len(rows)]],
            "score": [
                None if np.isnan(s) else float(f"{s:.{FIGURES}g}") for s in look.score[: len(rows)]
            ],
        }
        tiles[line] = [_thumbnail(image, size) for image in look.images]
    columns = max(1, max(len(line) for line in tiles.values()))
    first = next((tile for line in tiles.values() for tile in line), Image.new("L", (1, 1)))
    width, height = first.size
    sheet = Image.new("RGB", (columns * width, len(tiles) * height))
    for line, images in tiles.items():
        for column, image in enumerate(images):
            sheet.paste(image, (column * width, line * height))
    file = io.BytesIO()
    # 256 colors for the whole sheet: a third of the weight, and nothing that an eye would miss.
    sheet.quantize(256, dither=Image.Dither.NONE).save(file, format="PNG", optimize=True)
    uri = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    return {
        "episodes": episodes,
        "sprite": {"uri": uri, "columns": columns, "lines": len(tiles), "ratio": height / width},
    }


def _thumbnail(image: np.ndarray, size: int) -> Image.Image:
    picture = Image.fromarray(image[:, :, 0] if image.shape[2] < 3 else image[:, :, :3])
    picture.thumbnail((size, size))
    return picture.convert("RGB")


def _text(array: np.ndarray) -> str:
    return base64.b64encode(array.astype(array.dtype.newbyteorder("<")).tobytes()).decode()
