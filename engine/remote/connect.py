"""From an endpoint to what asks it: a client for one address and key, a pool for several."""

from collections.abc import Callable

from engine.clock import Clock
from engine.policy.backoff import Backoff
from engine.remote.client import Client
from engine.remote.endpoint import Endpoint
from engine.remote.member import Member
from engine.remote.pool import Pool
from engine.remote.roster import Note
from engine.remote.transport import Transport

__all__ = ["Remote", "connect"]

Remote = Client | Pool


def connect(
    endpoint: Endpoint,
    transport: Transport,
    clock: Clock,
    backoff: Backoff,
    draw: Callable[[], float],
    tell: Note = lambda _topic, _line: None,
) -> Remote:
    """Return what makes the contract's calls. `backoff`: how long a failing member of a pool rests; `tell`: notes."""
    clients = [(Client(transport, base_url, key, clock), base_url) for base_url, key in endpoint.members]
    if len(clients) == 1:
        return clients[0][0]
    return Pool([Member(client, base_url, clock, backoff, draw) for client, base_url in clients], clock, tell)
