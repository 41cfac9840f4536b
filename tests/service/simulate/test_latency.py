"""The latency models are numbers in, numbers out."""

import math

import pytest

from engine.service.simulate.dice import Dice
from engine.service.simulate.latency import Latency, Line


def test_the_dice_fall_by_seed_question_name_and_attempt():
    """The same four always give the same share, another one of them another, and the names spread evenly."""
    shares = [Dice(1).share("reset", f"{number}.jpg") for number in range(4000)]
    assert shares == [Dice(1).share("reset", f"{number}.jpg") for number in range(4000)]
    assert 0 < min(shares) < 0.01 < 0.99 < max(shares) < 1
    assert sum(share < 0.25 for share in shares) == pytest.approx(1000, abs=100)
    others = {Dice(2).share("reset", "0.jpg"), Dice(1).share("fail", "0.jpg"), Dice(1).share("reset", "0.jpg", 1)}
    assert len({*others, shares[0]}) == 4


def test_fixed_takes_as_long_for_every_job():
    """No draw changes it, nobody waits, and the forecast is exact."""
    latency = Latency.parse("fixed:2.5")
    line = Line(latency)
    assert [latency.work_s(normal) for normal in (-3.0, 0.0, 3.0)] == [2.5, 2.5, 2.5]
    assert [line.place(now, 2.5) for now in (0.0, 0.0, 1.0)] == [(0.0, 2.5), (0.0, 2.5), (1.0, 3.5)]
    assert latency.forecast_s(50_000) == 2.5


def test_lognormal_has_its_median_and_its_spread():
    """Half of the jobs are under the median, and one deviation is a factor of e to the sigma."""
    latency, dice = Latency.parse("lognormal:8:0.5"), Dice(3)
    work = sorted(latency.work_s(dice.normal("latency", f"{number}.jpg")) for number in range(4001))
    assert work[2000] == pytest.approx(8.0, rel=0.05)
    assert work[int(4001 * 0.8413)] == pytest.approx(8.0 * math.exp(0.5), rel=0.05)
    assert latency.forecast_s(1000) == 8.0


def test_a_queue_has_jobs_wait_for_a_worker():
    """With two workers the third job begins when the first one ends, in the order they came."""
    line = Line(Latency.parse("queue:2:1:0"))
    assert [line.place(0.0, work_s) for work_s in (3.0, 1.0, 1.0, 1.0)] == [(0, 3), (0, 1), (1, 2), (2, 3)]
    assert line.place(10.0, 1.0) == (10, 11)


def test_the_forecast_of_a_queue_counts_who_is_ahead():
    """A free worker means the median; behind them each further job adds its share of one worker's mean."""
    latency = Latency.parse("queue:4:2:0.5")
    mean_s = 2 * math.exp(0.125)
    assert [latency.forecast_s(ahead) for ahead in (0, 3)] == [2.0, 2.0]
    assert latency.forecast_s(4) == pytest.approx(2 + mean_s / 4)
    assert latency.forecast_s(403) == pytest.approx(2 + 100 * mean_s)


def test_stalled_workers_end_their_jobs_later():
    """All stand still for the first 4 of every 10 seconds, however long the work is and wherever it begins."""
    latency = Latency.parse("queue:1:1:0:10:4")
    begun = [(0, 1), (2, 1), (5, 1), (9, 1), (9, 2), (4, 6), (4, 12), (7, 15)]
    assert [latency.after_stalls(begin, work) for begin, work in begun] == [5, 5, 6, 14, 15, 14, 24, 34]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fast",
        "fixed",
        "fixed:-1",
        "fixed:nan",
        "fixed:x",
        "lognormal:1",
        "queue:0:1:1",
        "queue:1.5:1:1",
        "queue:1:1:0:5:5",
    ],
)
def test_anything_else_is_no_model(text):
    """A wrong model is a ValueError, never a model that waits for ever."""
    with pytest.raises(ValueError):  # noqa: PT011 -- any of several texts
        Latency.parse(text)
