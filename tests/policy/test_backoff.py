"""How long to wait before a repeat."""

import pytest

from engine.policy.backoff import Backoff

BACKOFF = Backoff(first_s=0.5, max_s=60.0)
ALMOST_ONE = 1.0 - 2**-53


@pytest.mark.parametrize(("failures", "step"), [(1, 0.5), (2, 1.0), (3, 2.0), (7, 32.0), (8, 60.0), (9, 60.0)])
def test_each_failure_doubles_the_wait_up_to_the_cap(failures: int, step: float):
    """The wait lies between half and all of the exponential step."""
    assert BACKOFF.delay_s(failures, 0.0) == step / 2
    assert BACKOFF.delay_s(failures, 0.5) == step * 0.75
    assert step / 2 < BACKOFF.delay_s(failures, ALMOST_ONE) <= step


def test_thousands_of_failures_do_not_overflow():
    """A remote that is down for days is asked at the capped pace, without an error."""
    assert BACKOFF.delay_s(1_000_000, ALMOST_ONE) <= 60.0


def test_the_remotes_word_is_the_least():
    """After a Retry-After nobody comes back sooner, and not all at the same second."""
    waits = [BACKOFF.delay_s(failures, draw, 10.0) for failures in (1, 5, 50) for draw in (0.0, 0.5, ALMOST_ONE)]
    assert all(10.0 < wait <= 10.5 for wait in waits)
    assert len(set(waits)) > 1


def test_a_word_beyond_the_cap_is_honoured():
    """The cap is for our own guesses; what the remote asks for is kept."""
    assert BACKOFF.delay_s(1, 0.5, 900.0) >= 900.0


def test_come_back_now_is_not_a_storm():
    """Retry-After: 0 still leaves a moment between two tries."""
    assert BACKOFF.delay_s(3, 0.0, 0.0) > 0.0
