"""What the service is told before it starts. Knows no files and no network."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import UsageError
from engine.service.simulate.simulation import Simulation

__all__ = ["MAX_UPLOAD_BYTES", "ServiceSettings"]

MAX_UPLOAD_BYTES = 500 * 1000 * 1000  # the contract: a request over 500 MB is answered 413
_WEEK_S = 7 * 24 * 3600  # the contract keeps outputs and statuses 7 days


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """One service: its folder (owned alone), address, keys and limits.

    `keys` must hold at least one key: an open port on a desktop machine is reachable from every web page its
    owner visits. `credits` is all that was ever granted, None for no limit. `worker_command` starts a program
    that speaks `engine.service.worker_protocol`; None means the face model of this package. A `simulation` takes the
    place of workers and files.
    """

    folder: Path
    keys: frozenset[str] = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 0  # 0 picks a free one
    workers: int = field(default_factory=lambda: max(1, os.cpu_count() or 1))
    threads_per_worker: int = 1
    link_lifetime_s: float = 3600.0
    max_upload_bytes: int = MAX_UPLOAD_BYTES
    credits: int | None = None
    retention_s: float = _WEEK_S
    job_time_limit_s: float = 20 * 60.0
    worker_command: tuple[str, ...] | None = None
    simulation: Simulation | None = None

    def __post_init__(self) -> None:
        if not self.keys or not all(self.keys):
            raise UsageError("the service needs at least one API key")
        if self.workers < 1 or self.threads_per_worker < 1:
            raise UsageError("the service needs at least one worker with at least one thread")
