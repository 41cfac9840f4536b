"""The chaos harness in short: engines and services killed at every named step, audited by the service's own ledger."""

from pathlib import Path

import pytest

from bench.chaos.campaign import Campaign
from bench.chaos.orders import Orders
from bench.chaos.sabotage import Sabotage
from bench.chaos.steps import STEPS

_FAST = {"latency": "fixed:0.3", "rate": 300, "settle_s": 0.3, "longest_life_s": 1.4}


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Runs of thirty pictures each, two at once, on their way through some thirty kills."""
    orders = Orders(jobs=60, kills=32, seed=4, jobs_a_round=30, at_once=2, **_FAST)
    campaign = Campaign(orders, tmp_path_factory.mktemp("chaos"))
    campaign.run()
    return campaign


def test_nothing_is_lost_and_nothing_is_paid_twice(campaign: Campaign) -> None:
    """Killed at the worst moments, under every fault of the service at once, all four numbers are 0."""
    account = campaign.account
    assert (account.lost, account.duplicated, account.too_many, account.corrupt) == (0, 0, 0, 0)
    assert account.others == []


def test_the_kills_fell_on_named_steps(campaign: Campaign) -> None:
    """There were as many kills as asked for, and they fell on steps of all kinds."""
    assert campaign.engine_kills >= campaign.orders.kills
    assert sum(bool(campaign.kills[step]) for step in STEPS) >= len(STEPS) / 3


def test_runs_of_two_stages_lose_nothing_either(tmp_path: Path) -> None:
    """Whichever stage a kill falls on, the service has accepted two jobs for each picture and the rows tell of both."""
    orders = Orders(jobs=24, kills=12, seed=6, jobs_a_round=24, is_chained=True, **_FAST)
    campaign = Campaign(orders, tmp_path)
    campaign.run()
    account = campaign.account
    assert (account.lost, account.duplicated, account.too_many, account.corrupt) == (0, 0, 0, 0)
    assert account.others == []
    assert campaign.engine_kills >= orders.kills


@pytest.mark.parametrize("sabotage", Sabotage)
def test_the_harness_can_fail(sabotage: Sabotage, tmp_path: Path) -> None:
    """A journal that forgets its intents, or a listing that shows nothing, is seen as duplicates and as credits."""
    orders = Orders(jobs=20, kills=4, seed=4, jobs_a_round=20, reset_after=0.3, sabotage=sabotage, **_FAST)
    campaign = Campaign(orders, tmp_path)
    campaign.run()
    assert campaign.account.duplicated > 0
    assert campaign.account.too_many > 0
    assert not campaign.account.is_clean
