r"""Pictures for the page, cold and cached; and whether a scan tells well how long it takes.

    python benchmarks/previews.py [--repeats 9] [--files 3000]

A photo of 12 megapixels (smooth colours with grain, held upright by EXIF) is read whole and made
smaller, and made by `preview`, in turn; then from the cache on disk. A folder of --files pictures
of mixed sizes is scanned; what it was said to take stands beside what it took, and beside what the
second start takes.
"""

import argparse
import functools
import hashlib
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

import numpy as np
from PIL import Image

from benchmarks import setting
from jax_al.people.previews import WIDTHS, Previews, preview
from jax_al.pools import scan
from jax_al.pools.folder import folder
from jax_al.pools.pictures import ORIENTATION, decode

LARGE = (3000, 4000)
SMALL = ((240, 320), (375, 500), (600, 800), (768, 1024))
EVERY = 50  # one file in so many is large


def photo(shape: tuple[int, int], seed: int, **options: object) -> bytes:
    """Returns a JPEG of smooth colours with grain, turned by a quarter in its EXIF."""
    rng = np.random.default_rng(seed)
    height, width = shape
    bicubic = Image.Resampling.BICUBIC
    smooth = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8)).resize(
        (width, height), bicubic
    )
    grain = Image.fromarray(rng.integers(0, 256, (height // 2, width // 2, 3), np.uint8))
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    buffer = io.BytesIO()
    image = Image.blend(smooth, grain.resize((width, height), bicubic), 0.1)
    image.save(buffer, "JPEG", quality=88, exif=exif, **options)
    return buffer.getvalue()


def whole(content: bytes, width: int) -> np.ndarray:
    """Returns a picture that was read whole and then made smaller."""
    image = Image.fromarray(decode(content))
    scale = width / max(image.size)
    sides = (round(image.width * scale), round(image.height * scale))
    return np.asarray(image.resize(sides, Image.Resampling.BICUBIC))


def milliseconds(ways: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Returns the median time of each way, taken in turn."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            took[name].append(1e3 * (time.perf_counter() - start))
    return {name: setting.median(times) for name, times in took.items()}


def previews(repeats: int, lines: list[str]) -> None:
    """Adds the table of previews."""
    lines += [
        "## A photo of 12 megapixels",
        "",
        "| | longer side | read whole, ms | preview, ms | cached, ms | bytes | off by |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    kinds = {"JPEG": photo(LARGE, 0), "progressive JPEG": photo(LARGE, 0, progressive=True)}
    for kind, content in kinds.items():
        name = hashlib.sha256(content).hexdigest()
        for width in WIDTHS:
            with tempfile.TemporaryDirectory() as place:
                cached = functools.partial(
                    Previews(Path(place)).picture, name, functools.partial(bytes, content), width
                )
                made, _ = cached()
                took = milliseconds(
                    {
                        "whole": functools.partial(whole, content, width),
                        "preview": functools.partial(preview, content, width),
                        "cached": cached,
                    },
                    repeats,
                )
            shown = np.asarray(Image.open(io.BytesIO(made))).astype(int)
            off = np.abs(shown - whole(content, width)).mean()
            lines.append(
                f"| {kind}, {len(content) / 1e6:.1f} MB | {width} | {took['whole']:.0f} "
                f"| {took['preview']:.0f} | {took['cached']:.2f} | {len(made):,} | {off:.1f} |"
            )


def scans(files: int, lines: list[str]) -> None:
    """Adds how long a scan was said to take, and how long it took."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "photos"
        for number in range(files):
            shape = LARGE if number % EVERY == 0 else SMALL[number % len(SMALL)]
            path = root / str(number % 7) / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            # To make each anew would take as long as to read it.
            first = number % (8 * EVERY)
            made = root / str(first % 7) / f"{first}.jpg"
            content = photo(shape, number) if number == first else made.read_bytes()
            path.write_bytes(content + number.to_bytes(8, "big"))
        size = sum(path.stat().st_size for path in root.rglob("*.jpg"))
        said: list[float] = []
        estimate = scan.seconds_of

        def noted(*arguments: object) -> float:
            start = time.perf_counter()
            said.append(estimate(*arguments))  # type: ignore[arg-type]
            said.append(time.perf_counter() - start)
            return said[0]

        scan.seconds_of = noted
        took = []
        for _ in range(2):
            start = time.perf_counter()
            folder(root, cache_dir=f"{place}/cache")
            took.append(time.perf_counter() - start)
        scan.seconds_of = estimate
    lines += [
        "",
        "## A scan",
        "",
        f"{files:,} files, {size / 1e6:,.0f} MB, one in {EVERY} of 12 megapixels: said to take "
        f"{said[0]:.0f} s (to find that out took {said[1]:.1f} s), took "
        f"{took[0] - said[1]:.0f} s beside that; the second start {took[1]:.2f} s.",
    ]


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--files", type=int, default=3_000)
    parser.add_argument("--out", type=Path, default=setting.RESULTS / "previews.md")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    with setting.written(arguments.out) as lines:
        previews(arguments.repeats, lines)
        scans(arguments.files, lines)
        lines[:0] = [
            "# Pictures for the page",
            "",
            f"`python benchmarks/previews.py`; {setting.machine()}; medians of "
            f"{arguments.repeats} in turn; load {load:.1f} before, {os.getloadavg()[0]:.1f} after. "
            "`off by`: mean difference in gray levels from the picture read whole, after JPEG.",
            "",
        ]


if __name__ == "__main__":
    main()
