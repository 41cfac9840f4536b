"""Permits: a bound that moves, serves in order and never loses count."""

import asyncio

import pytest

from engine.pipeline.permits import Permits


async def settle() -> None:
    for _turn in range(5):
        await asyncio.sleep(0)


def takers(permits: Permits, count: int) -> tuple[list[int], list[asyncio.Task[None]]]:
    """Start so many takers; return the list of those served, in order, and their tasks."""
    served: list[int] = []

    async def take(number: int) -> None:
        await permits.take()
        served.append(number)

    return served, [asyncio.create_task(take(number)) for number in range(count)]


async def test_no_more_than_the_limit_are_out_and_who_waits_is_served_in_order():
    """Each permit that comes back goes to whoever has waited longest."""
    permits = Permits(2)
    served, tasks = takers(permits, 5)
    await settle()
    assert (served, repr(permits)) == ([0, 1], "<Permits 2 of 2 taken, 3 waiting>")
    permits.give_back()
    await settle()
    assert (served, permits.taken) == ([0, 1, 2], 2)
    permits.give_back()
    permits.give_back()
    await asyncio.gather(*tasks)
    assert (served, repr(permits)) == ([0, 1, 2, 3, 4], "<Permits 2 of 2 taken, 0 waiting>")


async def test_a_newcomer_does_not_pass_those_who_wait():
    """Room made in this very moment belongs to who waits for it."""
    permits = Permits(1)
    served, tasks = takers(permits, 2)
    await settle()
    permits.give_back()
    newcomer = asyncio.create_task(permits.take())
    await settle()
    assert (served, newcomer.done()) == ([0, 1], False)
    permits.give_back()
    await asyncio.gather(newcomer, *tasks)


async def test_a_higher_limit_lets_in_as_many_as_it_has_room_for():
    """Moving the limit up serves who waits at once, and no one more."""
    permits = Permits(1)
    served, tasks = takers(permits, 6)
    await settle()
    permits.set_limit(4)
    await settle()
    assert (served, permits.taken) == ([0, 1, 2, 3], 4)
    permits.set_limit(6)
    await asyncio.gather(*tasks)


async def test_a_lower_limit_takes_nothing_away_but_lets_nobody_in_until_there_is_room():
    """Those inside finish; the next one enters when fewer than the new limit are left."""
    permits = Permits(4)
    served, tasks = takers(permits, 5)
    await settle()
    permits.set_limit(2)
    for _back in range(2):
        permits.give_back()
    await settle()
    assert (served, permits.taken) == ([0, 1, 2, 3], 2)
    permits.give_back()
    await asyncio.gather(*tasks)
    assert permits.taken == 2


async def test_an_overdraft_is_worked_off_before_anybody_enters():
    """Resumed jobs count at once, beyond the limit too; newcomers wait until they are below it."""
    permits = Permits(2)
    for _resumed in range(5):
        permits.overdraw()
    served, tasks = takers(permits, 1)
    for _back in range(3):
        permits.give_back()
    await settle()
    assert (served, permits.taken) == ([], 2)
    permits.give_back()
    await asyncio.gather(*tasks)
    assert permits.taken == 2


async def test_who_is_cancelled_while_waiting_takes_no_permit():
    """The permit goes to the next in the row, and the count stays right."""
    permits = Permits(1)
    served, tasks = takers(permits, 3)
    await settle()
    tasks[1].cancel()
    await settle()
    permits.give_back()
    await settle()
    assert (served, permits.taken) == ([0, 2], 1)
    permits.give_back()
    await permits.all_back()


async def test_who_is_cancelled_in_the_moment_of_being_served_hands_the_permit_on():
    """A permit given to a task that was cancelled before it ran is not lost."""
    permits = Permits(1)
    served, tasks = takers(permits, 3)
    await settle()
    permits.give_back()  # to the second one, which has not run yet
    tasks[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]
    await tasks[2]
    assert (served, permits.taken) == ([0, 2], 1)


async def test_all_back_waits_for_the_last_one():
    """It returns at once when none is out, and otherwise only when the last one is back."""
    permits = Permits(2)
    await permits.all_back()
    permits.overdraw()
    permits.overdraw()
    waiting = asyncio.create_task(permits.all_back())
    permits.give_back()
    await settle()
    assert not waiting.done()
    permits.give_back()
    await waiting


async def test_a_permit_handed_on_does_not_count_as_all_back():
    """While somebody waits there is no moment at which none is taken."""
    permits = Permits(1)
    served, tasks = takers(permits, 2)
    await settle()
    waiting = asyncio.create_task(permits.all_back())
    permits.give_back()
    await settle()
    assert (served, waiting.done()) == ([0, 1], False)
    permits.give_back()
    await asyncio.gather(waiting, *tasks)
