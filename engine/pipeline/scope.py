"""What the lanes of one run share. Made once by `run`, never changed."""

from collections.abc import Callable
from dataclasses import dataclass, field

from engine.clock import Clock
from engine.pipeline.book import Book
from engine.pipeline.budget import Budget
from engine.pipeline.closing import Closing
from engine.pipeline.flight import Flight
from engine.pipeline.gate import Gate
from engine.pipeline.lane import Lane
from engine.pipeline.notes import Notes
from engine.pipeline.order import Order
from engine.pipeline.permits import Permits
from engine.pipeline.run_folder import RunFolder
from engine.pipeline.stages import Stage
from engine.pipeline.upload_name import Named, parse_upload_name, upload_name
from engine.policy.backoff import Backoff
from engine.remote.connect import Remote
from engine.remote.endpoint import Endpoint
from engine.remote.transport import Transport
from engine.settings import Settings

__all__ = ["Scope"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """`draw` returns uniform numbers in [0, 1): the only randomness of the lanes. `stages`: those of every picture.

    `is_suspect`: the run did not end well before, so the journal may lack its last lines, whatever the disk
    promised; then outputs and remote jobs that it does not know are looked for before anything is sent.

    `parked`: jobs left for a resume. `stuck`: how many flights each lane has that nothing can be found out of now.
    """

    order: Order
    folder: RunFolder
    endpoint: Endpoint
    client: Remote
    transport: Transport
    book: Book
    in_flight: Permits
    closing: Closing
    clock: Clock
    draw: Callable[[], float]
    stages: tuple[Stage, ...]
    is_suspect: bool = False
    lanes: dict[str, Lane] = field(default_factory=dict)
    notes: Notes = field(default_factory=Notes)
    budget: Budget = field(init=False)
    parked: list[int] = field(default_factory=list)
    stuck: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "budget", Budget(self.notes))

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
        pace = self.client.moved_since(start)
        return {**moved, "requests_per_s": pace} if pace else moved

    def backoff(self) -> Backoff:
        return self.settings.backoff()

    @property
    def is_chained(self) -> bool:
        return len(self.stages) > 1

    def stage_of(self, flight: Flight) -> Stage:
        return self.stages[flight.stage - 1]

    def is_last(self, flight: Flight) -> bool:
        """Say whether the result of `flight` is the job's output."""
        return flight.stage == len(self.stages)

    def upload_name(self, flight: Flight, format_name: str) -> str:
        """Return the filename that the POST of `flight` carries, in every attempt until the job is retried."""
        named = Named(flight.number, self.book.tally.generation(flight.number), flight.stage)
        return upload_name(self.order.run_id, named, format_name)

    def named(self, filename: str) -> Named | None:
        """Return what a remote row's filename says; None when it is not this run's.

        Nor is a row that a retry has left behind. One of a retry that the journal has lost is the job's all the same.
        """
        named = parse_upload_name(self.order.run_id, filename)
        return named if named is not None and named.generation >= self.book.tally.generation(named.number) else None

    def is_of_another(self, flight: Flight, filename: str) -> bool:
        """Say whether `filename` is that of another job of this run, or of another stage."""
        named = self.named(filename)
        return named is not None and (named.number, named.stage) != (flight.number, flight.stage)

    @property
    def is_stuck(self) -> bool:
        """Whether nothing is left but flights that nothing can be found out of."""
        return self.in_flight.taken <= sum(self.stuck.values())

    def park(self, flight: Flight) -> None:
        """Leave a flight as it is for a resume: its member of the pool can't be asked any more."""
        self.parked.append(flight.number)
        self.in_flight.give_back()

    async def fail(self, flight: Flight, reason: str, *, credits_charged: int = 0) -> None:
        """End a flight without an output; of a chained job's, the reason says which stage it was.

        `credits_charged`: what the stage has cost, or may have, all the same.
        """
        if self.is_chained and not flight.spec.reason:
            reason = f"{self.stage_of(flight).name}: {reason}"
        await self.book.end(flight.outcome(reason=reason, credits_charged=credits_charged))
        self.in_flight.give_back()
