"""Notices that a job has ended: what each is answered, and what it does."""

import asyncio
import contextlib
import hashlib
import hmac
import ipaddress
import random

import aiohttp
import orjson
import pytest

from engine.clock import SystemClock
from engine.errors import MachineError
from engine.inputs.folder import Globs
from engine.inputs.scan import Sizing
from engine.job.parameters import FaceRecovery
from engine.journal.replay import read
from engine.pipeline import opening
from engine.pipeline.closing import Closing
from engine.pipeline.notices import MAX_NOTICE_BYTES, SIGNATURE, Notices, token_of
from engine.pipeline.order import Order
from engine.pipeline.receiver import receiving
from engine.pipeline.run import run
from engine.pipeline.run_folder import RunFolder
from engine.remote.endpoint import Endpoint
from engine.remote.member_id import member_id, qualified
from engine.remote.transport import AiohttpTransport
from engine.service.simulate.simulation import Simulation
from engine.settings import Settings
from tests.fakes.clock import FakeClock
from tests.pipeline.harness import picture
from tests.service import harness as service

KEY, RUN = "the-key", "0123456789"
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
TOKEN = token_of([KEY], RUN)
OTHER = ("http://other.test/image/v1", "another")
BACKEND = Endpoint(name="x", base_url="http://one.test/image/v1", key=KEY)
POOL = Endpoint(name="x", base_url=BACKEND.base_url, key=KEY, others=(OTHER,))


class _Book:
    """Marks, in order; `is_broken`: the journal can't be written."""

    def __init__(self) -> None:
        self.marks: list[tuple[str, dict]] = []
        self.is_broken = False

    async def commit_mark(self, event: str, **members) -> None:
        if self.is_broken:
            raise MachineError("disk full")
        self.marks.append((event, members))


class _Poll:
    """Knows the ids it was given, and keeps those it was woken for."""

    def __init__(self, *known: str) -> None:
        self.known = set(known)
        self.woken: list[str] = []

    def knows(self, process_id: str) -> bool:
        return process_id in self.known

    def wake(self, process_id: str) -> None:
        self.woken.append(process_id)


class _Door:
    """Notices over scripted neighbours."""

    def __init__(self, *known: str, is_sending: bool = False, endpoint: Endpoint = BACKEND) -> None:
        self.book, self.poll, self.clock = _Book(), _Poll(*known), FakeClock(now=1_760_000_000.0)
        self.is_sending = is_sending
        self.notices = Notices(
            endpoint,
            RUN,
            book=self.book,
            poll=self.poll,
            clock=self.clock,
            is_sending=lambda: self.is_sending,
        )

    async def take(self, process_id="p", status="Completed", *, token=TOKEN, signature=None, **more) -> int:
        members = {"process_id": process_id, "status": status, "notification_id": "01K", **more}
        return await self.notices.take(token, orjson.dumps(members), signature)


def _signed(body: bytes, at: float, key: str = KEY) -> str:
    secret = hmac.digest(hashlib.sha256(key.encode()).digest(), b"webhook", "sha256")
    return f"t={at:.0f},v1={hmac.digest(secret, f'{at:.0f}.'.encode() + body, 'sha256').hex()}"


@pytest.mark.parametrize("status", ["Completed", "Failed", "Cancelled"])
async def test_the_end_of_a_job_is_journaled_and_looked_at(status):
    """In this order: what was acknowledged is on the disk."""
    door = _Door("p")
    assert await door.take(status=status) == 204
    assert door.book.marks == [("notified", {"process_id": "p", "status": status, "notice": "01K"})]
    assert door.poll.woken == ["p"]


async def test_what_can_not_be_journaled_is_not_acknowledged():
    """The sender keeps it."""
    door = _Door("p")
    door.book.is_broken = True
    with pytest.raises(MachineError):
        await door.take()
    assert door.poll.woken == []


@pytest.mark.parametrize("status", ["Pending", "Processing", "Dreaming"])
async def test_a_job_that_goes_on_is_no_reason_to_look(status):
    """It is acknowledged, known or not, since the notice of its end waits behind it."""
    door = _Door("p", is_sending=True)
    assert [await door.take("p", status), await door.take("q", status)] == [204, 204]
    assert (door.book.marks, door.poll.woken) == ([], [])


async def test_an_unknown_job_may_be_one_that_was_just_accepted():
    """While submits are open it has to come again; otherwise it is somebody else's."""
    door = _Door(is_sending=True)
    assert await door.take() == 503
    door.is_sending = False
    assert await door.take() == 204
    assert (door.book.marks, door.poll.woken) == ([], [])


