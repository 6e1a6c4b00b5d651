"""`jax-al label photos --classes cat,dog [--workdir W]`."""

import argparse
import contextlib
import getpass
import importlib.util
import shlex
from collections.abc import Sequence
from pathlib import Path

from jax_al.cli.ending import command
from jax_al.cli.parser import Parser, path_of
from jax_al.cli.programs import keep_programs
from jax_al.errors import UsageError
from jax_al.people.intervals import audit_size
from jax_al.people.project import Project, begin_project, open_project
from jax_al.people.settings import (
    PROJECT,
    TABLES,
    Settings,
    classes_in,
    default_features,
    read_settings,
    workdir_flag,
)
from jax_al.people.turns import is_anything_left
from jax_al.people.writable import check_writable
from jax_al.pools.progress import say

# Flags that hold from the beginning on, and what they are in the settings.
OF_THE_START = (
    "classes", "size", "fit", "features", "learner", "strategy", "budget", "seed", "audit",
    "labels", "labels_from_folders", "merge_near",
)  # fmt: skip
NEW = Settings("")  # of a project, before a flag says anything


def main(words: Sequence[str] | None = None, name: str = "jax-al label") -> int:
    """Begins a project or goes on with it, and serves its page; returns the exit status.

    Args:
      words: of the command line; None: those of this process.
      name: of the command.
    """
    parser = Parser(
        prog=name,
        description="Label the pictures of a folder, or the rows of a table, on a page: it says "
        "which to label next, and learns meanwhile. The same command goes on where it was left. "
        "Nothing leaves this machine, and nothing is written into the folder.",
    )
    parser.add_argument(
        "source", nargs="?", type=path_of, metavar="DIR", help="folder of pictures, or a table"
    )
    parser.add_argument("--classes", metavar="A,B", help="names; the page can add more")
    parser.add_argument(
        "--workdir", type=path_of, metavar="W", help="runs/ and the name of DIR if omitted"
    )
    start = parser.add_argument_group("when it begins")
    start.add_argument(
        "--labels", type=path_of, metavar="CSV", help="labels known already: columns id and label"
    )
    start.add_argument(
        "--labels-from-folders", action="store_true", default=None,
        help="a picture in a subfolder is labeled by its name",
    )  # fmt: skip
    start.add_argument(
        "--features", help="lite0 if it is installed, else patches; none for a table"
    )
    start.add_argument("--learner", help="propagate, linear, ...")
    start.add_argument("--strategy", help=f"{NEW.strategy} if omitted")
    start.add_argument("--budget", type=int, help="labels between two trainings; 20 if omitted")
    start.add_argument(
        "--audit", metavar="N",
        help="pictures held out to tell the accuracy by, 100 or a fifth; 5%%: to within 5 points",
    )  # fmt: skip
    start.add_argument(
        "--merge-near",
        action="store_true",
        default=None,
        help="near duplicates (they correlate by 0.989): one",
    )
    start.add_argument("--size", type=int, help="pixels a side that features see; 96 if omitted")
    start.add_argument("--fit", choices=("crop", "pad"), help="the middle square, or all on white")
    start.add_argument("--seed", type=int, help="decides all chance")
    page = parser.add_argument_group("the page")
    page.add_argument(
        "--no-page", action="store_true", help="only begin; then jax-al ask, tell, ..."
    )
    page.add_argument("--host", default="127.0.0.1", help="address to listen at")
    page.add_argument(
        "--port", type=int, default=0, help="0: that of last time, or one that is free"
    )
    page.add_argument("--allow-remote", action="store_true", help="other machines may come")
    page.add_argument(
        "--suggest", action="store_true", help="show what the model believes, until it is ended"
    )
    page.add_argument("--who", help="labels; the user of this machine if omitted")
    parser.add_argument(
        "--cache-dir", type=path_of, metavar="DIR", help="where pictures and features are kept"
    )
    return command(parser, _run, words)


def _run(arguments: argparse.Namespace) -> None:
    if not arguments.no_page and importlib.util.find_spec("uvicorn") is None:
        raise UsageError(
            "the page needs packages that are not installed: pip install 'jax_al[label]'; or give "
            "--no-page, and label by jax-al ask and tell."
        )
    if not arguments.no_page:
        from jax_al.page.serve import listening, serve

        # Where it cannot be served is said before all the work.
        listening(arguments.host, arguments.port, arguments.allow_remote).close()
    project = _project(arguments)
    keep_programs()
    session = project.session()
    count, labels = len(session.pool), len(project.teller.labels())
    say(f"{count:,} examples, {labels:,} of them labeled, in {project.place}.")
    if not session.classes:
        say("No class is named yet: N on the page adds one, or jax-al classes --add.")
    if arguments.no_page:
        then = "export --to csv --out export.csv" if len(session.classes) > 1 else "classes --add=A"
        what = "ask --out batch.csv" if is_anything_left(session.record) else then
        say(f"Next: jax-al {what} {workdir_flag(project.place)}")
        return
    from jax_al.interrupt import listen
    from jax_al.people.desk import Desk

    listen()  # SIGTERM ends it as Ctrl-C does
    desk = Desk(project, session)
    try:
        serve(desk, project.place, arguments.host, arguments.port, arguments.allow_remote)
        say(f"All labels are in {project.place}; the same command goes on.")
        if desk.status()["training"]:
            say("A training is still to end; another Ctrl-C does not wait for it.")
    finally:
        desk.close()


