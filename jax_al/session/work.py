"""What a part wants done next, and what comes of it: the words of `Progress` and its drivers."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from jax_al.session.fold import Trained
from jax_al.types import Answer


class Course(NamedTuple):
    """How far a part shall go, and in what steps."""

    num_points: int  # N
    initial_size: int  # labels before the first episode; 0: the strategy begins
    budget: int  # Q
    max_episodes: int | None  # None: as long as something can be asked


class Select(NamedTuple):
    """Choose `count` rows: the initial ones for episode 0, else what the strategy wants."""

    request: int
    episode: int
    count: int  # type: ignore[assignment]  # hides tuple.count


class Train(NamedTuple):
    """Fit and evaluate the network of `episode` on `fold(events[: as_of + 1])`."""

    episode: int
    as_of: int


class Ask(NamedTuple):
    """Hand rows over to the oracle; once a process, as to do it again changes nothing."""

    request: int
    rows: tuple[int, ...]


class Wait(NamedTuple):
    """Nothing can be done before rows of the open request are decided."""

    request: int
    rows: tuple[int, ...]  # undecided, in pick order


Work = Select | Train | Ask | Wait


class Selected(NamedTuple):
    """What came of `Select`; the sequences are as long as `rows`, in pick order."""

    request: int
    episode: int
    rows: Sequence[int]
    ids: Sequence[str]
    index: Sequence[int]  # type: ignore[assignment]  # in the whole data set; hides tuple.index
    scores: Sequence[float] | None  # what is not finite is written down as null
    info: dict[str, Any]  # numbers; likewise
    near_duplicate_share: float | None
    seconds_embed: float
    seconds_select: float
    pseudo_labels: dict[str, str] | None  # file, digest
    seconds_record: float = 0.0  # of what is kept of it for people


class Asked(NamedTuple):
    """What came of `Ask`; not written down."""

    request: int


class Drawn(NamedTuple):
    """Rows that may be answered outside of any request and of the budget."""

    rows: Sequence[int]
    ids: Sequence[str]
    index: Sequence[int]  # type: ignore[assignment]  # in the whole data set; hides tuple.index
    why: str  # one of `fold.DRAWN`


class Withdrawn(NamedTuple):
    """What nobody has answered of a draw that was held out is called off."""

    draw: int  # its number
    rows: Collection[int] | None = None  # only what is of these


class Answered(NamedTuple):
    """What somebody said, of rows of any request or draw, in any number."""

    answers: Sequence[Answer]
    relabel: bool = False  # whether answers that are there may be replaced
    token: str = ""  # by which it is known again when it is told twice


class Undone(NamedTuple):
    """The `answered` event of this number is taken back."""

    event: int
    token: str = ""  # as of `Answered`


class Closed(NamedTuple):
    """The open request is over, whatever is still undecided."""

    request: int


class JoinedLate(NamedTuple):
    """Answers that came after their request was closed count from now on, none being open."""


class ClassAdded(NamedTuple):
    """A new class; like the next two, it closes the open request."""

    name: str


class ClassRenamed(NamedTuple):
    """A class has another name."""

    id: int
    name: str


class ClassMerged(NamedTuple):
    """All that is labeled as class `id` counts as class `into` from now on."""

    id: int
    into: int


Result = (
    Selected
    | Trained
    | Asked
    | Drawn
    | Withdrawn
    | Answered
    | Undone
    | Closed
    | JoinedLate
    | ClassAdded
    | ClassRenamed
    | ClassMerged
)
