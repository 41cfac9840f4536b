"""How often each key may call: a token bucket a key. Pure but for the clock.

A limit that was changed counts from the next call on, with a full bucket. A key whose bucket is full again is
forgotten: a new bucket says the same.
"""

from engine.clock import Clock
from engine.service.key import Key, KeyLimits
from engine.service.token_bucket import TokenBucket

__all__ = ["Throttle"]


class Throttle:
    """`take` before every call that counts. One step, whatever the number of keys."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[KeyLimits, TokenBucket]] = {}

    def __repr__(self) -> str:
        return f"<Throttle: {len(self._buckets)} keys have called lately>"

    def take(self, key: Key) -> float:
        """Count a call of `key` and return 0, or the seconds that it has to wait for its turn, nothing counted."""
        now_s = self._clock.monotonic()
        self._forget_one(now_s)
        if key.limits.rate_per_s is None:
            self._buckets.pop(key.id, None)
            return 0.0
        return self._bucket(key.id, key.limits, key.limits.rate_per_s).take(now_s)

    def _bucket(self, key_id: str, limits: KeyLimits, rate_per_s: float) -> TokenBucket:
        known, bucket = self._buckets.get(key_id, (None, None))
        if bucket is None or known != limits:
            bucket = TokenBucket([(0.0, rate_per_s)], limits.burst)
            self._buckets[key_id] = limits, bucket
        return bucket

    def _forget_one(self, now_s: float) -> None:
        """Look at one bucket a call, in turn: that keeps up with one new key a call."""
        if not self._buckets:
            return
        key_id, entry = next(iter(self._buckets.items()))
        del self._buckets[key_id]
        if not entry[1].is_full(now_s):
            self._buckets[key_id] = entry  # to the end of the row
