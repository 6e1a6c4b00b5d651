"""`jax-al fields`: what a config can say; of one field, or one group, all that is to say."""

import textwrap
from collections.abc import Sequence

from jax_al.cli.command_line import find
from jax_al.cli.config import values_of
from jax_al.cli.ending import command
from jax_al.cli.fields import OPTIONS
from jax_al.cli.parser import Parser
from jax_al.errors import UsageError, did_you_mean

WIDTH = 80
OWN = {  # the groups whose members are not fields
    "model": "an option of the learner, which docs/learners.md tells",
    "features_args": "an option of the features, which docs/features.md tells",
}


def main(words: Sequence[str] | None = None, name: str = "jax-al fields") -> int:
    """Prints the fields, or those that a word names; returns the exit status."""
    parser = Parser(prog=name, description="The fields of a config, set by --config.FIELD=VALUE.")
    parser.add_argument("field", nargs="?", help="a field, or a group as in data")
    return command(parser, lambda arguments: print(described(arguments.field)), words)


def described(field: str | None) -> str:
    """Returns what there is to know of all fields, of a group or of one.

    Raises:
      UsageError: there is none of that name.
    """
    names = [name for name in OPTIONS if field is None or name.startswith(f"{field}.")]
    if field is not None and not names:
        found = find(field)
        group, dot, _ = field.partition(".")
        if found is None and dot and group in OWN:
            raise UsageError(f"{field!r} is no field, but {OWN[group]}.")
        if found is None:
            raise UsageError(f"There is no field {field!r}: {did_you_mean(field, OPTIONS)}")
        names = [found]
    lines = []
    for name in names:
        option = OPTIONS[name]
        more = " May change when a run is continued." if option.about.changeable else ""
        told = f"{option.about.doc} ({values_of(option).replace('`', '')}).{more}"
        lines += [f"{name} = {option.default!r}"]
        lines += textwrap.wrap(told, WIDTH, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)
