"""The machine that a bench runs on: what it is, and which core does what."""

import datetime
import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

__all__ = ["Cores", "Machine", "pin", "read_machine", "split_cores"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a figure means nothing without."""

    date: str
    processor: str
    cores: int
    system: str
    python: str
    aiohttp: str
    uvloop: str

    def record(self) -> dict[str, str | int]:
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.date}, {self.processor}, {self.cores} cores, {self.system}, Python {self.python}, "
            f"aiohttp {self.aiohttp}, uvloop {self.uvloop}"
        )


@dataclass(frozen=True, slots=True)
class Cores:
    """Who runs where. On a machine with one core, or one that can't pin, both are free to run anywhere."""

    service: frozenset[int]
    client: frozenset[int]

    def __str__(self) -> str:
        if not self.service or self.service == self.client:
            return "service and client share the cores"
        return f"service on core {_names(self.service)}, client on core {_names(self.client)}"


def read_machine() -> Machine:
    return Machine(
        date=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        processor=_processor(),
        cores=os.cpu_count() or 1,
        system=platform.system(),
        python=platform.python_version(),
        aiohttp=version("aiohttp"),
        uvloop=version("uvloop"),
    )


def split_cores() -> Cores:
    """Return one core for the service and another one for whoever is measured, where this process may use two."""
    if not hasattr(os, "sched_getaffinity"):
        return Cores(frozenset(), frozenset())
    free = sorted(os.sched_getaffinity(0))
    return Cores(frozenset(free[:1]), frozenset(free[1:2] or free[:1]))


def pin(process_id: int, cores: frozenset[int]) -> None:
    """Keep a process on `cores`, with the threads it starts from now on."""
    if cores:
        os.sched_setaffinity(process_id, cores)


def _names(cores: frozenset[int]) -> str:
    return ", ".join(map(str, sorted(cores)))


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
