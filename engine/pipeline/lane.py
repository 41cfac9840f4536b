"""A lane's way to the remote: whether anything may leave at all (gate), and how much at once (adaptive limit)."""

from collections.abc import Awaitable

from engine.clock import Clock
from engine.pipeline.gate import Gate
from engine.pipeline.permits import Permits
from engine.policy.limit import AdaptiveLimit
from engine.remote.failures import Kind, RemoteError

__all__ = ["Lane"]

# Server errors: they say nothing about speed, but a server in trouble is not given more to do.
_STUMBLES = (Kind.TRANSIENT, Kind.UNCLEAR, Kind.UNREACHABLE, Kind.BUSY)


class Lane:
    """Take a place with `enter`, tell how each request went, give the place back with `leave`."""

    def __init__(self, gate: Gate, ceiling: int, clock: Clock) -> None:
        self._gate = gate
        self._clock = clock
        self.limit = AdaptiveLimit(ceiling=ceiling, now=clock.monotonic())
        self.places = Permits(self.limit.value)

    def __repr__(self) -> str:
        return f"<Lane {self._gate!r}, {self.places.taken} under way, {self.limit!r}>"

    async def enter(self) -> None:
        """Return once there is a place and the gate is open; the place is taken then."""
        await self.places.take()
        try:
            await self._gate.passed()
        except BaseException:
            self.places.give_back()
            raise

    def leave(self) -> None:
        self.places.give_back()

    async def step_out(self, wait: Awaitable[None]) -> None:
        """Give the place back until `wait` is over, then take another; one is held again even where this raises."""
        self.places.give_back()
        try:
            await wait
            await self.places.take()
        except BaseException:
            self.places.overdraw()
            raise

    async def passed(self) -> None:
        """Return once the gate is open, for whoever has a place already."""
        await self._gate.passed()

    def worked(self) -> None:
        """A request succeeded."""
        self._gate.worked()
        self.limit.worked(self._clock.monotonic(), self.places.taken)
        self.places.set_limit(self.limit.value)

    def failed(self, error: RemoteError) -> None:
        """A request failed; raises MachineError when nobody was reached for too long.

        One that was too fast narrows the lane and does not shut it: the pace of all requests is the client's matter.
        """
        if error.elsewhere_helps:
            return  # one member's trouble is not everybody's
        now = self._clock.monotonic()
        if error.kind is Kind.TOO_FAST:
            self.limit.refused(now, sent_at=error.sent_at, retry_after_s=error.retry_after_s)
            self.places.set_limit(self.limit.value)
            return
        if error.kind in _STUMBLES:
            self.limit.stumbled(now)
        self._gate.failed(error)
