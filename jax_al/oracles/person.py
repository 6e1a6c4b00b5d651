"""A simulated person, who labels as people do: to be asked by tests and studies of the whole path.

The simulated oracle answers a driver; a person answers whatever people answer: an `al.Session`, a
record by way of a Teller, the Desk of the page. What is said of a row, and how long it takes, comes
from (seed, row) alone, and time passes on a clock of its own: nothing waits.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jax_al.errors import UsageError
from jax_al.session.teller import Teller
from jax_al.types import SKIP, UNSURE

BY_PEOPLE = ("audit", "check", "random")  # why rows are drawn that wait for somebody
SPREAD = 0.5  # of the logarithm of the seconds that an answer takes


class Said(NamedTuple):
    """What a person says of one row."""

    decision: int  # a class, or SKIP, UNSURE
    seconds: float  # that it took


class Person:
    """Somebody who knows the truth and does not always say it.

    Args:
      truth: int [N], the class of each row.
      classes: names of the C classes, at least two.
      noise: the chance that an answer is another class, each of them as likely.
      skip: the chance that a row is skipped.
      unsure: the chance that somebody is unsure of a row that is not skipped.
      seconds: median of what an answer takes; lognormal.
      seed: of all chance.
      who: the name that stands beside the answers.

    Raises:
      UsageError: an option is out of range.
    """

    def __init__(
        self,
        truth: np.ndarray,
        classes: Sequence[str],
        *,
        noise: float = 0.0,
        skip: float = 0.0,
        unsure: float = 0.0,
        seconds: float = 2.0,
        seed: int = 0,
        who: str = "simulated",
    ) -> None:
        for name, share in (("noise", noise), ("skip", skip), ("unsure", unsure)):
            if not 0 <= share <= 1:
                raise UsageError(f"{name} is a share of the answers, from 0 to 1, and not {share}.")
        if len(classes) < 2 or not 0 <= truth.min(initial=0) <= truth.max(initial=0) < len(classes):
            raise UsageError(
                f"There are {len(classes)} classes for a truth of {truth.min(initial=0)} to "
                f"{truth.max(initial=0)}: name at least two, and each that is there."
            )
        if not seconds > 0 or seed < 0:
            raise UsageError(
                f"seconds is {seconds} and seed {seed}: one must be above 0, the other not below."
            )
        self.truth, self.classes, self.who = truth, tuple(classes), who
        self.clock = 0.0  # seconds that were spent on all answers so far
        self._chances, self._seconds, self._seed = (skip, unsure, noise), seconds, seed

    def say(self, row: int) -> Said:
        """Returns what is said of `row`, whoever asks and whenever; no time passes."""
        rng = np.random.default_rng((self._seed, row))
        # All are drawn whatever is used, so that one option never changes what another draws.
        skips, doubts, errs = (rng.random() < chance for chance in self._chances)
        C, true = len(self.classes), int(self.truth[row])
        wrong = (true + int(rng.integers(1, C))) % C
        seconds = self._seconds * float(np.exp(SPREAD * rng.standard_normal()))
        return Said(SKIP if skips else UNSURE if doubts else wrong if errs else true, seconds)

    def answer(self, row: int) -> tuple[str | int, float]:
        """Answers: the name of a class, SKIP or UNSURE, and the seconds, which the clock gains."""
        said = self.say(row)
        self.clock += said.seconds
        return self.classes[said.decision] if said.decision >= 0 else said.decision, said.seconds


def label_session(person: Person, session: Any, requests: int) -> int:
    """Answers so many requests of an `al.Session`, which trains in between.

    Returns:
      How many it answered: fewer if nothing is left to ask.
    """
    for number in range(requests):
        request = session.ask()
        if request is None:
            return number
        told = zip(request.ids, map(person.answer, request.rows), strict=True)
        session.tell({name: said for name, (said, _) in told}, who=person.who)
    return requests


def label_record(person: Person, teller: Teller) -> int:
    """Answers all that waits on a record now: what the open request asks, what was drawn.

    Whoever computes there goes on when this has returned.

    Returns:
      How many rows it answered.
    """
    record = teller.record()
    names = {row: name for name, row in teller.rows().items()}
    drawn = [row for draw in record.draws if draw.why in BY_PEOPLE for row in draw.rows]
    asked = dict.fromkeys([*record.undecided(), *drawn])
    waits = [row for row in asked if record.said(row) is None]
    for row in waits:
        said, seconds = person.answer(row)
        name = names[row]
        teller.tell({name: said}, who=person.who, seconds={name: seconds})
    return len(waits)


def label_desk(person: Person, desk: Any, client: str, count: int) -> int:
    """Answers what a Desk hands out, as a client of the page does, one after another.

    Args:
      person: who answers.
      desk: `people.desk.Desk`.
      client: the name of the client.
      count: how many answers to give.

    Returns:
      How many it gave: fewer if nothing is handed out any more.
    """
    words: dict[str | int, str] = {SKIP: "skip", UNSURE: "unsure"}
    for number in range(count):
        items = desk.next(client, 1, [])
        if not items:
            return number
        row = items[0].row
        said, seconds = person.answer(row)
        desk.answer(row, words.get(said) or said, client, f"{row}:{number}", seconds)
    return count
