"""The command `jax-al`: a word says what is wanted, the rest is handed on.

Each command imports what it needs when it is asked for, so that `kcenter`, `select` and
`strategies` work where only jax, optax, numpy and scipy are installed beside this package.
"""

import importlib
import os
import signal
import sys
import textwrap

from jax_al.cli.ending import failed, spare_collections
from jax_al.errors import UsageError, did_you_mean

HELP = """\
jax-al: deep active learning. Which examples to label next?

  jax-al run [RECIPE]            run or continue an experiment
  jax-al compare A,B [RECIPE]    strategies side by side, with the same seeds
  jax-al strategies [NAME]       what there is to choose from, or one of them
  jax-al fields [FIELD]          what --config.FIELD=VALUE can say
  jax-al features DATA           fixed numbers of each example, as a .npy file
  jax-al report WORKDIR...       one page about runs: curves, tables, pictures
  jax-al label DIR               label pictures of your own on a page
  jax-al ask --out B.csv         what people should label next, to fill in
  jax-al classes                 what classes there are, and their changes
  jax-al tell B.csv              takes what they have filled in
  jax-al status                  how a project stands, and whether to go on
  jax-al predict --out P.csv     what the model says of every example
  jax-al review                  labels that the model doubts
  jax-al check                   how much of an export is right
  jax-al export --to KIND        csv, imagefolder or model
  jax-al select STRATEGY         which rows of a matrix to label next
  jax-al kcenter POINTS          exact greedy k-center on a matrix
  jax-al --version

jax-al COMMAND --help tells more.
"""
RUN = """\
jax-al run [RECIPE] [--config.FIELD=VALUE ...]

Runs an experiment, or goes on where the same command stopped.

  RECIPE                  a name, or the path of a file; else digits_coreset
  --config.FIELD=VALUE    sets a field of the recipe, as --config.num_seeds=5
  --workdir=DIR           where all is kept (runs/ and the name of the recipe)
  --overwrite             removes what an earlier run left there
  --jobs=N                worker processes
  --part=K/N              every N-th part from the K-th on, beside others

{recipes}
Fields: seed, num_seeds, strategy, compare, budget, initial_size, max_episodes,
epochs, lr, data.name, model.name and more: jax-al fields
"""
COMPARE = """\
jax-al compare A,B[,C...] [RECIPE] [--config.FIELD=VALUE ...]

Runs strategies with the same seeds, initial labels and first networks.
"jax-al strategies" lists them; typiclust@pixels_pca looks at another embedding.
All else is as of "jax-al run":

  jax-al compare random,coreset,margin digits_coreset --config.num_seeds=5
"""
# What the lean installation lacks.
LACKING = frozenset(
    {"absl", "flax", "ml_collections", "orbax", "wandb", "tensorflow_datasets", "sklearn", "rich"}
    | {"matplotlib", "plotly", "PIL", "array_record", "jinja2", "starlette", "uvicorn"}
)
# Where a command lies; each has main(words, name).
COMMANDS = {
    "report": "jax_al.cli.report",
    "kcenter": "jax_al.cli.kcenter",
    "select": "jax_al.cli.select",
    "features": "jax_al.cli.features",
    "label": "jax_al.cli.label",
    "classes": "jax_al.cli.classes",
    "ask": "jax_al.cli.ask",
    "tell": "jax_al.cli.tell",
    "status": "jax_al.cli.status",
    "predict": "jax_al.cli.predict",
    "review": "jax_al.cli.review",
    "check": "jax_al.cli.check",
    "export": "jax_al.cli.export",
    "strategies": "jax_al.cli.strategies",
    "fields": "jax_al.cli.field_list",
}


def main() -> None:
    """Does what the command line says, and exits."""
    spare_collections()
    words = sys.argv[1:]
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # module:function may lie beside the user, as with python -m
    try:
        sys.exit(_main(words))
    except UsageError as error:
        sys.exit(failed("jax-al", str(error)))
    except ModuleNotFoundError as error:
        lacking = (error.name or "").split(".")[0]
        if lacking not in LACKING:
            raise
        sentence = (
            f"{' '.join(words[:1])} needs the package {lacking}, which is not installed: install "
            "jax_al with what it needs, without --no-deps."
        )
        sys.exit(failed("jax-al", sentence))


def _main(words: list[str]) -> int:
    command, rest = (words[0], words[1:]) if words else ("--help", [])
    wants_help = any(word in ("--help", "-h", "-help") for word in rest)
    if command in ("--help", "-h", "help"):
        print(HELP, end="")
        return 0
    if command == "--version":
        import jax_al

        print(f"jax_al {jax_al.__version__}")
        return 0
    if command in COMMANDS:
        if hasattr(signal, "SIGPIPE") and command in ("strategies", "fields"):
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` may close the pipe early
        return importlib.import_module(COMMANDS[command]).main(rest, f"jax-al {command}")
    if command not in ("run", "compare"):
        names = ("run", "compare", *COMMANDS)
        raise UsageError(f"There is no command {command!r}: {did_you_mean(command, names)}")
    if wants_help:
        print(_help(command), end="")
        return 0
    first = next((k for k, word in enumerate(rest) if word.startswith("-")), len(rest))
    given, flags = rest[:first], rest[first:]
    if command == "compare":
        given, flags = _compared(given, flags)
    if len(given) > 1:
        raise UsageError(f"{given[1]!r} is not a flag; flags look like --name=value.")
    if given and any(flag.startswith(("--config=", "-config=")) for flag in flags):
        raise UsageError(f"{given[0]!r} and --config both name a recipe: leave out one of them.")
    from jax_al.cli.main import launch

    launch([*(f"--config={recipe}" for recipe in given), *flags])
    return 0


def _help(command: str) -> str:
    from jax_al.cli.recipes import names_of_recipes

    if command == "compare":
        return COMPARE
    recipes = f"Recipes: {', '.join(names_of_recipes())}"
    return RUN.format(recipes=textwrap.fill(recipes, 79, subsequent_indent="  "))


def _compared(given: list[str], flags: list[str]) -> tuple[list[str], list[str]]:
    if not given or "," not in given[0]:
        names = f" {given[0]!r} is one name." if given else ""
        raise UsageError(
            "compare wants two or more strategies with commas between them, as in jax-al compare "
            f"random,coreset.{names}"
        )
    return given[1:], [f"--config.compare={given[0]}", *flags]
