r"""A folder of very many photos: until the first is there, at the second start, and at the end.

    python benchmarks/many_files.py [--photos 100000] [--data-dir DIR] [--cache-dir DIR]

Wants the extras `label` and `pretrained`. Photos of CIFAR-10's pool are written as JPEG files of
mixed sizes, each at a size and quality of its own, so that no two are copies, into a hundred
subfolders of a temporary folder. `jax-al label` is started on it as a user starts it, answered over
HTTP until a model is there, ended by Ctrl-C, killed, and started again.
"""

import argparse
import concurrent.futures
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

import numpy as np
from PIL import Image

from benchmarks import setting
from jax_al.pools.load import benchmark

FOLDERS = 100
SIDES = (96, 128, 192, 256)  # pixels of the shorter side
ANSWERS = 160  # before the Ctrl-C; the audit of 100 comes first, and nothing is trained on it
POLL = 0.2  # seconds


def write_some(root: Path, images: np.ndarray, numbers: range) -> None:
    """Writes the photos of some numbers; their names tell their row and nothing else."""
    for number in numbers:
        rng = np.random.default_rng(number)
        picture = Image.fromarray(images[number % len(images)])
        side, stretch = int(rng.choice(SIDES)), float(rng.uniform(1, 1.3))
        width, height = (side, round(side * stretch))[:: int(rng.choice((1, -1)))]
        folder = root / f"{number % FOLDERS:02}"
        folder.mkdir(parents=True, exist_ok=True)
        picture.resize((width, height), Image.Resampling.BICUBIC).save(
            folder / f"{number:06}.jpg", quality=int(rng.integers(75, 96))
        )


class Label:
    """`jax-al label`, as a process whose lines, memory and page are watched."""

    def __init__(self, words: list[str]) -> None:
        self.start, self.memory = time.perf_counter(), 0
        self.lines: list[tuple[float, str]] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jax_al", "label", *words],
            cwd=setting.ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )
        self._address = ""
        cookies = urllib.request.HTTPCookieProcessor(CookieJar())
        self._open = urllib.request.build_opener(cookies)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append((time.perf_counter() - self.start, line.strip()))
            print(f"{self.lines[-1][0]:7.1f} {line.strip()}", flush=True)

    def ready(self) -> float:
        """Waits for the first photo; returns after how many seconds it was there."""
        while not self._address:
            if self._process.poll() is not None:
                raise SystemExit("jax-al label has ended.")
            status = Path(f"/proc/{self._process.pid}/status").read_text()
            anonymous = re.search(r"RssAnon:\s+(\d+)", status)
            self.memory = max(self.memory, int(anonymous.group(1)) if anonymous else 0)
            for _, line in self.lines:
                if found := re.search(r"http://\S+", line):
                    self._address = found.group()
            time.sleep(POLL)
        page = self._open.open(self._address).geturl()
        self._page = page.split("?")[0].rstrip("/")
        item = self.next()
        self._open.open(f"{self._page}/picture/{item['row']}?width=1280").read()
        return time.perf_counter() - self.start

    def next(self) -> Any:
        """Returns what is to be labeled next; None: nothing."""
        answer = self._open.open(f"{self._page}/api/next?count=1&client=c").read()
        return next(iter(json.loads(answer)["items"]), None)

    def status(self) -> Any:
        """Returns what the page shows of the project."""
        return json.loads(self._open.open(f"{self._page}/api/status").read())

    def answer(self, said: str) -> tuple[float, float]:
        """Answers what is next; returns the seconds that the question and the answer took."""
        start = time.perf_counter()
        item = self.next()
        asked = time.perf_counter()
        fields = {
            "row": item["row"], "said": said, "client": "c", "token": f"t{time.time_ns()}",
            "seconds": 1.0, "relabel": False, "page": self.status()["page"],
        }  # fmt: skip
        posted = time.perf_counter()
        request = urllib.request.Request(
            f"{self._page}/api/answer",
            json.dumps(fields).encode(),
            {"Content-Type": "application/json", "Origin": self._page},
        )
        self._open.open(request).read()
        return asked - start, time.perf_counter() - posted

    def end(self, how: signal.Signals) -> float:
        """Ends it; returns the seconds that took."""
        start = time.perf_counter()
        self._process.send_signal(how)
        self._process.wait()
        return time.perf_counter() - start


