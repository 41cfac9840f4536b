"""Now and sleep as a value, so that everything that waits can be tested without waiting."""

import asyncio
import math
import time
from typing import Protocol

__all__ = ["Clock", "SystemClock", "sleep_unless"]


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


async def sleep_unless(event: asyncio.Event, clock: Clock, seconds: float) -> None:
    """Return after `seconds`, which may be infinite, or as soon as `event` is set."""
    sooner = asyncio.ensure_future(event.wait())
    sleep = asyncio.ensure_future(clock.sleep(seconds)) if seconds < math.inf else None
    try:
        await asyncio.wait([task for task in (sooner, sleep) if task], return_when=asyncio.FIRST_COMPLETED)
    finally:
        sooner.cancel()
        if sleep is not None:
            sleep.cancel()
