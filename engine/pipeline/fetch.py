"""One result from its presigned link into the `.part` file beside its output, continued where it broke off."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.errors import InputError
from engine.pipeline.part_file import PartFile
from engine.remote.connect import Remote
from engine.remote.failures import Kind, RemoteError
from engine.remote.transport import StreamedResponse

__all__ = ["Fetched", "fetch"]

# Up to here a result is read whole and written in one thread hop; larger ones stream in pieces of this size.
SMALL_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Fetched:
    """`body` holds a small result, not written yet; None: the `.part` file holds it. `size_bytes` is the whole.

    `sha256`, in hex, is that of a large one.
    """

    body: bytes | None
    size_bytes: int
    sha256: str = ""


async def fetch(
    client: Remote, url: str, part: Path, etag: str, note_etag: Callable[[str], None], *, max_bytes: int
) -> Fetched:
    """Fetch `url`; what `part` holds already is continued when `etag` (strong) proves it is of the same result.

    Calls `note_etag` when a large result begins to arrive. Raises RemoteError: EXPIRED_LINK, or TRANSIENT with
    the bytes so far kept in `part`; InputError, with `part` gone, as soon as more than `max_bytes` are announced or
    arrive.
    """
    have = await asyncio.to_thread(_size_of, part) if etag else 0
    headers = {"Range": f"bytes={have}-", "If-Range": etag} if have else {}
    async with client.file(url, headers) as answer:
        if answer.status == 416:
            await asyncio.to_thread(part.unlink, missing_ok=True)
            raise RemoteError(Kind.TRANSIENT, "the result changed while it was fetched: starting over", status=416)
        start = have if answer.status == 206 else 0
        if start and not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            await asyncio.to_thread(part.unlink, missing_ok=True)
            raise RemoteError(Kind.TRANSIENT, "another part of the result was sent than asked for: starting over")
        length = _length(answer)
        if start + (length or 0) > max_bytes:
            raise await _too_large(part, max_bytes)
        if start == 0 and length is not None and length <= SMALL_BYTES:
            body = await answer.read()
            return Fetched(body, len(body))
        if start == 0:
            note_etag(strong_etag(answer))
        async with PartFile(part, start) as file:
            received = start
            async for piece in answer.chunks(SMALL_BYTES):
                received += len(piece)
                if received > max_bytes:
                    break
                await file.write(piece)
        if received > max_bytes:
            raise await _too_large(part, max_bytes)
    whole = None if length is None else start + length
    if whole is not None and file.size_bytes != whole:
        raise RemoteError(Kind.TRANSIENT, f"the result broke off at {file.size_bytes} of {whole} bytes")
    return Fetched(None, file.size_bytes, file.sha256)


async def _too_large(part: Path, max_bytes: int) -> InputError:
    """Remove what there is of a result, and return what to say of it."""
    await asyncio.to_thread(part.unlink, missing_ok=True)
    return InputError(f"its result is over {max_bytes:,} bytes, the most that max_result_bytes allows")


def strong_etag(answer: StreamedResponse) -> str:
    """Return the answer's ETag when it may be used with If-Range (RFC 9110, 13.1.5); empty otherwise."""
    etag = answer.headers.get("ETag", "")
    return etag if etag.startswith('"') and etag.isascii() and etag.isprintable() else ""


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _length(answer: StreamedResponse) -> int | None:
    announced = answer.headers.get("Content-Length", "")
    return int(announced) if announced.isdecimal() else None
