"""What a job takes of a worker is paid for by its owner, however the job ends and whatever was foretold."""

import asyncio
import itertools
import sys

import pytest

from engine.clock import SystemClock
from engine.service.fair_queue import FairQueue
from engine.service.key_file import KeyFile, LimitEntries
from engine.service.slot import Bench, Slot
from engine.service.worker_process import JobFailed
from tests.service.harness import SCRIPTED, ShiftedClock, picture, running
from tests.service.test_fair_queue import drained, queue, work


def filled(*, a: int, b: int) -> FairQueue:
    of, sequence = queue(), itertools.count()
    for owner, count in (("a", a), ("b", b)):
        for _ in range(count):
            of.put(owner, next(sequence), work(1), owner)
    return of


def test_who_took_more_waits_longer():
    """One that was foretold 1 and took 5 lets the others have 5 before its next."""
    of = filled(a=3, b=10)
    assert of.pop() == "a"
    of.charge("a", 4.0)
    ahead = of.costs_ahead("a", 100)
    assert drained(of)[:6] == ["b"] * 5 + ["a"]
    assert len(ahead or ()) == 2 + 6 or len(ahead or ()) == 2 + 7  # the tie may go either way


def test_an_owner_with_nothing_queued_is_charged_all_the_same():
    """Submitting one job at a time, each of them after the end of the last, is no way around it."""
    of = filled(a=1, b=10)
    assert of.pop() == "a"
    of.charge("a", 4.0)
    of.put("a", 99, work(1), "a")
    assert drained(of)[:6] == ["b"] * 5 + ["a"]


def test_nobody_pays_where_nobody_waited():
    """What was taken of an idle machine is forgotten."""
    of = filled(a=1, b=0)
    of.pop()
    of.charge("a", 100.0)
    of.put("a", 1, work(1), "a")
    of.put("b", 2, work(1), "b")
    assert drained(of) == ["a", "b"]


def test_what_is_ahead_counts_the_charge():
    """The eta of an owner who was charged tells that others come first."""
    of = filled(a=1, b=10)
    of.pop()
    assert len(of.costs_ahead("a", 100) or ()) <= 2
    of.charge("a", 6.0)
    assert 6 <= len(of.costs_ahead("a", 100) or ()) <= 8
    assert of.work_ahead("a") == pytest.approx(7.0, abs=1.0)


class SlowStarts(SystemClock):
    """A clock on which every start of a worker takes 100 s: each leaves a byte in a file."""

    def __init__(self, starts) -> None:
        self._starts = starts

    def monotonic(self) -> float:
        size_bytes = self._starts.stat().st_size if self._starts.exists() else 0
        return super().monotonic() + 100.0 * size_bytes


class AheadClock(ShiftedClock):
    """The machine's clock, moved ahead for durations too."""

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


async def _order(service, keys, spend) -> list[str]:
    """Let "a" have the only worker until `spend` has been awaited; return whose jobs were done then, in order."""

    async def submit(owner: str, order: str = "") -> str:
        status, answer = await service.post(picture(order), headers=keys[owner])
        assert status == 200, answer
        return answer["process_id"]

    async def reached(owner: str, process_id: str, status: str) -> dict:
        while True:
            row = (await service.call("GET", f"/status/{process_id}", headers=keys[owner]))[1]
            if row["status"] == status:
                return row

    first = await submit("a", "hang")
    await reached("a", first, "Processing")
    waiting = [(owner, await submit(owner)) for owner in "abbb"]
    await spend()
    assert (await service.call("DELETE", f"/cancel/{first}", headers=keys["a"]))[0] == 204
    rows = [(owner, await reached(owner, process_id, "Completed")) for owner, process_id in waiting]
    return [owner for owner, _ in sorted(rows, key=lambda each: each[1]["modification_time"])]


@pytest.fixture
def named_keys(tmp_path):
    (tmp_path / "service").mkdir(mode=0o700)
    named = KeyFile(tmp_path / "service")
    return {owner: {"X-API-Key": named.add(owner, 1.0, limits=LimitEntries())[1]} for owner in "ab"}


async def test_a_cancelled_job_is_paid_for(tmp_path, named_keys):
    """Who had the worker for long and cancelled then lets the others go first."""
    clock = AheadClock()

    async def spend():
        clock.ahead_s += 50.0

    async with running(tmp_path / "service", workers=1, clock=clock) as service:
        assert await _order(service, named_keys, spend) == ["b", "b", "b", "a"]


async def test_the_restart_of_a_worker_is_paid_for(tmp_path, named_keys):
    """A cancel kills the worker: the start of the next one is on the account of who cancelled."""
    starts = tmp_path / "starts"
    code = f"import os; open({str(starts)!r}, 'a').write('x'); os.execv({SCRIPTED[0]!r}, {list(SCRIPTED)!r})"

    async def spend():
        pass

    command = (sys.executable, "-c", code)
    async with running(tmp_path / "service", workers=1, clock=SlowStarts(starts), worker_command=command) as service:
        assert (await service.reached(await service.submit(), "Completed"))["faces"] == 1
        assert await _order(service, named_keys, spend) == ["b", "b", "b", "a"]


async def test_only_the_job_that_is_meant_is_abandoned(tmp_path):
    """To abandon a job that the slot has no longer, or not yet, does nothing to the one that it has."""
    slot = Slot(Bench(command=SCRIPTED, threads=1, job_time_limit_s=30.0))
    gate, source, options = tmp_path / "gate", tmp_path / "source", {"output_width": None, "output_height": None}
    source.write_bytes(f"#wait {gate}".encode())
    request = {"source": str(source), "target": str(tmp_path / "target.png"), "options": options}
    try:
        working = asyncio.create_task(slot.restore("new", request, lambda _: None))
        await asyncio.sleep(0)
        await slot.abandon("old")
        gate.touch()
        assert (await working).faces == 1
        await slot.abandon("new")
        gate.unlink()
        working = asyncio.create_task(slot.restore("newer", request, lambda _: None))
        await asyncio.sleep(0)
        await slot.abandon("newer")
        with pytest.raises(JobFailed, match="abandoned"):
            await working
    finally:
        await slot.close()
    assert slot.deaths == 0
