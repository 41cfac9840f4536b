"""How many requests a second a remote takes, over all lanes: unlimited until it refuses, then found by probing.

A limit on requests *under way* can't keep a rate: at 5 ms an answer even one at a time makes 200 a second. So after
the first 429 requests are spaced. The pace follows what was really taken (the successes of the last second), a little
below it; from there it climbs slowly through the rate that was refused last, and ever faster beyond it, as TCP CUBIC
does (RFC 9438): a rate that was restored is found in seconds, one that stays costs few refusals.
"""

from collections import deque

from engine.policy.timeline import Timeline

__all__ = ["RequestRate"]

_WINDOW_S = 1.0  # successes are counted over so long
_BUCKET_S = 0.05
_LEAST_WINDOW_S = 0.25  # fewer say nothing about a rate
_EPISODE_S = 0.5  # refusals of requests sent so soon after a cut still answer the time before it
_BELOW = 0.92  # of what was taken: room for what other clients of the key do
_NOTHING = 0.5  # the cut when not even one request was taken
_FULL_BUCKET = 0.5  # the share of what the first second took that is believed to last
_BLIND = 0.7  # the cut when there was no time to count
_FIRST_PER_S = 2.0  # where not even the first request was taken
_SLOWEST_PER_S = 0.1  # keeps asking, every 10 s
_HOLD_S = 0.5  # no growth after a refusal for so long
_CLIMB = 0.04  # a second, up to and a little through the refused rate
_THROUGH = 1.1  # beyond this multiple of the refused rate the climb gets steeper
_STEEPER = 0.15  # a second and second
_STEEPEST = 1.0
_LEAP = 2.0  # at the most from one request to the next: at a slow pace they are far apart
_USED = 0.8  # a pace that is not used this much proves nothing by its successes
_CATCH_UP_S = 0.05  # a loop that was busy may make up for so much


class RequestRate:
    """The pace of one key at one remote. Times are monotonic seconds; `timeline` tells how it moved.

    `per_s` is None until the first refusal.
    """

    def __init__(self, now: float) -> None:
        self.per_s: float | None = None
        self.refusals = 0
        self.timeline = Timeline()
        self._next_at = 0.0
        self._paused_until = 0.0
        self._taken: deque[list[int]] = deque()  # [bucket's number, successes], oldest first
        self._cut_at = float("-inf")
        self._resumed_at = now  # when the last pause, or the time before the first request, ended
        self._grown_at = 0.0
        self._top = 0.0  # what was refused last
        self._climb = _CLIMB
        self._beyond_from: float | None = None

    def __repr__(self) -> str:
        pace = "unlimited" if self.per_s is None else f"{self.per_s:.1f}/s"
        return f"<RequestRate {pace}, {self.refusals} refusals>"

    def wait_s(self, now: float) -> float:
        """Return the seconds until the next request may leave, 0 if it may now."""
        if self.per_s is None:
            return max(0.0, self._paused_until - now)
        return max(0.0, self._next_at - now, self._paused_until - now)

    def sent(self, now: float) -> None:
        """One request leaves."""
        if self.per_s is not None:
            self._next_at = max(self._next_at, now - _CATCH_UP_S) + 1.0 / self.per_s

    def worked(self, now: float) -> None:
        """One request was taken, whatever its answer says."""
        bucket = int(now / _BUCKET_S)
        if self._taken and self._taken[-1][0] == bucket:
            self._taken[-1][1] += 1
        else:
            self._taken.append([bucket, 1])
            oldest = int((now - _WINDOW_S) / _BUCKET_S)
            while self._taken[0][0] < oldest:
                self._taken.popleft()
        if self.per_s is not None:
            self._grow(now)

    def refused(self, now: float, *, sent_at: float, retry_after_s: float | None) -> None:
        """One request was answered 429; it had been sent at `sent_at`."""
        self.refusals += 1
        self._paused_until = max(self._paused_until, now + (retry_after_s or 0.0))
        window_s, taken = self._taken_lately(now)
        if retry_after_s:
            self._resumed_at = self._paused_until
        self._grown_at = max(now + _HOLD_S, self._paused_until)
        self._climb = _CLIMB / (1.0 + (retry_after_s or 0.0))  # the dearer a refusal, the rarer the probes
        self._beyond_from = None
        if sent_at < self._cut_at + _EPISODE_S:
            return
        pace = self._found(window_s, taken)
        self.per_s = max(_SLOWEST_PER_S, pace * _BELOW)
        self._cut_at = now
        self._next_at = max(now, self._paused_until) + 1.0 / self.per_s
        self.timeline.note(now, self.per_s)

    def _found(self, window_s: float, taken: int) -> float:
        """Return what seems to be taken a second, and keep in `_top` whether that is telling: 0 if it is not."""
        self._top = 0.0  # an unsure pace is left quickly
        if self.per_s is None:  # the first refusal: a bucket was full until just now, so more was taken than will be
            return max(_FIRST_PER_S, taken / max(window_s, _LEAST_WINDOW_S) * _FULL_BUCKET)
        if window_s < _LEAST_WINDOW_S:  # right after a pause
            return self.per_s * _BLIND
        self._top = min(self.per_s, taken / window_s) if taken else self.per_s * _NOTHING
        return self._top

    def _taken_lately(self, now: float) -> tuple[float, int]:
        """Return for how many seconds back, at most a window, the pace was the present one; and the successes in it."""
        since = max(now - _WINDOW_S, self._cut_at, self._resumed_at)
        first = int(since / _BUCKET_S)
        return now - since, sum(taken for bucket, taken in self._taken if bucket >= first)

    def _grow(self, now: float) -> None:
        """Climb for the time since the last step, if there was use for it."""
        elapsed_s = now - self._grown_at
        if self.per_s is None or elapsed_s < _BUCKET_S:
            return
        self._grown_at = now
        window_s, taken = self._taken_lately(now)
        if taken < _USED * self.per_s * window_s - 1.0:
            return
        climb = self._climb
        if self.per_s > _THROUGH * self._top:
            self._beyond_from = now if self._beyond_from is None else self._beyond_from
            climb = min(_STEEPEST, _CLIMB + _STEEPER * (now - self._beyond_from)) if self._top else _STEEPEST
        self.per_s *= min(_LEAP, (1.0 + climb) ** elapsed_s)
        self.timeline.note(now, self.per_s)
