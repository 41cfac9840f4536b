"""Wrong keys are taken slowly: each client has a few at once and then some a second.

Kept as one moment a client, the one at which all its tries are back (the generic cell rate algorithm, ITU-T I.371).
While a client is over its rate even a right key is refused, else guessing would cost nothing; but not a key that came
from there before, so that behind a shared address nobody who is at work is locked out by a neighbour.
"""

from collections import OrderedDict

from engine.clock import Clock

__all__ = ["Guesses"]

_RATE_PER_S = 10.0
_BURST = 20.0
_MAX_FAMILIAR = 10_000  # some 2 MB; whoever falls out is known again after the next right key


class Guesses:
    """`wrong` and `right` return 0, or the seconds after which `client` may try again. Every step is O(1)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._full_at: OrderedDict[str, float] = OrderedDict()  # by client, the ones that tried last at the end
        self._familiar: OrderedDict[tuple[str, str], None] = OrderedDict()  # clients with the keys they have used

    def __repr__(self) -> str:
        return f"<Guesses: {len(self._full_at)} clients guess, {len(self._familiar)} are familiar>"

    def wrong(self, client: str) -> float:
        """Count a wrong key."""
        now = self._clock.monotonic()
        self._forget(now)
        wait_s = self._wait_s(client, now)
        if not wait_s:
            self._full_at[client] = max(now, self._full_at.get(client, now)) + 1.0 / _RATE_PER_S
            self._full_at.move_to_end(client)
        return wait_s

    def right(self, client: str, key_id: str) -> float:
        """Hear of a key that is right."""
        familiar = (client, key_id)
        if familiar in self._familiar:
            self._familiar.move_to_end(familiar)
            return 0.0
        if wait_s := self._wait_s(client, self._clock.monotonic()):
            return wait_s
        self._familiar[familiar] = None
        if len(self._familiar) > _MAX_FAMILIAR:
            self._familiar.popitem(last=False)
        return 0.0

    def _wait_s(self, client: str, now: float) -> float:
        # One try less than the burst must be left, but for what rounding takes.
        return max(0.0, self._full_at.get(client, now) - now - (_BURST - 1.0) / _RATE_PER_S - 1e-9)

    def _forget(self, now: float) -> None:
        """Drop the client that tried longest ago once all its tries are back; one a try keeps up."""
        if self._full_at:
            client, full_at = next(iter(self._full_at.items()))
            if full_at <= now:
                del self._full_at[client]
