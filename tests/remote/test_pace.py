"""The pace of all calls: free until the first 429, then one row, first come, first served."""

import asyncio
import itertools

import pytest

from engine.remote.pace import Pace
from tests.fakes.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(is_manual=True)


@pytest.fixture
def pace(clock: FakeClock) -> Pace:
    return Pace(clock)


class Row:
    """Callers that wait for their turn, and when each of them had it."""

    def __init__(self, pace: Pace, clock: FakeClock) -> None:
        self._pace = pace
        self._clock = clock
        self.went: list[tuple[int, float]] = []
        self.tasks: list[asyncio.Task[None]] = []

    def join(self, count: int) -> None:
        for _caller in range(count):
            self.tasks.append(asyncio.create_task(self._wait(len(self.tasks))))

    @property
    def order(self) -> list[int]:
        return [number for number, _at in self.went]

    async def _wait(self, number: int) -> None:
        await self._pace.turn()
        self.went.append((number, self._clock.monotonic()))


async def test_nobody_waits_until_something_is_refused(pace: Pace, clock: FakeClock):
    """A thousand calls leave at once, without a task or a sleep."""
    row = Row(pace, clock)
    row.join(1000)
    await clock.settle()
    assert (len(row.went), clock.sleepers, repr(pace)) == (
        1000,
        0,
        "<Pace <RequestRate unlimited, 0 refusals>, 0 waiting>",
    )


async def test_after_a_429_calls_leave_spaced_and_in_order(pace: Pace, clock: FakeClock):
    """First come, first served, each a step of the pace after the one before."""
    pace.refused(0.0, None)
    per_s = pace.rate.per_s
    row = Row(pace, clock)
    row.join(10)
    await clock.advance(100.0)
    times = [at for _number, at in row.went]
    assert row.order == list(range(10))
    steps = [after - before for before, after in itertools.pairwise(times)]
    assert min(steps) >= 0.99 / per_s
    assert times[0] > 0


async def test_a_newcomer_does_not_pass_the_row(pace: Pace, clock: FakeClock):
    """Whoever comes while others wait goes after them, even at the very moment when the next one may leave."""
    pace.refused(0.0, None)
    row = Row(pace, clock)

    async def come_in_that_moment() -> None:
        await clock.sleep(pace.rate.wait_s(0.0))
        row.join(1)

    newcomer = asyncio.create_task(come_in_that_moment())
    await clock.settle()
    row.join(3)
    await clock.advance(100.0)
    await newcomer
    assert row.order == [0, 1, 2, 3]


async def test_retry_after_holds_back_those_who_wait_already(pace: Pace, clock: FakeClock):
    """A refusal that asks for a minute is obeyed by the whole row, also by the one that was next."""
    pace.refused(0.0, None)
    row = Row(pace, clock)
    row.join(5)
    await clock.settle()
    pace.refused(0.0, 60.0)
    await clock.advance(59.9)
    assert row.order == []
    await clock.advance(120.0)
    assert row.order == [0, 1, 2, 3, 4]
    assert row.went[0][1] >= 60.0


async def test_who_gives_up_waiting_takes_no_turn(pace: Pace, clock: FakeClock):
    """The turns of cancelled callers are not waited for: the others go as if these had never come."""
    pace.refused(0.0, None)
    with_them, without = Row(pace, clock), Row(Pace(clock), clock)
    without._pace.refused(0.0, None)  # noqa: SLF001 -- the same pace once more, for comparison
    with_them.join(6)
    without.join(3)
    await clock.settle()
    for number in (0, 2, 4):
        with_them.tasks[number].cancel()
    await clock.advance(100.0)
    assert with_them.order == [1, 3, 5]
    assert [at for _number, at in with_them.went] == [at for _number, at in without.went]


async def test_the_row_starts_anew_after_it_was_empty(pace: Pace, clock: FakeClock):
    """Nothing sleeps while nobody waits, and the next one to come is let through all the same."""
    pace.refused(0.0, None)
    row = Row(pace, clock)
    row.join(2)
    await clock.advance(50.0)
    assert (row.order, clock.sleepers) == ([0, 1], 0)
    row.join(3)
    await clock.advance(50.0)
    assert (row.order, clock.sleepers) == ([0, 1, 2, 3, 4], 0)
