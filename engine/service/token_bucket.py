"""A rate limit as servers keep it: tokens that come at a rate, up to a burst, and go one a call. Pure.

Time is passed in. The rate may change at steps, counted in seconds from the first call.
"""

from collections.abc import Sequence

__all__ = ["TokenBucket"]

Step = tuple[float, float]  # second since the first call, calls a second from then on


class TokenBucket:
    """`burst` None holds as much as comes in one second, and at least one. Before the first step there is no limit."""

    def __init__(self, steps: Sequence[Step], burst: float | None = None) -> None:
        self._steps = sorted(steps)
        self._burst = burst
        self._rate: float | None = None  # None: no limit yet
        self._tokens = 0.0
        self._began_s: float | None = None
        self._at_s = 0.0  # since the first call, as far as tokens were counted

    def __repr__(self) -> str:
        return f"<TokenBucket {self._tokens:.1f} of {self._capacity():.1f}, {self._rate} a second>"

    def take(self, now_s: float) -> float:
        """Take a token and return 0, or the seconds until there is one."""
        self._advance(self._since_first(now_s))
        if self._rate is None:
            return 0.0
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        return (1.0 - self._tokens) / self._rate

    def is_full(self, now_s: float) -> bool:
        """Say whether all tokens are back: such a bucket says no more than a new one."""
        self._advance(self._since_first(now_s))
        return self._tokens >= self._capacity()

    def _since_first(self, now_s: float) -> float:
        if self._began_s is None:
            self._began_s = now_s
        return now_s - self._began_s

    def _advance(self, to_s: float) -> None:
        while self._steps and self._steps[0][0] <= to_s:
            begins_s, rate = self._steps.pop(0)
            self._fill(begins_s)
            is_first, self._rate = self._rate is None, rate
            self._tokens = self._capacity() if is_first else min(self._tokens, self._capacity())
        self._fill(to_s)

    def _fill(self, to_s: float) -> None:
        if self._rate is not None:
            self._tokens = min(self._capacity(), self._tokens + max(0.0, to_s - self._at_s) * self._rate)
        self._at_s = max(self._at_s, to_s)

    def _capacity(self) -> float:
        return max(1.0, self._rate or 0.0) if self._burst is None else self._burst
