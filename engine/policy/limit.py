"""How many requests of one lane may be under way at once: found by trying, under a hard ceiling.

Slow start up to the first refusal, then additive growth, and a multiplicative cut on refusals: the rules of TCP's
congestion control (Jacobson, "Congestion Avoidance and Control", 1988). Three guards keep it from collapsing: a
burst of refusals is one episode and costs one cut, a limit grows only while it is used, and server errors, which
say nothing about speed, pause growth without a cut.
"""

from engine.policy.timeline import Timeline

__all__ = ["AdaptiveLimit"]

_START = 4
_USED = 0.8  # a limit that is not used this much proves nothing by its successes
_CUT = 0.7  # as TCP CUBIC's (RFC 9438, 4.6): half, the classic, gives up more than one refusal proves
# Refusals of requests sent within a second after a cut are still answers to the time before it.
_EPISODE_S = 1.0
_COOL_S = 1.0  # no growth after a refusal or a server error for so long; Retry-After extends it


class AdaptiveLimit:
    """A limit from 1 to `ceiling`. Times are monotonic seconds; `timeline` tells how it moved."""

    def __init__(self, *, ceiling: int, now: float) -> None:
        self._ceiling = ceiling
        self._exact = float(min(_START, ceiling))
        self._is_starting = True
        self._cut_at = float("-inf")
        self._calm_from = now
        self.timeline = Timeline()
        self.timeline.note(now, self.value)

    def __repr__(self) -> str:
        return f"<AdaptiveLimit {self.value} of {self._ceiling}{', starting' if self._is_starting else ''}>"

    @property
    def value(self) -> int:
        return int(self._exact)

    def worked(self, now: float, in_use: int) -> None:
        """One request succeeded while `in_use` were under way, itself included."""
        if self._exact >= self._ceiling or in_use < _USED * self.value or now < self._calm_from:
            return
        # A round is as many successes as the limit has places: it doubles in one while starting, then grows by one.
        self._exact = min(float(self._ceiling), self._exact + (1.0 if self._is_starting else 1.0 / self._exact))
        self.timeline.note(now, self.value)

    def refused(self, now: float, *, sent_at: float, retry_after_s: float | None) -> None:
        """One request was answered 429; it had been sent at `sent_at`."""
        self._calm_from = max(self._calm_from, now + max(_COOL_S, retry_after_s or 0.0))
        self._is_starting = False
        if sent_at < self._cut_at + _EPISODE_S:
            return
        self._cut_at = now
        self._exact = max(1.0, self._exact * _CUT)
        self.timeline.note(now, self.value)

    def stumbled(self, now: float) -> None:
        """One request met a server error."""
        self._calm_from = max(self._calm_from, now + _COOL_S)