async def test_a_job_that_polling_found_first_needs_no_notice():
    """It is known to be this run's, though it waits no more."""
    door = _Door(is_sending=True)
    taken = []
    door.notices.before(taken.append)(flight := type("F", (), {"process_id": "p"})())
    assert taken == [flight]
    assert await door.take() == 204
    assert door.poll.woken == []


async def test_a_job_of_a_pool_is_looked_for_under_each_member():
    """Its backend calls it by its own id, and nobody says which member that is."""
    mine = qualified(member_id(*OTHER), "p")
    door = _Door(mine, is_sending=True, endpoint=POOL)
    assert [await door.take("p"), await door.take("q")] == [204, 503]
    assert door.book.marks == [("notified", {"process_id": mine, "status": "Completed", "notice": "01K"})]
    assert door.poll.woken == [mine]


async def test_a_job_of_a_pool_that_polling_found_first_needs_no_notice():
    door = _Door(is_sending=True, endpoint=POOL)
    process_id = qualified(member_id(*OTHER), "p")
    door.notices.before(lambda _flight: None)(type("F", (), {"process_id": process_id})())
    assert await door.take("p") == 204


async def test_an_address_made_with_any_of_the_keys_is_the_runs():
    """The order of a pool does not matter, nor that a process before had another one."""
    door = _Door("p", endpoint=POOL)
    assert token_of(POOL.keys, RUN) == token_of(POOL.keys[::-1], RUN)
    for keys in (POOL.keys, [KEY], ["another"]):
        assert await door.take("p", "Processing", token=token_of(keys, RUN)) == 204
    assert await door.take("p", "Processing", token=token_of(["a third"], RUN)) == 404


@pytest.mark.parametrize("token", ["", "x", TOKEN[:-1], TOKEN + "0", token_of([KEY], "another run"), "é"])
async def test_whoever_does_not_know_the_address_is_nowhere(token):
    """Not even told that there is something."""
    assert await _Door("p").take(token=token) == 404


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"5", b"{}", b'{"process_id": "p"}', b'{"process_id": 5, "status": "Completed"}', b"\xff"],
)
async def test_what_is_no_notice_is_refused_for_good(body):
    assert await _Door("p").notices.take(TOKEN, body, None) == 400


@pytest.mark.parametrize(
    ("make", "status"),
    [
        (_signed, 204),
        (lambda body, now: _signed(body, now, "another"), 204),
        (lambda body, now: _signed(body, now - 299), 204),
        (lambda body, now: _signed(body, now - 301), 401),
        (lambda body, now: _signed(body, now + 301), 401),
        (lambda body, now: _signed(body, now, "wrong"), 401),
        (lambda body, now: _signed(body + b" ", now), 401),
        (lambda body, now: "", 401),
        (lambda body, now: "t=x,v1=y", 401),
        (lambda body, now: "t=" + "9" * 5000 + ",v1=y", 401),
        (lambda body, now: "v1=é,t=1760000000", 401),
    ],
)
async def test_a_signature_that_is_there_has_to_be_right(make, status):
    """Made with one of the run's keys, over these bytes, just now."""
    door = _Door(qualified(member_id(*OTHER), "p"), endpoint=POOL)
    body = b'{"process_id": "p", "status": "Completed"}'
    assert await door.notices.take(TOKEN, body, make(body, door.clock.now())) == status
    assert len(door.poll.woken) == (status == 204)


async def test_a_flood_has_to_come_again():
    """A bound on what is journaled a second; the next second takes more."""
    door = _Door("p")
    await door.clock.sleep(0)
    answers = [await door.take() for _notice in range(1000)]
    assert answers.count(204) == 400
    assert set(answers) == {204, 503}
    await door.clock.sleep(1.0)
    assert await door.take() == 204


def test_the_address_is_the_same_in_every_process_of_a_run():
    """And nobody's who has not the key."""
    assert token_of([KEY], RUN) == TOKEN
    assert len({TOKEN, token_of(["k2"], RUN), token_of([KEY], "r2")}) == 3
    assert len(TOKEN) == 64


