"""People: they answer through the journal when they like, so nothing is ever collected."""

from collections.abc import Callable, Sequence

from jax_al.types import Answer, Oracle


class _People:
    def __init__(self, announce: Callable[[int], None]) -> None:
        self._announce = announce

    def ask(self, request: int, rows: Sequence[int]) -> None:
        """Says that rows wait; the open request is on record for everyone who wants to answer."""
        del request
        self._announce(len(rows))

    def collect(self) -> list[Answer]:
        return []


def people(announce: Callable[[int], None] = lambda count: None) -> Oracle:
    """Returns the oracle of a session whose answers are told to its journal.

    Args:
      announce: is told how many answers are waited for, once a process for each request.
    """
    return _People(announce)
