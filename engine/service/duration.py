"""How long work takes a worker here: a line a + b x megapixels for each route, learned from what was measured. Pure.

Faces that were given with a job come on top, at so much each. What such a job took teaches both in proportion to their
shares of what was foretold.

Least squares of the relative errors, so that a small picture counts as much as a large one, with forgetting: about the
last fifty jobs of a route count. Until enough sizes were seen the line keeps the shape of the first guess, and takes
only its height from what was measured. One odd measurement moves it little; a lasting change wins in a few jobs.
"""

import math
from dataclasses import dataclass

from engine.service.work import Work

__all__ = ["Durations"]

# Seconds for a job and for a megapixel on one core of a recent machine, until one was measured here: 200 portraits of
# 512 x 512 pixels by two workers took 0.12 s each (bench/README.md); engine/upscale/network.py has the other.
_FIRST_GUESS = {"restore-gen": (0.1, 0.05), "enhance": (1.0, 210.0)}
_UNKNOWN = (0.1, 0.05)
_FIRST_FACE_S = 0.06  # on the same core
_MOST = 0.5
_FACE_STEP = 0.5  # of the way to what the last job took, on a scale of factors
_KEPT = 0.98  # weight of all that was known, at each new job
_PRIOR_WEIGHT = 0.05  # of each of the two jobs that hold the shape of the first guess
_PRIOR_MEGAPIXELS = (0.25, 8.0)
_ODD = 0.5  # a job that took exp(0.5) = 1.6 times as foretold, or 1 / 1.6, counts in full, a worse one less
_ENOUGH = 4.0  # jobs until one can be told to be odd
_SHORTEST_S = 1e-3


class Durations:
    """`learn` what was measured, ask `seconds` for what is to come."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}
        self._face_s = _FIRST_FACE_S

    def __repr__(self) -> str:
        return f"<Durations {', '.join(f'{route}: {line!r}' for route, line in self._lines.items()) or 'unknown'}>"

    def seconds(self, work: Work) -> float:
        """Return how long one worker takes for `work`, all of its jobs one after the other."""
        return self._line(work.route).seconds(work.jobs, work.megapixels) + self._face_s * work.face_work

    def learn(self, work: Work, seconds: float) -> None:
        """Take in one job that a worker has done in `seconds`."""
        line, seconds = self._line(work.route), max(_SHORTEST_S, seconds)
        if not work.face_work:
            line.learn(work.megapixels, seconds)
            return
        line_s = max(_SHORTEST_S, line.seconds(1, work.megapixels))
        share = line_s / (line_s + self._face_s * work.face_work)
        if share > _MOST:  # of the others it says little about the line
            line.learn(work.megapixels, share * seconds, share)
        # No one job moves it far: it is the price of everybody's faces, and the owner of that job may want it low.
        surprise = math.log(share * seconds / line_s)
        self._face_s *= math.exp(_FACE_STEP * (1.0 - share) * max(-_ODD, min(_ODD, surprise)))

    def _line(self, route: str) -> "_Line":
        if route not in self._lines:
            self._lines[route] = _Line(*_FIRST_GUESS.get(route, _UNKNOWN))
        return self._lines[route]


@dataclass(slots=True)
class _Sums:
    """The normal equations of y = a p + b q: for a job p = 1 / guess, q = megapixels / guess, y = seconds / guess."""

    pp: float = 0.0
    pq: float = 0.0
    qq: float = 0.0
    py: float = 0.0
    qy: float = 0.0

    def add(self, p: float, q: float, y: float, weight: float) -> None:
        self.pp += weight * p * p
        self.pq += weight * p * q
        self.qq += weight * q * q
        self.py += weight * p * y
        self.qy += weight * q * y

    def fade(self, factor: float) -> None:
        self.pp *= factor
        self.pq *= factor
        self.qq *= factor
        self.py *= factor
        self.qy *= factor

    def solved(self) -> tuple[float, float]:
        """Return (a, b), neither below 0."""
        determinant = self.pp * self.qq - self.pq * self.pq
        a = (self.py * self.qq - self.qy * self.pq) / determinant
        b = (self.qy * self.pp - self.py * self.pq) / determinant
        if a < 0.0:
            return 0.0, self.qy / self.qq
        if b < 0.0:
            return self.py / self.pp, 0.0
        return a, b


class _Line:
    def __init__(self, guess_a: float, guess_b: float) -> None:
        self._guess_a, self._guess_b = guess_a, guess_b
        self._a, self._b = guess_a, guess_b
        self._sums = _Sums()
        self._jobs = 0.0
        self._y = 0.0
        # What the prior adds to the sums, but for its height.
        self._prior = _Sums()
        for megapixels in _PRIOR_MEGAPIXELS:
            guess = self._guess(megapixels)
            self._prior.add(1.0 / guess, megapixels / guess, 1.0, _PRIOR_WEIGHT)

    def __repr__(self) -> str:
        return f"{self._a:.3f} s + {self._b:.3f} s a megapixel"

    def seconds(self, jobs: int, megapixels: float) -> float:
        return self._a * jobs + self._b * megapixels

    def learn(self, megapixels: float, seconds: float, share: float = 1.0) -> None:
        """Take in a job of which this is the `share` that is told here, and counts as so much of a job."""
        guess = self._guess(megapixels)
        weight = share * self._weight(megapixels, seconds)
        kept = _KEPT**share
        self._sums.fade(kept)
        self._sums.add(1.0 / guess, megapixels / guess, seconds / guess, weight)
        self._jobs = self._jobs * kept + weight
        self._y = self._y * kept + weight * seconds / guess
        self._a, self._b = self._with_prior().solved()

    def _guess(self, megapixels: float) -> float:
        return self._guess_a + self._guess_b * megapixels

    def _weight(self, megapixels: float, seconds: float) -> float:
        if self._jobs < _ENOUGH:
            return 1.0
        foretold_s = max(_SHORTEST_S, self.seconds(1, megapixels))
        return min(1.0, _ODD / max(_ODD, abs(math.log(seconds / foretold_s))))

    def _with_prior(self) -> _Sums:
        height, prior, sums = self._y / self._jobs, self._prior, self._sums
        return _Sums(
            pp=sums.pp + prior.pp,
            pq=sums.pq + prior.pq,
            qq=sums.qq + prior.qq,
            py=sums.py + height * prior.py,
            qy=sums.qy + height * prior.qy,
        )
