"""Where what can be computed again is kept."""

import os
import pathlib


def cache_root(cache_dir: str | None) -> pathlib.Path:
    """Returns where the cache is: `cache_dir`, else $XDG_CACHE_HOME/jax_al or ~/.cache/jax_al."""
    if cache_dir is not None:
        return pathlib.Path(cache_dir).expanduser()
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    root = pathlib.Path(xdg if os.path.isabs(xdg) else os.path.expanduser("~/.cache"))
    return root / "jax_al"
