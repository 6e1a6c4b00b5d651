"""What the user can mend, said in one sentence."""

import contextlib
import difflib
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

MOST_NAMES = 8  # a sentence that lists more is not read
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")  # no part of a sentence


class UsageError(ValueError):
    """Something the user can mend; the message is one sentence that says what and how.

    To a Python caller it is the ValueError of the function that was called. The command line prints
    the message alone and exits with status 2.
    """


class PartsError(RuntimeError):
    """Parts of a run failed in ways that the user cannot mend; the message is one sentence."""


def in_words(error: BaseException) -> str:
    """Returns what `error` says, with its kind unless it is made to be read."""
    return str(error) if isinstance(error, UsageError) else f"{type(error).__name__}: {error}"


@contextlib.contextmanager
def reworded(change: Callable[[str], str]) -> Iterator[None]:
    """Tells a UsageError in the words of whoever is spoken to.

    Args:
      change: returns a message in other words.
    """
    try:
        yield
    except UsageError as error:
        text = change(str(error))
        if text == str(error):
            raise
        raise UsageError(text) from error


def some_of(names: Sequence[str]) -> str:
    """Returns the first of `names` as a list in a sentence, and how many more there are.

    What would break the line, or tell the terminal something, is written as Python does.
    """
    more = len(names) - MOST_NAMES
    shown = (_CONTROL.sub(lambda found: repr(found[0])[1:-1], one) for one in names[:MOST_NAMES])
    return ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")


def nearest(name: str, names: Iterable[str]) -> str:
    """Returns the one of `names` that `name` is nearly; empty: it is like none of them."""
    return next(iter(difflib.get_close_matches(name, sorted(names), n=1)), "")


def composed(text: str) -> str:
    """Returns `text` with each accent written in the one way that Unicode composes it (NFC)."""
    return unicodedata.normalize("NFC", text)


def spelled(name: str, names: Collection[str]) -> str:
    """Returns `name` as it is spelled in `names`, and as it is where none of them is that text.

    What looks the same may be other characters: a file name may have é as e and an accent.
    """
    if name in names:
        return name
    text = composed(name)
    return next((one for one in names if composed(one) == text), name)


def did_you_mean(name: str, names: Iterable[str], see_all: str = "") -> str:
    """Returns a clause with the one of `names` nearest to `name`, or with some if none is near.

    Args:
      name: what was said.
      names: what could have been meant.
      see_all: a command that lists all of them, told where the clause does not.
    """
    names = sorted(names)
    more = len(names) - MOST_NAMES
    where = f" ({see_all} lists them all)" if see_all else ""
    if near := nearest(name, names):
        return f"did you mean {near!r}?{where if more > 0 else ''}"
    if more <= 0:
        return f"choose among {', '.join(names)}."
    return f"choose among {', '.join(names[:MOST_NAMES])} and {more} more{where}."
