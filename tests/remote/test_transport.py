"""aiohttp behind the transport's interface, against real sockets."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import RequestInfo, web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from engine.remote.multipart import Upload
from engine.remote.transport import AiohttpTransport, ConnectError, TransportError, _Streamed, _translated

STALL_S = 0.3
LONG_S = 60.0
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own proxies are kept out of the tests."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@contextlib.asynccontextmanager
async def _transport(stall_timeout_s: float = LONG_S) -> AsyncIterator[AiohttpTransport]:
    async with AiohttpTransport(
        max_connections=8, connect_timeout_s=10.0, stall_timeout_s=stall_timeout_s
    ) as transport:
        yield transport


@contextlib.asynccontextmanager
async def _site(*routes: web.RouteDef) -> AsyncIterator[str]:
    """An aiohttp server on a free port; gives its base URL."""
    app = web.Application(client_max_size=64 * 1024**2)
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def _raw(serve: Serve, *, window_bytes: int | None = None) -> AsyncIterator[str]:
    """A bare socket server that speaks whatever `serve` says; gives its base URL."""

    open_connections: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_connections.add(task := asyncio.current_task())
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await serve(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            open_connections.discard(task)

    server = await asyncio.start_server(handle, "127.0.0.1", 0, limit=window_bytes or 2**16)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in list(open_connections):
            task.cancel()
        await asyncio.gather(*open_connections, return_exceptions=True)
        await server.wait_closed()


async def _head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


async def test_a_whole_exchange_passes_both_ways(tmp_path: Path):
    """Method, headers, a multipart body, status, headers and body arrive as they were sent."""
    seen: dict[str, object] = {}

    async def take(request: web.Request) -> web.Response:
        form = await request.post()
        picture = form["image"]
        assert isinstance(picture, web.FileField)
        seen.update(
            method=request.method,
            key=request.headers["X-API-Key"],
            length=request.content_length,
            chunked="Transfer-Encoding" in request.headers,
            model=form["model"],
            filename=picture.filename,
            kind=picture.content_type,
            picture=picture.file.read(),
        )
        return web.Response(status=202, headers={"X-Process-ID": "p"}, body=b"taken")

    content = bytes(range(256)) * 9000
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    async with _site(web.post("/x", take)) as base, _transport() as transport:
        for name, joined in (("run-1.png", content[:1000]), ("run-2.tif", None)):
            size = len(joined) if joined is not None else len(content)
            upload = Upload.of({"model": "Faces"}, name, path, size, joined)
            answer = await transport.request("POST", base + "/x", headers={"X-API-Key": "k"}, upload=upload)
            assert (answer.status, answer.headers["x-process-id"], answer.body) == (202, "p", b"taken")
            assert seen == {
                "method": "POST",
                "key": "k",
                "length": int(upload.headers["Content-Length"]),
                "chunked": False,
                "model": "Faces",
                "filename": name,
                "kind": "image/png" if joined is not None else "image/tiff",
                "picture": joined if joined is not None else content,
            }


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_never_followed(status: int):
    """Neither a call nor a download goes anywhere that the engine did not decide on: the key stays here."""
    visited = []

    async def trap(request: web.Request) -> web.Response:
        visited.append(request.path)
        return web.Response(text="caught")

    async def move(_request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": "/trap"})

    async with _site(web.get("/x", move), web.get("/trap", trap)) as base, _transport() as transport:
        answer = await transport.request("GET", base + "/x", headers={"X-API-Key": "k"})
        async with transport.stream(base + "/x", headers={}) as streamed:
            assert streamed.status == answer.status == status
            assert streamed.headers["location"] == "/trap"
    assert visited == []


async def test_cookies_are_not_kept():
    """Two calls never share more than their key."""
    cookies = []

    async def bake(request: web.Request) -> web.Response:
        cookies.append(dict(request.cookies))
        answer = web.Response()
        answer.set_cookie("session", "1")
        return answer

    async with _site(web.get("/", bake)) as base, _transport() as transport:
        for _turn in range(2):
            await transport.request("GET", base, headers={})
    assert cookies == [{}, {}]


async def test_a_refused_connection_is_a_connect_error(unused_tcp_port: int):
    """Certainly nothing was sent."""
    async with _transport() as transport:
        with pytest.raises(ConnectError):
            await transport.request("GET", f"http://127.0.0.1:{unused_tcp_port}/", headers={})
        with pytest.raises(ConnectError):
            async with transport.stream(f"http://127.0.0.1:{unused_tcp_port}/", headers={}):
                pytest.fail("there is nothing to read")


@pytest.mark.parametrize("url", ["http://[bad/", "not a url", "file:///etc/passwd", "ftp://127.0.0.1/x"])
async def test_an_address_that_is_none_is_a_transport_error(url: str):
    """Whatever a remote calls a link, it ends in this package's error."""
    async with _transport() as transport:
        with pytest.raises(TransportError):
            async with transport.stream(url, headers={}):
                pytest.fail("there is nothing to read")


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"SSH-2.0-OpenSSH\r\n\r\n"])
async def test_a_line_that_breaks_before_the_answer_is_a_transport_error(sent: bytes):
    """The request may have been acted upon: no connect error."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _head(reader)
        writer.write(sent)
        await writer.drain()

    async with _raw(serve) as base, _transport() as transport:
        with pytest.raises(TransportError) as caught:
            await transport.request("POST", base, headers={})
        assert not isinstance(caught.value, ConnectError)


@pytest.mark.parametrize("is_reset", [True, False])
async def test_a_body_that_breaks_off_is_a_transport_error_after_what_came(is_reset: bool):
    """All the bytes that arrived are handed over, though they fill no chunk; then the error."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 300)
        await writer.drain()
        if is_reset:
            await received.wait()
            writer.transport.abort()

    received = asyncio.Event()
    async with _raw(serve) as base, _transport() as transport:
        async with transport.stream(base, headers={}) as answer:
            received.set()
            chunks = []
            with pytest.raises(TransportError) as caught:  # noqa: PT012 -- the break comes in the middle of the loop
                async for chunk in answer.chunks(1024**2):
                    chunks.append(chunk)  # noqa: PERF401 -- what came before the break must be kept
            assert not isinstance(caught.value, ConnectError)
            if not is_reset:  # a reset may take what is still in the kernel's buffer with it
                assert b"".join(chunks) == b"x" * 300
        if not is_reset:
            with pytest.raises(TransportError):
                await transport.request("GET", base, headers={})


