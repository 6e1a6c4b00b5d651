"""What the events of a part come to: a pure function from events to a record.

Answers wait with their request until it closes; then its rows that have a class join `order` in
pick order, whatever the order in which the answers came. An answer that comes later joins at the
next close, after the rows of the request that closes. A joined row whose answer is replaced by
another class keeps its place; one that has no class any more leaves it.

An answer that is undone is as if it had never been told: everything is folded without it.

Rows may also be drawn, and then answered outside of any request. What is drawn to hold it out is
never asked by a strategy and never trained on; all else that is drawn joins as late answers do. A
draw that is called off keeps the rows that were answered.
"""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from jax_al.session.events import Event

# Draws that are labeled blind, to learn how right the rest is; or that are like another row.
HELD_OUT = ("audit", "check", "twin")
# Of the data themselves: a class known beforehand, a file that has gone or is another one.
OF_DATA = ("given", "gone", "changed")
BY_CHANCE = ("audit", "check", "random")  # what somebody may ask to be drawn
DRAWN = (*HELD_OUT, "random", "alike", *OF_DATA)  # why rows may be drawn
WHY = ("strategy", "review", *DRAWN)  # why an answer was asked for


class Decision(NamedTuple):
    """What was last said of a row."""

    decision: int  # a class as it was told (maybe merged since), or SKIP, UNSURE, BROKEN
    who: str
    when: float  # seconds since 1970
    why: str = "strategy"  # it was asked, one of WHY
    seconds: float | None = None  # that it took
    item: str = ""  # hash of what was looked at


class Draw(NamedTuple):
    """Rows that may be answered outside of any request; the sequences are as long as `rows`."""

    number: int  # from 0
    episode: int  # whose learner was the last when they were drawn
    rows: tuple[int, ...]
    ids: tuple[str, ...]
    index: tuple[int, ...]  # type: ignore[assignment]  # in the whole data set; hides tuple.index
    why: str  # one of DRAWN


class Request(NamedTuple):
    """Rows that were asked together; all sequences in pick order."""

    number: int  # from 0
    episode: int  # at whose end it was asked; 0 for the initial labels
    rows: tuple[int, ...]
    ids: tuple[str, ...]
    index: tuple[int, ...]  # type: ignore[assignment]  # in the whole data set; hides tuple.index
    scores: tuple[float | None, ...] | None
    info: dict[str, float | None]
    near_duplicate_share: float | None
    seconds_embed: float
    seconds_select: float
    pseudo_labels: dict[str, str] | None  # file, digest
    closed: bool
    asked_at: int  # the number of its event
    seconds_record: float = 0.0  # of what was kept of it for people; older journals do not tell


class Trained(NamedTuple):
    """A network whose checkpoint is durable."""

    episode: int
    as_of: int  # the number of the last event that it was trained on
    metrics: dict[str, Any]
    digest: str  # of the checkpoint


class Record(NamedTuple):
    """All that is known after some events. Nothing in it is ever changed."""

    strategy: str  # empty before the first event, like all that it tells
    seed: int
    data: dict[str, Any]  # name, version, size
    config: dict[str, Any]
    versions: dict[str, Any]  # the last ones
    classes: dict[int, str]  # by id, without those that were merged into others
    num_classes: int  # ids ever given: 0..num_classes-1
    merged: dict[int, int]  # a class that is gone -> the one it is part of
    called: dict[str, int]  # each name that a class has had -> the id of the last to have it
    begun_classes: tuple[str, ...]  # names, of the first event
    outdated: int  # the last event that what was trained before does not fit; -1: none
    requests: tuple[Request, ...]  # by number
    draws: tuple[Draw, ...]  # by number
    open: Request | None  # the one that waits for answers
    asked: dict[int, int]  # row -> the last request that it is of, or ~n of draw n if of none
    drawn: dict[int, str]  # row -> why it was drawn, if it is held out or was not asked since
    decisions: dict[int, Decision]  # by row; none of these rows is asked again
    held_out: dict[int, Decision | None]  # rows drawn to hold them out, and what was said of them
    excluded: tuple[int, ...]  # rows decided without a class or held out, rising
    late: tuple[int, ...]  # rows with a class that join at the next close, rising
    order: tuple[int, ...]  # rows labeled, in the order of the closes
    labels: tuple[int, ...]  # theirs, after all merges
    num_initial: int  # how many of them are initial labels
    num_queries: int  # requests of episodes that are closed
    trained: dict[int, Trained]  # by episode, the last of each
    answered: tuple[int, ...]  # numbers of the `answered` events that stand
    told: tuple[int, ...]  # those of them that people told, not the data
    num_events: int

    @property
    def num_taken(self) -> int:
        """How many rows no strategy may ask any more."""
        return len(self.decisions) + len(self.held_out)

    def said(self, row: int) -> Decision | None:
        """Returns what was last said of a row, held out or not."""
        return self.held_out[row] if row in self.held_out else self.decisions.get(row)

    def why(self, row: int) -> str:
        """Returns why `row`, which was asked or drawn, is to be answered; one of WHY."""
        return self.drawn.get(row, "strategy")

    def drawn_as(self, why: str) -> tuple[int, ...]:
        """Returns the rows of all draws of one reason, one of WHY, in their order."""
        return tuple(row for draw in self.draws if draw.why == why for row in draw.rows)

    def origin(self, row: int) -> "Request | Draw":
        """Returns the last request that `row` is of, or else the draw."""
        number = self.asked[row]
        return self.draws[~number] if number < 0 else self.requests[number]

    def undecided(self) -> tuple[int, ...]:
        """Returns the rows of the open request that wait for an answer, in pick order."""
        rows = self.open.rows if self.open else ()
        return tuple(row for row in rows if row not in self.decisions and row not in self.held_out)

    def label_of(self, decision: int) -> int:
        """Returns `decision` after all merges."""
        return self.merged.get(decision, decision)

    def renamed(self) -> dict[str, str]:
        """Returns what each class is called now, by every name that one has had."""
        return {name: self.classes[self.label_of(id)] for name, id in self.called.items()}


