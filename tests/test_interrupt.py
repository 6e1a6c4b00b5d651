import os
import signal
import subprocess
import sys

import pytest

PROGRAM = """
import gc, os, signal, sys
from jax_al import interrupt
interrupt.check()  # nothing was asked for yet
interrupt.listen()

def in_a_callback(phase, info):
    gc.callbacks.clear()
    os.kill(os.getpid(), signal.{signal})
    for _ in range(1000):  # the handler runs before the callback is over
        pass

gc.callbacks.append(in_a_callback)
gc.collect()
print("swallowed")
try:
    interrupt.check()
except KeyboardInterrupt:
    print("remembered")
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupt_that_python_swallows_is_remembered(name):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(signal=name)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["swallowed", "remembered"]
    assert not done.stderr
    # Only launch.py listens: here it is as Python found it, ignored in a shell's background job.
    assert signal.getsignal(signal.SIGINT) in (signal.default_int_handler, signal.SIG_IGN)


DEFER = """
import os, signal
from jax_al import interrupt
interrupt.listen()
try:
    with interrupt.deferred():
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass
        print("finished")
except KeyboardInterrupt:
    print("interrupted")
"""


def test_what_is_deferred_comes_after_the_block():
    done = subprocess.run(
        [sys.executable, "-c", DEFER], capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.stdout.split() == ["finished", "interrupted"], done.stderr
