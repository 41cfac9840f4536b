"""Waits, over whatever a remote may do."""

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.policy.backoff import Backoff
from engine.policy.forecast import Forecast
from engine.policy.limit import AdaptiveLimit
from engine.policy.rate import RequestRate

SECONDS = st.floats(0.0, 20_000.0)
DRAWS = st.floats(0.0, 1.0, exclude_max=True)


@settings(max_examples=200, deadline=None)
@given(
    first_s=st.floats(0.01, 10.0),
    more_s=st.floats(0.0, 100.0),
    failures=st.integers(1, 10_000),
    draw=DRAWS,
    word=st.none() | SECONDS,
)
def test_a_backoff_is_bounded_and_never_shrinks(first_s, more_s, failures, draw, word):
    """Between half the first step and the cap; one more failure never means a shorter wait."""
    backoff = Backoff(first_s=first_s, max_s=first_s + more_s)
    wait_s = backoff.delay_s(failures, draw, word)
    if word is None:
        assert first_s / 2 <= wait_s <= first_s + more_s
    else:
        assert word < wait_s <= word + first_s or wait_s == word
    assert backoff.delay_s(failures + 1, draw, word) >= wait_s


JOBS = st.lists(st.tuples(SECONDS, SECONDS), max_size=30)
AGES = st.lists(st.tuples(SECONDS, SECONDS), min_size=1, max_size=30)


def learned(jobs: list[tuple[float, float]]) -> Forecast:
    forecast = Forecast()
    for foretold_s, took_s in jobs:
        forecast.learn(forecast_s=foretold_s, took_s=took_s)
    return forecast


@settings(max_examples=150, deadline=None)
@given(jobs=JOBS, ages=AGES, price_s=st.floats(1e-6, 1e6), least_s=st.floats(0.01, 1.0), more_s=st.floats(0.0, 1e4))
def test_looks_are_bounded_whatever_was_learned(jobs, ages, price_s, least_s, more_s):
    """Never sooner than the floor, never later than the cap, whatever jobs took and however old they are."""
    wait_s = learned(jobs).wait_s(ages, price_s, least_s=least_s, most_s=least_s + more_s)
    assert least_s <= wait_s <= least_s + more_s


@settings(max_examples=150, deadline=None)
@given(jobs=JOBS, foretold_s=SECONDS, ages=st.lists(SECONDS, min_size=2, max_size=20))
def test_survival_is_a_probability_that_never_rises(jobs, foretold_s, ages):
    """The older a job, the likelier it is done."""
    forecast = learned(jobs)
    line = [forecast.survival((foretold_s, age_s)) for age_s in sorted(ages)]
    assert all(0.0 < each <= 1.0 for each in line)
    assert line == sorted(line, reverse=True)


@settings(max_examples=100, deadline=None)
@given(
    answers=st.lists(st.tuples(st.floats(0.0, 5.0), st.booleans(), st.none() | st.floats(0.0, 60.0)), max_size=200),
    ceiling=st.integers(1, 1000),
)
def test_limit_and_pace_stay_within_their_bounds(answers, ceiling):
    """Whatever a remote answers and when: a limit from 1 to its ceiling, a pace above nothing, waits that end."""
    limit, pace, now = AdaptiveLimit(ceiling=ceiling, now=0.0), RequestRate(0.0), 0.0
    for later_s, is_taken, retry_after_s in answers:
        now += later_s
        if is_taken:
            limit.worked(now, limit.value)
            pace.worked(now)
        else:
            limit.refused(now, sent_at=now, retry_after_s=retry_after_s)
            pace.refused(now, sent_at=now, retry_after_s=retry_after_s)
        assert 1 <= limit.value <= ceiling
        assert pace.per_s is None or pace.per_s > 0
        assert 0.0 <= pace.wait_s(now) <= 60.0 + 10.1  # the longest Retry-After here, and the slowest pace
        now += pace.wait_s(now)
        pace.sent(now)
