"""What the lanes of one run share. Made once by `run`, never changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from engine.clock import Clock
from engine.job.spec import JobSpec
from engine.pipeline.book import Book
from engine.pipeline.closing import Closing
from engine.pipeline.flight import Flight
from engine.pipeline.gate import Gate
from engine.pipeline.lane import Lane
from engine.pipeline.order import Order
from engine.pipeline.permits import Permits
from engine.pipeline.run_folder import RunFolder
from engine.pipeline.upload_name import parse_upload_name, upload_name
from engine.policy.backoff import Backoff
from engine.remote.client import Client
from engine.remote.endpoint import Endpoint
from engine.remote.transport import Transport
from engine.settings import Settings

__all__ = ["Scope"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """`draw` returns uniform numbers in [0, 1): the only randomness of the lanes. `form` is what every submit sends.

    `is_suspect`: the run did not end well before, so the journal may lack its last lines, whatever the disk
    promised; then outputs and remote jobs that it does not know are looked for before anything is sent.
    """

    order: Order
    folder: RunFolder
    endpoint: Endpoint
    client: Client
    transport: Transport
    book: Book
    in_flight: Permits
    closing: Closing
    clock: Clock
    draw: Callable[[], float]
    form: Mapping[str, str]
    is_suspect: bool = False
    lanes: dict[str, Lane] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return self.order.settings

    def gate(self, name: str, *, is_vital: bool = False) -> Gate:
        """Return a new gate for the lane `name`."""
        limit_s = self.settings.unreachable_limit_s
        return Gate(name, self.clock, self.backoff(), self.draw, limit_s, is_vital=is_vital)

    def lane(self, name: str, ceiling: int) -> Lane:
        """Return the lane `name`, new, with at most `ceiling` requests at once."""
        self.lanes[name] = Lane(self.gate(name), ceiling, self.clock)
        return self.lanes[name]

    def limits(self, start: float) -> dict[str, list[tuple[float, float]]]:
        """Return how the limits moved: (seconds since `start`, requests at once), and (..., a second) for the pace."""
        moved = {name: lane.limit.timeline.since(start) for name, lane in self.lanes.items()}
        pace = self.client.pace.rate.timeline.since(start)
        return {**moved, "requests_per_s": pace} if pace else moved

    def backoff(self) -> Backoff:
        return self.settings.backoff()

    def upload_name(self, spec: JobSpec) -> str:
        """Return the filename that the job's POST carries, in every attempt until it is retried."""
        return upload_name(self.order.run_id, spec.number, self.book.tally.generation(spec.number), spec.format)

    def number_of(self, filename: str) -> int | None:
        """Return the job that a remote row's filename belongs to; None when it is not this run's.

        Nor is a row that a retry has left behind. One of a retry that the journal has lost is the job's all the same.
        """
        number, generation = parse_upload_name(self.order.run_id, filename) or (None, 0)
        return number if number is not None and generation >= self.book.tally.generation(number) else None

    def generation_of(self, filename: str) -> int:
        """Return the generation that a remote row's filename carries."""
        _number, generation = parse_upload_name(self.order.run_id, filename) or (None, 0)
        return generation

    async def fail(self, flight: Flight, reason: str, *, credits_charged: int = 0) -> None:
        """End a flight without an output. `credits_charged`: what it has cost, or may have, all the same."""
        await self.book.end(flight.outcome(reason=reason, credits_charged=credits_charged))
        self.in_flight.give_back()
