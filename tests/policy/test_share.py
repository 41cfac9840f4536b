"""Which member of a pool gets the next job, in closed loops of made-up members."""

import heapq

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.policy.share import Load, choose


class _Server:
    """Works at `at_once` jobs, each for `job_s`; `tells` what it expects with each acceptance."""

    def __init__(self, at_once: int, job_s: float, *, tells: bool = False) -> None:
        self.at_once, self.job_s, self.tells = at_once, job_s, tells
        self.free_at = [0.0] * at_once
        self.load = Load(0.0)

    @property
    def per_s(self) -> float:
        return self.at_once / self.job_s

    def take(self, now: float) -> float:
        """Return when the job will be done."""
        done_at = max(now, heapq.heappop(self.free_at)) + self.job_s
        heapq.heappush(self.free_at, done_at)
        return done_at


def _run(servers: list[_Server], *, jobs: int, in_flight: int) -> list[int]:
    """Keep `in_flight` jobs under way until `jobs` are done; return how many each server did."""
    now, done = 0.0, [0] * len(servers)
    under_way: list[tuple[float, int]] = []
    for _job in range(jobs):
        if len(under_way) == in_flight:
            now, which = heapq.heappop(under_way)
            servers[which].load.ended(now)
            done[which] += 1
        which = choose([(server.load, 0.0) for server in servers], now)
        server = servers[which]
        server.load.sent(now)
        done_at = server.take(now)
        if server.tells:
            server.load.told(done_at - now)
        heapq.heappush(under_way, (done_at, which))
    for _at, which in under_way:
        done[which] += 1
    return done


def _shares(servers: list[_Server], done: list[int]) -> list[float]:
    """Return each server's part of the work in units of what its speed entitles it to."""
    speed = sum(server.per_s for server in servers)
    return [each / sum(done) / (server.per_s / speed) for server, each in zip(servers, done, strict=True)]


@pytest.mark.parametrize("tells", [False, True])
@pytest.mark.parametrize("job_s", [0.1, 10.0, 1200.0])
def test_busy_members_get_their_speeds_share(job_s: float, tells: bool):
    """1 : 2 : 4, whether jobs take moments or a third of an hour, and whether or not it is foretold."""
    servers = [_Server(workers, job_s, tells=tells) for workers in (4, 8, 16)]
    assert _shares(servers, _run(servers, jobs=2000, in_flight=60)) == pytest.approx([1.0, 1.0, 1.0], abs=0.1)


@given(
    workers=st.lists(st.integers(min_value=1, max_value=16), min_size=2, max_size=5),
    job_s=st.floats(min_value=0.05, max_value=500.0),
)
@settings(max_examples=40, deadline=None)
def test_no_member_is_forgotten_or_buried(workers: list[int], job_s: float):
    """Whatever the speeds: each gets its share, within a third."""
    servers = [_Server(count, job_s) for count in workers]
    shares = _shares(servers, _run(servers, jobs=3000, in_flight=3 * sum(workers)))
    assert all(0.66 < share < 1.5 for share in shares)


def test_a_member_with_room_is_preferred_to_one_with_a_queue():
    """Few jobs in flight go where they are done soonest, not everywhere evenly."""
    quick, slow = _Server(8, 1.0), _Server(8, 10.0)
    quick_done, slow_done = _run([quick, slow], jobs=400, in_flight=8)
    assert quick_done > 8 * slow_done


def test_every_member_is_tried():
    """Nobody is passed over for being unknown."""
    loads = [Load(0.0) for _member in range(5)]
    for _job in range(5):
        loads[choose([(load, 0.0) for load in loads], 0.0)].sent(0.0)
    assert [load.in_flight for load in loads] == [1] * 5


def test_a_member_that_stalls_gets_less_and_less():
    """Though nothing of it ever ends to tell so."""
    good, stuck = Load(0.0), Load(0.0)
    given_to_stuck = []
    for second in range(200):
        now = float(second)
        which = choose([(good, 0.0), (stuck, 0.0)], now)
        (good, stuck)[which].sent(now)
        if which == 0:
            good.ended(now + 0.5)
        else:
            given_to_stuck.append(second)
    assert len(given_to_stuck) < 10
    assert stuck.in_flight == len(given_to_stuck)


def test_what_is_foretold_decides_before_anything_has_ended():
    """The first jobs of a long run are not spread evenly for want of anything better."""
    servers = [_Server(1, 100.0, tells=True), _Server(9, 100.0, tells=True)]
    done = _run(servers, jobs=100, in_flight=100)
    assert 5 <= done[0] <= 20


def test_a_request_that_has_to_wait_counts():
    """A member slowed by its rate limit is no place for what can leave at once elsewhere."""
    loads = [Load(0.0), Load(0.0)]
    assert choose([(loads[0], 5.0), (loads[1], 0.0)], 0.0) == 1


def test_idle_time_is_not_held_against_a_member():
    """Only while it has something to do can it be slow."""
    load = Load(0.0)
    load.sent(0.0)
    load.ended(2.0)
    assert load.per_s == pytest.approx(0.5)
    load.sent(1000.0)
    load.ended(1002.0)
    assert load.per_s == pytest.approx(0.5, rel=0.05)


def test_what_never_arrived_is_not_counted():
    load = Load(0.0)
    load.sent(0.0)
    load.withdrawn(1.0)
    assert (load.in_flight, load.taken, load.per_s) == (0, 0, None)
    load.ended(2.0)
    assert load.in_flight == 0
