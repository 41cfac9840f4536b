"""Runs of two stages, killed at any moment and with any journal: two remote jobs for each picture, and its output."""

import contextlib
import random

import pytest

from engine.pipeline.closing import Reason
from engine.pipeline.summary import ExitCode
from tests.fakes.remote import Answer, Listed, Lost, NoConnection
from tests.pipeline.chained import chain, check_is_whole, names, stop_on_second_stage
from tests.pipeline.harness import noise
from tests.pipeline.test_resume import Crash, crash_at

BACKENDS = pytest.mark.parametrize("is_ours", [True, False], ids=["ours", "vendor"])


@BACKENDS
@pytest.mark.parametrize("exchange", range(1, 31))  # the greeting, then about nine for each picture
async def test_a_crash_at_any_exchange_is_made_good(tmp_path, exchange, is_ours):
    """Die at the n-th request, resume: two remote jobs for each picture, and its output."""
    bench = chain(tmp_path, 3, is_ours=is_ours)
    crash_at(bench, exchange)
    with contextlib.suppress(Crash, BaseExceptionGroup):
        await bench.restore()
    bench.remote.before = lambda _call: None
    assert (await bench.resume()).exit_code is ExitCode.DONE
    check_is_whole(bench, 3)


@BACKENDS
@pytest.mark.parametrize("steps", [(7, 6, 5), (9, 9, 9), (12, 3, 2, 2, 2), (4, 4, 4, 4, 4, 4)])
async def test_several_crashes_are_made_good(tmp_path, steps, is_ours):
    """Killed again and again, each time after so many requests of its own."""
    bench = chain(tmp_path, 4, is_ours=is_ours)
    alive = bench.restore
    for exchanges in steps:
        crash_at(bench, exchanges)
        with contextlib.suppress(Crash, BaseExceptionGroup):
            await alive()
        alive = bench.resume
    bench.remote.before = lambda _call: None
    assert (await bench.resume()).exit_code is ExitCode.DONE
    check_is_whole(bench, 4)


@BACKENDS
async def test_a_journal_cut_at_any_line_or_inside_any_is_made_good(tmp_path, is_ours):
    """Take any end off the journal of a finished run: no third remote job, and everything is where it was."""
    bench = chain(tmp_path, 2, is_ours=is_ours)
    await bench.restore()
    whole = bench.run_folder.journal.read_bytes()
    ends = [at + 1 for at, byte in enumerate(whole) if byte == ord("\n")]
    for cut in [0, *ends[:-1], *(end - 9 for end in ends)]:
        bench.run_folder.journal.write_bytes(whole[:cut])
        assert (await bench.resume()).exit_code is ExitCode.DONE, cut
        check_is_whole(bench, 2)


async def test_a_lost_journal_is_made_good_though_the_own_service_has_forgotten(tmp_path):
    """Outputs in place speak for both stages when neither journal nor service knows of them any more."""
    bench = chain(tmp_path, 3, is_own=True)
    await bench.restore()
    bench.run_folder.journal.write_bytes(b"")
    assert (await bench.resume()).exit_code is ExitCode.DONE
    check_is_whole(bench, 3)


@BACKENDS
@pytest.mark.parametrize("is_stopped", [True, False], ids=["half done", "done"])
async def test_a_journal_that_lost_any_line_or_two_is_made_good(tmp_path, is_stopped, is_ours):
    """Damage any line, any two neighbours, or all of one kind: no third remote job."""
    bench = chain(tmp_path, 2, is_ours=is_ours)
    if is_stopped:
        await stop_on_second_stage(bench)
    else:
        await bench.restore()
    lines = bench.run_folder.journal.read_bytes().splitlines(keepends=True)
    accepted = list(bench.remote.accepted)
    damages = [*({at} for at in range(len(lines))), *({at, at + 1} for at in range(len(lines) - 1))]
    words = (b'"staged"', b'"intent"', b'"acc')
    damages.extend({at for at, line in enumerate(lines) if word in line} for word in words)
    jobs = dict(bench.remote.jobs)
    for lost in damages:
        for path in bench.out.glob("*.jpg"):
            path.unlink()
        bench.remote.accepted[:] = accepted
        bench.remote.jobs = dict(jobs)
        damaged = [b"rubbish" + line if at in lost else line for at, line in enumerate(lines)]
        _put(bench, [*damaged, b'{"event":"opened","crc":"00000000"}\n'])
        summary = await bench.resume()
        assert sorted(bench.remote.accepted) == names(2), (lost, [lines[at] for at in lost])
        assert summary.in_flight == 0, lost


def _put(bench, lines):
    bench.run_folder.journal.write_bytes(b"".join(lines))
    bench.run_folder.snapshot.unlink(missing_ok=True)
    bench.run_folder.results.unlink(missing_ok=True)


async def test_a_copy_that_was_deleted_between_two_processes_is_fetched_once_more(tmp_path):
    """The result between the stages is at the backend still: its loss costs a download and no remote job."""
    bench = chain(tmp_path, 2, is_ours=False)
    bench.remote.result, bench.remote.size = noise((1000, 900)), (1000, 900)

    def stop(call):
        if call == "submit" and len(bench.remote.accepted) == 2:
            bench.closing.tell(Reason.INTERRUPTED, "interrupted")
            bench.remote.always["submit"] = Answer(402)

    bench.remote.before = stop
    await bench.restore()
    bench.remote.before = lambda _call: None
    bench.remote.always.clear()
    copies = list((bench.run_folder.path / "staged").iterdir())
    assert copies
    for path in copies:
        path.unlink()
    assert (await bench.resume()).exit_code is ExitCode.DONE
    check_is_whole(bench, 2)


FAULTS = (Answer(429), Answer(500), Answer(503), Lost(is_done=True), Lost(is_done=False), NoConnection())


@pytest.mark.parametrize("seed", range(40))
async def test_any_sequence_of_kills_ends_with_two_remote_jobs_for_each_picture(tmp_path, seed):
    """Faults, kills and torn journals as they fall, at any backend: one output each, and the money is right."""
    draw = random.Random(seed)
    is_own = seed % 4 == 0
    bench = chain(tmp_path, draw.randint(1, 5), is_ours=is_own or seed % 2 == 0, is_own=is_own)
    bench.remote.listed = draw.choice(list(Listed))
    bench.settings = {"submit_concurrency": draw.choice([1, 4]), "submit_attempts": 50}
    alive = bench.restore
    for _life in range(draw.randint(2, 6)):
        for call in ("submit", "status", "listing", "link", "file", "forget"):
            bench.remote.fault(call, *draw.choices(FAULTS, k=draw.randint(0, 3)))
        crash_at(bench, draw.randint(2, 25))
        with contextlib.suppress(Crash, BaseExceptionGroup):
            await alive()
        bench.remote.faults.clear()
        if bench.run_folder.journal.exists() and draw.random() < 0.5:
            whole = bench.run_folder.journal.read_bytes()
            bench.run_folder.journal.write_bytes(whole[: draw.randint(len(whole) // 2, len(whole))])
        alive = bench.resume
    bench.remote.before = lambda _call: None
    assert (await bench.resume()).exit_code is ExitCode.DONE
    check_is_whole(bench, len(list(bench.inputs.iterdir())))
