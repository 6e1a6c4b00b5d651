"""Programs: functions compiled ahead of time and once; a changed shape is an error, not a compile.

Only this room compiles the loop, so a count of what is here is a count of the compiles.
"""

import contextlib
import time
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import jax


class Programs:
    """The compiled functions of a process, by name and by what else tells them apart."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Callable[..., Any]] = {}
        self._used: set[Hashable] = set()
        self.seconds = 0.0  # spent compiling

    @property
    def compiles(self) -> int:
        """How many programs have been compiled."""
        return len(self._known)

    @contextlib.contextmanager
    def counted(self) -> Iterator[set[Hashable]]:
        """Collects what is asked for while the block runs."""
        used: set[Hashable] = set()
        before, self._used = self._used, used
        try:
            yield used
        finally:
            self._used = before

    def get(
        self,
        name: str,
        variant: Hashable,
        function: Callable[..., Any],
        *arguments: Any,
        donated: int | None = None,
    ) -> Callable[..., Any]:
        """Returns the program of that name and variant, compiled when it is first asked for.

        Args:
          name: what it is called in profiles.
          variant: whatever else `function` depends on, such as a strategy and a capacity.
          function: pure.
          arguments: like those that it will be called with; shapes are enough.
          donated: position of an argument whose memory may be used for the results.
        """
        shapes = tuple(
            (leaf.shape, str(leaf.dtype)) if hasattr(leaf, "dtype") else leaf
            for leaf in jax.tree.leaves(arguments)
        )
        key = name, variant, shapes
        self._used.add(key)
        if key not in self._known:
            start = time.perf_counter()

            def named(*args: Any) -> Any:
                return function(*args)

            named.__name__ = name
            donate = () if donated is None else (donated,)
            lowered = jax.jit(named, donate_argnums=donate).lower(*arguments)
            self._known[key] = lowered.compile()
            self.seconds += time.perf_counter() - start
        return self._known[key]
