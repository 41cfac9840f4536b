"""Whether a picture will be done in time, told early: better a clear refusal now than a timeout in twenty minutes."""

from typing import Final

from engine.errors import InputError

__all__ = ["check_pace"]

SLACK: Final = 1.25  # the first tile warms the caches up, and other programs come and go


def check_pace(name: str, *, elapsed_s: float, share: float, limit_s: float) -> None:
    """Raise InputError if all of the picture `name` will take far beyond `limit_s`, since `share` took `elapsed_s`."""
    needed_s = elapsed_s / share
    if needed_s > SLACK * limit_s:
        raise InputError(
            f"{name} would take about {_duration(needed_s)} to upscale on this machine, more than the"
            f" {_duration(limit_s)} allowed for one picture; send a smaller one, or raise the service's time limit"
        )


def _duration(seconds: float) -> str:
    return f"{seconds / 60:,.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
