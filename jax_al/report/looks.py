"""What the page shows of the pool: 2-D maps with the picks, and thumbnails with reasons.

Maps and thumbnails weigh; a page has room for so much of them. First comes the first seed of every
strategy, then the second, and so on while there is room.
"""

import base64
import functools
import io
import json
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from PIL import Image, features

from jax_al.errors import UsageError
from jax_al.report.entrants import Entrant
from jax_al.report.look_files import Look, Pool, look_files, read_look, read_map, read_pool
from jax_al.report.scores import score_meaning

Found = TypeVar("Found")

MAP_BYTES = 1_200_000  # of base64 text, the maps of the first seeds
LOOKS_BYTES = 2_800_000  # of JSON, everything; plotly.js has 2 MB of the page's 6
POINT_BYTES = 5  # of a point in a map: x and y in 2 each, the class in 1
PNG_BYTES = 20_000  # of thumbnails in exact pixels; larger sheets may lose what no eye would miss
THUMBNAIL = 48  # pixels a side at most
SMALL_THUMBNAIL = 32  # where many strategies share the room
MANY = 4
FIGURES = 4  # significant ones of a score
NAMED = 12  # picks of an episode that are named where there are no images


class Looks(NamedTuple):
    """All there is to look at, ready for JSON, and what to say about it."""

    data: dict[str, Any] | None
    notes: list[str]


