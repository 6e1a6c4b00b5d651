"""The recipes of a clone, which lie in configs/; a wheel has a directory of this name instead."""

import pathlib
from types import ModuleType
from typing import TYPE_CHECKING

__path__ = [str(pathlib.Path(__file__).parents[1] / "configs")]

if TYPE_CHECKING:  # what lies elsewhere is not seen

    def __getattr__(name: str) -> ModuleType: ...
