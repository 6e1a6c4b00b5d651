"""Records that grow with the journal: what is new is taken in, what is taken back is left out."""

from collections.abc import Sequence
from typing import NamedTuple

from jax_al.session.events import Event
from jax_al.session.fold import Draft, Record, undone_in

BEHIND = 256  # events that may be taken back at the price of so many


class Drafts(NamedTuple):
    """A draft of all events, and one of all but some of the last."""

    last: Draft
    behind: Draft

    def record(self) -> Record:
        """Returns the record of all events; costs as much as it is large."""
        return self.last.record()


def grown(drafts: Drafts | None, events: Sequence[Event]) -> Drafts:
    """Returns drafts of all `events`, made from `drafts`, which have taken in the first of them.

    What is taken back changes what has been taken in already. It is mostly one of the last events,
    so a second draft stays some way behind and is gone on from: an undo costs about as much as an
    answer, in place of all events anew.
    """
    last, behind = drafts or (Draft(), Draft())
    news = [event["of"] for event in events[last.num_events :] if event["event"] == "undone"]
    if any(number < behind.num_events for number in news):
        behind = Draft()
    is_far = len(events) - behind.num_events > 2 * BEHIND
    undone = undone_in(events) if news or is_far else set()
    if is_far:
        behind.take(events[: len(events) - BEHIND], undone)
    if news or last.num_events < behind.num_events:
        last = behind.copy()
    last.take(events, undone)
    return Drafts(last, behind)
