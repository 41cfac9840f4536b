"""How often a key may call; time is virtual."""

from engine.service.key import Key, KeyLimits
from engine.service.throttle import Throttle
from tests.fakes.clock import FakeClock


def key(key_id: str = "k1", **limits) -> Key:
    return Key(id=key_id, name="team", digest=bytes(32), limits=KeyLimits(**limits))


async def test_each_key_has_its_own_rate():
    """One second's worth at once, then the rate; the wait is told, and other keys are not held up."""
    clock = FakeClock(is_manual=True)
    throttle = Throttle(clock)
    assert [throttle.take(key(rate_per_s=2.0)) for _ in range(3)] == [0, 0, 0.5]
    assert throttle.take(key("k2", rate_per_s=2.0)) == 0
    assert [throttle.take(key("k3")) for _ in range(1000)] == [0] * 1000
    await clock.advance(0.5)
    assert [throttle.take(key(rate_per_s=2.0)) for _ in range(2)] == [0, 0.5]


async def test_a_slow_rate_lets_one_call_through():
    """Below one call a second the burst is one call all the same; a burst of its own is taken as it is."""
    throttle = Throttle(FakeClock(is_manual=True))
    assert [throttle.take(key(rate_per_s=0.1)) for _ in range(2)] == [0, 10]
    assert [throttle.take(key("k2", rate_per_s=1.0, burst=3.0)) > 0 for _ in range(4)] == [False, False, False, True]


async def test_a_changed_limit_counts_at_once():
    """From the next call on: another rate, and none at all."""
    throttle = Throttle(FakeClock(is_manual=True))
    assert [throttle.take(key(rate_per_s=1.0)) > 0 for _ in range(2)] == [False, True]
    assert [throttle.take(key(rate_per_s=3.0)) > 0 for _ in range(4)] == [False, False, False, True]
    assert throttle.take(key()) == 0
    assert repr(throttle) == "<Throttle: 0 keys have called lately>"


async def test_idle_keys_are_forgotten():
    """Of many keys that called once only those are kept whose bucket is not full again."""
    clock = FakeClock(is_manual=True)
    throttle = Throttle(clock)
    for number in range(100):
        throttle.take(key(f"once {number}", rate_per_s=1.0))
    assert repr(throttle) == "<Throttle: 100 keys have called lately>"
    await clock.advance(1.0)
    for _ in range(101):
        throttle.take(key("often", rate_per_s=0.001))
    assert repr(throttle) == "<Throttle: 1 keys have called lately>"
    assert throttle.take(key("often", rate_per_s=0.001)) > 0
