"""`jax-al classes [--add bird,fish] [--rename dgo=dog] [--merge puppy=dog] [--workdir W]`."""

import argparse
from collections import Counter
from collections.abc import Sequence

from jax_al.cli.ending import command
from jax_al.cli.parser import Parser
from jax_al.cli.people import add_workdir, project_of
from jax_al.errors import UsageError, spelled
from jax_al.people.run_part import RunPart
from jax_al.people.settings import checked_classes, classes_in


def main(words: Sequence[str] | None = None, name: str = "jax-al classes") -> int:
    """Changes the classes of a project and lists them; returns the exit status.

    Args:
      words: of the command line; None: those of this process.
      name: of the command.
    """
    parser = Parser(
        prog=name,
        description="The classes of a project and how often each was told. What changes them "
        "closes the open request; its batch can still be told.",
    )
    changes = parser.add_mutually_exclusive_group()
    changes.add_argument(
        "--add", metavar="A,B", action="append", help="new classes; --rename gives one a comma"
    )
    changes.add_argument("--rename", metavar="OLD=NEW", help="another name for a class")
    changes.add_argument("--merge", metavar="GONE=INTO", help="all labels of one become another's")
    add_workdir(parser)
    return command(parser, _run, words)


def _run(arguments: argparse.Namespace) -> None:
    wanted = (arguments.add, arguments.rename, arguments.merge)
    changes = any(one is not None for one in wanted)
    project = project_of(arguments, writes=changes)
    teller = project.teller
    if isinstance(project, RunPart) and changes:
        raise project.refusal("says what classes there are")
    classes = tuple(teller.record().classes.values())
    if arguments.add is not None:
        names = checked_classes([name for one in arguments.add for name in classes_in(one)])
        with teller.alone():
            there = teller.record().classes.values()
            for name in names:
                if spelled(name, there) in there:
                    raise UsageError(f"There is a class {name!r} already, so none is added.")
            for name in names:
                teller.add_class(name)
    elif arguments.rename is not None:
        old, new = _pair("--rename", arguments.rename, classes)
        teller.rename_class(old, *checked_classes([new]))
    elif arguments.merge is not None:
        teller.merge_class(*_pair("--merge", arguments.merge, classes))
    told = Counter(teller.labels().values())
    for one in teller.record().classes.values():
        print(f"{told[one]:7,}  {one}")


def _pair(flag: str, text: str, classes: Sequence[str]) -> tuple[str, str]:
    """Returns what stands on both sides of the "=" before which there is a class.

    Raises:
      UsageError: there is none.
    """
    cuts = [place for place, letter in enumerate(text) if letter == "="]
    sides = [(spelled(text[:cut], classes), text[cut + 1 :]) for cut in cuts]
    found = [both for both in sides if both[0] in classes]
    if not found:
        names = ", ".join(classes) or "none yet"
        raise UsageError(
            f"{flag} is {text!r}, but must be a class, '=', and a name; the classes are {names}."
        )
    return found[-1]
