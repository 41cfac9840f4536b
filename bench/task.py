"""What a measured client is asked to do, what it counted, and what it cost."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson

from bench.spread import quantile

__all__ = ["Counts", "Report", "Task", "mean_and_p95"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One measurement. `client` names a module of `bench.clients`; `options` are that client's own."""

    client: str
    base_url: str
    key: str = field(repr=False)
    inputs: Path  # a folder; each file in it is one job
    out: Path  # does not exist yet
    is_synced: bool = True  # outputs, and the journal of who has one
    in_flight: int = 64  # jobs at once
    output_format: str = "jpeg"
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def headers(self) -> dict[str, str]:
        return {"X-API-Key": self.key}

    def pictures(self) -> list[Path]:
        return sorted(self.inputs.iterdir())

    def to_json(self) -> bytes:
        return orjson.dumps({**asdict(self), "inputs": str(self.inputs), "out": str(self.out)})

    @classmethod
    def of_json(cls, text: bytes) -> Self:
        members = orjson.loads(text)
        return cls(**{**members, "inputs": Path(members["inputs"]), "out": Path(members["out"])})


@dataclass(slots=True, kw_only=True)
class Counts:
    """What a client counts while it works. `delays_s`: from the remote's end of a job to the client's knowing."""

    done: int = 0
    status_requests: int = 0
    delays_s: list[float] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One measurement's result. CPU is that of the client's process, its threads included, without its start."""

    done: int
    seconds: float
    user_s: float
    system_s: float
    memory_before_bytes: int
    memory_peak_bytes: int
    status_requests: int
    delay_mean_s: float | None = None
    delay_p95_s: float | None = None
    service_cpu_s: float = 0.0
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def cpu_ms_a_job(self) -> float:
        return 1000 * (self.user_s + self.system_s) / max(1, self.done)

    @property
    def jobs_a_s(self) -> float:
        return self.done / self.seconds

    @property
    def status_requests_a_job(self) -> float:
        return self.status_requests / max(1, self.done)

    @property
    def memory_peak_mb(self) -> float:
        return self.memory_peak_bytes / 1e6

    @property
    def service_load(self) -> float:
        """The share of one core that the service took: near 1 it was the service that set the pace."""
        return self.service_cpu_s / self.seconds

    def to_json(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def of_json(cls, text: bytes) -> Self:
        return cls(**orjson.loads(text))


def mean_and_p95(delays_s: list[float]) -> tuple[float | None, float | None]:
    if not delays_s:
        return None, None
    return sum(delays_s) / len(delays_s), quantile(delays_s, 0.95)
