"""Whatever moment a run is cut off at, the next one loses nothing and pays for nothing twice."""

import pytest

from engine.errors import UsageError
from engine.inputs.naming import Namer
from engine.job.parameters import OutputFormat
from engine.journal.line import encode
from engine.journal.replay import read
from engine.pipeline.closing import Reason
from engine.pipeline.inspection import inspect
from engine.pipeline.opening import begin, resume
from engine.pipeline.plan import Known, scan_order
from engine.pipeline.summary import ExitCode
from tests.fakes.remote import KEY, Answer, Cut, Lost, NoConnection
from tests.pipeline.harness import Bench, noise, picture


class Crash(BaseException):
    """The process dies here: nothing of the engine may catch this."""


def crash_at(bench, exchange):
    """Let the run die when it makes its `exchange`-th exchange with the remote (from 1)."""
    made = []

    def die(_call):
        made.append(_call)
        if len(made) == exchange:
            raise Crash

    bench.remote.before = die


def assert_all_is_well(bench, jobs):
    """Audit the remote's ledger, the outputs and the run's files against each other."""
    assert sorted(bench.remote.accepted) == [f"0123456789-{number:06d}.jpg" for number in range(jobs)]
    assert bench.outputs() == [f"p{number:03d}.jpg" for number in range(jobs)]
    assert [row["status"] for row in bench.results()] == ["done"] * jobs
    assert sorted(row["job"] for row in bench.results()) == list(range(jobs))
    summary = inspect(bench.run_folder)
    assert (summary.done, summary.credits_charged, summary.credits_reserved) == (jobs, jobs, 0)


@pytest.mark.parametrize("exchange", range(1, 14))  # the greeting, then three a job
async def test_a_crash_at_any_exchange_is_made_good(tmp_path, exchange):
    """Die at the n-th request, resume: every job was accepted exactly once and has its output."""
    bench = Bench(tmp_path).pictures(4)
    crash_at(bench, exchange)
    with pytest.raises(BaseExceptionGroup) if exchange > 1 else pytest.raises(Crash):
        await bench.restore()
    bench.remote.before = lambda _call: None
    assert (await bench.resume()).exit_code is ExitCode.DONE
    assert_all_is_well(bench, 4)


async def test_a_journal_cut_at_any_line_or_inside_any_is_made_good(tmp_path):
    """Take any end off the journal of a finished run, even all of it: the resume finds everything where it is."""
    bench = Bench(tmp_path).pictures(3)
    await bench.restore()
    whole = bench.run_folder.journal.read_bytes()
    ends = [at + 1 for at, byte in enumerate(whole) if byte == ord("\n")]
    cuts = [0, *ends[:-1], *(end - 9 for end in ends)]
    for cut in cuts:
        bench.run_folder.journal.write_bytes(whole[:cut])
        summary = await bench.resume()
        assert summary.exit_code is ExitCode.DONE, cut
        assert_all_is_well(bench, 3)


async def test_a_cut_journal_is_made_good_though_the_own_service_has_forgotten(tmp_path):
    """Outputs that are in place are recognised even when neither journal nor service knows of them any more."""
    bench = Bench(tmp_path, is_own=True).pictures(3)
    await bench.restore()
    assert bench.remote.jobs == {}
    bench.run_folder.journal.write_bytes(b"")
    assert (await bench.resume()).exit_code is ExitCode.DONE
    assert_all_is_well(bench, 3)


async def test_a_flipped_bit_is_reported_and_costs_nothing(tmp_path):
    """A damaged line in the middle is passed over and said; every job is still done exactly once."""
    bench = Bench(tmp_path).pictures(3)
    await bench.restore()
    whole = bench.run_folder.journal.read_bytes()
    for at in range(0, len(whole) - 1, 97):
        damaged = bytearray(whole)
        damaged[at] ^= 4
        bench.run_folder.journal.write_bytes(damaged)
        summary = await bench.resume()
        assert summary.notes, at
        assert (summary.done, sorted(bench.remote.accepted)) == (3, [f"0123456789-{n:06d}.jpg" for n in range(3)]), at


async def test_what_was_torn_is_said(tmp_path):
    """The user is told how much of the journal was cut off."""
    bench = Bench(tmp_path).pictures(1)
    await bench.restore()
    with bench.run_folder.journal.open("ab") as file:
        file.write(b'{"at":1,"job":0,"ev')
    summary = await bench.resume()
    assert summary.notes == ("the last 19 bytes of the journal were torn and have been cut off",)
    assert not any(line.endswith(b'"ev') for line in bench.run_folder.journal.read_bytes().splitlines())


