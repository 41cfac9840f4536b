"""When jobs will be done: how far the remote's etas were off so far, as a distribution learned from finished jobs.

An eta is a queue's length times a pace, so it is wrong by a factor rather than by seconds. The factors between what was
foretold and what jobs took are kept as a streaming histogram (logarithmic bins, older jobs fading), whose quantiles say
how likely a job of some age is done. Where a remote foretells nothing, the mean of what jobs took stands in for it.

What is asked of it: when is a look at these jobs worth a request? A job that is done and not looked at lies unseen; the
seconds that the jobs of one look are expected to have lain unseen grow with time, and once they reach the price of a
request, it is time.
"""

import math
from collections.abc import Sequence

__all__ = ["Age", "Forecast"]

# (what was foretold for a job, how long it has been at the remote), in seconds
Age = tuple[float, float]

_OCTAVES = 10  # either way: a factor of 1000 covers an eta that is only a guess
_BINS_AN_OCTAVE = 32  # 2.2 % wide each
_BINS = 2 * _OCTAVES * _BINS_AN_OCTAVE
_MEMORY_JOBS = 2000.0  # a job this many jobs ago weighs a third of the newest one
# Before anything is learned an eta is right by a factor of two, give or take; it counts as three jobs.
_PRIOR_JOBS, _PRIOR_OCTAVES = 3.0, 1.0
# There are jobs like none before: two of a hundred, their hazard falling with age as a Pareto tail's does.
_STRANGE = 0.02
_LEAST_S = 0.01  # a shorter forecast is none
_MOST_S = 3 * 3600.0  # an eta further off is a mistake: the contract's worst case is 3 hours
_FIRST_MEAN_S = 1.0  # for jobs without an eta, until one is done
_WEIGHT = 0.05  # of the newest job in the mean: about the last 20 count
_SAMPLE = 10  # jobs that stand for all of one look
_REFINE = 8


class Forecast:
    """Learns from finished jobs, and says when a look is worth its price."""

    def __init__(self) -> None:
        self.learned = 0
        self.mean_s = 0.0  # how long jobs take
        self._bins = [_prior(number) for number in range(_BINS)]
        self._total = sum(self._bins)
        self._unit = 1.0  # the weight of the newest job; it grows, so that the older ones fade
        self._done: list[float] = []  # share of jobs done by the lower edge of each bin
        self._late = 1.0  # the factor that nine of ten jobs stay below
        self._refresh()

    def __repr__(self) -> str:
        return f"<Forecast from {self.learned} jobs: mean {self.mean_s:.2f} s, nine of ten by {self._late:.2f} x eta>"

    def learn(self, *, forecast_s: float, took_s: float) -> None:
        """Take in one finished job: what its eta foretold (0: nothing) and what it took."""
        self.learned += 1
        self.mean_s += max(_WEIGHT, 1.0 / self.learned) * (took_s - self.mean_s)
        self._unit *= 1.0 + 1.0 / _MEMORY_JOBS
        self._bins[_bin(max(took_s, _LEAST_S) / self._scale_s(forecast_s))] += self._unit
        self._total += self._unit
        if self._is_stale():
            self._refresh()

    def survival(self, age: Age) -> float:
        """Return the probability that a job is not done at that age, from 1 down to almost 0."""
        factor = age[1] / self._scale_s(age[0])
        if factor <= 0.0:
            return 1.0
        position = (math.log2(factor) + _OCTAVES) * _BINS_AN_OCTAVE
        if position <= 0.0:
            return 1.0
        strange = _STRANGE * min(1.0, self._late / factor)
        if position >= _BINS:
            return strange
        number = int(position)
        low, high = self._done[number], self._done[number + 1]
        return (1.0 - _STRANGE) * (1.0 - low - (high - low) * (position - number)) + strange

    def wait_s(self, jobs: Sequence[Age], price_s: float, *, least_s: float, most_s: float) -> float:
        """Return the seconds from now at which a look at `jobs` is worth `price_s`, within `least_s` and `most_s`.

        `price_s` is in seconds that finished jobs lie unseen, added up over `jobs`. None of them is done now.
        """
        weight = len(jobs) / min(len(jobs), _SAMPLE)
        sample = jobs if weight == 1.0 else [jobs[int(number * weight)] for number in range(_SAMPLE)]
        alive = [(forecast_s, age_s, self.survival((forecast_s, age_s))) for forecast_s, age_s in sample]

        def done(after_s: float) -> float:
            return weight * sum(1.0 - self.survival((each, age_s + after_s)) / now for each, age_s, now in alive)

        unseen_s = at_s = before = 0.0
        step_s = least_s
        while at_s < most_s:
            after = done(at_s + step_s)
            if unseen_s + (before + after) / 2 * step_s >= price_s:  # somewhere in this step, or just behind it
                for _part in range(_REFINE):
                    after = done(at_s + step_s / _REFINE)
                    gain_s = (before + after) / 2 * step_s / _REFINE
                    if unseen_s + gain_s >= price_s:
                        at_s += step_s / _REFINE * (price_s - unseen_s) / gain_s
                        return min(most_s, max(least_s, at_s))
                    unseen_s, before, at_s = unseen_s + gain_s, after, at_s + step_s / _REFINE
                continue
            unseen_s, before, at_s = unseen_s + (before + after) / 2 * step_s, after, at_s + step_s
            step_s *= 2.0
        return most_s

    def _scale_s(self, forecast_s: float) -> float:
        if _LEAST_S <= forecast_s <= _MOST_S:
            return forecast_s
        return max(_LEAST_S, self.mean_s) if self.learned else _FIRST_MEAN_S

    def _is_stale(self) -> bool:
        """The shares are summed up again for each of the first jobs, and later ever less often."""
        return self.learned < 16 or self.learned % (8 if self.learned < 256 else 64) == 0

    def _refresh(self) -> None:
        if self._unit > 1e6:  # the weights are relative: begin again at one
            self._bins = [weight / self._unit for weight in self._bins]
            self._total, self._unit = sum(self._bins), 1.0
        shares, so_far, late = [0.0], 0.0, _BINS
        for number, weight in enumerate(self._bins):
            so_far += weight
            shares.append(min(1.0, so_far / self._total))
            if late == _BINS and shares[-1] >= 0.9:
                late = number
        self._done = shares
        self._late = 2.0 ** ((late + 1) / _BINS_AN_OCTAVE - _OCTAVES)


def _bin(factor: float) -> int:
    return min(_BINS - 1, max(0, int((math.log2(factor) + _OCTAVES) * _BINS_AN_OCTAVE)))


def _prior(number: int) -> float:
    """Return a bin's weight before anything is learned: a normal distribution of the factor's logarithm around 1."""
    octaves = (number + 0.5) / _BINS_AN_OCTAVE - _OCTAVES
    density = math.exp(-0.5 * (octaves / _PRIOR_OCTAVES) ** 2) / (_PRIOR_OCTAVES * math.sqrt(2 * math.pi))
    return _PRIOR_JOBS * density / _BINS_AN_OCTAVE
