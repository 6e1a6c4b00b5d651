"""How a command ends: 0 done, 1 the system failed, 2 a mistake of the user, 130 interrupted."""

import argparse
import atexit
import gc
import sys
from collections.abc import Callable, Sequence

from jax_al.cli.parser import Parser
from jax_al.errors import UsageError

INTERRUPTED = 130


def spare_collections() -> None:
    """Spares this process what a garbage collection does in vain.

    JAX and what is imported beside it are a million objects that stay to the end. Looking through
    them again and again is a fifth of a start and a second of the end.
    """
    gc.set_threshold(50_000)
    atexit.register(gc.freeze)


def command(
    parser: Parser,
    run: Callable[[argparse.Namespace], None],
    words: Sequence[str] | None,
) -> int:
    """Does what a command line says; what fails is one sentence. Returns the exit status.

    Args:
      parser: of the command, whose name begins the sentence.
      run: does what the arguments say.
      words: of the command line; None: those of this process.
    """
    try:
        run(parser.parse_args(words))
    except UsageError as error:
        return failed(parser.prog, str(error))
    except OSError as error:
        return failed(parser.prog, str(error), 1)
    except (MemoryError, RuntimeError) as error:
        # The second is JAX's, of whose types nothing is known here: a command may do without it.
        if isinstance(error, RuntimeError) and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        said = " ".join(str(error).split())
        return failed(parser.prog, f"there is not enough memory ({said}).", 1)
    except KeyboardInterrupt:
        print(file=sys.stderr)  # the line has ^C and the progress on it
        return failed(parser.prog, "interrupted", INTERRUPTED)
    return 0


def failed(name: str, sentence: str, status: int = 2) -> int:
    """Says what went wrong in the command called `name`; returns the exit status."""
    print(f"{name.removeprefix('python -m ')}: {sentence}", file=sys.stderr)
    return status
