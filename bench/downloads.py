"""How fast do large results come home, and does memory grow with them?

The engine, which also decodes and hashes each result, against a bare aiohttp loop to disk, which only syncs and
renames, the same with a SHA-256 of each file, and against curl, which does nothing of it. Throughput is result bytes
by the whole time of a client, its submits included; curl's is by the time of its transfers alone. At every size the
same number of bytes comes home. All of a client's threads share its one core, so a hash costs throughput here.

Results are TIFFs of few pixels with bytes that no tag points to, so that decoding costs neither time nor memory: the
question is the transfer. A real picture of 20 MB takes its decoding besides, by its pixels and not by its bytes.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.command import Bench, Column, Figures, figures_table, parser_of
from bench.contest import Contender, open_course
from bench.spread import spread_of
from bench.task import Report

_MB = 1_000_000
_UP_BYTES = 4000
_AT_ONCE = 8  # downloads: the engine's default
_ENGINE_IN_FLIGHT = 256  # the default too: jobs that wait to be looked at take no download's place
_CLIENTS: dict[str, tuple[str, dict[str, object]]] = {
    "engine": ("engine", {}),
    "bare loop": ("to_disk", {}),
    "bare loop, SHA-256": ("to_disk", {"is_hashed": True}),
    "curl": ("curl", {}),
}


def main() -> None:
    parser = parser_of(__doc__, repeats=3)
    parser.add_argument("--sizes-mb", type=int, nargs="+", default=[5, 20, 80])
    parser.add_argument("--total-mb", type=int, default=2000, help="bytes of each measurement, at every size")
    arguments = parser.parse_args()
    bench = Bench(arguments)
    figures = {}
    with open_course() as course:
        for size_mb in arguments.sizes_mb:
            jobs = course.inputs(max(1, arguments.total_mb // size_mb), _UP_BYTES)
            reports = course.rounds(_contenders(jobs, size_mb), arguments.repeats)
            figures[f"{size_mb} MB"] = {name: _figures(reports, name, size_mb) for name in reports}
    settings = {"total_mb": arguments.total_mb, "repeats": arguments.repeats, "at_once": _AT_ONCE}
    bench.show({"bench": "downloads", "settings": settings, "sizes": figures}, _lines(arguments, figures))


def _contenders(jobs: Path, size_mb: int) -> list[Contender]:
    service = ("--latency", "fixed:0", "--result-bytes", str(size_mb * _MB))
    return [
        Contender(
            name=name,
            client=client,
            jobs=jobs,
            in_flight=_ENGINE_IN_FLIGHT if client == "engine" else _AT_ONCE,
            output_format="tiff",
            options=options,
            service=service,
        )
        for name, (client, options) in _CLIENTS.items()
    ]


def _figures(reports: dict[str, list[Report]], name: str, size_mb: int) -> dict[str, Any]:
    bare, some = reports["bare loop"], reports[name]
    shares = [_rate(each, size_mb) / _rate(one, size_mb) for each, one in zip(some, bare, strict=True)]
    return {
        "mb_a_s": spread_of(_rate(each, size_mb) for each in some),
        "share_of_bare_loop": spread_of(shares),
        "memory_peak_mb": spread_of(each.more.get("memory_peak_bytes", each.memory_peak_bytes) / 1e6 for each in some),
        "cpu_s_a_gb": spread_of(1e3 * (each.user_s + each.system_s) / each.done / size_mb for each in some),
        "service_load": spread_of(each.service_load for each in some),
    }


def _rate(report: Report, size_mb: int) -> float:
    return report.done * size_mb / float(report.more.get("seconds", report.seconds))


_COLUMNS = (
    Column("MB/s", "mb_a_s", ".0f"),
    Column("of the bare loop", "share_of_bare_loop", ".2f"),
    Column("CPU s/GB", "cpu_s_a_gb", ".2f"),
    Column("peak MB", "memory_peak_mb", ".0f"),
    Column("service's core", "service_load", ".2f"),
)


def _lines(arguments: argparse.Namespace, figures: Mapping[str, Figures]) -> list[str]:
    lines = [f"{arguments.total_mb} MB each, {_AT_ONCE} downloads at once, medians of {arguments.repeats}"]
    for size, clients in figures.items():
        lines += ["", f"results of {size}:", *figures_table(clients, _COLUMNS)]
    return lines


if __name__ == "__main__":
    main()
