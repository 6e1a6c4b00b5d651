"""Commands as processes of their own, without the seconds of their imports.

One process imports once what commands import and forks for each of them, before JAX starts: the
child comes to its program as if a shell had just started it, and ends as it ends.
"""

import contextlib
import json
import os
import pathlib
import select
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator

SECONDS = 300  # more than any command here takes, on a machine that is busy with other things
PROGRAM = """
import gc, json, os, runpy, signal, sys
import matplotlib.pyplot, plotly.graph_objects, sklearn.datasets
import jax_al.cli.main, jax_al.cli.start, jax_al.learners, jax_al.report, jax_al.strategies

gc.freeze()

found = sys.path[1:]
for line in sys.stdin:
    words, place, environment, out, errors = json.loads(line)
    child = os.fork()
    if not child:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    os._exit(0)
for number, path in enumerate((os.devnull, out, errors)):
    os.dup2(os.open(path, os.O_WRONLY if number else os.O_RDONLY), number)
os.chdir(place)
os.environ.clear()
os.environ.update(environment)
signal.alarm(SECONDS)
is_module = words[0] == "-m"
sys.argv = words[is_module:]
sys.path = [place if is_module else os.path.dirname(words[0]), *found]
sys.path[1:1] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
if is_module:
    runpy.run_module(words[1], run_name="__main__", alter_sys=True)
else:
    runpy.run_path(words[0], run_name="__main__")
"""
Fork = Callable[..., subprocess.CompletedProcess[str]]


@contextlib.contextmanager
def forking() -> Iterator[Fork]:
    """Gives what does as `subprocess.run([sys.executable, *words], cwd=, env=)` and waits.

    What JAX reads when it is imported is read already: `env` must not change it.
    """
    with (
        tempfile.TemporaryDirectory(prefix="jax_al_forks_") as folder,
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", PROGRAM.replace("SECONDS", str(SECONDS))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as process,
    ):  # fmt: skip
        streams = [pathlib.Path(folder, name) for name in ("out", "errors")]

        def fork(
            *words: str, cwd: pathlib.Path, env: dict[str, str] | None = None
        ) -> subprocess.CompletedProcess[str]:
            env = dict(os.environ) if env is None else env
            assert of_jax(env) == of_jax(os.environ)
            for stream in streams:
                stream.write_text("")
            given = [[*map(str, words)], str(cwd), env, *map(str, streams)]
            print(json.dumps(given), file=process.stdin, flush=True)
            assert select.select([process.stdout], [], [], 2 * SECONDS)[0]
            status = int(process.stdout.readline())
            return subprocess.CompletedProcess(words, status, *(s.read_text() for s in streams))

        yield fork
        process.stdin.close()


def of_jax(environment):
    return {k: v for k, v in environment.items() if k.startswith(("JAX_", "XLA_"))}
