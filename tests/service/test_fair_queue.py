"""Who is next: nothing lost, nothing twice, each owner in its own order, and no owner far ahead of another."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.service.fair_queue import FairQueue
from engine.service.work import Work

OWNERS = "abc"
LARGEST = 8

_puts = st.tuples(st.just("put"), st.sampled_from(OWNERS), st.integers(1, LARGEST))
_pops = st.just(("pop",))
_returns = st.just(("pop and put back",))
_discards = st.tuples(st.just("discard"), st.integers(0, 30))
_steps = st.lists(st.one_of(_puts, _puts, _pops, _returns, _discards), max_size=80)


def queue() -> FairQueue:
    """A queue in which a megapixel costs 1."""
    return FairQueue(lambda work: work.megapixels)


def work(units: float) -> Work:
    return Work(route="restore-gen", megapixels=float(units))


def drained(of: FairQueue) -> list:
    return [of.pop() for _ in range(len(of))]


class Model:
    """What is in the queue, kept the simple way, and how far apart owners were served while they had jobs."""

    def __init__(self):
        self.queue = queue()
        self.jobs = {owner: {} for owner in OWNERS}  # sequence to units
        self.sequence = itertools.count()
        self.spans = {}  # of two owners with jobs: service of the one less that of the other, its least and its most

    def put(self, owner, units, sequence=None):
        sequence = next(self.sequence) if sequence is None else sequence
        self.queue.put(owner, sequence, work(units), (owner, sequence))
        self.jobs[owner][sequence] = units
        self.watch()

    def pop(self):
        if not len(self.queue):
            with pytest.raises(IndexError):
                self.queue.pop()
            return None
        owner, sequence = self.queue.pop()
        assert sequence == min(self.jobs[owner])
        units = self.jobs[owner].pop(sequence)
        for pair, (before, least, most) in self.spans.items():
            now = before + units * ((owner == pair[0]) - (owner == pair[1]))
            self.spans[pair] = (now, min(least, now), max(most, now))
            assert self.spans[pair][2] - self.spans[pair][1] <= 2 * LARGEST
        self.watch()
        return owner, sequence, units

    def put_back(self):
        if popped := self.pop():
            owner, sequence, units = popped
            self.put(owner, units, sequence)

    def discard(self, sequence):
        for owner in OWNERS:
            assert self.queue.discard(owner, sequence) == (self.jobs[owner].pop(sequence, None) is not None)
        self.watch()

    def watch(self):
        for pair in itertools.combinations(OWNERS, 2):
            if not all(self.jobs[owner] for owner in pair):
                self.spans.pop(pair, None)
            else:
                self.spans.setdefault(pair, (0, 0, 0))
        assert len(self.queue) == sum(map(len, self.jobs.values()))


@given(_steps)
def test_any_order_of_steps(steps):
    """Every job comes out once, in its owner's order, and owners who both wait are served alike."""
    model = Model()
    for name, *values in steps:
        match name:
            case "put":
                model.put(*values)
            case "pop":
                model.pop()
            case "pop and put back":
                model.put_back()
            case "discard":
                model.discard(*values)
    while len(model.queue):
        model.pop()
    assert model.pop() is None
    assert repr(model.queue) == "<FairQueue: 0 jobs of 0 owners>"


@given(_steps, st.sampled_from([*OWNERS, "new"]))
def test_what_is_ahead_is_what_comes_out_before(steps, owner):
    """The jobs told to be ahead of a new one are those that are taken out before it."""
    of, sequence = queue(), itertools.count()
    for name, *values in steps:
        if name == "put":
            of.put(values[0], next(sequence), work(values[1]), values[1])
        elif len(of):
            of.pop()
    told, few = of.costs_ahead(owner, 1000), of.costs_ahead(owner, 3)
    of.put(owner, next(sequence), work(5), "mine")
    before = list(itertools.takewhile(lambda job: job != "mine", drained(of)))
    assert told == before
    assert few == (before if len(before) <= 3 else None)


def test_a_small_owner_is_not_kept_waiting_by_a_large_one():
    """Somebody who comes with one job goes before the backlog of somebody else, by work and not by number."""
    of = queue()
    for number in range(100):
        of.put("large", number, work(1), "large")
    assert [of.pop() for _ in range(10)] == ["large"] * 10
    of.put("small", 100, work(1), "small")
    of.put("heavy", 101, work(50), "heavy")
    of.put("heavy", 102, work(50), "heavy")
    order = drained(of)
    assert order.index("small") <= 2
    assert order.index("heavy", order.index("heavy") + 1) > 48


def test_idleness_is_worth_nothing():
    """Whoever was away for long shares from now on, and does not catch up."""
    of = queue()
    for number in range(40):
        of.put("a", number, work(1), "a")
    for _ in range(20):
        of.pop()
    for number in range(40, 60):
        of.put("b", number, work(1), "b")
    assert sorted(drained(of)[:20]) == ["a"] * 10 + ["b"] * 10


def test_a_job_that_is_put_back_keeps_its_place():
    """It is the first of its owner again."""
    of = queue()
    for number in range(3):
        of.put("a", number, work(1), number)
    assert of.pop() == 0
    of.put("a", 0, work(1), 0)
    assert drained(of) == [0, 1, 2]
    with pytest.raises(ValueError, match="queued already"):
        of.put("a", 7, work(1), 7) or of.put("a", 7, work(1), 7)


def test_work_ahead_follows_the_fair_schedule():
    """All of the owner's own, of others what comes in the same time; what is cancelled counts no more."""
    of = queue()
    assert of.work_ahead("a") == 0
    for number in range(10):
        of.put("a", number, work(2), "a")
    for number in range(10, 13):
        of.put("b", number, work(2), "b")
    assert of.work_ahead("a") == 20 + 6
    assert of.work_ahead("b") == 6 + 6 + 1
    assert of.work_ahead("new") == 1 + 1
    assert of.work_ahead("a", {"b": 4.0, "c": 3.0, "a": 9.0}) == 20 + 10 + 3
    assert of.discard("b", 11)
    assert not of.discard("b", 11)
    assert of.work_ahead("a") == 20 + 4


def test_the_cost_may_change():
    """What was queued before is counted at the new cost."""
    cost = {"restore-gen": 1.0, "enhance": 1.0}
    of = FairQueue(lambda work: cost[work.route] * work.megapixels)
    of.put("a", 1, Work(route="enhance", megapixels=2.0), 1)
    of.put("a", 2, Work(route="restore-gen", megapixels=1.0), 2)
    assert of.work_ahead("a") == 3.0
    cost["enhance"] = 10.0
    assert of.work_ahead("a") == 21.0
    of.pop()
    assert of.work_ahead("a") == 1.0


def test_cancelled_jobs_take_no_room():
    """However many were put and cancelled, the queue holds what is left."""
    of = queue()
    of.put("a", 0, work(1), "kept")
    for number in range(1, 10_000):
        of.put("a", number, work(1), "gone")
        of.discard("a", number)
    assert len(of) == 1
    assert of.pop() == "kept"
