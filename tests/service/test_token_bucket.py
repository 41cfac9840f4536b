"""The rate limit as pure arithmetic: time is passed in."""

from engine.service.token_bucket import TokenBucket


def _granted(bucket, begin_s, end_s, every_s):
    """Return how many calls are let through when one comes every `every_s`."""
    times = [begin_s + number * every_s for number in range(round((end_s - begin_s) / every_s))]
    return sum(bucket.take(now_s) == 0 for now_s in times)


def test_a_burst_then_the_rate():
    """One second's worth goes at once, then calls go at the rate, and a refused one learns how long to wait."""
    bucket = TokenBucket([(0.0, 4.0)])
    assert [bucket.take(100.0) for _ in range(5)] == [0, 0, 0, 0, 0.25]
    assert bucket.take(100.125) == 0.125
    assert bucket.take(100.25) == 0
    assert _granted(bucket, 101.25, 111.25, 0.03125) == 4 + 39
    assert bucket.take(500.0) == 0
    assert repr(bucket) == "<TokenBucket 3.0 of 4.0, 4.0 a second>"


def test_the_burst_can_be_told():
    """A burst of its own is what is there first and what gathers in a pause."""
    bucket = TokenBucket([(0.0, 100.0)], burst=2)
    assert [bucket.take(0.0) == 0 for _ in range(3)] == [True, True, False]
    assert [bucket.take(60.0) == 0 for _ in range(3)] == [True, True, False]


def test_the_rate_changes_at_its_steps():
    """Before the first step nothing is limited; each step counts from the first call, and keeps no old burst."""
    bucket = TokenBucket([(10.0, 8.0), (20.0, 2.0), (30.0, 8.0)])
    assert _granted(bucket, 1000.0, 1010.0, 0.0625) == 160
    assert _granted(bucket, 1010.0, 1020.0, 0.0625) == 8 + 79
    assert _granted(bucket, 1020.0, 1030.0, 0.0625) in (19, 20, 21)
    assert _granted(bucket, 1030.0, 1040.0, 0.0625) in (79, 80, 81)


def test_a_clock_that_stands_gives_nothing():
    """Time that does not move, or goes back, makes no tokens."""
    bucket = TokenBucket([(0.0, 1.0)])
    assert bucket.take(5.0) == 0
    assert [bucket.take(now_s) > 0 for now_s in (5.0, 4.0, 5.0)] == [True, True, True]
    assert bucket.take(6.0) == 0
