r"""From a folder of photos to an export by a simulated person, beside the truth.

    python benchmarks/people.py [--data-dir DIR] [--labels 400] [--features lite0]

5,000 photos of CIFAR-10 are written as JPEG files of mixed sizes and shapes into subfolders that
say nothing of the classes; 1% of the files are broken, 2% more are copies of others. A person who
is unsure now and then labels at the desk of the page, its audit among it, then a check. As many
other photos, written alike, tell how right the model is on what it has never met.
"""

import argparse
import csv
import io
import re
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

import numpy as np
from PIL import Image

import jax_al as al
from benchmarks import setting
from jax_al.cli import check, export
from jax_al.oracles.person import Person, label_desk, label_record
from jax_al.people.desk import Desk
from jax_al.people.models import read_models
from jax_al.people.project import Project, begin_project
from jax_al.people.settings import Settings
from jax_al.people.standing import standing
from jax_al.pools.load import benchmark
from jax_al.types import Pool

PHOTOS = 5_000
BROKEN, COPIED = 0.01, 0.02  # shares of the files
SIDES = (32, 48, 64, 96, 160, 320)  # pixels of the shorter side
ALBUMS = 20
UNSURE, SKIP = 0.03, 0.01
CHECK = 100


def write_photos(pool: Pool, rows: np.ndarray, root: Path, rng: np.random.Generator) -> None:
    """Writes photos as files whose names tell their row, and nothing else."""
    number = rng.permutation(len(rows)) / len(rows)
    for row, place in zip(rows.tolist(), number.tolist(), strict=True):
        picture = Image.fromarray(pool.read(np.array([row]))[0])
        side, stretch = int(rng.choice(SIDES)), float(rng.uniform(1, 1.3))
        shape = (side, round(side * stretch))[:: int(rng.choice((1, -1)))]
        content = io.BytesIO()
        picture.resize(shape, Image.Resampling.BICUBIC).save(
            content, "JPEG", quality=int(rng.integers(75, 96))
        )
        whole = content.getvalue()
        album = root / f"album {rng.integers(ALBUMS):02}"
        album.mkdir(parents=True, exist_ok=True)
        is_broken = place < BROKEN
        (album / f"{row:05}.jpg").write_bytes(whole[: len(whole) // 3] if is_broken else whole)
        if place >= 1 - COPIED:
            (root / f"copy of {row:05}.jpeg").write_bytes(whole)


def truth_of(ids: list[str], truth: np.ndarray) -> np.ndarray:
    """Returns the class of each file, by its name."""
    return truth[[int(re.findall(r"\d{5}", name)[-1]) for name in ids]]


def label(project: Project, person: Person, wanted: int, seconds: dict[str, float]) -> Desk:
    """Labels at the desk until there are so many labels beside the audit."""
    start = time.perf_counter()
    desk = Desk(project, project.session())
    seconds["until the first photo is there"] = time.perf_counter() - start
    start = time.perf_counter()
    while len(project.teller.record().decisions) < wanted:
        # Nobody labels hundreds in the seconds of a training, as this person could.
        while not desk.status()["left"]:
            time.sleep(0.02)
        label_desk(person, desk, "tab", 1)
    while desk.status()["training"]:
        time.sleep(0.1)
    seconds["labeling: all that a person would have waited for"] = time.perf_counter() - start
    return desk


def main() -> None:
    """Runs and writes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir", help="where TFDS keeps its data")
    parser.add_argument("--cache-dir", help="where images are kept that are no part of it")
    parser.add_argument("--labels", type=int, default=400, help="beside audit and check")
    parser.add_argument("--features", default="lite0")
    parser.add_argument("--out", type=Path, default=setting.RESULTS / "people.md")
    arguments = parser.parse_args()
    data = benchmark("cifar10", data_dir=arguments.data_dir, cache_dir=arguments.cache_dir)
    assert data.truth is not None
    with tempfile.TemporaryDirectory() as work:
        lines = measured(Path(work), data, arguments.features, arguments.labels)
    with setting.written(arguments.out) as written:
        written += lines


def measured(work: Path, data: al.Benchmark, features: str, wanted: int) -> list[str]:
    """Returns the lines of the report."""
    assert data.truth is not None
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(data.pool))
    write_photos(data.pool, rows[:PHOTOS], work / "photos", rng)
    write_photos(data.pool, rows[PHOTOS : 2 * PHOTOS], work / "others", rng)
    start, seconds = time.perf_counter(), dict[str, float]()
    settings = Settings(
        str(work / "photos"), data.classes, features=features, cache_dir=str(work / "cache")
    )
    project = begin_project(settings, work / "project")
    truth = truth_of(list(project.pool.ids), data.truth)
    seconds["scanning the folder"] = time.perf_counter() - start
    person = Person(truth, data.classes, unsure=UNSURE, skip=SKIP)
    desk = label(project, person, wanted, seconds)
    desk.close()
    record, models = project.teller.record(), read_models(project.place)
    now = standing(record, models, settings.budget)
    why = [one.why for one in record.decisions.values()]

    place = f"--workdir={project.place}"
    start = time.perf_counter()
    check.main([f"--size={CHECK}", f"--out={work / 'check.csv'}", place])
    label_record(person, project.teller)
    record = project.teller.record()
    said_by_check = check.figure(record, project)
    export.main(["--to=csv", f"--out={work / 'export.csv'}", place])
    seconds["check and export"] = time.perf_counter() - start
    with open(work / "export.csv", encoding="utf-8", newline="") as file:
        final = list(csv.DictReader(file))
    right = truth_of([line["id"] for line in final], data.truth)
    export_right = np.mean([line["class"] for line in final] == np.array(data.classes)[right])

    others = al.folder(work / "others", size=settings.size, cache_dir=str(work / "cache"))
    with project.session() as session:
        best = session.predict(others).argmax(axis=1)
        kept = project.pool
        by_model = session.predict(kept).argmax(axis=1)
    accuracy_there = np.mean(best == truth_of(list(others.ids), data.truth))
    free = [row for row in range(len(truth)) if record.said(row) is None]
    accuracy_free = np.mean(by_model[free] == truth[free])
    files = sum(1 for path in (work / "photos").rglob("*") if path.is_file())
    passed_over = (project.place / "passed_over.csv").read_text().count("\n") - 1
    return [
        "# A folder of photos, labeled by a simulated person",
        "",
        f"`python benchmarks/people.py --features {features} --labels {wanted}`: "
        f"{setting.machine()}. {PHOTOS:,} photos of CIFAR-10 (recompressed by the mirror they came "
        "from) as JPEG files of mixed sizes.",
        "",
        "| | |",
        "|---|---|",
        f"| files | {files:,} |",
        f"| passed over as broken | {passed_over:,} |",
        f"| copies, asked once | {sum(map(len, kept.copies.values())):,} |",
        f"| left to label | {len(truth):,} |",
        f"| answered of requests | {why.count('strategy'):,} |",
        f"| answered at random while it trained | {why.count('random'):,} |",
        f"| accuracy by audit | {now.says} |",
        f"| the same on {len(others):,} photos that it never met | {accuracy_there:.3f} |",
        f"| what the check says | {said_by_check} |",
        f"| truly right in the export, {len(final):,} lines | {export_right:.3f} |",
        f"| accuracy where nobody said anything | {accuracy_free:.3f} |",
        f"| the person's own time, at a median of two seconds | {person.clock / 60:.0f} min |",
        *(f"| {what} | {time:.1f} s |" for what, time in seconds.items()),
        "",
        *(f"- {sentence}" for sentence in now.advice),
    ]


if __name__ == "__main__":
    main()
