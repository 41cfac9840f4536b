"""What an operator tells a service: from a TOML file and from options of `serve`, checked. Knows no network.

`config/service.toml` explains each line. Keys are never settings: they come from the environment and `keys.json`.
"""

import os
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from engine.errors import UsageError
from engine.service.key import KeyLimits
from engine.service.settings import MAX_UPLOAD_BYTES, ServiceSettings, Tls
from engine.service.simulate.simulation import Simulation
from engine.toml_file import read_toml

__all__ = ["ServiceFile", "load_service_settings"]

_DAY_S = 24 * 3600.0
_LEAST_MEMORY_BYTES = 1_000_000_000  # an interpreter with the face model maps most of that before its first picture
# Options that are not called as the setting is.
_OPTIONS = {"tls_certificate": "--tls-cert", "allowed_networks": "--allow-network"}


def _network(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return ip_network(value)
    except ValueError:
        raise ValueError("is no network, as 10.1.0.0/16 or fd00::/8 are") from None


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or value != f"{parts.scheme}://{parts.netloc}":
        raise ValueError("is not http:// or https:// with a host and at most a port behind it")
    if "@" in parts.netloc:
        raise ValueError("must not hold a password")
    return value


Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]
Host = Annotated[str, Field(min_length=1)]
Port = Annotated[int, Field(ge=0, le=65535)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]


class ServiceFile(BaseModel):
    """One entry of the TOML file a field."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    host: Host = "127.0.0.1"
    port: Port = 8300
    public_url: Annotated[str, AfterValidator(_origin)] | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    admin_host: Host = "127.0.0.1"
    admin_port: Port | None = None
    has_pages: bool = True

    workers: Annotated[int, Field(ge=0, le=256)] = 0
    threads_per_worker: Annotated[int, Field(ge=1, le=256)] = 1
    worker_memory_bytes: Annotated[int, Field(ge=_LEAST_MEMORY_BYTES)] | None = None
    job_time_limit_s: Seconds = 1200.0
    drain_s: Annotated[float, Field(ge=0)] = 0.0

    credits: Annotated[int, Field(ge=0)] | None = None
    rate_per_s: Seconds | None = None
    burst: Annotated[float, Field(ge=1)] | None = None
    max_unfinished_jobs: Count | None = None
    max_stored_bytes: Count | None = None

    max_upload_bytes: Annotated[int, Field(ge=1, le=MAX_UPLOAD_BYTES)] = MAX_UPLOAD_BYTES
    retention_days: Annotated[float, Field(gt=0)] = 7.0
    link_lifetime_s: Seconds = 3600.0
    allowed_networks: tuple[Network, ...] = ()
    fetch_time_limit_s: Seconds = 60.0

    max_connections: Count = 2000
    header_time_limit_s: Seconds = 15.0
    idle_time_limit_s: Seconds = 75.0
    upload_min_bytes_per_s: Annotated[int, Field(ge=0)] = 1000

    @model_validator(mode="after")
    def _check_pair(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key (--tls-cert, --tls-key) go together: give both or none")
        return self

    def settings(self, *, folder: Path, keys: frozenset[str], simulation: Simulation | None) -> ServiceSettings:
        """Return the settings of the service in `folder`."""
        same = {name: getattr(self, name) for name in _SAME}
        tls = None
        if self.tls_certificate is not None and self.tls_key is not None:
            tls = Tls(certificate=self.tls_certificate, key=self.tls_key)
        limits = KeyLimits(**{name: getattr(self, name) for name in KeyLimits.__slots__})
        return ServiceSettings(
            folder=folder,
            keys=keys,
            simulation=simulation,
            workers=self.workers or max(1, os.cpu_count() or 1),
            retention_s=self.retention_days * _DAY_S,
            limits=limits,
            tls=tls,
            **same,
        )


_OTHERWISE = {"workers", "retention_days", "tls_certificate", "tls_key", *KeyLimits.__slots__}
_SAME = ServiceFile.model_fields.keys() - _OTHERWISE  # called in the file as in ServiceSettings


def load_service_settings(
    options: Mapping[str, Any],
    file: Path | None,
    *,
    folder: Path,
    keys: frozenset[str],
    simulation: Simulation | None = None,
) -> ServiceSettings:
    """Return what `file` says, where it is given, changed by those `options` that are not None.

    Raises UsageError with one line that names the setting, its value and what is wrong with it.
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        told = ServiceFile.model_validate({**read_toml(file, "settings"), **given})
    except ValidationError as error:
        raise UsageError("; ".join(_explain(item, file, given) for item in error.errors())) from None
    return told.settings(folder=folder, keys=keys, simulation=simulation)


def _explain(item: Any, file: Path | None, given: Mapping[str, Any]) -> str:
    complaint = item["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if not item["loc"]:
        return str(complaint)
    name = str(item["loc"][0])
    where = _OPTIONS.get(name, f"--{name.replace('_', '-')}") if name in given else f"{name} in {file}"
    if item["type"] == "extra_forbidden":
        return f"{where}: there is no such setting"
    wrong = "the value" if "@" in str(item["input"]) else item["input"]  # a URL with a password in it
    return f"{where}: {wrong} {complaint[:1].lower()}{complaint[1:]}"
