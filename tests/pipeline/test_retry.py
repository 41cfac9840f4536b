"""`retry-failed`: failed jobs are sent anew under names of their own, and nothing is paid for twice."""

import pytest

from engine.journal.replay import read
from engine.pipeline.closing import Reason
from engine.pipeline.inspection import inspect
from engine.pipeline.summary import ExitCode
from engine.remote.failures import RemoteError
from tests.fakes.remote import Answer, Lost
from tests.pipeline.caring import put_back, recover, retry_failed
from tests.pipeline.harness import Bench, picture

FIRST, SECOND = "0123456789-000000.jpg", "0123456789-000000r1.jpg"
IN_ORDER = {"submit_concurrency": 1}


def rows_by_job(bench):
    """Return the result rows by job; two of one job are an error."""
    rows = bench.results()
    assert len({row["job"] for row in rows}) == len(rows)
    return {row["job"]: row for row in rows}


async def failed_remotely(tmp_path, pictures=3):
    """A run of whose jobs the first failed at the backend, which still lists it."""
    bench = Bench(tmp_path, settings=IN_ORDER).pictures(pictures)
    bench.remote.fates[0] = ("Failed", "no face")
    assert (await bench.restore()).failed == 1
    bench.remote.fates.clear()
    return bench


async def test_a_failed_job_is_sent_anew_and_done(tmp_path):
    """Only the failed one is sent, under a new filename; its result row is the latest, and the counts add up."""
    bench = await failed_remotely(tmp_path)
    retried, summary = await retry_failed(bench)
    assert (retried.failed, retried.sent_anew, retried.fetched, retried.left) == (1, 1, 0, {})
    assert (summary.exit_code, summary.done, summary.failed, summary.retried) == (ExitCode.DONE, 3, 0, 1)
    assert bench.remote.accepted[3:] == [SECOND]
    assert {job: row["status"] for job, row in rows_by_job(bench).items()} == dict.fromkeys(range(3), "done")
    assert (summary.credits_charged, summary.credits_reserved, summary.reasons) == (3, 0, {})


async def test_a_lookup_does_not_adopt_the_earlier_generation(tmp_path):
    """An unclear retry that never arrived is sent again, though the first remote job is listed, finished by now."""
    bench = await failed_remotely(tmp_path)
    bench.remote.fault("submit", Lost(is_done=False))
    _retried, summary = await retry_failed(bench)
    assert (summary.done, summary.unclear, summary.adopted, summary.resubmitted) == (3, 1, 0, 1)
    assert bench.remote.accepted.count(SECOND) == 1
    first = next(job.process_id for job in bench.remote.jobs.values() if job.filename == FIRST)
    assert rows_by_job(bench)[0]["process_id"] != first


async def test_a_lookup_adopts_this_generation(tmp_path):
    """An unclear retry that did arrive is found by its new filename, and not sent twice."""
    bench = await failed_remotely(tmp_path)
    bench.remote.fault("submit", Lost(is_done=True))
    _retried, summary = await retry_failed(bench)
    assert (summary.done, summary.adopted, bench.remote.accepted.count(SECOND)) == (3, 1, 1)


async def test_every_retry_has_a_filename_of_its_own(tmp_path):
    """Failing again and again, a job leaves one remote job a generation, each under another name."""
    bench = Bench(tmp_path).pictures(2)
    bench.remote.fates[0] = ("Failed", "no face")
    await bench.restore()
    for generation in (1, 2, 3):
        retried, summary = await retry_failed(bench)
        assert (retried.sent_anew, summary.failed, summary.reasons) == (1, 1, {"no face": 1})
        assert bench.remote.accepted[-1] == f"0123456789-000000r{generation}.jpg"
        assert rows_by_job(bench)[0]["status"] == "failed"
    assert inspect(bench.run_folder).retried == 3


async def test_what_was_put_back_survives_a_crash(tmp_path):
    """Killed right after the jobs were put back, or in the middle of their second life: a plain resume goes on."""
    bench = await failed_remotely(tmp_path)
    await put_back(bench)
    assert inspect(bench.run_folder).waiting == 1
    bench.remote.job_s = 1e6

    def stop(call):
        if call == "status":
            bench.closing.tell(Reason.INTERRUPTED, "interrupted")

    bench.remote.before = stop
    assert (await bench.resume()).in_flight == 1
    bench.remote.before = lambda _call: None
    bench.remote.job_s = 1.0
    assert (await bench.resume()).exit_code is ExitCode.DONE
    assert bench.remote.accepted.count(SECOND) == 1
    assert rows_by_job(bench)[0]["status"] == "done"


