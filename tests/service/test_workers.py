"""Workers that crash, hang, talk nonsense or never start: only their own job feels it."""

import sys
from pathlib import Path

import pytest

from engine.service.credits import read_ledger
from tests.service.harness import SCRIPTED, running, until

RAISING = (sys.executable, "-P", str(Path(__file__).with_name("raising_worker.py")))


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


async def _is_failing(service):
    """Say whether /health reports workers that can't work."""
    return (await service.health())["workers_failing"]


def _until_exists(path, code):
    """Return a worker command that runs Python `code` instead of a worker until `path` exists."""
    start = f"import os, sys; os.path.exists({str(path)!r}) and os.execv({SCRIPTED[0]!r}, {list(SCRIPTED)!r}); {code}"
    return (sys.executable, "-c", start)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (lambda mended: _until_exists(mended, "sys.exit(3)"), "ended with code 3"),
        (lambda mended: (*SCRIPTED, "unfit", str(mended)), "the scripted worker can't work"),
        (lambda mended: _until_exists(mended, "print('hello')"), "nonsense"),
        (lambda mended: (str(mended),), "can't be started"),
    ],
)
async def test_workers_that_can_not_start_cost_no_job(tmp_path, caplog, command, words):
    """While no worker starts, jobs wait and /health and the log say why; once one does, they are done."""
    mended = tmp_path / "mended"
    async with running(tmp_path / "service", workers=1, worker_command=command(mended)) as service:
        process_id = await service.submit()

        async def has_tried_twice():
            return caplog.text.count(words) >= 2

        await until(has_tried_twice, "two tries")
        assert (await service.row(process_id))["status"] == "Pending"
        assert await _is_failing(service)
        _mend(mended)
        await service.reached(process_id, "Completed")

        async def is_well():
            return not await _is_failing(service)

        await until(is_well, "the workers to be well")


def _mend(path):
    """Make `path` exist: a program that is the scripted worker."""
    part = path.with_suffix(".part")
    part.write_text(f"#!/bin/sh\nexec '{SCRIPTED[0]}' '{SCRIPTED[1]}'\n")
    part.chmod(0o700)
    part.rename(path)


@pytest.mark.parametrize("command", [SCRIPTED, RAISING])
async def test_a_full_disk_costs_no_job(tmp_path, caplog, command):
    """A result that can't be written for want of space is tried again until it can; others keep their order."""
    mended = tmp_path / "mended"
    async with running(tmp_path / "service", workers=1, worker_command=command) as service:
        process_id = await service.submit(f"disk {mended}")

        async def has_tried_twice():
            return caplog.text.count("no job is charged with it") >= 2

        await until(has_tried_twice, "two tries")
        assert (await service.row(process_id))["status"] in ("Pending", "Processing")
        assert await _is_failing(service)
        mended.touch()
        assert (await service.reached(process_id, "Completed", "Failed"))["status"] == "Completed"

        async def is_well():
            return not await _is_failing(service)

        await until(is_well, "the workers to be well")
    ledger = read_ledger(tmp_path / "service")
    assert (ledger.completed, ledger.failed, ledger.reserved_credits) == (1, 0, 0)


async def test_a_job_that_waits_for_the_machine_can_be_cancelled(tmp_path, caplog):
    """A job that was put back is cancelled like any other and leaves nothing ahead of the next."""
    async with running(tmp_path / "service", workers=1) as service:
        process_id = await service.submit(f"disk {tmp_path / 'never'}")

        async def was_put_back():
            return "no job is charged with it" in caplog.text

        await until(was_put_back, "the job to be put back")
        assert await service.call("DELETE", f"/cancel/{process_id}") == (204, None)
        await service.reached(await service.submit(), "Completed")
        assert (await service.row(process_id))["status"] == "Cancelled"


@pytest.mark.parametrize("name", ["RuntimeError", "OverflowError", "AssertionError"])
async def test_an_unforeseen_error_fails_its_job_and_leaves_the_worker(tmp_path, caplog, name):
    """Whatever a library raises is one line in the row and a traceback in the log, and the worker lives on."""
    async with running(tmp_path / "service", workers=1, worker_command=RAISING) as service:
        row = await service.reached(await service.submit(name), "Failed")
        assert row["message"] == f"the picture can't be restored: {name}: first line second ? line"
        assert "Traceback" in caplog.text
        await service.reached(await service.submit(), "Completed")


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
    source_id = (await service.row(process_id))["source_id"]
    assert list((tmp_path / "service" / "inputs").rglob(source_id))
