"""A lane's way to the remote: what narrows it, what shuts it, and what is told of it afterwards."""

import asyncio

import pytest

from engine.errors import MachineError
from engine.journal.replay import read
from engine.pipeline.gate import Gate
from engine.pipeline.lane import Lane
from engine.policy.backoff import Backoff
from engine.remote.failures import Kind, RemoteError
from tests.fakes.clock import FakeClock
from tests.fakes.remote import Listed
from tests.pipeline.harness import Bench


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(is_manual=True)


@pytest.fixture
def gate(clock: FakeClock) -> Gate:
    return Gate("test", clock, Backoff(first_s=2.0, max_s=60.0), lambda: 0.0, 100.0)


@pytest.fixture
def lane(gate: Gate, clock: FakeClock) -> Lane:
    return Lane(gate, 100, clock)


def error(kind: Kind, retry_after_s: float | None = None) -> RemoteError:
    return RemoteError(kind, "as told", retry_after_s=retry_after_s, sent_at=0.0)


async def opens_after(lane: Lane, clock: FakeClock) -> float:
    """Return how long who enters now has to wait, to an eighth of a second."""
    began = clock.monotonic()
    entering = asyncio.create_task(lane.enter())
    await clock.settle()
    while not entering.done():
        await clock.advance(0.125)
    lane.leave()
    return clock.monotonic() - began


async def test_a_place_given_back_for_a_wait_is_held_again(lane: Lane, clock: FakeClock):
    """Others have it meanwhile; whoever stepped out gives it back once, also when cut off in the wait or behind it."""
    lane.places.set_limit(1)
    await lane.enter()
    others: list[asyncio.Task[None]] = []
    for advance_s in (0.0, 20.0):
        stepping = asyncio.create_task(lane.step_out(clock.sleep(10.0)))
        await clock.settle()
        others.append(asyncio.create_task(lane.enter()))
        await clock.settle()
        assert others[-1].done()
        await clock.advance(advance_s)
        stepping.cancel()
        await asyncio.gather(stepping, return_exceptions=True)
        assert stepping.cancelled()
        assert lane.places.taken == 2
        lane.leave()  # the other one's
        assert lane.places.taken == 1
    stepping = asyncio.create_task(lane.step_out(clock.sleep(10.0)))
    await clock.settle()
    assert lane.places.taken == 0
    await clock.advance(20.0)
    await stepping
    assert lane.places.taken == 1


async def test_success_widens_the_lane_while_it_is_full(lane: Lane):
    """Slow start: each success makes one place more, until the places are not used."""
    for _place in range(4):
        await lane.enter()
    for _success in range(4):
        lane.worked()
        await lane.enter()  # as long as it is full
    lane.worked()
    for _place in range(6):
        lane.leave()
    lane.worked()
    assert (lane.places.limit, lane.limit.value) == (9, 9)


async def test_a_429_narrows_the_lane_and_does_not_shut_it(lane: Lane, clock: FakeClock):
    """How fast requests go is the pace's matter; the lane only allows fewer at once."""
    for _place in range(4):
        await lane.enter()
    lane.failed(error(Kind.TOO_FAST, 30.0))
    assert lane.places.limit == 2
    for _place in range(4):
        lane.leave()
    assert await opens_after(lane, clock) == 0.0


@pytest.mark.parametrize("kind", [Kind.TRANSIENT, Kind.UNCLEAR])
async def test_one_server_error_does_not_shut_it(lane: Lane, clock: FakeClock, kind: Kind):
    """It is one request's bad luck; the lane just does not grow for a while."""
    lane.failed(error(kind))
    assert await opens_after(lane, clock) == 0.0
    for _place in range(4):
        await lane.enter()
    lane.worked()
    assert lane.limit.value == 4


@pytest.mark.parametrize("kind", [Kind.TRANSIENT, Kind.UNCLEAR])
async def test_two_server_errors_in_a_row_shut_it(lane: Lane, clock: FakeClock, kind: Kind):
    """They are everybody's: the lane waits for the backoff, or for what Retry-After asks."""
    lane.failed(error(kind))
    lane.failed(error(kind))
    assert await opens_after(lane, clock) == 1.0
    lane.failed(error(kind, 20.0))
    assert await opens_after(lane, clock) >= 20.0


