"""Who is let in, and how long each visitor may take: limits for connections that mean no good, or are just broken.

Knows no HTTP and no clock: it counts, and says what the limits are. `engine.service.visit` keeps them.
"""

import functools
import ipaddress
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from engine.service.settings import ServiceSettings

__all__ = ["Cut", "Doorman", "Patience", "neighbourhood"]

_SHARE_OF_ONE_CLIENT = 4  # a quarter of all connections: three others can still call while one misbehaves
_WINDOW_IN_HEADERS = 2  # 30 s by default, which rides out a mobile network's hand-over


class Cut(StrEnum):
    """Why a connection was refused or ended by this side."""

    FULL = "full"
    CROWDED = "crowded"  # too many from one client
    SLOW_HEADER = "slow_header"
    IDLE = "idle"
    SLOW_BODY = "slow_body"
    UNREAD = "unread"  # the client does not read what it asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a connection may take for what. A body's speed is the average over `window_s`."""

    header_s: float
    idle_s: float
    min_bytes_per_s: int

    @classmethod
    def of(cls, settings: ServiceSettings) -> "Patience":
        return cls(
            header_s=settings.header_time_limit_s,
            idle_s=settings.idle_time_limit_s,
            min_bytes_per_s=settings.upload_min_bytes_per_s,
        )

    @property
    def window_s(self) -> float:
        return _WINDOW_IN_HEADERS * self.header_s

    @property
    def min_bytes_a_window(self) -> float:
        return self.window_s * self.min_bytes_per_s


class Doorman:
    """Counts the connections of one listener. Every step is O(1)."""

    def __init__(self, patience: Patience, max_connections: int) -> None:
        self.patience = patience
        self.max_connections = max_connections
        self.max_of_one = max(1, max_connections // _SHARE_OF_ONE_CLIENT)
        self.open = 0
        self.received_bytes = 0  # what came in on connections, heads included
        self.sent_bytes = 0
        self.cuts: Counter[Cut] = Counter()
        self._open_by_client: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"<Doorman: {self.open} of {self.max_connections} connections, {self.cuts.total()} cut>"

    def let_in(self, client: str | None) -> Cut | None:
        """Count one more connection and return None, or say why there is no room for it.

        `client` None is exempt from its own limit: see `neighbourhood`.
        """
        if self.open >= self.max_connections:
            return self.note(Cut.FULL)
        if client is not None:
            if self._open_by_client[client] >= self.max_of_one:
                return self.note(Cut.CROWDED)
            self._open_by_client[client] += 1
        self.open += 1
        return None

    def let_out(self, client: str | None) -> None:
        """Count one less; only for what was let in."""
        self.open -= 1
        if client is not None:
            self._open_by_client[client] -= 1
            if not self._open_by_client[client]:
                del self._open_by_client[client]

    def note(self, cut: Cut) -> Cut:
        self.cuts[cut] += 1
        return cut


@functools.lru_cache(maxsize=4096)  # asked at every call
def neighbourhood(address: str | None) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 of an IPv6 one, which is one subscriber's."""
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.IPv6Address(int(parsed) >> 64 << 64))
    return str(parsed)
