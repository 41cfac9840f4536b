"""Now and sleep as a value, so that everything that waits can be tested without waiting."""

import asyncio
import time
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """What the lanes know of time."""

    def now(self) -> float:
        """Return Unix time in seconds: for eta, journal and links. It may jump."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start that never go back: for waits and rates."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; zero or less yields to the loop once."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))
