"""A bound on how many of something there are at once, that can be waited empty."""

import asyncio
from dataclasses import dataclass, field

__all__ = ["Permits"]


@dataclass(slots=True)
class Permits:
    """Like a semaphore, with two differences: it can be overdrawn on purpose, and it tells when all are back."""

    limit: int
    taken: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    async def take(self) -> None:
        """Wait for room, then count one in."""
        while self.taken >= self.limit:
            await self._next_change()
        self.taken += 1

    def overdraw(self) -> None:
        """Count one in at once: resumed jobs are in flight whether or not there is room."""
        self.taken += 1

    def give_back(self) -> None:
        self.taken -= 1
        self._changed.set()

    async def all_back(self) -> None:
        """Return when none is taken."""
        while self.taken:
            await self._next_change()

    async def _next_change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
