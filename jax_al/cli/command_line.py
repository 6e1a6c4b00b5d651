"""The words --config.FIELD=VALUE, read by the types of the fields, and sentences for mistakes."""

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from jax_al.cli.config import KINDS, put
from jax_al.cli.fields import FREE, GONE, OPTIONS, Option
from jax_al.cli.literal import literal
from jax_al.errors import UsageError, did_you_mean

_WORD = re.compile(r"--?(no)?config\.([\w.-]+)(?:=(.*))?", re.DOTALL)
# Names with commas between them; "a:100,b" is one name, a until 100 labels and then b.
_NAMES = re.compile(r"(?:[^,]*:\d+,)*[^,]+")
_TRUTH = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
_ALSO = {word: name for name, option in OPTIONS.items() for word in option.about.also}
# What absl says of a text that is not of the type of its flag, and that type.
_TYPES = {
    "invalid literal for int()": KINDS[int],
    "could not convert string to float": KINDS[float],
    "('Non-boolean argument": KINDS[bool],
}


def take_options(argv: Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Takes the words that set a field of the config out of `argv`.

    A value may be a word of its own, as absl allows; a field that is true or false needs none, and
    --noconfig.FIELD makes it false.

    Returns:
      The other words, and names and values in their order; - in a name has become _.

    Raises:
      UsageError: a value is missing.
    """
    rest: list[str] = []
    options: list[tuple[str, str]] = []
    words = iter(argv)
    for word in words:
        if word == "--":  # what follows is no flag
            return [*rest, word, *words], options
        match = _WORD.fullmatch(word)
        if match is None:
            rest.append(word)
            continue
        no, name, text = match.groups()
        name = name.replace("-", "_")
        if name in OPTIONS and OPTIONS[name].kind is bool and text is None:
            text = "false" if no else "true"
        elif no:
            raise UsageError(f"{word} is not a flag: config.{name} is not true or false.")
        elif text is None:
            text = next(words, None)
        if text is None or ("=" not in word and re.match("--?[a-zA-Z]", text)):
            raise UsageError(f"An option wants a value: --config.{name}=VALUE.")
        options.append((name, text))
    return rest, options


def set_options(config: ConfigDict, options: Iterable[tuple[str, str]]) -> None:
    """Puts what `take_options` took into `config`; of two values for one field the last counts.

    Another model than the recipe's has other options, so none of the recipe's is left; other
    features, too. A strategy that is named alone is asked alone, also where the recipe compares.

    Raises:
      UsageError: there is no such field, or the value is not of its type.
    """
    free: dict[str, dict[str, Any]] = {group: {} for group in FREE}
    features = config.get("features")
    options = list(options)
    if {name for name, _ in options} & {"strategy", "compare"} == {"strategy"}:
        put(config, "compare", ())
    for name, text in options:
        group, _, option = name.partition(".")
        if group in FREE and option:
            free[group][option] = text if name == "model.name" else literal(text)
        elif group in FREE:
            free[group] |= _mapping(group, text)
        else:
            put(config, name, parse(_option(name, text), text))
    # Made anew, since a ConfigDict holds its fields to the types they had.
    with config.unlocked():
        if config.get("features") != features:
            config.features_args = ConfigDict()
        for group, given in free.items():
            if given:
                before = config[group].to_dict()
                if group == "model" and given.get("name", before.get("name")) != before.get("name"):
                    before = {}
                config[group] = ConfigDict(before | given)


def parse(option: Option, text: str) -> Any:
    """Returns the value that `text` stands for.

    Raises:
      UsageError: it is not of the type of the field.
    """
    if option.optional and text == "None":
        return None
    try:
        if option.kind is bool:
            return _TRUTH[text.lower()]
        if option.kind is tuple:
            return _names(text)
        return option.kind(text)
    except (ValueError, SyntaxError, KeyError) as error:
        wanted = KINDS[option.kind] + (" or None" if option.optional else "")
        raise UsageError(f"config.{option.name} is {text!r}, but must be {wanted}.") from error


def _names(text: str) -> tuple[str, ...]:
    """Reads a,b or ('a','b') or (a,b) or a; () or None is none."""
    text = text.strip()
    if text == "None":
        return ()
    if text.startswith(("(", "[", "'", '"')):
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            bare = re.fullmatch(r"\(([^()'\"]*)\)|\[([^]['\"]*)\]", text)
            if bare is None:
                raise
            text = bare[1] or bare[2]
        else:
            names = tuple(value) if isinstance(value, tuple | list) else (value,)
            if not all(isinstance(name, str) for name in names):
                raise ValueError("not names")
            return names
    found = _NAMES.findall(text)
    names = tuple(name.strip() for name in found)
    if not all(names) or ",".join(found) != text.removesuffix(","):
        raise ValueError("an empty name")
    return names


def _mapping(group: str, text: str) -> Mapping[str, Any]:
    value = literal(text)
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return value
    name = f"; its name is --config.model.name={text}" if group == "model" else ""
    raise UsageError(f"config.{group} is {text!r}, but must be {KINDS[dict]}{name}.")


def _option(name: str, text: str) -> Option:
    """Returns the field called `name`.

    Raises:
      UsageError: there is none; the sentence says which was meant.
    """
    if name in OPTIONS:
        return OPTIONS[name]
    if name in GONE:
        raise UsageError(f"config.{name} is gone: {GONE[name]}.")
    within = [other for other in OPTIONS if other.startswith(f"{name}.")]
    if within:
        raise UsageError(
            f"config.{name} is a group of fields: write --config.{within[0]}={text}, for one."
        )
    meant = find(name)
    if meant is not None:
        raise UsageError(f"The config has no field {name!r}: it is config.{meant}.")
    raise UsageError(f"The config has no field {name!r}{_nearest(name)}")


def _nearest(name: str) -> str:
    """Returns what the first part of `name` that does not exist could have been."""
    place = ""
    for part in name.split("."):
        here = {other[len(place) :].split(".")[0] for other in OPTIONS if other.startswith(place)}
        if not here:
            return "."  # a field of a field
        if part not in here:
            return f": {did_you_mean(part, here, 'jax-al fields')}"
        place += f"{part}."
    return "."


def find(name: str) -> str | None:
    """Returns the field that somebody means who says `name`; None: none or several."""
    name = name.replace("-", "_").lower()
    within = [other for other in OPTIONS if other.endswith(f".{name}")]
    if name in OPTIONS:
        return name
    if name in _ALSO:
        return _ALSO[name]
    return within[0] if len(within) == 1 else None


def why_no_flag(flag: str, argv: Sequence[str]) -> str | None:
    """Returns a sentence about a flag that does not exist if a field of the config is meant."""
    given = re.compile(rf"--?{re.escape(flag)}=(.*)", re.DOTALL)
    values = [match[1] for match in map(given.fullmatch, argv) if match]
    name, value = flag.replace("-", "_"), values[-1] if values else "VALUE"
    if name in GONE:
        return f"config.{name} is gone: {GONE[name]}."
    meant = find(name)
    if meant is None:
        return None
    return f"--{flag} is a field of the config: write --config.{meant}={value}."


def why_no_value(error: Exception) -> str:
    """Returns a sentence that explains why a flag could not be read, as `error` of absl says."""
    text = " ".join(str(error).split())
    for reason, kind in _TYPES.items():
        match = re.match(rf"flag --([\w.]+)=(.*?): {re.escape(reason)}", text)
        if match is not None:
            return f"{match[1]} is {match[2]!r}, but must be {kind}."
    return text
