"""When to look at a job: first near its eta, corrected by what finished jobs taught, then ever less often.

The remote's eta is a guess, often wrong by a factor: it multiplies a queue by a pace. Each finished job tells the
factor between what was foretold and what it took; the running mean of that factor moves the first looks of all jobs
still waiting, and the mean deviation from the corrected forecast sets the rhythm of the looks that follow: jobs that
end when foretold are looked at once or twice, erratic ones at a pace that fits their spread.
"""

__all__ = ["PollSchedule"]

# Weight of the newest job in the running means: about the last 20 jobs count.
_LEARNING = 0.1
# Half a deviation after the corrected forecast most jobs are done; looking sooner would mostly be in vain.
_MARGIN = 0.5
# Each look in vain lengthens the next wait by half, so a stuck job costs a logarithm of looks.
_GROWTH = 1.5
# An eta further off than this is a mistake, not a forecast (the contract's worst case is 3 hours).
_MAX_FORECAST_S = 3 * 3600.0
# One odd job must not move the factor beyond all reason.
_MIN_FACTOR, _MAX_FACTOR = 0.01, 100.0
# Until a job has finished nobody knows what the etas are worth: the first few jobs are looked at early.
_SCOUTS = 3
_SCOUT_WAIT_S = 0.5


class PollSchedule:
    """Learns from finished jobs, and says how many seconds to wait for the next look."""

    def __init__(self, *, min_s: float, max_s: float) -> None:
        self._min_s = min_s
        self._max_s = max_s
        self._learned = 0
        self._scouts = 0
        self._mean_s = 0.0  # how long jobs take
        self._factor = 1.0  # between what was foretold and what it took
        self._spread_s = 0.0  # mean absolute deviation from the corrected forecast

    def __repr__(self) -> str:
        return (
            f"<PollSchedule {self._learned} jobs: mean {self._mean_s:.2f} s, "
            f"factor {self._factor:.2f}, spread {self._spread_s:.2f} s>"
        )

    def learn(self, *, forecast_s: float, took_s: float) -> None:
        """Take in one finished job: what its eta foretold (0: nothing) and what it took."""
        self._learned += 1
        weight = max(_LEARNING, 1.0 / self._learned)
        self._mean_s += weight * (took_s - self._mean_s)
        if self._is_forecast(forecast_s):
            factor = min(_MAX_FACTOR, max(_MIN_FACTOR, took_s / forecast_s))
            self._factor += weight * (factor - self._factor)
        # Against the forecast as it is corrected now: the first job's error is the factor's, not a spread.
        self._spread_s += weight * (abs(took_s - self._expected_s(forecast_s)) - self._spread_s)

    def scout_wait_s(self) -> float | None:
        """Return an early first look for one of the first jobs; None when there have been enough, or one finished."""
        if self._learned or self._scouts >= _SCOUTS:
            return None
        self._scouts += 1
        return max(self._min_s, _SCOUT_WAIT_S)

    def first_wait_s(self, forecast_s: float) -> float:
        """Return the wait from acceptance to the first look, as far as is known by now: it changes as jobs finish."""
        wait_s = self._expected_s(forecast_s) + _MARGIN * self._spread_s
        return min(_MAX_FORECAST_S, max(self._min_s, wait_s))

    def next_wait_s(self, looks: int, waited_s: float) -> float:
        """Return the wait after `looks` in vain (from 1), `waited_s` after acceptance."""
        step = max(self._spread_s / 2, waited_s / 20, self._min_s)
        return min(self._max_s, step * _GROWTH ** min(looks - 1, 20))

    def _expected_s(self, forecast_s: float) -> float:
        return forecast_s * self._factor if self._is_forecast(forecast_s) else self._mean_s

    @staticmethod
    def _is_forecast(forecast_s: float) -> bool:
        return 0.0 < forecast_s <= _MAX_FORECAST_S