async def test_a_plan_that_was_cut_short_is_completed(tmp_path):
    """A crash while planning costs nothing: the rest of the folder is planned on resume, nothing twice."""
    bench = Bench(tmp_path).pictures(5)
    crash_at(bench, 1)
    with pytest.raises(Crash):
        await bench.restore()
    lines = [encode(spec.record()) for spec in scan_order(bench.order(), Known(Namer(OutputFormat.JPEG)), bench.out)]
    bench.run_folder.plan.write_bytes(b"".join(lines[:2]) + lines[2][:20])
    bench.remote.before = lambda _call: None
    summary = await bench.resume()
    assert summary.notes == ("the last 20 bytes of the plan were torn and have been cut off",)
    assert_all_is_well(bench, 5)


async def test_a_plan_damaged_inside_is_an_error_that_says_so(tmp_path):
    """A plan that has lost a line that the journal knows of can not be trusted: the user is told."""
    bench = Bench(tmp_path).pictures(3)
    await bench.restore()
    plan = bench.run_folder.plan.read_bytes()
    for damaged in (plan[:10] + b"?" + plan[11:], plan[: plan.rindex(b"{")]):
        bench.run_folder.plan.write_bytes(damaged)
        with pytest.raises(UsageError, match="damaged"):
            await bench.resume()


async def test_a_large_download_goes_on_in_the_next_process(tmp_path):
    """The bytes that an earlier process left in the .part file are not fetched again."""
    bench = Bench(tmp_path).pictures(1)
    bench.remote.result, bench.remote.size = noise((1000, 900)), (1000, 900)
    bench.remote.fault("file", Cut(1_500_000))
    links = []

    def die_at_second_link(call):
        if call == "link":
            links.append(call)
        if len(links) == 2:
            raise Crash

    bench.remote.before = die_at_second_link
    with pytest.raises(BaseExceptionGroup):
        await bench.restore()
    bench.remote.before = lambda _call: None
    await bench.resume()
    assert bench.remote.file_headers[-1]["Range"] == "bytes=1500000-"
    assert (bench.out / "p000.jpg").read_bytes() == bench.remote.result
    assert list(bench.out.glob("*.part")) == []


async def test_an_output_published_before_its_done_event_is_recognised(tmp_path):
    """A crash between rename and journal: the output is verified where it lies and not fetched again."""
    bench = Bench(tmp_path).pictures(1)
    await bench.restore()
    kept = [line for line in bench.run_folder.journal.read_bytes().splitlines(keepends=True) if b'"done"' not in line]
    bench.run_folder.journal.write_bytes(b"".join(kept))
    fetched = bench.remote.count("file")
    assert (await bench.resume()).exit_code is ExitCode.DONE
    assert bench.remote.count("file") == fetched
    assert_all_is_well(bench, 1)


async def test_the_orphan_of_an_unclear_post_is_adopted_by_the_next_process(tmp_path):
    """Accepted, but the answer lost and the process dead: the job is found by its filename."""
    bench = Bench(tmp_path, settings={"submit_concurrency": 1}).pictures(2)
    bench.remote.fault("submit", Lost(is_done=True))

    def die_looking(call):
        if call == "listing" and bench.remote.accepted:
            raise Crash

    bench.remote.before = die_looking
    with pytest.raises(BaseExceptionGroup):
        await bench.restore()
    bench.remote.before = lambda _call: None
    summary = await bench.resume()
    assert summary.adopted == 1
    assert_all_is_well(bench, 2)


async def test_results_are_made_again_from_the_journal(tmp_path):
    """results.jsonl can be lost: a resume writes it anew, row for row."""
    bench = Bench(tmp_path).pictures(3)
    bench.remote.fault("submit", Answer(400))
    await bench.restore()
    rows = {row["job"]: row for row in bench.results()}
    bench.run_folder.results.write_bytes(b"")
    await bench.resume()
    assert {row["job"]: row for row in bench.results()} == rows


async def test_a_finished_run_resumes_to_nothing(tmp_path):
    """Resuming what is done sends nothing and says so."""
    bench = Bench(tmp_path).pictures(2)
    await bench.restore()
    before = len(bench.remote.requests)
    summary = await bench.resume()
    assert (summary.exit_code, summary.ended_now) == (ExitCode.DONE, 0)
    assert len(bench.remote.requests) == before + 1  # the greeting


async def test_two_processes_can_not_work_on_one_run(tmp_path):
    """The second one is told that the run is in use, and changes nothing."""
    bench = Bench(tmp_path).pictures(1)
    with begin(bench.order(), bench.run_folder):
        with pytest.raises(UsageError, match="in use"):
            await bench.resume()
        with pytest.raises(UsageError, match="in use"):
            await bench.restore()


async def test_the_journal_holds_no_key(tmp_path):
    """No file of the run folder holds the key."""
    bench = Bench(tmp_path).pictures(1)
    await bench.restore()
    for path in bench.run_folder.path.iterdir():
        assert bench.key.encode() not in path.read_bytes()


async def test_every_journaled_step_is_one_the_table_allows(tmp_path):
    """The journal of a troubled run replays without a single illegal step."""
    bench = Bench(tmp_path).pictures(6)
    bench.remote.fault("submit", Answer(429), Lost(is_done=True), Answer(500), Answer(400))
    bench.remote.fault("file", Answer(403), Cut(10))
    bench.remote.result = picture()
    await bench.restore()
    assert sum(1 for _record in read(bench.run_folder.journal)) > 20
    assert inspect(bench.run_folder).planned == 6


