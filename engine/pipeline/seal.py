"""The last step of a result: check it, hash it, sync it, make it visible whole. Blocks; runs in a thread."""

import errno
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from engine.disk import publish_new, sync_file, sync_folder, write_part
from engine.errors import EngineError, InputError, MachineError
from engine.picture import check_decodes

__all__ = ["BadResult", "Expected", "Result", "Sealed", "part_of", "recognise", "seal_group", "translate"]


class BadResult(EngineError):
    """What arrived is not the picture that was promised; fetching it again may help."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the status row promises of a result; 0 where it does not say."""

    width: int = 0
    height: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Sealed:
    """A verified output: `sha256` in hex, sizes in bytes and pixels."""

    sha256: str
    size_bytes: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Result:
    """What is to be sealed: bytes in `part`, or still in memory as `body`, that are to become the file `final`.

    `sha256`: of what `part` holds, in hex, where that is known already.
    """

    part: Path
    final: Path
    body: bytes | None
    expected: Expected
    sha256: str = ""


def seal_group(results: Sequence[Result], *, sync: bool) -> list[Sealed | Exception]:
    """Verify and publish `results`; each folder is synced once, after all of them.

    In the place of one that was not: BadResult, with its part removed, when it is not what was expected; InputError
    when somebody else's file is in the way; OSError, or whatever else happened to it.
    """
    outcomes = [_attempt(result, sync=sync) for result in results]
    if sync:
        for folder in {result.final.parent for result in results}:
            try:
                sync_folder(folder)
            except OSError as error:
                outcomes = [
                    error if result.final.parent == folder and isinstance(outcome, Sealed) else outcome
                    for result, outcome in zip(results, outcomes, strict=True)
                ]
    return outcomes


def _attempt(result: Result, *, sync: bool) -> Sealed | Exception:
    try:
        return _seal(result, sync=sync)
    except Exception as error:  # it is this result's alone; the others of its group go on
        return error


def _seal(result: Result, *, sync: bool) -> Sealed:
    part, final, body = result.part, result.final, result.body
    try:
        sealed = (
            _verified(part, result.expected, result.sha256) if body is None else _verified_bytes(body, result.expected)
        )
    except BadResult:
        part.unlink(missing_ok=True)
        raise
    if body is not None:
        write_part(part, body, sync=sync)
    elif sync:
        sync_file(part)
    try:
        publish_new(part, final)
    except FileExistsError:
        _keep_existing(part, final, sealed)
    return sealed


def recognise(final: Path, expected: Expected) -> Sealed | None:
    """Return the verified output that an earlier process published but did not journal; None if it is not there."""
    try:
        if final.is_symlink() or not final.exists():
            return None
        sealed = _verified(final, expected)
        part_of(final).unlink(missing_ok=True)
    except (BadResult, OSError):
        return None
    return sealed


def _verified(path: Path, expected: Expected, sha256: str = "") -> Sealed:
    size_bytes = path.stat().st_size
    _check_length(size_bytes, expected)
    width, height = _checked_size(path, expected)
    if not sha256:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Sealed(sha256, size_bytes, width, height)


def _verified_bytes(body: bytes, expected: Expected) -> Sealed:
    _check_length(len(body), expected)
    width, height = _checked_size(io.BytesIO(body), expected)
    return Sealed(hashlib.sha256(body).hexdigest(), len(body), width, height)


def _check_length(size_bytes: int, expected: Expected) -> None:
    if expected.size_bytes and size_bytes != expected.size_bytes:
        raise BadResult(f"the result has {size_bytes} bytes, not {expected.size_bytes}")


def _checked_size(picture: Path | BinaryIO, expected: Expected) -> tuple[int, int]:
    try:
        width, height = check_decodes(picture)
    except InputError as error:
        raise BadResult(f"the result {error}") from error
    if (expected.width or width, expected.height or height) != (width, height):
        raise BadResult(f"the result is {width} x {height} pixels, not {expected.width} x {expected.height}")
    return width, height


def _keep_existing(part: Path, final: Path, sealed: Sealed) -> None:
    """A file has the output's name already: fine when it is this very result, never replaced otherwise."""
    with final.open("rb") as file:
        is_same = hashlib.file_digest(file, "sha256").hexdigest() == sealed.sha256
    if not is_same:
        raise InputError(f"{final} appeared while the job ran and is not its result: the result is in {part.name}")
    part.unlink()


def part_of(final: Path) -> Path:
    """Return where the bytes of `final` gather before they are verified."""
    return final.with_name(final.name + ".part")


# A name that the file system of the output folder can't hold is this job's trouble; all else is the machine's.
_OF_ONE_JOB = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EILSEQ, errno.EINVAL)


def translate(error: OSError, final: Path) -> EngineError:
    """Return what a failed write means: InputError for this job alone, MachineError for the run."""
    why = error.strerror or str(error)
    if error.errno in _OF_ONE_JOB:
        return InputError(f"its output {final.name} can't be written: {why}")
    return MachineError(f"{final} can't be written ({why}): make room or mend the folder, then resume")
