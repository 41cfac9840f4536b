"""Where the remote is, and what may be expected of it."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from engine.remote.proxy import is_loopback

__all__ = ["Endpoint"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A base URL (the part before `/restore-gen/async`) and its key, which no `repr` shows.

    `others`: base URLs and keys of a pool's other members.
    `is_own`: this run's own service; finished jobs are deleted there, so that it keeps no second copy. `has_account`:
    jobs cost credits there, which may run out.
    `settle_s`: how long after an unclear POST the listing is sure to show its job, in seconds.
    """

    name: str
    base_url: str
    key: str = field(repr=False)
    others: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    is_own: bool = False
    has_account: bool = False
    settle_s: float = 30.0

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that a job may have been sent with."""
        return tuple(key for _base_url, key in self.members)

    @property
    def members(self) -> tuple[tuple[str, str], ...]:
        """Base URL and key of each member; of one that stands alone, too."""
        return ((self.base_url, self.key), *self.others)

    @property
    def in_clear(self) -> tuple[str, ...]:
        """The addresses to which the key travels unencrypted over a network."""
        addresses = [urlsplit(base_url) for base_url, _key in self.members]
        is_open = [parts.scheme == "http" and not is_loopback(parts.hostname or "") for parts in addresses]
        return tuple(f"http://{parts.netloc}" for parts, is_in in zip(addresses, is_open, strict=True) if is_in)

    def settled_after_s(self, asked: float | None) -> float:
        """Return the settle time: the one that the settings ask for, else the backend's own."""
        return asked if asked is not None else self.settle_s
