"""Whose turn it is: in what order the rows that wait for an answer are looked at."""

from jax_al.people.audit import OTHERS, audit_is_next
from jax_al.session.fold import OF_DATA, Decision, Record

AUDITS = ("audit", "check")


def in_turn(record: Record) -> list[int]:
    """Returns the rows that wait for an answer, in the order in which people look at them.

    One in five is held out for an audit until that is done; the others are those of the open
    request, in pick order. Where there is none, what is left of the audit comes first. Rows drawn
    at random come last.
    """
    asked = list(record.undecided())
    audit = [row for draw in record.draws if draw.why in AUDITS for row in draw.rows]
    waits = [row for row in audit if record.held_out.get(row) is None]
    done, turn = len(audit) - len(waits), list[int]()
    others = sum(row not in record.held_out for row in said_by_people(record))
    while asked:
        if waits and audit_is_next(done, others, len(audit)):
            turn.append(waits.pop(0))
            done += 1
        else:
            turn.append(asked.pop(0))
            others += 1
    taken = {*turn, *record.decisions, *record.held_out}
    return [
        *turn,
        *waits,
        *(row for row in dict.fromkeys(record.drawn_as("random")) if row not in taken),
    ]


def is_anything_left(record: Record) -> bool:
    """Returns whether there is anything to ask people for, now or after the next training."""
    return bool(in_turn(record)) or record.num_taken < record.data["size"]


def in_batch(record: Record) -> list[int]:
    """Returns the rows of one batch to be filled in: those of the open request, and of the audit.

    One row in five is of the audit, and one at least, until it is done.
    """
    turn, asked = in_turn(record), set(record.undecided())
    end = max((place for place, row in enumerate(turn, 1) if row in asked), default=0)
    batch = turn[:end]
    rest = [row for row in turn[end:] if row in record.held_out]
    has = sum(row in record.held_out for row in batch)
    return batch + rest[: max(0, max(1, len(asked) // OTHERS) - has)]


def said_by_people(record: Record) -> dict[int, Decision]:
    """Returns what people said and stands, by row, held out or not."""
    held_out = {row: one for row, one in record.held_out.items() if one is not None}
    every = record.decisions | held_out
    return {row: one for row, one in every.items() if one.why not in OF_DATA}
