"""What an oracle answers, held to what it promises before it is on record."""

from collections.abc import Sequence

from jax_al.errors import UsageError
from jax_al.types import Answer, Oracle


def collected(oracle: Oracle) -> Sequence[Answer]:
    """Returns what `oracle` has answered by now; nothing where there is none yet.

    Raises:
      UsageError: it returned no list, for which one would wait for ever, or what is no Answer.
    """
    answers = oracle.collect()
    if not isinstance(answers, list | tuple):
        raise UsageError(
            "collect() of the oracle must return a list of answers, empty where there are none "
            f"yet, and returned a {type(answers).__name__}."
        )
    if strange := [one for one in answers if not isinstance(one, Answer)]:
        raise UsageError(
            "collect() of the oracle must return a list of al.Answer(row, decision), and one of it "
            f"is a {type(strange[0]).__name__}."
        )
    return answers
