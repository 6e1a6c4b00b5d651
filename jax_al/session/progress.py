"""What a part wants done next, and the writing down of what was done. Nothing is computed here.

    while (work := progress.plan()) is not None:
        progress.commit(...)  # what came of it

An episode: Train, Select, Ask, Wait until each row is decided or somebody closes the request. The
last one trains and asks nothing. All that is needed to go on is in the journal.
"""

from typing import NamedTuple

from jax_al.errors import UsageError
from jax_al.session import checks
from jax_al.session.events import Event
from jax_al.session.fold import Record, Trained, fold
from jax_al.session.journal import Journal
from jax_al.session.readers import Pick, Row, picks_of, rows_of
from jax_al.session.work import (
    Answered,
    Ask,
    Asked,
    ClassAdded,
    ClassMerged,
    ClassRenamed,
    Closed,
    Course,
    Drawn,
    JoinedLate,
    Result,
    Select,
    Selected,
    Train,
    Undone,
    Wait,
    Withdrawn,
    Work,
)


def next_work(record: Record, course: Course) -> Work | None:
    """Returns what comes after `record`, or None if the part is finished."""
    if record.open is not None:
        return Wait(record.open.number, record.undecided())
    if not record.requests and course.initial_size:
        return Select(0, 0, course.initial_size)
    episode = record.num_queries + 1
    trained = record.trained.get(episode)
    if trained is None or trained.as_of < record.outdated:
        return Train(episode, record.num_events - 1)
    if is_last(record, course, episode):
        return None
    left = course.num_points - record.num_taken
    return Select(len(record.requests), episode, min(course.budget, left))


def is_last(record: Record, course: Course, episode: int) -> bool:
    """Whether `episode` asks nothing: no more are wanted, or nothing is left to ask."""
    is_wanted = course.max_episodes is None or episode < course.max_episodes
    return not is_wanted or record.num_taken >= course.num_points


class _Planned(NamedTuple):
    work: Select
    record: Record  # that it was planned on


