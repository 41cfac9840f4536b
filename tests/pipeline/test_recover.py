"""`recover`: a journal made anew from the plan, the listing and the outputs, and a resume that pays nothing twice."""

from dataclasses import replace

import pytest

from engine.errors import UsageError
from engine.journal.replay import read
from engine.pipeline.closing import Reason
from engine.pipeline.inspection import inspect
from engine.pipeline.opening import without_journal
from engine.pipeline.recover import is_sound
from engine.pipeline.summary import ExitCode
from tests.fakes.remote import Answer
from tests.pipeline.caring import put_back, recover, retry_failed, verified
from tests.pipeline.harness import Bench, picture

JOBS = 6


async def interrupted(tmp_path, **settings):
    """A run that was left with some jobs done, some in flight and some not sent."""
    bench = Bench(tmp_path, settings={"max_in_flight": 2, "submit_concurrency": 1, "drain_s": 0.0, **settings})
    bench.pictures(JOBS)

    def stop(call):
        if call == "submit" and len(bench.remote.accepted) == 4:
            bench.closing.tell(Reason.INTERRUPTED, "interrupted")

    bench.remote.before = stop
    await bench.restore()
    bench.remote.before = lambda _call: None
    return bench


def assert_all_is_well(bench):
    """Every job was accepted once, has its output, its row and its charge, and verifies."""
    assert sorted(bench.remote.accepted) == [f"0123456789-{number:06d}.jpg" for number in range(JOBS)]
    assert sorted(row["job"] for row in bench.results()) == list(range(JOBS))
    counts, bad, _without = verified(bench)
    assert (counts.verified, bad) == (JOBS, [])
    assert inspect(bench.run_folder).credits_charged == JOBS


@pytest.mark.parametrize("is_offline", [False, True])
@pytest.mark.parametrize("damage", ["gone", "empty", "rubbish"])
async def test_a_run_whose_journal_is_lost_goes_on(tmp_path, damage, is_offline):
    """Lost in the middle of a run: the counts add up to the plan, and the resume sends only what was never sent."""
    bench = await interrupted(tmp_path)
    journal = bench.run_folder.journal
    if damage == "gone":
        journal.unlink()
    else:
        journal.write_bytes(b"" if damage == "empty" else b"rubbish\n" * 9)
    recovered = await recover(bench, is_offline=is_offline)
    assert recovered.done + recovered.adopted + recovered.waiting == recovered.planned == JOBS
    assert recovered.done == len(bench.outputs())
    assert recovered.adopted == (0 if is_offline else len(bench.remote.accepted) - recovered.done)
    summary = inspect(bench.run_folder)
    assert (summary.done, summary.in_flight, summary.waiting) == (recovered.done, recovered.adopted, recovered.waiting)
    assert (await bench.resume()).exit_code is ExitCode.DONE
    assert_all_is_well(bench)


async def test_the_old_journal_is_kept(tmp_path):
    """Each recovery keeps what it replaces, whole and under another name; no snapshot or row of it is left."""
    bench = await interrupted(tmp_path)
    bench.run_folder.journal.write_bytes(b"first\n")
    assert (await recover(bench)).kept == "journal.jsonl.lost-1"
    assert not bench.run_folder.snapshot.exists()
    assert not bench.run_folder.results.exists()
    second = bench.run_folder.journal.read_bytes()
    assert (await recover(bench)).kept == "journal.jsonl.lost-2"
    assert (bench.run_folder.path / "journal.jsonl.lost-1").read_bytes() == b"first\n"
    assert (bench.run_folder.path / "journal.jsonl.lost-2").read_bytes() == second


async def test_a_finished_run_is_done_again_from_its_outputs(tmp_path):
    """All outputs are in place: all jobs are done, with their hashes, and nothing is fetched or sent by the resume."""
    bench = Bench(tmp_path).pictures(JOBS)
    await bench.restore()
    hashes = {row["job"]: row["output_sha256"] for row in bench.results()}
    bench.run_folder.journal.unlink()
    recovered = await recover(bench)
    assert (recovered.done, recovered.adopted, recovered.waiting) == (JOBS, 0, 0)
    fetched = bench.remote.count("file")
    assert (await bench.resume()).exit_code is ExitCode.DONE
    assert bench.remote.count("file") == fetched
    assert {row["job"]: row["output_sha256"] for row in bench.results()} == hashes
    assert_all_is_well(bench)


@pytest.mark.parametrize("wrong", [b"", b"rubbish", picture((9, 9))])
async def test_what_is_no_output_of_the_run_is_not_taken_for_one(tmp_path, wrong):
    """An empty, damaged or differently sized file is no done job; it is named, and left where it is."""
    bench = Bench(tmp_path).pictures(JOBS)
    await bench.restore()
    bench.run_folder.journal.unlink()
    (bench.out / "p002.jpg").write_bytes(wrong)
    recovered = await recover(bench)
    assert (recovered.done, recovered.adopted, recovered.in_the_way) == (JOBS - 1, 1, 1)
    assert recovered.such == [str(bench.out / "p002.jpg")]
    assert (bench.out / "p002.jpg").read_bytes() == wrong


async def test_a_copy_of_the_input_is_not_taken_for_its_output(tmp_path):
    """The input itself under the output's name proves nothing: the job is taken up from the backend."""
    bench = Bench(tmp_path).pictures(JOBS)
    await bench.restore()
    bench.run_folder.journal.unlink()
    (bench.out / "p002.jpg").write_bytes((bench.inputs / "p002.jpg").read_bytes())
    recovered = await recover(bench)
    assert (recovered.done, recovered.adopted) == (JOBS - 1, 1)


