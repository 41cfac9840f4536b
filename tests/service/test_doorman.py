"""Connections that take too long, bodies that trickle, answers nobody reads, and too many of them at once."""

import asyncio
import contextlib
import ssl
import time

import aiohttp
import pytest
import trustme
import uvloop

from engine.service.doorman import Cut, Doorman, Patience, neighbourhood
from engine.service.settings import Tls
from tests.service.harness import KEY, Running, picture, running, until

_HEAD = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
_SHORT = {"header_time_limit_s": 0.3, "idle_time_limit_s": 0.3}
_LONG = {"header_time_limit_s": 30.0, "idle_time_limit_s": 30.0}


@contextlib.asynccontextmanager
async def raw(service: Running, context=None, **options):
    """A connection of bytes to `service`."""
    host, _, port = service.base.partition("//")[2].partition(":")
    name = {} if context is None else {"ssl": context, "server_hostname": "localhost"}
    reader, writer = await asyncio.open_connection(host, int(port), **name, **options)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError):
            await writer.wait_closed()


async def rest_of(reader) -> bytes:
    """Return what still comes until the other side ends the connection."""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(20):
            return await reader.read()
    return b""


async def answer_of(reader) -> tuple[int, bytes]:
    """Return status and body of one answer that has a length."""
    async with asyncio.timeout(20):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(line for line in head.splitlines() if line.lower().startswith("content-length"))
        return int(head.split()[1]), await reader.readexactly(int(length.partition(":")[2]))


@pytest.mark.parametrize("begun", ["", "GET", "GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: 1\r\n"])
async def test_a_header_that_does_not_end_is_cut(tmp_path, begun):
    """A connection whose first header is not whole in time is ended, whatever has come of it."""
    async with running(tmp_path, **{**_LONG, "header_time_limit_s": 0.3}) as service, raw(service) as (reader, writer):
        writer.write(begun.encode())
        assert await rest_of(reader) == b""


async def test_a_trickle_of_header_bytes_buys_no_time(tmp_path):
    """The limit counts from the first byte: more bytes do not move it."""
    async with running(tmp_path, **{**_LONG, "header_time_limit_s": 0.5}) as service, raw(service) as (reader, writer):

        async def trickle():
            for each in "GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: " + 10_000 * "1":
                writer.write(each.encode())
                await asyncio.sleep(0.02)

        trickling = asyncio.create_task(trickle())
        assert await rest_of(reader) == b""
        trickling.cancel()


async def test_an_idle_connection_is_ended_and_a_busy_one_is_not(tmp_path):
    """Between two calls the idle limit counts; each call starts it anew, and a job's own time is no idleness."""
    limits = {"header_time_limit_s": 30.0, "idle_time_limit_s": 0.5}
    async with running(tmp_path, **limits) as service, raw(service) as (reader, writer):
        began = time.monotonic()
        while time.monotonic() - began < 1.2:
            writer.write(_HEAD.encode())
            assert (await answer_of(reader))[0] == 200
            await asyncio.sleep(0.02)
        assert await rest_of(reader) == b""


async def test_a_second_header_on_a_connection_has_the_same_limit(tmp_path):
    """Header limits hold for every call of a connection, though the idle limit is long."""
    limits = {"header_time_limit_s": 0.3, "idle_time_limit_s": 30.0}
    async with running(tmp_path, **limits) as service, raw(service) as (reader, writer):
        writer.write(_HEAD.encode())
        assert (await answer_of(reader))[0] == 200
        writer.write(b"GET /he")
        assert await rest_of(reader) == b""


