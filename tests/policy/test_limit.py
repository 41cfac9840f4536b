"""How many requests at once: found by trying, under a hard ceiling."""

import random

import pytest

from engine.policy.limit import AdaptiveLimit


@pytest.fixture
def limit() -> AdaptiveLimit:
    return AdaptiveLimit(ceiling=100, now=0.0)


def succeed(limit: AdaptiveLimit, times: int, *, now: float = 0.0, in_use: int | None = None) -> None:
    for _time in range(times):
        limit.worked(now, limit.value if in_use is None else in_use)


def test_it_doubles_in_a_round_until_something_is_refused(limit: AdaptiveLimit):
    """Slow start: as many successes as there are places double the places."""
    assert limit.value == 4
    succeed(limit, 4)
    assert limit.value == 8
    succeed(limit, 8)
    assert limit.value == 16


def test_the_ceiling_is_hard(limit: AdaptiveLimit):
    """What the user allows is never exceeded, and a ceiling below the start is obeyed from the start."""
    succeed(limit, 10_000)
    assert limit.value == 100
    assert AdaptiveLimit(ceiling=1, now=0.0).value == 1


def test_a_burst_of_refusals_is_one_cut(limit: AdaptiveLimit):
    """A hundred refusals of requests sent within one bad second cost one cut, not a hundred."""
    succeed(limit, 96)
    for number in range(100):
        limit.refused(10.0 + number / 200, sent_at=9.9 + number / 200, retry_after_s=None)
    assert limit.value == 70


def test_a_second_episode_is_a_second_cut(limit: AdaptiveLimit):
    """Requests sent well after the cut that are refused too say that it was not enough."""
    succeed(limit, 96)
    limit.refused(10.0, sent_at=9.9, retry_after_s=None)
    limit.refused(12.0, sent_at=11.9, retry_after_s=None)
    assert limit.value == 49


def test_after_a_refusal_it_grows_by_one_a_round(limit: AdaptiveLimit):
    """Additive growth, and none before it has cooled down."""
    succeed(limit, 96)
    limit.refused(10.0, sent_at=9.9, retry_after_s=None)
    succeed(limit, 500, now=10.5)
    assert limit.value == 70
    succeed(limit, 71, now=11.5)
    assert limit.value == 71


def test_retry_after_lengthens_the_cooling(limit: AdaptiveLimit):
    """The remote's own word counts."""
    limit.refused(0.0, sent_at=0.0, retry_after_s=30.0)
    before = limit.value
    succeed(limit, 500, now=29.0)
    assert limit.value == before
    succeed(limit, 500, now=31.0)
    assert limit.value > before


def test_a_server_error_pauses_growth_without_a_cut(limit: AdaptiveLimit):
    """5xx says nothing about speed."""
    limit.stumbled(5.0)
    succeed(limit, 100, now=5.5)
    assert limit.value == 4
    succeed(limit, 4, now=6.5)
    assert limit.value == 8


def test_a_limit_that_is_not_used_does_not_grow(limit: AdaptiveLimit):
    """Successes at a quarter of the limit prove nothing about the limit."""
    succeed(limit, 12)
    succeed(limit, 1000, in_use=4)
    assert limit.value == 16


def test_it_never_falls_below_one(limit: AdaptiveLimit):
    """However long a remote refuses, somebody keeps asking."""
    for second in range(0, 200, 2):
        limit.refused(float(second), sent_at=float(second), retry_after_s=None)
    assert limit.value == 1


def test_its_history_is_kept_in_bounded_memory(limit: AdaptiveLimit):
    """Weeks of ups and downs fit, the first point and the newest among them."""
    rng = random.Random(3)
    for step in range(50_000):
        if rng.random() < 0.1:
            limit.refused(2.0 * step, sent_at=2.0 * step, retry_after_s=None)
        else:
            succeed(limit, 10, now=2.0 * step)
    points = limit.timeline.points
    assert len(points) <= 512
    assert points[0] == (0.0, 4)
    assert [at for at, _value in points] == sorted(at for at, _value in points)
    assert 1 <= min(value for _at, value in points) <= max(value for _at, value in points) <= 100