async def test_an_own_service_that_forgets_finished_jobs_is_no_loss(tmp_path):
    """What is done lies in the output folder, whatever the service still knows."""
    bench = Bench(tmp_path, is_own=True).pictures(JOBS)
    await bench.restore()
    bench.run_folder.journal.unlink()
    assert (await recover(bench)).done == JOBS
    assert (await bench.resume()).exit_code is ExitCode.DONE
    assert len(bench.remote.accepted) == JOBS


async def test_rows_of_others_are_not_adopted(tmp_path):
    """Jobs of another run, or of numbers that the plan does not have, are left alone."""
    bench = await interrupted(tmp_path)
    some = next(iter(bench.remote.jobs.values()))
    for at, name in enumerate(("9876543210-000005.jpg", "0123456789-000099.jpg", "holiday.jpg")):
        bench.remote.jobs[f"x{at}"] = replace(some, process_id=f"x{at}", filename=name)
    bench.run_folder.journal.unlink()
    recovered = await recover(bench)
    assert recovered.done + recovered.adopted + recovered.waiting == JOBS
    assert (recovered.done + recovered.adopted, recovered.unplanned) == (len(bench.remote.accepted), 1)


async def test_a_job_that_was_retried_keeps_its_generation(tmp_path):
    """Its newest remote job is adopted, and its next retry takes a filename that it never had."""
    bench = Bench(tmp_path, settings={"submit_concurrency": 1}).pictures(2)
    bench.remote.fates[0] = ("Failed", "no face")
    await bench.restore()
    await retry_failed(bench)
    bench.run_folder.journal.unlink()
    recovered = await recover(bench)
    assert (recovered.done, recovered.adopted) == (1, 1)
    assert (await bench.resume()).reasons == {"no face": 1}
    bench.remote.fates.clear()
    await retry_failed(bench)
    assert bench.remote.accepted[-1] == "0123456789-000000r2.jpg"


async def test_a_retried_picture_that_the_plan_refused_finds_its_place_again(tmp_path):
    """Sent by a retry, its journal lost then: the output goes where the retry would have put it."""
    bench = Bench(tmp_path).pictures(2)
    (bench.inputs / "late.jpg").write_bytes(b"")
    await bench.restore()
    (bench.inputs / "late.jpg").write_bytes(picture())
    await put_back(bench)
    bench.remote.fault("link", *[Answer(500)] * 4)

    def stop(call):
        if call == "link":
            bench.closing.tell(Reason.INTERRUPTED, "interrupted")

    bench.remote.before = stop
    assert (await bench.resume()).in_flight == 1
    bench.remote.before = lambda _call: None
    bench.remote.faults.clear()
    bench.run_folder.journal.unlink()
    assert (await recover(bench)).adopted == 1
    assert (await bench.resume()).done == 3
    assert bench.outputs() == ["late.jpg", "p000.jpg", "p001.jpg"]
    assert len(bench.remote.accepted) == 3


async def test_whether_a_journal_needs_recovery(tmp_path):
    """One that is whole, or torn at its end only, needs none; one that is gone, damaged or of another plan does."""
    bench = await interrupted(tmp_path)
    whole = bench.run_folder.journal.read_bytes()
    lines = whole.splitlines(keepends=True)
    judged = {}
    for name, data in {
        "whole": whole,
        "torn": whole[:-5],
        "empty": b"",
        "flipped": whole[:9] + b"?" + whole[10:],
        "lacking": b"".join(line for line in lines if b'"intent"' not in line),
    }.items():
        bench.run_folder.journal.write_bytes(data)
        with without_journal(bench.run_folder) as opened:
            judged[name] = is_sound(opened)
    assert judged == {"whole": True, "torn": True, "empty": False, "flipped": False, "lacking": False}


async def test_a_lost_plan_can_not_be_recovered(tmp_path):
    """Without the plan nobody knows what belongs where: the error says so, and nothing is touched."""
    bench = await interrupted(tmp_path)
    journal = bench.run_folder.journal.read_bytes()
    bench.run_folder.plan.unlink()
    with pytest.raises(UsageError, match="plan"):
        await recover(bench)
    assert bench.run_folder.journal.read_bytes() == journal


async def test_a_plan_that_was_not_complete_is_completed_by_the_resume(tmp_path):
    """The new journal does not say that all is planned unless the old one did."""
    bench = await interrupted(tmp_path)
    bench.run_folder.journal.write_bytes(b"rubbish\n")
    plan = bench.run_folder.plan.read_bytes().splitlines(keepends=True)
    bench.run_folder.plan.write_bytes(b"".join(plan[:5]))
    assert (await recover(bench)).planned == 5
    assert (await bench.resume()).exit_code is ExitCode.DONE
    assert_all_is_well(bench)


async def test_a_plan_that_was_complete_is_so_again(tmp_path):
    """What is left of the old journal says that all is planned: no folder is gone through again."""
    bench = Bench(tmp_path).pictures(JOBS)
    await bench.restore()
    whole = bench.run_folder.journal.read_bytes()
    bench.run_folder.journal.write_bytes(b"?" + whole[1:])
    await recover(bench)
    planned = [record["jobs"] for record in read(bench.run_folder.journal) if record["event"] == "planned"]
    assert planned == [JOBS]