async def test_a_success_between_two_server_errors_keeps_it_open(lane: Lane, clock: FakeClock):
    """They were not in a row."""
    lane.failed(error(Kind.TRANSIENT))
    lane.worked()
    lane.failed(error(Kind.TRANSIENT))
    assert await opens_after(lane, clock) == 0.0


@pytest.mark.parametrize("kind", [Kind.UNREACHABLE, Kind.BUSY])
async def test_what_concerns_all_shuts_it_at_once(lane: Lane, clock: FakeClock, kind: Kind):
    """A remote that is not there, or says that it is busy, is so for every request."""
    lane.failed(error(kind))
    assert await opens_after(lane, clock) == 1.0


async def test_failures_while_it_is_shut_are_of_one_episode(gate: Gate, lane: Lane, clock: FakeClock):
    """A hundred requests that fail together cost one pause, not an exponential one; the next episode a longer one."""
    for _failure in range(100):
        lane.failed(error(Kind.UNREACHABLE))
    assert repr(gate) == "<Gate test: 1 failures in a row, 1 pauses>"
    assert await opens_after(lane, clock) == 1.0
    lane.failed(error(Kind.UNREACHABLE))
    assert await opens_after(lane, clock) == 2.0


async def test_a_remote_that_stays_unreachable_ends_the_run(lane: Lane, clock: FakeClock):
    """Not before the limit, not for other errors, and an answer in between begins the time anew."""
    lane.failed(error(Kind.UNREACHABLE))
    await clock.advance(99.0)
    lane.failed(error(Kind.UNREACHABLE))
    lane.failed(error(Kind.TRANSIENT))
    await clock.advance(50.0)
    lane.failed(error(Kind.UNREACHABLE))
    await clock.advance(100.0)
    with pytest.raises(MachineError, match="could not be reached for 100 s"):
        lane.failed(error(Kind.UNREACHABLE))


async def test_who_gives_up_at_a_shut_gate_leaves_its_place(lane: Lane, clock: FakeClock):
    """Cancelled while waiting for the gate, nobody holds a place."""
    lane.failed(error(Kind.UNREACHABLE))
    entering = asyncio.create_task(lane.enter())
    await clock.settle()
    assert lane.places.taken == 1
    entering.cancel()
    await clock.settle()
    assert lane.places.taken == 0


async def test_a_run_tells_how_its_limits_moved_and_what_it_asked(tmp_path):
    """The summary and the journal have the lanes' limits and the pace; calls and refusals are what the remote saw."""
    bench = Bench(tmp_path).pictures(60)
    bench.remote.listed, bench.remote.most_per_s = Listed.BY_KEY, 10
    summary = await bench.restore()
    assert summary.done == 60
    made = {call: bench.remote.count(call) for call in ("submit", "status", "listing", "link", "file")}
    assert summary.calls == {call: count for call, count in made.items() if count}
    assert summary.requests == len(bench.remote.requests)
    assert summary.refusals == len(bench.remote.refusals) > 0
    assert set(summary.limits) == {"submit", "poll", "download", "requests_per_s"}
    assert summary.limits["submit"][0] == (0.0, 4)
    (mark,) = [record for record in read(bench.run_folder.journal) if record["event"] == "limits"]
    for name, moved in summary.limits.items():
        assert [list(point) for point in moved] == [list(point) for point in mark[name]]


async def test_a_run_that_was_never_refused_has_no_pace_to_tell(bench):
    """Without a 429 requests are not spaced."""
    summary = await bench.restore()
    assert (summary.refusals, "requests_per_s" in summary.limits) == (0, False)


async def test_a_first_server_error_that_says_when_to_come_back_is_obeyed(lane: Lane, clock: FakeClock):
    """Retry-After shuts the lane for so long, however many successes there were before."""
    lane.worked()
    lane.failed(error(Kind.TRANSIENT, 20.0))
    assert await opens_after(lane, clock) >= 20.0
