"""The pace of requests under a remote that answers 429: a token bucket, simulated in virtual time."""

import heapq
import itertools
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from engine.policy.rate import RequestRate


@dataclass
class Bucket:
    """Lets `rate(at)` requests a second through, and `burst_s` seconds' worth at once."""

    rate: Callable[[float], float]
    burst_s: float
    tokens: float = field(init=False)
    at: float = 0.0

    def __post_init__(self) -> None:
        self.tokens = self.rate(0.0) * self.burst_s

    def takes(self, at: float) -> bool:
        rate = self.rate(at)
        self.tokens = min(rate * self.burst_s, self.tokens + (at - self.at) * rate)
        self.at = at
        self.tokens -= (is_taken := self.tokens >= 1.0)
        return is_taken


@dataclass
class Run:
    """Clients that always have one more request, over a bucket; what was taken in each second, and what refused."""

    bucket: Bucket
    latency_s: float = 0.02
    clients: int = 64
    retry_after_s: float | None = None
    pace: RequestRate = field(default_factory=lambda: RequestRate(0.0))
    taken: Counter[int] = field(default_factory=Counter)
    refused: Counter[int] = field(default_factory=Counter)

    def until(self, end: float) -> "Run":
        order = itertools.count()
        events: list[tuple[float, int, str, float]] = [(0.0, next(order), "usher", 0.0)]
        waiting = deque(range(self.clients))
        while events and events[0][0] < end:
            now, _order, what, sent_at = heapq.heappop(events)
            if what == "usher":
                while waiting and self.pace.wait_s(now) <= 0.0:
                    waiting.popleft()
                    self.pace.sent(now)
                    heapq.heappush(events, (now + self.latency_s, next(order), "answer", now))
                wait_s = max(self.pace.wait_s(now), 0.001)
                heapq.heappush(events, (now + wait_s, next(order), "usher", 0.0))
                continue
            if self.bucket.takes(now):
                self.taken[int(now)] += 1
                self.pace.worked(now)
            else:
                self.refused[int(now)] += 1
                self.pace.refused(now, sent_at=sent_at, retry_after_s=self.retry_after_s)
            waiting.append(0)
        return self

    @property
    def waste(self) -> float:
        return self.refused.total() / (self.taken.total() + self.refused.total())


def halved_and_restored(at: float) -> float:
    return 100.0 if 30.0 <= at < 60.0 else 200.0


def test_it_is_unlimited_until_something_is_refused():
    """A remote that never says 429 is never waited for."""
    pace = RequestRate(0.0)
    for number in range(1000):
        assert pace.wait_s(number / 1e6) == 0.0
        pace.sent(number / 1e6)
        pace.worked(number / 1e6)
    assert pace.per_s is None


@pytest.mark.parametrize("burst_s", [0.1, 1.0])
@pytest.mark.parametrize("latency_s", [0.002, 0.05])
def test_a_rate_that_is_halved_and_restored_is_used_almost_whole(burst_s: float, latency_s: float):
    """At least nine tenths of what is allowed is used, and less than one request in twenty is refused."""
    run = Run(Bucket(halved_and_restored, burst_s), latency_s=latency_s).until(90.0)
    assert run.taken.total() >= 0.9 * (60 * 200 + 30 * 100)
    assert run.waste < 0.05


def test_it_is_found_again_within_seconds():
    """Ten seconds after a rate was halved, and after it was restored, the pace is within a tenth of it."""
    run = Run(Bucket(halved_and_restored, 1.0)).until(90.0)
    assert 90 <= sum(run.taken[second] for second in range(40, 50)) / 10 <= 110
    assert 180 <= sum(run.taken[second] for second in range(72, 82)) / 10 <= 220


def test_retry_after_is_obeyed_by_everybody():
    """Nothing leaves before the remote's own time is over, whoever was told."""
    pace = RequestRate(0.0)
    pace.worked(0.9)
    pace.refused(1.0, sent_at=0.9, retry_after_s=7.0)
    assert pace.wait_s(1.0) >= 7.0
    assert pace.wait_s(7.9) > 0.0


def test_retry_after_is_dear_and_hit_rarely():
    """Where each refusal costs a second of silence, probing is slower and most of the rate is still used."""
    run = Run(Bucket(lambda _at: 200.0, 1.0), retry_after_s=1.0).until(90.0)
    assert run.taken.total() >= 0.9 * 90 * 200
    assert run.waste < 0.02


def test_a_remote_that_refuses_everything_is_asked_ever_more_rarely():
    """A storm of refusals does not become a storm of requests, and does not end them either."""
    run = Run(Bucket(lambda _at: 0.0, 1.0)).until(300.0)
    assert 1 <= sum(run.refused[second] for second in range(240, 300)) <= 12


def test_after_a_storm_it_comes_back():
    """A pace that was driven down to next to nothing is back within a minute or two."""
    run = Run(Bucket(lambda at: 0.0 if at < 60.0 else 100.0, 1.0)).until(240.0)
    assert sum(run.taken[second] for second in range(200, 230)) / 30 >= 85


def test_what_lay_idle_is_not_made_up_for_in_a_burst():
    """After a lull requests are spaced as before; a busy loop makes up for a twentieth of a second at most."""
    pace = RequestRate(0.0)
    for number in range(100):
        pace.worked(number / 100)
    pace.refused(1.0, sent_at=0.99, retry_after_s=None)
    assert pace.per_s is not None
    left, now = 0, 60.0
    while pace.wait_s(now) <= 0.0:
        pace.sent(now)
        left += 1
    assert left <= 1 + 0.05 * pace.per_s + 1
