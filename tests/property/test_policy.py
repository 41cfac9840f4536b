"""Waits, over whatever a remote may do."""

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.policy.backoff import Backoff
from engine.policy.polling import PollSchedule

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


@settings(max_examples=150, deadline=None)
@given(
    jobs=st.lists(st.tuples(SECONDS, SECONDS), max_size=30),
    forecast_s=SECONDS,
    waited_s=SECONDS,
    looks=st.integers(1, 500),
)
def test_looks_are_bounded_whatever_was_learned(jobs, forecast_s, waited_s, looks):
    """Never sooner than the floor, later looks never later than the cap, and never closer together than before."""
    schedule = PollSchedule(min_s=0.1, max_s=30.0)
    for foretold_s, took_s in jobs:
        schedule.learn(forecast_s=foretold_s, took_s=took_s)
    assert 0.1 <= schedule.first_wait_s(forecast_s) <= 3 * 3600.0
    wait_s = schedule.next_wait_s(looks, waited_s)
    assert 0.1 <= wait_s <= 30.0
    assert schedule.next_wait_s(looks + 1, waited_s) >= wait_s
    assert schedule.next_wait_s(looks, waited_s + 1.0) >= wait_s


@settings(max_examples=60, deadline=None)
@given(bias_s=st.floats(-10.0, 100.0), forecast_s=st.floats(20.0, 500.0))
def test_a_constant_bias_is_learned(bias_s: float, forecast_s: float):
    """Fifty jobs later the first look is where the jobs end, to a few per cent of the error that was learned."""
    schedule = PollSchedule(min_s=0.1, max_s=30.0)
    for _job in range(50):
        schedule.learn(forecast_s=forecast_s, took_s=forecast_s + bias_s)
    assert abs(schedule.first_wait_s(forecast_s) - (forecast_s + bias_s)) <= 0.05 * abs(bias_s) + 1e-6
