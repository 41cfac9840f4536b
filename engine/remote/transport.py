"""Bytes over HTTP, behind an interface of two calls: `AiohttpTransport` here, a scripted one in tests.

Redirects are never followed, so the key can't leave with one. Time limits are for silence, not for totals: a
large upload over a slow line is fine as long as it moves.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Protocol, Self

import aiohttp

from engine.remote.multipart import Upload

__all__ = ["AiohttpTransport", "ConnectError", "Response", "StreamedResponse", "Transport", "TransportError"]


class TransportError(Exception):
    """The exchange broke off; what was sent may have been acted upon."""


class ConnectError(TransportError):
    """No connection came about: certainly nothing was sent."""


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer. `headers` compare their names without case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class StreamedResponse(Protocol):
    """An answer whose body is still on its way."""

    status: int
    headers: Mapping[str, str]

    def chunks(self, size_bytes: int) -> AsyncIterator[bytes]:
        """Yield the body in pieces of about `size_bytes`; raises TransportError when it breaks off."""
        ...

    async def read(self) -> bytes:
        """Return the whole body; raises TransportError when it breaks off."""
        ...


class Transport(Protocol):
    """What the client needs of HTTP."""

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], upload: Upload | None = None
    ) -> Response:
        """Make one exchange, once; raises ConnectError or TransportError."""
        ...

    def stream(self, url: str, *, headers: Mapping[str, str]) -> AbstractAsyncContextManager[StreamedResponse]:
        """GET `url` and hand over its body unread; raises ConnectError or TransportError."""
        ...


class AiohttpTransport:
    """HTTP by aiohttp. Use it as an async context manager."""

    def __init__(self, *, max_connections: int, connect_timeout_s: float, stall_timeout_s: float) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=max_connections, keepalive_timeout=60),
            timeout=aiohttp.ClientTimeout(
                total=None, connect=None, sock_connect=connect_timeout_s, sock_read=stall_timeout_s
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=True,
            trust_env=True,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._session.close()

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], upload: Upload | None = None
    ) -> Response:
        data, sent = (None, headers) if upload is None else (upload.body(), {**headers, **upload.headers})
        with _translated():
            async with self._session.request(method, url, headers=sent, data=data, allow_redirects=False) as answer:
                return Response(answer.status, answer.headers, await answer.read())

    @asynccontextmanager
    async def stream(self, url: str, *, headers: Mapping[str, str]) -> AsyncIterator[StreamedResponse]:
        with _translated():
            async with self._session.get(url, headers=headers, allow_redirects=False) as answer:
                yield _Streamed(answer)


class _Streamed:
    """`StreamedResponse` over aiohttp."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer
        self.status = answer.status
        self.headers: Mapping[str, str] = answer.headers

    async def chunks(self, size_bytes: int) -> AsyncIterator[bytes]:
        received = 0
        pieces: list[bytes] = []
        held = 0
        with _translated():
            try:
                async for piece in self._answer.content.iter_any():
                    received += len(piece)
                    held += len(piece)
                    pieces.append(piece)
                    if held >= size_bytes:
                        yield b"".join(pieces)
                        pieces, held = [], 0
            except aiohttp.ClientPayloadError:
                if not self._is_all(received):
                    raise
        if pieces:
            yield b"".join(pieces)

    async def read(self) -> bytes:
        return b"".join([chunk async for chunk in self.chunks(1024 * 1024)])

    def _is_all(self, received: int) -> bool:
        """Say whether every announced byte is in, whatever the error says.

        aiohttp 3.14.0 to 3.14.3 raise ContentLengthError with all bytes received when the reader is slow and the
        server half-closes (aio-libs/aiohttp#13348).
        """
        announced = self._answer.headers.get("Content-Length", "")
        return announced.isdecimal() and int(announced) == received


@contextmanager
def _translated() -> Iterator[None]:
    """Turn aiohttp's errors into this package's two."""
    try:
        yield
    except aiohttp.ClientConnectorError as error:
        raise ConnectError(str(error)) from error
    except aiohttp.ConnectionTimeoutError as error:
        raise ConnectError("no connection within the time limit") from error
    except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
        raise TransportError(f"{type(error).__name__}: {error}".rstrip(": ")) from error
