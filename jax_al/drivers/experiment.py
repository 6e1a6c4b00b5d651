"""A run: its parts one after another in this process, or in others (`cluster.py`).

Each part is on record by itself; what lies at the root is made from the records.
"""

import contextlib
import errno
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jax_al import interrupt
from jax_al.drivers import root as roots
from jax_al.drivers.engine import Engine
from jax_al.drivers.part import Part, Tell
from jax_al.drivers.publish import publishing
from jax_al.drivers.study import Study, course_of, rehearse, run_part, work_left
from jax_al.errors import PartsError, UsageError
from jax_al.record import files
from jax_al.session.journal import Journal
from jax_al.session.locks import computing
from jax_al.session.progress import Progress, next_work

FINISHED = "This run is finished: more episodes, seeds or strategies continue it."

# What the system says to one part it would say to the others too: a disk that is full or broken.
FOR_ALL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG)


class RunAll(NamedTuple):
    """How parts are run elsewhere."""

    check: Callable[[Path], None]  # whether they can be, in that directory; UsageError: they cannot
    run: Callable[[Engine, Study, Path | None, Sequence[Part], Tell], dict[Part, BaseException]]


def run(
    study: Study,
    root: Path | None,
    *,
    tell: Tell,
    overwrite: bool,
    check_same: roots.CheckSame,
    share: tuple[int, int] = (1, 1),
    run_all: RunAll | None = None,
) -> list[Progress]:
    """Runs or continues all parts of `study`.

    Args:
      study: what is run.
      root: the directory, made if missing; None: nothing is kept.
      tell: is told what happens.
      overwrite: whether to remove what an earlier run left there.
      check_same: raises where a config on record differs in what may not.
      share: (K, N): every N-th part from the K-th on is this process's to run, beside others that
        run the rest in the same directory.
      run_all: runs parts elsewhere; None: here, one after another.

    Returns:
      The records of the parts, in their order.

    Raises:
      UsageError: nothing can be run, or parts failed in a way that the user can mend.
      PartsError: they failed otherwise; what they raised has been printed.
    """
    engine = Engine(study.benchmark, study.learner, study.looking)
    for strategy in study.strategies.values():
        engine.check(strategy)  # what it cannot have is refused before anything is touched
    parts = study.parts(root)[share[0] - 1 :: share[1]]
    records: list[Progress | None] = [None] * len(parts)
    with contextlib.ExitStack() as held:
        if root is not None:
            is_alone = share[1] == 1
            held.enter_context(computing(root, shared=not is_alone))
            if overwrite and not is_alone:
                raise UsageError(
                    "Processes that share a run cannot overwrite it, as that would remove what "
                    "others of them have computed: name another directory."
                )
            with files.alone(root):
                roots.check_ours(root)
                if overwrite:
                    if roots.holds_a_run(root):
                        _rehearse(engine, study, root, run_all)
                    roots.clear(root)
                else:
                    roots.check_root(root, study.public, check_same, is_alone=is_alone)
                records = [on_record(study, part) for part in parts]  # refused before it is written
                roots.write_config(root, study.public)
        left = sum(
            work_left(study, engine, part, None if record is None else record.record)
            for part, record in zip(parts, records, strict=True)
        )
        names = list(study.strategies)
        tell({"event": "run_begun", "study": study, "root": root, "parts": parts, "work": left})
        if all(is_finished(study, record) for record in records):
            tell({"event": "say", "text": _finished(share, len(parts))})
        finished: list[Progress] = []
        is_whole = False
        try:
            if run_all is None:
                failed = _run_here(engine, study, parts, publishing(root, names, tell), finished)
            else:
                failed = run_all.run(engine, study, root, parts, tell)
            is_whole = True
        finally:
            if root is not None:
                files.merge(root, names)
            tell({"event": "run_ended", "is_whole": is_whole})
    _raise(failed, parts)
    if root is None:
        return finished
    return [Progress(Journal(part.directory), course_of(study)) for part in parts]


def _rehearse(engine: Engine, study: Study, root: Path, run_all: RunAll | None) -> None:
    """Finds what would be refused, before what is there is removed."""
    if run_all is None:
        rehearse(engine, study)
        return
    run_all.check(root)
    # By an engine that is let go: this process computes nothing later.
    rehearse(Engine(study.benchmark, study.learner, study.looking), study)


def on_record(study: Study, part: Part) -> Progress | None:
    """Returns what is on record of a part, if it was begun."""
    if part.directory is None or not (part.directory / "journal.jsonl").exists():
        return None
    return Progress(Journal(part.directory), course_of(study))


def is_finished(study: Study, record: Progress | None) -> bool:
    """Whether nothing is left to do of a part with that record."""
    return record is not None and next_work(record.record, course_of(study)) is None


def _finished(share: tuple[int, int], count: int) -> str:
    if share[1] == 1:
        return FINISHED
    what = f"{count} of the run's parts, finished" if count else "none of the run's parts"
    return f"Nothing is left for part {share[0]}/{share[1]}: it has {what}."


def _run_here(
    engine: Engine, study: Study, parts: Sequence[Part], tell: Tell, finished: list[Progress]
) -> dict[Part, BaseException]:
    """Runs `parts` one after another; one that fails leaves the others alone."""
    failed: dict[Part, BaseException] = {}
    for part in parts:
        tell({"event": "part_begun", **named(part)})
        try:
            finished.append(run_part(engine, study, part, tell))
        except Exception as error:
            if isinstance(error, OSError) and error.errno in FOR_ALL:
                raise
            interrupt.check()  # a Ctrl-C may come as an error of some other kind
            failed[part] = error
            told(part, error, tell)
            # Its frames hold what it had on the device, which the others may need.
            traceback.clear_frames(error.__traceback__)
        else:
            tell({"event": "part_ended", **named(part)})
    return failed


def named(part: Part) -> Mapping[str, Any]:
    """Returns the fields by which events name a part."""
    return {"strategy": part.name, "seed": part.seed}


def told(part: Part, error: BaseException, tell: Tell) -> None:
    """Tells that a part has failed; what the user cannot mend is printed whole."""
    if not isinstance(error, UsageError):
        traceback.print_exception(error, file=sys.stderr)
    tell({"event": "part_failed", **named(part), "error": _reason(error)})


def _raise(failed: Mapping[Part, BaseException], parts: Sequence[Part]) -> None:
    if not failed:
        return
    reasons = "; ".join(
        f"{part.name}, seed {part.seed}: {_reason(error)}" for part, error in failed.items()
    )
    sentence = f"{len(failed)} of {len(parts)} parts failed. {reasons}"
    are_mendable = all(isinstance(error, UsageError) for error in failed.values())
    raise UsageError(sentence) if are_mendable else PartsError(sentence)


def _reason(error: BaseException) -> str:
    return str(error) if isinstance(error, UsageError) else f"{type(error).__name__} (above)"
