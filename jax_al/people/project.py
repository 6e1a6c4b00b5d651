"""A project: a folder of pictures, or a table, that people label; all of it in one workdir."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jax_al.errors import UsageError
from jax_al.people.items import Items
from jax_al.people.known import known_labels
from jax_al.people.ledger_pool import LedgerPool, take_in
from jax_al.people.lists import write_near_duplicates, write_passed_over
from jax_al.people.reconcile import sentences
from jax_al.people.settings import Settings, checked_classes, read_settings, write_settings
from jax_al.pools.folder import FolderPool, folder
from jax_al.pools.labeled_folder import labels_from_csv, labels_from_folders
from jax_al.session.teller import Teller
from jax_al.types import BROKEN

if TYPE_CHECKING:
    from jax_al.drivers.session import Session

AUDIT_SHARE = 5  # at most one row in so many is held out from the start
MANY = 20_000  # pictures from which on looking for near duplicates takes more than seconds
BY_DATA = "jax_al"  # who says that a file has gone


class Project:
    """A project that is open; `tell` and the record need neither the pool nor a learner.

    Args:
      place: the workdir.
      settings: of it.
      say: is told what a person should know, in sentences.
    """

    def __init__(
        self, place: Path, settings: Settings, say: Callable[[str], None] = lambda text: None
    ) -> None:
        self.place, self.settings, self._say = place, settings, say
        self.items = Items(place)

    @functools.cached_property
    def teller(self) -> Teller:
        """Who writes down what is told.

        Raises:
          UsageError: the project was not begun to the end.
        """
        return Teller(self.place)

    @functools.cached_property
    def pool(self) -> LedgerPool:
        """The items of the project, the folder having been read as it is now.

        Raises:
          UsageError: the folder or the table cannot be read.
        """
        source, settings = Path(self.settings.source), self.settings
        if source.is_dir():
            found: Any = folder(
                source, size=settings.size, fit=settings.fit, cache_dir=settings.cache_dir
            )
            write_passed_over(self.place, found.passed_over)
            if found.passed_over:
                count = f"{len(found.passed_over):,}"
                self._say(f"{count} files are no pictures: {self.place / 'passed_over.csv'}.")
        else:
            from jax_al.pools.table import table_benchmark

            found = table_benchmark(settings.source, None, None, None).pool
        pool = take_in(self.items, found, self._put_aside())
        for sentence in sentences(pool.change, self.items.all()):
            self._say(sentence)
        return pool

    def session(self) -> "Session":
        """Returns the session of the project, begun if it is new, for whoever computes.

        Raises:
          UsageError: something cannot be had that the settings name.
        """
        from jax_al.drivers.session import Session
        from jax_al.features.pool import with_features
        from jax_al.learners import learner_named

        settings, pool = self.settings, self.pool
        learner = learner_named(settings.learner, **settings.learner_args)
        seen: Any = pool
        if settings.features is not None:
            args = dict(settings.features_args)
            seen = with_features(pool, settings.features, cache_dir=settings.cache_dir, **args)
        session = Session(
            seen,
            classes=settings.classes,
            learner=learner,
            strategy=settings.strategy,
            budget=settings.budget,
            seed=settings.seed,
            directory=self.place,
        )
        self._put_missing_aside(pool)
        self._take_known(pool)
        self._take_twins(pool)
        self._draw_audit(pool)
        return session

    def settle(self, settings: Settings) -> None:
        """Changes settings that do not say what was labeled, and writes them down."""
        write_settings(self.place, settings)
        self.settings = settings

    def hashes(self, ids: Sequence[str]) -> dict[str, str]:
        """Returns the SHA-256 of what each id of these stands for, as first seen."""
        rows, items = self.teller.rows(), self.items.all()
        return {name: items[rows[name]].sha256 for name in ids if name in rows}

    def _put_aside(self) -> tuple[int, ...]:
        """Returns the rows that are on record as missing."""
        if not (self.place / "journal.jsonl").exists():
            return ()
        record = self.teller.record()
        return tuple(
            row
            for row in record.asked
            if (said := record.said(row)) and said.why in ("gone", "changed")
        )

    def _put_missing_aside(self, pool: LedgerPool) -> None:
        """Excludes what is missing, and takes back what was said so of what is there again."""
        teller = self.teller
        if set(self._put_aside()) == pool.missing.keys():
            return
        record = teller.record()
        for number in sorted(set(record.answered) - set(record.told), reverse=True):
            if teller.why_of(number) in ("gone", "changed"):
                teller.take_back(number)
        for why in ("gone", "changed"):
            rows = [row for row, reason in pool.missing.items() if reason == why]
            ids = [pool.ids[row] for row in rows]
            if rows:
                teller.draw(rows, ids, why)
                answers = dict.fromkeys(ids, BROKEN)
                teller.tell(answers, relabel=True, who=BY_DATA, why=why)

    def _take_known(self, pool: LedgerPool) -> None:
        """Tells the labels that were there before anybody labeled."""
        settings, teller = self.settings, self.teller
        if settings.known is None:
            return
        if settings.known == "folders":
            if not isinstance(pool.source, FolderPool):
                raise UsageError(f"{settings.source} is no folder whose subfolders are classes.")
            labels = labels_from_folders(pool.source)
        else:
            labels = labels_from_csv(settings.known)
        found, record = known_labels(pool, labels).labels, teller.record()
        for name in sorted(set(found.values()) - set(record.classes.values())):
            teller.add_class(name)
        record = teller.record()
        taken = record.decisions.keys() | record.held_out.keys() | set(record.undecided())
        rows = [row for row, name in enumerate(pool.ids) if name in found and row not in taken]
        ids = [pool.ids[row] for row in rows]
        if rows:
            teller.draw(rows, ids, "given")
            answers = {name: found[name] for name in ids}
            teller.tell(answers, who=settings.known, why="given")
            teller.join_late()

    def _take_twins(self, pool: LedgerPool) -> None:
        """Lists near duplicates; holds out all but one of them if they are to be asked once."""
        if not pool.spec.is_image:
            return
        from jax_al.people.twins import groups_of, kept_near_duplicates

        if len(pool) > MANY:
            self._say(f"Looking for near duplicates among {len(pool):,} pictures, once.")
        lowest = kept_near_duplicates(self.place / "near_duplicates.npz", pool)
        found = groups_of(lowest)
        write_near_duplicates(self.place, pool.ids, found)
        if not self.settings.merge_near:
            return
        record = self.teller.record()
        taken = record.decisions.keys() | record.held_out.keys() | set(record.undecided())
        rows = [row for one in found for row in one[1:] if row not in taken]
        if rows:
            self.teller.draw(rows, [pool.ids[row] for row in rows], "twin")

    def _draw_audit(self, pool: LedgerPool) -> None:
        """Holds the audit out, once."""
        record = self.teller.record()
        count = min(self.settings.audit, len(pool) // AUDIT_SHARE)
        if count and not any(draw.why == "audit" for draw in record.draws):
            self.teller.draw_among(pool.ids, count, "audit", seed=self.settings.seed)


def begin_project(
    settings: Settings, place: Path, say: Callable[[str], None] = lambda text: None
) -> Project:
    """Returns a new project; what it names is checked as far as that costs nothing.

    Args:
      settings: of it.
      place: the workdir, made if missing; outside of the folder of pictures.
      say: see `Project`.

    Raises:
      UsageError: the settings name what is not there, or something lies in the workdir.
    """
    source = Path(settings.source)
    if not source.exists():
        raise UsageError(f"{source} is not there.")
    if source.is_dir() and source.resolve() in (place.resolve(), *place.resolve().parents):
        raise UsageError(
            f"The workdir {place} lies in the folder of pictures, where nothing is written: name "
            "another with --workdir."
        )
    for name in ("project.json", "journal.jsonl", "metrics.jsonl"):
        if (place / name).exists():
            raise UsageError(f"{place} holds {name} already: name another --workdir.")
    if settings.budget < 1 or settings.audit < 0:
        raise UsageError("A request has one row or more, and an audit none or more.")
    checked_classes(settings.classes)
    write_settings(place, settings)
    return Project(place, settings, say)


def open_project(
    place: Path, say: Callable[[str], None] = lambda text: None, source: Path | None = None
) -> Project:
    """Returns the project in the workdir `place`.

    Args:
      place: the workdir.
      say: see `Project`.
      source: where its folder lies now, if it has moved.

    Raises:
      UsageError: there is none.
    """
    settings = read_settings(place)
    if source is not None and str(source) != settings.source:
        settings = settings._replace(source=str(source))
        project = Project(place, settings, say)
        _ = project.pool  # that it is the same one is seen before it is written down
        write_settings(place, settings)
        return project
    return Project(place, settings, say)
