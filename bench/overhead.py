"""What does the engine cost a job, beside the bare HTTP requests and one file written?

The engine against the floor (bench/clients/floor.py), zero latency, 20 KB up and 60 KB down, once with journal and
outputs synced and once without any syncing. CPU is user and system time of the client's process, threads included,
from its first look at the inputs to its end; imports and the interpreter's start are left out.

The floor makes three requests a job: POST, status, file. The contract wants a fourth, which mints the link to the
file; the engine always makes it, so the ratio to a floor of four requests is printed, too.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import skimage.data
from PIL import Image

from bench.command import Bench, Column, figures_table, parser_of
from bench.contest import Contender, Course, open_course
from bench.inputs import padded_jpeg
from bench.spread import spread_of
from bench.task import Report
from engine.picture import check_decodes

_UP_BYTES, _DOWN_BYTES = 20_000, 60_000
_FLOOR_WORKERS = 64
_ENGINE_IN_FLIGHT = 256  # more than no latency can fill


def main() -> None:
    parser = parser_of(__doc__, repeats=5)
    parser.add_argument("--jobs", type=int, default=5000)
    arguments = parser.parse_args()
    bench = Bench(arguments)
    with open_course() as course:
        reports = course.rounds(_contenders(course.inputs(arguments.jobs, _UP_BYTES)), arguments.repeats)
        verifying = _verifying(course)
    result = _result(arguments, reports, verifying)
    bench.show(result, _lines(arguments, result))


def _contenders(jobs: Path) -> list[Contender]:
    service = ("--latency", "fixed:0", "--result-bytes", str(_DOWN_BYTES))
    contenders = []
    for is_synced, ending in ((True, "synced"), (False, "no syncs")):
        contenders += [
            Contender(
                name=f"floor of {requests} requests, {ending}",
                client="floor",
                jobs=jobs,
                is_synced=is_synced,
                in_flight=_FLOOR_WORKERS,
                options={"mints_links": requests == 4},
                service=service,
            )
            for requests in (3, 4)
        ]
        contenders.append(
            Contender(
                name=f"engine, {ending}",
                client="engine",
                jobs=jobs,
                is_synced=is_synced,
                in_flight=_ENGINE_IN_FLIGHT,
                service=service,
            )
        )
    return contenders


def _ratios(reports: dict[str, list[Report]]) -> dict[str, list[float]]:
    """Return engine by floor for each round: what ran side by side is compared, not medians of different times."""
    return {
        f"engine / floor of {requests} requests, {ending}": [
            engine.cpu_ms_a_job / floor.cpu_ms_a_job
            for engine, floor in zip(
                reports[f"engine, {ending}"], reports[f"floor of {requests} requests, {ending}"], strict=True
            )
        ]
        for ending in ("synced", "no syncs")
        for requests in (3, 4)
    }


def _verifying(course: Course) -> dict[str, float]:
    """Return the CPU milliseconds of decoding one result: this bench's small ones, and a portrait of 512 x 512."""
    small, portrait = course.folder / "small.jpg", course.folder / "portrait.jpg"
    small.write_bytes(padded_jpeg(_DOWN_BYTES))
    Image.fromarray(skimage.data.astronaut()).save(portrait, quality=85)
    return {
        "this bench's result, 64 x 64": _cpu_ms(lambda: check_decodes(small)),
        "a portrait, 512 x 512": _cpu_ms(lambda: check_decodes(portrait)),
    }


def _cpu_ms(action: Callable[[], object], times: int = 200) -> float:
    action()
    started = time.process_time()
    for _time in range(times):
        action()
    return 1000 * (time.process_time() - started) / times


def _figures(reports: list[Report]) -> dict[str, Any]:
    return {
        "cpu_ms_a_job": spread_of(each.cpu_ms_a_job for each in reports),
        "user_ms_a_job": spread_of(1000 * each.user_s / each.done for each in reports),
        "jobs_a_s": spread_of(each.jobs_a_s for each in reports),
        "status_requests_a_job": spread_of(each.status_requests_a_job for each in reports),
        "service_load": spread_of(each.service_load for each in reports),
    }


def _result(
    arguments: argparse.Namespace, reports: dict[str, list[Report]], verifying: dict[str, float]
) -> dict[str, Any]:
    return {
        "bench": "overhead",
        "settings": {
            "jobs": arguments.jobs,
            "repeats": arguments.repeats,
            "upload_bytes": _UP_BYTES,
            "result_bytes": _DOWN_BYTES,
            "latency_s": 0,
            "floor_workers": _FLOOR_WORKERS,
            "engine_in_flight": _ENGINE_IN_FLIGHT,
        },
        "contenders": {name: _figures(some) for name, some in reports.items()},
        "engine_requests_a_job": reports["engine, synced"][0].more["requests"] / arguments.jobs,
        "ratios": {name: {"ratio": spread_of(values)} for name, values in _ratios(reports).items()},
        "verifying_cpu_ms": verifying,
    }


_COLUMNS = (
    Column("CPU ms/job", "cpu_ms_a_job", ".3f"),
    Column("of it user", "user_ms_a_job", ".3f"),
    Column("jobs/s", "jobs_a_s", ".0f"),
    Column("status requests/job", "status_requests_a_job", ".2f"),
    Column("service's core", "service_load", ".2f"),
)


def _lines(arguments: argparse.Namespace, result: dict[str, Any]) -> list[str]:
    verifying = "; ".join(f"{name}: {ms:.2f} ms" for name, ms in result["verifying_cpu_ms"].items())
    return [
        f"{arguments.jobs} jobs, {_UP_BYTES} bytes up, {_DOWN_BYTES} down, no latency, medians of {arguments.repeats}",
        "",
        *figures_table(result["contenders"], _COLUMNS),
        "",
        *figures_table(result["ratios"], (Column("ratio of CPU", "ratio", ".2f"),)),
        "",
        f"The engine made {result['engine_requests_a_job']:.2f} requests a job.",
        f"CPU of decoding one result, which the floor does not do: {verifying}.",
    ]


if __name__ == "__main__":
    main()
