"""The desk at which people label: hands out what to look at, and takes what they say.

Nothing here is remembered but who has what in front of them: all else is on record.
"""

import collections
import functools
import itertools
import threading
import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jax_al.errors import UsageError, did_you_mean, spelled
from jax_al.people.models import MODELS, Model, read_models
from jax_al.people.previews import Previews
from jax_al.people.project import Project
from jax_al.people.settings import checked_classes
from jax_al.people.standing import Standing, standing
from jax_al.people.trainer import Trainer
from jax_al.people.turns import in_turn, said_by_people
from jax_al.pools.cache_root import cache_root
from jax_al.pools.folder import FolderPool
from jax_al.session.fold import Decision, Record
from jax_al.types import BROKEN, SKIP, UNSURE

if TYPE_CHECKING:
    from jax_al.drivers.session import Session

WORDS = {"skip": SKIP, "unsure": UNSURE, "broken": BROKEN}
HELD = 120.0  # seconds that an item is one client's, unless nothing else is left
RANDOM = 10  # rows drawn at a time while nothing else is there to label
RECENT = 300.0  # seconds over which labels a minute are counted


class Item(NamedTuple):
    """Something to label, or that was labeled."""

    row: int
    id: str  # what it is called now
    why: str  # it is asked, one of `fold.WHY`
    answer: str | None  # a class, "skip", "unsure", "broken"; None: none yet
    suggestion: str | None  # what the learner believes; never of what is held out


class ConflictError(UsageError):
    """Somebody has said another thing of the same item."""