def gather_looks(entrants: Sequence[Entrant]) -> Looks:
    """Reads looks/ of all entrants. What cannot be read is left out, and told.

    Raises:
      UsageError: pools differ.
    """
    notes: list[str] = []
    pool = _common_pool(entrants, notes)
    if pool is None:
        return Looks(None, notes)
    N = len(pool.labels)
    ranked = [
        (entrant, entrant.seeds[rank])
        for rank in range(max(len(entrant.seeds) for entrant in entrants))
        for entrant in entrants
        if rank < len(entrant.seeds) and _looks(entrant, entrant.seeds[rank]).is_dir()
    ]
    sharing = max(1, len({entrant.name for entrant, _ in ranked}))
    room = max(1, MAP_BYTES * 3 // 4 // POINT_BYTES // sharing)
    size = THUMBNAIL if sharing <= MANY else SMALL_THUMBNAIL

    strategies: dict[str, dict[str, Any]] = {}
    used, left_out = 0, 0
    for entrant, seed in ranked:
        entry = {} if left_out else _entry(entrant, seed, pool, room, size, notes)
        weight = len(json.dumps(entry))
        if left_out or (strategies and used + weight > LOOKS_BYTES):
            left_out += 1
        elif entry:
            used += weight
            strategies.setdefault(entrant.name, {})[str(seed)] = entry
    entries = [entry for seeds in strategies.values() for entry in seeds.values()]
    if room < N and any("x" in entry for entry in entries):
        notes.append(
            f"A map shows about {room:,} of the {N:,} points: all that its strategy bought, and a "
            "random part of the others."
        )
    if left_out:
        notes.append(
            f"{left_out} more seeds have maps and pictures that would make the page heavy."
        )
    if not strategies:
        return Looks(None, notes)
    galleries = [entry["gallery"] for entry in entries if "gallery" in entry]
    has_images = not galleries or any(gallery["sprite"] for gallery in galleries)
    if not has_images:
        notes.append("There are no images on record, so the picks are named.")
    if (pool.labels < 0).any():
        notes.append("The true class is not known of every point.")
    data = {
        "classes": pool.class_names,
        "images": has_images,
        "labelBytes": _label_type(pool)().itemsize,
        "strategies": strategies,
        "scores": {
            entrant.name: score_meaning(entrant.config)
            for entrant in entrants
            if entrant.name in strategies
        },
    }
    return Looks(data, notes)


def _entry(
    entrant: Entrant, seed: int, pool: Pool, room: int, size: int, notes: list[str]
) -> dict[str, Any]:
    """Returns the map, the picks and the gallery of one seed; empty if it has neither."""
    entry: dict[str, Any] = {}
    place = _looks(entrant, seed)
    found = _or_note(functools.partial(read_map, place, pool), notes)
    if found is not None:
        points, embedding = found
        rows = {
            episode: pool.rows(indices) for episode, indices in entrant.picks.get(seed, {}).items()
        }
        kept = _kept(len(pool.labels), list(rows.values()), room)
        entry |= _coordinates(points[kept]) | {"embedding": embedding}
        entry["labels"] = _text(pool.labels[kept].astype(_label_type(pool)))
        entry["picks"] = {
            episode: np.searchsorted(kept, some).tolist() for episode, some in rows.items()
        }
    looks = {
        episode: look
        for episode, file in look_files(place).items()
        if (look := _or_note(functools.partial(read_look, file, pool), notes)) is not None
    }
    if looks:
        entry["gallery"] = _gallery(looks, pool, size)
    return entry


def _common_pool(entrants: Sequence[Entrant], notes: list[str]) -> Pool | None:
    common, where = None, None
    for path in dict.fromkeys(run.path for entrant in entrants for run in entrant.runs):
        pool = _or_note(functools.partial(read_pool, path), notes)
        if pool is None:
            continue
        if common is None:
            common, where = pool, path
        elif not np.array_equal(pool.index, common.index):
            raise UsageError(f"looks/pool.npz differs between {where} and {path}.")
    return common


def _or_note(read: Callable[[], Found | None], notes: list[str]) -> Found | None:
    """Returns what is read; where that fails, None, and the reason goes to the notes."""
    try:
        return read()
    except UsageError as error:
        notes.append(f"{error} It is left out.")
        return None


def _kept(N: int, bought: Sequence[np.ndarray], room: int) -> np.ndarray:
    """Returns the rows in a map, rising: all that were bought, and some of the others."""
    mine = np.unique(np.concatenate([np.array([], np.int64), *bought]))
    others = np.setdiff1d(np.random.default_rng(0).permutation(N), mine, assume_unique=True)
    return np.sort(np.concatenate([mine, others[: max(0, room - len(mine))]]))


def _label_type(pool: Pool) -> type[np.uint8] | type[np.uint16]:
    return np.uint8 if len(pool.class_names) < 255 else np.uint16  # -1 becomes the largest


def _looks(entrant: Entrant, seed: int) -> pathlib.Path:
    return entrant.run(seed).looks(seed)


def _coordinates(points: np.ndarray) -> dict[str, str]:
    """Returns x and y as 16-bit steps between the smallest and the largest: finer than a screen."""
    low, high = points.min(axis=0), points.max(axis=0)
    steps = (points - low) / np.maximum(high - low, 1e-30) * 65535
    whole = np.nan_to_num(steps).round().astype(np.uint16)
    return {"x": _text(whole[:, 0]), "y": _text(whole[:, 1])}


def _gallery(looks: dict[int, Look], pool: Pool, size: int) -> dict[str, Any]:
    """Returns what is known of the first picks of each episode, and their thumbnails."""
    episodes = {}
    for line, (episode, look) in enumerate(sorted(looks.items())):
        rows = look.rows[: NAMED if look.images is None else len(look.images)]
        episodes[episode] = {
            "line": line,
            "index": [int(i) for i in pool.index[rows]],
            "label": [int(c) for c in pool.labels[rows]],
            "predicted": [int(c) for c in look.predicted[: len(rows)]],
            "score": [
                float(f"{score:.{FIGURES}g}") if np.isfinite(score) else None
                for score in look.score[: len(rows)]
            ],
        }
        if look.images is None and pool.ids:
            episodes[episode]["id"] = [pool.ids[row] for row in rows]
    images = [look.images for _, look in sorted(looks.items())]
    return {"episodes": episodes, "sprite": _sprite(images, size)}


def _sprite(images: Sequence[np.ndarray | None], size: int) -> dict[str, Any] | None:
    """Returns one picture with all thumbnails, a line per episode; None if there are none."""
    tiles = [[] if some is None else [_thumbnail(image, size) for image in some] for some in images]
    first = next((tile for line in tiles for tile in line), None)
    if first is None:
        return None
    columns, (width, height) = max(map(len, tiles)), first.size
    sheet = Image.new("RGB", (columns * width, len(tiles) * height))
    for line, some in enumerate(tiles):
        for column, image in enumerate(some):
            sheet.paste(image, (column * width, line * height))
    file = io.BytesIO()
    # 256 colors for the whole sheet: a third of the weight, and nothing that an eye would miss.
    sheet.quantize(256, dither=Image.Dither.NONE).save(file, format="PNG", optimize=True)
    kind = "png"
    if file.tell() > PNG_BYTES and features.check("webp"):
        kind, file = "webp", io.BytesIO()
        sheet.save(file, format="WEBP", quality=80)
    uri = f"data:image/{kind};base64," + base64.b64encode(file.getvalue()).decode()
    return {"uri": uri, "columns": columns, "lines": len(tiles), "ratio": height / width}


def _thumbnail(image: np.ndarray, size: int) -> Image.Image:
    picture = Image.fromarray(image[:, :, 0] if image.shape[2] < 3 else image[:, :, :3])
    picture.thumbnail((size, size))
    return picture.convert("RGB")


def _text(array: np.ndarray) -> str:
    return base64.b64encode(array.astype(array.dtype.newbyteorder("<")).tobytes()).decode()
