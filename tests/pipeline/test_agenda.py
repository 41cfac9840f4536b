"""The agenda: one sleeper for all that waits, woken for whatever comes first."""

import asyncio
from dataclasses import dataclass

import pytest

from engine.pipeline.agenda import Agenda
from tests.fakes.clock import FakeClock


@dataclass(eq=False)
class Item:
    name: str
    due: float = 0.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(is_manual=True)


@pytest.fixture
def agenda(clock: FakeClock) -> Agenda[Item]:
    return Agenda(clock)


def taken(agenda: Agenda[Item]) -> list[str]:
    names = []
    while (item := agenda.take()) is not None:
        names.append(item.name)
    return names


async def test_what_is_due_is_taken_in_the_order_of_its_moments(agenda: Agenda[Item], clock: FakeClock):
    """Nothing is given before its time; each item once; those of one moment in the order they were planned."""
    for name, wait_s in (("c", 3.0), ("a", 1.0), ("b", 2.0), ("b2", 2.0)):
        agenda.plan(Item(name), wait_s)
    assert taken(agenda) == []
    await clock.advance(2.0)
    assert taken(agenda) == ["a", "b", "b2"]
    await clock.advance(1.0)
    assert (taken(agenda), taken(agenda)) == (["c"], [])


async def test_what_is_taken_is_planned_no_more(agenda: Agenda[Item], clock: FakeClock):
    """An item's `due` tells whether it is planned."""
    item = Item("a")
    agenda.plan(item, 0.0)
    assert item.due > 0
    await clock.advance(0.1)
    assert agenda.take() is item
    assert item.due == 0


@pytest.mark.parametrize("wait_s", [1.0, 5.0], ids=["sooner", "later"])
async def test_planning_anew_replaces_the_moment(agenda: Agenda[Item], clock: FakeClock, wait_s: float):
    """An item is due once, at its newest moment, whether that is sooner or later than the old one."""
    item = Item("a")
    agenda.plan(item, 3.0)
    agenda.plan(item, wait_s)
    await clock.advance(wait_s - 0.1)
    assert taken(agenda) == []
    await clock.advance(0.1)
    assert taken(agenda) == ["a"]
    await clock.advance(10.0)
    assert taken(agenda) == []


async def test_what_is_taken_off_is_not_due(agenda: Agenda[Item], clock: FakeClock):
    """Setting `due` to 0 takes an item off, and it can be planned again."""
    item = Item("a")
    agenda.plan(item, 1.0)
    item.due = 0.0
    await clock.advance(2.0)
    assert taken(agenda) == []
    agenda.plan(item, 1.0)
    await clock.advance(1.0)
    assert taken(agenda) == ["a"]


async def test_an_earlier_plan_wakes_the_sleeper(agenda: Agenda[Item], clock: FakeClock):
    """Whoever sleeps for a late item is woken by a sooner one, at that one's moment."""
    agenda.plan(Item("late"), 100.0)
    waiting = asyncio.create_task(agenda.wait())
    await clock.advance(1.0)
    agenda.plan(Item("soon"), 2.0)
    await clock.advance(1.9)
    assert not waiting.done()
    await clock.advance(0.2)
    assert waiting.done()
    assert taken(agenda) == ["soon"]


async def test_the_first_plan_of_all_wakes_the_sleeper(agenda: Agenda[Item], clock: FakeClock):
    """An empty agenda is waited for without a sleep, until something is planned."""
    waiting = asyncio.create_task(agenda.wait())
    await clock.advance(1000.0)
    assert (waiting.done(), clock.sleepers) == (False, 0)
    agenda.plan(Item("first"), 0.0)
    await clock.advance(0.1)
    assert waiting.done()


async def test_the_moment_of_an_item_taken_off_wakes_nobody(agenda: Agenda[Item], clock: FakeClock):
    """The sleeper goes on sleeping when what it slept for is off the agenda."""
    item = Item("off")
    agenda.plan(item, 1.0)
    agenda.plan(Item("on"), 5.0)
    waiting = asyncio.create_task(agenda.wait())
    await clock.settle()
    item.due = 0.0
    await clock.advance(4.0)
    assert not waiting.done()
    await clock.advance(1.0)
    assert waiting.done()


async def test_however_much_is_planned_there_is_one_sleeper(agenda: Agenda[Item], clock: FakeClock):
    """A thousand items, each planned twice, cost one sleep, and none once the waiter is gone."""
    waiting = asyncio.create_task(agenda.wait())
    for number in range(1000):
        item = Item(str(number))
        agenda.plan(item, 2000.0 - number)
        agenda.plan(item, 1000.0 - number / 2)
        await clock.settle()
    assert clock.sleepers == 1
    waiting.cancel()
    await clock.settle()
    assert clock.sleepers == 0
