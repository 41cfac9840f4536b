"""Runs of two stages over a pool whose members come and go between processes."""

import contextlib
import io
import random
from pathlib import Path

import pytest
from PIL import Image

from engine.job.enhance import Enhance
from engine.job.parameters import FaceRecovery, OutputFormat
from engine.pipeline.closing import Closing
from engine.pipeline.summary import Summary
from tests.fakes.remote import Answer, Listed, Lost, NoConnection
from tests.pipeline.chained import FINAL, names
from tests.pipeline.harness import SIZE, picture
from tests.pipeline.test_pool import Pools
from tests.pipeline.test_pool_members import put_back
from tests.pipeline.test_resume import Crash

FAULTS = (Answer(429), Answer(500), Answer(503), Lost(is_done=True), Lost(is_done=False), NoConnection())
ALONE_OR_NOT = ([0], [0, 1], [1, 0], [2, 1], [0, 2], [2, 1, 0])  # what the one backend is, is a member as well


def chained(folder: Path, count: int, *, is_ours: bool) -> Pools:
    """Return a bench for `restore --then enhance` over a pool."""
    parameters = FaceRecovery(output_format=OutputFormat.PNG)
    pools = Pools(folder, parameters=parameters, then=Enhance(output_width=FINAL[0])).pictures(count)
    data = io.BytesIO()
    Image.new("RGB", SIZE, (10, 200, 30)).save(data, "PNG")
    for member in pools.members:
        member.result, member.size, member.is_ours = data.getvalue(), SIZE, is_ours
        member.enhanced, member.enhanced_size = picture(FINAL), FINAL
    return pools


def kill_at(pools: Pools, call: int) -> None:
    calls = iter(range(1, call))

    def before(_call):
        if next(calls, None) is None:
            raise Crash("killed")

    for member in pools.members:
        member.before = before


async def live(pools: Pools, draw: random.Random) -> None:
    """Carry the run on with some of the members, under faults, until it is killed or ends."""
    for member in pools.members:
        for call in ("submit", "status", "listing", "link", "file"):
            member.fault(call, *draw.choices(FAULTS, k=draw.randint(0, 2)))
    kill_at(pools, draw.randint(2, 40))
    pools.given = draw.choice(ALONE_OR_NOT)
    with contextlib.suppress(Crash, BaseExceptionGroup):
        await go_on(pools)


async def go_on(pools: Pools) -> Summary:
    pools.closing = Closing()
    return await (pools.resume() if pools.run_folder.has_plan else pools.restore())


@pytest.mark.parametrize("seed", range(60))
async def test_whatever_members_each_process_had_there_are_two_remote_jobs_for_each_picture(tmp_path, seed):
    draw = random.Random(seed)
    pools = chained(tmp_path, draw.randint(1, 5), is_ours=seed % 2 == 0)
    count = len(list(pools.inputs.iterdir()))
    for member in pools.members:
        member.listed = draw.choice(list(Listed))
    pools.settings = {"submit_concurrency": draw.choice([1, 4]), "submit_attempts": 50}
    for _life in range(draw.randint(1, 5)):
        await live(pools, draw)
    for member in pools.members:
        member.before = lambda _call: None
        member.faults.clear()
    pools.given = [0, 1, 2]
    summary = await go_on(pools)
    assert (summary.done, summary.failed) == (count, 0)
    assert pools.accepted == names(count)


async def test_a_retry_does_no_first_stage_again_whose_member_is_not_given(tmp_path):
    """It waits; of those that are there, the second stages are sent anew."""
    pools = chained(tmp_path, 6, is_ours=False)
    fates = dict.fromkeys(range(6), ("Failed", "bad luck"))
    for member in pools.members:
        member.later_fates = fates
    assert (await pools.restore()).failed == 6
    for member in pools.members:
        member.later_fates = {}
    here = sum(name.endswith(".jpg") for name in pools.members[0].accepted)
    pools.given = [0]
    retried = await put_back(pools)
    assert (retried.fetched, retried.left.total(), retried.sent_anew) == (here, 6 - here, 0)
