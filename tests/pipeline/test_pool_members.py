"""Other members than before: whatever is at one that is not given waits, and nothing is paid for twice."""

import random

import pytest

from engine.pipeline import opening
from engine.pipeline.closing import Closing, Reason
from engine.pipeline.opening import reopened, without_journal
from engine.pipeline.recover import find_rows, rebuild
from engine.pipeline.retry import Retried, retry
from engine.pipeline.summary import Summary
from engine.pipeline.visit import Visit
from engine.remote.connect import connect
from engine.remote.endpoint import Endpoint
from engine.settings import Settings
from tests.fakes.remote import KEY, Answer, Lost
from tests.pipeline.harness import Bench
from tests.pipeline.test_pool import Pools

OTHERS = [[0, 2], [0]]


@pytest.fixture
def pools(tmp_path) -> Pools:
    return Pools(tmp_path).pictures(12)


def _visit(pools: Pools, opened: opening.Opened) -> Visit:
    (first, *others) = [(pools.address(number), KEY) for number in pools.given]
    endpoint = Endpoint(name="pool", base_url=first[0], key=first[1], others=tuple(others), settle_s=10.0)
    draw = random.Random(1).random
    client = connect(endpoint, pools, pools.clock, Settings().backoff(), draw)
    return Visit(opened=opened, endpoint=endpoint, client=client, clock=pools.clock, draw=draw)


async def put_back(pools: Pools) -> Retried:
    """Put failed jobs back with the members that are given."""
    await pools.clock.sleep(0)
    with opening.resume(pools.run_folder, {}) as opened:
        return await retry(_visit(pools, opened))


async def _retry(pools: Pools) -> tuple[Retried, Summary]:
    await pools.clock.sleep(0)
    pools.closing = Closing()
    with opening.resume(pools.run_folder, {"max_result_bytes": 10**6}) as opened:
        return await retry(_visit(pools, opened)), await pools.carry_out(reopened(opened))


async def _leave(pools: Pools, when) -> None:
    def leave(_call):
        if when():
            pools.closing.leaving.set()

    for member in pools.members:
        member.job_s, member.before = 1000.0, leave
    await pools.restore()
    for member in pools.members:
        member.job_s, member.before, member.always = 1.0, lambda _call: None, {}


async def _all_is_well(pools: Pools) -> None:
    pools.given = [0, 1, 2]
    assert (await pools.resume()).done == 12
    assert len(pools.accepted) == len(set(pools.accepted)) == 12


@pytest.mark.parametrize("given", OTHERS)
async def test_accepted_jobs_wait_however_often_the_run_is_resumed(pools, given):
    """What is known of them outlasts every process that can't use it, and none notes that it could not."""
    await _leave(pools, lambda: len(pools.accepted) == 12)
    pools.given = given
    for _again in range(3):
        summary = await pools.resume()
        assert (summary.failed, len(pools.accepted)) == (0, 12)
        assert summary.in_flight > 0
    waiting = [number for number in range(12) if "done" not in pools.events(number)]
    assert all(pools.events(number) == ["intent", "accepted"] for number in waiting)
    await _all_is_well(pools)


@pytest.mark.parametrize("given", OTHERS)
async def test_so_do_uploads_of_which_it_is_unclear_whether_they_arrived(pools, given):
    """The intent says where they went."""
    pools.members[1].always = {"submit": Lost(is_done=True)}
    await _leave(pools, lambda: pools.members[1].accepted and "unclear" in pools.events())
    pools.given = given
    for _again in range(2):
        summary = await pools.resume()
        assert (summary.failed, len(pools.accepted)) == (0, len(set(pools.accepted)))
        assert summary.in_flight > 0
    await _all_is_well(pools)


@pytest.mark.parametrize("given", [[0, 1, 2], [2, 0]])
async def test_uploads_from_before_the_pool_that_never_arrived_are_sent_again(pools, given):
    """The one backend of then is a member: its listing proves it."""
    pools.given = [0]
    pools.members[0].always = {"submit": Lost(is_done=False)}
    await _leave(pools, lambda: "unclear" in pools.events())
    pools.given = given
    assert (await pools.resume()).done == 12
    await _all_is_well(pools)


async def test_uploads_from_before_a_pool_without_that_backend_wait(pools):
    pools.given = [0]
    pools.members[0].always = {"submit": Lost(is_done=True)}
    await _leave(pools, lambda: "unclear" in pools.events())
    pools.given = [1, 2]
    summary = await pools.resume()
    assert summary.in_flight > 0
    await _all_is_well(pools)


async def test_a_member_that_closes_after_an_unclear_upload_keeps_it(pools):
    """Though it answered nothing but that before."""
    pools.members[1].fault("listing", Answer(500))
    pools.members[1].fault("submit", Lost(is_done=True))

    def revoke(_call):
        if pools.members[1].accepted:
            pools.members[1].always = dict.fromkeys(("submit", "status", "listing", "link"), Answer(401))

    for member in pools.members:
        member.before = revoke
    summary = await pools.restore()
    assert (summary.done, summary.in_flight) == (11, 1)
    for member in pools.members:
        member.before, member.always = lambda _call: None, {}
    await _all_is_well(pools)


@pytest.mark.parametrize(("before", "after"), [([0], [0, 1]), ([0, 1], [1, 0]), ([0, 1], [0]), ([0, 1, 2], [2, 1])])
async def test_a_retry_pays_for_no_result_again(pools, before, after):
    """It is found by its filename, or waits for its member."""
    pools.settings = {"max_result_bytes": 10}
    pools.given = before
    assert (await pools.restore()).failed == 12
    pools.given = after
    retried, summary = await _retry(pools)
    assert (retried.sent_anew, retried.fetched) == (0, summary.done)
    assert (retried.left.total(), len(pools.accepted)) == (12 - summary.done, 12)
    pools.given = [0, 1, 2]
    assert (await _retry(pools))[1].done == 12
    assert len(pools.accepted) == 12


@pytest.mark.parametrize("given", OTHERS)
async def test_a_recovered_journal_says_what_is_at_a_member_that_is_not_given(pools, given):
    """As far as the old one said so."""
    await _leave(pools, lambda: len(pools.accepted) == 12)
    pools.given = given
    with without_journal(pools.run_folder) as opened:
        found = await find_rows(_visit(pools, opened))
        assert rebuild(opened, found, pools.clock).adopted == 12
    assert (await pools.resume()).in_flight > 0
    await _all_is_well(pools)


async def test_with_one_backend_a_job_that_expired_there_is_not_paid_for_again(tmp_path):
    """Whenever the process that learned it was stopped."""
    bench = Bench(tmp_path).pictures(1)
    bench.remote.job_s = 1000.0

    def leave(_call):
        if bench.remote.accepted and ("unclear" in bench.events()) == (not bench.remote.jobs):
            bench.closing.tell(Reason.INTERRUPTED, "stopped")

    bench.remote.before = leave
    await bench.restore()
    bench.remote.jobs.clear()
    await bench.resume()
    bench.remote.before = lambda _call: None
    assert bench.events().count("unclear") == 1
    summary = await bench.resume()
    assert (summary.failed, len(bench.remote.accepted)) == (1, 1)
    assert "does not know process" in next(iter(summary.reasons))
