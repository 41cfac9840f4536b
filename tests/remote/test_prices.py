"""Prices asked of the remote, over a scripted transport."""

import orjson
import pytest

from engine.remote.client import Client
from engine.remote.failures import Call, Kind, RemoteError
from engine.remote.prices import Question, Quote
from tests.fakes.clock import FakeClock
from tests.fakes.transport import Answer, ScriptedTransport, Step

BASE = "https://api.example.org/image/v1"
FACES = Question(category="Restore", model="Faces", input_width=640, input_height=480)
LARGER = Question(
    category="Enhance",
    model="Standard V2",
    input_width=640,
    input_height=480,
    output_width=1280,
    output_height=960,
    is_generative=False,
)


def _client(*steps: Step) -> tuple[Client, ScriptedTransport]:
    transport = ScriptedTransport(*steps)
    return Client(transport, BASE, "the-key", FakeClock()), transport


async def test_a_refusal_in_bulk_is_told_without_secrets():
    """Not even half of the key, where words are cut off."""
    said = "x" * 297 + " the-key, see https://h/a?sig=4711"
    client, _transport = _client(Answer(json=[{"status": "error", "code": 400, "message": said}]))
    (quote,) = await client.estimate_bulk([FACES])
    assert quote.reason == "x" * 297 + " (t"


@pytest.mark.parametrize(
    ("question", "path", "members"),
    [
        (
            FACES,
            "/estimate-gen",
            {"category": "Restore", "model": "Faces", "input_width": 640, "input_height": 480},
        ),
        (
            LARGER,
            "/estimate",
            {
                "category": "Enhance",
                "model": "Standard V2",
                "input_width": 640,
                "input_height": 480,
                "output_width": 1280,
                "output_height": 960,
            },
        ),
    ],
)
async def test_one_price_is_one_request(question: Question, path: str, members: dict):
    """To the call for its kind of model, as JSON, with the key and without what is not said."""
    client, transport = _client(Answer(json={"duration": 12.5, "credits": 2}))
    assert await client.estimate(question) == Quote(credits=2, duration_s=12.5)
    (request,) = transport.requests
    assert (request.method, request.url) == ("POST", BASE + path)
    assert request.headers["X-API-Key"] == "the-key"
    assert request.headers["Content-Type"] == "application/json"
    assert int(request.headers["Content-Length"]) == len(request.body)
    assert orjson.loads(request.body) == members
    assert client.requests[Call.ESTIMATE] == 1


async def test_many_prices_are_one_request_too():
    """In the order of the questions; what the remote would refuse is an answer among others."""
    answers = [
        {"status": "success", "duration": 3, "credits": 1},
        {"status": "error", "code": 400, "message": "too\n large"},
        {"status": "error", "code": 400},
    ]
    client, transport = _client(Answer(json=answers))
    assert await client.estimate_bulk([FACES, LARGER, LARGER]) == [
        Quote(credits=1, duration_s=3.0),
        Quote(reason="too large"),
        Quote(reason="is refused with 400"),
    ]
    (request,) = transport.requests
    assert request.url == BASE + "/estimate-bulk"
    assert [each["model"] for each in orjson.loads(request.body)] == ["Faces", "Standard V2", "Standard V2"]


@pytest.mark.parametrize(
    ("members", "quote"),
    [
        ({"credits": 3}, Quote(credits=3)),
        ({"credits": 1.2, "duration": "soon"}, Quote(credits=2)),
        ({"credits": 0, "duration": -4}, Quote()),
    ],
)
async def test_a_price_is_read_with_care(members: dict, quote: Quote):
    """Credits are whole, rounded up; a duration that is none counts as not said."""
    client, _transport = _client(Answer(json=members))
    assert await client.estimate(FACES) == quote


@pytest.mark.parametrize("members", [{}, [], {"credits": None}, {"credits": True}, {"credits": "3"}, {"credits": -1}])
async def test_an_answer_without_a_price_is_asked_for_again(members: object):
    """Nothing is made up."""
    client, _transport = _client(Answer(json=members))
    with pytest.raises(RemoteError) as caught:
        await client.estimate(FACES)
    assert (caught.value.kind, caught.value.retry_helps) == (Kind.TRANSIENT, True)


@pytest.mark.parametrize("answers", [{}, [], [5], [{"status": "success"}], [{"status": "success", "credits": 1}] * 2])
async def test_bulk_answers_that_do_not_fit_are_asked_for_again(answers: object):
    """One answer a question, or none is believed."""
    client, _transport = _client(Answer(json=answers))
    with pytest.raises(RemoteError) as caught:
        await client.estimate_bulk([FACES])
    assert caught.value.kind is Kind.TRANSIENT


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Kind.BAD_JOB),
        (401, Kind.KEY_REFUSED),
        (403, Kind.KEY_REFUSED),
        (404, Kind.NOT_OFFERED),
        (405, Kind.NOT_OFFERED),
        (413, Kind.BAD_JOB),
        (422, Kind.BAD_JOB),
        (429, Kind.TOO_FAST),
        (500, Kind.TRANSIENT),
        (501, Kind.NOT_OFFERED),
        (503, Kind.TRANSIENT),
    ],
)
async def test_refusals_are_told_apart(status: int, kind: Kind):
    """A job that would be refused, a remote without the call, a key that is bad, a stumble."""
    client, _transport = _client(Answer(status), Answer(status))
    for ask in (client.estimate(FACES), client.estimate_bulk([FACES])):
        with pytest.raises(RemoteError) as caught:
            await ask
        assert caught.value.kind is kind
