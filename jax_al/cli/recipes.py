"""A recipe is a Python file whose get_config() returns a config; it is found by path or by name."""

import importlib.machinery
import importlib.util
import pathlib

from ml_collections import ConfigDict

from jax_al.cli.config import flat
from jax_al.cli.fields import FREE, GONE, OPTIONS
from jax_al.cli.paths import expand
from jax_al.errors import UsageError, did_you_mean


def folder_of_recipes() -> pathlib.Path:
    """Returns where the recipes are: configs/ of a clone, or what a wheel carries of it."""
    from jax_al import recipes

    return pathlib.Path(recipes.__path__[0])


def names_of_recipes() -> list[str]:
    """Returns the recipes that there are."""
    return sorted(one.stem for one in folder_of_recipes().glob("[!_]*.py"))


def find_recipe(text: str) -> tuple[pathlib.Path, str | None]:
    """Returns the file that `text` names, and the argument that may follow a colon.

    Args:
      text: a path; or the name of a recipe that comes along, with or without configs/ and .py.

    Raises:
      UsageError: there is no such file.
    """
    folder = folder_of_recipes()
    name, colon, argument = text.partition(":")
    path = pathlib.Path(expand(name))
    known = folder / f"{path.name.removesuffix('.py')}.py"
    if not path.is_file() and str(path.parent) in (".", "configs") and known.is_file():
        path = known
    if not path.is_file():
        hint = did_you_mean(known.stem, names_of_recipes(), "jax-al run --help")
        raise UsageError(f"There is no config file {name}: {hint}")
    return path, argument if colon else None


def load_recipe(path: pathlib.Path, argument: str | None = None) -> ConfigDict:
    """Returns what get_config() of the file returns, given `argument` if there is one.

    Raises:
      UsageError: the file fails, or its config lacks fields or has others.
    """
    try:
        loader = importlib.machinery.SourceFileLoader("recipe", str(path))
        spec = importlib.util.spec_from_loader("recipe", loader)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
        config = module.get_config() if argument is None else module.get_config(argument)
    except (Exception, SystemExit) as error:  # a recipe is a program: it may raise anything
        kind, lines = type(error).__name__, str(error).strip().splitlines()
        reason = f"{kind}: {lines[-1].strip()}" if lines else kind
        raise UsageError(f"The config file {path} cannot be loaded: {reason}.") from error
    if not isinstance(config, ConfigDict):
        raise UsageError(f"The config file {path} must return a ConfigDict, not {config!r}.")
    check_fields(config, path)
    return config


def check_fields(config: ConfigDict, path: pathlib.Path) -> None:
    """Makes sure that `config`, of the file `path`, has all fields there are, and no others.

    Raises:
      UsageError: names those that are not there, or the first that does not exist.
    """
    fields = {
        _outer(name)
        for name in flat(config.to_dict() | {"strategy_args": None, "features_args": None})
    }
    wanted = {_outer(name) for name in OPTIONS}
    for name in sorted(fields - wanted):
        if name in GONE:
            raise UsageError(
                f"The config file {path} sets config.{name}, which is gone: {GONE[name]}."
            )
        raise UsageError(
            f"The config file {path} sets config.{name}, and there is no such field: "
            f"{did_you_mean(name, wanted, 'jax-al fields')}"
        )
    if lacking := wanted - fields - {"model"}:  # beside its name, a model may have no option
        raise UsageError(
            f"The config file {path} lacks {', '.join(sorted(lacking))}; "
            "let it begin with jax_al.recipes.default.get_config()."
        )


def _outer(name: str) -> str:
    """Returns the field, or the one that holds it if only a model knows it."""
    group, _, option = name.partition(".")
    return group if group in FREE and option != "name" else name
