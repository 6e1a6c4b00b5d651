"""The labeling page: how long from a key to the next image, and until an answer is on the disk?

    python benchmarks/page.py [--photos 120] [--labels 50] [--pause 0.5]

Wants the extra `test`, a chromium and a chromedriver. Photos of 12 megapixels are made of
scikit-learn's two sample pictures (another part of them each, with a little noise, as a camera has
it) in a temporary folder, and labeled in a headless Chromium by keys, on a real project that is
served and trained by a process of its own. From the press of a key (its own time stamp) to the
frame in which the next image stands, painted: what a person waits. Twice: at a person's pace, and
as fast as images come. Then answers alone, by requests one after the other, and beside them a line
appended to a file and synced, which is the least that an answer costs.
"""

import argparse
import functools
import io
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

import numpy as np
from PIL import Image
from selenium.webdriver import ActionChains
from sklearn.datasets import load_sample_images

from benchmarks import setting
from tests.page_browser import SHOWN, ready, saved, view, visit
from tests.page_process import begun, serving
from tests.page_server import Served
from tests.test_report_browser import CHROMIUM, browser, run, until

SIZE = (4000, 3000)
# From the press to the presentation of the frame in which the new image is painted first, as
# Chromium notes it of each element that is named so (Element Timing).
WATCH = """
window.waits = [];
let pressed = 0;
addEventListener("keydown", (event) => (pressed = event.timeStamp), true);
new MutationObserver((changes) => {
  for (const { addedNodes } of changes)
    for (const node of addedNodes)
      if (node.matches?.("img")) node.setAttribute("elementtiming", "next");
}).observe(document.getElementById("stage"), { childList: true });
new PerformanceObserver((list) => {
  for (const { renderTime } of list.getEntries()) window.waits.push(renderTime - pressed);
}).observe({ type: "element" });
"""


@functools.cache
def _large() -> list[Image.Image]:
    """Returns the sample pictures, larger than a photo is."""
    pictures = map(Image.fromarray, load_sample_images().images)
    return [picture.resize((4400, 3300), Image.Resampling.BICUBIC) for picture in pictures]


def photo(number: int) -> bytes:
    """Returns a JPEG of 12 megapixels, a file of some megabytes."""
    rng = np.random.default_rng(number)
    left, top = rng.integers(0, 300, 2)
    part = np.asarray(_large()[number % 2].crop((left, top, left + SIZE[0], top + SIZE[1])))
    noise = rng.integers(-6, 7, part.shape, np.int8)
    noisy = np.clip(part.astype(np.int16) + noise, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noisy).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def pressed(driver: object, count: int, pause: float) -> list[float]:
    """Presses a key `count` times; returns milliseconds to the next image, painted."""
    run(driver, "window.waits.length = 0")
    for k in range(count):
        ready(driver)
        ActionChains(driver).send_keys("12"[k % 2]).perform()
        until(driver, f"return window.waits.length === {k + 1}")
        time.sleep(pause)
    saved(driver)
    return run(driver, "return window.waits")


def answered(served: Served, count: int) -> list[float]:
    """Returns milliseconds of each of `count` answers, one after the other."""
    times, page = [], served.get("/api/status").json["page"]
    for k in range(count):
        (item,) = served.get("/api/next?client=script&count=1&holding=").json["items"]
        said = {
            "page": page, "row": item["row"], "said": "dark", "client": "script",
            "token": f"script{k}", "seconds": 1.0, "relabel": False,
        }  # fmt: skip
        cookie, start = served.cookie(), time.perf_counter()
        reply = served.post("/api/answer", said, cookie=cookie)
        times.append(1e3 * (time.perf_counter() - start))
        assert reply.status == 200, reply
    return times


def synced(directory: Path, count: int) -> list[float]:
    """Returns milliseconds of each of `count` lines appended to a file and synced."""
    times = []
    with open(directory / "lines", "ab", buffering=0) as file:
        for _ in range(count):
            start = time.perf_counter()
            file.write(b"x" * 250 + b"\n")
            os.fsync(file.fileno())
            times.append(1e3 * (time.perf_counter() - start))
    return times


def asked(get: Callable[[], object]) -> float:
    """Returns the milliseconds that something takes."""
    start = time.perf_counter()
    get()
    return 1e3 * (time.perf_counter() - start)


def line(name: str, times: Sequence[float]) -> str:
    """Returns the line of the table."""
    low, middle, high = np.percentile(times, [5, 50, 95])
    return f"| {name} | {len(times)} | {middle:.1f} | {low:.1f} | {high:.1f} | {max(times):.1f} |"


def main() -> None:
    """Measures, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, default=170)
    parser.add_argument("--labels", type=int, default=50)
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two keys")
    options = parser.parse_args()
    before = os.getloadavg()[0]
    directory = Path(tempfile.mkdtemp(prefix="jax_al_page_"))
    make_driver = browser.__wrapped__()
    driver = next(make_driver)
    try:
        work = begun(directory, options.photos, photo, size=32, cache_dir=str(directory / "cache"))
        megabytes = statistics.median(p.stat().st_size for p in (directory / "photos").iterdir())
        with serving(work) as (_, served):
            view(driver)
            visit(driver, served)
            until(driver, "return performance.getEntriesByType('resource').filter((one) => "
                  "one.name.includes('/picture/')).length >= 6")  # fmt: skip
            run(driver, WATCH)
            paced = pressed(driver, options.labels, options.pause)
            hurried = pressed(driver, options.labels, 0.0)
            row = int(run(driver, SHOWN))
            answers = answered(served, options.labels)
            path = f"/picture/{row}?width=2560"
            cold, cached = asked(lambda: served.get(path)), asked(lambda: served.get(path))
            plain = synced(directory, options.labels)
    finally:
        make_driver.close()
        shutil.rmtree(directory)
    with setting.written(setting.RESULTS / "page.md") as lines:
        lines += [
            "# The labeling page",
            "",
            f"`{' '.join(['python', 'benchmarks/page.py', *sys.argv[1:]])}`: {setting.machine()}, "
            f"Python {platform.python_version()}, headless {version()}; load average "
            f"{before:.1f} before and {os.getloadavg()[0]:.1f} after.",
            "",
            f"{options.photos} photos of {SIZE[0]} x {SIZE[1]} pixels, {megabytes / 1e6:.1f} MB "
            "each. Milliseconds:",
            "",
            "| what | times | median | 5% | 95% | longest |",
            "|---|---:|---:|---:|---:|---:|",
            line(f"from a key to the next image, painted; a key each {options.pause} s", paced),
            line("the same, a key as soon as there is an image", hurried),
            line("an answer by a request, until it is said to be on the disk", answers),
            line("250 bytes appended to a file there and synced", plain),
            "",
            f"A picture for zooming (2,560 pixels): {cold:.0f} ms the first time, {cached:.0f} ms "
            "from then on.",
        ]


def version() -> str:
    """Returns what the browser calls itself."""
    said = os.popen(f"{CHROMIUM} --version --no-sandbox 2>/dev/null").read()
    return " ".join(said.split()[:2])


if __name__ == "__main__":
    main()
