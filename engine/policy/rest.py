"""When a member that failed may be asked again: after pauses that grow, and by one request first.

Pure: times are monotonic seconds, passed in.
"""

from engine.policy.backoff import Backoff

__all__ = ["Rest"]

# Among a thousand requests one meets a server error: that is its own bad luck, two in a row are the member's.
_ALONE = 2


class Rest:
    """Awake, or resting until a moment; then one request, the probe, tells whether it goes on."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._stumbles = 0  # in a row
        self._rests = 0  # in a row
        self._until: float | None = None
        self.is_probed = False

    def __repr__(self) -> str:
        state = "awake" if self.is_awake else f"resting for the {self._rests}. time"
        return f"<Rest: {state}>"

    @property
    def is_awake(self) -> bool:
        return self._until is None

    def wait_s(self, now: float) -> float:
        """Return the seconds until a request may go there: 0 now, infinity while a probe is under way."""
        if self._until is None:
            return 0.0
        return float("inf") if self.is_probed else max(0.0, self._until - now)

    def probe(self) -> None:
        """A request goes there; after a rest it is the probe."""
        self.is_probed = self._until is not None

    def worked(self) -> None:
        """It answered."""
        self._stumbles = self._rests = 0
        self._until = None
        self.is_probed = False

    def unproven(self) -> None:
        """The probe ended without telling anything."""
        self.is_probed = False

    def failed(self, now: float, draw: float, *, is_certain: bool, retry_after_s: float | None = None) -> None:
        """It did not answer, or with a server error; `is_certain`: the next one would fare no better. `draw`: 0 to 1.

        `retry_after_s`: when it may be asked again by its own word, which is the least.
        """
        self._stumbles += 1
        if self._until is not None and not self.is_probed:  # of a request that left before the rest
            self._until = max(self._until, now + (retry_after_s or 0.0))
            return
        if is_certain or retry_after_s is not None or self.is_probed or self._stumbles >= _ALONE:
            self._rests += 1
            self._until = now + self._backoff.delay_s(self._rests, draw, retry_after_s)
        self.is_probed = False