async def test_a_journal_without_the_retry_line_still_sends_nothing_twice(tmp_path):
    """The line that put the job back is lost: what was sent since is known by its generation."""
    bench = await failed_remotely(tmp_path)
    await retry_failed(bench)
    lines = bench.run_folder.journal.read_bytes().splitlines(keepends=True)
    kept = [b"?" + line[1:] if b'"retried","' in line else line for line in lines]
    assert kept != lines
    bench.run_folder.journal.write_bytes(b"".join(kept))
    accepted = len(bench.remote.accepted)
    summary = await bench.resume()
    assert (summary.done, summary.failed, len(bench.remote.accepted)) == (3, 0, accepted)


def leave_when_asked(bench):
    """Let the next run be interrupted as soon as it asks for the status of a job."""

    def stop(call):
        if call == "status":
            bench.closing.tell(Reason.INTERRUPTED, "interrupted")

    bench.remote.before = stop


async def retried_and_in_flight(bench):
    """Retry a job that the backend knows by no row of its first life, and leave once it is in flight."""
    bench.remote.job_s = 100.0
    leave_when_asked(bench)
    _retried, summary = await retry_failed(bench)
    assert (summary.in_flight, bench.remote.accepted[-1][-6:]) == (1, "r1.jpg")
    bench.remote.before = lambda _call: None
    bench.remote.job_s = 1.0
    await bench.clock.sleep(1000.0)


@pytest.mark.parametrize("how", ["lost", "cut", "made anew offline", "made anew"])
async def test_a_retried_job_is_not_paid_twice_when_the_journal_is_lost(tmp_path, how):
    """Only its second life has a row at the backend: it is known by that, and fetched."""
    bench = Bench(tmp_path, settings=IN_ORDER).pictures(3)
    bench.remote.fault("submit", Answer(400))
    assert (await bench.restore()).failed == 1
    whole = bench.run_folder.journal.read_bytes()
    await retried_and_in_flight(bench)
    match how:
        case "lost":
            bench.run_folder.journal.unlink()
        case "cut":
            lines = whole.splitlines(keepends=True)
            failed = next(at for at, line in enumerate(lines) if b'"event":"failed"' in line)
            bench.run_folder.journal.write_bytes(b"".join(lines[:failed]))
        case _:
            bench.run_folder.journal.unlink()
            await recover(bench, is_offline=how == "made anew offline")
    summary = await bench.resume()
    assert (summary.exit_code, summary.done, summary.credits_charged) == (ExitCode.DONE, 3, 3)
    assert len(bench.remote.accepted) == 3


async def test_a_job_found_by_its_retry_is_retried_under_the_next_name(tmp_path):
    """The generation is learnt from the row: a job that fails once more never has the same filename again."""
    bench = Bench(tmp_path).pictures(1)
    bench.remote.fault("submit", Answer(400))
    await bench.restore()
    await retried_and_in_flight(bench)
    bench.remote.fates[0] = ("Failed", "no face")
    bench.run_folder.journal.unlink()
    assert (await bench.resume()).failed == 1
    bench.remote.fates.clear()
    _retried, summary = await retry_failed(bench)
    assert (summary.done, bench.remote.accepted) == (1, [SECOND, "0123456789-000000r2.jpg"])


async def test_a_refused_picture_that_was_retried_is_found_when_the_journal_is_lost(tmp_path):
    """The plan has no place for its output: it gets the one that the retry chose, and is not sent again."""
    bench = Bench(tmp_path).pictures(2)
    (bench.inputs / "late.jpg").write_bytes(b"no picture")
    assert (await bench.restore()).failed == 1
    (bench.inputs / "late.jpg").write_bytes(picture())
    await retried_and_in_flight(bench)
    bench.run_folder.journal.unlink()
    summary = await bench.resume()
    assert (summary.done, summary.credits_charged, len(bench.remote.accepted)) == (3, 3, 3)
    assert bench.outputs() == ["late.jpg", "p000.jpg", "p001.jpg"]


async def test_nothing_failed_changes_nothing(tmp_path):
    """Without a failed job neither the files are touched nor the backend is asked."""
    bench = Bench(tmp_path).pictures(2)
    await bench.restore()
    before, asked = bench.run_folder.journal.read_bytes(), len(bench.remote.requests)
    assert (await put_back(bench)).failed == 0
    assert (bench.run_folder.journal.read_bytes(), len(bench.remote.requests)) == (before, asked)


async def test_only_the_reason_asked_for_is_retried(tmp_path):
    """A part of the reason chooses the jobs; the others stay failed."""
    bench = Bench(tmp_path).pictures(3)
    bench.remote.fates |= {0: ("Failed", "no face"), 2: ("Failed", "too dark")}
    await bench.restore()
    bench.remote.fates.clear()
    retried, summary = await retry_failed(bench, "dark")
    assert (retried.failed, retried.sent_anew) == (1, 1)
    assert (summary.done, summary.failed, summary.reasons) == (2, 1, {"no face": 1})
    assert [row["status"] for _job, row in sorted(rows_by_job(bench).items())] == ["failed", "done", "done"]


