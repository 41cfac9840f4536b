"""How true is the eta that the service tells at a submit?

Virtual time: the service's own queue, durations and forecast, with workers that take a known time for each job, times a
lognormal factor (sigma 0.15) that nobody can foresee. The error of a job is |eta - its end| / (its end - its submit);
the first 50 jobs of a scene, by which the service learns how fast it is, count in "first jobs" only.

Scenes: "stream", four owners submit one by one, at 70 % of what the workers can do; "batches", three owners submit 200
at once now and then; "backlog", one owner submits 1,500 at once; "overtaken", the same, and three others stream
meanwhile, at 30 %; "first jobs", 50 at once to a new service whose first guess is several times too fast.
"""

import argparse
import heapq
import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from bench.command import Bench, Column, Figures, figures_table, parser_of
from bench.spread import quantile, spread_of
from engine.service.duration import Durations
from engine.service.eta import Timetable
from engine.service.fair_queue import FairQueue
from engine.service.work import Work

_TRUE_S = {"restore-gen": (0.6, 0.45), "enhance": (3.0, 40.0)}  # a job, a megapixel; neither as first guessed
_WARM_UP = 50
_WORKERS = (1, 2, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One job that is submitted at `at_s` and takes a worker `takes_s`."""

    at_s: float
    owner: str
    work: Work
    takes_s: float


Scene = Callable[[random.Random, int, float], Iterator[Arrival]]  # of chance, workers and sigma


def _job(rng: random.Random, at_s: float, owner: str, sigma: float) -> Arrival:
    """A photo of 0.3 to 12 megapixels; one in twenty is to be enhanced, which takes a small one ten times as long."""
    route = "enhance" if rng.random() < 0.05 else "restore-gen"
    megapixels = rng.uniform(0.1, 0.5) if route == "enhance" else min(24.0, 0.6 + rng.lognormvariate(0.7, 0.8))
    fixed_s, each_s = _TRUE_S[route]
    takes_s = (fixed_s + each_s * megapixels) * rng.lognormvariate(0.0, sigma)
    return Arrival(at_s=at_s, owner=owner, work=Work(route=route, megapixels=megapixels), takes_s=takes_s)


def _mean_s(sigma: float) -> float:
    rng = random.Random(0)  # noqa: S311 -- chance that can be repeated, not a secret
    return sum(_job(rng, 0.0, "", sigma).takes_s for _ in range(5000)) / 5000


def _stream(rng: random.Random, owners: int, load_s: float, sigma: float, count: int) -> Iterator[Arrival]:
    at_s = 0.0
    for _ in range(count):
        at_s += rng.expovariate(1.0 / load_s)
        yield _job(rng, at_s, f"owner {rng.randrange(owners)}", sigma)


def stream(rng: random.Random, workers: int, sigma: float) -> Iterator[Arrival]:
    return _stream(rng, 4, _mean_s(sigma) / workers / 0.7, sigma, 3000)


def batches(rng: random.Random, workers: int, sigma: float) -> Iterator[Arrival]:
    at_s = 0.0
    for _ in range(15):
        owner = f"owner {rng.randrange(3)}"
        yield from [_job(rng, at_s, owner, sigma) for _ in range(200)]
        at_s += rng.expovariate(1.0 / (200 * _mean_s(sigma) / workers / 0.7))


def backlog(rng: random.Random, workers: int, sigma: float) -> Iterator[Arrival]:
    yield from _warm_up(rng, workers, sigma)
    yield from [_job(rng, 1e6, "large", sigma) for _ in range(1500)]


def overtaken(rng: random.Random, workers: int, sigma: float) -> Iterator[Arrival]:
    small = _stream(rng, 3, _mean_s(sigma) / workers / 0.3, sigma, 1000)
    yield from itertools.islice(small, 200)
    large_at_s = 0.0
    for number, each in enumerate(small):
        if not number:
            large_at_s = each.at_s
            yield from [_job(rng, large_at_s, "large", sigma) for _ in range(1500)]
        yield each


def first_jobs(rng: random.Random, workers: int, sigma: float) -> Iterator[Arrival]:
    del workers
    yield from [_job(rng, at_s, "new", sigma) for at_s in itertools.repeat(0.0, _WARM_UP)]


def _warm_up(rng: random.Random, workers: int, sigma: float) -> Iterator[Arrival]:
    return _stream(rng, 1, _mean_s(sigma) / workers / 0.5, sigma, _WARM_UP)


SCENES: dict[str, Scene] = {
    "stream": stream,
    "batches": batches,
    "backlog": backlog,
    "overtaken": overtaken,
    "first jobs": first_jobs,
}


class Service:
    """The parts of the service that make an eta, and workers that only take their time."""

    def __init__(self, workers: int) -> None:
        self.errors: list[float] = []  # of each job, in the order of their ends
        self._workers = workers
        self._durations = Durations()
        self._queue: FairQueue[tuple[int, Arrival, float]] = FairQueue(self._durations.seconds)
        self._timetable = Timetable(self._durations, self._queue, workers)
        self._ends: list[tuple[float, int, Arrival, float]] = []
        self._foretold: dict[int, float] = {}  # seconds, by the number of the job
        self._count = 0

    def run(self, arrivals: Iterable[Arrival]) -> list[float]:
        """Serve all of `arrivals`, which come in order of time, and return the errors."""
        for arrival in arrivals:
            self._end_until(arrival.at_s)
            self._submit(arrival)
        self._end_until(float("inf"))
        return self.errors

    def _submit(self, arrival: Arrival) -> None:
        self._count += 1
        wait_s = self._timetable.seconds_until_done(arrival.owner, arrival.work, arrival.at_s)
        self._timetable.submitted(arrival.owner, arrival.work, arrival.at_s)
        self._queue.put(arrival.owner, self._count, arrival.work, (self._count, arrival, arrival.at_s + wait_s))
        self._start(arrival.at_s)

    def _start(self, now_s: float) -> None:
        while len(self._ends) < self._workers and self._queue:
            number, arrival, eta_s = self._queue.pop()
            self._timetable.began(str(number), arrival.work, now_s)
            self._foretold[number] = self._durations.seconds(arrival.work)
            heapq.heappush(self._ends, (now_s + arrival.takes_s, number, arrival, eta_s))

    def _end_until(self, now_s: float) -> None:
        while self._ends and self._ends[0][0] <= now_s:
            end_s, number, arrival, eta_s = heapq.heappop(self._ends)
            self._timetable.ended(str(number))
            self._queue.charge(arrival.owner, max(0.0, arrival.takes_s - self._foretold.pop(number)))
            self._durations.learn(arrival.work, arrival.takes_s)
            self.errors.append(abs(eta_s - end_s) / (end_s - arrival.at_s))
            self._start(end_s)


def errors_of(name: str, workers: int, sigma: float, seed: int) -> list[float]:
    """Return the errors of the jobs of one scene that count, as shares of the time they took."""
    rng = random.Random(seed)  # noqa: S311 -- as above
    errors = Service(workers).run(SCENES[name](rng, workers, sigma))
    return errors if name == "first jobs" else errors[_WARM_UP:]


def main() -> None:
    parser = parser_of(__doc__, repeats=5)
    parser.add_argument("--sigma", type=float, default=0.15)
    arguments = parser.parse_args()
    bench = Bench(arguments)
    figures = {
        f"{name}, {workers} workers": _figures(name, workers, arguments) for name in SCENES for workers in _WORKERS
    }
    settings = {"sigma": arguments.sigma, "repeats": arguments.repeats}
    bench.show({"bench": "eta", "settings": settings, "scenes": figures}, _lines(arguments, figures))


def _figures(name: str, workers: int, arguments: argparse.Namespace) -> dict[str, Any]:
    errors = [errors_of(name, workers, arguments.sigma, seed) for seed in range(arguments.repeats)]
    return {f"p{share}": spread_of(quantile(each, share / 100) for each in errors) for share in (50, 80, 95)}


_COLUMNS = (Column("p50", "p50", ".1%"), Column("p80", "p80", ".1%"), Column("p95", "p95", ".1%"))


def _lines(arguments: argparse.Namespace, figures: Figures) -> list[str]:
    head = f"relative error of the eta, durations vary by sigma {arguments.sigma:g}, medians of {arguments.repeats}"
    return [head, "", *figures_table(figures, _COLUMNS)]


if __name__ == "__main__":
    main()
