"""`~` in the paths of a config means the home of a user, as in a shell."""

from ml_collections import ConfigDict

from jax_al.cli.config import flat, put
from jax_al.cli.fields import FREE, OPTIONS
from jax_al.outside import expanded


def expand(text: str) -> str:
    """Returns `text` with the home directory in place of a ~ at its beginning.

    Raises:
      UsageError: there is no such user.
    """
    return str(expanded(text)) if text.startswith("~") else text


def expand_all(config: ConfigDict) -> None:
    """Expands every path in `config`: of the fields, of options, and after NAME@ of a strategy."""
    for name, value in flat(config.to_dict()).items():
        is_path = name in OPTIONS and OPTIONS[name].about.path
        is_free = name.partition(".")[0] in FREE  # an option may be a path
        if isinstance(value, str) and (is_path or is_free):
            put(config, name, expand(value))
    config.strategy = _expand_entry(config.strategy)
    config.compare = tuple(map(_expand_entry, config.compare))


def _expand_entry(entry: str) -> str:
    strategy, at, embedding = entry.partition("@")
    return strategy + at + expand(embedding)
