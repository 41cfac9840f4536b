"""Who calls: an API key as the service knows it. Never the key itself, only its SHA-256."""

import hashlib
from dataclasses import dataclass, field

__all__ = ["OWN", "UNLIMITED", "Key", "KeyLimits", "digest_of"]

OWN = ""  # the id of whoever started the service and gave it a key by its environment


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLimits:
    """What one key may ask for; None is no limit. `burst`: calls at once, one second's worth by default."""

    rate_per_s: float | None = None
    burst: float | None = None
    max_unfinished_jobs: int | None = None
    max_stored_bytes: int | None = None  # inputs, outputs and records of jobs that are kept


UNLIMITED = KeyLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key. `id` names its jobs in the journal and never changes; `digest` is the SHA-256 of the key, 32 bytes.

    `credits`: all that were ever granted to it, None for no limit. A suspended key is answered 403.
    """

    id: str
    name: str
    digest: bytes = field(repr=False)
    credits: int | None = None
    limits: KeyLimits = UNLIMITED
    is_suspended: bool = False


def digest_of(key: str) -> bytes:
    """Return the SHA-256 of `key`. Keys made here have 192 random bits: no salt and no slow hash adds to that."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
