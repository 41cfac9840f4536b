"""From an input to an upload: read, hash, join."""

import asyncio
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from engine.disk import path_of_text
from engine.errors import InputError, check_files_left
from engine.inputs.scan import with_header
from engine.picture import read_header
from engine.pipeline.flight import Flight
from engine.pipeline.scope import Scope
from engine.pipeline.web import WebInputs, copy_of
from engine.remote.multipart import SMALL_BYTES, Upload

__all__ = ["Loaded", "discard_copy", "fields_of", "load", "prepare"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """An input as it was read: its content when it is small, and its SHA-256 in hex."""

    content: bytes | None
    sha256: str


async def prepare(scope: Scope, flight: Flight, web: WebInputs, loaded: Loaded | InputError | None) -> Upload:
    """Return what to send for a first stage, and fill in its input's hash; `loaded`: None where it was not read yet.

    Raises InputError when the input is gone, unreadable or another one than planned.
    """
    path = await web.copy(flight) if flight.spec.is_url else path_of_text(flight.spec.source)
    if not flight.spec.format:  # refused while planning, and retried
        flight.spec = with_header(flight.spec, await asyncio.to_thread(read_header, path), scope.order.sizing)
    spec = flight.spec
    if loaded is None:
        loaded = await asyncio.to_thread(load, path, spec.size_bytes)
    elif isinstance(loaded, InputError):
        raise loaded
    flight.input_sha256 = loaded.sha256
    if scope.is_chained:  # what an earlier try of the job left there is not what this one will make
        scope.folder.staged_of(flight.number).unlink(missing_ok=True)
    name = scope.upload_name(flight, spec.format)
    return Upload.of(fields_of(scope, flight), name, path, spec.size_bytes, loaded.content)


def fields_of(scope: Scope, flight: Flight) -> dict[str, str]:
    """Return the fields that the POST of `flight` carries beside the picture.

    Raises InputError where `--scale` asks for a size that nobody has found out: it would come out as another.
    """
    spec, fields = flight.spec, dict(scope.stage_of(flight).form)
    if scope.order.sizing.scale is None or not scope.is_last(flight):
        return fields
    if spec.output_width is None or spec.output_height is None:
        raise InputError("can't be scaled: how large it is was never found out")
    fields |= {"output_width": str(spec.output_width), "output_height": str(spec.output_height)}
    if scope.is_chained:  # exactly so many pixels, not as many as fit inside
        fields["crop_to_fill"] = "true"
    return fields


def load(path: Path, size_bytes: int) -> Loaded:
    """Read and hash the input at `path`; raises InputError when it is not as it was planned. Blocks.

    As few system calls as will do: each one gives up the interpreter's lock, for which the event loop is waiting.
    """
    try:
        if size_bytes > SMALL_BYTES:
            return Loaded(None, _hashed(path, size_bytes))
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            content = os.read(fd, size_bytes + 1)
        finally:
            os.close(fd)
    except FileNotFoundError:
        raise InputError("is gone since it was planned") from None
    except OSError as error:
        check_files_left(error)
        raise InputError(f"can't be read: {error.strerror or error}") from error
    _check_unchanged(len(content), size_bytes)
    return Loaded(content, hashlib.sha256(content).hexdigest())


def _hashed(path: Path, size_bytes: int) -> str:
    with path.open("rb", buffering=0) as file:
        _check_unchanged(os.fstat(file.fileno()).st_size, size_bytes)
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_unchanged(found_bytes: int, planned_bytes: int) -> None:
    if found_bytes != planned_bytes:
        raise InputError("has changed since it was planned: put it into a new run")


def discard_copy(scope: Scope, flight: Flight) -> None:
    """Delete the local copy of a picture on the web, and the result of a first stage; their job has ended."""
    if flight.spec.is_url:
        copy_of(scope, flight).unlink(missing_ok=True)
    if flight.staged is not None:
        scope.folder.staged_of(flight.number).unlink(missing_ok=True)
