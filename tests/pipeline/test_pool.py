"""The pipeline over a pool of remotes in memory: one member's trouble is not the run's."""

import random
from dataclasses import dataclass, field

import pytest

from engine.pipeline.opening import Opened
from engine.pipeline.run import run
from engine.pipeline.summary import ExitCode, Summary
from engine.remote.endpoint import Endpoint
from engine.remote.member_id import member_id
from tests.fakes.remote import BASE, KEY, Answer, FakeRemote, Lost, NoConnection
from tests.pipeline.harness import SIZE, Bench, picture


@dataclass
class Pools(Bench):
    """A bench whose backend are several remotes, `members`; `given` says which of them a process is told of."""

    given: list[int] = field(default_factory=lambda: [0, 1, 2])

    def __post_init__(self) -> None:
        super().__post_init__()
        self.members = [self.remote, *(FakeRemote(self.clock, result=picture(), size=SIZE) for _more in range(2))]

    @property
    def accepted(self) -> list[str]:
        return sorted(name for member in self.members for name in member.accepted)

    def ids(self) -> list[str]:
        return [member_id(self.address(number), KEY) for number in range(3)]

    @staticmethod
    def address(number: int) -> str:
        return f"https://m{number}.test/image/v1"

    def everywhere(self, call: str, *faults) -> None:
        for member in self.members:
            member.fault(call, *faults)

    async def carry_out(self, opened: Opened) -> Summary:
        await self.clock.sleep(0)
        (first, *others) = [(self.address(number), KEY) for number in self.given]
        return await run(
            opened,
            Endpoint(name="pool", base_url=first[0], key=first[1], others=tuple(others), settle_s=10.0),
            transport=self,
            clock=self.clock,
            draw=random.Random(1).random,
            closing=self.closing,
            on_start=self.on_start,
        )

    # A transport: each member by its address, a file by whoever has the job.

    async def request(self, method, url, *, headers, upload=None):
        number = int(url.removeprefix("https://m")[0])
        url = url.replace(self.address(number), BASE)
        return await self.members[number].request(method, url, headers=headers, upload=upload)

    def stream(self, url, *, headers):
        process_id = url.partition("files.test/")[2].partition("?")[0]
        owner = next(member for member in self.members if process_id in member.jobs)
        return owner.stream(url, headers=headers)


@pytest.fixture
def pools(tmp_path) -> Pools:
    return Pools(tmp_path).pictures(30)


async def test_all_members_work_and_nothing_is_sent_twice(pools):
    """Each picture once, wherever; process ids in the results say where."""
    summary = await pools.restore()
    assert (summary.done, summary.exit_code) == (30, ExitCode.DONE)
    assert len(pools.accepted) == len(set(pools.accepted)) == 30
    assert all(member.accepted for member in pools.members)
    assert {row["process_id"].partition(":")[0] for row in pools.results()} == set(pools.ids())
    assert summary.requests == sum(len(member.requests) for member in pools.members)


async def test_the_faster_member_gets_more(tmp_path):
    """With a bound on what is in flight, work goes where it gets done."""
    pools = Pools(tmp_path, settings={"max_in_flight": 12}).pictures(240)
    for member, job_s in zip(pools.members, (16.0, 8.0, 4.0), strict=True):
        member.job_s = job_s
    assert (await pools.restore()).done == 240
    slow, _middle, quick = (len(member.accepted) for member in pools.members)
    assert quick > 2 * slow


async def test_unclear_submits_are_looked_up_at_all_members(pools):
    """What was accepted is adopted where it is; what was not is sent again, perhaps elsewhere."""
    for member in pools.members:
        member.fault("submit", Lost(is_done=True), Lost(is_done=False), Lost(is_done=True))
    summary = await pools.restore()
    assert summary.done == 30
    assert summary.adopted == 6
    assert len(pools.accepted) == len(set(pools.accepted)) == 30


async def test_a_member_that_can_not_be_reached_is_done_without(pools):
    """The others take its share; nothing waits for it."""
    pools.members[1].always = dict.fromkeys(("submit", "status", "listing", "link"), NoConnection())
    summary = await pools.restore()
    assert (summary.done, pools.members[1].accepted) == (30, [])


async def test_a_member_that_goes_away_with_jobs_is_waited_for(pools):
    """The others go on; when it is back its jobs are fetched, and none was sent anywhere else."""
    away = dict.fromkeys(("submit", "status", "listing", "link", "file"), NoConnection())

    def vanish(_call):
        is_away = len(pools.members[1].accepted) > 3 and pools.clock.monotonic() < 200.0
        pools.members[1].always = away if is_away else {}

    for member in pools.members:
        member.before = vanish
    summary = await pools.restore()
    assert summary.done == 30
    assert len(pools.accepted) == len(set(pools.accepted)) == 30
    assert pools.clock.monotonic() > 200.0


