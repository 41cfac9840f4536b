"""How well does the engine use a rate limit that changes while it runs, and how many requests does it waste on 429s?

The service's token bucket allows so many calls a second, then half as many, then as many as before (files by
presigned links are not calls). Every call is counted by the second as the engine sees its answer. `used` is the share
of the allowed calls that were made and not refused; `refused` the share of all calls that were answered 429. Both
are measured from the first call to the end of the last phase, the engine's search for the limit included.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.command import Bench, Column, Figures, figures_table, parser_of
from bench.contest import Contender, Course, open_course
from bench.plot import plot_rate
from bench.spread import spread_of
from bench.task import Report

_BYTES = 4000
_CALLS_A_JOB = 2  # POST and link; a sweep's look is a hundredth of a call
_SURPLUS = 1.15  # more jobs than the phases can take, so that the engine always wants more than it may


@dataclass(frozen=True, slots=True)
class Phases:
    """`rates` calls a second, each for `phase_s` seconds."""

    rates: tuple[float, ...]
    phase_s: int

    @property
    def seconds(self) -> int:
        return len(self.rates) * self.phase_s

    @property
    def steps(self) -> str:
        return ",".join(f"{self.phase_s * place}:{rate:g}" for place, rate in enumerate(self.rates))

    @property
    def jobs(self) -> int:
        return int(sum(self.rates) * self.phase_s / _CALLS_A_JOB * _SURPLUS)

    def allowed(self) -> list[float]:
        """Return the allowed calls of each second."""
        return [rate for rate in self.rates for _second in range(self.phase_s)]


def main() -> None:
    parser = parser_of(__doc__, repeats=3)
    parser.add_argument("--rates", type=float, nargs="+", default=[200.0, 100.0, 200.0], help="calls a second")
    parser.add_argument("--phase-s", type=int, default=30)
    parser.add_argument("--latency", default="fixed:1")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the rate over time into a PNG")
    arguments = parser.parse_args()
    bench, phases = Bench(arguments), Phases(tuple(arguments.rates), arguments.phase_s)
    with open_course() as course:
        reports = course.rounds(_contenders(course, phases, arguments.latency), arguments.repeats)
    result: dict[str, Any] = {
        "bench": "rate_limit",
        "settings": {
            "steps": phases.steps,
            "latency": arguments.latency,
            "jobs": phases.jobs,
            "repeats": arguments.repeats,
        },
        "contenders": {name: _figures(some, phases) for name, some in reports.items()},
        "allowed_over_time": phases.allowed(),
        "over_time": {name: some[0].more["requests_over_time"] for name, some in reports.items()},
    }
    if arguments.plot is not None:
        plot_rate(result, arguments.plot)
    bench.show(result, _lines(arguments, phases, result["contenders"]))


def _contenders(course: Course, phases: Phases, latency: str) -> list[Contender]:
    service = ("--latency", latency, "--result-bytes", str(_BYTES), "--rate-steps", phases.steps)
    return [
        Contender(
            name=name,
            client="engine",
            jobs=course.inputs(phases.jobs, _BYTES),
            in_flight=2000,
            options={"is_counted": True},
            service=(*service, option),
        )
        for name, option in (("with Retry-After", "--retry-after"), ("without Retry-After", "--no-retry-after"))
    ]


def _used(report: Report, phases: Phases, first_s: int, end_s: int) -> float:
    """Return the share of the allowed calls from second `first_s` to before `end_s` that were made and answered."""
    answered = sum(each["answered"] for each in report.more["requests_over_time"][first_s:end_s])
    burst = 0.0 if first_s else phases.rates[0]  # the bucket is full at the start: one second's worth
    return float(answered / (burst + sum(phases.allowed()[first_s:end_s])))


def _refused(report: Report, phases: Phases) -> float:
    seconds = report.more["requests_over_time"][: phases.seconds]
    refused = sum(each["refused"] for each in seconds)
    return float(refused / max(1, refused + sum(each["answered"] for each in seconds)))


def _figures(reports: list[Report], phases: Phases) -> dict[str, Any]:
    begins = range(0, phases.seconds, phases.phase_s)
    by_phase = {
        f"phase_{place + 1}": spread_of(_used(each, phases, begin, begin + phases.phase_s) for each in reports)
        for place, begin in enumerate(begins)
    }
    return {
        "used": spread_of(_used(each, phases, 0, phases.seconds) for each in reports),
        **by_phase,
        "refused": spread_of(_refused(each, phases) for each in reports),
    }


def _lines(arguments: argparse.Namespace, phases: Phases, figures: Figures) -> list[str]:
    columns = (
        Column("used", "used", ".1%"),
        *(Column(f"at {rate:g}/s", f"phase_{place + 1}", ".1%") for place, rate in enumerate(phases.rates)),
        Column("refused", "refused", ".2%"),
    )
    about = f"{phases.jobs} jobs, latency {arguments.latency}, phases of {phases.phase_s} s"
    return [f"{about}, medians of {arguments.repeats}", "", *figures_table(figures, columns)]


if __name__ == "__main__":
    main()
