"""Results become events, or are refused in a sentence: pure functions of the record."""

import math
from collections.abc import Collection, Iterable
from typing import Any

from jax_al.errors import UsageError, spelled
from jax_al.outside import is_text
from jax_al.session.events import Event
from jax_al.session.fold import DRAWN, HELD_OUT, Record, Trained
from jax_al.session.work import (
    Answered,
    ClassAdded,
    ClassMerged,
    ClassRenamed,
    Closed,
    Drawn,
    Select,
    Selected,
    Train,
    Undone,
    Withdrawn,
)
from jax_al.types import BROKEN, SKIP, UNSURE, Answer


def selected(
    record: Record, num_points: int, result: Selected, wanted: Select, taken: Collection[int]
) -> Event:
    """Returns the event of a request.

    Args:
      record: as of now.
      num_points: N.
      result: to be written down.
      wanted: what was planned.
      taken: the rows that were decided then; somebody may have told more since.

    Raises:
      UsageError: it is not what was planned.
    """
    rows = [int(row) for row in result.rows]
    is_next = record.open is None and result.request == len(record.requests)
    if (result.request, result.episode) != (wanted.request, wanted.episode) or not is_next:
        raise UsageError(
            f"Request {result.request} of episode {result.episode} is not in turn: request "
            f"{wanted.request} of episode {wanted.episode} was planned, and {len(record.requests)} "
            "are on record; commit what plan() asks for."
        )
    if len(rows) != wanted.count:
        raise UsageError(
            f"{len(rows)} rows were selected where {wanted.count} were asked for; select as many "
            "as asked for."
        )
    for name, column in (("ids", result.ids), ("index", result.index), ("scores", result.scores)):
        if column is not None and len(column) != len(rows):
            raise UsageError(f"There are {len(column)} {name} for {len(rows)} rows; give one each.")
    if len(set(rows)) < len(rows):
        twice = next(row for place, row in enumerate(rows) if row in rows[:place])
        raise UsageError(f"Row {twice} was selected twice; select distinct rows.")
    for row in rows:
        if not 0 <= row < num_points:
            raise UsageError(f"Row {row} is not in the pool of {num_points}; select others.")
        if row in taken:
            raise UsageError(f"Row {row} is labeled or excluded; select among the others.")
    return {
        "event": "asked",
        "request": result.request,
        "episode": result.episode,
        "rows": rows,
        "ids": [str(id) for id in result.ids],
        "index": [int(i) for i in result.index],
        "scores": None if result.scores is None else [_finite(s) for s in result.scores],
        "info": {name: _finite(value) for name, value in result.info.items()},
        "near_duplicate_share": result.near_duplicate_share,
        "seconds_embed": result.seconds_embed,
        "seconds_select": result.seconds_select,
        "pseudo_labels": result.pseudo_labels,
        "seconds_record": result.seconds_record,
    }


def trained(record: Record, wanted: Train | None, result: Trained, *, is_fresher: bool) -> Event:
    """Returns the event of a network.

    Args:
      record: as of now.
      wanted: what is to be trained as of `result.as_of`, if anything is.
      result: to be written down; its checkpoint is durable.
      is_fresher: whether it is the last network once more, on other labels than it has.

    Raises:
      UsageError: nobody wants it.
    """
    before = record.trained.get(result.episode)
    is_again = before is not None and before.as_of == result.as_of
    is_stale = before is None or before.as_of < record.outdated
    is_next = wanted == (result.episode, result.as_of) and is_stale
    if not (is_again or is_next or is_fresher):
        raise UsageError(
            f"A network of episode {result.episode} as of event {result.as_of} is not wanted; "
            "train what plan() asks for."
        )
    return {"event": "trained", **result._asdict()}


def drawn(record: Record, result: Drawn) -> Event:
    """Returns the event of a draw.

    Raises:
      UsageError: a row is not in the pool, twice there, or spoken for already.
    """
    rows = [int(row) for row in result.rows]
    if result.why not in DRAWN:
        raise UsageError(f"Nothing is drawn for {result.why!r}; say {', '.join(DRAWN)}.")
    if len(set(rows)) < len(rows) or not len(rows) == len(result.ids) == len(result.index):
        raise UsageError("Rows are drawn once each, with an id and an index for each of them.")
    size = record.data.get("size", 0)
    is_open = record.undecided() if result.why in HELD_OUT else ()
    for row, name in zip(rows, result.ids, strict=True):
        if not 0 <= row < size:
            raise UsageError(f"Row {row} is not in the pool of {size}; draw others.")
        if result.why not in ("gone", "changed") and (
            row in record.decisions or row in record.held_out or row in is_open
        ):
            raise UsageError(f"{name!r} is asked, decided or held out already; draw others.")
    return {
        "event": "drawn",
        "episode": max(record.trained, default=0),
        "rows": rows,
        "ids": [str(id) for id in result.ids],
        "index": [int(i) for i in result.index],
        "why": result.why,
    }


def withdrawn(record: Record, result: Withdrawn) -> Event:
    """Returns the event that calls a draw off.

    Raises:
      UsageError: nothing of it waits that is held out.
    """
    rows = record.draws[result.draw].rows if result.draw < len(record.draws) else ()
    waits = [row for row in rows if row in record.held_out and record.held_out[row] is None]
    if result.rows is not None:
        waits = [row for row in waits if row in result.rows]
    if not waits:
        raise UsageError(f"Nothing of draw {result.draw} waits; call off one that does.")
    return {"event": "withdrawn", "draw": result.draw, "rows": waits}