class Desk:
    """Serves several clients at once; whatever `answer` has taken is on disk.

    Args:
      project: that is labeled.
      session: of the project.
    """

    def __init__(self, project: Project, session: "Session") -> None:
        self._project, self._teller, self._pool = project, project.teller, project.pool
        self._features = session.pool
        self._guard = threading.RLock()
        self._held: dict[int, tuple[str, float]] = {}  # row -> client, until when
        self._previews = Previews(cache_root(project.settings.cache_dir) / "previews")
        self._models: tuple[int, list[Model]] = (0, [])  # size of their file, what stands there
        self._trainer = Trainer(project, session)
        self._trainer.start()

    def classes(self) -> list[dict[str, Any]]:
        """Returns id, name and count of labels of each class."""
        record = self._teller.record()
        told = collections.Counter(
            record.label_of(one.decision) for one in _said(record).values() if one.decision >= 0
        )
        return [
            {"id": number, "name": name, "count": told[number]}
            for number, name in record.classes.items()
        ]

    def next(self, client: str, count: int, holding: Collection[int]) -> list[Item]:
        """Returns what `client` looks at next, after what it is holding.

        One in five is of the audit until that is done, the others are of the open request in pick
        order. While there is none, what is left of the audit comes, and then random rows.

        Args:
          client: who asks.
          count: how many at most.
          holding: rows that it has already.
        """
        with self._guard:
            record, now = self._teller.record(), time.monotonic()
            self._held = {row: held for row, held in self._held.items() if held[1] > now}
            own = self._free(record, client, holding)
            if not own:
                self._teller.draw_among(
                    self._pool.ids, RANDOM, "random", seed=self._project.settings.seed
                )
                record = self._teller.record()
                own = self._free(record, client, holding)
            left = [row for row in self._turn(record) if row not in holding]
            chosen = (own or left)[:count]
            still = [row for row in holding if self._held.get(row, ("",))[0] == client]
            self._held |= dict.fromkeys([*still, *chosen], (client, now + HELD))
            return [self._item(record, row) for row in chosen]

    def answer(
        self,
        row: int,
        said: str,
        client: str,
        token: str,
        seconds: float | None,
        relabel: bool = False,
    ) -> None:
        """Takes an answer; it is on disk when this returns.

        Args:
          row: of what.
          said: a class, "skip", "unsure" or "broken".
          client: who sends it.
          token: by which it is known when it is sent twice.
          seconds: that it took.
          relabel: whether another answer is replaced.

        Raises:
          ConflictError: there is another answer.
          UsageError: there is no such row or class, or no token.
          OSError: the disk is full or fails.
        """
        with self._guard:
            record, name, token = self._teller.record(), self._name(row), _of(client, token)
            if self._teller.has(token):  # the class may have another name by now
                return
            told = self._decision(record, said)
            if row not in record.asked:
                self._teller.draw([row], [name], "alike")
                record = self._teller.record()
            before = record.said(row)
            differs = before is not None and record.label_of(before.decision) != told
            if differs and not relabel:
                raise ConflictError(f"{name} is {self._word(record, row)!r} already.")
            self._teller.tell(
                {name: WORDS.get(said, said)},
                relabel=relabel,
                who=self._project.settings.who,
                why="review" if differs else "",
                seconds=None if seconds is None else {name: seconds},
                items={name: self._pool.sha256[row]},
                token=token,
            )
            self._held.pop(row, None)
        self._trainer.wake()

    def undo(self, client: str, token: str, of: str = "") -> Item | None:
        """Takes an answer back; returns what it was of, None if there is none to take back.

        Args:
          client: who sends it.
          token: by which it is known when it is sent twice.
          of: the token of the answer; empty: the last of `client`, or else the last of all.

        Raises:
          UsageError: the last of all did not come from a page.
        """
        with self._guard:
            if not self._teller.record().told:
                return None
            names = self._teller.undo(
                token=_of(client, token),
                by=f"{client}:",
                of=_of(client, of) if of else None,
            )
            record, rows = self._teller.record(), self._teller.rows()
            return self._item(record, rows[names[0]]) if names else None

    def add_class(self, name: str) -> None:
        """Adds a class."""
        checked_classes([name])
        self._teller.add_class(name)
        self._trainer.wake()

    def rename_class(self, old: str, new: str) -> None:
        """Gives a class another name."""
        checked_classes([new])
        self._teller.rename_class(old, new)
        self._trainer.wake()

    def merge_class(self, gone: str, into: str) -> None:
        """Makes all that is labeled as one class count as another."""
        self._teller.merge_class(gone, into)
        self._trainer.wake()

    def past(self, client: str, count: int) -> list[Item]:
        """Returns what people have answered last, the last first."""
        del client
        record = self._teller.record()
        said = said_by_people(record).items()
        latest = sorted(((one.when, row) for row, one in said), reverse=True)[:count]
        return [self._item(record, row) for _, row in latest]

    def alike(self, client: str, row: int, count: int = 12) -> list[Item]:
        """Returns the nearest rows by features that nobody was asked for, the nearest first.

        They are held for `client`, and what others have in front of them is not among them.
        """
        self._name(row)
        x = self._embedding
        nearest = np.argsort(-(x @ x[row]), kind="stable").tolist()  # while others may answer
        with self._guard:
            record, now = self._teller.record(), time.monotonic()
            others = {
                held for held, (who, until) in self._held.items() if who != client and until > now
            }
            taken = {row, *others, *record.decisions, *record.held_out}
            free = list(itertools.islice((one for one in nearest if one not in taken), count))
            self._held |= dict.fromkeys(free, (client, now + HELD))
            return [self._item(record, one) for one in free]

    def status(self) -> dict[str, Any]:
        """Returns how it goes; see the page for what becomes of it."""
        record = self._teller.record()
        said = list(said_by_people(record).values())
        recent = [one for one in said if one.when > time.time() - RECENT]
        minutes = RECENT / 60
        if recent:
            minutes = max(0.5, (time.time() - min(one.when for one in recent)) / 60)
        now = self._standing(record)
        return {
            "project": self._project.place.name,
            "labels": sum(one.decision >= 0 for one in _said(record).values()),
            "left": len(record.undecided()) if record.open else None,
            "per_minute": len(recent) / minutes if recent else None,
            "training": self._trainer.phase,
            "accuracy": None
            if not now.accuracy.answered
            else {**now.accuracy._asdict(), "right": now.accuracy.share, "kind": now.kind},
            "advice": now.advice,
            "errors": [self._trainer.fault] if self._trainer.fault else [],
        }

    def picture(self, row: int, width: int) -> tuple[bytes, str]:
        """Returns what is to be seen of a row, and its media type.

        Raises:
          UsageError: there is no such row, or it cannot be shown.
        """
        self._name(row)
        shown: Any = None
        if not self._pool.spec.is_image:
            shown = self._pool.show(row)
            if not isinstance(shown, np.ndarray):
                return str(shown or self._pool.ids[row]).encode(), "text/plain"
        read = functools.partial(self._content, row)
        return self._previews.picture(self._pool.sha256[row], read, width)

    def close(self) -> None:
        """Ends the training; what was told is on disk already."""
        self._trainer.stop()

    def _free(self, record: Record, client: str, holding: Collection[int]) -> list[int]:
        """Returns what waits and nobody else has in front of them."""
        turn = (row for row in self._turn(record) if row not in holding)
        return [row for row in turn if self._held.get(row, (client,))[0] == client]

    def _turn(self, record: Record) -> list[int]:
        """Returns what waits, but for rows that came since the folder was read here."""
        return [row for row in in_turn(record) if row < len(self._pool)]

    def _name(self, row: int) -> str:
        if not 0 <= row < len(self._pool):
            raise UsageError(f"There is no example {row}: there are {len(self._pool):,}.")
        return self._pool.ids[row]

    def _content(self, row: int) -> bytes | np.ndarray:
        """Returns what a preview is made of, which is what was scanned."""
        if isinstance(self._pool.source, FolderPool):
            return self._pool.content(row)
        shown = self._pool.show(row)
        assert isinstance(shown, np.ndarray)
        return shown

    @functools.cached_property
    def _embedding(self) -> np.ndarray:
        """Features of all rows, each of length 1, float32 [N, F]."""
        x = np.asarray(self._features.read(slice(None)), np.float32).reshape(len(self._pool), -1)
        return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)

    def _item(self, record: Record, row: int) -> Item:
        suggestion, belief = None, self._trainer.belief
        if self._project.settings.suggest and belief and row not in record.held_out:
            best = belief.classes[int(belief.probs[row].argmax())]
            suggestion = record.classes[record.label_of(best)]
        (name,) = self._project.names([row])
        return Item(row, name, record.why(row), self._word(record, row), suggestion)

    def _word(self, record: Record, row: int) -> str | None:
        """Returns what was said of a row."""
        said = record.said(row)
        if said is None:
            return None
        words = {decision: word for word, decision in WORDS.items()}
        return words.get(said.decision) or record.classes[record.label_of(said.decision)]

    def _decision(self, record: Record, said: str) -> int:
        """Returns a class of now, or SKIP, UNSURE, BROKEN.

        Raises:
          UsageError: there is no such class.
        """
        if said in WORDS:
            return WORDS[said]
        ids = {name: number for number, name in record.classes.items()}
        if (called := spelled(said, ids)) not in ids:
            raise UsageError(f"There is no class {said!r}: {did_you_mean(said, ids)}")
        return ids[called]

    def _standing(self, record: Record) -> Standing:
        """Returns how it stands; what learners said is read once a learner, as it is long."""
        path = self._project.place / MODELS
        size = path.stat().st_size if path.exists() else 0
        if size != self._models[0]:
            self._models = size, read_models(self._project.place)
        return standing(record, self._models[1], self._project.settings.budget)


def _of(client: str, token: str) -> str:
    if not token:
        raise UsageError("What is told needs a token of its own.")
    return f"{client}:{token}"


def _said(record: Record) -> dict[int, Decision]:
    held_out = {row: one for row, one in record.held_out.items() if one is not None}
    return record.decisions | held_out
