"""What the remote says of a job: a status row, read with tolerance.

Unknown members are ignored, missing ones default, and an unknown status word counts as still going on.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

__all__ = ["Progress", "Row", "finite", "is_going_on"]

_MAX_COUNT = 2**53  # whole numbers beyond it are not exact in JSON


class Progress(StrEnum):
    """The contract's status words; one this version does not know counts as still going on."""

    PENDING = "Pending"
    PROCESSING = "Processing"
    COMPLETED = "Completed"
    CANCELLED = "Cancelled"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One status row. Times are Unix seconds by the remote's clock, sizes pixels and bytes, 0 when not said.

    `faces`, `warnings`, `message` and `output_bytes` are members that the embedded service adds to the contract's.
    """

    process_id: str
    filename: str = ""
    progress: Progress = Progress.PENDING
    eta: float = 0.0
    created: float = 0.0
    modified: float = 0.0
    credits: int = 0
    output_width: int = 0
    output_height: int = 0
    output_bytes: int = 0
    faces: int | None = None
    warnings: tuple[str, ...] = ()
    message: str = ""

    @property
    def is_going_on(self) -> bool:
        return self.progress in (Progress.PENDING, Progress.PROCESSING)

    @classmethod
    def of_json(cls, members: Mapping[str, Any]) -> Self:
        """Return the row in `members`; raises ValueError when there is no process id in it."""
        process_id = members.get("process_id")
        if not isinstance(process_id, str) or not process_id:
            raise ValueError("a status row without process_id")
        faces = members.get("faces")
        warnings = members.get("warnings")
        return cls(
            process_id=process_id,
            filename=_text(members.get("filename")),
            progress=_progress(members.get("status")),
            eta=finite(members.get("eta")),
            created=finite(members.get("creation_time")),
            modified=finite(members.get("modification_time")),
            credits=_count(members.get("credits")),
            output_width=_count(members.get("output_width")),
            output_height=_count(members.get("output_height")),
            output_bytes=_count(members.get("output_bytes")),
            faces=_count(faces) if isinstance(faces, int) and not isinstance(faces, bool) else None,
            warnings=tuple(map(str, warnings)) if isinstance(warnings, list) else (),
            message=_text(members.get("message")),
        )


_GOING_ON = {Progress.PENDING.value, Progress.PROCESSING.value}


def is_going_on(members: Mapping[str, Any]) -> bool:
    """Say whether the row in `members` is plainly of an unfinished job, without reading the rest of it."""
    return members.get("status") in _GOING_ON


def _progress(value: object) -> Progress:
    try:
        return Progress(str(value).capitalize())
    except ValueError:
        return Progress.PROCESSING


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _count(value: object) -> int:
    """Return `value` if it is a number that can count something, 0 for all else."""
    number = finite(value)
    return int(number) if 0 <= number <= _MAX_COUNT else 0


def finite(value: object) -> float:
    """Return `value` if it is a finite number, 0 for all else."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return 0.0
    try:
        number = float(value)
    except OverflowError:
        return 0.0
    return number if math.isfinite(number) else 0.0
