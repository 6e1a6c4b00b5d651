"""What is put on record before anybody labels: what is missing, known, alike and held out.

It is done whenever a project is opened, as the folder may have changed; where nothing has, nothing
is written. Others who open it at the same time wait, so that each thing is put on record once.
"""

from collections.abc import Sequence
from pathlib import Path

from jax_al.errors import UsageError, some_of, spelled
from jax_al.people.known import Known, known_labels
from jax_al.people.ledger_pool import LedgerPool
from jax_al.people.lists import write_near_duplicates
from jax_al.people.notices import Say
from jax_al.people.reconcile import CHANGED, GONE
from jax_al.people.settings import Settings, checked_classes
from jax_al.pools.folder import FolderPool
from jax_al.pools.labeled_folder import labels_from_csv, labels_from_folders
from jax_al.session.fold import Record
from jax_al.session.teller import Teller
from jax_al.types import BROKEN

AUDIT_SHARE = 5  # at most one row in so many is held out from the start
MANY = 20_000  # pictures from which on looking for near duplicates takes more than seconds
BY_DATA = "jax_al"  # who says that a file has gone


def prepare(teller: Teller, pool: LedgerPool, settings: Settings, place: Path, say: Say) -> None:
    """Puts on record what is to be said of a pool before anybody labels.

    Args:
      teller: of the project.
      pool: of it.
      settings: of it.
      place: its workdir.
      say: is told what a person should know, in sentences.

    Raises:
      UsageError: the labels that were known cannot be read.
    """
    near = _near(pool, place, say)  # may take minutes, in which others tell
    known = _known(teller.record(), pool, settings, say)
    with teller.alone():
        _put_missing_aside(teller, pool)
        if known is not None:
            _take_known(teller, pool, known, str(settings.known), say)
        if settings.merge_near:
            _put_next_forward(teller, pool, near)
            _hold_out_twins(teller, pool, near)
        _draw_audit(teller, pool, settings, say)


def put_aside(record: Record) -> frozenset[int]:
    """Returns the rows that are on record as missing."""
    said = ((row, record.said(row)) for row in record.asked)
    return frozenset(row for row, one in said if one and one.why in (GONE, CHANGED))


def _put_missing_aside(teller: Teller, pool: LedgerPool) -> None:
    """Excludes what is missing, and takes back what was said so of what is there again."""
    record = teller.record()
    aside = put_aside(record)
    # What somebody has called broken is excluded already, and stays so when it is back.
    broken = {row for row in pool.missing if (one := record.said(row)) and one.decision == BROKEN}
    missing = pool.missing.keys() - (broken - aside)
    if aside == missing:
        return
    for number in sorted(set(record.answered) - set(record.told), reverse=True):
        if teller.why_of(number) in (GONE, CHANGED):
            teller.take_back(number)
    for why in (GONE, CHANGED):
        rows = sorted(row for row in missing if pool.missing[row] == why)
        ids = [pool.ids[row] for row in rows]
        if rows:
            teller.draw(rows, ids, why)
            teller.tell(dict.fromkeys(ids, BROKEN), relabel=True, who=BY_DATA, why=why)


def _known(record: Record, pool: LedgerPool, settings: Settings, say: Say) -> Known | None:
    """Returns the labels that were there before anybody labeled; None: there are none."""
    if settings.known is None:
        return None
    is_first = not any(draw.why == "given" for draw in record.draws)
    if settings.known == "folders":
        assert isinstance(pool.source, FolderPool)  # which was seen when it was begun
        known = known_labels(pool, labels_from_folders(pool.source))
    else:
        try:
            known = known_labels(pool, labels_from_csv(settings.known))
        except UsageError as error:
            if is_first:
                raise
            say(f"{error} What was known before is on record.")
            return None
    if is_first and known.torn:
        say(f"Of two classes at once, so none is taken: {some_of(known.torn)}.")
    if is_first and known.unknown:
        say(f"Labeled in {settings.known}, but no example: {some_of(known.unknown)}.")
    return known


