"""When to look at a job."""

import random

import pytest

from engine.policy.polling import PollSchedule


@pytest.fixture
def schedule() -> PollSchedule:
    return PollSchedule(min_s=0.1, max_s=30.0)


def test_the_first_look_is_at_the_eta(schedule: PollSchedule):
    """As long as nothing was learned, the remote's word is taken as it is."""
    assert schedule.first_wait_s(40.0) == 40.0


@pytest.mark.parametrize("forecast_s", [0.0, -5.0, 3 * 3600.0 + 1, float("inf")])
def test_an_eta_that_is_none_is_not_waited_for(schedule: PollSchedule, forecast_s: float):
    """No eta, a past one or one beyond the contract's worst case: the first look comes at once."""
    assert schedule.first_wait_s(forecast_s) == 0.1


def test_without_an_eta_the_mean_of_earlier_jobs_counts(schedule: PollSchedule):
    """What jobs took so far is the next best forecast."""
    for took_s in (9.0, 11.0, 10.0, 10.0):
        schedule.learn(forecast_s=0.0, took_s=took_s)
    assert 9.5 <= schedule.first_wait_s(0.0) <= 11.0


@pytest.mark.parametrize("bias_s", [-8.0, 15.0])
def test_a_biased_eta_is_corrected(schedule: PollSchedule, bias_s: float):
    """After some jobs the first look comes when they really end, soon after and never long before."""
    for _job in range(60):
        schedule.learn(forecast_s=20.0, took_s=20.0 + bias_s)
    assert 20.0 + bias_s <= schedule.first_wait_s(20.0) <= 20.0 + bias_s + 1.0
    assert f"factor {1 + bias_s / 20:.2f}" in repr(schedule)


def test_an_eta_that_is_wrong_by_a_factor_is_wrong_by_it_for_all(schedule: PollSchedule):
    """Queues are foretold as a number of jobs times a pace: what short waits taught holds for long ones."""
    for forecast_s in range(1, 20):
        schedule.learn(forecast_s=forecast_s, took_s=forecast_s / 10)
    assert schedule.first_wait_s(300.0) == pytest.approx(30.0, rel=0.05)


def test_the_first_few_jobs_are_scouts(schedule: PollSchedule):
    """Before anything has finished a few jobs are looked at early; afterwards none is."""
    assert [schedule.scout_wait_s() for _job in range(5)] == [0.5, 0.5, 0.5, None, None]
    other = PollSchedule(min_s=0.1, max_s=30.0)
    other.learn(forecast_s=1.0, took_s=1.0)
    assert other.scout_wait_s() is None


def test_a_changed_bias_is_learned_anew(schedule: PollSchedule):
    """When the remote gets slower, about twenty jobs later the schedule knows."""
    for bias_s in (0.0, 30.0):
        for _job in range(40):
            schedule.learn(forecast_s=20.0, took_s=20.0 + bias_s)
    assert 48.0 <= schedule.first_wait_s(20.0) <= 55.0


def test_erratic_jobs_are_looked_at_in_their_own_rhythm(schedule: PollSchedule):
    """The spread of the forecasts' errors sets the pace: tight forecasts, quick looks; loose ones, slow looks."""
    steady, erratic = schedule, PollSchedule(min_s=0.1, max_s=30.0)
    rng = random.Random(7)
    for _job in range(100):
        steady.learn(forecast_s=20.0, took_s=20.0)
        erratic.learn(forecast_s=20.0, took_s=20.0 + rng.uniform(-15.0, 15.0))
    assert steady.next_wait_s(1, 0.0) == pytest.approx(0.1)
    assert 2.0 <= erratic.next_wait_s(1, 0.0) <= 8.0


def test_looks_in_vain_grow_apart_up_to_the_cap(schedule: PollSchedule):
    """Each look in vain lengthens the next wait; none is longer than the cap, none shorter than the floor."""
    waits = [schedule.next_wait_s(looks, 0.0) for looks in range(1, 200)]
    assert waits == sorted(waits)
    assert waits[0] == pytest.approx(0.1)
    assert waits[-1] == 30.0


def test_the_longer_it_takes_the_less_often_it_is_looked_at(schedule: PollSchedule):
    """A job that has run for an hour is not looked at every tenth of a second."""
    assert schedule.next_wait_s(1, 100.0) == pytest.approx(5.0)
    assert schedule.next_wait_s(1, 3600.0) == 30.0


def test_a_stuck_job_costs_few_looks(schedule: PollSchedule):
    """Three hours in vain cost no more than one look per cap, and a handful before it is reached."""
    looks, waited_s = 0, 0.0
    while waited_s < 3 * 3600.0:
        looks += 1
        waited_s += schedule.next_wait_s(looks, waited_s)
    assert looks <= 3 * 3600 / 30 + 20
