"""What the lanes of one run share. Made once by `run`, never changed."""

from collections.abc import Callable
from dataclasses import dataclass

from engine.clock import Clock
from engine.job.spec import JobSpec
from engine.pipeline.book import Book
from engine.pipeline.closing import Closing
from engine.pipeline.flight import Flight
from engine.pipeline.gate import Gate
from engine.pipeline.order import Order
from engine.pipeline.permits import Permits
from engine.pipeline.run_folder import RunFolder
from engine.policy.backoff import Backoff
from engine.remote.client import Client
from engine.remote.endpoint import Endpoint
from engine.remote.transport import Transport
from engine.settings import Settings

__all__ = ["Scope"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """`draw` returns uniform numbers in [0, 1): the only randomness of the lanes.

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
    is_suspect: bool = False

    @property
    def settings(self) -> Settings:
        return self.order.settings

    def gate(self, name: str) -> Gate:
        """Return a new gate for the lane `name`."""
        settings = self.settings
        return Gate(name, self.clock, self.backoff(), self.draw, settings.unreachable_limit_s)

    def backoff(self) -> Backoff:
        return Backoff(first_s=self.settings.backoff_first_s, max_s=self.settings.backoff_max_s)

    def flight(self, spec: JobSpec) -> Flight:
        """Return the flight of a job that begins here. Its upload name is unique to the job, the same in every run."""
        extension = {"jpeg": "jpg", "tiff": "tif"}.get(spec.format, spec.format or "jpg")
        return Flight(spec=spec, upload_name=f"{self.order.run_id}-{spec.number:06d}.{extension}")

    def number_of(self, upload_name: str) -> int | None:
        """Return the job that a remote row's filename belongs to; None when it is not this run's."""
        run_id, dash, rest = upload_name.partition("-")
        digits = rest.partition(".")[0]
        return int(digits) if run_id == self.order.run_id and dash and digits.isdecimal() else None

    async def fail(self, flight: Flight, reason: str) -> None:
        """End a flight without an output."""
        await self.book.end(flight.outcome(reason=reason))
        self.in_flight.give_back()
