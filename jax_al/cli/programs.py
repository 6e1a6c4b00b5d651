"""Compiled programs are kept between commands, where JAX keeps them if it is told a directory."""

import contextlib
import os
import pathlib
import time
import zlib

from jax_al.pools.cache_root import cache_root

CHECKED = "checked"  # entries older than this file have been looked at
ZSTANDARD = b"\x28\xb5\x2f\xfd"  # how an entry begins whose end only that package can tell


def keep_programs() -> None:
    """Lets JAX keep what it compiles, unless the user has said where or not to.

    A place that cannot be written to costs seconds and no word: all is compiled anew.
    """
    import jax  # heavy

    if jax.config.jax_compilation_cache_dir is not None:  # type: ignore[attr-defined]
        return
    place = cache_root(None) / "programs"
    try:
        place.mkdir(parents=True, exist_ok=True)
        drop_cut_off(place)
    except OSError:
        return
    jax.config.update("jax_compilation_cache_dir", str(place))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def drop_cut_off(place: pathlib.Path) -> None:
    """Removes entries that a full disk or a killed process cut off; each entry is read once.

    JAX writes in place and never writes again what is there: it would be read in vain, with a
    warning, and compiled anew by every command to come.

    Raises:
      OSError: `place` cannot be written to.
    """
    checked, began = place / CHECKED, time.time()
    since = checked.stat().st_mtime if checked.exists() else 0.0
    if since > began:  # the clock was ahead then: by it, nothing were new for as long
        since = 0.0
    for entry in place.glob("*-cache"):
        # Another process has removed it, or it is nothing that can be read here, and JAX says so:
        # either way the others are as good as they were.
        with contextlib.suppress(OSError):
            if entry.stat().st_mtime >= since and not _is_whole(entry.read_bytes()):
                entry.unlink()
    checked.touch()
    os.utime(checked, (began, began))


def _is_whole(entry: bytes) -> bool:
    try:
        zlib.decompress(entry)
    except zlib.error:
        return entry.startswith(ZSTANDARD)
    return True