async def test_the_last_reason_is_the_one_that_counts(tmp_path):
    """A job that failed for one reason and then for another is chosen by the second only."""
    bench = Bench(tmp_path).pictures(1)
    for reason in ("too dark", "no face"):
        bench.remote.fates[0] = ("Failed", reason)
        await (retry_failed(bench) if bench.run_folder.exists else bench.restore())
    assert (await put_back(bench, "dark")).failed == 0
    assert (await put_back(bench, "face")).failed == 1


async def test_suspicion_outlives_a_retry(tmp_path):
    """A journal that lacks lines is distrusted by the resume after it as well: nothing that is there is sent again."""
    bench = await failed_remotely(tmp_path)
    lines = bench.run_folder.journal.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if b'"job":2,' not in line and b'"closed"' not in line]
    bench.run_folder.journal.write_bytes(b"".join(kept))
    _retried, summary = await retry_failed(bench)
    assert (summary.done, bench.remote.accepted[3:]) == (3, [SECOND])


class TestPaid:
    """Jobs that failed after the backend had finished and charged them."""

    @pytest.fixture
    async def bench(self, tmp_path):
        """The first job's result was bad three times over."""
        bench = Bench(tmp_path, settings=IN_ORDER).pictures(2)
        bench.remote.size = (99, 99)
        summary = await bench.restore()
        assert (summary.failed, summary.credits_charged) == (2, 2)
        bench.remote.size = (24, 32)
        return bench

    async def test_their_results_are_fetched_and_not_paid_again(self, bench):
        """No picture is sent; the results come home and the charge stays what it was."""
        retried, summary = await retry_failed(bench)
        assert (retried.sent_anew, retried.fetched) == (0, 2)
        assert (summary.exit_code, summary.done, summary.credits_charged) == (ExitCode.DONE, 2, 2)
        assert len(bench.remote.accepted) == 2
        assert {row["credits"] for row in rows_by_job(bench).values()} == {1}

    async def test_what_the_backend_has_deleted_is_sent_anew(self, bench):
        """A result that is gone is paid for again, and only that one; the sum says so."""
        del bench.remote.jobs[bench.remote.job(0).process_id]
        retried, summary = await retry_failed(bench)
        assert (retried.sent_anew, retried.fetched) == (1, 1)
        assert (summary.done, summary.credits_charged) == (2, 3)
        assert bench.remote.accepted[2:] == [SECOND]

    async def test_what_the_backend_calls_failed_is_sent_anew(self, bench):
        """Charged, though it ended without a result there: there is nothing to fetch."""
        bench.remote.fates[0] = ("Failed", "the disk was full")
        retried = await put_back(bench)
        assert (retried.sent_anew, retried.fetched) == (1, 1)

    async def test_what_is_not_said_is_not_sent(self, bench):
        """While the backend gives no answer about a paid job, it stays failed and nothing is changed."""
        bench.remote.fault("status", *[Answer(500)] * 50)
        before = bench.run_folder.journal.read_bytes()
        with pytest.raises(RemoteError):
            await put_back(bench)
        assert bench.run_folder.journal.read_bytes() == before
        bench.remote.faults.clear()
        assert (await retry_failed(bench))[1].credits_charged == 2

    async def test_a_file_in_the_way_is_neither_replaced_nor_taken_for_the_result(self, bench):
        """Somebody's picture of the right size where the output belongs: the job stays failed, with the reason."""
        foreign = picture(color=(9, 9, 9))
        (bench.out / "p000.jpg").write_bytes(foreign)
        retried, summary = await retry_failed(bench)
        assert (retried.left.total(), summary.done, summary.failed) == (1, 1, 1)
        assert "move it away" in next(iter(retried.left))
        assert (bench.out / "p000.jpg").read_bytes() == foreign


async def test_an_orphan_that_was_given_up_is_found_before_it_is_sent_again(tmp_path):
    """A job that failed since none of its POSTs seemed to arrive is taken over if one of them did after all."""
    bench = Bench(tmp_path, settings={"submit_attempts": 1, "submit_concurrency": 1}).pictures(2)
    bench.remote.fault("submit", Lost(is_done=True))

    def hide(_call):
        for job in bench.remote.jobs.values():
            job.is_hidden = True

    bench.remote.before = hide
    assert (await bench.restore()).failed == 1
    bench.remote.before = lambda _call: None
    bench.remote.job(0).is_hidden = False
    retried, summary = await retry_failed(bench)
    assert (retried.fetched, summary.done, summary.credits_charged, len(bench.remote.accepted)) == (1, 2, 2, 2)


