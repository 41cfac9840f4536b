"""When a member that failed is asked again."""

from engine.policy.backoff import Backoff
from engine.policy.rest import Rest

INFINITE = float("inf")


def _rest() -> Rest:
    return Rest(Backoff(first_s=1.0, max_s=60.0))


def test_one_stumble_is_its_own_bad_luck():
    rest = _rest()
    rest.failed(0.0, 1.0, is_certain=False)
    assert (rest.is_awake, rest.wait_s(0.0)) == (True, 0.0)
    rest.worked()
    rest.failed(1.0, 1.0, is_certain=False)
    assert rest.is_awake


def test_two_in_a_row_or_no_connection_are_a_rest():
    rest = _rest()
    rest.failed(0.0, 1.0, is_certain=False)
    rest.failed(0.0, 1.0, is_certain=False)
    assert rest.wait_s(0.0) == 1.0
    gone = _rest()
    gone.failed(0.0, 1.0, is_certain=True)
    assert gone.wait_s(0.25) == 0.75


def test_its_own_word_is_the_least():
    """Also when it comes with the answer to a request that left before the rest."""
    rest = _rest()
    rest.failed(0.0, 1.0, is_certain=False, retry_after_s=30.0)
    assert 30.0 <= rest.wait_s(0.0) <= 31.0
    rest.failed(10.0, 1.0, is_certain=False, retry_after_s=60.0)
    assert rest.wait_s(10.0) == 60.0


def test_after_a_rest_one_request_goes_first():
    """The others wait for what it tells."""
    rest = _rest()
    rest.failed(0.0, 1.0, is_certain=True)
    assert rest.wait_s(1.0) == 0.0
    rest.probe()
    assert rest.wait_s(1.0) == INFINITE
    rest.worked()
    assert (rest.is_awake, rest.wait_s(1.0)) == (True, 0.0)


def test_rests_grow_as_long_as_probes_fail():
    """One failed request, however, is one step: others that left before the rest count no further."""
    rest, now, waits = _rest(), 0.0, []
    rest.failed(now, 1.0, is_certain=True)
    for _probe in range(8):
        for _late in range(30):
            rest.failed(now, 1.0, is_certain=True)
        waits.append(rest.wait_s(now))
        now += waits[-1]
        rest.probe()
        rest.failed(now, 1.0, is_certain=False)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    rest.probe()
    rest.worked()
    rest.failed(now, 1.0, is_certain=True)
    assert rest.wait_s(now) == 1.0


def test_a_probe_that_tells_nothing_makes_room_for_another():
    rest = _rest()
    rest.failed(0.0, 1.0, is_certain=True)
    rest.probe()
    rest.unproven()
    assert rest.wait_s(1.0) == 0.0
    rest.probe()
    assert rest.wait_s(1.0) == INFINITE
