"""Programs: functions of one seed, compiled for one or several, ahead of time and once."""

from collections.abc import Callable, Collection
from typing import Any

import jax

from jax_al.run.replicates import SPLIT, WHOLE, Layout, over_seeds


class Program:
    """A compiled function; a shape that changed is an error, never a silent second compile.

    Args:
      name: what it is called in profiles.
      function: of one seed's arguments.
      arguments: like those of one seed that it will be called with; shapes are enough.
      layout: None: it serves one seed. Else arguments and results have an axis S in front.
      shared: positions of the arguments that are the same for all seeds and have no such axis.
      donated: position of an argument whose memory may be used for the results.
    """

    def __init__(
        self,
        name: str,
        function: Callable,
        *arguments: Any,
        layout: Layout | None,
        shared: Collection[int] = (),
        donated: int | None = None,
    ):
        self.name = name
        self._layout = layout
        donate = [] if donated is None else [donated]
        if layout is not None:
            function = over_seeds(function, layout, frozenset(shared))
            donate = [1 + place for place in donate]
            arguments = (
                layout.counts(0),
                *(
                    layout.abstract(argument, WHOLE if i in shared else SPLIT)
                    for i, argument in enumerate(arguments)
                ),
            )

        def named(*arguments):
            return function(*arguments)

        named.__name__ = name
        self._compiled = jax.jit(named, donate_argnums=donate).lower(*arguments).compile()

    def __call__(self, count: int | None, *arguments: Any) -> Any:
        """Returns the results for `count` seeds of the layout, None: all there is room for."""
        if self._layout is None:
            return self._compiled(*arguments)
        count = self._layout.slots if count is None else count
        return self._compiled(self._layout.counts(count), *arguments)