def _project(arguments: argparse.Namespace) -> Project:
    """Returns the project that the flags name, begun if there is none."""
    source = None if arguments.source is None else arguments.source.resolve()
    if arguments.workdir is not None:
        place = arguments.workdir
    elif source is not None:
        place = _place_of(source)
    else:
        raise UsageError("name a folder of pictures: jax-al label DIR --classes cat,dog.")
    begun = read_settings(place) if (place / PROJECT).exists() else None
    if begun is not None and (place / "journal.jsonl").exists():
        _check_begun(arguments, begun, place)
        check_writable(place)
        project = open_project(place, say, source)
    elif begun is not None and source is None:  # begun as was said before; flags may differ
        project = begin_project(_settings(arguments, Path(begun.source), begun), place, say)
    else:
        if source is None:
            raise UsageError(f"{place} is no project: name a folder of pictures to begin one.")
        if arguments.workdir is None:
            _tell_of_moved(source, place.parent)
        # Where nothing is on record yet, what a command that failed had named is forgotten.
        project = begin_project(_settings(arguments, source), place, say)
    # Of whoever starts it, not of who began: others' labels are not theirs.
    now = project.settings._replace(who=arguments.who or _user(), suggest=arguments.suggest)
    if arguments.cache_dir is not None:
        now = now._replace(cache_dir=str(arguments.cache_dir.resolve()))
    if now != project.settings:
        project.settle(now)
    return project


def _place_of(source: Path) -> Path:
    """Returns the workdir of a source whose command names none."""
    runs = Path("runs")
    by_stem = runs / source.stem
    if source.suffix in TABLES and not source.is_dir():
        return by_stem
    # Once a folder went by its stem, too: photos.v1 is gone on with in runs/photos.
    if (by_stem / PROJECT).exists() and read_settings(by_stem).source == str(source):
        return by_stem
    return runs / source.name


def _tell_of_moved(source: Path, runs: Path) -> None:
    """Says which projects in `runs` `source` may be of, as their own folders are gone."""
    for journal in sorted(runs.glob("*/journal.jsonl")):
        place = journal.parent
        with contextlib.suppress(UsageError, OSError, TypeError):  # a run, or another's trouble
            gone = Path(read_settings(place).source)
            if not gone.exists() and (gone.suffix in TABLES) == (source.suffix in TABLES):
                say(
                    f"{gone} of {place} is gone: if it has become this, stop, and go on by "
                    f"jax-al label {shlex.quote(str(source))} {workdir_flag(place)}"
                )


def _check_begun(arguments: argparse.Namespace, begun: Settings, place: Path) -> None:
    """Makes sure that the flags say nothing else than what a project was begun with.

    Raises:
      UsageError: one does.
    """
    wanted = _settings(arguments, Path(begun.source))
    for flag in OF_THE_START:
        name = "known" if flag.startswith("labels") else flag
        if getattr(arguments, flag) is None or getattr(wanted, name) == getattr(begun, name):
            continue
        said = getattr(begun, name)
        value = ",".join(said) if isinstance(said, tuple) else repr(said)
        began = "without" if said in (None, ()) else f"with {name}={value}"
        by_name = "; jax-al classes adds and renames classes" * (flag == "classes")
        raise UsageError(
            f"--{flag.replace('_', '-')} is said when a project begins, and {place} began "
            f"{began}: leave it out, or name another --workdir{by_name}."
        )


def _settings(arguments: argparse.Namespace, source: Path, before: Settings = NEW) -> Settings:
    """Returns `before` with what the flags say."""
    names = ("size", "fit", "strategy", "budget", "seed", "merge_near")
    given = {name: getattr(arguments, name) for name in names}
    said = {name: value for name, value in given.items() if value is not None}
    if arguments.labels_from_folders and arguments.labels is not None:
        raise UsageError("--labels and --labels-from-folders both say what is labeled: give one.")
    if arguments.audit is not None:
        said["audit"] = audit_size(arguments.audit)
    if arguments.learner is not None:
        said |= {"learner": arguments.learner, "learner_args": {}}
    if arguments.features is not None:
        said |= {"features": arguments.features, "features_args": {}}
    elif before.features is None and not source.is_file():
        said |= {"features": default_features(), "features_args": None}
    if arguments.labels_from_folders:
        said["known"] = "folders"
    elif arguments.labels is not None:
        said["known"] = str(arguments.labels.resolve())
    if arguments.cache_dir is not None:
        said["cache_dir"] = str(arguments.cache_dir.resolve())
    if arguments.classes is not None:
        said["classes"] = classes_in(arguments.classes)
    return before._replace(source=str(source), **said)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # nobody by that number
        return ""
