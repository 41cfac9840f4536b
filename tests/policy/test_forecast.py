"""When jobs will be done, and when a look is worth a request."""

import random

import pytest

from engine.policy.forecast import Forecast

BOUNDS = {"least_s": 0.1, "most_s": 1000.0}


@pytest.fixture
def forecast() -> Forecast:
    return Forecast()


def teach(forecast: Forecast, factor: float, *, jobs: int = 100, foretold_s: float = 20.0, sigma: float = 0.0) -> None:
    rng = random.Random(5)
    for _job in range(jobs):
        forecast.learn(forecast_s=foretold_s, took_s=foretold_s * factor * rng.lognormvariate(0.0, sigma))


def test_before_anything_is_learned_the_eta_is_believed_within_a_factor_of_two(forecast: Forecast):
    """Half of the jobs are expected by their eta, few before half of it or after twice of it."""
    assert forecast.survival((40.0, 40.0)) == pytest.approx(0.5, abs=0.03)
    assert forecast.survival((40.0, 15.0)) > 0.85
    assert forecast.survival((40.0, 110.0)) < 0.15


@pytest.mark.parametrize("factor", [0.02, 0.5, 3.0, 50.0])
def test_an_eta_that_is_wrong_by_a_factor_is_corrected(forecast: Forecast, factor: float):
    """What short waits taught holds for long ones."""
    teach(forecast, factor)
    for foretold_s in (5.0, 100.0):
        assert forecast.survival((foretold_s, 0.9 * factor * foretold_s)) > 0.95
        assert forecast.survival((foretold_s, 1.1 * factor * foretold_s)) < 0.06


def test_a_changed_factor_is_learned_anew(forecast: Forecast):
    """Older jobs fade: when the remote gets slower, the forecast follows."""
    teach(forecast, 1.0, jobs=3000)
    teach(forecast, 4.0, jobs=6000)
    assert forecast.survival((20.0, 60.0)) > 0.9


@pytest.mark.parametrize("eta_s", [0.0, -5.0, 3 * 3600.0 + 1, float("inf")])
def test_without_a_usable_eta_the_mean_of_earlier_jobs_stands_in(forecast: Forecast, eta_s: float):
    """No eta, a past one or one beyond the contract's worst case: what jobs took so far is the next best forecast."""
    for _job in range(50):
        forecast.learn(forecast_s=eta_s, took_s=10.0)
    assert forecast.mean_s == pytest.approx(10.0)
    assert forecast.survival((eta_s, 8.0)) > 0.9
    assert forecast.survival((eta_s, 12.0)) < 0.1


def test_the_distribution_is_that_of_the_jobs(forecast: Forecast):
    """Its quantiles are those of what was learned: a quarter by the first quartile, and so on."""
    teach(forecast, 1.0, jobs=4000, sigma=0.5)
    for share, factor in ((0.25, 0.714), (0.5, 1.0), (0.75, 1.401)):
        assert 1 - forecast.survival((30.0, 30.0 * factor)) == pytest.approx(share, abs=0.04)


def test_survival_never_rises_with_age(forecast: Forecast):
    """Whatever was learned: a probability, from 1 on and never back up."""
    teach(forecast, 0.7, jobs=50, sigma=1.5)
    line = [forecast.survival((10.0, age / 10)) for age in range(20_000)]
    assert line[0] == 1.0
    assert line == sorted(line, reverse=True)
    assert line[-1] > 0.0


def test_jobs_that_end_together_are_looked_at_once_they_have(forecast: Forecast):
    """A hundred jobs of exactly 20 s: the look comes when they end, neither long before nor long after."""
    teach(forecast, 1.0, jobs=2000)
    wait_s = forecast.wait_s([(20.0, 5.0)] * 100, 3.0, **BOUNDS)
    assert 14.0 <= wait_s <= 15.5


def test_a_look_comes_when_the_expected_seconds_unseen_reach_its_price(forecast: Forecast):
    """Jobs that end at a rate r lie unseen for r t^2 / 2 seconds after t: the price P is reached at sqrt(2 P / r)."""
    teach(forecast, 1.0, jobs=4000, sigma=1.0)
    jobs = [(20.0, 20.0)] * 100
    rate = 100 * (1 - forecast.survival((20.0, 20.5)) / forecast.survival((20.0, 20.0))) / 0.5
    for price_s in (1.0, 4.0, 16.0):
        assert forecast.wait_s(jobs, price_s, **BOUNDS) == pytest.approx((2 * price_s / rate) ** 0.5, rel=0.15)


def test_a_dearer_look_comes_later_and_more_jobs_make_it_come_sooner(forecast: Forecast):
    """The two that the rule weighs."""
    teach(forecast, 1.0, jobs=500, sigma=0.5)
    waits = [forecast.wait_s([(20.0, 10.0)] * 10, price_s, **BOUNDS) for price_s in (0.1, 1.0, 10.0)]
    assert waits == sorted(waits)
    assert waits[0] < waits[-1]
    waits = [forecast.wait_s([(20.0, 10.0)] * count, 1.0, **BOUNDS) for count in (1, 10, 100)]
    assert waits == sorted(waits, reverse=True)


def test_waits_keep_within_their_bounds(forecast: Forecast):
    """Never sooner than the floor, never later than the cap."""
    teach(forecast, 1.0)
    assert forecast.wait_s([(20.0, 1e6)] * 100, 1e-9, **BOUNDS) == 0.1
    assert forecast.wait_s([(20.0, 0.0)], 1e9, **BOUNDS) == 1000.0


def test_a_stuck_job_costs_ever_fewer_looks(forecast: Forecast):
    """The hazard of a job like none before falls with its age, so its looks grow apart: hours cost hundreds at most."""
    teach(forecast, 1.0)
    looks, age_s = 0, 40.0
    while age_s < 3 * 3600.0:
        looks += 1
        age_s += forecast.wait_s([(20.0, age_s)], 0.5, **BOUNDS)
    assert looks < 250


def test_a_week_of_jobs_costs_no_precision(forecast: Forecast):
    """Weights that grow without end are brought back before they lose their digits."""
    for _job in range(60_000):
        forecast.learn(forecast_s=10.0, took_s=10.0)
    assert forecast.survival((10.0, 9.0)) > 0.95
    assert forecast.survival((10.0, 11.0)) < 0.05
