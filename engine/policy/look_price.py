"""What one request for the state of jobs must be worth: the price that keeps detection prompt and requests few.

With a price of P job-seconds, n jobs that end at a rate of r a second together are looked at every sqrt(2 P / r)
seconds, so a finished job lies unseen for half of that on average: P = 2 D^2 r gives a mean of D. From there the price
is corrected by what is measured: up when finished jobs are seen too early for the requests they cost, down when they
lie unseen too long.
"""

__all__ = ["LookPrice"]

_PAGE_ROWS = 100
_SHARE_OF_DURATION = 0.05  # jobs of half a second are not left lying for a whole one
_LEAST_DELAY_S = 0.03
_REQUESTS_A_JOB = 1.0  # beyond it promptness is not worth it...
_FREE_REQUESTS_PER_S = 5.0  # ...unless there are hardly any requests at all
_SHARE_OF_RATE = 0.25  # of a remote's measured pace: the rest is for submits and downloads
_EVERY_S, _MOST_JOBS = 1.0, 200  # a correction follows at least so much time or so many jobs
_STEP = 1.3
_AIM = 0.9  # of the wanted delay: the first minutes, while there is much to learn, go above it
_LEAST, _MOST = 0.02, 100.0


class LookPrice:
    """`delay_s`: how long a finished job may lie unseen, on average. Times are monotonic seconds."""

    def __init__(self, *, delay_s: float, now: float) -> None:
        self._delay_s = delay_s
        self._factor = 1.0
        self._since = now
        self._requests = 0
        self._found = 0
        self._unseen_s = 0.0

    def __repr__(self) -> str:
        return f"<LookPrice x {self._factor:.2f}>"

    def price_s(self, waiting: int, mean_s: float) -> float:
        """Return the price, in seconds unseen added up over jobs, with `waiting` jobs that take `mean_s` each."""
        delay_s = self._target_s(mean_s)
        ends_per_s = min(_PAGE_ROWS, max(1, waiting)) / max(mean_s, 2 * delay_s)
        return 2 * delay_s**2 * ends_per_s * self._factor

    def asked(self) -> None:
        """One request was made."""
        self._requests += 1

    def found(self, unseen_s: float) -> None:
        """A job was seen to be done, `unseen_s` after it was."""
        self._found += 1
        self._unseen_s += unseen_s

    def correct(self, now: float, mean_s: float, rate_per_s: float | None) -> None:
        """Move the price by what was measured since the last correction, if that is enough to tell.

        `rate_per_s`: the pace that the remote was found to take for all requests; None when it never refused any.
        """
        elapsed_s = now - self._since
        if not self._found or (elapsed_s < _EVERY_S and self._found < _MOST_JOBS):
            return
        ratio = self._unseen_s / self._found / (_AIM * self._target_s(mean_s))
        step = min(_STEP, max(1 / _STEP, 1 / max(ratio, 0.1)))
        per_s = self._requests / max(elapsed_s, 1e-3)
        if self._requests > _REQUESTS_A_JOB * self._found and per_s > _FREE_REQUESTS_PER_S:
            step = max(step, 1.1)
        if rate_per_s is not None and per_s > _SHARE_OF_RATE * rate_per_s:
            step = _STEP
        self._factor = min(_MOST, max(_LEAST, self._factor * step))
        self._since, self._requests, self._found, self._unseen_s = now, 0, 0, 0.0

    def _target_s(self, mean_s: float) -> float:
        return min(self._delay_s, max(_LEAST_DELAY_S, _SHARE_OF_DURATION * mean_s))
