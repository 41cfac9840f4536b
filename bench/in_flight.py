"""What do 1,000 to 50,000 jobs in flight cost in memory, in CPU, and in the event loop's promptness?

Each job takes 60 s at the simulated service, so that a whole plan is in flight at once; files are small (4 KB), as
bytes are not the question here. A timer in the engine's own loop, every 10 ms, notes how late it runs and how many
jobs are in flight. Memory a job is the peak less what the process had before the run, through the jobs in flight.
"""

import argparse
from typing import Any

from bench.command import Bench, Column, Figures, figures_table, parser_of
from bench.contest import Contender, Course, open_course
from bench.spread import spread_of
from bench.task import Report

_BYTES = 4000
_PROBE_MS = 10


def main() -> None:
    parser = parser_of(__doc__, repeats=1)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1000, 5000, 10_000, 50_000])
    parser.add_argument("--latency-s", type=float, default=60.0)
    arguments = parser.parse_args()
    bench = Bench(arguments)
    with open_course() as course:
        reports = course.rounds([_contender(course, jobs, arguments) for jobs in arguments.jobs], arguments.repeats)
    figures = {name: _figures(some) for name, some in reports.items()}
    settings = {"latency_s": arguments.latency_s, "repeats": arguments.repeats, "bytes": _BYTES, "probe_ms": _PROBE_MS}
    bench.show({"bench": "in_flight", "settings": settings, "jobs": figures}, _lines(arguments, figures))


def _contender(course: Course, jobs: int, arguments: argparse.Namespace) -> Contender:
    return Contender(
        name=str(jobs),
        client="engine",
        jobs=course.inputs(jobs, _BYTES),
        in_flight=jobs,
        options={"probe_ms": _PROBE_MS},
        service=("--latency", f"fixed:{arguments.latency_s:g}", "--result-bytes", str(_BYTES)),
    )


def _figures(reports: list[Report]) -> dict[str, Any]:
    return {
        "peak_in_flight": spread_of(each.more["peak_in_flight"] for each in reports),
        "memory_peak_mb": spread_of(each.memory_peak_mb for each in reports),
        "memory_before_mb": spread_of(each.memory_before_bytes / 1e6 for each in reports),
        "memory_kb_a_job": spread_of(map(_memory_kb_a_job, reports)),
        "lag_p50_ms": spread_of(each.more["lag_p50_ms"] for each in reports),
        "lag_p99_ms": spread_of(each.more["lag_p99_ms"] for each in reports),
        "lag_max_ms": spread_of(each.more["lag_max_ms"] for each in reports),
        "cpu_ms_a_job": spread_of(each.cpu_ms_a_job for each in reports),
        "requests_a_job": spread_of(each.more["requests"] / each.done for each in reports),
        "seconds": spread_of(each.seconds for each in reports),
        "service_load": spread_of(each.service_load for each in reports),
    }


def _memory_kb_a_job(report: Report) -> float:
    return (report.memory_peak_bytes - report.memory_before_bytes) / 1e3 / float(report.more["peak_in_flight"])


_COLUMNS = (
    Column("at once", "peak_in_flight", ".0f"),
    Column("peak MB", "memory_peak_mb", ".0f"),
    Column("KB/job", "memory_kb_a_job", ".1f"),
    Column("lag p50 ms", "lag_p50_ms", ".1f"),
    Column("p99 ms", "lag_p99_ms", ".1f"),
    Column("max ms", "lag_max_ms", ".0f"),
    Column("CPU ms/job", "cpu_ms_a_job", ".2f"),
    Column("requests/job", "requests_a_job", ".2f"),
    Column("seconds", "seconds", ".0f"),
)


def _lines(arguments: argparse.Namespace, figures: Figures) -> list[str]:
    head = f"{arguments.latency_s:g} s at the service, {_BYTES} bytes up and down, medians of {arguments.repeats}"
    return [head, "", *figures_table(figures, _COLUMNS)]


if __name__ == "__main__":
    main()
