"""A visit to the remote beside a run: a few questions about its jobs, asked with patience while nothing is sent."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from engine.clock import Clock
from engine.pipeline.lookup import PREFERENCE
from engine.pipeline.opening import Opened
from engine.pipeline.upload_name import parse_upload_name
from engine.remote.client import Client
from engine.remote.endpoint import Endpoint
from engine.remote.failures import Kind, RemoteError
from engine.remote.row import Row

__all__ = ["AT_ONCE", "Found", "Visit", "better"]

T = TypeVar("T")

AT_ONCE = 16  # requests; as many as the poll lane makes by default
# With the default waits between them, doubled from half a second, a stumble of some twenty seconds is waited out.
_ATTEMPTS = 7


@dataclass(frozen=True, slots=True)
class Found:
    """A row of this run: the generation that its filename carries, and the row."""

    generation: int
    row: Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """The run whose lock is held, and the remote that has its jobs. `draw` returns uniform numbers in [0, 1)."""

    opened: Opened
    endpoint: Endpoint
    client: Client
    clock: Clock
    draw: Callable[[], float]

    @property
    def settle_s(self) -> float:
        """How long after a POST the listing is sure to show its job, in seconds."""
        return self.endpoint.settled_after_s(self.opened.order.settings.settle_s)

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T:
        """Return the answer to `question`, which is repeated after what may pass; raises RemoteError."""
        backoff = self.opened.order.settings.backoff()
        attempt = 1
        while True:
            try:
                return await question()
            except RemoteError as error:
                if not error.retry_helps or attempt == _ATTEMPTS:
                    raise
                wait_s = backoff.delay_s(attempt, self.draw(), error.retry_after_s)
            await self.clock.sleep(wait_s)
            attempt += 1

    async def status(self, process_id: str) -> Row | None:
        """Return what the remote says of a job; None when it knows no such job any more."""
        try:
            return await self.ask(lambda: self.client.status(process_id))
        except RemoteError as error:
            if error.kind is Kind.GONE:
                return None
            raise

    async def rows(self, is_wanted: Callable[[int, int], bool]) -> dict[int, Found]:
        """Read the whole listing; return this run's rows by job, of those whose number and generation are wanted."""
        found: dict[int, Found] = {}
        async for number, each in self._own_rows():
            if is_wanted(number, each.generation):
                found[number] = better(found.get(number), each)
        return found

    async def _own_rows(self) -> AsyncIterator[tuple[int, Found]]:
        async for row in self.client.rows(lambda cursor: self.ask(lambda: self.client.listing(cursor))):
            named = parse_upload_name(self.opened.order.run_id, row.filename)
            if named is not None:
                yield named[0], Found(named[1], row)


def better(one: Found | None, other: Found) -> Found:
    """Return the row that ended better, the later generation among equals; its generation is the latest of the two.

    So a job keeps away from every filename that it ever had.
    """
    if one is None:
        return other
    best = min(one, other, key=lambda each: (PREFERENCE.index(each.row.progress), -each.generation))
    return Found(max(one.generation, other.generation), best.row)
