"""How a command ends: 0 done, 1 the system failed, 2 a mistake of the user, 130 interrupted."""

import sys
from collections.abc import Callable

from jax_al.errors import UsageError

INTERRUPTED = 130


def ending(work: Callable[[], None], name: str) -> int:
    """Does the work; what fails is one sentence on standard error. Returns the exit status.

    Args:
      work: what is to be done.
      name: of the command, which begins the sentence.
    """
    try:
        work()
    except UsageError as error:
        return _failed(name, str(error), 2)
    except OSError as error:
        return _failed(name, str(error), 1)
    except KeyboardInterrupt:
        print(file=sys.stderr)  # the line has ^C and the progress on it
        return _failed(name, "interrupted", INTERRUPTED)
    return 0


def _failed(name: str, sentence: str, status: int) -> int:
    print(f"{name.removeprefix('python -m ')}: {sentence}", file=sys.stderr)
    return status
