"""A pool whose members are sick: no picture fails for what one of them does, and none is flooded."""

import pytest

from engine.pipeline.summary import ExitCode
from tests.fakes.remote import Answer, Lost, NoConnection
from tests.pipeline.test_pool import Pools

GARBAGE = Answer(200, {}, b"<html>log in</html>")
AWAY = dict.fromkeys(("submit", "status", "listing", "link", "file"), NoConnection())


@pytest.fixture
def pools(tmp_path) -> Pools:
    pools = Pools(tmp_path, settings={"max_in_flight": 30}).pictures(60)
    for member in pools.members:
        member.job_s = 20.0
    return pools


async def test_a_busy_member_is_not_flooded(pools):
    """Each of its answers says when to come again."""
    pools.members[1].always = {"submit": Answer(425, {"Retry-After": "30"})}
    assert (await pools.restore()).done == 60
    assert pools.members[1].count("submit") <= 1 + pools.clock.monotonic() / 30.0


@pytest.mark.parametrize("answer", [GARBAGE, Answer(400), Answer(503)], ids=["garbage", "400", "503"])
async def test_a_member_that_takes_none_costs_no_picture(pools, answer):
    """What it does not take is taken elsewhere, and it is asked less and less."""
    pools.members[1].always = {"submit": answer}
    summary = await pools.restore()
    assert (summary.done, summary.failed) == (60, 0)
    assert pools.members[1].count("submit") < 20


async def test_a_picture_that_all_refuse_fails_alone(pools):
    """Sent to each member once, where none has taken any yet."""
    for member in pools.members:
        member.always = {"submit": Answer(400)}
    summary = await pools.restore()
    assert (summary.failed, summary.exit_code) == (60, ExitCode.FAILED_JOBS)
    assert all(member.count("submit") <= 60 for member in pools.members)


async def test_jobs_of_a_member_that_is_away_are_past_no_deadline(pools):
    """Longer than any job may take: they are waited for, and done when it is back."""
    pools.settings |= {"job_deadline_s": 100.0, "unreachable_limit_s": 10_000.0}

    def vanish(_call):
        is_away = len(pools.members[1].accepted) > 3 and pools.clock.monotonic() < 1000.0
        pools.members[1].always = AWAY if is_away else {}

    for member in pools.members:
        member.before = vanish
    summary = await pools.restore()
    assert (summary.done, summary.failed) == (60, 0)
    assert pools.clock.monotonic() > 1000.0


async def test_when_nothing_else_is_left_the_run_stops_resumably(pools):
    """Neither lost nor failed."""

    def vanish(_call):
        if len(pools.members[1].accepted) > 3:
            pools.members[1].always = AWAY

    for member in pools.members:
        member.before = vanish
    summary = await pools.restore()
    assert (summary.exit_code, summary.failed) == (ExitCode.INTERRUPTED, 0)
    assert summary.in_flight == len(pools.members[1].accepted) == 60 - summary.done
    for member in pools.members:
        member.before, member.always = lambda _call: None, {}
    assert (await pools.resume()).done == 60
    assert len(pools.accepted) == 60


async def test_what_a_failed_sweep_found_is_adopted(pools):
    """Only an absence needs all members."""
    pools.members[1].always = AWAY
    pools.members[0].fault("submit", Lost(is_done=True))
    summary = await pools.restore()
    assert (summary.done, summary.adopted) == (60, 1)


async def test_a_listing_in_a_circle_is_not_read_without_a_pause(pools):
    """However well each of its pages is answered."""
    pools.settings["unreachable_limit_s"] = 300.0
    pools.given = [0]
    remote = pools.members[0]
    remote.is_circular = True
    remote.fault("submit", Lost(is_done=False))

    def before(_call):
        if remote.count("listing") > 500:
            pools.closing.leaving.set()

    remote.before = before
    summary = await pools.restore()
    assert (summary.exit_code, summary.failed) == (ExitCode.INTERRUPTED, 0)
    assert "can't be found out" in summary.message
    assert remote.count("listing") < 200


async def test_one_members_file_host_that_is_down_holds_up_no_download_of_the_others(pools):
    """Nor is it the end of the run."""
    pools.settings["unreachable_limit_s"] = 5.0
    pools.members[1].always = {"file": NoConnection()}

    def mend(_call):
        if pools.clock.monotonic() > 500.0:
            pools.members[1].always = {}

    for member in pools.members:
        member.before = mend
    assert (await pools.restore()).done == 60
