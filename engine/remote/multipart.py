"""The multipart/form-data body of a submit: joined once when small, streamed from disk when large.

aiohttp's own FormData costs half as much again per small job as one joined body, since it wraps each field in a
payload object; the engine sends one shape of form only, so the framing is written here (RFC 7578).
"""

import itertools
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiofiles

__all__ = ["SMALL_BYTES", "Upload"]

SMALL_BYTES = 1024 * 1024
_CHUNK_BYTES = 1024 * 1024
# Drawn once a process: asking the system for each upload costs a turn of the interpreter's lock.
_RANDOM = secrets.token_hex(16)
_COUNT = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One form: text `fields`, then the picture as part `image` under `filename`, unless the fields say where it is.

    `content` is the picture when it is small, or empty; otherwise it is read from `path` while it is sent. `head` and
    `tail` are what stands before and after it in the body.
    """

    fields: Mapping[str, str]
    filename: str
    size_bytes: int
    path: Path | None
    content: bytes | None
    boundary: str
    head: bytes
    tail: bytes

    @classmethod
    def of(
        cls, fields: Mapping[str, str], filename: str, path: Path, size_bytes: int, content: bytes | None
    ) -> "Upload":
        """Return an upload with a boundary that no picture contains by accident: 128 random bits and a count.

        `filename` and the names of the fields are the engine's own and need no quoting.
        """
        boundary = f"{_RANDOM}{next(_COUNT)}"
        head = _head(fields, boundary) + _image_head(filename, boundary)
        return cls(
            fields=fields,
            filename=filename,
            size_bytes=size_bytes,
            path=path,
            content=content,
            boundary=boundary,
            head=head.encode(),
            tail=f"\r\n--{boundary}--\r\n".encode(),
        )

    @classmethod
    def of_fields(cls, fields: Mapping[str, str], filename: str) -> "Upload":
        """Return a form without a file part: `fields` say by `source_url` or `source_id` what the picture is.

        `filename` travels as a field: the embedded service lists the job under it, the vendor's cloud ignores it.
        """
        boundary = f"{_RANDOM}{next(_COUNT)}"
        fields = {**fields, "filename": filename}
        return cls(
            fields=fields,
            filename=filename,
            size_bytes=0,
            path=None,
            content=b"",
            boundary=boundary,
            head=_head(fields, boundary).encode(),
            tail=f"--{boundary}--\r\n".encode(),
        )

    @property
    def headers(self) -> dict[str, str]:
        size = len(self.head) + self.size_bytes + len(self.tail)
        return {"Content-Type": f"multipart/form-data; boundary={self.boundary}", "Content-Length": str(size)}

    def body(self) -> bytes | AsyncIterator[bytes]:
        """Return what to send: one joined body, or a stream of it."""
        if self.content is not None:
            return b"".join((self.head, self.content, self.tail))
        return self._stream()

    async def _stream(self) -> AsyncIterator[bytes]:
        if self.path is None:
            raise RuntimeError("an upload without content and path")
        yield self.head
        left = self.size_bytes
        async with aiofiles.open(self.path, "rb") as file:
            while left and (chunk := await file.read(min(left, _CHUNK_BYTES))):
                left -= len(chunk)
                yield chunk
        yield self.tail


def _head(fields: Mapping[str, str], boundary: str) -> str:
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    return "".join(parts)


def _image_head(filename: str, boundary: str) -> str:
    kind = {"jpg": "jpeg", "tif": "tiff"}.get(suffix := filename.rpartition(".")[2], suffix)
    return (
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{filename}"\r\n'
        f"Content-Type: image/{kind}\r\n\r\n"
    )
