"""What the service is told before it starts. Knows no files and no network."""

import os
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from engine.errors import UsageError
from engine.service.key import UNLIMITED, KeyLimits
from engine.service.simulate.simulation import Simulation

__all__ = ["MAX_UPLOAD_BYTES", "ServiceSettings", "Tls"]

MAX_UPLOAD_BYTES = 500 * 1000 * 1000  # the contract: a request over 500 MB is answered 413
_WEEK_S = 7 * 24 * 3600  # the contract keeps outputs and statuses 7 days


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """PEM files: the certificate with its chain, and its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """One service: its folder (owned alone), address, keys and limits.

    `keys` are those of whoever starts it; with the named ones in the folder there must be at least one: an open port
    on a desktop machine is reachable from every web page its owner visits. `credits`: all that were ever granted to
    `keys`, None for no limit. `worker_command` starts a program
    that speaks `engine.service.worker_protocol`; None means the face model of this package. A `simulation` takes the
    place of workers and files.

    `limits` are those of every key that has none of its own. `allowed_networks`: private addresses that
    `source_url`, `reference_uri` and webhooks may reach all the same. `worker_memory_bytes`: address space of one
    worker. `public_url`: scheme, host and port in links, where a proxy stands in front. `admin_port`: where
    `/metrics` and `/health` are told in full, None for nowhere. `drain_s`: how long running jobs may go on when the
    service is stopped; then they are queued again by the next start.
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

    limits: KeyLimits = UNLIMITED
    allowed_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    fetch_time_limit_s: float = 60.0
    worker_memory_bytes: int | None = None
    tls: Tls | None = None
    public_url: str | None = None
    admin_host: str = "127.0.0.1"
    admin_port: int | None = None
    max_connections: int = 2000
    header_time_limit_s: float = 15.0  # from a connection's first byte, or its last answer's, to a whole header
    idle_time_limit_s: float = 75.0  # of a connection between two calls
    upload_min_bytes_per_s: int = 1000
    drain_s: float = 0.0
    has_pages: bool = True  # /docs and /openapi.json

    def __post_init__(self) -> None:
        if not all(self.keys):
            raise UsageError("an API key can't be empty")
        if self.workers < 1 or self.threads_per_worker < 1:
            raise UsageError("the service needs at least one worker with at least one thread")
