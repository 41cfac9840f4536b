"""The filename that a picture is uploaded under: by it an uncertain POST is looked up instead of repeated.

`<run id>-<job number>.<ext>`, and `<run id>-<job number>r<generation>.<ext>` once the job was retried: what the remote
has of an earlier generation must never be taken for the new one. The second stage of a chained job adds `s2`:
`<run id>-<job number>s2.<ext>`, `<run id>-<job number>r<generation>s2.<ext>`.
"""

from typing import NamedTuple

__all__ = ["Named", "parse_upload_name", "upload_name"]

_MAX_DIGITS = 12  # of a number in a filename: more than any plan has jobs
_EXTENSIONS = {"jpeg": "jpg", "tiff": "tif"}


class Named(NamedTuple):
    """What a filename says: the job, how often it was put back before, and which of its stages this is, from 1."""

    number: int
    generation: int = 0
    stage: int = 1


def upload_name(run_id: str, named: Named, format_name: str) -> str:
    """Return the filename: up to its dot unique to job, generation and stage, and the same in every attempt."""
    again = f"r{named.generation}" if named.generation else ""
    later = f"s{named.stage}" if named.stage > 1 else ""
    return f"{run_id}-{named.number:06d}{again}{later}.{_EXTENSIONS.get(format_name, format_name)}"


def parse_upload_name(run_id: str, name: str) -> Named | None:
    """Return what `name` says; None when it is not this run's."""
    owner, dash, rest = name.partition("-")
    if owner != run_id or not dash:
        return None
    again, later, stage = rest.partition(".")[0].partition("s")
    digits, mark, generation = again.partition("r")
    is_canonical = (
        _is_number(digits) and (not mark or _is_counted(generation, 1)) and (not later or _is_counted(stage, 2))
    )
    return Named(int(digits), int(generation or 0), int(stage or 1)) if is_canonical else None


def _is_number(digits: str) -> bool:
    return digits.isascii() and digits.isdecimal() and len(digits) <= _MAX_DIGITS


def _is_counted(digits: str, first: int) -> bool:
    """Say whether `digits` are a count from `first` on, as this program writes it."""
    return _is_number(digits) and not digits.startswith("0") and int(digits) >= first
