"""Where compiled programs stay for the next run of the tests, which need not compile them again."""

import pathlib
import shutil

from jax_al.cli.programs import drop_cut_off

PLACE = pathlib.Path(__file__).parents[1] / "build" / "programs"
MANY = 1 << 30  # bytes; all tests together want a tenth, and the rest is of code that is no more


def kept_programs(place=PLACE, many=MANY):
    """Returns the directory `place`, emptied if it is too large; nothing in it is cut off."""
    if place.is_dir() and sum(entry.stat().st_size for entry in place.iterdir()) > many:
        shutil.rmtree(place)
    place.mkdir(parents=True, exist_ok=True)
    drop_cut_off(place)
    return place
