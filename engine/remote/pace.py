"""The pace of all calls with one key: free as long as the remote refuses none, spaced from the first 429 on.

Calls that have to wait stand in one row, first come, first served; each lane has only so many there, so none of them
crowds out the others.
"""

import asyncio
from collections import deque

from engine.clock import Clock
from engine.policy.rate import RequestRate

__all__ = ["Pace"]


class Pace:
    """Lets requests go when it is their turn. `rate` says how fast, and how that came about."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.rate = RequestRate(clock.monotonic())
        self._row: deque[asyncio.Future[None]] = deque()
        self._usher: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Pace {self.rate!r}, {len(self._row)} waiting>"

    def wait_s(self) -> float:
        """Return about how many seconds a request that comes now has to wait."""
        per_s = self.rate.per_s
        return self.rate.wait_s(self._clock.monotonic()) + (len(self._row) / per_s if per_s else 0.0)

    async def turn(self) -> None:
        """Return when the next request may leave."""
        now = self._clock.monotonic()
        if not self._row and self.rate.wait_s(now) <= 0.0:
            self.rate.sent(now)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._row.append(turn)
        if self._usher is None:
            self._usher = asyncio.create_task(self._let_through(), name="pace")
        await turn

    def worked(self) -> None:
        """A request was taken."""
        self.rate.worked(self._clock.monotonic())

    def refused(self, sent_at: float, retry_after_s: float | None) -> None:
        """A request that left at `sent_at` was answered 429."""
        self.rate.refused(self._clock.monotonic(), sent_at=sent_at, retry_after_s=retry_after_s)

    async def _let_through(self) -> None:
        try:
            while self._row:
                now = self._clock.monotonic()
                if (wait_s := self.rate.wait_s(now)) > 0.0:
                    await self._clock.sleep(wait_s)
                    continue
                turn = self._row.popleft()
                if not turn.done():  # cancelled meanwhile
                    self.rate.sent(now)
                    turn.set_result(None)
        finally:
            self._usher = None
