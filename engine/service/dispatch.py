"""Which notification goes out next: in order for each job, a few at once for each key, later after a failure. Pure.

A job's notifications stand in one line, and only the first of a line may be under way: a later status never overtakes
an earlier one. The keys that jobs belong to take turns, and those of one key the hosts that it named: one that is slow,
or has a hundred thousand waiting, keeps waiting what is of its key, and no other. Not by host alone: whoever has a
domain has as many hosts as they like. Every step is O(1), or O(log n) in the number of jobs that wait for their next
try.
"""

import heapq
import itertools
import math
from collections import deque
from dataclasses import dataclass, field

from engine.policy.backoff import Backoff
from engine.service.notification import Notification

__all__ = ["Dispatch", "retry_delay_s"]

_BACKOFF = Backoff(first_s=5.0, max_s=900.0)  # the contract: 5 s, 10 s, 20 s ... up to 15 minutes apart
_MAX_LINE = 4  # a job has three statuses in its life; only one that is queued again and again has more
_AT_ONCE, _AT_ONCE_PER_OWNER, _AT_ONCE_PER_HOST = 32, 8, 4


def retry_delay_s(failures: int) -> float:
    """Return how long to wait after `failures` in a row, from 1."""
    return _BACKOFF.step_s(failures)


@dataclass(slots=True)
class _Line:
    """What waits for one job, first come first; `failures` in a row of the first."""

    waiting: deque[Notification] = field(default_factory=deque)
    failures: int = 0


@dataclass(slots=True)
class _Host:
    """One receiver's host, for one owner: whose turn is next, and how many are under way to it."""

    ready: deque[str] = field(default_factory=deque)  # process ids
    under_way: int = 0
    has_turn: bool = False


@dataclass(slots=True)
class _Owner:
    """One key's hosts, of which those with something to send, and a place left, take turns."""

    per_host: int
    hosts: dict[str, _Host] = field(default_factory=dict)
    turns: deque[str] = field(default_factory=deque)
    under_way: int = 0
    has_turn: bool = False

    def add(self, name: str, process_id: str) -> None:
        self.hosts.setdefault(name, _Host()).ready.append(process_id)
        self._give_turn(name)

    def take(self) -> str:
        """Return the process id whose turn it is; there must be one."""
        name = self.turns.popleft()
        host = self.hosts[name]
        host.has_turn = False
        host.under_way += 1
        self.under_way += 1
        process_id = host.ready.popleft()
        self._give_turn(name)
        return process_id

    def free(self, name: str) -> None:
        """Give back a place that was taken for host `name`."""
        host = self.hosts[name]
        host.under_way -= 1
        self.under_way -= 1
        self._give_turn(name)
        if not (host.ready or host.under_way):
            del self.hosts[name]

    def _give_turn(self, name: str) -> None:
        host = self.hosts[name]
        if host.ready and host.under_way < self.per_host and not host.has_turn:
            host.has_turn = True
            self.turns.append(name)


class Dispatch:
    """All notifications that are not settled."""

    def __init__(
        self,
        *,
        at_once: int = _AT_ONCE,
        at_once_per_owner: int = _AT_ONCE_PER_OWNER,
        at_once_per_host: int = _AT_ONCE_PER_HOST,
    ) -> None:
        """`at_once_per_host` counts for each owner by itself."""
        self._at_once = at_once
        self._per_owner = at_once_per_owner
        self._per_host = at_once_per_host
        self._lines: dict[str, _Line] = {}  # by process id
        self._owners: dict[str, _Owner] = {}
        self._turns: deque[str] = deque()  # owners of which something can be sent now
        self._late: list[tuple[float, int, str]] = []  # a heap of (due, order, process id)
        self._order = itertools.count()
        self._under_way = 0
        self.pending = 0
        self.superseded = 0  # dropped from lines that grew too long

    def __repr__(self) -> str:
        return f"<Dispatch: {self.pending} pending, {self._under_way} under way, {len(self._late)} to be tried again>"

    def add(self, notification: Notification) -> None:
        """Put `notification` behind the others of its job; one that is already the last changes nothing."""
        line = self._lines.get(notification.process_id)
        if line is None:
            self._lines[notification.process_id] = _Line(deque([notification]))
            self._make_ready(notification)
        elif line.waiting[-1].id == notification.id:
            return
        else:
            line.waiting.append(notification)
        self.pending += 1
        if line is not None and len(line.waiting) > _MAX_LINE:
            del line.waiting[1]  # the first may be under way
            self.pending -= 1
            self.superseded += 1

    def take(self, now: float) -> Notification | None:
        """Return one to send now, None when nothing may be. `settle`, `retry` or `drop` gives its place back."""
        while self._late and self._late[0][0] <= now:
            _, _, process_id = heapq.heappop(self._late)
            self._make_ready(self._lines[process_id].waiting[0])
        if self._under_way >= self._at_once or not self._turns:
            return None
        name = self._turns.popleft()
        owner = self._owners[name]
        owner.has_turn = False
        self._under_way += 1
        notification = self._lines[owner.take()].waiting[0]
        self._give_turn(name)
        return notification

    def next_due(self) -> float:
        """Return when the next retry is due, on the clock of `take`."""
        return self._late[0][0] if self._late else math.inf

    def settle(self, notification: Notification) -> None:
        """Be done with the one that was under way; the job's next may go."""
        line = self._lines[notification.process_id]
        line.waiting.popleft()
        line.failures = 0
        self.pending -= 1
        if line.waiting:
            self._make_ready(line.waiting[0])
        else:
            del self._lines[notification.process_id]
        self._free(notification)

    def retry(self, notification: Notification, now: float) -> None:
        """Have the one that was under way wait for its next try; those behind it wait too."""
        line = self._lines[notification.process_id]
        line.failures += 1
        due = now + retry_delay_s(line.failures)
        heapq.heappush(self._late, (due, next(self._order), notification.process_id))
        self._free(notification)

    def drop(self, notification: Notification) -> int:
        """Be done with the one that was under way and all behind it; return how many they were."""
        count = len(self._lines.pop(notification.process_id).waiting)
        self.pending -= count
        self._free(notification)
        return count

    def _make_ready(self, notification: Notification) -> None:
        owner = self._owners.setdefault(notification.owner, _Owner(self._per_host))
        owner.add(notification.host, notification.process_id)
        self._give_turn(notification.owner)

    def _free(self, notification: Notification) -> None:
        owner = self._owners[notification.owner]
        owner.free(notification.host)
        self._under_way -= 1
        self._give_turn(notification.owner)
        if not owner.hosts:
            del self._owners[notification.owner]

    def _give_turn(self, name: str) -> None:
        owner = self._owners[name]
        if owner.turns and owner.under_way < self._per_owner and not owner.has_turn:
            owner.has_turn = True
            self._turns.append(name)
