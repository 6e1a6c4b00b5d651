"""The command line: flags are parsed, one call is made, and what fails becomes an exit status.

0 done, 1 the system or a part failed (a full disk, an error in a strategy), 2 a mistake of the
user, 130 interrupted.
"""

import json
import os
import pathlib
import re
import shlex
import sys
from collections.abc import Sequence
from typing import NamedTuple

import jax
from absl import app, flags, logging
from ml_collections import ConfigDict

from jax_al import interrupt
from jax_al.cli.command_line import set_options, take_options, why_no_flag, why_no_value
from jax_al.cli.config import check, flat
from jax_al.cli.ending import INTERRUPTED, failed, spare_collections
from jax_al.cli.paths import expand, expand_all
from jax_al.cli.programs import keep_programs
from jax_al.cli.recipes import find_recipe, load_recipe
from jax_al.errors import PartsError, UsageError

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "config",
    "digits_coreset",
    "The recipe: the path of a file, or the name of one in configs/. --config.FIELD=VALUE sets one "
    "of its fields, which jax-al fields lists.",
)
flags.DEFINE_string(
    "workdir", None, "Where results go and are continued; runs/<name of the config> if not given."
)
flags.DEFINE_bool("overwrite", False, "Remove the results in the workdir and start anew.")
flags.DEFINE_integer("jobs", None, "Worker processes; the same as --config.jobs.")
flags.DEFINE_string(
    "part", None, "K/N: only every N-th part, from the K-th on; the same as --config.part."
)
jax.config.config_with_absl()


class Command(NamedTuple):
    """What the command line asks for."""

    config: ConfigDict  # locked
    workdir: pathlib.Path
    overwrite: bool


def launch(words: Sequence[str]) -> None:
    """Does what the `words` of a command line say, and exits."""
    spare_collections()
    # --help tells those of this program.
    for name in ("config", "workdir", "overwrite", "jobs", "part"):
        FLAGS.register_key_flag_for_module(sys.argv[0], FLAGS[name])
    app.run(_run, argv=[sys.argv[0], *words], flags_parser=parse_flags)


def _run(command: Command) -> int:
    """Runs; whoever interrupts does not wait for threads that are compiling, or break them off."""
    status = main(command)
    if status == INTERRUPTED:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


def parse_flags(argv: list[str]) -> Command:
    """Parses the command line; a mistake in it is one sentence and exit status 2."""
    try:
        return _parse(argv)
    except SystemExit:  # --help has been answered, which absl takes for a failure
        raise SystemExit(0) from None
    except flags.UnrecognizedFlagError as error:
        sentence = why_no_flag(error.flagname, argv) or why_no_value(error)
        raise SystemExit(_failed(sentence)) from error
    except flags.Error as error:
        raise SystemExit(_failed(why_no_value(error))) from error
    except UsageError as error:
        raise SystemExit(_failed(str(error))) from error


def _parse(argv: list[str]) -> Command:
    words, options = take_options(argv)
    rest = FLAGS(words)
    if not FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)  # Orbax reports every step of a save
    if len(rest) > 1:
        raise UsageError(
            f"{rest[1]!r} is not a flag; flags look like --name=value, and a recipe comes before "
            "them."
        )
    path, argument = find_recipe(FLAGS.config)
    if FLAGS.workdir == "":
        raise UsageError(
            f"--workdir is empty: name a directory, or leave it out for runs/{path.stem}."
        )
    config = load_recipe(path, argument)
    given = [(name, FLAGS[name].value) for name in ("jobs", "part") if FLAGS[name].present]
    set_options(config, [*options, *((name, str(value)) for name, value in given)])
    check(flat(json.loads(config.to_json_best_effort())))
    expand_all(config)
    workdir = pathlib.Path(expand(FLAGS.workdir or str(pathlib.Path("runs") / path.stem)))
    return Command(config.lock(), workdir, FLAGS.overwrite)


def main(command: Command) -> int:
    """Runs what is asked for; returns the exit status."""
    try:
        interrupt.listen()
        keep_programs()
        from jax_al.cli.start import start  # heavy, and a mistake above needs none of it

        start(command.config, command.workdir, overwrite=command.overwrite)
    except UsageError as error:
        return _failed(str(error))
    except PartsError as error:
        _failed(f"{error}. What was finished is kept; {_how_to_go_on()}")
        return 1
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        _failed(f"{error.strerror or error}{where}. What was finished is kept; {_how_to_go_on()}")
        return 1
    except KeyboardInterrupt:
        print(f"\nInterrupted; what was finished is kept; {_how_to_go_on()}", file=sys.stderr)
        return INTERRUPTED
    return 0


def _how_to_go_on() -> str:
    again = [arg for arg in sys.argv[1:] if not re.fullmatch("--?overwrite(=.*)?", arg)]
    program = {
        "launch.py": [sys.executable, sys.argv[0]],
        "__main__.py": [sys.executable, "-m", "jax_al"],
    }.get(_called(), ["jax-al"])
    return f"to go on: {shlex.join([*program, *again])}"


def _called() -> str:
    return os.path.basename(sys.argv[0])


def _failed(sentence: str) -> int:
    return failed("launch.py" if _called() == "launch.py" else "jax-al", sentence)
