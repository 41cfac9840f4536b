"""What is to be looked at, and when: one heap for everything that waits, and one sleeper for all of it."""

import asyncio
import heapq
import itertools
import math
from typing import Generic, Protocol, TypeVar

from engine.clock import Clock, sleep_unless

__all__ = ["Agenda"]


class Due(Protocol):
    """Something that is due at a moment (monotonic seconds; 0: not at all)."""

    due: float


Item = TypeVar("Item", bound=Due)


class Agenda(Generic[Item]):
    """Planning an item anew replaces its moment; setting its `due` to 0 takes it off."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Item]] = []
        self._order = itertools.count()
        self._wake_at = -math.inf
        self._sooner = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Agenda of {len(self._heap)} entries>"

    def plan(self, item: Item, wait_s: float) -> None:
        """Have `item` due in `wait_s`."""
        item.due = self._clock.monotonic() + max(wait_s, 1e-9)
        heapq.heappush(self._heap, (item.due, next(self._order), item))
        if item.due < self._wake_at:
            self._sooner.set()

    def take(self) -> Item | None:
        """Return one that is due, and take it off; None when there is none."""
        self._drop_dead()
        if not self._heap or self._heap[0][0] > self._clock.monotonic():
            return None
        item = heapq.heappop(self._heap)[2]
        item.due = 0.0
        return item

    async def wait(self) -> None:
        """Return when something is due; what is planned meanwhile counts."""
        while True:
            self._drop_dead()
            self._wake_at = self._heap[0][0] if self._heap else math.inf
            wait_s = self._wake_at - self._clock.monotonic()
            if wait_s <= 0:
                self._wake_at = -math.inf
                return
            self._sooner.clear()
            await sleep_unless(self._sooner, self._clock, wait_s)

    def _drop_dead(self) -> None:
        while self._heap and self._heap[0][2].due != self._heap[0][0]:
            heapq.heappop(self._heap)
