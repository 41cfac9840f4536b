"""Answers are bounded by what arrives, whatever they announce."""

import contextlib
import gzip
import tracemalloc
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from engine.remote.client import Client
from engine.remote.failures import Kind, RemoteError
from engine.remote.multipart import Upload
from engine.remote.transport import MAX_ANSWER_BYTES, AiohttpTransport, TransportError
from tests.fakes.clock import FakeClock

BLOCK = b" " * 65536
PACKED = gzip.compress(b" " * 2**28, 1)  # a megabyte that becomes 256 MiB
UPLOAD = Upload.of_fields({"source_id": "s"}, "run-000001.png")


@contextlib.asynccontextmanager
async def _client(answer) -> AsyncIterator[Client]:
    """A client of a server that gives `answer` to everything."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with AiohttpTransport(max_connections=2, connect_timeout_s=10.0, stall_timeout_s=10.0) as transport:
            yield Client(transport, f"http://127.0.0.1:{runner.addresses[0][1]}", "k", FakeClock())
    finally:
        await runner.cleanup()


async def _endless(request: web.Request) -> web.StreamResponse:
    """White space without end, and without a Content-Length."""
    answer = web.StreamResponse()
    await answer.prepare(request)
    with contextlib.suppress(ConnectionError):
        while True:
            await answer.write(BLOCK)
    return answer


async def _bomb(_request: web.Request) -> web.Response:
    return web.Response(body=PACKED, headers={"Content-Encoding": "gzip"})


@pytest.mark.parametrize("answer", [_endless, _bomb], ids=["endless", "gzip bomb"])
async def test_a_listing_without_end_is_given_up(answer):
    """As a read that failed, with no more memory than a bounded answer takes."""
    async with _client(answer) as client:
        tracemalloc.start()
        try:
            with pytest.raises(RemoteError, match="16 MiB") as caught:
                await client.listing()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert caught.value.kind is Kind.TRANSIENT
    assert peak < 4 * MAX_ANSWER_BYTES


async def test_a_submit_answered_without_end_is_unclear():
    """It may have been accepted."""
    async with _client(_endless) as client:
        with pytest.raises(RemoteError) as caught:
            await client.submit(UPLOAD)
    assert caught.value.kind is Kind.UNCLEAR


async def test_an_error_page_without_end_is_given_up_too():
    """A link's host is anybody's."""

    async def forbid(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(status=403)
        await answer.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await answer.write(BLOCK)
        return answer

    async with _client(forbid) as client:
        link = client._exchange.base + "/file"  # noqa: SLF001 -- any address of that server
        with pytest.raises(RemoteError, match="16 MiB"):
            async with client.file(link, {}):
                pytest.fail("there is no file to be had")


async def test_a_small_compressed_answer_is_read():
    """Compression as such is welcome: listings shrink to a tenth."""

    async def answer(_request: web.Request) -> web.Response:
        packed = web.json_response({"data": [{"process_id": "p"}] * 100, "pagination": {}})
        packed.enable_compression()
        return packed

    async with _client(answer) as client:
        assert len((await client.listing()).members) == 100


async def test_an_answer_of_exactly_the_limit_is_read():
    """The bound is a bound, not one less."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=b" " * (MAX_ANSWER_BYTES + int(request.query["more"])))

    async with _client(answer) as client:
        transport, base = client._exchange.transport, client._exchange.base  # noqa: SLF001
        assert len((await transport.request("GET", base + "/?more=0", headers={})).body) == MAX_ANSWER_BYTES
        with pytest.raises(TransportError, match="16 MiB"):
            await transport.request("GET", base + "/?more=1", headers={})
