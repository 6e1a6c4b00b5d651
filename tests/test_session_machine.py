"""Journal and progress beside lists of what was done, in any order that hypothesis can think of."""

import pathlib
import tempfile

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from made_up_journals import begun, selected, told

from jax_al.errors import UsageError
from jax_al.session.fold import fold
from jax_al.session.journal import Journal
from jax_al.session.progress import Progress
from jax_al.session.work import (
    Answered,
    Ask,
    Asked,
    Closed,
    Course,
    Select,
    Train,
    Trained,
    Undone,
    Wait,
)
from jax_al.types import BROKEN, SKIP, UNSURE, Answer

SIZE = 9  # of the machine's pool
DECISIONS = st.sampled_from([0, 1, 2, 0, 1, 2, SKIP, UNSURE, BROKEN])
PEOPLE = st.lists(st.tuples(st.integers(0, SIZE - 1), DECISIONS), min_size=1, max_size=5)


class Labeling(RuleBasedStateMachine):
    """A driver and a script that tells, on one journal, beside lists of what they did."""

    @initialize(initial=st.sampled_from([0, 2]), longest=st.sampled_from([2, 4, None]))
    def begin(self, initial, longest):
        self.place = tempfile.TemporaryDirectory()
        self.directory = pathlib.Path(self.place.name)
        self.course = Course(SIZE, initial, 3, longest)
        Journal(self.directory).append(begun(size=SIZE))
        self.log = []  # ("ask", rows), ("answer", event, {row: decision}), ("close", request)
        self.trained = {}
        self.restart()
        self.script = Progress(Journal(self.directory), self.course)

    @rule()
    def restart(self):
        self.driver = Progress(Journal(self.directory), self.course)
        self.handed_over = None

    @rule(part=st.sampled_from([b"{", b'{"event": "undone", "of": 2, "at": 1}']))
    def kill(self, part):
        """In the middle of an append; the script may write next, or a new driver."""
        with open(self.directory / "journal.jsonl", "ab") as file:
            file.write(part)
        self.restart()

    @rule(data=st.data(), times=st.integers(1, 4))
    def work(self, data, times):
        for _ in range(times):
            self.work_once(data)

    def work_once(self, data):
        work = self.driver.plan()
        requests, closes = self.asks(), [op for op in self.log if op[0] == "close"]
        episode = len(closes) + (not self.course.initial_size)
        decided = self.decided()
        match work:
            case Select():
                assert len(closes) == len(requests) == work.request
                assert work.episode == episode
                assert work.episode == 0 or work.episode in self.trained
                free = [row for row in range(SIZE) if row not in decided]
                assert work.count == min(len(free), 3 if work.episode else 2)
                rows = data.draw(st.permutations(free))[: work.count]
                self.driver.commit(selected(work, rows))
                self.log.append(("ask", rows))
            case Train():
                assert work.episode == episode == len(self.trained) + 1
                assert len(closes) == len(requests)
                known = fold(Journal(self.directory).events()[: work.as_of + 1])
                self.trained[work.episode] = dict(zip(known.order, known.labels, strict=True))
                self.driver.commit(Trained(work.episode, work.as_of, {}, "d"))
            case Ask() | Wait():
                assert len(closes) == work.request == len(requests) - 1
                assert isinstance(work, Wait) == (self.handed_over == work.request)
                assert work.rows == tuple(row for row in requests[-1] if row not in decided)
                if isinstance(work, Ask):
                    self.driver.commit(Asked(work.request))
                    self.handed_over = work.request
            case None:
                is_last = episode == self.course.max_episodes or len(decided) == SIZE
                assert is_last
                assert episode in self.trained

    @precondition(lambda self: self.log)
    @rule(data=st.data())
    def tell_all(self, data):
        """All that is open, or, as one gets to it, what has been left over for long."""
        rows = self.driver.refold().undecided()
        if data.draw(st.booleans()):
            decided = self.decided()
            rows = [row for asked in self.asks() for row in asked if row not in decided]
        known = sorted({row for asked in self.asks() for row in asked})
        answers = [(known.index(row), data.draw(DECISIONS)) for row in rows]
        self.tell("script", data.draw(st.permutations(answers)), False)

    @rule(who=st.sampled_from(["driver", "script"]), answers=PEOPLE, relabel=st.booleans())
    def tell(self, who, answers, relabel):
        known = sorted({row for rows in self.asks() for row in rows}) or [0]
        told = {known[place % len(known)]: decision for place, decision in answers if self.log}
        decided = self.decided()
        news = {row: decision for row, decision in told.items() if decided.get(row) != decision}
        progress = self.driver if who == "driver" else self.script
        result = Answered([Answer(*pair, who, 1.0) for pair in told.items()], relabel)
        if not relabel and set(news) & set(decided):
            with pytest.raises(UsageError, match="relabel=True"):
                progress.commit(result)
            return
        before = progress.refold().answered
        progress.commit(result)
        new = progress.record.answered[len(before) :]
        assert len(new) == bool(news)
        if news:
            self.log.append(("answer", new[0], news))
        self.close_if_decided()

    @rule(row=st.integers(-2, SIZE + 1), decision=st.sampled_from([-1, 0, 3, -5]))
    def tell_nonsense(self, row, decision):
        if decision or row not in {row for rows in self.asks() for row in rows}:
            with pytest.raises(UsageError):
                self.script.commit(told([row], decision))

    @precondition(lambda self: any(op[0] == "answer" for op in self.log))
    @rule(data=st.data())
    def undo(self, data):
        op = data.draw(st.sampled_from([op for op in self.log if op[0] == "answer"]))
        self.script.commit(Undone(op[1]))
        self.log.remove(op)  # as if it had never been told

    @rule()
    def close(self):
        number = len(self.asks()) - 1
        if ("close", number) in self.log or number < 0:
            with pytest.raises(UsageError, match="not open"):
                self.script.commit(Closed(number))
        else:
            self.script.commit(Closed(number))
            self.log.append(("close", number))

    @invariant()
    def the_record_is_what_was_done(self):
        record = fold(Journal(self.directory).events())
        assert self.driver.refold() == self.script.refold() == record
        decided = self.decided()
        assert {row: d.decision for row, d in record.decisions.items()} == decided
        assert [list(request.rows) for request in record.requests] == self.asks()
        assert dict(zip(record.order, record.labels, strict=True)) == {
            row: decided[row] for row in record.order
        }
        assert list(record.order) == self.order()
        assert list(record.trained) == list(self.trained)
        for episode, network in record.trained.items():
            known = fold(Journal(self.directory).events()[: network.as_of + 1])
            labels = dict(zip(known.order, known.labels, strict=True))
            assert labels == self.trained[episode]
        finished = [row["episode"] for row in self.driver.rows()]
        assert finished in (list(self.trained), list(self.trained)[:-1])
        assert [pick.index - 100 for pick in self.driver.picks()] == self.order()

    def teardown(self):
        if hasattr(self, "place"):
            self.place.cleanup()

    def asks(self):
        return [op[1] for op in self.log if op[0] == "ask"]

    def decided(self):
        return {
            row: decision for op in self.log if op[0] == "answer" for row, decision in op[2].items()
        }

    def close_if_decided(self):
        number, decided = len(self.asks()) - 1, self.decided()
        is_open = number >= 0 and ("close", number) not in self.log
        if is_open and all(row in decided for row in self.asks()[-1]):
            self.log.append(("close", number))

    def order(self):
        """What is labeled, said the slow way: all is gone through again at each close."""
        order, decided, asks = [], {}, []
        for kind, *what in self.log:
            if kind == "ask":
                asks.append(what[0])
            elif kind == "answer":
                decided |= what[1]
                order = [row for row in order if decided[row] >= 0]
            else:
                last = {row: number for number, rows in enumerate(asks) for row in rows}
                for number in [len(asks) - 1, *range(len(asks) - 1)]:
                    for row in asks[number]:
                        if last[row] == number and decided.get(row, -1) >= 0 and row not in order:
                            order.append(row)
        return order


Labeling.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestLabeling = Labeling.TestCase
