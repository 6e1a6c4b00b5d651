"""Runs one experiment: python launch.py --config=configs/NAME.py [--config.FIELD=VALUE ...].

The same command again goes on where the last one stopped.
"""

import os
import pathlib
import re
import shlex
import sys

import jax
from absl import app, flags, logging
from ml_collections import config_flags

from configs import default
from jax_al import interrupt
from jax_al.cli import command_line
from jax_al.errors import UsageError

ROOT = pathlib.Path(__file__).parent
FLAGS = flags.FLAGS
flags.DEFINE_string(
    "workdir", None, "Where results go and are continued; runs/<name of the config> if not given."
)
flags.DEFINE_bool("overwrite", False, "Remove the results in the workdir and start anew.")
jax.config.config_with_absl()


def parse_flags(argv: list[str]) -> list[str]:
    """Parses the command line; a mistake in it is one sentence and exit status 2."""
    first = str(ROOT / "configs" / "digits_coreset.py")
    argv, options = command_line.take_options(argv)
    path, fields = command_line.config_path(argv, first), default.get_config()
    try:
        config_flags.DEFINE_config_file(
            "config", first, "The recipe.", lock_config=True, sys_argv=argv
        )
        rest = FLAGS(argv)
        config = FLAGS.config  # a file that could not be loaded raises only here
        command_line.check_fields(config, path, fields)
    except SystemExit:  # --help has been answered, which absl takes for a failure
        raise SystemExit(0) from None
    except flags.Error as error:
        raise SystemExit(_failed(command_line.why_no_value(error))) from error
    except UsageError as error:
        raise SystemExit(_failed(str(error))) from error
    except Exception as error:
        recipes = sorted(path.name for path in (ROOT / "configs").glob("[!_]*.py"))
        sentence = command_line.why_no_config(error, argv, path, recipes, fields)
        raise SystemExit(_failed(sentence)) from error
    command_line.set_options(config, options)
    if not FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)  # Orbax reports every step of a save
    if len(rest) > 1:
        raise SystemExit(_failed(f"{rest[1]!r} is not a flag; flags look like --name=value."))
    return rest


def main(argv: list[str]) -> int:
    """Runs; returns the exit status.

    0 done, 1 the system failed (a full disk), 2 a mistake of the user, 130 interrupted.
    """
    del argv
    name = pathlib.Path(config_flags.get_config_filename(FLAGS["config"])).stem
    workdir = pathlib.Path(FLAGS.workdir or pathlib.Path("runs") / name)
    try:
        interrupt.listen()
        _cache_compiled_programs()
        from jax_al.run import compare, experiment

        run = compare.run if FLAGS.config.compare else experiment.run
        run(FLAGS.config, workdir, overwrite=FLAGS.overwrite)
    except UsageError as error:
        return _failed(str(error))
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        _failed(f"{error.strerror or error}{where}. What was finished is kept; {_how_to_go_on()}")
        return 1
    except KeyboardInterrupt:
        print(f"\nInterrupted; what was finished is kept; {_how_to_go_on()}", file=sys.stderr)
        return 130
    return 0


def _cache_compiled_programs() -> None:
    """Lets JAX keep compiled programs between runs, unless the user has said where or not to."""
    if jax.config.jax_compilation_cache_dir is None:  # type: ignore[attr-defined]
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        jax.config.update("jax_compilation_cache_dir", os.path.join(cache, "jax_al", "programs"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def _how_to_go_on() -> str:
    again = [arg for arg in sys.argv if not re.fullmatch("--?overwrite(=.*)?", arg)]
    return f"to go on: {shlex.join([sys.executable, *again])}"


def _failed(sentence: str) -> int:
    print(f"launch.py: {sentence}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
