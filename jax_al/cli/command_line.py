"""What a person may type wrong, and the one sentence that answers it.

absl and ml_collections parse the flags; here their errors become sentences, and the options of a
strategy or of another model, which a locked config cannot know, are taken out before.
"""

import ast
import itertools
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from jax_al.errors import UsageError, did_you_mean
from jax_al.session.workdir import flat

_OPTION = re.compile(r"--?config\.(\w+)\.(\w+)=(.*)", re.DOTALL)
_ALONE = re.compile(r"--?config\.(strategy_args|model)\.\w+")
_FIELD = re.compile(r"--?config\.([\w.]+)(=.*)?", re.DOTALL)
# What Python and absl say of a text that is not of the type of its flag, and that type.
_KINDS = {
    "invalid literal for int()": "a whole number",
    "could not convert string to float": "a number",
    "('Non-boolean argument": "true or false",
}


def take_options(argv: Sequence[str]) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Takes --config.strategy_args.NAME=VALUE out of `argv`, and those of a model that is named.

    Which options there are depends on the strategy and the model, which know them and refuse
    others; a locked config would refuse all but those of the recipe.

    Returns:
      The other words, and the options by the field of the config they belong to.
    """
    argv = _joined(argv)
    fields = ["strategy_args"]
    if any(re.match(r"--?config\.model\.name=", word) for word in argv):
        fields.append("model")
    rest: list[str] = []
    options: dict[str, dict[str, Any]] = {field: {} for field in fields}
    for word in argv:
        match = _OPTION.fullmatch(word)
        if match is None or match[1] not in fields:
            rest.append(word)
            continue
        field, name, text = match.groups()
        try:
            options[field][name] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            options[field][name] = text
        if (field, name) == ("model", "name"):
            options[field][name] = text
    return rest, options


def set_options(config: ConfigDict, options: Mapping[str, Mapping[str, Any]]) -> None:
    """Puts what `take_options` took into `config`, of whatever type: strategy and model judge it.

    Another model than the recipe's has other options, so none of the recipe's is left.
    """
    strategy_args, model = options["strategy_args"], dict(options.get("model", {}))
    # Made anew, since a ConfigDict holds its fields to the types they had.
    with config.unlocked():
        if strategy_args:
            config.strategy_args = ConfigDict(config.strategy_args.to_dict() | strategy_args)
        if model:
            before = config.model.to_dict() if model["name"] == config.model.name else {}
            config.model = ConfigDict(before | model)


def _joined(argv: Sequence[str]) -> list[str]:
    """Returns `argv` with options that are followed by their value, as absl allows, as one word."""
    words: list[str] = []
    for word in argv:
        if words and _ALONE.fullmatch(words[-1]) and not word.startswith("-"):
            words[-1] += f"={word}"
        else:
            words.append(word)
    return words


def config_path(argv: Sequence[str], default: str) -> str:
    """Returns the config file that `argv` names, without the argument that may follow a colon."""
    path = default
    for word, following in itertools.zip_longest(argv, argv[1:], fillvalue=""):
        if re.match(r"--?config=", word):
            path = word.partition("=")[2]
        elif re.fullmatch(r"--?config", word):
            path = following
    return path.partition(":")[0]


def why_no_config(
    error: Exception,
    argv: Sequence[str],
    path: str,
    recipes: Sequence[str],
    default: ConfigDict,
) -> str:
    """Returns a sentence that explains why a config could not be made.

    Args:
      error: what loading the file or applying the flags raised: anything, as a config file is a
        program.
      argv: the words of the command line.
      path: of the config file.
      recipes: the names of the files that could have been meant.
      default: a config with all fields.
    """
    if not os.path.isfile(path):
        return f"There is no config file {path}; configs/ holds {', '.join(recipes)}."
    unknown = _unknown_field(argv, default)
    if unknown is not None:
        return unknown
    kind, lines = type(error).__name__, str(error).strip().splitlines()
    reason = f"{kind}: {lines[-1].strip()}" if lines else kind
    return f"The config file {path} cannot be loaded: {reason}."


def why_no_value(error: Exception) -> str:
    """Returns a sentence that explains why a flag could not be read, as `error` of absl says."""
    text = " ".join(str(error).split())
    for reason, kind in _KINDS.items():
        match = re.match(rf"flag --([\w.]+)=(.*?): {re.escape(reason)}", text)
        if match is not None:
            return f"{match[1]} is {match[2]!r}, but must be {kind}."
    return text


def check_fields(config: ConfigDict, path: str, default: ConfigDict) -> None:
    """Makes sure that `config`, of the file `path`, has all fields of `default`.

    Raises:
      UsageError: names those that are not there.
    """
    lacking = _fields(default) - _fields(config)
    if lacking:
        raise UsageError(
            f"The config file {path} lacks {', '.join(sorted(lacking))}; "
            "let it begin with configs.default.get_config()."
        )


def _unknown_field(argv: Sequence[str], default: ConfigDict) -> str | None:
    """Returns a sentence about the first flag whose field does not exist, None if all do."""
    for match in filter(None, map(_FIELD.fullmatch, argv)):
        if match[1].startswith("strategy_args.") and match[2] is None:
            return f"An option wants a value: --config.{match[1]}=VALUE."
        parent: Any = default
        for name in match[1].split("."):
            if not isinstance(parent, ConfigDict):
                return f"The config has no field {match[1]!r}."
            if name not in parent:
                return f"The config has no field {match[1]!r}: {did_you_mean(name, parent)}"
            parent = parent[name]
    return None


def _fields(config: ConfigDict) -> set[str]:
    """Returns the names of all fields but the options of strategy and model, which vary."""
    return set(flat({**config.to_dict(), "strategy_args": None, "model": None}))
