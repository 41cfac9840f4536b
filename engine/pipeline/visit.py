"""A visit to the remote beside a run: a few questions about its jobs, asked with patience while nothing is sent."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from engine.clock import Clock
from engine.pipeline.found import Found, better
from engine.pipeline.opening import Opened
from engine.pipeline.patience import Patience
from engine.pipeline.upload_name import Named, parse_upload_name
from engine.remote.connect import Remote
from engine.remote.endpoint import Endpoint
from engine.remote.failures import Kind, RemoteError
from engine.remote.row import Row

__all__ = ["AT_ONCE", "Found", "Visit"]

T = TypeVar("T")

AT_ONCE = 16  # requests; as many as the poll lane makes by default


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """The run whose lock is held, and the remote that has its jobs. `draw` returns uniform numbers in [0, 1)."""

    opened: Opened
    endpoint: Endpoint
    client: Remote
    clock: Clock
    draw: Callable[[], float]

    @property
    def settle_s(self) -> float:
        """How long after a POST the listing is sure to show its job, in seconds."""
        return self.endpoint.settled_after_s(self.opened.order.settings.settle_s)

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T:
        """Return the answer to `question`, which is repeated after what may pass; raises RemoteError."""
        return await Patience(self.opened.order.settings.backoff(), self.clock, self.draw).ask(question)

    async def status(self, process_id: str) -> Row | None:
        """Return what the remote says of a job; None when it knows no such job any more."""
        try:
            return await self.ask(lambda: self.client.status(process_id))
        except RemoteError as error:
            if error.kind is Kind.GONE:
                return None
            raise

    async def rows(self, is_wanted: Callable[[Named], bool]) -> dict[int, Found]:
        """Read the whole listing; return this run's rows by job, of those that are wanted for what their names say."""
        found: dict[int, Found] = {}
        async for named, row in self._own_rows():
            if is_wanted(named):
                each = Found(named.generation, row, named.stage)
                found[named.number] = better(found.get(named.number), each)
        return found

    async def _own_rows(self) -> AsyncIterator[tuple[Named, Row]]:
        async for row in self.client.rows(lambda cursor: self.ask(lambda: self.client.listing(cursor))):
            named = parse_upload_name(self.opened.order.run_id, row.filename)
            if named is not None:
                yield named, row
