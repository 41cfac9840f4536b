"""The scripted transport plays its script, and nothing else."""

from pathlib import Path

import pytest

from engine.remote.multipart import Upload
from engine.remote.transport import ConnectError, TransportError
from tests.fakes.transport import Answer, ScriptedTransport


async def test_steps_are_played_in_order():
    """Answers, errors and functions of the request come as planned, then the rest gets `otherwise`."""
    transport = ScriptedTransport(
        Answer(201, b"one"),
        ConnectError("refused"),
        lambda request: Answer(json={"asked": request.url}),
        otherwise=Answer(404),
    )
    assert (await transport.request("GET", "http://a/1", headers={})).body == b"one"
    with pytest.raises(ConnectError):
        await transport.request("GET", "http://a/2", headers={})
    assert (await transport.request("GET", "http://a/3", headers={})).body == b'{"asked":"http://a/3"}'
    assert [(await transport.request("GET", "http://a/4", headers={})).status for _turn in range(2)] == [404, 404]
    assert len(transport.requests) == 5


async def test_an_unforeseen_request_fails_the_test():
    """A request beyond the script is no silent success."""
    transport = ScriptedTransport()
    with pytest.raises(AssertionError, match="request 1 is not in the script: GET http://a/"):
        await transport.request("GET", "http://a/", headers={})


async def test_requests_are_kept_with_their_whole_body():
    """A streamed upload is read to its end and recorded, its headers with it."""
    upload = Upload.of({"a": "b"}, "x.png", Path(__file__), Path(__file__).stat().st_size, None)
    transport = ScriptedTransport(Answer())
    await transport.request("POST", "http://a/", headers={"X-API-Key": "k"}, upload=upload)
    (request,) = transport.requests
    assert len(request.body) == int(request.headers["content-length"])
    assert request.headers["x-api-key"] == "k"


async def test_a_stream_comes_in_pieces_and_may_break_off():
    """Chunks are as large as asked; a break comes after exactly the planned bytes."""
    transport = ScriptedTransport(Answer(body=b"abcdefg"), Answer(body=b"abcdefg", breaks_after=5))
    async with transport.stream("http://a/", headers={}) as answer:
        assert [chunk async for chunk in answer.chunks(3)] == [b"abc", b"def", b"g"]
    async with transport.stream("http://a/", headers={}) as answer:
        chunks = answer.chunks(3)
        received = [await anext(chunks), await anext(chunks)]
        with pytest.raises(TransportError):
            await anext(chunks)
    assert received == [b"abc", b"de"]
