"""When a job will be done: durations that are learned, workers that get free, a schedule that is fair."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.eta import errors_of
from bench.spread import quantile
from engine.service.duration import Durations
from engine.service.eta import Timetable, time_until_done, time_until_taken
from engine.service.fair_queue import FairQueue
from engine.service.inflow import Inflow
from engine.service.work import Work, work_of

GOAL = 0.25


def work(megapixels: float, route: str = "restore-gen") -> Work:
    return Work(route=route, megapixels=megapixels)


def taught(a: float, b: float, *, jobs: int = 100, sigma: float = 0.0) -> Durations:
    """Durations that have seen `jobs` jobs of all sizes that took a + b x megapixels, times chance."""
    rng, durations = random.Random(4), Durations()
    for _ in range(jobs):
        megapixels = rng.uniform(0.3, 12.0)
        durations.learn(work(megapixels), (a + b * megapixels) * rng.lognormvariate(0.0, sigma))
    return durations


class TestDurations:
    def test_both_parts_of_the_line_are_learned(self):
        """Small and large pictures are foretold well, though what a job costs anyway and by its size is not told."""
        for a, b in ((3.0, 0.2), (0.05, 2.0), (0.5, 0.5)):
            durations = taught(a, b)
            for megapixels in (0.5, 3.0, 12.0):
                assert durations.seconds(work(megapixels)) == pytest.approx(a + b * megapixels, rel=0.1)

    def test_chance_evens_out(self):
        """With durations that vary by 15 % the mean is known within 10 %, and within 15 % where few are that small."""
        durations = taught(1.0, 0.5, sigma=0.15)
        for megapixels, within in ((1.0, 0.15), (4.0, 0.1), (10.0, 0.1)):
            assert durations.seconds(work(megapixels)) == pytest.approx(1.0 + 0.5 * megapixels, rel=within)

    def test_the_first_job_sets_the_height(self):
        """One job is enough to be right about its like, and about right of other sizes."""
        durations = Durations()
        durations.learn(work(2.0), 40.0)
        assert durations.seconds(work(2.0)) == pytest.approx(40.0)
        assert 40.0 < durations.seconds(work(4.0)) < 80.0

    def test_jobs_of_one_size_only(self):
        """Nothing is known of other sizes, and nothing absurd is said of them."""
        durations = Durations()
        for _ in range(200):
            durations.learn(work(1.0), 3.0)
        assert durations.seconds(work(1.0)) == pytest.approx(3.0)
        assert 3.0 < durations.seconds(work(10.0)) < 30.0
        assert 0.0 < durations.seconds(work(0.01)) < 3.0

    def test_one_odd_job_moves_little(self):
        """A job that hung for a hundred times as long is no news about the others."""
        durations = taught(1.0, 0.5)
        durations.learn(work(4.0), 300.0)
        assert durations.seconds(work(4.0)) == pytest.approx(3.0, rel=0.5)

    def test_a_lasting_change_is_learned(self):
        """A machine that has become four times slower is known after a hundred jobs."""
        durations = taught(1.0, 0.5)
        for megapixels in [1.0, 4.0, 9.0] * 35:
            durations.learn(work(megapixels), 4.0 * (1.0 + 0.5 * megapixels))
        assert durations.seconds(work(4.0)) == pytest.approx(12.0, rel=0.15)

    def test_routes_have_lines_of_their_own(self):
        """What enhancing takes says nothing about restoring; a route that is new has a guess."""
        durations = taught(1.0, 0.5)
        before = durations.seconds(work(4.0))
        durations.learn(work(1.0, "enhance"), 60.0)
        assert durations.seconds(work(4.0)) == before
        assert durations.seconds(work(1.0, "enhance")) == pytest.approx(60.0)
        assert durations.seconds(work(1.0, "another")) > 0.0

    @given(st.lists(st.tuples(st.floats(0.0, 200.0), st.floats(0.0, 1e5)), max_size=40), st.floats(0.0, 200.0))
    def test_whatever_was_measured(self, measured, megapixels):
        """No measurement makes a duration negative, and more work never takes less time."""
        durations = Durations()
        for size, seconds in measured:
            durations.learn(work(size), seconds)
        one = durations.seconds(work(megapixels))
        assert 0.0 <= one <= durations.seconds(work(megapixels + 1.0))
        both = Work(route="restore-gen", megapixels=2 * megapixels, jobs=2)
        assert durations.seconds(both) == pytest.approx(2 * one)


def test_the_work_of_a_job():
    """Restoring looks at input and output, enhancing at the input alone."""
    sizes = ((2000, 1000), (4000, 2000))
    assert work_of("restore-gen", *sizes) == work(10.0)
    assert work_of("enhance", *sizes) == work(2.0, "enhance")


class TestWorkers:
    @pytest.mark.parametrize(
        ("costs_s", "free_at", "expected"),
        [
            ([], [0.0], 0.0),
            ([], [3.0, 5.0], 3.0),
            ([4.0], [3.0, 5.0], 5.0),
            ([4.0, 1.0], [3.0, 5.0], 6.0),
            ([2.0, 2.0, 2.0], [0.0], 6.0),
            ([9.0, 1.0, 1.0], [0.0, 0.0], 2.0),
        ],
    )
    def test_jobs_one_by_one(self, costs_s, free_at, expected):
        """Whoever is free takes the next; the answer is when somebody is free after the last."""
        assert time_until_taken(costs_s, free_at) == expected

    @pytest.mark.parametrize(
        ("work_s", "free_at", "expected"),
        [(0.0, [3.0, 5.0], 3.0), (1.0, [3.0, 5.0], 4.0), (6.0, [3.0, 5.0], 7.0), (8.0, [0.0, 0.0], 4.0)],
    )
    def test_work_as_a_whole(self, work_s, free_at, expected):
        """Work is shared by all who are free by then."""
        assert time_until_done(work_s, free_at) == expected


class Desk:
    """A timetable whose durations are known to be 1 s and 1 s a megapixel."""

    def __init__(self, workers: int) -> None:
        self.queue = FairQueue(lambda work: work.jobs + work.megapixels)
        self.timetable = Timetable(taught(1.0, 1.0, jobs=400), self.queue, workers)

    def seconds(self, owner: str, megapixels: float, now_s: float = 0.0) -> float:
        return self.timetable.seconds_until_done(owner, work(megapixels), now_s)


class TestTimetable:
    def test_an_idle_service(self):
        """A job takes what it takes."""
        assert Desk(2).seconds("a", 3.0) == pytest.approx(4.0, rel=0.05)

    def test_running_jobs_are_waited_for(self):
        """For what is left of them, by the time that a worker is free; one that is overdue is thought to end soon."""
        desk = Desk(2)
        desk.timetable.began("one", work(9.0), 0.0)
        assert desk.seconds("a", 1.0) == pytest.approx(2.0, rel=0.05)
        desk.timetable.began("two", work(5.0), 0.0)
        assert desk.seconds("a", 1.0, now_s=2.0) == pytest.approx(4.0 + 2.0, rel=0.05)
        assert desk.seconds("a", 1.0, now_s=100.0) == pytest.approx(0.6 + 2.0, rel=0.05)
        desk.timetable.ended("two")
        assert desk.seconds("a", 1.0, now_s=2.0) == pytest.approx(2.0, rel=0.05)

    @pytest.mark.parametrize("backlog", [10, 1000])
    def test_the_queue_is_waited_for(self, backlog):
        """All of one's own, shared by the workers, whether its jobs are counted one by one or as a whole."""
        desk = Desk(2)
        for number in range(2):
            desk.timetable.began(str(number), work(1.0), 0.0)
        for number in range(backlog):
            desk.queue.put("a", number, work(1.0), number)
        assert desk.seconds("a", 1.0) == pytest.approx(2.0 + backlog + 2.0, rel=0.05)
        assert desk.seconds("b", 1.0) == pytest.approx(2.0 + 2.0, rel=0.3)

    def test_what_others_send_meanwhile_is_thought_of(self):
        """Beside an owner who has sent half of what a worker can do, a long backlog takes twice as long."""
        desk = Desk(1)
        for second in range(0, 1200, 4):
            desk.timetable.submitted("stream", work(1.0), float(second))
        for number in range(100):
            desk.queue.put("a", number, work(1.0), number)
        assert desk.seconds("a", 1.0, now_s=1200.0) == pytest.approx(400.0, rel=0.1)

    def test_a_batch_is_no_stream(self):
        """Owners who sent much at once, just now or some time ago, are not thought to go on like that."""
        inflow = Inflow()
        for second in (0.0, 600.0):
            for _ in range(600):
                inflow.add("batches", 1.0, second)
        assert inflow.rates(600.0)["batches"] < 2.5
        assert inflow.rates(900.0)["batches"] < 0.1
        assert inflow.rates(20_000.0) == {}
        assert repr(inflow) == "<Inflow: 0 owners sent something lately>"


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("scene", ["stream", "backlog", "overtaken"])
def test_the_goal_is_reached(scene, workers):
    """Four of five etas are off by no more than a quarter of what the job took, once durations are known."""
    assert quantile(errors_of(scene, workers, sigma=0.15, seed=1), 0.8) <= GOAL