def _take_known(teller: Teller, pool: LedgerPool, known: Known, who: str, say: Say) -> None:
    """Tells the labels that were there before anybody labeled, by what classes are called now."""
    record = teller.record()
    taken = _taken(record)
    rows = [row for row, name in enumerate(pool.ids) if name in known.labels and row not in taken]
    now = record.renamed()
    classes: dict[str, str] = {}  # as they are called there -> as they are called now
    for name in sorted({known.labels[pool.ids[row]] for row in rows}):
        if (called := spelled(name, now)) in now:
            classes[name] = now[called]
            continue
        try:
            checked_classes([name])
        except UsageError as error:
            say(f"{error} Its labels are not taken.")
            continue
        teller.add_class(name)
        classes[name] = now[name] = name
    rows = [row for row in rows if known.labels[pool.ids[row]] in classes]
    if rows:
        ids = [pool.ids[row] for row in rows]
        teller.draw(rows, ids, "given")
        answers = {name: classes[known.labels[name]] for name in ids}
        teller.tell(answers, who=who, why="given")
        teller.join_late()


def _near(pool: LedgerPool, place: Path, say: Say) -> Sequence[tuple[int, ...]]:
    """Returns groups of near duplicates, which are listed in a file."""
    if not pool.spec.is_image:
        return ()
    from jax_al.people.twins import groups_of, kept_near_duplicates

    def tell() -> None:
        if len(pool) > MANY:
            say(f"Looking for near duplicates among {len(pool):,} pictures.")

    found = groups_of(kept_near_duplicates(place / "near_duplicates.npz", pool, tell=tell))
    write_near_duplicates(place, pool.ids, found)
    return found


def _put_next_forward(teller: Teller, pool: LedgerPool, near: Sequence[tuple[int, ...]]) -> None:
    """Lets the next of a group be asked where none of it that was asked or may be is there.

    What is missing may be gray by now, and so like none of those that it stood for: while something
    is, a twin that is like nothing any more is taken for one of those.
    """
    record = teller.record()
    twins = set(record.drawn_as("twin"))
    waits = {row for row in twins - pool.missing.keys() if record.held_out[row] is None}
    alone = waits.difference(*near) if pool.missing else set()
    forward = []
    for group in [*near, *((row,) for row in sorted(alone))]:
        if all(row in twins or row in pool.missing for row in group):
            forward += [row for row in group if row in waits][:1]
    if forward:
        teller.call_off("twin", forward)


def _hold_out_twins(teller: Teller, pool: LedgerPool, near: Sequence[tuple[int, ...]]) -> None:
    """Holds out all but one of pictures that are nearly the same: that which was asked, if any."""
    record = teller.record()
    taken = _taken(record)
    # What was held out as a twin before stands for no group: another one of it is to be asked.
    aside = {*pool.missing, *record.drawn_as("twin")}
    rows = []
    for group in near:
        there = [row for row in group if row not in aside]
        free = [row for row in there if row not in taken]
        rows += free if len(free) < len(there) else free[1:]
    if rows:
        teller.draw(rows, [pool.ids[row] for row in rows], "twin")


def _draw_audit(teller: Teller, pool: LedgerPool, settings: Settings, say: Say) -> None:
    """Holds the audit out, once, and says how much it will tell."""
    record = teller.record()
    count = min(settings.audit, len(pool) // AUDIT_SHARE)
    if not settings.audit or any(draw.why == "audit" for draw in record.draws):
        return
    count = len(teller.draw_among(pool.ids, count, "audit", seed=settings.seed))
    if count or not record.asked:  # as of a pool that is too small it would be said again and again
        say(audit_sentence(count, settings.audit, len(pool)))


def audit_sentence(count: int, wanted: int, num_points: int) -> str:
    """Returns what is said of an audit of `count` examples where so many were wanted."""
    from jax_al.people.intervals import WORST, half_width_of  # SciPy, which tell need not wait for

    fewer = f"no more than a fifth of {num_points:,} are held out"
    if count < num_points // AUDIT_SHARE:
        fewer = "all others have a label or cannot have one"
    why = f" in place of {wanted:,}, as {fewer}" if count < wanted else ""
    if not count:
        return f"No example is held out for an audit{why}: no accuracy will be told."
    worst, mostly = (100 * half_width_of(count, share) for share in (WORST, 0.9))
    return (
        f"{count:,} examples are held out for an audit{why}: it will tell the accuracy to within "
        f"{worst:.1f} points at worst, {mostly:.1f} where 90% are right."
    )


def _taken(record: Record) -> set[int]:
    """Returns the rows that are asked, decided or held out."""
    return {*record.decisions, *record.held_out, *record.undecided()}
