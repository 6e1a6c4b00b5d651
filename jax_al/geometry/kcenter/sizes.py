"""Sizes of memory as people write them."""

import re
from typing import Any

from jax_al.errors import UsageError

UNITS = {
    "": 1, "B": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40,  # as `sort -S` takes them
    "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40,
}  # fmt: skip


def check_bytes(name: str, size: Any) -> int:
    """Returns a number of bytes, given as one or as "500MB", "1.5 GiB".

    Args:
      name: of the argument, for errors.
      size: a whole number, or text.

    Raises:
      UsageError: it is neither, or not above 0.
    """
    found = -1
    if isinstance(size, str):
        written = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", size, re.IGNORECASE)
        unit = UNITS.get(written[2].upper()) if written else None
        if written and unit:
            found = int(float(written[1]) * unit)
    elif isinstance(size, bool) or not hasattr(size, "__index__"):
        found = -1
    else:
        found = int(size)
    if found <= 0:
        raise UsageError(
            f"{name} is {size!r}; it must be a whole number of bytes, or text such as '500MB' or "
            "'2GiB'."
        )
    return found
