"""What a request for the state of jobs must be worth."""

import pytest

from engine.policy.look_price import LookPrice


@pytest.fixture
def price() -> LookPrice:
    return LookPrice(delay_s=1.0, now=0.0)


def live(
    price: LookPrice, *, unseen_s: float, requests: int, rate_per_s: float | None = None, seconds: int = 20
) -> None:
    """Let some seconds pass in which a hundred jobs each were found."""
    for second in range(1, seconds + 1):
        for _job in range(100):
            price.found(unseen_s)
        for _request in range(requests):
            price.asked()
        price.correct(float(second), 30.0, rate_per_s)


def test_the_first_price_aims_at_the_wanted_delay(price: LookPrice):
    """P = 2 D^2 r: a page of a hundred jobs of 30 s each is looked at every 2 s for a mean of 1 s."""
    assert price.price_s(10_000, 30.0) == pytest.approx(2 * 1.0 * 100 / 30)
    assert price.price_s(1, 30.0) == pytest.approx(2 / 30)


def test_short_jobs_are_not_left_lying(price: LookPrice):
    """For jobs of a second the wait is a twentieth of one, which costs more looks: a lower price."""
    assert price.price_s(100, 1.0) < price.price_s(100, 100.0)


def test_jobs_that_lie_too_long_make_looks_cheaper(price: LookPrice):
    """The price falls until they do not."""
    before = price.price_s(1000, 30.0)
    live(price, unseen_s=3.0, requests=20)
    assert price.price_s(1000, 30.0) < before / 4


def test_jobs_that_are_seen_too_soon_make_looks_dearer(price: LookPrice):
    """Promptness that nobody asked for is not paid for."""
    before = price.price_s(1000, 30.0)
    live(price, unseen_s=0.2, requests=20)
    assert price.price_s(1000, 30.0) > before * 4


def test_more_than_one_request_a_job_is_never_worth_it(price: LookPrice):
    """Where promptness would cost storms of requests, jobs are seen a little later instead."""
    before = price.price_s(1000, 30.0)
    live(price, unseen_s=3.0, requests=200)
    assert price.price_s(1000, 30.0) > before * 2


def test_a_few_requests_are_free(price: LookPrice):
    """A single job is looked at promptly, though that takes more than one request."""
    before = price.price_s(1, 30.0)
    for second in range(10, 200, 10):
        price.found(3.0)
        for _request in range(8):
            price.asked()
        price.correct(float(second), 30.0, None)
    assert price.price_s(1, 30.0) < before / 4


def test_under_429_polls_leave_room_for_submits(price: LookPrice):
    """Of a pace of 40 a second polls take a quarter at most, whatever lies unseen."""
    before = price.price_s(1000, 30.0)
    live(price, unseen_s=3.0, requests=20, rate_per_s=40.0)
    assert price.price_s(1000, 30.0) > before * 4


def test_it_stays_within_bounds(price: LookPrice):
    """However long one side has the better of it, the way back is not long."""
    live(price, unseen_s=0.0, requests=1, seconds=500)
    high = price.price_s(1000, 30.0)
    live(price, unseen_s=30.0, requests=1, seconds=500)
    assert 0.0 < price.price_s(1000, 30.0) < high < 1e4