def bytes_below(directory: Path) -> int:
    """Returns how much lies on disk below `directory`."""
    found = (path.stat() for path in directory.rglob("*") if path.is_file())
    return sum(512 * one.st_blocks for one in found)


def timed(words: list[str]) -> float:
    """Returns the seconds that a command takes."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "jax_al", *words], cwd=setting.ROOT, check=True)
    return time.perf_counter() - start


def measured(work: Path, images: np.ndarray, classes: tuple[str, ...], count: int) -> list[str]:
    """Returns the lines of the report."""
    photos, place = work / "photos", f"--workdir={work / 'project'}"
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as executor:
        some = [range(first, count, 64) for first in range(64)]
        list(executor.map(lambda numbers: write_some(photos, images, numbers), some))
    words = [str(photos), place, f"--cache-dir={work / 'cache'}", f"--classes={','.join(classes)}"]
    rng = np.random.default_rng(0)
    first = Label(words)
    until_first = first.ready()
    waits = [first.answer(str(rng.choice(classes))) for _ in range(ANSWERS)]
    while first.status()["training"]:
        time.sleep(POLL)
    labels = first.status()["labels"]
    ended = first.end(signal.SIGINT)
    second = Label(words)
    until_second = second.ready()
    second.end(signal.SIGKILL)
    third = Label(words)
    until_third = third.ready()
    kept = third.status()["labels"]
    third.end(signal.SIGINT)
    predict = timed(["predict", place, f"--out={work / 'predictions.csv'}"])
    status = timed(["status", place])
    asked, answered = zip(*waits, strict=True)
    return [
        "# A folder of very many photos",
        "",
        f"`python benchmarks/many_files.py --photos {count}`: {setting.machine()}; a load of "
        f"{os.getloadavg()[0]:.0f} at the end. JPEG files of {min(SIDES)} to "
        f"{round(1.3 * max(SIDES))} pixels a side, {bytes_below(photos) / 2**30:.1f} GiB on disk.",
        "",
        "| | |",
        "|---|---:|",
        f"| the first photo is there, s | {until_first:,.0f} |",
        f"| anonymous memory until then, at most, MiB | {first.memory / 1024:,.0f} |",
        f"| cache on disk, MiB | {bytes_below(work / 'cache') / 2**20:,.0f} |",
        f"| workdir on disk, MiB | {bytes_below(work / 'project') / 2**20:,.0f} |",
        f"| which is next, median of {ANSWERS}, ms | {1000 * setting.median(list(asked)):.0f} |",
        f"| an answer is on disk, median, ms | {1000 * setting.median(list(answered)):.0f} |",
        f"| Ctrl-C until it has ended, s | {ended:.1f} |",
        f"| second start until the first photo, s | {until_second:.0f} |",
        f"| after `kill -9`, s | {until_third:.0f} |",
        f"| labels before and after that | {labels} and {kept} |",
        f"| `predict` for all, s | {predict:.0f} |",
        f"| `status`, s | {status:.1f} |",
        "",
        "What it said at the first start, and after how many seconds:",
        "",
        *(
            f"- {seconds:.0f} s: {line.replace(str(work), '...')}"
            for seconds, line in first.lines
            if line and "token" not in line
        ),
    ]


def main() -> None:
    """Runs and writes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--data-dir", help="where TFDS keeps its data")
    parser.add_argument("--cache-dir", help="where images are kept that are no part of it")
    parser.add_argument("--out", type=Path, default=setting.RESULTS / "many_files.md")
    arguments = parser.parse_args()
    data = benchmark("cifar10", data_dir=arguments.data_dir, cache_dir=arguments.cache_dir)
    images = data.pool.read(slice(None))
    with tempfile.TemporaryDirectory() as work:
        lines = measured(Path(work), images, data.classes, arguments.photos)
    with setting.written(arguments.out) as written:
        written += lines


if __name__ == "__main__":
    main()
