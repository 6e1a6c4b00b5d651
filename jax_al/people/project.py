"""A project: a folder of pictures, or a table, that people label; all of it in one workdir."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jax_al.errors import UsageError, some_of
from jax_al.people.items import Items
from jax_al.people.ledger_pool import LedgerPool, take_in
from jax_al.people.lists import (
    PASSED_OVER,
    no_pictures,
    note_copies,
    note_moved,
    other_names,
    write_passed_over,
)
from jax_al.people.notices import Say, news
from jax_al.people.preparing import MANY, prepare, put_aside
from jax_al.people.reconcile import sentences
from jax_al.people.settings import (
    TABLES,
    Settings,
    checked_classes,
    read_settings,
    suited,
    workdir_flag,
    write_settings,
)
from jax_al.pools.csv_table import csv_table
from jax_al.pools.folder import check_square, folder
from jax_al.pools.labeled_folder import labels_from_csv
from jax_al.session.teller import Teller

if TYPE_CHECKING:
    from jax_al.drivers.session import Session


class Project:
    """A project that is open; `tell` and the record need neither the pool nor a learner.

    Args:
      place: the workdir.
      settings: of it.
      say: is told what a person should know and was not told before, in sentences; None: nobody.
      least: the share of what the project knows that must be there.
    """

    def __init__(
        self,
        place: Path,
        settings: Settings,
        say: Say | None = None,
        least: float = 0.0,
    ) -> None:
        self.place, self.settings, self._say, self._least = place, settings, say, least
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
        if not source.exists():
            raise UsageError(
                f"{source} is not there: if it has moved, jax-al label NEW_PLACE "
                f"{workdir_flag(self.place)} --no-page says where to."
            )
        if source.is_dir():
            found: Any = folder(
                source,
                size=settings.size,
                fit=settings.fit,
                cache_dir=settings.cache_dir,
                foretell=self._foretell,
            )
            write_passed_over(self.place, found.passed_over)
        elif source.suffix == ".csv":
            found = csv_table(source)
        else:
            from jax_al.pools.table import table_benchmark

            found = table_benchmark(settings.source, None, None, None).pool
        has_begun = (self.place / "journal.jsonl").exists()
        before = put_aside(self.teller.record()) if has_begun else ()
        pool = take_in(self.items, found, before, self._least)
        note_moved(self.place, {pool.ids[row]: name for row, name in pool.change.moved.items()})
        note_copies(self.place, {pool.ids[row]: names for row, names in pool.copies.items()})
        with news(self.place, "folder", self._say) as say:
            if passed_over := getattr(found, "passed_over", ()):
                names = some_of([one.id for one in passed_over])
                place = self.place / PASSED_OVER
                say(f"{no_pictures(passed_over)}, see {place}: {names}.")
            for sentence in sentences(pool.change, self.items.all()):
                say(sentence)
        return pool

    def session(self, budget: int | None = None) -> "Session":
        """Returns the session of the project, begun if it is new, for whoever computes.

        Args:
          budget: rows of a new request; None: as many as the project has.

        Raises:
          UsageError: something cannot be had that the settings name.
        """
        from jax_al.drivers.session import Session
        from jax_al.features.pool import with_features
        from jax_al.learners import learner_named

        pool = self.pool
        if self.settings.features_args is None:  # on record before anything is computed by them
            self.settle(suited(self.settings, len(pool)))
        settings = self.settings
        learner = learner_named(settings.learner, **settings.learner_args)
        seen: Any = pool
        if settings.features is not None:
            args = dict(settings.features_args or {})
            seen = with_features(pool, settings.features, cache_dir=settings.cache_dir, **args)
        session = Session(
            seen,
            classes=settings.classes,
            learner=learner,
            strategy=settings.strategy,
            budget=settings.budget if budget is None else budget,
            seed=settings.seed,
            directory=self.place,
        )
        with news(self.place, "record", self._say) as say:
            prepare(self.teller, pool, settings, self.place, say)
        return session

    def _foretell(self, count: int) -> None:
        """Says what comes after very many pictures have been read."""
        if self._say is not None and count >= MANY:
            from jax_al.people.foretold import what_follows

            self._say(what_follows(self.settings, count))

    def names(self, rows: Sequence[int]) -> list[str]:
        """Returns what rows are called now, the folder having been read; ids of what is missing.

        Raises:
          UsageError: the folder or the table cannot be read.
        """
        return [self.pool.paths[row] or self.pool.ids[row] for row in rows]

    def are_there(self, rows: Sequence[int]) -> bool:
        """Whether none of some rows is missing from the folder as it is now.

        Raises:
          UsageError: as `names`.
        """
        return not self.pool.missing.keys() & set(rows)

    def other_names(self) -> dict[str, set[str]]:
        """Returns whose names those are that are no ids: of copies, and of files that moved."""
        return other_names(self.place)

    def settle(self, settings: Settings) -> None:
        """Changes settings that do not say what was labeled, and writes them down."""
        write_settings(self.place, settings)
        self.settings = settings

    def hashes(self, ids: Sequence[str]) -> dict[str, str]:
        """Returns the SHA-256 of what each id of these stands for, as first seen."""
        rows, items = self.teller.rows(), self.items.all()
        return {name: items[rows[name]].sha256 for name in ids if name in rows}


def begin_project(settings: Settings, place: Path, say: Say | None = None) -> Project:
    """Returns a new project; what it names is checked as far as that costs nothing.

    One of which nothing is on record yet is begun anew.

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
    if source.is_file() and source.suffix not in TABLES:
        raise UsageError(f"{source} must be a folder of pictures, or end in {', '.join(TABLES)}.")
    for name in ("journal.jsonl", "metrics.jsonl"):  # without them, nothing was asked or told
        if (place / name).exists():
            raise UsageError(f"{place} holds {name} already: name another --workdir.")
    if settings.budget < 1 or settings.audit < 0:
        raise UsageError("A request has one row or more, and an audit none or more.")
    check_square(settings.size, settings.fit)
    if settings.known == "folders" and source.is_file():
        raise UsageError(f"{source} is no folder whose subfolders are classes.")
    if settings.known not in (None, "folders"):
        labels_from_csv(str(settings.known))
    checked_classes(settings.classes)
    from jax_al.strategies.entries import strategies_named  # JAX, which telling need not wait for

    strategies_named([settings.strategy])  # before minutes go into reading
    write_settings(place, settings)
    return Project(place, settings, say)


def open_project(place: Path, say: Say | None = None, source: Path | None = None) -> Project:
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
        project = Project(place, settings, say, least=0.5)  # or else it is another folder
        _ = project.pool  # that it is the same one is seen before it is written down
        write_settings(place, settings)
        return project
    return Project(place, settings, say)