class TestReceiver:
    """Over real sockets."""

    async def _ask(self, method: str, url: str, **options) -> int:
        async with aiohttp.ClientSession() as session, session.request(method, url, **options) as answer:
            return answer.status

    async def test_notices_come_in_by_http(self):
        """With whatever path a proxy in front leaves before the token."""
        door = _Door("p")
        notice = {"process_id": "p", "status": "Completed"}
        async with receiving("127.0.0.1:0", door.notices) as place:
            at = f"http://{place}"
            assert await self._ask("POST", f"{at}/hook/{TOKEN}", json=notice) == 204
            assert await self._ask("POST", f"{at}/{TOKEN}", json=notice) == 204
            assert await self._ask("POST", f"{at}/hook", json=notice) == 404
            assert await self._ask("GET", f"{at}/hook/{TOKEN}") == 404
            assert await self._ask("POST", f"{at}/{TOKEN}", data=b" " * (MAX_NOTICE_BYTES + 1)) == 413
            assert await self._ask("POST", f"{at}/{TOKEN}", json=notice, headers={SIGNATURE: "t=1,v1=2"}) == 401
            door.book.is_broken = True
            assert await self._ask("POST", f"{at}/{TOKEN}", json=notice) == 503
        assert door.poll.woken == ["p", "p"]

    async def test_there_are_only_so_many_connections(self):
        """Whoever comes then is told to come again; when one has gone there is room."""
        door = _Door("p")
        notice = {"process_id": "p", "status": "Completed"}
        async with receiving("127.0.0.1:0", door.notices, connections=2) as place, asyncio.timeout(30):
            url = f"http://{place}/{TOKEN}"
            host, _colon, port = place.rpartition(":")
            idle = [(await asyncio.open_connection(host, int(port)))[1] for _each in range(2)]
            assert await self._ask("POST", url, json=notice) == 503
            idle[0].close()
            while (status := await self._ask("POST", url, json=notice)) == 503:
                pass  # the server hears of it in its own time
            assert status == 204
            idle[1].close()

    @pytest.mark.parametrize("sent", [b"", b"POST /x HTTP/1.1\r\nHost: a\r\n", "half a body"])
    async def test_who_sends_no_whole_notice_is_cut_off(self, sent):
        """Silent, in the middle of a header, in the middle of a body, or after one notice."""
        door = _Door("p")
        if sent == "half a body":
            sent = b"POST /%s HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{" % TOKEN.encode()
        async with receiving("127.0.0.1:0", door.notices, read_s=0.2) as place, asyncio.timeout(30):
            host, _colon, port = place.rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(sent)
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()
        assert door.notices.counts == {}

    async def test_a_connection_may_bring_one_notice_after_the_other(self):
        """Each has its own time; and it is cut off when no more come."""
        door = _Door("p")
        body = b'{"process_id": "p", "status": "Completed"}'
        head = b"POST /%s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (TOKEN.encode(), len(body))
        async with receiving("127.0.0.1:0", door.notices, read_s=0.2) as place, asyncio.timeout(30):
            host, _colon, port = place.rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            for _notice in range(3):
                writer.write(head + body)
                assert b" 204 " in await reader.readuntil(b"\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()
        assert door.poll.woken == ["p"] * 3

    async def test_a_place_that_is_taken_is_said(self):
        door = _Door()
        async with receiving("127.0.0.1:0", door.notices) as place:
            with pytest.raises(MachineError, match=r"webhook_listen .* can't be listened on"):
                async with receiving(place, door.notices):
                    pytest.fail("two can't listen there")


async def test_a_run_that_hardly_polls_ends_by_the_services_notices(tmp_path, unused_tcp_port):
    """Against a real service: without notices the first look at most jobs would come in an hour."""
    inputs = tmp_path / "in"
    inputs.mkdir()
    for number in range(5):
        (inputs / f"p{number}.jpg").write_bytes(picture(color=(number, 90, 90)))
    listen = f"127.0.0.1:{unused_tcp_port}"
    settings = {
        "poll_min_s": 3600.0,
        "poll_max_s": 3600.0,
        "sync": False,
        "webhook_url": f"http://{listen}/hook",
        "webhook_listen": listen,
    }
    order = Order(
        run_id=RUN,
        inputs=(str(inputs),),
        out=tmp_path / "out",
        globs=Globs(),
        sizing=Sizing(FaceRecovery()),
        settings=Settings.model_validate({"backend": "http://x", **settings}),
    )
    folder = RunFolder.beside(order.out, None)
    async with (
        service.running(tmp_path / "service", simulation=Simulation(), allowed_networks=LOOPBACK) as remote,
        AiohttpTransport(max_connections=20, connect_timeout_s=10.0, stall_timeout_s=30.0) as transport,
        asyncio.timeout(60),
    ):
        endpoint = Endpoint(name="x", base_url=f"{remote.base}{service.BASE}", key=service.KEY)
        with opening.begin(order, folder) as opened:
            summary = await run(
                opened,
                endpoint,
                transport=transport,
                clock=SystemClock(),
                draw=random.Random(1).random,
                closing=Closing(),
                on_start=lambda _view: None,
            )
    assert (summary.done, summary.failed) == (5, 0)
    notified = [record["status"] for record in read(folder.journal) if record["event"] == "notified"]
    assert notified.count("Completed") >= 2  # the first three are looked at early, to learn how long jobs take