def fold(events: Sequence[Event]) -> Record:
    """Returns what `events` come to; the first k of them give the record as of then."""
    draft = Draft()
    draft.take(events, undone_in(events))
    return draft.record()


def undone_in(events: Sequence[Event]) -> set[int]:
    """Returns the numbers of the events that others take back."""
    return {event["of"] for event in events if event["event"] == "undone"}


class Draft:
    """A record in the making: taking in an event costs about as much as the event is long."""

    def __init__(self) -> None:
        self.num_events = 0
        self._begin: Event = {"strategy": "", "seed": 0, "data": {}, "config": {}, "classes": []}
        self._last_versions: dict[str, Any] = {}
        self._classes: dict[int, str] = {}
        self._num_classes = 0
        self._called: dict[str, int] = {}
        self._into: dict[int, int] = {}
        self._outdated = -1
        self._requests: list[Request] = []
        self._draws: list[Draw] = []
        self._open: Request | None = None
        # row -> its last request or, negative, its first draw; its place in it
        self._place: dict[int, tuple[int, int]] = {}
        self._why: dict[int, str] = {}
        self._why_before: dict[int, str] = {}  # a row that waits was held out
        self._held_out: dict[int, Decision | None] = {}
        self._decisions: dict[int, Decision] = {}
        self._late: set[int] = set()
        self._joined: dict[int, int] = {}  # row -> the request whose close it joined at, in order
        self._networks: dict[int, Trained] = {}
        self._answers: list[int] = []
        self._told: list[int] = []

    def take(self, events: Sequence[Event], undone: Collection[int]) -> None:
        """Takes in those of `events` that it has not yet, but for the numbers in `undone`."""
        for event in events[self.num_events :]:
            if self.num_events not in undone and event["event"] != "undone":
                getattr(self, f"_{event['event']}")(event)
            self.num_events += 1

    def copy(self) -> "Draft":
        """Returns one that does not change with this one."""
        other = Draft()
        for name, value in vars(self).items():
            is_changed_in_place = isinstance(value, dict | list | set)
            setattr(other, name, value.copy() if is_changed_in_place else value)
        return other

    def record(self) -> Record:
        """Returns the record as of now; costs as much as it is large."""
        told = [self._decisions[row].decision for row in self._joined]
        return Record(
            strategy=self._begin["strategy"],
            seed=self._begin["seed"],
            data=self._begin["data"],
            config=self._begin["config"],
            versions=self._last_versions,
            classes=dict(self._classes),
            num_classes=self._num_classes,
            merged=dict(self._into),
            called=dict(self._called),
            begun_classes=tuple(self._begin["classes"]),
            outdated=self._outdated,
            requests=tuple(self._requests),
            draws=tuple(self._draws),
            open=self._open,
            asked={row: number for row, (number, _) in self._place.items()},
            drawn=dict(self._why),
            decisions=dict(self._decisions),
            held_out=dict(self._held_out),
            excluded=tuple(
                sorted(
                    {row for row, d in self._decisions.items() if d.decision < 0}
                    | self._held_out.keys()
                )
            ),
            late=tuple(sorted(self._late)),
            order=tuple(self._joined),
            labels=tuple(self._into.get(decision, decision) for decision in told),
            num_initial=sum(
                k >= 0 and self._requests[k].episode == 0 for k in self._joined.values()
            ),
            num_queries=sum(r.closed and r.episode > 0 for r in self._requests),
            trained=dict(self._networks),
            answered=tuple(self._answers),
            told=tuple(self._told),
            num_events=self.num_events,
        )

    def _begun(self, event: Event) -> None:
        self._begin = event
        self._classes = dict(enumerate(event["classes"]))
        self._num_classes = len(self._classes)
        self._called = {name: number for number, name in self._classes.items()}

    def _versions(self, event: Event) -> None:
        self._last_versions = {k: v for k, v in event.items() if k not in ("event", "at")}

    def _asked(self, event: Event) -> None:
        request = Request(
            number=event["request"],
            episode=event["episode"],
            rows=tuple(event["rows"]),
            ids=tuple(event["ids"]),
            index=tuple(event["index"]),
            scores=None if event["scores"] is None else tuple(event["scores"]),
            info=event["info"],
            near_duplicate_share=event["near_duplicate_share"],
            seconds_embed=event["seconds_embed"],
            seconds_select=event["seconds_select"],
            pseudo_labels=event["pseudo_labels"],
            closed=False,
            asked_at=self.num_events,
            seconds_record=event.get("seconds_record", 0.0),
        )
        if self._open is not None or request.number != len(self._requests):
            raise ValueError(f"request {request.number} is not in turn")
        self._requests.append(request)
        self._open = request
        for place, row in enumerate(request.rows):
            self._place[row] = (request.number, place)
            # One that was held out while it was chosen stays so.
            (self._why_before if row in self._held_out else self._why).pop(row, None)
            self._late.discard(row)  # told while it was chosen: it is of this request now

    def _drawn(self, event: Event) -> None:
        number, why = len(self._draws), event["why"]
        rows, ids = tuple(event["rows"]), tuple(event["ids"])
        self._draws.append(Draw(number, event["episode"], rows, ids, tuple(event["index"]), why))
        for place, row in enumerate(rows):
            self._place.setdefault(row, (~number, place))
            if why in HELD_OUT:
                self._held_out[row] = None
                if row in self._why:
                    self._why_before[row] = self._why[row]
            if why not in ("gone", "changed"):  # which say nothing of why it is answered
                self._why[row] = why

    def _withdrawn(self, event: Event) -> None:
        number, gone = event["draw"], set(event["rows"])
        draw = self._draws[number]
        kept = [k for k, row in enumerate(draw.rows) if row not in gone]
        self._draws[number] = draw._replace(
            rows=tuple(draw.rows[k] for k in kept),
            ids=tuple(draw.ids[k] for k in kept),
            index=tuple(draw.index[k] for k in kept),
        )
        for row in gone:
            del self._held_out[row], self._why[row]
            if row in self._why_before:
                self._why[row] = self._why_before.pop(row)
            if self._place[row][0] == ~number:
                del self._place[row]

    def _answered(self, event: Event) -> None:
        self._answers.append(self.num_events)
        answers = event["answers"]
        nothing = [None] * len(answers)
        whys = event.get("why", nothing)
        if not any(why in OF_DATA for why in whys):
            self._told.append(self.num_events)
        more = zip(whys, event.get("seconds", nothing), event.get("items", nothing), strict=True)
        for (row, decision), (why, seconds, item) in zip(answers, more, strict=True):
            before = self._held_out[row] if row in self._held_out else self._decisions.get(row)
            if before is not None and not event.get("relabel", False):
                continue
            why = why or self._why.get(row, "strategy")
            now = Decision(decision, event["who"], event["when"], why, seconds, item or "")
            if row in self._held_out:
                self._held_out[row] = now
                continue
            self._decisions[row] = now
            if decision < 0:
                self._joined.pop(row, None)
                self._late.discard(row)
            elif row not in self._joined and not self._is_open(row):
                self._late.add(row)

    def _closed(self, event: Event) -> None:
        if self._open is not None and self._open.number == event["request"]:
            self._close()

    def _joined_late(self, event: Event) -> None:
        del event
        for row in sorted(self._late, key=self._place.__getitem__):
            self._joined[row] = self._place[row][0]
        self._late.clear()

    def _trained(self, event: Event) -> None:
        if event["as_of"] >= self.num_events:
            raise ValueError(f"the network of episode {event['episode']} is of later")
        self._networks[event["episode"]] = Trained(
            event["episode"], event["as_of"], event["metrics"], event["digest"]
        )

    def _class_added(self, event: Event) -> None:
        self._close()
        self._outdated = self.num_events
        self._name(event)
        self._num_classes = max(self._num_classes, event["id"] + 1)

    def _class_renamed(self, event: Event) -> None:
        self._close()
        self._name(event)

    def _class_merged(self, event: Event) -> None:
        self._close()
        self._outdated = self.num_events
        gone, into = event["id"], event["into"]
        del self._classes[gone]
        self._into = {id: into if to == gone else to for id, to in self._into.items()}
        self._into[gone] = into

    def _pool_changed(self, event: Event) -> None:
        self._close()
        self._outdated = self.num_events
        self._begin = self._begin | {"data": event["data"]}

    def _name(self, event: Event) -> None:
        self._classes[event["id"]] = event["name"]
        self._called[event["name"]] = event["id"]

    def _close(self) -> None:
        if self._open is None:
            return
        number = self._open.number
        late = sorted(self._late, key=self._place.__getitem__)
        for row in (*self._open.rows, *late):
            if row in self._decisions and self._decisions[row].decision >= 0:
                self._joined[row] = number
        self._late.clear()
        self._requests[number] = self._open._replace(closed=True)
        self._open = None

    def _is_open(self, row: int) -> bool:
        return self._open is not None and self._place[row][0] == self._open.number