async def test_when_all_go_away_the_run_stops_resumably(pools):
    """As with one backend."""
    pools.settings["unreachable_limit_s"] = 100.0
    for member in pools.members:
        member.always = {"submit": NoConnection()}
    summary = await pools.restore()
    assert summary.exit_code is ExitCode.INTERRUPTED
    assert "could not be reached" in summary.message
    for member in pools.members:
        member.always = {}
    assert (await pools.resume()).done == 30


class TestKeys:
    """A key that is refused closes one member."""

    async def test_at_once(self, pools):
        """The others do it all, and it is said once."""
        pools.members[1].always = dict.fromkeys(("submit", "status", "listing"), Answer(401))
        summary = await pools.restore()
        assert (summary.done, summary.exit_code, pools.members[1].accepted) == (30, ExitCode.DONE, [])
        (note,) = summary.notes
        assert "m1.test" in note
        assert KEY not in note

    async def test_midway_its_jobs_wait_for_a_resume(self, pools):
        """The others' end well; those in flight there are not given up, and not sent elsewhere."""

        def revoke(_call):
            if len(pools.members[1].accepted) >= 4:
                pools.members[1].always = dict.fromkeys(("submit", "status", "listing", "link"), Answer(403))

        for member in pools.members:
            member.before = revoke
        summary = await pools.restore()
        assert summary.exit_code is ExitCode.KEY_REFUSED
        assert summary.failed == 0
        assert summary.done + summary.in_flight == 30
        assert 0 < summary.in_flight <= len(pools.members[1].accepted)
        for member in pools.members:
            member.before, member.always = lambda _call: None, {}
        assert (await pools.resume()).done == 30
        assert len(pools.accepted) == len(set(pools.accepted)) == 30

    async def test_of_all_members_stop_the_run(self, pools):
        """Before anything is sent."""
        for member in pools.members:
            member.always = {"listing": Answer(401)}
        summary = await pools.restore()
        assert (summary.exit_code, pools.accepted) == (ExitCode.KEY_REFUSED, [])


class TestCredits:
    """A member without credits is sent nothing more."""

    async def test_the_others_go_on(self, pools):
        pools.members[0].always = {"submit": Answer(402)}
        summary = await pools.restore()
        assert (summary.done, pools.members[0].accepted) == (30, [])
        assert "m0.test" in summary.notes[0]

    async def test_when_none_has_any_the_run_ends_resumably(self, pools):
        for member in pools.members:
            member.always = {"submit": Answer(402)}
        summary = await pools.restore()
        assert (summary.exit_code, summary.waiting) == (ExitCode.NO_CREDITS, 30)
        for member in pools.members:
            member.always = {}
        assert (await pools.resume()).done == 30


class TestOtherMembers:
    """A resume may be told of other members than the process before."""

    async def _left_in_flight(self, pools: Pools) -> None:
        """Leave jobs at all members."""

        def leave(_call):
            if len(pools.accepted) == 30:
                pools.closing.leaving.set()

        for member in pools.members:
            member.job_s, member.before = 1000.0, leave
        summary = await pools.restore()
        assert (summary.done, len(pools.accepted)) == (0, 30)
        for member in pools.members:
            member.job_s, member.before = 1.0, lambda _call: None

    async def test_in_another_order_nothing_changes(self, pools):
        await self._left_in_flight(pools)
        pools.given = [2, 0, 1]
        assert (await pools.resume()).done == 30
        assert len(pools.accepted) == 30

    async def test_jobs_of_one_that_is_missing_wait_until_it_is_given_again(self, pools):
        """They are looked for at the others, not found, and neither failed nor paid for twice."""
        await self._left_in_flight(pools)
        there = len(pools.members[1].accepted)
        pools.given = [0, 2]
        summary = await pools.resume()
        assert (summary.done, summary.in_flight, summary.failed) == (30 - there, there, 0)
        assert "give them again" in summary.message
        pools.given = [0, 1, 2]
        assert (await pools.resume()).done == 30
        assert len(pools.accepted) == 30

    async def test_also_when_only_one_is_left(self, pools):
        """A single client asks after no job of a pool by its id."""
        await self._left_in_flight(pools)
        here = len(pools.members[0].accepted)
        pools.given = [0]
        summary = await pools.resume()
        assert (summary.done, summary.failed) == (here, 0)
        pools.given = [0, 1, 2]
        assert (await pools.resume()).done == 30
        assert len(pools.accepted) == 30

    async def test_jobs_from_before_the_pool_are_found_by_their_names(self, pools):
        """What one backend began a pool with it goes on."""
        pools.given = [0]
        await self._left_in_flight(pools)
        pools.given = [0, 1, 2]
        assert (await pools.resume()).done == 30
        assert len(pools.accepted) == 30
