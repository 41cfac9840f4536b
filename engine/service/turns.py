"""How much of one thing each key may have under way at once, so that none takes it all. Pure."""

import contextlib
from collections import Counter
from collections.abc import Iterator

from engine.service.key import Key
from engine.service.refusal import Refusal

__all__ = ["Turns"]


class Turns:
    """At most `limit` of `what` (in words, many) for each key."""

    def __init__(self, what: str, limit: int) -> None:
        self._what = what
        self._limit = limit
        self._taken: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"<Turns: {self._taken.total()} {self._what}>"

    @contextlib.contextmanager
    def of(self, key: Key) -> Iterator[None]:
        """Count one more of `key`'s while the block runs; raises Refusal with 429."""
        if self._taken[key.id] >= self._limit:
            raise Refusal(429, f"{self._limit} {self._what} of this key are under way: wait for one to end")
        self._taken[key.id] += 1
        try:
            yield
        finally:
            self._taken[key.id] -= 1
            if not self._taken[key.id]:
                del self._taken[key.id]
