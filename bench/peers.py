"""What do the loops that people write today cost, beside the engine?

Two scenes. Without latency every job is done within some milliseconds, which compares what a job costs; all that look
again do so after 50 ms there. With latency (lognormal, median 3 s by default) it matters when a client looks: status
requests a job, and how long after the remote's end it knows. Delays are by the service's own record of the end; both
run on one machine, by one clock.

| client | is |
|---|---|
| quickstart | the vendor's quickstart in a thread pool: requests, a look every 2 s, a connection for each call |
| quickstart, sessions | the same, one `requests.Session` a thread |
| httpx, 1 s / 0.1 s / 0.5 s | a task a job; the last two look as fal's and replicate's clients do, which use httpx |
| aiohttp, 1 s | a task a job, `FormData`, aiofiles |
| engine | journal and syncs on, results verified; none of the others does any of that |
"""

import argparse
from pathlib import Path
from typing import Any

from bench.command import Bench, Column, figures_table, parser_of
from bench.contest import Contender, open_course
from bench.plot import plot_peers
from bench.spread import spread_of
from bench.task import Report

_UP_BYTES, _DOWN_BYTES = 20_000, 60_000
_THREADS = 32  # of the quickstart: as many jobs in flight
_TASKS = 64  # in flight, of the asyncio ones; httpx gets slower, a job, with more
_ENGINE_IN_FLIGHT = 256  # its default
_NO_LATENCY, _SOON_S = "fixed:0", 0.05

_CLIENTS: tuple[tuple[str, str, int, dict[str, object]], ...] = (
    ("engine", "engine", _ENGINE_IN_FLIGHT, {}),
    ("aiohttp, 1 s", "aiohttp_tasks", _TASKS, {"look_s": 1.0}),
    ("quickstart, sessions", "quickstart", _THREADS, {"look_s": 2.0, "has_session": True}),
    ("quickstart", "quickstart", _THREADS, {"look_s": 2.0}),
    ("httpx, 1 s", "httpx_tasks", _TASKS, {"look_s": 1.0, "looks_first": True}),
    ("httpx, 0.1 s as fal", "httpx_tasks", _TASKS, {"look_s": 0.1, "looks_first": True}),
    ("httpx, 0.5 s as replicate", "httpx_tasks", _TASKS, {"look_s": 0.5, "looks_first": False}),
)
# Without latency these do the same as the plain httpx loop, or sleep first for nothing.
_ONLY_WITH_LATENCY = ("httpx, 0.1 s as fal", "httpx, 0.5 s as replicate")


def main() -> None:
    parser = parser_of(__doc__, repeats=3)
    parser.add_argument("--jobs", type=int, default=2000, help="of the scene without latency")
    parser.add_argument("--latency-jobs", type=int, default=1000)
    parser.add_argument("--latency", default="lognormal:3:0.5", help="of the second scene")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw CPU a job by client into a PNG")
    arguments = parser.parse_args()
    bench = Bench(arguments)
    with open_course() as course:
        inputs = course.inputs(arguments.jobs, _UP_BYTES)
        quick = course.rounds(_contenders(inputs, _NO_LATENCY), arguments.repeats)
        inputs = course.inputs(arguments.latency_jobs, _UP_BYTES)
        slow = course.rounds(_contenders(inputs, arguments.latency), arguments.repeats)
    result = _result(arguments, quick, slow)
    if arguments.plot is not None:
        plot_peers(result, arguments.plot)
    bench.show(result, _lines(arguments, result))


def _contenders(jobs: Path, latency: str) -> list[Contender]:
    is_quick = latency == _NO_LATENCY
    return [
        Contender(
            name=name,
            client=client,
            jobs=jobs,
            in_flight=in_flight,
            options={**options, **({"look_s": _SOON_S} if is_quick else {})},
            service=("--latency", latency, "--result-bytes", str(_DOWN_BYTES)),
        )
        for name, client, in_flight, options in _CLIENTS
        if not (is_quick and name in _ONLY_WITH_LATENCY)
    ]


def _figures(reports: list[Report], engine: list[Report]) -> dict[str, Any]:
    pairs = zip(reports, engine, strict=True)
    figures = {
        "cpu_ms_a_job": spread_of(each.cpu_ms_a_job for each in reports),
        "times_the_engine": spread_of(each.cpu_ms_a_job / its.cpu_ms_a_job for each, its in pairs),
        "jobs_a_s": spread_of(each.jobs_a_s for each in reports),
        "memory_peak_mb": spread_of(each.memory_peak_mb for each in reports),
        "status_requests_a_job": spread_of(each.status_requests_a_job for each in reports),
    }
    if all(each.delay_mean_s is not None for each in reports):
        figures |= {
            "delay_mean_s": spread_of(each.delay_mean_s or 0.0 for each in reports),
            "delay_p95_s": spread_of(each.delay_p95_s or 0.0 for each in reports),
        }
    return figures


def _result(
    arguments: argparse.Namespace, quick: dict[str, list[Report]], slow: dict[str, list[Report]]
) -> dict[str, Any]:
    return {
        "bench": "peers",
        "settings": {
            "repeats": arguments.repeats,
            "jobs": arguments.jobs,
            "latency_jobs": arguments.latency_jobs,
            "latency": arguments.latency,
            "upload_bytes": _UP_BYTES,
            "result_bytes": _DOWN_BYTES,
            "threads": _THREADS,
            "tasks": _TASKS,
            "engine_in_flight": _ENGINE_IN_FLIGHT,
        },
        "without_latency": {name: _figures(some, quick["engine"]) for name, some in quick.items()},
        "with_latency": {name: _figures(some, slow["engine"]) for name, some in slow.items()},
    }


_COST = (
    Column("status requests/job", "status_requests_a_job", ".2f"),
    Column("CPU ms/job", "cpu_ms_a_job", ".2f"),
    Column("x engine", "times_the_engine", ".1f"),
    Column("jobs/s", "jobs_a_s", ".0f"),
    Column("peak MB", "memory_peak_mb", ".0f"),
)
_LOOKS = (
    Column("delay mean s", "delay_mean_s", ".2f"),
    Column("p95 s", "delay_p95_s", ".2f"),
)


def _lines(arguments: argparse.Namespace, result: dict[str, Any]) -> list[str]:
    sizes = f"{_UP_BYTES} bytes up, {_DOWN_BYTES} down"
    at_once = f"{_THREADS} threads or {_TASKS} tasks in flight (engine {_ENGINE_IN_FLIGHT})"
    return [
        f"{at_once}, {sizes}, medians of {arguments.repeats}",
        "",
        f"{arguments.jobs} jobs without latency:",
        *figures_table(result["without_latency"], _COST),
        "",
        f"{arguments.latency_jobs} jobs, latency {arguments.latency}:",
        *figures_table(result["with_latency"], (*_LOOKS, *_COST)),
    ]


if __name__ == "__main__":
    main()
