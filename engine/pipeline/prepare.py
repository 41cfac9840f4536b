"""From an input to an upload: read, hash, join; pictures on the web are fetched to the run folder first."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urljoin

import aiofiles

from engine.disk import path_of_text
from engine.errors import InputError
from engine.job.price import credits_for
from engine.picture import MAX_BYTES, read_header
from engine.pipeline.flight import Flight
from engine.pipeline.scope import Scope
from engine.remote.multipart import SMALL_BYTES, Upload
from engine.remote.transport import Transport, TransportError

__all__ = ["discard_fetched", "prepare"]

_MAX_REDIRECTS = 5


async def prepare(scope: Scope, flight: Flight) -> Upload:
    """Return what to send for `flight`, and fill in its input's hash.

    Raises InputError when the input is gone, unreadable or another one than planned.
    """
    spec = flight.spec
    path = await _fetched(scope, flight) if spec.is_url else path_of_text(spec.source)
    content, flight.input_sha256 = await asyncio.to_thread(_load, path, flight.spec.size_bytes)
    fields = scope.order.parameters.form()
    if flight.spec.output_width is not None and flight.spec.output_height is not None:
        fields |= {"output_width": str(flight.spec.output_width), "output_height": str(flight.spec.output_height)}
    return Upload.of(fields, flight.upload_name, path, flight.spec.size_bytes, content)


def _load(path: Path, size_bytes: int) -> tuple[bytes | None, str]:
    """Return the content when it is small, and the SHA-256."""
    try:
        if path.stat().st_size != size_bytes:
            raise InputError("has changed since it was planned: put it into a new run")
        with path.open("rb") as file:
            if size_bytes > SMALL_BYTES:
                return None, hashlib.file_digest(file, "sha256").hexdigest()
            content = file.read(SMALL_BYTES + 1)
    except FileNotFoundError:
        raise InputError("is gone since it was planned") from None
    except OSError as error:
        raise InputError(f"can't be read: {error.strerror or error}") from error
    if len(content) != size_bytes:
        raise InputError("changes while it is read")
    return content, hashlib.sha256(content).hexdigest()


async def _fetched(scope: Scope, flight: Flight) -> Path:
    """Return the local copy of a picture on the web, its size now known to the flight."""
    path = scope.folder.fetched / flight.upload_name
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        await _fetch(scope.transport, flight.spec.source, path)
    header = await asyncio.to_thread(read_header, path)
    sizing = scope.order.sizing
    size = sizing.output_size(header.width, header.height)
    scaled = size if sizing.scale is not None else (None, None)
    flight.spec = replace(
        flight.spec,
        format=header.format,
        size_bytes=header.size_bytes,
        width=header.width,
        height=header.height,
        output_width=scaled[0],
        output_height=scaled[1],
        credits=credits_for(*size),
    )
    return path


async def _fetch(transport: Transport, url: str, path: Path) -> None:
    part = path.with_name(path.name + ".part")
    try:
        for _redirect in range(_MAX_REDIRECTS + 1):
            async with transport.stream(url, headers={"Accept": "image/*"}) as answer:
                if answer.status in (301, 302, 303, 307, 308):
                    url = urljoin(url, answer.headers.get("Location", ""))
                    continue
                if answer.status != 200:
                    raise InputError(f"can't be fetched: the web server answered {answer.status}")
                await _store(answer.chunks(SMALL_BYTES), part)
                part.replace(path)
                return
    except TransportError as error:
        raise InputError(f"can't be fetched: {error}") from error
    raise InputError(f"can't be fetched: more than {_MAX_REDIRECTS} redirects")


async def _store(chunks: AsyncIterator[bytes], part: Path) -> None:
    size = 0
    async with aiofiles.open(part, "wb") as file:
        async for chunk in chunks:
            size += len(chunk)
            if size > MAX_BYTES:
                raise InputError("is over 500 MB")
            await file.write(chunk)


def discard_fetched(scope: Scope, flight: Flight) -> None:
    """Delete the local copy of a picture on the web; its job has ended."""
    if flight.spec.is_url:
        (scope.folder.fetched / flight.upload_name).unlink(missing_ok=True)
