"""Whoever tells a record what people say: it computes nothing and needs no pool."""

import contextlib
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from jax_al.errors import UsageError, did_you_mean, spelled
from jax_al.session.fold import WHY, Draw, Record, Request
from jax_al.session.journal import Journal
from jax_al.session.progress import Progress
from jax_al.session.work import (
    Answered,
    ClassAdded,
    ClassMerged,
    ClassRenamed,
    Course,
    Drawn,
    JoinedLate,
    Result,
    Undone,
    Withdrawn,
)
from jax_al.types import BROKEN, SKIP, UNSURE, Answer

DECISIONS = (SKIP, UNSURE, BROKEN)


class Teller:
    """Takes what people say by ids and names of classes, and writes it down.

    Several processes and threads may each have one of the same directory.

    Args:
      journal: of a part that has begun; or the directory that it lies in.

    Raises:
      UsageError: nothing has begun there.
    """

    def __init__(self, journal: Journal | Path) -> None:
        self._journal = journal if isinstance(journal, Journal) else Journal(journal)
        begun = self._journal.fold()
        if not begun.num_events:
            raise UsageError(
                f"Nothing has begun in {journal}: there is no journal.jsonl. Call jax-al label, or "
                "what else made the directory, again."
            )
        size = begun.data["size"]
        self._progress = Progress(self._journal, Course(size, 0, 1, None))
        self._rows: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._seen = (0, 0)  # requests and draws whose rows these are

    def alone(self) -> contextlib.AbstractContextManager[None]:
        """Keeps all others from telling while something is said that hangs on the record of now."""
        return self._journal.writing()

    def record(self) -> Record:
        """Returns what is on record by now, whoever wrote it."""
        return self._progress.refold()

    def rows(self) -> Mapping[str, int]:
        """Returns the rows that were asked or drawn, by their ids."""
        return self._known(self.record())

    def tell(
        self,
        answers: Mapping[str, str | int],
        *,
        relabel: bool = False,
        who: str = "",
        why: str = "",
        seconds: Mapping[str, float] | None = None,
        items: Mapping[str, str] | None = None,
        token: str = "",
    ) -> None:
        """Takes answers; they are durable when this returns.

        Args:
          answers: by id: the name of a class, or SKIP, UNSURE or BROKEN.
          relabel: whether an answer may replace another one.
          who: says so.
          why: it was asked, one of `fold.WHY`; empty: as the record says.
          seconds: that each took, by id.
          items: hashes of what was looked at, by id.
          token: by which it is known when it comes twice; then nothing is done.

        Raises:
          UsageError: an id was not asked, a class does not exist, or an answer is there already
            and another one; then none is taken.
        """
        if not isinstance(answers, Mapping):
            raise UsageError(
                f"answers must be a dictionary by id, and not a {type(answers).__name__}."
            )
        if not isinstance(who, str):
            raise UsageError(f"who is {who!r}, but must be a text.")
        if why and why not in WHY:
            raise UsageError(f"why is {why!r}, but must be one of {', '.join(WHY)}, or empty.")
        with self._journal.writing():
            if self.has(token):
                return
            record, now = self.record(), time.time()  # one for all: told together, one event
            rows = self._known(record)
            ids = {name: number for number, name in record.classes.items()}
            told = []
            for name, said in answers.items():
                if name not in rows:
                    raise UsageError(f"{name!r} was never asked: answer what a request asks.")
                took = seconds.get(name) if seconds else None
                item = items.get(name, "") if items else ""
                decision = _decision(name, said, ids)
                told.append(Answer(rows[name], decision, who, now, why, took, item))
            self._progress.commit(Answered(told, relabel, token))

    def undo(
        self, *, token: str = "", by: str | None = None, of: str | None = None
    ) -> tuple[str, ...]:
        """Takes the last answers of people back, as many as were told together.

        Args:
          token: by which it is known when it comes twice; then nothing is done.
          by: only of those whose token begins so; where there are none, the last of all, if it
            was told with a token: what came without one is another's to take back.
          of: only those of this token, and nothing where none of them stands: they were passed
            over, as the same was said before, or taken back already.

        Returns:
          The ids that have no answer any more, or an older one.

        Raises:
          UsageError: there are none; or, with `by`, the last have no token.
        """
        with self._journal.writing():
            if self.has(token):
                return ()
            record, events = self.record(), self._journal.events()
            told = record.told
            if of is not None:
                told = tuple(n for n in told if events[n].get("token") == of)
                if not told:
                    return ()
            own = [n for n in told if by and events[n].get("token", "").startswith(by)]
            if not told:
                raise UsageError("There is no answer to take back.")
            last = (own or told)[-1]
            if by is not None and not events[last].get("token"):
                count = len(events[last]["answers"])
                came = "1 answer" if count == 1 else f"{count:,} answers"
                raise UsageError(
                    f"Nothing is taken back, as {came} came last by jax-al tell or from a program: "
                    "jax-al tell --relabel replaces what was told so."
                )
            self._progress.commit(Undone(last, token))
            self._known(record)
            return tuple(self._names[row] for row, _ in events[last]["answers"])

    def why_of(self, number: int) -> str:
        """Returns why the answers of the `answered` event of that number were told, if it says."""
        return (self._journal.events()[number].get("why") or [""])[0] or ""

    def take_back(self, number: int) -> None:
        """Takes the `answered` event of that number back, whatever it is of."""
        self._progress.commit(Undone(number))

    def draw(
        self, rows: Sequence[int], ids: Sequence[str], why: str, index: Sequence[int] | None = None
    ) -> None:
        """Says that rows may be answered outside of any request and of the budget.

        Args:
          rows: of the pool.
          ids: theirs.
          why: "audit" and "check" hold them out: no strategy asks them, nothing is trained on
            them; "random" and "given" join as late answers do; "gone", "changed".
          index: of the rows in the whole data set; None: the rows.

        Raises:
          UsageError: a row is not in the pool, or spoken for already.
        """
        self._commit(Drawn(rows, ids, rows if index is None else index, why))

    def draw_among(
        self,
        ids: Sequence[str],
        count: int,
        why: str,
        *,
        seed: int = 0,
        index: np.ndarray | None = None,
    ) -> tuple[str, ...]:
        """Draws rows uniformly among those that are neither asked now nor decided.

        Args:
          ids: of the whole pool.
          count: how many; fewer if fewer are left.
          why: see `draw`; for the same reason a row is not drawn again while it waits.
          seed: of the chance; another draw of the same seed is another one.
          index: of the pool, see `draw`.

        Returns:
          The ids of the rows that were drawn.

        Raises:
          UsageError: there is no such reason.
        """
        with self._journal.writing():
            record = self.record()
            taken = [*record.decisions, *record.held_out, *record.undecided()]
            taken += [row for row, drawn in record.drawn.items() if drawn == why]
            free = np.setdiff1d(np.arange(len(ids)), np.array(taken, int))
            rng = np.random.default_rng((seed, len(record.draws)))
            rows = rng.permutation(free)[:count]
            names = tuple(ids[row] for row in rows.tolist())
            if not names:
                return ()
            self.draw(rows.tolist(), names, why, None if index is None else index[rows].tolist())
        return names

    def call_off(self, why: str, rows: Collection[int] | None = None) -> int:
        """Makes what waits of draws that are held out for a reason ordinary again.

        What is answered of them stays held out.

        Args:
          why: the reason.
          rows: only what is of these; None: all.

        Returns:
          How many rows that was.
        """
        with self._journal.writing():
            record = self.record()
            waits = {row for row, said in record.held_out.items() if said is None}
            if rows is not None:
                waits &= set(rows)
            called_off = 0
            for draw in record.draws:
                if draw.why == why and (left := waits.intersection(draw.rows)):
                    self._commit(Withdrawn(draw.number, left))
                    called_off += len(left)
        return called_off

    def join_late(self) -> None:
        """Lets answers count that came outside of a request, where none is open."""
        with self.alone():
            record = self.record()
            if record.late and record.open is None:
                self._commit(JoinedLate())

    def add_class(self, name: str) -> None:
        """Adds a class; the open request is closed.

        Raises:
          UsageError: it has no name, or another class has it.
        """
        self._commit(ClassAdded(name))

    def rename_class(self, old: str, new: str) -> None:
        """Gives a class another name; the open request is closed.

        Raises:
          UsageError: there is no such class, or the name is taken.
        """
        self._commit(ClassRenamed(self._class(old), new))

    def merge_class(self, gone: str, into: str) -> None:
        """Makes all that is labeled as one class count as another; the open request is closed.

        Raises:
          UsageError: there are no such classes.
        """
        self._commit(ClassMerged(self._class(gone), self._class(into)))

    def labels(self) -> dict[str, str]:
        """Returns all classes that were told and stand, by id; of what is held out, too."""
        record = self.record()
        self._known(record)
        said = record.decisions | {row: one for row, one in record.held_out.items() if one}
        return {
            self._names[row]: record.classes[record.label_of(one.decision)]
            for row, one in said.items()
            if one.decision >= 0
        }

    def _commit(self, result: Result) -> None:
        self._progress.commit(result)

    def _class(self, name: str) -> int:
        classes = self.record().classes
        wanted = spelled(name, classes.values()) if isinstance(name, str) else name
        for number, known in classes.items():
            if known == wanted:
                return number
        raise UsageError(f"There is no class {name!r}: {did_you_mean(str(name), classes.values())}")

    def has(self, token: str) -> bool:
        """Whether something of that token was told or taken back."""
        events = self._journal.events() if token else []
        return any(event.get("token") == token for event in events)

    def _known(self, record: Record) -> dict[str, int]:
        requests, draws = self._seen
        new: list[Request | Draw] = [*record.requests[requests:], *record.draws[draws:]]
        for one in new:
            self._rows |= dict(zip(one.ids, one.rows, strict=True))
            self._names |= dict(zip(one.rows, one.ids, strict=True))
        self._seen = len(record.requests), len(record.draws)
        return self._rows


def _decision(name: str, said: str | int, ids: Mapping[str, int]) -> int:
    if isinstance(said, str):
        if (called := spelled(said, ids)) not in ids:
            raise UsageError(f"There is no class {said!r}: {did_you_mean(said, ids)}")
        return ids[called]
    if isinstance(said, int | np.integer) and said in DECISIONS:
        return int(said)
    raise UsageError(
        f"The answer for {name!r} is {said!r}, but must be the name of a class, or SKIP, "
        "UNSURE or BROKEN."
    )
