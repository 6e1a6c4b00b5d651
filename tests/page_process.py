"""A real project whose page is served by a process of its own, which can be killed."""

import contextlib
import re
import subprocess
import sys

import numpy as np

from jax_al.people.project import begin_project
from jax_al.people.settings import Settings
from tests.made_up_pictures import encoded
from tests.page_server import Served

PROGRAM = """
import sys
from pathlib import Path
from jax_al.interrupt import listen
from jax_al.page.serve import serve
from jax_al.people.desk import Desk
from jax_al.people.project import open_project
listen()
project = open_project(Path(sys.argv[1]))
desk = Desk(project, project.session())
serve(desk, project.place, "127.0.0.1", 0, False, lambda said: print(said, flush=True))
desk.close()
"""
CLASSES = ("dark", "light")


def begun(directory, num_photos, make=None, **settings):
    """Begins a project of made-up photos, the even ones dark; returns its workdir."""
    photos = directory / "photos"
    photos.mkdir()
    rng = np.random.default_rng(0)
    for k in range(num_photos):
        pixels = rng.integers(0, 80, (30, 40, 3), np.uint8) + np.uint8(150 * (k % 2))
        (photos / f"{k:03}.jpg").write_bytes(make(k) if make else encoded(pixels, "JPEG"))
    usual = {
        "size": 16, "features": "pixels_pca", "features_args": {"pca": 4}, "learner": "linear",
        "learner_args": {"penalty": 0.1}, "strategy": "random", "budget": 10, "audit": 10,
        "who": "eve", "cache_dir": str(directory / "cache"),
    }  # fmt: skip
    begin_project(Settings(str(photos), CLASSES, **(usual | settings)), directory / "work")
    return directory / "work"


@contextlib.contextmanager
def serving(work):
    """Serves the page of the project in `work`; yields the process and where it serves."""
    command = [sys.executable, "-c", PROGRAM, str(work)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            port, token = re.search(r":(\d+)/.token=(\S+)", process.stdout.readline()).groups()
            yield process, Served(int(port), token)
        finally:
            process.kill()