class TestRefusedWhilePlanning:
    """Pictures that the plan refused."""

    @pytest.fixture
    async def bench(self, tmp_path):
        """The second of three pictures is broken."""
        bench = Bench(tmp_path).pictures(3)
        (bench.inputs / "sub").mkdir()
        self.broken = bench.inputs / "sub" / "broken.jpg"
        self.broken.write_bytes(b"no picture")
        assert (await bench.restore()).failed == 1
        return bench

    async def test_readable_by_now_they_are_restored(self, bench):
        """Its output lies where it would have from the start, and its price counts."""
        self.broken.write_bytes(picture())
        retried, summary = await retry_failed(bench)
        assert (retried.sent_anew, summary.exit_code, summary.done) == (1, ExitCode.DONE, 4)
        assert (bench.out / "sub" / "broken.jpg").exists()
        assert summary.credits_charged == 4
        assert rows_by_job(bench)[3]["output"] == "sub/broken.jpg"

    async def test_unreadable_still_they_stay_failed(self, bench):
        """Nothing is sent, and the reason is said."""
        accepted = len(bench.remote.accepted)
        retried, summary = await retry_failed(bench)
        assert (retried.sent_anew, retried.left.total()) == (0, 1)
        assert (summary.exit_code, len(bench.remote.accepted)) == (ExitCode.FAILED_JOBS, accepted)

    async def test_readable_for_a_moment_only_they_fail_again(self, bench):
        """Put back while it was readable, broken again at its turn: it fails with the reason and is not sent."""
        self.broken.write_bytes(picture())
        await put_back(bench)
        self.broken.write_bytes(b"no picture again")
        summary = await bench.resume()
        assert (summary.failed, summary.done) == (1, 3)
        assert "is not an image" in rows_by_job(bench)[3]["reason"]

    async def test_a_crash_on_the_way_leaves_it_where_it_belongs(self, bench):
        """Its place is known to the next process, and to one that adds pictures to the run."""
        self.broken.write_bytes(picture())
        await put_back(bench)
        (bench.inputs / "sub" / "broken.png").write_bytes(picture())
        summary = await bench.restore()
        assert (summary.exit_code, summary.done, summary.planned) == (ExitCode.DONE, 5, 5)
        assert sorted(path.name for path in (bench.out / "sub").iterdir()) == ["broken.jpg", "broken.png.jpg"]
        assert rows_by_job(bench)[3]["output"] == "sub/broken.jpg"

    async def test_two_of_one_name_get_one_each(self, bench):
        """A name that another job of the plan has is not given a second time."""
        rival = bench.inputs / "p000.png"
        rival.write_bytes(b"")
        await bench.restore()
        rival.write_bytes(picture())
        _retried, summary = await retry_failed(bench)
        assert summary.done == 4
        assert {"p000.jpg", "p000.png.jpg"} < set(bench.outputs())


async def test_money_is_bounded_as_ever(tmp_path):
    """A retry stops at --max-credits, and resumes with more."""
    bench = await failed_remotely(tmp_path)
    _retried, summary = await retry_failed(bench, max_credits=2)
    assert (summary.exit_code, summary.waiting) == (ExitCode.NO_CREDITS, 1)
    assert (await bench.resume(max_credits=3)).exit_code is ExitCode.DONE


async def test_retried_jobs_before_all_open_ones_are_found_in_a_long_plan(tmp_path):
    """A snapshot says that the plan's beginning has ended; a job there that is put back is sent all the same."""
    bench = await failed_remotely(tmp_path, pictures=40)
    assert any(record["event"] == "closed" for record in read(bench.run_folder.journal))
    await put_back(bench)
    assert (await bench.resume()).done == 40


async def test_the_results_can_be_lost_at_any_time(tmp_path):
    """Made again from the journal, they hold the last end of a job that failed, failed again and was done."""
    bench = await failed_remotely(tmp_path)
    bench.remote.fates[0] = ("Failed", "no face")
    await retry_failed(bench)
    bench.remote.fates.clear()
    await retry_failed(bench)
    rows = rows_by_job(bench)
    bench.run_folder.results.unlink()
    await bench.resume()
    assert rows_by_job(bench) == rows
    assert rows[0]["status"] == "done"


async def test_a_job_that_failed_twice_has_the_row_of_the_second_time(tmp_path):
    """Made again from the journal, the results say why it failed last."""
    bench = await failed_remotely(tmp_path)
    bench.remote.fates[0] = ("Failed", "too dark")
    await retry_failed(bench)
    bench.run_folder.results.unlink()
    await bench.resume()
    assert rows_by_job(bench)[0]["reason"] == "too dark"
