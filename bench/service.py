"""The simulated service, in a process of its own on a core of its own, for as long as one measurement takes."""

import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from bench.machine import pin

__all__ = ["ServiceFailed", "SimulatedService", "simulated_service"]

COMMAND = (sys.executable, "-m", "engine", "serve", "--simulate", "--child", "--port", "0")
_STOP_LIMIT_S = 10.0


class ServiceFailed(Exception):
    """The service did not start; the message says what it wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedService:
    """One that runs: where, with which key, as which process."""

    base_url: str
    key: str = field(repr=False)
    process_id: int

    def cpu_s(self) -> float:
        """Return the CPU seconds it has used so far; 0 where the system does not tell."""
        stat = Path(f"/proc/{self.process_id}/stat")
        if not stat.exists():
            return 0.0
        ticks = stat.read_text().rpartition(")")[2].split()[11:13]  # utime and stime, proc(5)
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def simulated_service(folder: Path, options: Sequence[str], cores: frozenset[int]) -> Iterator[SimulatedService]:
    """Run a fresh service in `folder`, with the options of `serve --simulate`; raises ServiceFailed."""
    key, log = secrets.token_urlsafe(16), folder.with_suffix(".log")
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [*COMMAND, "--folder", str(folder), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "FACE_RECOVERY_SERVICE_KEY": key},
        )
    try:
        pin(process.pid, cores)
        yield SimulatedService(base_url=_base_url(process, log), key=key, process_id=process.pid)
    finally:
        _stop(process)


def _base_url(process: subprocess.Popen[bytes], log: Path) -> str:
    line = process.stdout.readline() if process.stdout else b""
    try:
        return str(orjson.loads(line)["base_url"])
    except (orjson.JSONDecodeError, KeyError):
        raise ServiceFailed(f"the simulated service did not start: {log.read_text().strip()}") from None


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End it by the end of its standard input, as the engine does, or for good."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(_STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
