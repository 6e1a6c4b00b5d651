"""Every field at its default; the recipes start from it.

`jax_al/cli/fields.py` declares the fields, with unit, range and the reason for the value, and
docs/config.md lists them. `python launch.py --config=configs/default.py` is the digits data with
the values of the report this project reproduces.
"""

from ml_collections import ConfigDict

from jax_al.cli.config import defaults


def get_config() -> ConfigDict:
    """Returns the defaults; a field that is not here does not exist."""
    return defaults()