async def test_silence_is_a_transport_error():
    """A server that takes the request and says nothing, or stops half-way, is given up after the stall time."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await _head(reader)
        if b"/half" in request:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        await reader.read()  # until the other side gives up

    async with _raw(serve) as base, _transport(STALL_S) as transport:
        for path in ("/silent", "/half"):
            began = time.monotonic()
            with pytest.raises(TransportError) as caught:
                await transport.request("GET", base + path, headers={})
            assert not isinstance(caught.value, ConnectError)
            assert time.monotonic() - began >= STALL_S * 0.9


async def test_slow_is_not_silent():
    """An answer that takes far longer than the stall time is fine as long as something keeps coming."""
    size = 60

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _byte in range(size):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with _raw(serve) as base, _transport(1.0) as transport:
        began = time.monotonic()
        assert (await transport.request("GET", base, headers={})).body == b"x" * size
        assert time.monotonic() - began > 1.0


async def test_a_slow_upload_is_not_silence(tmp_path: Path):
    """A large picture over a slow line takes longer than the stall time to send, and is sent all the same."""
    path = tmp_path / "large.png"
    path.write_bytes(bytes(24 * 1024**2))
    upload = Upload.of({}, "run-1.png", path, path.stat().st_size, None)
    total = int(upload.headers["Content-Length"])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _head(reader)
        left = total
        while left:
            left -= len(await reader.read(512 * 1024))
            if left > total // 4:
                await asyncio.sleep(0.04)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()

    async with _raw(serve, window_bytes=256 * 1024) as base, _transport(1.0) as transport:
        began = time.monotonic()
        answer = await transport.request("POST", base, headers={}, upload=upload)
        assert answer.body == b"ok"
        assert time.monotonic() - began > 1.0


async def test_all_bytes_in_is_success_however_the_line_ends():
    """A slow reader and a server that closes at once: N of N bytes are a whole body (aio-libs/aiohttp#13348)."""
    size = 3_000_000

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _piece in range(30):
            writer.write(b"x" * (size // 30))
            await writer.drain()
        writer.write_eof()
        await reader.read()

    async with _raw(serve) as base, _transport() as transport:
        async with transport.stream(base, headers={}) as answer:
            received = 0
            async for chunk in answer.chunks(64 * 1024):
                received += len(chunk)
                await asyncio.sleep(0.005)
        assert received == size
        assert len((await transport.request("GET", base, headers={})).body) == size


@pytest.mark.parametrize("size_bytes", [1, 1000, 10**6])
async def test_chunks_are_about_as_large_as_asked(size_bytes: int):
    """Nothing is lost or doubled; every chunk but the last has at least the size asked for."""
    content = bytes(range(256)) * 2000

    async def give(_request: web.Request) -> web.Response:
        return web.Response(body=content)

    async with (
        _site(web.get("/", give)) as base,
        _transport() as transport,
        transport.stream(base, headers={}) as answer,
    ):
        chunks = [chunk async for chunk in answer.chunks(size_bytes)]
    assert b"".join(chunks) == content
    assert all(len(chunk) >= size_bytes for chunk in chunks[:-1])


async def test_a_cancelled_call_leaves_the_transport_usable():
    """Giving up one exchange does not disturb the next."""
    entered = asyncio.Event()

    async def wait(_request: web.Request) -> web.Response:
        entered.set()
        await asyncio.sleep(LONG_S)
        return web.Response()

    async def give(_request: web.Request) -> web.Response:
        return web.Response(body=b"here")

    async with _site(web.get("/wait", wait), web.get("/give", give)) as base, _transport() as transport:
        call = asyncio.create_task(transport.request("GET", base + "/wait", headers={}))
        await entered.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert (await transport.request("GET", base + "/give", headers={})).body == b"here"


class TestProxies:
    """Proxies of the environment."""

    async def test_what_is_on_this_machine_is_reached_directly(self, monkeypatch: pytest.MonkeyPatch):
        """A company's proxy in the environment never sees the pictures that are restored locally."""

        async def give(_request: web.Request) -> web.Response:
            return web.Response(body=b"direct")

        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
        async with _site(web.get("/", give)) as base, _transport() as transport:
            for host in ("127.0.0.1", "localhost"):
                url = base.replace("127.0.0.1", host)
                assert (await transport.request("GET", url, headers={})).body == b"direct"
                async with transport.stream(url, headers={}) as answer:
                    assert await answer.read() == b"direct"

    async def test_all_else_goes_through_the_proxy(self, monkeypatch: pytest.MonkeyPatch):
        """Where the environment names a proxy it is used, except for the hosts that `no_proxy` names."""
        asked = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append((await _head(reader)).split(b"\r\n")[0])
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nproxy")
            await writer.drain()

        async with _raw(serve) as proxy:
            monkeypatch.setenv("http_proxy", proxy)
            monkeypatch.setenv("no_proxy", "direct.invalid")
            async with _transport() as transport:
                assert (await transport.request("GET", "http://api.invalid/x", headers={})).body == b"proxy"
                with pytest.raises(ConnectError):
                    await transport.request("GET", "http://direct.invalid/x", headers={})
        assert asked == [b"GET http://api.invalid/x HTTP/1.1"]


class _LateError:
    """An aiohttp answer that delivers `body` and then fails as aiohttp 3.14.0 to 3.14.3 do."""

    status = 200

    def __init__(self, body: bytes, announced: str | None) -> None:
        self.headers = {} if announced is None else {"Content-Length": announced}
        self.content = self
        self._body = body

    async def iter_any(self) -> AsyncIterator[bytes]:
        yield self._body
        raise aiohttp.ClientPayloadError("Not enough data to satisfy content length header")


@pytest.mark.parametrize(
    ("announced", "is_whole"), [("5", True), ("6", False), ("4", False), (None, False), ("x", False)]
)
async def test_an_error_after_the_last_announced_byte_is_none(announced: str | None, is_whole: bool):
    """All N of N bytes in means success, whatever is raised after them; anything else broke off."""
    answer = _Streamed(_LateError(b"12345", announced))
    chunks = answer.chunks(1000)
    assert await anext(chunks) == b"12345"
    with pytest.raises(StopAsyncIteration if is_whole else TransportError):
        await anext(chunks)


@pytest.mark.parametrize(
    "error",
    [
        aiohttp.ClientHttpProxyError(
            RequestInfo(URL("http://u:secret@proxy.test"), "GET", CIMultiDictProxy(CIMultiDict())), (), status=407
        ),
        aiohttp.InvalidURL("http://files.test:99999/x?signature=secret"),
    ],
    ids=["proxy", "link"],
)
def test_no_secret_of_an_address_is_in_an_error(error: aiohttp.ClientError):
    """A proxy's password and a link's signature stay out of what is printed and journaled."""
    with pytest.raises(TransportError) as caught, _translated():
        raise error
    assert "secret" not in str(caught.value)
