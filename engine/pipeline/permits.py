"""A bound on how many of something there are at once, that can move and can be waited empty."""

import asyncio
from collections import deque

__all__ = ["Permits"]


class Permits:
    """Like a semaphore, with three differences: its limit moves, it can be overdrawn, and it tells when all are back.

    Whoever waits is served in order, and only as many are woken as have room.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._all_back = asyncio.Event()
        self._all_back.set()

    def __repr__(self) -> str:
        return f"<Permits {self.taken} of {self.limit} taken, {len(self._waiting)} waiting>"

    async def take(self) -> None:
        """Wait for room, then count one in."""
        if self.taken < self.limit and not self._waiting:
            self.overdraw()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn  # counted in by whoever made room
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()
            raise

    def overdraw(self) -> None:
        """Count one in at once: resumed jobs are in flight whether or not there is room."""
        self.taken += 1
        self._all_back.clear()

    def give_back(self) -> None:
        self.taken -= 1
        self._serve()
        if not self.taken:
            self._all_back.set()

    def set_limit(self, limit: int) -> None:
        if limit != self.limit:
            self.limit = limit
            self._serve()

    async def all_back(self) -> None:
        """Return when none is taken."""
        while self.taken:
            await self._all_back.wait()

    def _serve(self) -> None:
        while self._waiting and self.taken < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self.overdraw()
                turn.set_result(None)
