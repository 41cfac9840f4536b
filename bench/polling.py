"""How many status requests does a job cost, and how long after its end is that known?

Three ways of looking, side by side: single looks (at the job's eta, then every few seconds), whole sweeps of the
listing (every few seconds, to its end), and the engine's planner. Single looks and sweeps run at several intervals,
which gives their whole curves. Listing pages count like single looks. A delay is from the service's own record of a
job's end to the client's knowing; both run on one machine, by one clock.

The bound on jobs in flight is kept full until the plan ends: a run begins with a burst of that many submits, and ends
with the slowest jobs alone in flight, which cost more looks each. `--longer` makes that share smaller.

| scene | latency at the service, and the listing |
|---|---|
| 30 s | lognormal, median 30 s, sigma 0.5, 10,000 in flight: the headline |
| 30 s, narrow | the same with sigma 0.25 |
| 3 s | lognormal, sigma 0.5, 1,000 in flight: as many jobs a second |
| 120 s | lognormal, sigma 0.5, 10,000 in flight; only when asked for |
| 30 s fixed | no spread at all |
| 30 s, long listing | as the headline, among 100,000 old finished rows, in random order |
"""

import argparse
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench.command import Bench, Column, Figures, figures_table, parser_of
from bench.contest import Contender, Course, open_course
from bench.plot import plot_polling
from bench.spread import spread_of
from bench.task import Report

_BYTES = 2000
_OLD_ROWS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One kind of remote, and a load for it that comes to some 300 jobs a second.

    `turnovers` is how many times the jobs in flight are replaced in a run.
    """

    name: str
    latency: str
    in_flight: int = 10_000
    turnovers: float = 4.0
    is_long: bool = False

    @property
    def service(self) -> tuple[str, ...]:
        options = ("--latency", self.latency, "--result-bytes", str(_BYTES))
        return (*options, "--old-rows", str(_OLD_ROWS), "--listing-order", "random") if self.is_long else options


_HEADLINE = Scene(name="30 s", latency="lognormal:30:0.5")
_SCENES = {
    each.name: each
    for each in (
        _HEADLINE,
        replace(_HEADLINE, name="30 s, narrow", latency="lognormal:30:0.25"),
        Scene(name="3 s", latency="lognormal:3:0.5", in_flight=1000, turnovers=12.0),
        Scene(name="120 s", latency="lognormal:120:0.5", turnovers=2.0),
        Scene(name="30 s fixed", latency="fixed:30"),
        replace(_HEADLINE, name="30 s, long listing", is_long=True, turnovers=2.0),
    )
}
# As many jobs a second as in the headline, in a fraction of its time.
_QUICK = Scene(name="5 s", latency="lognormal:5:0.5", in_flight=2000)
_DEFAULT = ("30 s", "30 s, narrow", "3 s", "30 s fixed", "30 s, long listing")


def main() -> None:
    arguments = _arguments()
    bench = Bench(arguments)
    scenes = [_QUICK] if arguments.quick else [_SCENES[name] for name in arguments.scenes]
    figures = {}
    with open_course() as course:
        for scene in scenes:
            reports = course.rounds(_contenders(course, scene, arguments), arguments.repeats)
            figures[scene.name] = {name: _figures(some) for name, some in reports.items()}
    settings = {
        "scenes": {each.name: asdict(each) for each in scenes},
        "repeats": arguments.repeats,
        "longer": arguments.longer,
        "old_rows_when_long": _OLD_ROWS,
    }
    result = {"bench": "polling", "settings": settings, "scenes": figures}
    if arguments.plot is not None:
        plot_polling(result, arguments.plot)
    bench.show(result, _lines(arguments, figures))


def _arguments() -> argparse.Namespace:
    parser = parser_of(__doc__, repeats=1)
    parser.add_argument("--scenes", nargs="+", choices=_SCENES, default=_DEFAULT)
    parser.add_argument("--looks-s", type=float, nargs="+", default=[2.0], help="intervals of single looks and sweeps")
    parser.add_argument("--longer", type=float, default=1.0, metavar="X", help="X times as many jobs")
    parser.add_argument("--only-engine", action="store_true")
    parser.add_argument("--quick", action="store_true", help="one small scene instead: 2,000 in flight, 5 s")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw requests against delay into a PNG")
    return parser.parse_args()


def _contenders(course: Course, scene: Scene, arguments: argparse.Namespace) -> list[Contender]:
    engine = Contender(
        name="engine",
        client="engine",
        jobs=course.inputs(round(scene.in_flight * scene.turnovers * arguments.longer), _BYTES),
        in_flight=scene.in_flight,
        service=scene.service,
    )
    if arguments.only_engine:
        return [engine]
    plain = [
        replace(engine, name=f"{name}, {look_s:g} s", client=client, options={"look_s": look_s})
        for name, client in (("single looks", "poll_single"), ("sweeps", "poll_sweep"))
        for look_s in arguments.looks_s
    ]
    return [engine, *plain]


def _figures(reports: list[Report]) -> dict[str, Any]:
    return {
        "status_requests_a_job": spread_of(each.status_requests_a_job for each in reports),
        "delay_mean_s": spread_of(each.delay_mean_s or 0.0 for each in reports),
        "delay_p95_s": spread_of(each.delay_p95_s or 0.0 for each in reports),
        "jobs_a_s": spread_of(each.jobs_a_s for each in reports),
        "cpu_ms_a_job": spread_of(each.cpu_ms_a_job for each in reports),
        "service_load": spread_of(each.service_load for each in reports),
        "jobs": reports[0].done,
    }


_COLUMNS = (
    Column("status requests/job", "status_requests_a_job", ".3f"),
    Column("delay mean s", "delay_mean_s", ".2f"),
    Column("p95 s", "delay_p95_s", ".2f"),
    Column("jobs/s", "jobs_a_s", ".0f"),
    Column("CPU ms/job", "cpu_ms_a_job", ".2f"),
    Column("service's core", "service_load", ".2f"),
)


def _lines(arguments: argparse.Namespace, figures: Mapping[str, Figures]) -> list[str]:
    lines = [f"medians of {arguments.repeats}"]
    for name, clients in figures.items():
        in_flight = (_SCENES.get(name) or _QUICK).in_flight
        lines += ["", f"{name}, {in_flight} in flight:", *figures_table(clients, _COLUMNS)]
    return lines


if __name__ == "__main__":
    main()
