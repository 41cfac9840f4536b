"""The fake clock keeps the promises that tests lean on."""

import asyncio
import threading

import pytest

from engine.clock import Clock, SystemClock
from tests.fakes.clock import FakeClock


async def test_time_stands_still_while_somebody_works():
    """Neither yielding to the loop nor work in a thread moves the clock."""
    clock = FakeClock()
    started = clock.now()
    for _turn in range(50):
        await asyncio.sleep(0)
        await asyncio.to_thread(int)
    assert (clock.monotonic(), clock.now()) == (0.0, started)


async def test_sleepers_wake_in_order_at_their_own_moments():
    """Each sleeper sees exactly the time it asked for, whatever order they fell asleep in."""
    clock = FakeClock()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic()))
        if name == "first":
            await clock.sleep(1.0)
            woken.append(("first again", clock.monotonic()))

    await asyncio.gather(sleeper("last", 3600.0), sleeper("first", 0.5), sleeper("second", 2.0))
    assert woken == [("first", 0.5), ("first again", 1.5), ("second", 2.0), ("last", 3600.0)]


async def test_time_waits_for_a_thread_under_way():
    """A sleeper does not wake before the thread that was started earlier has been heard."""
    clock = FakeClock()
    await clock.sleep(0.0)  # from here on the clock watches the threads
    may_end = threading.Event()
    heard: list[str] = []

    async def work() -> None:
        await asyncio.to_thread(may_end.wait)
        heard.append("thread")

    async def sleep() -> None:
        await clock.sleep(1000.0)
        heard.append("sleeper")

    tasks = [asyncio.create_task(work()), asyncio.create_task(sleep())]
    for _turn in range(100):
        await asyncio.sleep(0)
    assert clock.monotonic() == 0.0
    may_end.set()
    await asyncio.gather(*tasks)
    assert heard == ["thread", "sleeper"]


async def test_a_manual_clock_moves_only_when_told():
    """Time passes by what `advance` says, and whoever is due in between runs at its own moment."""
    clock = FakeClock(is_manual=True)
    ticks: list[float] = []

    async def tick() -> None:
        while True:
            await clock.sleep(10.0)
            ticks.append(clock.monotonic())

    task = asyncio.create_task(tick())
    await clock.advance(9.9)
    assert (ticks, clock.sleepers) == ([], 1)
    await clock.advance(25.1)
    assert (ticks, clock.monotonic()) == ([10.0, 20.0, 30.0], 35.0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clock.sleepers == 0


async def test_a_cancelled_sleeper_moves_nothing():
    """Time does not leap to the due time of a sleeper that is gone."""
    clock = FakeClock()
    task = asyncio.create_task(clock.sleep(1e6))
    await asyncio.sleep(0)
    task.cancel()
    await clock.sleep(1.0)
    assert clock.monotonic() == 1.0


async def test_unix_time_may_jump_without_waking_anybody():
    """A jump changes `now` alone."""
    clock = FakeClock(now=1000.0, is_manual=True)
    task = asyncio.create_task(clock.sleep(5.0))
    await clock.settle()
    clock.jump(-600.0)
    await clock.settle()
    assert (clock.now(), clock.monotonic(), clock.sleepers) == (400.0, 0.0, 1)
    await clock.advance(5.0)
    assert task.done()


@pytest.mark.parametrize("seconds", [0.0, -1.0])
@pytest.mark.parametrize("kind", [FakeClock, SystemClock])
async def test_sleeping_for_nothing_yields_once(kind: type[Clock], seconds: float):
    """Both clocks let others run and come back when there is nothing to wait for."""
    clock = kind()
    others_ran = asyncio.Event()
    asyncio.get_running_loop().call_soon(others_ran.set)
    await clock.sleep(seconds)
    assert others_ran.is_set()


async def test_the_systems_clock_moves_by_itself():
    """Both of the machine's times go forward across a sleep, by about as much as was asked."""
    clock = SystemClock()
    began, began_unix = clock.monotonic(), clock.now()
    await clock.sleep(0.01)
    assert 0.009 <= clock.monotonic() - began < 5.0
    assert abs((clock.now() - began_unix) - (clock.monotonic() - began)) < 5.0
