"""Whether a workdir can be written to, found out before minutes go into reading."""

import errno
import os
import secrets
from pathlib import Path

from jax_al.errors import UsageError

# What is written to where it lies; all else is replaced, for which the directory alone counts.
_KEPT = ("models.jsonl", "items.jsonl", ".items.lock", "journal.jsonl", ".journal.lock", ".lock")


def check_writable(place: Path) -> None:
    """Sees to it that what is said of a project can be kept.

    Args:
      place: the workdir, which is there.

    Raises:
      UsageError: it cannot be written to, or a file in it that it needs.
    """
    probe = place / f".{secrets.token_hex(8)}.tmp"
    try:
        probe.touch()
        probe.unlink()
        for path in (place / name for name in _KEPT):
            if path.exists():
                os.close(os.open(path, os.O_RDWR))
    except OSError as error:
        is_file = str(error.filename) not in ("None", str(probe))
        what = f"{error.filename} in the workdir" if is_file else f"The workdir {place}"
        remedy = "make room"
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            remedy = "get the right to, or copy the workdir and name the copy with --workdir"
        raise UsageError(f"{what} cannot be written to ({error.strerror}): {remedy}.") from error
