"""What a session asks people, as they see it."""

from typing import NamedTuple

from jax_al.session.fold import Record


class Request(NamedTuple):
    """What is to be labeled next."""

    id: int
    rows: tuple[int, ...]  # of the pool, in pick order, those that are undecided
    ids: tuple[str, ...]
    scores: tuple[float | None, ...] | None  # why each was picked, where the strategy tells


def open_request(record: Record) -> Request:
    """Returns what waits of the request that is open."""
    request, waits = record.open, set(record.undecided())
    assert request is not None
    left = [place for place, row in enumerate(request.rows) if row in waits]
    scores = request.scores
    return Request(
        request.number,
        tuple(request.rows[place] for place in left),
        tuple(request.ids[place] for place in left),
        None if scores is None else tuple(scores[place] for place in left),
    )
