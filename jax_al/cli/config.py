"""What is made of the fields: the defaults, the check, what may change, and a table to read.

`python -m jax_al.cli.config` prints docs/config.md.
"""

import math
import pathlib
import re
import signal
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict, FieldReference

from jax_al.cli.fields import FREE, GONE, MAY_CHANGE, OPTIONS, Option
from jax_al.errors import UsageError, did_you_mean
from jax_al.session.opening import check_seed_limit

KINDS = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "true or false",
    tuple: "names with commas between them, as in a,b",
    dict: "options, as in {'name': 1}",
}


def defaults() -> ConfigDict:
    """Returns a config with every field at its default; a field that is not in it does not exist.

    A field that may be None holds the others to its type all the same.
    """
    config = ConfigDict()
    for name, option in OPTIONS.items():
        value = option.default
        if option.kind is dict:
            value = ConfigDict(value)
        elif option.optional:
            value = FieldReference(value, field_type=option.kind)
        put(config, name, value)
    return config


def put(config: ConfigDict, name: str, value: Any) -> None:
    """Sets the field `name`, such as "data.name"; a group that is not there yet is made."""
    *groups, last = name.split(".")
    for group in groups:
        if group not in config:
            config[group] = ConfigDict()
        config = config[group]
    config[last] = value


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns {"data.name": ...} for {"data": {"name": ...}}."""
    fields: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            fields |= flat(value, f"{prefix}{name}.")
        else:
            fields[prefix + name] = value
    return fields


def check(fields: Mapping[str, Any]) -> None:
    """Holds every field against its range; what strategy and learner are told, they check.

    Args:
      fields: the config, flat: {"data.name": ...}.

    Raises:
      UsageError: names the first field that is out of range, its value and the range.
    """
    for option in OPTIONS.values():
        value = fields.get(option.name)
        if value is not None and option.name.partition(".")[0] not in FREE:
            _check_one(option, value)
    check_seed_limit("config.seed", fields["seed"], fields["num_seeds"])
    if not fields["data.pool_splits"]:
        raise UsageError("config.data.pool_splits is empty, but must name a split.")
    entries = fields["compare"]
    for entry in entries:
        if list(entries).count(entry) > 1:
            raise UsageError(f"config.compare names {entry!r} twice.")
    if fields["part"] is not None:
        number, total = map(int, fields["part"].split("/"))
        if not 1 <= number <= total:
            raise UsageError(f"config.part is {fields['part']!r}, but must be from 1/N to N/N.")


def _check_one(option: Option, value: Any) -> None:
    name, about = option.name, option.about
    is_endless = option.kind is float and not math.isfinite(value)  # or no number at all
    is_below = about.least is not None and value < about.least
    if is_endless or is_below or (about.positive and value <= 0):
        raise UsageError(f"config.{name} is {value}, but must be {_range(option)}.")
    if about.choices is not None and value not in about.choices:
        raise UsageError(f"config.{name} is {value!r}: {did_you_mean(value, about.choices)}")
    if about.form is not None and not re.fullmatch(about.form.pattern, value):
        raise UsageError(f"config.{name} is {value!r}, but must be {about.form.words}.")
    if about.path and not value:
        none = ", or None" if option.optional else ""
        raise UsageError(f"config.{name} is empty, but must be a path or a name{none}.")
    if option.kind is tuple and not all(isinstance(one, str) and one for one in value):
        raise UsageError(f"config.{name} is {value!r}, but must be {KINDS[tuple]}.")


def _range(option: Option) -> str:
    least = option.about.least
    if option.about.positive:
        return "a positive number"
    if least is None:
        return KINDS[option.kind]
    return f"a number from {least} on" if option.kind is float else f"at least {least}"


def check_same(directory: pathlib.Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Makes sure that `new` can go on with what `old` has recorded in `directory`.

    A field that came later than the record has its default there: it is what was done before.

    Args:
      directory: what the sentence is about.
      old: the config on record, nested or flat.
      new: the config of this start, nested or flat.

    Raises:
      UsageError: names the fields that differ and may not, with both values.
    """
    before, now = flat(old), flat(new)
    apart = [
        f"{name} (was {_recorded(before, name)!r}, now {_recorded(now, name)!r})"
        for name in sorted(before.keys() | now.keys())
        if name not in MAY_CHANGE
        and name not in GONE
        and _recorded(before, name) != _recorded(now, name)
    ]
    if apart:
        raise UsageError(
            f"{directory} holds a run with another config: {'; '.join(apart)}. "
            "Name another --workdir, or start anew with --overwrite."
        )


def _recorded(fields: Mapping[str, Any], name: str) -> Any:
    """Returns the value of a field as JSON has it, where a tuple is a list."""
    value = fields[name] if name in fields else _untold(fields, name)
    return list(value) if isinstance(value, tuple) else value


def _untold(fields: Mapping[str, Any], name: str) -> Any:
    """Returns the default of a field that came later than the record, or of a model's option."""
    option = OPTIONS.get(name)
    came_later = option is not None and option.about.since > 1
    return option.default if option and came_later else _of_model(fields, name)


def _of_model(fields: Mapping[str, Any], name: str) -> Any:
    """Returns the default of an option of one of our learners, which a config need not tell."""
    from jax_al.learners import LEARNERS, WRAPPED, WRAPPERS, learner_options  # heavy

    group, _, option = name.partition(".")
    learner, inner = str(fields.get("model.name")), fields.get("model.learner", WRAPPED)
    if group != "model" or not {learner, inner} <= LEARNERS.keys() | WRAPPERS.keys():
        return "absent"
    return learner_options(learner, inner).get(option, "absent")


def table() -> str:
    """Returns a table in Markdown, a row for each field."""
    rows = ["| field | default | values | may change | what it is |", "|---|---|---|---|---|"]
    for name, option in OPTIONS.items():
        changeable = "yes" if option.about.changeable else ""
        cells = (
            f"`{name}`",
            f"`{option.default}`",
            values_of(option),
            changeable,
            option.about.doc,
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def values_of(option: Option) -> str:
    """Returns which values a field may have, in words."""
    about = option.about
    if about.choices is not None:
        words = ", ".join(f"`{choice}`" for choice in about.choices)
    elif about.form is not None:
        words = about.form.words
    else:
        words = KINDS[option.kind].removeprefix("a ")
        if option.kind is tuple:
            words = "names" if all(isinstance(one, str) for one in option.default) else "numbers"
        words += f" from {about.least} on" if about.least is not None else ""
        words += " above 0" if about.positive else ""
    return f"{words}, or `None`" if option.optional else words


def page() -> str:
    """Returns docs/config.md."""
    return f"""# Every field of a config

Made by `python -m jax_al.cli.config` from `jax_al/cli/fields.py`, where the fields are declared.
On the command line a field is `--config.FIELD=VALUE`; a recipe sets it as `config.FIELD = VALUE`.
"May change" tells which fields may differ when a run is continued: no number on record depends on
them. The default values are those of the report this project reproduces, except where it says so.
The fields of `model` are those of `cnn`; another model has its own.

{table()}
"""


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` may close the pipe early
    print(page(), end="")
