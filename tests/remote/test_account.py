"""The account's balance, over a scripted transport."""

import pytest

from engine.remote.account import Balance
from engine.remote.client import Client
from engine.remote.failures import Call, Kind, RemoteError
from tests.fakes.clock import FakeClock
from tests.fakes.transport import Answer, ScriptedTransport

WHOLE = {"available_credits": 12_340, "reserved_credits": 60, "total_credits": 12_400}


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://api.example.org/image/v1", "https://api.example.org/account/v1/credits/balance"),
        ("https://api.example.org/image/v1/", "https://api.example.org/account/v1/credits/balance"),
        ("http://127.0.0.1:8300/image/v1", "http://127.0.0.1:8300/account/v1/credits/balance"),
        ("https://example.org/topaz/image/v1", "https://example.org/topaz/account/v1/credits/balance"),
        ("https://example.org/api", "https://example.org/account/v1/credits/balance"),
    ],
)
async def test_the_balance_is_asked_for_beside_the_image_calls(base: str, url: str):
    """On the same host, which alone may have the key."""
    transport = ScriptedTransport(Answer(json=WHOLE))
    client = Client(transport, base, "the-key", FakeClock())
    assert await client.balance() == Balance(available=12_340, reserved=60, total=12_400)
    (request,) = transport.requests
    assert (request.method, request.url, request.headers["X-API-Key"]) == ("GET", url, "the-key")
    assert client.requests[Call.BALANCE] == 1


@pytest.mark.parametrize("members", [{}, [], 5, {"available_credits": "9"}, {"available_credits": True}])
async def test_an_answer_without_credits_is_none(members: object):
    """Nothing is made up."""
    client = Client(ScriptedTransport(Answer(json=members)), "https://h/image/v1", "k", FakeClock())
    with pytest.raises(RemoteError) as caught:
        await client.balance()
    assert caught.value.kind is Kind.TRANSIENT


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, Kind.KEY_REFUSED), (403, Kind.KEY_REFUSED), (404, Kind.NOT_OFFERED), (500, Kind.TRANSIENT)],
)
async def test_why_there_is_none_is_said(status: int, kind: Kind):
    """A key that is bad, a service that keeps no accounts, a stumble."""
    client = Client(ScriptedTransport(Answer(status)), "https://h/image/v1", "k", FakeClock())
    with pytest.raises(RemoteError) as caught:
        await client.balance()
    assert caught.value.kind is kind