async def test_time_between_two_processes_passes_no_deadline(tmp_path):
    """A job that was left in flight overnight is picked up, not given up."""
    bench = Bench(tmp_path, settings={"job_deadline_s": 3600.0, "drain_s": 0.0}).pictures(3)
    bench.remote.job_s = 1e9

    def stop(call):
        if call == "status":
            bench.closing.tell(Reason.INTERRUPTED, "interrupted")

    bench.remote.before = stop
    await bench.restore()
    await bench.clock.sleep(50_000)
    bench.remote.before = lambda _call: None
    bench.remote.job_s = 1.0
    assert (await bench.resume()).exit_code is ExitCode.DONE
    assert_all_is_well(bench, 3)


async def test_pictures_added_to_a_run_survive_an_interrupt_while_they_are_planned(tmp_path):
    """A finished run that was being added to is not taken for finished again."""
    bench = Bench(tmp_path, settings={"max_in_flight": 4}).pictures(3)
    await bench.restore()
    bench.pictures(400)

    def stop(call):
        if call == "submit" and len(bench.remote.accepted) > 5:
            bench.closing.tell(Reason.INTERRUPTED, "interrupted")

    bench.remote.before = stop
    assert (await bench.restore()).exit_code is ExitCode.INTERRUPTED
    bench.remote.before = lambda _call: None
    summary = await bench.resume()
    assert (summary.exit_code, summary.planned, summary.done) == (ExitCode.DONE, 400, 400)
    assert len(set(bench.remote.accepted)) == len(bench.remote.accepted) == 400


@pytest.mark.parametrize("how", ["never begun", "backend down", "killed", "interrupted"])
async def test_pictures_added_to_a_finished_run_survive_whatever_ends_it_before_they_are_planned(tmp_path, how):
    """However early a restore with new pictures ends, a plain resume looks for them and restores them all."""
    bench = Bench(tmp_path).pictures(2)
    await bench.restore()
    bench.pictures(5)
    match how:
        case "never begun":
            with begin(bench.order(), bench.run_folder):
                pass  # as when the own service does not start
        case "backend down":
            bench.remote.always["listing"] = NoConnection()
            assert (await bench.restore()).exit_code is ExitCode.INTERRUPTED
            bench.remote.always.clear()
        case "killed":
            crash_at(bench, 1)
            with pytest.raises(Crash):
                await bench.restore()
            bench.remote.before = lambda _call: None
        case "interrupted":
            bench.closing.tell(Reason.INTERRUPTED, "interrupted")
            assert (await bench.restore()).exit_code is ExitCode.INTERRUPTED
    summary = await bench.resume()
    assert (summary.exit_code, summary.planned) == (ExitCode.DONE, 5)
    assert_all_is_well(bench, 5)
    assert (await bench.resume()).exit_code is ExitCode.DONE


async def test_a_plan_that_is_to_grow_makes_no_journal_suspect_or_sound(tmp_path):
    """A run that was opened for more pictures and left is distrusted afterwards if it was before, and only then."""
    bench = Bench(tmp_path).pictures(2)
    await bench.restore()
    for end in (b"", b'{"torn'):
        with bench.run_folder.journal.open("ab") as file:
            file.write(end)
        with begin(bench.order(), bench.run_folder) as opened:
            assert opened.past.is_suspect == bool(end)
        with resume(bench.run_folder, {}) as opened:
            assert opened.past.is_suspect == bool(end)
            assert opened.past.journal.is_whole
        await bench.resume()
        assert_all_is_well(bench, 2)


async def test_suspicion_outlives_a_resume_that_came_to_nothing(tmp_path):
    """A journal that lacks lines is still distrusted after a resume that ended at a refused key."""
    bench = Bench(tmp_path).pictures(3)
    await bench.restore()
    bench.run_folder.journal.write_bytes(b"")
    bench.key = "wrong"
    assert (await bench.resume()).exit_code is ExitCode.KEY_REFUSED
    bench.key = KEY
    assert (await bench.resume()).exit_code is ExitCode.DONE
    assert_all_is_well(bench, 3)


async def test_a_suspect_resume_flies_no_job_twice(tmp_path):
    """Jobs that are looked up and proven absent while orphans are sought have one flight each."""
    bench = Bench(tmp_path, settings={"submit_concurrency": 20}).pictures(20)
    bench.remote.fault("submit", *[Lost(is_done=False)] * 20)

    def die_looking(call):
        if call == "listing" and bench.remote.count("listing") == 2:
            raise Crash

    bench.remote.before = die_looking
    with pytest.raises(BaseExceptionGroup):
        await bench.restore()
    bench.remote.before = lambda _call: None
    assert (await bench.resume()).exit_code is ExitCode.DONE
    assert_all_is_well(bench, 20)
