"""The recipes of a clone, which lie in configs/; a wheel carries them in place of this file."""

import importlib
import pathlib
from types import ModuleType

__path__ = [str(pathlib.Path(__file__).parents[2] / "configs")]


def __getattr__(name: str) -> ModuleType:
    if name.startswith("_"):
        raise AttributeError(name)
    return importlib.import_module(f"{__name__}.{name}")
