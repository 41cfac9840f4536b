"""Bytes over HTTP, behind an interface of two calls: `AiohttpTransport` here, a scripted one in tests.

Redirects are never followed, so the key can't leave with one. Proxies and authorities are taken from the
environment; certificates are always verified. Time limits are for silence, not for totals: a large upload over a slow
line is fine as long as it moves. An answer that is read whole is bounded, whatever it announces.
"""

import os
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import aiohttp

from engine.remote.json_body import JsonBody
from engine.remote.multipart import Upload
from engine.remote.proxy import Proxies
from engine.remote.trust import trusted

__all__ = [
    "MAX_ANSWER_BYTES",
    "AiohttpTransport",
    "ConnectError",
    "DistrustError",
    "Response",
    "StreamedResponse",
    "Transport",
    "TransportError",
]


class TransportError(Exception):
    """The exchange broke off; what was sent may have been acted upon."""


class ConnectError(TransportError):
    """No connection came about: certainly nothing was sent."""


class DistrustError(ConnectError):
    """The server's certificate is not to be believed: trying again won't help, and certainly nothing was sent."""


# A page of a hundred rows is some 60 KB, a thousand prices are 100 KB: what is far beyond is an attack or a mistake.
MAX_ANSWER_BYTES = 16 * 1024 * 1024
# What aiohttp reads ahead of us on one connection: with its own 64 KiB large results stop and start too often.
_READ_BYTES = 256 * 1024

# A line that carries less than this can't bring a portrait home within the contract's 3 hours.
_SLOWEST_UPLOAD_BYTES_A_S = 10_000


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
        """Yield the body in pieces of about `size_bytes`; raises TransportError, after what came, if it breaks off."""
        ...

    async def read(self) -> bytes:
        """Return the whole body; raises TransportError when it breaks off or is over MAX_ANSWER_BYTES."""
        ...


class Transport(Protocol):
    """What the client needs of HTTP."""

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], upload: Upload | JsonBody | None = None
    ) -> Response:
        """Make one exchange, once; raises ConnectError or TransportError, also for an answer that is too large."""
        ...

    def stream(self, url: str, *, headers: Mapping[str, str]) -> AbstractAsyncContextManager[StreamedResponse]:
        """GET `url` and hand over its body unread; raises ConnectError or TransportError."""
        ...


class AiohttpTransport:
    """HTTP by aiohttp. Use it as an async context manager.

    Raises UsageError for proxies or authorities in the environment that can't be used.
    """

    def __init__(self, *, max_connections: int, connect_timeout_s: float, stall_timeout_s: float) -> None:
        # Not aiohttp's trust_env: it would send loopback requests to a proxy, and .netrc's passwords to links.
        self._proxies = Proxies()
        trust = trusted(os.environ)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=max_connections, keepalive_timeout=60, ssl=trust if trust is not None else True
            ),
            timeout=aiohttp.ClientTimeout(
                total=None, connect=None, sock_connect=connect_timeout_s, sock_read=stall_timeout_s
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=_READ_BYTES,
            auto_decompress=True,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._session.close()

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], upload: Upload | JsonBody | None = None
    ) -> Response:
        data, sent = (None, headers) if upload is None else (upload.body(), {**headers, **upload.headers})
        timeout = self._session.timeout if upload is None else self._upload_timeout(upload)
        with _translated():
            async with self._session.request(
                method,
                url,
                headers=sent,
                data=data,
                allow_redirects=False,
                proxy=self._proxies.of(url),
                timeout=timeout,
            ) as answer:
                return Response(answer.status, answer.headers, await _whole(answer))

    def stream(self, url: str, *, headers: Mapping[str, str]) -> AbstractAsyncContextManager[StreamedResponse]:
        return _Stream(self._session.get(url, headers=headers, allow_redirects=False, proxy=self._proxies.of(url)))

    def _upload_timeout(self, upload: Upload | JsonBody) -> aiohttp.ClientTimeout:
        """aiohttp sees silence only while it reads, so a peer that stops taking an upload needs a limit in all."""
        usual = self._session.timeout
        silence_s = (usual.sock_connect or 0.0) + (usual.sock_read or 0.0)
        total_s = silence_s + upload.size_bytes / _SLOWEST_UPLOAD_BYTES_A_S
        return aiohttp.ClientTimeout(total=total_s, sock_connect=usual.sock_connect, sock_read=usual.sock_read)


