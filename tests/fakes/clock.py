"""Time that costs none: it stands still while anybody works, and leaps to the next wake-up once everybody waits."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

__all__ = ["FakeClock"]

_LATE_2025 = 1_760_000_000.0


class FakeClock:
    """`engine.clock.Clock` in virtual seconds, for one event loop of asyncio.

    With `is_manual` time moves only by `advance`; otherwise it also moves, to the next sleeper's due time, when no
    task of the loop can run and no work in the loop's default executor (`asyncio.to_thread`, aiofiles) is under
    way. It can't see who waits for a socket: real servers need `is_manual` or the real clock.
    """

    def __init__(self, *, now: float = _LATE_2025, is_manual: bool = False) -> None:
        self._unix = now
        self._elapsed = 0.0
        self._is_manual = is_manual
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._mover: asyncio.Task[None] | None = None
        self._threads: _CountingExecutor | None = None

    def __repr__(self) -> str:
        return f"<FakeClock {self._elapsed:g} s after its start, {self.sleepers} asleep>"

    def now(self) -> float:
        return self._unix + self._elapsed

    def monotonic(self) -> float:
        return self._elapsed

    @property
    def sleepers(self) -> int:
        """How many are asleep."""
        return sum(not future.done() for _due, _order, future in self._sleepers)

    async def sleep(self, seconds: float) -> None:
        self._watch_threads()
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), future))
        if not self._is_manual and self._mover is None:
            self._mover = asyncio.create_task(self._move(), name="fake clock")
        await future

    def jump(self, seconds: float) -> None:
        """Set Unix time forward or back, as an administrator might; `monotonic` and sleepers do not notice."""
        self._unix += seconds

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass: whoever is due wakes at its own moment and runs until it waits again."""
        end = self._elapsed + seconds
        await self.settle()
        while self._next_due() <= end:
            self._wake_next()
            await self.settle()
        self._elapsed = end

    async def settle(self) -> None:
        """Return once no task can run and no thread works, without letting time pass."""
        self._watch_threads()
        loop = asyncio.get_running_loop()
        while loop._ready or (self._threads is not None and self._threads.busy):  # noqa: SLF001 -- no public way to ask
            if loop._ready or self._threads is None:  # noqa: SLF001
                await asyncio.sleep(0)
            else:
                await self._threads.next_change()

    async def _move(self) -> None:
        try:
            while True:
                await self.settle()
                if self._next_due() == float("inf"):
                    return
                self._wake_next()
        finally:
            self._mover = None

    def _next_due(self) -> float:
        while self._sleepers and self._sleepers[0][2].done():  # cancelled
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else float("inf")

    def _wake_next(self) -> None:
        due, _order, future = heapq.heappop(self._sleepers)
        self._elapsed = max(self._elapsed, due)
        future.set_result(None)

    def _watch_threads(self) -> None:
        if self._threads is None:
            self._threads = _CountingExecutor(asyncio.get_running_loop())
            asyncio.get_running_loop().set_default_executor(self._threads)


class _CountingExecutor(ThreadPoolExecutor):
    """The loop's executor, able to say how many calls have not been answered to the loop yet."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(max_workers=8)
        self._loop = loop
        self._changed = asyncio.Event()
        self.busy = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = super().submit(fn, *args, **kwargs)
        self.busy += 1
        # asyncio adds its own callback when this returns; ours must come after it, so that whoever waits for the
        # answer is ready to run by the time the call no longer counts.
        self._loop.call_soon(future.add_done_callback, self._report)
        return future

    async def next_change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _report(self, _future: Future[Any]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._count_down)

    def _count_down(self) -> None:
        self.busy -= 1
        self._changed.set()
