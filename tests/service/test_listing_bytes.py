"""A listing of any length: whole, in pieces, to its owner only; and HEAD, which is GET without the body."""

import asyncio
from urllib.parse import urlsplit

import orjson
import pytest
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.test_utils import make_mocked_request

from engine.clock import SystemClock
from engine.service.api import Api
from engine.service.caller import CALLER
from engine.service.job_store import JobStore
from engine.service.jobs import Jobs
from engine.service.key import Key
from tests.service.harness import KEY, picture
from tests.service.test_stored_bytes import accepted, ended

_PIECE_BYTES = 64 * 1024


class Paper:
    """A journal that keeps nothing."""

    def append(self, record):
        pass

    async def commit(self, record=None):
        pass


class Bin:
    """Pictures of which nothing is left."""

    def __init__(self):
        self.removed = 0

    def remove(self, gone):
        self.removed += 1


def api_of(jobs: Jobs) -> Api:
    store = JobStore(jobs, Paper(), SystemClock())
    return Api(store=store, crew=None, files=Bin(), intake=None, links=None)


def rows(count: int, *, owner: str = "a", first: int = 0, **others) -> list[dict]:
    return [
        accepted(f"{owner}{n}", source_id=f"{owner}{n}", owner=owner, sequence=n, **others)
        for n in range(first, first + count)
    ]


def jobs_of(*records: dict) -> Jobs:
    jobs = Jobs()
    for record in records:
        jobs.apply(record)
    assert not jobs.skipped
    return jobs


class Heard(AbstractStreamWriter):
    """What a client is sent, piece by piece, and how often others had a turn before each."""

    def __init__(self):
        self.pieces: list[bytes] = []
        self.turns_at: list[int] = []
        self.turns = 0

    async def count_turns(self):
        while True:
            self.turns += 1
            await asyncio.sleep(0)

    async def write(self, chunk):
        self.pieces.append(bytes(chunk))
        self.turns_at.append(self.turns)

    async def write_eof(self, chunk=b""):
        self.pieces.append(bytes(chunk))

    async def drain(self):
        pass

    async def write_headers(self, status_line, headers):
        pass

    def send_headers(self):
        pass

    def enable_compression(self, *_args, **_options):
        pass

    def enable_chunking(self):
        pass


def request_to(heard: Heard, method: str = "GET") -> web.Request:
    request = make_mocked_request(method, "/image/v1/status", writer=heard)
    request[CALLER] = Key(id="a", name="a", digest=bytes(32))
    return request


@pytest.mark.parametrize("count", [0, 1, 2, 99, 100, 101, 731])
async def test_a_whole_listing_has_every_row_once(count):
    """Newest first, as one JSON array, however it is cut."""
    heard = Heard()
    await api_of(jobs_of(*rows(count))).listing(request_to(heard))
    told = [row["process_id"] for row in orjson.loads(b"".join(heard.pieces))]
    assert told == [f"a{n}" for n in reversed(range(count))]


async def test_no_piece_is_large_and_others_get_their_turn():
    """The largest rows there are go out in pieces of about 64 KB, and others have a turn between any two."""
    heard = Heard()
    api = api_of(jobs_of(*rows(200, options_json="x" * 48_000)))
    others = asyncio.create_task(heard.count_turns())
    await api.listing(request_to(heard))
    others.cancel()
    assert sum(map(len, heard.pieces)) > 200 * 48_000
    assert max(map(len, heard.pieces)) < 2 * _PIECE_BYTES
    assert len(set(heard.turns_at)) == len(heard.turns_at)


async def test_deleting_all_looks_at_nobody_elses_jobs():
    """Whatever others have, only rows of the key's own listing are read; what has not ended stays."""
    mine = rows(1200, first=1000)
    jobs = jobs_of(*rows(1000, owner="b"), *mine, *(ended(each["process_id"]) for each in mine[:-1]))
    for each in jobs.by_id.values():
        if each.owner == "b":  # a look at it would fail
            each.submission = each.status = None
    api = api_of(jobs)
    answer = await api.forget_all(request_to(Heard(), "DELETE"))
    assert orjson.loads(answer.body) == {"deleted_count": 1199}
    assert [job.id for job in api.store.page("a", 10, None)[0]] == ["a2199"]
    assert api.files.removed == 1199


async def test_head_is_get_without_the_body(service):
    """On every path that is served by GET: the next answer on the connection is the one to the next call."""
    status, answer = await service.post(picture())
    assert status == 200
    process_id = answer["process_id"]
    await service.reached(process_id, "Completed")
    link = (await service.link(process_id))["head_url"]
    paths = [
        "/image/v1/status",
        "/image/v1/status?paginated=true",
        f"/image/v1/status/{process_id}",
        f"/image/v1/download/{process_id}",
        f"/image/v1/download/input/{process_id}",
        "/account/v1/credits/balance",
        "/health",
        "/docs",
        "/openapi.json",
        "/nothing",
        f"{urlsplit(link).path}?{urlsplit(link).query}",
    ]
    host = urlsplit(service.base)
    for path in paths:
        reader, writer = await asyncio.open_connection(host.hostname, host.port)
        head = f"HEAD {path} HTTP/1.1\r\nHost: a\r\nX-API-Key: {KEY}\r\n\r\n"
        writer.write((head + "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").encode())
        first, rest = (await asyncio.wait_for(reader.read(), 10)).split(b"\r\n\r\n", 1)
        writer.close()
        assert first.startswith(b"HTTP/1.1 404" if path == "/nothing" else b"HTTP/1.1 200"), path
        assert rest.startswith(b"HTTP/1.1 200 OK\r\n"), path
        assert rest.endswith(b'{"status":"ok"}'), path
