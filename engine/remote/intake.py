"""Whether a member of a pool takes submits: full, busy, refusing them all; apart from how its other calls go."""

from collections.abc import Callable

from engine.clock import Clock
from engine.policy.backoff import Backoff
from engine.policy.rest import Rest
from engine.remote.failures import Kind, RemoteError

__all__ = ["Intake"]

# Pictures refused in a row, and none ever taken: it is not the pictures.
_TAKES_NONE = 3


class Intake:
    """`why_full`: it takes no submit any more. `has_accepted`: it took one, so a refusal is about the picture."""

    def __init__(self, clock: Clock, backoff: Backoff, draw: Callable[[], float]) -> None:
        self.why_full = ""
        self.has_accepted = False
        self._clock = clock
        self._draw = draw
        self._rest = Rest(backoff)
        self._refused = 0  # in a row, as bad jobs

    def __repr__(self) -> str:
        return f"<Intake: {self.why_full or self._rest!r}>"

    def wait_s(self, now: float) -> float:
        """Return the seconds until a submit may go there: 0 now, infinity while a probe is under way."""
        return self._rest.wait_s(now)

    def probe(self) -> None:
        """A submit goes there."""
        self._rest.probe()

    def unproven(self) -> None:
        """It ended without telling anything."""
        self._rest.unproven()

    def accepted(self) -> None:
        """A submit was taken."""
        self.has_accepted = True
        self._refused = 0
        self._rest.worked()

    def failed(self, error: RemoteError, *, others_accept: bool) -> None:
        """A submit failed. One that takes no picture is done with as soon as others do."""
        if error.kind is Kind.NO_CREDITS:
            self.why_full = str(error)
        if error.kind is Kind.BAD_JOB:
            self._refused += 1
            if self._refused >= _TAKES_NONE and others_accept and not self.has_accepted:
                self.why_full = f"takes none: {error}"
        if error.kind in (Kind.BUSY, Kind.UNCLEAR, Kind.UNREACHABLE):
            # An order for credits in progress, or a success without a job: the next submit would fare no better.
            is_certain = error.kind is Kind.BUSY or 200 <= error.status < 300
            self._rest.failed(
                self._clock.monotonic(), self._draw(), is_certain=is_certain, retry_after_s=error.retry_after_s
            )
        else:
            self._rest.worked()