class Progress:
    """One part on its course.

    One process at a time plans (see `locks.computing`); any may commit answers.

    Args:
      journal: holds at least its first event.
      course: may be longer than it was, never shorter than what is on record.

    Raises:
      UsageError: more episodes are on record than wanted, or the journal cannot be read.
    """

    def __init__(self, journal: Journal, course: Course):
        self._journal = journal
        self._course = course
        self._record = journal.fold()
        self._handed_over: int | None = None  # the last request that the oracle has
        self._planned: _Planned | None = None  # the last `Select`
        self._unreadable: set[int] = set()  # episodes whose networks are trained again
        self._check_length()

    @property
    def record(self) -> Record:
        """What is on record, as last read by `refold`, `plan` or `commit`."""
        return self._record

    def refold(self) -> Record:
        """Returns what is on record by now, whoever wrote it."""
        self._record = self._journal.fold()
        return self._record

    def plan(self) -> Work | None:
        """Returns what to do next, or None if nothing is left; the same until it is committed.

        Raises:
          OSError, UsageError: the journal cannot be read or written.
        """
        record = self.refold()
        if record.open is not None and not record.undecided():  # killed before it was closed
            with self._journal.writing():
                self._close_if_decided()
            record = self._record
        if self._unreadable:
            episode = min(self._unreadable)
            return Train(episode, record.trained[episode].as_of)
        work = next_work(record, self._course)
        if isinstance(work, Wait) and self._handed_over != work.request:
            return Ask(work.request, work.rows)
        if isinstance(work, Select):
            self._planned = _Planned(work, record)
        return work

    def retrain(self, episode: int) -> None:
        """Says that the checkpoint of `episode`, which is trained, cannot be read.

        It is planned again, as of the same event, unless nobody needs it: needed are the last
        network, and for a warm start the one before any that is to be trained again.

        Raises:
          UsageError: the episode is not trained.
        """
        trained = self.refold().trained
        if episode not in trained:
            raise UsageError(f"Episode {episode} is not trained; plan() says what is.")
        if episode == max(trained) or episode + 1 in self._unreadable:
            self._unreadable.add(episode)

    def refresh(self) -> Train | None:
        """Returns the training of the last network on the labels of now, None if it has them.

        While a request is open, or before anything is trained, `plan` says what is to be done.
        """
        record = self.refold()
        if record.open is not None or not record.trained:
            return None
        last = record.trained[max(record.trained)]
        known = fold(self._journal.events()[: last.as_of + 1])
        if (known.order, known.labels) == (record.order, record.labels):
            return None
        return Train(last.episode, record.num_events - 1)

    def commit(self, result: Result) -> None:
        """Writes down `result`; it is durable when this returns.

        Answers that are on record already are passed over. A request closes when each of its rows
        is decided.

        Raises:
          UsageError: `result` does not fit what is on record; nothing was written.
          OSError: the disk is full or fails; nothing of the event stays.
        """
        with self._journal.writing():
            record = self.refold()
            for event in self._events(record, result):
                self._journal.append(event)
            self._close_if_decided()
        if isinstance(result, Selected):
            self._planned = None
        elif isinstance(result, Trained):
            self._unreadable.discard(result.episode)
        elif isinstance(result, Asked):
            self._handed_over = result.request

    def rows(self) -> list[Row]:
        """Returns the rows of metrics.jsonl, of finished episodes."""
        record = self.refold()
        finished = is_last(record, self._course, max(record.trained, default=0))
        return rows_of(self._journal.events()[: record.num_events], finished=finished)

    def picks(self) -> list[Pick]:
        """Returns the lines of picks.csv."""
        return picks_of(self._journal.events())

    def _events(self, record: Record, result: Result) -> list[Event]:
        match result:
            case Selected():
                work, before = self._planned or (next_work(record, self._course), record)
                if not isinstance(work, Select):
                    raise UsageError("No request is in turn; plan() says what is.")
                num_points, taken = self._course.num_points, before.decisions | before.held_out
                return [checks.selected(record, num_points, result, work, taken)]
            case Trained():
                known = fold(self._journal.events()[: result.as_of + 1])
                work = next_work(known, self._course)
                wanted = work if isinstance(work, Train) else None
                is_fresher = self._is_fresher(record, known, result)
                return [checks.trained(record, wanted, result, is_fresher=is_fresher)]
            case Drawn():
                return [checks.drawn(record, result)]
            case Withdrawn():
                return [checks.withdrawn(record, result)]
            case Answered():
                return checks.answered(record, result)
            case Undone():
                return [checks.undone(record, result)]
            case Closed():
                return [checks.closed(record, result)]
            case JoinedLate():
                return [checks.joined_late(record)]
            case ClassAdded() | ClassRenamed() | ClassMerged():
                return [checks.class_changed(record, result)]
            case Asked():
                return []

    def _is_fresher(self, record: Record, known: Record, result: Trained) -> bool:
        """Whether `result`, trained on `known`, is the last network on labels new to it."""
        before = record.trained.get(result.episode)
        if before is None or result.episode != max(record.trained) or known.open is not None:
            return False
        if not before.as_of < result.as_of < record.num_events:
            return False
        had = fold(self._journal.events()[: before.as_of + 1])
        return (had.order, had.labels) != (known.order, known.labels)

    def _close_if_decided(self) -> None:
        record = self.refold()
        if record.open is not None and not record.undecided():
            self._journal.append(checks.closed(record, Closed(record.open.number)))
            self.refold()

    def _check_length(self) -> None:
        record, wanted = self._record, self._course.max_episodes
        # A purchase at the end of an episode is there to be trained on in the next.
        asked = [request.episode + 1 for request in record.requests if request.episode]
        reached = max([*record.trained, *asked], default=0)
        if wanted is not None and reached > wanted:
            place = self._journal.path.parent if self._journal.path else "The journal"
            raise UsageError(
                f"{place} holds {reached} episodes of a seed, more than max_episodes={wanted}; "
                "it can only grow."
            )