def answered(record: Record, result: Answered) -> list[Event]:
    """Returns an event for each who and when, of what is not on record yet.

    Raises:
      UsageError: a row or a decision is unknown, or an answer contradicts another.
    """
    told: dict[int, Answer] = {}
    for answer in result.answers:
        row, decision = int(answer.row), int(answer.decision)
        _check_answer(record, row, decision)
        if row in told and told[row].decision != decision:
            raise UsageError(f"{_id(record, row)} has two answers at once; tell one.")
        told[row] = answer._replace(
            row=row, decision=decision, who=str(answer.who), when=float(answer.when)
        )
    news = [answer for answer in told.values() if not _is_known(record, answer)]
    if not result.relabel:
        for answer in news:
            if (old := record.said(answer.row)) is not None:
                raise UsageError(
                    f"{_id(record, answer.row)} was answered {_word(record, old.decision)} before, "
                    f"and now {_word(record, answer.decision)}; relabel=True replaces an answer."
                )
    groups: dict[tuple[str, float], list[Answer]] = {}
    for answer in news:
        groups.setdefault((answer.who, answer.when), []).append(answer)
    return [
        {
            "event": "answered",
            "request": _one_or_none(record.asked[answer.row] for answer in group),
            "answers": [[answer.row, answer.decision] for answer in group],
            "who": who,
            "when": when,
            **({"relabel": True} if result.relabel else {}),
            **({"token": result.token} if result.token else {}),
            **_each("why", [answer.why or None for answer in group]),
            **_each("seconds", [_seconds(answer.seconds) for answer in group]),
            **_each("items", [answer.item or None for answer in group]),
        }
        for (who, when), group in groups.items()
    ]


def undone(record: Record, result: Undone) -> Event:
    """Returns the event that takes answers back.

    Raises:
      UsageError: there are none of that number, or no more.
    """
    if result.event not in record.answered:
        raise UsageError(f"Event {result.event} holds no answers that stand; undo one that does.")
    token = {"token": result.token} if result.token else {}
    return {"event": "undone", "of": int(result.event), **token}


def closed(record: Record, result: Closed) -> Event:
    """Returns the event that closes a request.

    Raises:
      UsageError: it is not open.
    """
    if record.open is None or record.open.number != result.request:
        now = "none is" if record.open is None else f"request {record.open.number} is"
        raise UsageError(f"Request {result.request} is not open ({now}); close an open one.")
    return {"event": "closed", "request": int(result.request)}


def joined_late(record: Record) -> Event:
    """Returns the event by which late answers count.

    Raises:
      UsageError: there are none, or a request is open, at whose close they join.
    """
    if record.open is not None or not record.late:
        raise UsageError("There are no late answers to join; close the open request, or go on.")
    return {"event": "joined_late"}


def class_changed(record: Record, result: ClassAdded | ClassRenamed | ClassMerged) -> Event:
    """Returns the event that changes the classes.

    Raises:
      UsageError: a class is not there, or a name is taken.
    """
    for id in (result.id, result.into) if isinstance(result, ClassMerged) else ():
        _check_class(record, id)
    if isinstance(result, ClassMerged):
        if result.id == result.into:
            name = record.classes[result.id]
            raise UsageError(f"The class {name!r} cannot be merged into itself: name another.")
        return {"event": "class_merged", "id": result.id, "into": result.into}
    if not is_text(result.name):
        raise UsageError(f"A class cannot be named {result.name!r}: a name is a text.")
    own = result.id if isinstance(result, ClassRenamed) else None  # may be spelled in another way
    taken = [name for id, name in record.classes.items() if id != own or name == result.name]
    if not result.name or spelled(result.name, taken) in taken:
        raise UsageError(f"A class cannot be named {result.name!r}: it is empty or taken.")
    if isinstance(result, ClassAdded):
        return {"event": "class_added", "id": record.num_classes, "name": result.name}
    _check_class(record, result.id)
    return {"event": "class_renamed", "id": result.id, "name": result.name}


def _check_answer(record: Record, row: int, decision: int) -> None:
    if row not in record.asked:
        raise UsageError(f"Row {row} was never asked; answer rows of a request.")
    if not 0 <= decision < record.num_classes and decision not in (SKIP, UNSURE, BROKEN):
        raise UsageError(
            f"The answer {decision} for {_id(record, row)} is none of the {record.num_classes} "
            "classes; name one of them, or SKIP, UNSURE, BROKEN."
        )


def _check_class(record: Record, id: int) -> None:
    if id not in record.classes:
        raise UsageError(f"There is no class {id}; there are {sorted(record.classes)}.")


def _is_known(record: Record, answer: Answer) -> bool:
    old = record.said(answer.row)
    return old is not None and record.label_of(old.decision) == record.label_of(answer.decision)


def _id(record: Record, row: int) -> str:
    origin = record.origin(row)
    return repr(origin.ids[origin.rows.index(row)])


def _word(record: Record, decision: int) -> str:
    names = {SKIP: "SKIP", UNSURE: "UNSURE", BROKEN: "BROKEN"}
    return names.get(decision) or repr(record.classes[record.label_of(decision)])


def _one_or_none(numbers: Iterable[int]) -> int | None:
    distinct = set(numbers)
    return max(distinct) if len(distinct) == 1 and min(distinct) >= 0 else None


def _each(name: str, values: list[Any]) -> dict[str, list[Any]]:
    """Returns a field with one value an answer, or no field where nobody tells any."""
    return {name: values} if any(value is not None for value in values) else {}


def _seconds(value: float | None) -> float | None:
    return None if value is None else _finite(value)


def _finite(value: Any) -> float | None:
    """Returns a float that JSON can hold: it has no infinity."""
    number = float(value)
    return number if math.isfinite(number) else None
