"""Contenders measured in turns, each with a fresh service and a fresh process, so that noise hits all alike."""

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.inputs import fill_folder
from bench.machine import Cores, pin, split_cores
from bench.service import SimulatedService, simulated_service
from bench.task import Report, Task

__all__ = ["Contender", "Course", "MeasurementFailed", "open_course"]

_ROOT = Path(__file__).parent.parent


class MeasurementFailed(Exception):
    """A client ended without a report, or did not do all of its jobs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A client as it is measured. `jobs` are its inputs, `service` options of its service.

    `wrapper`: a command that runs the client's process, such as a profiler.
    """

    name: str
    client: str
    jobs: Path
    is_synced: bool = True
    in_flight: int = 64
    output_format: str = "jpeg"
    options: dict[str, Any] = field(default_factory=dict)
    service: tuple[str, ...] = ()
    wrapper: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Course:
    """Where contenders run: a folder that goes away afterwards, and a core for either side."""

    folder: Path
    cores: Cores

    def inputs(self, count: int, size_bytes: int) -> Path:
        """Return a folder of so many pictures; made once."""
        folder = self.folder / f"inputs-{count}-{size_bytes}"
        return folder if folder.exists() else fill_folder(folder, count, size_bytes)

    def rounds(self, contenders: Sequence[Contender], repeats: int) -> dict[str, list[Report]]:
        """Measure all in turns, A B C A B C; raises MeasurementFailed."""
        reports: dict[str, list[Report]] = {each.name: [] for each in contenders}
        for repeat in range(repeats):
            for each in contenders:
                report = self.measure(each)
                reports[each.name].append(report)
                _tell(f"round {repeat + 1} of {repeats}, {each.name}: {report.done} jobs in {report.seconds:.1f} s")
        return reports

    def measure(self, contender: Contender) -> Report:
        with self._service(contender.service) as service:
            out = self.folder / "out"
            task = Task(
                client=contender.client,
                base_url=service.base_url,
                key=service.key,
                inputs=contender.jobs,
                out=out,
                is_synced=contender.is_synced,
                in_flight=contender.in_flight,
                output_format=contender.output_format,
                options=contender.options,
            )
            used_s = service.cpu_s()
            try:
                report = _report(task, self.cores.client, contender.wrapper)
            finally:
                shutil.rmtree(out, ignore_errors=True)
            return replace(report, service_cpu_s=service.cpu_s() - used_s)

    @contextlib.contextmanager
    def _service(self, options: tuple[str, ...]) -> Iterator[SimulatedService]:
        folder = self.folder / "service"
        try:
            with simulated_service(folder, options, self.cores.service) as service:
                yield service
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def open_course() -> Iterator[Course]:
    with tempfile.TemporaryDirectory(prefix="face-recovery-bench-") as folder:
        yield Course(Path(folder), split_cores())


def _report(task: Task, cores: frozenset[int], wrapper: tuple[str, ...]) -> Report:
    command = [*wrapper, sys.executable, "-m", "bench.measured"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT) as process:
        pin(process.pid, cores)
        answer, _ = process.communicate(task.to_json())
    if process.returncode:
        raise MeasurementFailed(f"{task.client} ended with code {process.returncode}")
    # A profiler may have said something, too.
    report = Report.of_json(next(line for line in answer.splitlines() if line.startswith(b"{")))
    if report.done != (planned := len(task.pictures())):
        raise MeasurementFailed(f"{task.client} did {report.done} of {planned} jobs: {report.more}")
    return report


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
