"""Whose job is next: owners share the workers equally, by work and not by number of jobs. Pure.

Start-time fair queueing (Goyal, Vin, Cheng, "Start-time Fair Queueing", SIGCOMM 1996) with equal weights: each owner
has a start tag, the turn of the first of its jobs; the lowest tag is served, and moves on by the work of that job. An
owner that comes anew starts at the tag that was served last, so having been idle is worth nothing. While two owners
have jobs queued, what they are served never differs by more than the largest job of each. Once the queue is empty all
is forgotten: nobody is owed anything.

What a job took beyond the foretold is put on its owner's tag afterwards (`charge`): a foretelling that is too low, by
chance or by design, is worth nothing either.

Within an owner jobs go by sequence number, so one that is put back keeps its place; its second turn counts like any.
"""

import heapq
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic, TypeVar

from engine.service.work import Work

__all__ = ["FairQueue"]

J = TypeVar("J")


class FairQueue(Generic[J]):
    """`cost` says what work takes, in seconds or any unit, and must be linear: twice the work, twice the cost.

    It may change at any time; what is queued is always counted as it says now.
    """

    def __init__(self, cost: Callable[[Work], float]) -> None:
        self._cost = cost
        self._owners: dict[str, _Owner[J]] = {}
        # (start tag, tie-break, owner), once for each owner; the tag may have moved on since.
        self._turns: list[tuple[float, int, str]] = []
        self._ties = itertools.count()
        self._now = 0.0  # the start tag that was served last
        self._size = 0

    def __repr__(self) -> str:
        return f"<FairQueue: {self._size} jobs of {len(self._owners)} owners>"

    def __len__(self) -> int:
        return self._size

    def put(self, owner: str, sequence: int, work: Work, job: J) -> None:
        """Queue `job`; an owner's `sequence` must be unique among what it has queued."""
        self._line(owner).put(sequence, work, job)
        self._size += 1

    def pop(self) -> J:
        """Take out the job whose turn it is; raises IndexError when there is none."""
        while self._turns:
            tag, tie, owner = heapq.heappop(self._turns)
            line = self._owners[owner]
            if line.start_tag > tag:  # it was charged
                heapq.heappush(self._turns, (line.start_tag, tie, owner))
                continue
            self._now = tag
            if not line.jobs:  # what it had was cancelled, or it has been idle until its turn came
                del self._owners[owner]
                continue
            work, job = line.pop()
            line.start_tag = self._now + self._cost(work)
            heapq.heappush(self._turns, (line.start_tag, next(self._ties), owner))
            self._shrink()
            return job
        raise IndexError("no job is queued")

    def charge(self, owner: str, cost: float) -> None:
        """Have `owner` wait for `cost` longer. Does nothing while nobody waits, as nobody was kept waiting."""
        if self._size:
            self._line(owner).start_tag += cost

    def discard(self, owner: str, sequence: int) -> bool:
        """Take a job out, whose turn never comes; False when it is not queued."""
        line = self._owners.get(owner)
        if line is None or not line.discard(sequence):
            return False
        self._shrink()
        return True

    def work_ahead(self, owner: str, later: Mapping[str, float] = MappingProxyType({})) -> float:
        """Return the cost of what would be taken out before a job of `owner` that were put now.

        That is all that the owner has queued, and of each other owner what has its turn before that, as far as it has
        so much queued, or puts so much in the meantime: `later`, by owner.
        """
        line = self._owners.get(owner)
        own = 0.0 if line is None else line.backlog(self._cost)
        turn = own + (self._now if line is None else line.start_tag)
        ahead = own
        for name, other in self._owners.items():
            if other is not line:
                ahead += other.ahead_of(turn, self._cost, later.get(name, 0.0))
        for name, cost in later.items():
            if name != owner and name not in self._owners:
                ahead += min(cost, turn - self._now)
        return ahead

    def costs_ahead(self, owner: str, limit: int) -> list[float] | None:
        """Return the cost of each job that is taken out before one of `owner` that were put now, in their order.

        None when they are more than `limit`. Takes no longer the more there are.
        """
        costs: list[float] = []
        lines = {name: line.in_order() for name, line in self._owners.items()}
        turns = [(max(tag, self._owners[name].start_tag), tie, name) for tag, tie, name in self._turns]
        heapq.heapify(turns)
        ties = itertools.count(next(self._ties))
        if owner not in lines:
            heapq.heappush(turns, (self._now, next(ties), owner))
        while len(costs) <= limit:
            tag, _, name = heapq.heappop(turns)
            work = next(lines.get(name, iter(())), None)
            if work is not None:
                costs.append(self._cost(work))
                heapq.heappush(turns, (tag + costs[-1], next(ties), name))
            elif name == owner:
                return costs
        return None

    def _line(self, owner: str) -> "_Owner[J]":
        line = self._owners.get(owner)
        if line is None:
            line = self._owners[owner] = _Owner(self._now)
            heapq.heappush(self._turns, (self._now, next(self._ties), owner))
        return line

    def _shrink(self) -> None:
        self._size -= 1
        if not self._size:
            self._owners.clear()
            self._turns.clear()
            self._now = 0.0


