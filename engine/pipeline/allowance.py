"""Whether another submit may leave: not when the run closes, nor beyond `--max-credits`.

A chained job is let in only if the credits of both its stages fit, and keeps those of the second from then on. So the
limit, once reached, holds up no second stage; a backend that has no credits left does.
"""

from engine.pipeline.closing import Reason
from engine.pipeline.flight import Flight
from engine.pipeline.scope import Scope

__all__ = ["Allowance"]


class Allowance:
    """Asked right before each intent, with nothing awaited in between that could reserve credits."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._is_at_limit = False  # it is the limit alone that closed the lane

    def permits(self, flight: Flight) -> bool:
        """Say whether `flight` may be sent; tells the run to close when the limit is reached."""
        closing, tally = self._scope.closing, self._scope.book.tally
        limit = self._scope.settings.max_credits
        more = flight.spec.credits if flight.staged is None else 0
        fits = limit is None or tally.reserved + tally.charged + more <= limit
        if not fits:
            self._is_at_limit = self._is_at_limit or not closing.is_told
            closing.tell(Reason.CREDITS, f"--max-credits {limit} is reached: resume with a higher limit to go on")
        if not closing.is_told:
            return True
        return fits and flight.staged is not None and self._is_at_limit and closing.reason is Reason.CREDITS

    def ran_out(self) -> None:
        """Take in that the backend has no credits left."""
        self._is_at_limit = False
