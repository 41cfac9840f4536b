"""Workers that crash, hang, talk nonsense or never start: only their own job feels it."""

import sys

import pytest

from engine.service.credits import read_ledger
from tests.service.harness import SCRIPTED, running, until


@pytest.mark.parametrize(
    ("order", "words"), [("crash", "ended by signal 9; tried 2 times"), ("nonsense", "spoke nonsense; tried 2 times")]
)
async def test_a_crash_fails_one_job_only(service, tmp_path, caplog, order, words):
    """A worker that dies of a picture, twice, fails that job; the jobs beside and behind it are done."""
    ids = [await service.submit(what) for what in ("", "", order, "", "")]
    rows = [await service.reached(process_id, "Completed", "Failed") for process_id in ids]
    assert [row["status"] for row in rows] == ["Completed", "Completed", "Failed", "Completed", "Completed"]
    assert words in rows[2]["message"]
    ledger = read_ledger(tmp_path / "service")
    assert (ledger.charged_credits, ledger.refunded_credits, ledger.reserved_credits) == (4, 1, 0)
    if order == "crash":
        assert "told to crash" in caplog.text  # the worker's standard error reaches the log


async def test_a_crash_that_does_not_repeat_costs_nothing(service, tmp_path):
    """A job whose worker died once is done by a fresh one."""
    row = await service.reached(await service.submit(f"crash once {tmp_path / 'crashed'}"), "Completed", "Failed")
    assert row["status"] == "Completed"


async def test_a_hanging_worker_is_ended_at_the_time_limit(tmp_path):
    """A picture that takes longer than the limit fails with the limit in its message; the next one is done."""
    async with running(tmp_path / "service", workers=1, job_time_limit_s=0.3) as service:
        row = await service.reached(await service.submit("hang"), "Failed")
        assert row["message"] == "not done after 0 s, the limit for one picture"
        await service.reached(await service.submit(), "Completed")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("/no/such/program",), "can't be started"),
        ((sys.executable, "-c", "raise SystemExit(3)"), "ended with code 3"),
        ((*SCRIPTED, "unfit"), "the scripted worker can't work"),
        ((sys.executable, "-c", "print('hello')"), "nonsense"),
    ],
)
async def test_workers_that_never_start_fail_jobs_with_the_reason(tmp_path, command, words):
    """The service answers all the same, and the job says why it could not be done."""
    async with running(tmp_path / "service", workers=1, worker_command=command) as service:
        row = await service.reached(await service.submit(), "Failed")
        assert words in row["message"]


async def test_the_service_answers_before_its_workers_are_ready(tmp_path):
    """Loading the model takes seconds; submitting does not wait for it."""
    command = (sys.executable, "-c", "import sys; sys.stdin.read()")
    async with running(tmp_path / "service", worker_command=command) as service:
        process_id = await service.submit()
        assert (await service.row(process_id))["status"] == "Pending"
        assert await service.call("DELETE", f"/cancel/{process_id}") == (204, None)


async def test_a_job_that_is_cancelled_leaves_no_half_output(service, tmp_path):
    """After a cancel in the middle of a picture only its input lies in the folder."""
    process_id = await service.submit("hang")
    await service.reached(process_id, "Processing")
    await service.call("DELETE", f"/cancel/{process_id}")

    async def is_clean():
        return not list((tmp_path / "service" / "outputs").rglob(process_id + "*"))

    await until(is_clean, "the outputs to be clean")
    assert list((tmp_path / "service" / "inputs").rglob(process_id))
