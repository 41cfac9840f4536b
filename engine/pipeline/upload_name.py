"""The filename that a picture is uploaded under: by it an uncertain POST is looked up instead of repeated.

`<run id>-<job number>.<ext>`, and `<run id>-<job number>r<generation>.<ext>` once the job was retried: what the remote
has of an earlier generation must never be taken for the new one.
"""

__all__ = ["parse_upload_name", "upload_name"]

_MAX_DIGITS = 12  # of a number in a filename: more than any plan has jobs
_EXTENSIONS = {"jpeg": "jpg", "tiff": "tif"}


def upload_name(run_id: str, number: int, generation: int, format_name: str) -> str:
    """Return the filename for a job: up to its dot unique to job and generation, and the same in every attempt."""
    again = f"r{generation}" if generation else ""
    return f"{run_id}-{number:06d}{again}.{_EXTENSIONS.get(format_name, format_name)}"


def parse_upload_name(run_id: str, name: str) -> tuple[int, int] | None:
    """Return the job and the generation that `name` belongs to; None when it is not this run's."""
    owner, dash, rest = name.partition("-")
    digits, again, generation = rest.partition(".")[0].partition("r")
    if owner != run_id or not dash or not _is_number(digits):
        return None
    if not again:
        return int(digits), 0
    is_canonical = _is_number(generation) and not generation.startswith("0")
    return (int(digits), int(generation)) if is_canonical else None


def _is_number(digits: str) -> bool:
    return digits.isascii() and digits.isdecimal() and len(digits) <= _MAX_DIGITS
