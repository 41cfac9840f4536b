"""When a job will be done: what is running, what is queued ahead of it by the fair schedule, and the job itself. Pure.

All of it in the seconds that `engine.service.duration` foretells, shared by the workers. What others submit later may
have its turn before an owner's long backlog: they are thought to go on as they did of late.
"""

import heapq
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from engine.service.duration import Durations
from engine.service.fair_queue import FairQueue
from engine.service.inflow import Inflow
from engine.service.work import Work

__all__ = ["Timetable", "time_until_done", "time_until_taken"]

J = TypeVar("J")

# As many jobs ahead are put to the workers one by one; for more, all of their work is shared by all workers.
_FEW = 32
_FEW_ROUNDS = 8
_ROUNDS = 12
_CLOSE_ENOUGH = 0.01
_OVERDUE = 0.1  # of its foretold time is thought to be left of a job that runs for longer than foretold


class Timetable(Generic[J]):
    """The eta of jobs that would be put into `queue`, which `workers` empty."""

    def __init__(self, durations: Durations, queue: FairQueue[J], workers: int) -> None:
        self._durations = durations
        self._queue = queue
        self._workers = workers
        self._inflow = Inflow()
        self._running: dict[str, tuple[Work, float]] = {}

    def __repr__(self) -> str:
        return f"<Timetable: {len(self._running)} of {self._workers} workers busy, {self._durations!r}>"

    def submitted(self, owner: str, work: Work, now_s: float) -> None:
        """Note that a job was accepted; all times here are of one monotonic clock."""
        self._inflow.add(owner, self._durations.seconds(work), now_s)

    def began(self, process_id: str, work: Work, now_s: float) -> None:
        """Note that a worker has taken a job."""
        self._running[process_id] = work, now_s

    def ended(self, process_id: str) -> None:
        """Note that its worker is free, however the job ended."""
        self._running.pop(process_id, None)

    def seconds_until_done(self, owner: str, work: Work, now_s: float) -> float:
        """Return how long from now a job of `owner` takes that were put now."""
        return self._wait_s(owner, now_s) + self._durations.seconds(work)

    def _wait_s(self, owner: str, now_s: float) -> float:
        """Return the wait for what is there, and for what others put in during that wait: what it converges to."""
        ahead_s = self._queue.work_ahead(owner)
        present_s = self._wait_for_present(owner, ahead_s, now_s)
        rates, waiting_s = self._inflow.rates(now_s), present_s
        for _ in range(_ROUNDS):
            later = {other: rate * waiting_s for other, rate in rates.items()}
            before_s = waiting_s
            waiting_s = present_s + (self._queue.work_ahead(owner, later) - ahead_s) / self._workers
            if waiting_s - before_s <= _CLOSE_ENOUGH * before_s:
                break
        return waiting_s

    def _wait_for_present(self, owner: str, ahead_s: float, now_s: float) -> float:
        remaining_s = sorted(self._remaining(now_s))
        free_at = [0.0] * max(0, self._workers - len(remaining_s)) + remaining_s
        costs = self._queue.costs_ahead(owner, max(_FEW, _FEW_ROUNDS * self._workers))
        return time_until_done(ahead_s, free_at) if costs is None else time_until_taken(costs, free_at)

    def _remaining(self, now_s: float) -> list[float]:
        remaining = []
        for work, began_s in self._running.values():
            foretold_s = self._durations.seconds(work)
            remaining.append(max(foretold_s - (now_s - began_s), _OVERDUE * foretold_s))
        return remaining


def time_until_taken(costs_s: Iterable[float], free_at: Sequence[float]) -> float:
    """Return when a worker is free for the job behind those that take `costs_s`.

    `free_at`: when each worker is, in order; whoever is free takes the next.
    """
    free = list(free_at)
    for cost_s in costs_s:
        heapq.heapreplace(free, free[0] + cost_s)
    return free[0]


def time_until_done(work_s: float, free_at: Sequence[float]) -> float:
    """Return when workers that get free at `free_at`, in order, have done `work_s`, if it can be cut up at will."""
    sum_s = 0.0
    for count, free_s in enumerate(free_at, start=1):
        sum_s += free_s
        done_at = (work_s + sum_s) / count
        if count == len(free_at) or done_at <= free_at[count]:
            return done_at
    return 0.0