class _Stream:
    """One GET as a context manager: a generator would cost as much again as the rest of this module."""

    def __init__(self, request: AbstractAsyncContextManager[aiohttp.ClientResponse]) -> None:
        self._request = request

    async def __aenter__(self) -> StreamedResponse:
        with _translated():
            return _Streamed(await self._request.__aenter__())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._request.__aexit__(kind, error, trace)


class _Streamed:
    """`StreamedResponse` over aiohttp."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer
        self.status = answer.status
        self.headers: Mapping[str, str] = answer.headers

    async def chunks(self, size_bytes: int) -> AsyncIterator[bytes]:
        received = held = 0
        pieces: list[bytes] = []
        failure: TransportError | None = None
        try:
            with _translated():
                async for piece in self._answer.content.iter_any():
                    received += len(piece)
                    held += len(piece)
                    pieces.append(piece)
                    if held >= size_bytes:
                        yield b"".join(pieces)
                        pieces, held = [], 0
        except TransportError as error:
            failure = None if _is_all(self._answer, received) else error
        if pieces:  # before a failure, too: over a bad line every piece that came is one less to fetch
            yield b"".join(pieces)
        if failure is not None:
            raise failure

    async def read(self) -> bytes:
        with _translated():
            return await _whole(self._answer)


async def _whole(answer: aiohttp.ClientResponse) -> bytes:
    """Return the whole body, without a generator for what comes in one piece; raises aiohttp's errors.

    What counts is what arrives, decompressed: neither a length announced nor none at all is believed.
    """
    pieces: list[bytes] = []
    size = 0
    try:
        while piece := await answer.content.readany():
            pieces.append(piece)
            size += len(piece)
            if size > MAX_ANSWER_BYTES:
                answer.close()  # what is still on its way is not wanted
                raise TransportError(f"the answer is over {MAX_ANSWER_BYTES // 1024**2} MiB")
    except aiohttp.ClientError:
        if not _is_all(answer, sum(map(len, pieces))):
            raise
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _is_all(answer: aiohttp.ClientResponse, received: int) -> bool:
    """Say whether every announced byte is in, whatever the error says.

    aiohttp 3.14.0 to 3.14.3 raise ContentLengthError with all bytes received when the reader is slow and the
    server half-closes (aio-libs/aiohttp#13348).
    """
    announced = answer.headers.get("Content-Length", "")
    return announced.isdecimal() and int(announced) == received


@contextmanager
def _translated() -> Iterator[None]:
    """Turn aiohttp's errors into this package's two."""
    try:
        yield
    except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
        raise _distrust(error) from error
    except aiohttp.ClientConnectorError as error:
        cause = error.os_error
        why = os.strerror(cause.errno) if cause.errno and cause.errno > 0 else cause.strerror or str(cause)
        raise ConnectError(f"can't connect to {error.host}:{error.port}: {why}") from error
    except aiohttp.ConnectionTimeoutError as error:
        raise ConnectError("no connection within the time limit") from error
    except aiohttp.ClientHttpProxyError as error:  # its text holds the proxy's URL, password included
        raise ConnectError(f"the proxy answered {error.status}") from error
    except aiohttp.InvalidURL as error:  # its text may hold a presigned link
        raise TransportError("the address is not valid") from error
    except aiohttp.ClientResponseError as error:
        raise TransportError(f"{type(error).__name__}: {error.status} {error.message}") from error
    except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
        raise TransportError(f"{type(error).__name__}: {error}".rstrip(": ")) from error
    except UnicodeError as error:
        raise ConnectError("the address is none: its host has an impossible name") from error


def _distrust(error: aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError) -> ConnectError:
    """Return what to say of a connection that ended in its TLS handshake."""
    where = f"{error.host}:{error.port}"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        said = error.certificate_error
        why = said.verify_message if isinstance(said, ssl.SSLCertVerificationError) else str(said)
        advice = "mend it, or name its authority by SSL_CERT_FILE"
        return DistrustError(f"the certificate of {where} is not to be trusted: {why.rstrip('.')}; {advice}")
    reason = getattr(error.os_error, "reason", "") or "broken off"
    return ConnectError(f"can't connect to {where}: TLS failed ({reason})")