class _Owner(Generic[J]):
    """The jobs of one owner, and how much work of each route they are."""

    def __init__(self, start_tag: float) -> None:
        self.start_tag = start_tag
        self.jobs: dict[int, tuple[Work, J]] = {}
        self._order: list[int] = []  # a heap; may still name jobs that were discarded
        self._loads: dict[str, _Load] = {}

    def put(self, sequence: int, work: Work, job: J) -> None:
        if sequence in self.jobs:
            raise ValueError(f"job {sequence} is queued already")
        self.jobs[sequence] = work, job
        heapq.heappush(self._order, sequence)
        self._loads.setdefault(work.route, _Load()).add(work)

    def pop(self) -> tuple[Work, J]:
        while (sequence := heapq.heappop(self._order)) not in self.jobs:
            pass
        return self._take(sequence)

    def discard(self, sequence: int) -> bool:
        if sequence not in self.jobs:
            return False
        self._take(sequence)
        if len(self._order) > 2 * len(self.jobs) + 8:  # so that gone jobs take no room; O(1) over all
            self._order = sorted(self.jobs)
        return True

    def in_order(self) -> Iterator[Work]:
        """Yield the work of each job in the order of their sequence; the first few of many take little time."""
        nodes = [(self._order[0], 0)] if self._order else []
        while nodes:
            sequence, index = heapq.heappop(nodes)
            for child in range(2 * index + 1, min(2 * index + 3, len(self._order))):
                heapq.heappush(nodes, (self._order[child], child))
            if sequence in self.jobs:
                yield self.jobs[sequence][0]

    def backlog(self, cost: Callable[[Work], float]) -> float:
        return sum(cost(load.work(route)) for route, load in self._loads.items())

    def ahead_of(self, turn: float, cost: Callable[[Work], float], later: float) -> float:
        """Return the cost of those jobs whose turn is before `turn`, `later` being put in the meantime.

        It comes to that turn and, as jobs are not cut up, to half a job more on average.
        """
        if self.start_tag > turn:
            return 0.0
        backlog = self.backlog(cost)
        half_a_job = backlog / len(self.jobs) / 2.0 if self.jobs else 0.0
        return min(backlog + later, turn - self.start_tag + half_a_job)

    def _take(self, sequence: int) -> tuple[Work, J]:
        work, job = self.jobs.pop(sequence)
        load = self._loads[work.route]
        load.remove(work)
        if not load.jobs:  # rounding errors of the sum go with it
            del self._loads[work.route]
        return work, job


@dataclass(slots=True)
class _Load:
    jobs: int = 0
    megapixels: float = 0.0
    face_work: float = 0.0

    def work(self, route: str) -> Work:
        return Work(route=route, megapixels=self.megapixels, jobs=self.jobs, face_work=self.face_work)

    def add(self, work: Work) -> None:
        self.jobs += work.jobs
        self.megapixels += work.megapixels
        self.face_work += work.face_work

    def remove(self, work: Work) -> None:
        self.jobs -= work.jobs
        self.megapixels = max(0.0, self.megapixels - work.megapixels)
        self.face_work = max(0.0, self.face_work - work.face_work)
