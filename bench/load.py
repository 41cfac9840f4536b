"""Does the service hold under many clients, some of them hostile, for as long as it runs?

500 clients mix submits, polls, listings, downloads, cancels and deletions with wrong keys, garbage and headers that
never end, against a real `face-recovery serve` in a process of its own (simulated workers). Once a second its memory
and open files are read. It fails, with exit status 1, when any call got a 5xx or no answer, when a slow header was
not cut, when memory grows faster than the slope below after 20 s or a third of the run, though every client deletes its
jobs, or when files are still open once all clients have gone.

`--scripted` has real files, a synced journal and scripted worker processes instead of the simulation.
"""

import argparse
import asyncio
import contextlib
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import uvloop
from PIL import Image

from bench.callers import Account, Caller, Target
from bench.command import Bench
from bench.machine import pin, split_cores
from bench.memory import resident_bytes
from bench.service import simulated_service

# A leak of 100 bytes a call at 1,000 calls a second would be 100 KB/s. In a short run the allocator's pools, which
# fill up slowly, are most of what is seen, so that a minute is allowed 8 MB whatever the slope.
_MAX_SLOPE_KB_PER_S = 40.0
_POOLS_KB = 8000.0
_WARM_UP_S = 20.0
_SPARE_FILES = 5
_SETTLE_S = 15.0
_HEADER_LIMIT_S = 2.0
_DEFAULT_HEADER_LIMIT_S = 15.0
_CONFIG = f"max_connections = 4000\nheader_time_limit_s = {_HEADER_LIMIT_S}\n"
_SIMULATION = ("--latency", "lognormal:0.3:0.5", "--result-bytes", "5000")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The service at one moment."""

    at_s: float
    resident_kb: float
    files: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--scripted", action="store_true", help="real files and scripted workers, no simulation")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the JSON object to FILE besides")
    arguments = parser.parse_args()
    bench = Bench(arguments)
    pin(os.getpid(), split_cores().client)
    with tempfile.TemporaryDirectory() as folder:
        result = _run(arguments, Path(folder))
    bench.show(result, _lines(result))
    sys.exit(1 if result["failures"] else 0)


def _run(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    account = Account()
    with _service(arguments, folder) as (base_url, key, process_id):
        limit_s = _DEFAULT_HEADER_LIMIT_S if arguments.scripted else _HEADER_LIMIT_S
        target = Target(base_url=base_url, key=key, picture=_picture(), header_limit_s=limit_s)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            began = time.perf_counter()
            samples = runner.run(_load(arguments, target, account, process_id))
            seconds = time.perf_counter() - began
            files_left = runner.run(_files_once_settled(process_id, samples[0].files))
    return _result(arguments, account, samples, files_left, seconds)


@contextlib.contextmanager
def _service(arguments: argparse.Namespace, folder: Path) -> Iterator[tuple[str, str, int]]:
    """Run a service and yield its base URL, a key, and its process id."""
    if arguments.scripted:
        with _scripted_service(folder / "service") as running:
            yield running
        return
    config = folder / "service.toml"
    config.write_text(_CONFIG)
    options = (*_SIMULATION, "--config", str(config))
    with simulated_service(folder / "service", options, split_cores().service) as running:
        yield running.base_url, running.key, running.process_id


@contextlib.contextmanager
def _scripted_service(folder: Path) -> Iterator[tuple[str, str, int]]:
    from tests.service.harness import KEY  # noqa: PLC0415 -- in a checkout only

    command = (sys.executable, "-m", "tests.service.serve_program", str(folder))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline().strip() if process.stdout else ""
            yield f"{line}/image/v1", KEY, process.pid
        finally:
            process.kill()


async def _load(arguments: argparse.Namespace, target: Target, account: Account, process_id: int) -> list[Sample]:
    began = time.perf_counter()
    samples = [_sample(process_id, 0.0)]
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as tasks:
        callers = [Caller(number, target, session, account) for number in range(arguments.clients)]
        calling = [tasks.create_task(caller.run(began + arguments.seconds)) for caller in callers]
        ended = asyncio.gather(*calling)
        while not ended.done():
            await asyncio.wait([ended], timeout=1.0)
            samples.append(_sample(process_id, time.perf_counter() - began))
    return samples


async def _files_once_settled(process_id: int, before: int) -> int:
    """Return how many files the service has open once its clients are gone, at the latest after a while."""
    deadline = time.perf_counter() + _SETTLE_S
    # Looked at again and again: another process rings no bell when it closes a file.
    while (files := _files(process_id)) > before + _SPARE_FILES and time.perf_counter() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    return files


def _sample(process_id: int, at_s: float) -> Sample:
    return Sample(at_s=at_s, resident_kb=resident_bytes(process_id) / 1e3, files=_files(process_id))


def _files(process_id: int) -> int:
    folder = Path(f"/proc/{process_id}/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def _picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (120, 90, 70)).save(file, "PNG")
    return file.getvalue()


def _result(
    arguments: argparse.Namespace, account: Account, samples: list[Sample], files_left: int, seconds: float
) -> dict[str, Any]:
    calls = sum(counts.total() for counts in account.statuses.values())
    slope = _slope_kb_per_s(samples, arguments.seconds)
    failures = [f"{what}: {count} times" for what, count in account.wrong.items()]
    measured_s = arguments.seconds - _warm_up_s(arguments.seconds)
    if slope > _MAX_SLOPE_KB_PER_S + _POOLS_KB / max(60.0, measured_s):
        failures.append(f"memory grows by {slope:.0f} KB/s")
    if files_left > samples[0].files + _SPARE_FILES:
        failures.append(f"{files_left} files are open after all clients have gone, {samples[0].files} before")
    return {
        "bench": "load",
        "settings": {"clients": arguments.clients, "seconds": arguments.seconds, "scripted": arguments.scripted},
        "calls": calls,
        "calls_per_s": calls / seconds,
        "statuses": {what: {str(each): n for each, n in sorted(s.items())} for what, s in account.statuses.items()},
        "latency_ms": {what: _quantiles_ms(some) for what, some in account.seconds.items()},
        "resident_mb": {"first": samples[0].resident_kb / 1e3, "last": samples[-1].resident_kb / 1e3},
        "slope_kb_per_s": slope,
        "samples": [[round(s.at_s, 1), round(s.resident_kb), s.files] for s in samples],
        "files": {"before": samples[0].files, "most": max(s.files for s in samples), "after": files_left},
        "failures": failures,
    }


def _warm_up_s(seconds: float) -> float:
    """Return how long memory may still fill up: the service looks for cyclic garbage seldom (see `event_loop`)."""
    return min(max(_WARM_UP_S, seconds / 3), seconds * 2 / 3)


def _slope_kb_per_s(samples: list[Sample], seconds: float) -> float:
    """Return the least-squares slope of memory after the warm-up, up to the end of the load."""
    late = [sample for sample in samples if _warm_up_s(seconds) <= sample.at_s <= seconds]
    if len(late) < 3:
        return 0.0
    mean_at = sum(sample.at_s for sample in late) / len(late)
    mean_kb = sum(sample.resident_kb for sample in late) / len(late)
    above = sum((sample.at_s - mean_at) * (sample.resident_kb - mean_kb) for sample in late)
    return above / sum((sample.at_s - mean_at) ** 2 for sample in late)


def _quantiles_ms(seconds: list[float]) -> dict[str, float]:
    ranked = sorted(seconds)
    return {
        name: round(1e3 * ranked[min(len(ranked) - 1, int(share * len(ranked)))], 1)
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0))
    }


def _lines(result: dict[str, Any]) -> list[str]:
    told, files, memory = result["settings"], result["files"], result["resident_mb"]
    lines = [f"{told['clients']} clients for {told['seconds']:g} s: {result['calls_per_s']:.0f} calls/s", ""]
    for what, counts in sorted(result["statuses"].items()):
        ms = result["latency_ms"][what]
        answers = ", ".join(f"{status} x {count}" for status, count in counts.items())
        lines.append(f"{what:<12} p50 {ms['p50']:7.1f}  p95 {ms['p95']:7.1f}  p99 {ms['p99']:7.1f} ms   {answers}")
    lines += [
        "",
        f"memory {memory['first']:.0f} to {memory['last']:.0f} MB, {result['slope_kb_per_s']:+.1f} KB/s after warm-up",
        f"open files {files['before']}, at most {files['most']}, {files['after']} once all had gone",
    ]
    verdict = "FAILED: " + "; ".join(result["failures"]) if result["failures"] else "held"
    return [*lines, "", verdict]


if __name__ == "__main__":
    main()