def _upload_head(size: int) -> bytes:
    return (
        f"POST /image/v1/restore-gen/async HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\nContent-Length: {size}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    ).encode()


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_slow_upload_is_answered_408(tmp_path, factory):
    """A body under the least speed is ended with 408, leaves no file, and the connection closes."""

    async def story():
        limits = {"header_time_limit_s": 0.2, "idle_time_limit_s": 30.0, "upload_min_bytes_per_s": 1000}
        async with running(tmp_path, **limits) as service, raw(service) as (reader, writer):
            writer.write(_upload_head(100_000) + picture())
            status, body = await answer_of(reader)
            assert status == 408
            assert b"too slowly" in body
            writer.write_eof()
            assert await rest_of(reader) == b""
            assert not [path for path in (tmp_path / "inputs").rglob("*") if path.is_file()]

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(story())


async def test_an_upload_above_the_least_speed_takes_as_long_as_it_takes(tmp_path):
    """Windows pass one after the other while enough comes in each of them."""
    data = picture() + bytes(30_000)
    tail = b"\r\n--b--\r\n"
    head = _upload_head(0).partition(b"\r\n\r\n")[2]
    limits = {"header_time_limit_s": 0.2, "idle_time_limit_s": 30.0, "upload_min_bytes_per_s": 2000}
    async with running(tmp_path, **limits) as service, raw(service) as (reader, writer):
        writer.write(_upload_head(len(head) + len(data) + len(tail)))
        for at in range(0, len(data), 1000):
            writer.write(data[at : at + 1000])
            await asyncio.sleep(0.04)
        writer.write(tail)
        assert (await answer_of(reader))[0] in (200, 400)  # whole, so it was judged by what it says


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_an_answer_that_nobody_reads_is_cut(tmp_path, factory):
    """A client that asks for a large file and does not read loses its connection; the service forgets it."""

    async def story():
        limits = {"header_time_limit_s": 0.2, "idle_time_limit_s": 0.4, "max_connections": 2}
        async with running(tmp_path, **limits) as service:
            _, answer = await service.post(picture() + bytes(30_000_000))
            link = (await service.link(answer["process_id"], "input/"))["download_url"]
            async with raw(service, limit=1024) as (_, writer):
                writer.write(f"GET {link[len(service.base) :]} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

                async def is_free():
                    return await _opens(service, 2)

                await until(is_free, "both places to be free")

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(story())


async def _opens(service: Running, count: int) -> bool:
    """Say whether `count` connections at once are answered."""
    async with contextlib.AsyncExitStack() as stack:
        pairs = [await stack.enter_async_context(raw(service)) for _ in range(count)]
        for _, writer in pairs:
            writer.write(_HEAD.encode())
        statuses = []
        for reader, _ in pairs:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                statuses.append((await answer_of(reader))[0])
        return statuses == [200] * count


async def test_connections_beyond_the_limit_are_refused_and_places_come_free(tmp_path):
    """One too many is told 503 and closed; when another one goes, the next is answered."""
    async with running(tmp_path, max_connections=3, **_LONG) as service:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(3):
                reader, writer = await stack.enter_async_context(raw(service))
                writer.write(_HEAD.encode())
                assert (await answer_of(reader))[0] == 200
            async with raw(service) as (reader, _):
                status, body = await answer_of(reader)
                assert status == 503
                assert b"too many connections" in body
                assert await rest_of(reader) == b""

        async def is_free():
            return await _opens(service, 3)

        await until(is_free, "three places to be free")


async def test_one_client_gets_no_more_than_a_quarter(tmp_path):
    """Another address of the loop-back network is another client: it fills its quarter, and others still call."""
    async with running(tmp_path, max_connections=8, **_LONG) as service, contextlib.AsyncExitStack() as stack:
        for _ in range(2):
            reader, writer = await stack.enter_async_context(raw(service, local_addr=("127.0.0.2", 0)))
            writer.write(_HEAD.encode())
            assert (await answer_of(reader))[0] == 200
        reader, _ = await stack.enter_async_context(raw(service, local_addr=("127.0.0.2", 0)))
        assert (await answer_of(reader))[0] == 503
        reader, writer = await stack.enter_async_context(raw(service, local_addr=("127.0.0.3", 0)))
        writer.write(_HEAD.encode())
        assert (await answer_of(reader))[0] == 200


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_the_limits_hold_under_tls(tmp_path, factory):
    """Slow headers and slow bodies are cut on a TLS connection as on any other."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)

    async def story():
        tls = Tls(certificate=tmp_path / "cert.pem", key=tmp_path / "key.pem")
        async with running(tmp_path / "service", tls=tls, **_SHORT) as service:
            async with raw(service, context) as (reader, writer):
                writer.write(b"GET /health HTTP/1.1\r\nHost:")
                assert await rest_of(reader) == b""
            async with raw(service, context) as (reader, writer):
                writer.write(_HEAD.encode())
                assert (await answer_of(reader))[0] == 200
                assert await rest_of(reader) == b""
            async with raw(service, context) as (reader, writer):
                writer.write(_upload_head(100_000))
                assert (await answer_of(reader))[0] == 408

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(story())


async def test_garbage_is_answered_in_json(tmp_path):
    """What is no HTTP gets one JSON error that tells no versions, and the connection ends."""
    async with running(tmp_path, **_LONG) as service, raw(service) as (reader, writer):
        writer.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        answer = await rest_of(reader)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b" 400 " in head
        assert b"no sound HTTP" in body
        assert b"aiohttp" not in answer.lower()
        assert b"python" not in answer.lower()


async def test_a_call_in_the_middle_of_another_is_answered(tmp_path):
    """Pipelined calls are all answered, in their order."""
    async with running(tmp_path, **_LONG) as service, raw(service) as (reader, writer):
        writer.write(_HEAD.encode() * 3)
        assert [(await answer_of(reader))[0] for _ in range(3)] == [200, 200, 200]


async def test_ordinary_calls_are_not_counted_as_cut(tmp_path):
    """A client that behaves sees none of this."""
    async with running(tmp_path, **_LONG) as service:
        for _ in range(20):
            assert (await service.call("GET", "/status"))[0] == 200
        with contextlib.suppress(aiohttp.ClientError):
            assert (await service.call("GET", "//health"))[1] == {"status": "ok"}


def test_the_doorman_counts():
    """In and out are counted for all and for each client; a refusal changes no count but its own."""
    doorman = Doorman(Patience(header_s=1, idle_s=1, min_bytes_per_s=1), 8)
    assert [doorman.let_in("a") for _ in range(3)] == [None, None, Cut.CROWDED]
    assert [doorman.let_in(None) for _ in range(7)] == [None] * 6 + [Cut.FULL]
    assert doorman.open == 8
    doorman.let_out("a")
    assert doorman.let_in("a") is None
    for client in ("a", "a", *[None] * 6):
        doorman.let_out(client)
    assert repr(doorman) == "<Doorman: 0 of 8 connections, 2 cut>"


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        (None, "unknown"),
        ("a.socket", "unknown"),
    ],
)
def test_what_counts_as_one_client(address, client):
    """An IPv4 address, or a subscriber's /64."""
    assert neighbourhood(address) == client
