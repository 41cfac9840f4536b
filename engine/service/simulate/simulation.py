"""What a simulated service is told: from a TOML file and from options, checked, frozen. Knows no clock and no network.

`config/simulated.toml` explains each line.
"""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from engine.errors import UsageError
from engine.service.simulate.latency import Latency
from engine.toml_file import read_toml

__all__ = ["ListingOrder", "Simulation", "load_simulation"]


class ListingOrder(StrEnum):
    """In which order jobs are listed: the contract names none."""

    NEWEST = "newest"
    OLDEST = "oldest"
    RANDOM = "random"


def _latency(value: object) -> object:
    return Latency.parse(value) if isinstance(value, str) else value


def _steps(value: object) -> object:
    """Take `0:200,20:100` as a command line has it; all else as it is."""
    if not isinstance(value, str):
        return value
    steps = [step.split(":") for step in value.split(",")]
    if any(len(step) != 2 for step in steps):
        raise ValueError("is not S:N,S:N,...: a second and a rate, as often as it changes")
    return steps


Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(gt=0)]
Step = tuple[Annotated[float, Field(ge=0)], Rate]


class Simulation(BaseModel):
    """One simulated service; the defaults have no faults."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    seed: Annotated[int, Field(ge=0)] = 0
    latency: Annotated[Latency, BeforeValidator(_latency)] = Latency.parse("lognormal:2:0.3")
    eta_factor: Annotated[float, Field(gt=0)] = 1.0
    eta_noise: Annotated[float, Field(ge=0, le=5)] = 0.0
    result_bytes: Annotated[int, Field(ge=0, le=100_000_000)] = 60_000
    failed_jobs: Share = 0.0

    rate: Rate | None = None
    rate_burst: Annotated[float, Field(ge=1)] | None = None
    rate_steps: Annotated[tuple[Step, ...], BeforeValidator(_steps)] = ()
    retry_after: bool = True
    server_errors: Share = 0.0
    reset_before: Share = 0.0
    reset_after: Share = 0.0
    slow_downloads: Share = 0.0
    slow_bytes_per_s: Annotated[int, Field(ge=1)] = 20_000
    truncated_downloads: Share = 0.0
    expired_links: Share = 0.0

    listing_order: ListingOrder = ListingOrder.NEWEST
    old_rows: Annotated[int, Field(ge=0, le=1_000_000)] = 0  # about 250 bytes of memory each

    @property
    def limits(self) -> tuple[tuple[float, float], ...]:
        """Return the rate as steps from the first call on; none for no limit."""
        return (() if self.rate is None else ((-1.0, self.rate),)) + self.rate_steps


def load_simulation(options: Mapping[str, Any], file: Path | None = None) -> Simulation:
    """Return what `file` says, where it is given, changed by those `options` that are not None.

    Raises UsageError with one line that names the setting, its value and what is wrong with it.
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Simulation.model_validate({**read_toml(file, "simulation"), **given})
    except ValidationError as error:
        raise UsageError("; ".join(_explain(item, file, given) for item in error.errors())) from None


def _explain(item: Any, file: Path | None, given: Mapping[str, Any]) -> str:
    name = str(item["loc"][0])
    where = f"--{name.replace('_', '-')}" if name in given else f"{name} in {file}"
    if item["type"] == "extra_forbidden":
        return f"{where}: there is no such setting"
    complaint = item["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{where}: {item['input']} {complaint[:1].lower()}{complaint[1:]}"
