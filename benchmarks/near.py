r"""Near duplicates: which altered pictures are found, and that no two different ones are.

    python benchmarks/near.py [--altered 1000] [--rows 100000] [--pairs DIR]

Each picture of Flowers-102 and of CIFAR-10 is compared with all others of its set as the pictures
of a folder are, as a square of 96 pixels; and some of them with themselves, saved anew as a JPEG,
made half or twice as large, cut by 2% at a random place, or 3% darker or brighter. Both sets hold
near duplicates of their own: --pairs writes them as pictures, to be looked at. The time is that of
--rows pictures: CIFAR-10's, and then the same ones mirrored.
"""

import argparse
import io
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

import numpy as np
from PIL import Image

from benchmarks import setting
from jax_al.people.twins import FLAT, NEAR, fingerprints, groups_of, near_duplicates
from jax_al.pools.arrays import arrays
from jax_al.pools.load import benchmark
from jax_al.pools.pictures import decode, square

SETS = {"oxford_flowers102": ("train", "validation", "test"), "cifar10": ("train", "test")}
SIZE = 96
LIMITS = (0.1, NEAR, 0.2, 0.25)
SEEN = (
    "Looked at when this was first run: all pairs of both sets up to 0.15 are one photograph twice "
    "or two of one thing from one place; from 0.17 on there are others among CIFAR-10's, ships on "
    "an empty horizon first."
)
_BLOCK = 2_000
CUT, LIGHT = 0.02, 0.03


def altered(pixels: np.ndarray, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    """Yields a picture altered in each way, and what was done."""
    image, (height, width, _) = Image.fromarray(pixels), pixels.shape
    bicubic = Image.Resampling.BICUBIC
    for quality in (30, 50, 70, 90):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        yield f"JPEG of quality {quality}", decode(buffer.getvalue())
    for name, scale in (("half as large", 0.5), ("twice as large", 2)):
        sides = (round(width * scale), round(height * scale))
        yield name, np.asarray(image.resize(sides, bicubic))
    left, top = rng.uniform(0, CUT * width), rng.uniform(0, CUT * height)
    box = (left, top, left + (1 - CUT) * width, top + (1 - CUT) * height)
    yield "cut by 2%", np.asarray(image.resize((4 * width, 4 * height), bicubic, box=box))
    for name, scale in (("3% darker", 1 - LIGHT), ("3% brighter", 1 + LIGHT)):
        yield name, np.clip(np.round(pixels * scale), 0, 255).astype(np.uint8)


def squares_of(images: np.ndarray) -> np.ndarray:
    """Returns pictures [n, H, W, 3] as a folder's pool reads them."""
    return np.stack([square(image, SIZE, "crop") for image in images])


def pairs_within(points: np.ndarray, radius: float) -> list[tuple[float, int, int]]:
    """Returns all pairs of rows no further apart than `radius`, the nearest first."""
    found, norms = [], (points**2).sum(axis=1)
    for i in range(0, len(points), _BLOCK):
        for j in range(i, len(points), _BLOCK):
            a, b = points[i : i + _BLOCK], points[j : j + _BLOCK]
            sq = norms[i : i + _BLOCK, None] + norms[None, j : j + _BLOCK] - 2 * a @ b.T
            for one, other in zip(*np.nonzero(sq <= radius**2), strict=True):
                if i + one < j + other:
                    distance = float(np.linalg.norm(a[one] - b[other]))
                    found.append((distance, i + int(one), j + int(other)))
    return sorted(found)


def sheet(images: np.ndarray, pairs: list[tuple[float, int, int]], path: Path) -> None:
    """Writes the two pictures of each pair beside each other."""
    side, columns = 64, 10
    size = columns * (2 * side + 6), -(-len(pairs) // columns) * (side + 4)
    page = Image.new("RGB", size, "white")
    for number, (_, *rows) in enumerate(pairs):
        line, column = divmod(number, columns)
        for place, row in enumerate(rows):
            shown = Image.fromarray(images[row]).resize((side, side))
            page.paste(shown, (column * (2 * side + 6) + place * side, line * (side + 4)))
    page.save(path)


def of_set(name: str, count: int, pages: Path | None, lines: list[str]) -> np.ndarray:
    """Adds what is found in a data set to `lines`; returns its squares."""
    pool = benchmark(name, pool_splits=SETS[name], test_split=None).pool
    images = pool.read(slice(None))
    squares = squares_of(images)
    points, flat = fingerprints(squares)
    rng = np.random.default_rng(0)
    some = np.sort(rng.choice(np.flatnonzero(~flat), count, replace=False))
    ways: dict[str, list[np.ndarray]] = {}
    for row in some:
        for way, pixels in altered(images[row], rng):
            ways.setdefault(way, []).append(square(pixels, SIZE, "crop"))
    sides = "x".join(map(str, images.shape[1:3]))
    lines += [
        "",
        f"## {name}: {len(images):,} pictures of {sides} pixels",
        "",
        f"{flat.sum():,} are flat. Share of {count:,} altered pictures that are found, by the "
        "distance up to which they are; and how far they are.",
        "",
        f"| | {' | '.join(map(str, LIMITS))} | median | 95% | largest |",
        f"|---|{'---:|' * (len(LIMITS) + 3)}",
    ]
    for way, changed in ways.items():
        far = np.linalg.norm(fingerprints(np.stack(changed))[0] - points[some], axis=1)
        shares = " | ".join(f"{(far <= limit).mean():.3f}" for limit in LIMITS)
        lines.append(
            f"| {way} | {shares} | {np.median(far):.3f} | {np.quantile(far, 0.95):.3f} "
            f"| {far.max():.3f} |"
        )
    pairs = [pair for pair in pairs_within(points, LIMITS[-1]) if not flat[list(pair[1:])].any()]
    counts = " | ".join(str(sum(pair[0] <= limit for pair in pairs)) for limit in LIMITS)
    total = len(images) * (len(images) - 1) // 2
    lines.append(f"| pairs of the set, of {total:,} | {counts} | | | |")
    if pages is not None:
        for low, high in zip((-1.0, *LIMITS[:-1]), LIMITS, strict=True):
            if part := [pair for pair in pairs if low < pair[0] <= high]:
                sheet(images, part, pages / f"{name}_{high}.png")
    return squares


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--altered", type=int, default=1_000)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--pairs", type=Path, help="a directory for pictures of the pairs found")
    parser.add_argument("--out", type=Path, default=setting.RESULTS / "near.md")
    arguments = parser.parse_args()
    with setting.written(arguments.out) as lines:
        lines += [
            "# Near duplicates",
            "",
            f"`python benchmarks/near.py`; {setting.machine()}. Distance {NEAR} is what "
            f"`--merge-near` goes by; pictures that vary by less than {FLAT} gray levels are flat.",
            "",
            SEEN,
        ]
        for name in SETS:
            squares = of_set(name, arguments.altered, arguments.pairs, lines)
        many = np.concatenate([squares, squares[:, :, ::-1]])[: arguments.rows]
        start = time.perf_counter()
        groups = groups_of(near_duplicates(arrays(many)))
        seconds = time.perf_counter() - start
        lines += [
            "",
            f"{len(many):,} squares: {seconds:.0f} s, {len(groups):,} groups; load "
            f"{os.getloadavg()[0]:.1f}.",
        ]


if __name__ == "__main__":
    main()
