"""Whose key it is, how often it may call, and what every answer carries."""

import asyncio
import logging
import re

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from engine import __version__
from engine.service.gate import Gate
from engine.service.guesses import Guesses
from engine.service.key import Key, KeyLimits, digest_of
from engine.service.letterhead import in_one_line
from engine.service.refusal import Refusal
from tests.service.harness import BASE, KEY, picture, running


class Clock:
    """A clock that stands until it is moved."""

    time_s = 1000.0

    def monotonic(self) -> float:
        return self.time_s


async def _status(service, key, path="/status"):
    url = service.base + BASE + path
    async with aiohttp.ClientSession() as stranger, stranger.get(url, headers={"X-API-Key": key}) as response:
        return response.status, response.headers, (await response.json())


async def test_guessing_is_slowed_and_whoever_is_at_work_goes_on(tmp_path):
    """After twenty wrong keys the address gets 429 with Retry-After; a key that was used from there still works."""
    async with running(tmp_path) as service:
        assert (await service.call("GET", "/status"))[0] == 200
        answers = [await _status(service, f"wrong-{number}") for number in range(60)]
        assert [status for status, _, _ in answers[:20]] == [401] * 20
        _, headers, body = next(answer for answer in answers if answer[0] == 429)
        assert headers["Retry-After"] == "1"
        assert "wrong keys" in body["message"]
        assert (await service.call("GET", "/status"))[0] == 200


def test_while_a_client_guesses_a_new_right_key_waits_too():
    """A guess that hits is no faster than one that misses; other clients notice nothing."""
    clock = Clock()
    guesses = Guesses(clock)
    assert guesses.right("a", "known") == 0.0
    assert [guesses.wrong("a") for _ in range(20)] == [0.0] * 20
    wait_s = guesses.wrong("a")
    assert 0.0 < wait_s <= 0.1
    assert guesses.right("a", "hit") == wait_s
    assert guesses.right("a", "known") == 0.0
    assert guesses.right("b", "hit") == 0.0
    assert guesses.wrong("b") == 0.0
    clock.time_s += wait_s
    assert guesses.right("a", "hit") == 0.0


def test_clients_that_gave_up_are_forgotten():
    """What is remembered does not grow with the clients that ever came."""
    clock = Clock()
    guesses = Guesses(clock)
    for number in range(10_000):
        clock.time_s += 1.0
        assert guesses.wrong(f"client {number}") == 0.0
        assert guesses.right(f"client {number}", "key") == 0.0
    assert repr(guesses) == "<Guesses: 1 clients guess, 10000 are familiar>"


class Keys:
    """Two keys: one that may, and one that is suspended."""

    def find(self, text):
        for name, is_suspended in (("good", False), ("bad", True)):
            if text == name:
                limits = KeyLimits(rate_per_s=1.0)
                return Key(id=f"k-{name}", name=name, digest=digest_of(name), limits=limits, is_suspended=is_suspended)
        return None


class OneCall:
    """A throttle that lets every key call once."""

    def __init__(self):
        self.seen = set()

    def take(self, key):
        wait_s = 2.2 if key.id in self.seen else 0.0
        self.seen.add(key.id)
        return wait_s


def _gate(**changes):
    return Gate(keys=Keys(), throttle=OneCall(), guesses=Guesses(Clock()), on_broken=lambda error: None, **changes)


async def _answers(gate, *calls):
    """Return (status, headers, JSON) of each (method, path, key), asked of an application behind `gate`."""

    async def handler(request):
        if request.path.endswith("busy"):
            raise Refusal(429, "later", retry_after_s=0.2)
        return web.json_response({})

    app = web.Application(middlewares=[gate.middleware])
    app.add_routes([web.route("*", "/{tail:.*}", handler)])
    async with TestClient(TestServer(app)) as client:
        found = []
        for method, path, key in calls:
            async with client.request(method, path, headers={"X-API-Key": key}) as response:
                found.append((response.status, response.headers, await response.json()))
        return found


