"""What the user can mend, said in one sentence."""

import difflib
from collections.abc import Iterable


class UsageError(ValueError):
    """Something the user can mend; the message is one sentence that says what and how.

    To a Python caller it is the ValueError of the function that was called. The command line prints
    the message alone and exits with status 2.
    """


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Returns a clause that names all of `names`, and first the one nearest to `name`."""
    names = sorted(names)
    near = difflib.get_close_matches(name, names, n=1)
    return (f"did you mean {near[0]!r}? " if near else "") + f"There is {', '.join(names)}."