async def test_a_suspended_key_is_403_and_a_fast_one_429():
    """Suspended keys are told so; a key over its rate hears when to come again, in whole seconds rounded up."""
    gate = _gate()
    suspended, first, second = await _answers(gate, ("GET", "/x", "bad"), ("GET", "/x", "good"), ("GET", "/x", "good"))
    assert (suspended[0], first[0], second[0]) == (403, 200, 429)
    assert "suspended" in suspended[2]["message"]
    assert second[1]["Retry-After"] == "3"
    assert gate.limited == {"key": 1}


async def test_a_stopping_service_takes_no_jobs_and_answers_the_rest():
    """Submits are 503 and end their connection; health and files are answered as before."""
    gate = _gate(takes_jobs=False)
    submit, health = await _answers(gate, ("POST", "/image/v1/restore-gen/async", "good"), ("GET", "/health", ""))
    assert submit[0] == 503
    assert submit[1]["Connection"] == "close"
    assert "Retry-After" in submit[1]
    assert health[0] == 200


async def test_a_refusal_may_say_when_to_come_again():
    """`retry_after_s` of any Refusal becomes Retry-After."""
    (answer,) = await _answers(_gate(), ("GET", "/files/busy", ""))
    assert (answer[0], answer[1]["Retry-After"]) == (429, "1")


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [("abc-1.2_Z", True), ("a" * 64, True), ("a" * 65, False), ("a b", False), ('a"b', False), ("", False)],
)
async def test_every_answer_carries_an_id(tmp_path, given, is_kept):
    """The client's own id when it can stand in a header and a log, else a new one."""
    async with running(tmp_path) as service:
        answer = await service.fetch(service.base + "/health", X_Request_ID=given)
        assert (answer.headers["X-Request-ID"] == given) is is_kept
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", answer.headers["X-Request-ID"])


@pytest.mark.parametrize("path", ["/health", "/image/v1/status", "/nowhere", "/files/inputs/x", "/health/%zz"])
async def test_what_every_answer_carries(tmp_path, path):
    """This service's name and version, no library's, and the security headers, on errors too."""
    async with running(tmp_path) as service:
        headers = (await service.fetch(service.base + path)).headers
        assert headers["X-Face-Recovery"] == __version__
        assert headers["Server"] == "face-recovery"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


async def test_one_line_a_call(tmp_path, caplog):
    """Method, path, status, bytes, time, key and id; no query, and nothing that forges a line."""
    caplog.set_level(logging.INFO, "engine.service.access")
    async with running(tmp_path) as service:
        await service.call("GET", "/status?limit=5", headers={"X-Request-ID": "my-id"})
        await service.fetch(service.base + "/nowhere/%0d%0aforged%1b[31m?secret=1")
        await service.post(picture())
    lines = [record.getMessage() for record in caplog.records if record.name == "engine.service.access"]
    assert len(lines) == 3
    assert re.fullmatch(r"GET /image/v1/status 200 \d+ bytes \d+\.\d ms key=own id=my-id", lines[0])
    assert r"GET /nowhere/\r\nforged\x1b[31m 401" in lines[1]
    assert "key=- id=" in lines[1]
    assert lines[2].startswith("POST /image/v1/restore-gen/async 200 ")


def test_in_one_line():
    """Control characters and half characters are escaped; everything else is left."""
    assert in_one_line("plain äé") == "plain äé"
    assert in_one_line("a\nb\x1b\udc80") == r"a\nb\x1b\udc80"


async def test_the_key_is_never_asked_of_health_and_links(tmp_path):
    """A wrong key on an open path is not looked at, so it is no guess either."""
    async with running(tmp_path) as service:
        calls = [service.fetch(service.base + "/health", X_API_Key="wrong") for _ in range(40)]
        assert {answer.status for answer in await asyncio.gather(*calls)} == {200}
        assert (await _status(service, KEY))[0] == 200
