"""Status, listing, cancelling and deleting."""

import asyncio
import hashlib
import io

import orjson
import pytest

from engine.service.credits import read_ledger
from tests.service.harness import ShiftedClock, running, until

NOBODY = "00000000-0000-4000-8000-000000000000"


async def test_a_finished_job_says_what_was_made(service):
    """The completed row has faces, warnings, checksum and size of the output, and its price."""
    row = await service.reached(await service.submit(output_width="80"), "Completed")
    link = await service.link(row["process_id"])
    body = (await service.fetch(link["download_url"])).body
    assert (len(body), hashlib.sha256(body).hexdigest()) == (row["output_bytes"], row["output_sha256"])
    assert (row["progress"], row["credits"], row["faces"], row["warnings"]) == (100, 1, 1, ["scripted"])
    assert row["modification_time"] >= row["creation_time"]


async def test_a_failed_job_says_why(service):
    """The failed row carries one line and costs nothing."""
    row = await service.reached(await service.submit("fail"), "Failed")
    assert (row["message"], row["credits"]) == ("the scripted worker was told to fail", 0)


async def test_progress_moves_while_a_worker_has_the_job(service, tmp_path):
    """What the worker reports is what the row says."""
    gate = tmp_path / "gate"
    process_id = await service.submit(f"wait {gate}")

    async def has_moved():
        return (await service.row(process_id))["progress"] == 30

    await until(has_moved, "progress")
    gate.touch()
    assert (await service.reached(process_id, "Completed"))["progress"] == 100


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/status/{NOBODY}"),
        ("GET", f"/download/{NOBODY}"),
        ("GET", f"/download/input/{NOBODY}"),
        ("DELETE", f"/cancel/{NOBODY}"),
        ("DELETE", f"/status/{NOBODY}"),
        ("GET", "/status/..%2f..%2fjournal.jsonl"),
        ("GET", "/nothing-here"),
    ],
)
async def test_what_is_not_there_is_404(service, method, path):
    """An unknown id or path is answered 404 in JSON."""
    status, answer = await service.call(method, path)
    assert (status, answer["code"]) == (404, 404)
    assert answer["message"]


async def test_a_wrong_method_is_405(service):
    """An endpoint that knows other methods says so in JSON."""
    status, answer = await service.call("PUT", "/status")
    assert (status, answer["code"]) == (405, 405)


async def test_download_before_the_end_is_409(service, tmp_path):
    """There is no link to an output that is not there; the input can be had at once."""
    gate = tmp_path / "gate"
    process_id = await service.submit(f"wait {gate}")
    status, answer = await service.call("GET", f"/download/{process_id}")
    assert (status, answer["code"]) == (409, 409)
    assert await service.link(process_id, "input/")
    gate.touch()


async def test_health_needs_no_key_and_counts(service, tmp_path):
    """Anybody may ask whether the service is there; the admin port counts queued and running jobs."""
    gate = tmp_path / "gate"
    jobs = [await service.submit(f"wait {gate}") for _ in range(3)]

    async def is_busy():
        health = await service.health()
        return health if health["running"] == 2 else None

    health = await until(is_busy, "two running jobs")
    assert (health["status"], health["workers"], health["queued"]) == ("ok", 2, 1)
    assert orjson.loads((await service.fetch(service.base + "/health")).body) == {"status": "ok"}
    gate.touch()
    for process_id in jobs:
        await service.reached(process_id, "Completed")


async def _pages(service, limit):
    """Yield the page's ids, one page at a time."""
    cursor = ""
    while True:
        status, page = await service.call("GET", f"/status?paginated=true&limit={limit}{cursor}")
        assert status == 200, page
        yield [row["process_id"] for row in page["data"]]
        if not page["pagination"]["has_next_page"]:
            assert page["pagination"]["next_cursor"] is None
            return
        cursor = f"&cursor={page['pagination']['next_cursor']}"


async def test_pages_hold_every_job_once_newest_first(service):
    """Walking the cursors gives every job exactly once; the unpaginated listing gives the same."""
    ids = [await service.submit() for _ in range(7)]
    pages = [page async for page in _pages(service, 3)]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [process_id for page in pages for process_id in page] == ids[::-1]
    status, rows = await service.call("GET", "/status")
    assert (status, [row["process_id"] for row in rows]) == (200, ids[::-1])


async def test_a_sweep_is_stable_under_inserts_and_deletes(service):
    """Jobs that were there throughout a sweep are seen exactly once, whatever comes and goes meanwhile."""
    ids = [await service.submit() for _ in range(9)]
    for process_id in ids:
        await service.reached(process_id, "Completed")
    seen = []
    async for page in _pages(service, 2):
        seen += page
        await service.submit()
        if len(seen) == 2:  # the cursor's own row and one that is still to come
            for process_id in (seen[-1], ids[3]):
                assert await service.call("DELETE", f"/status/{process_id}") == (204, None)
    assert seen == [process_id for process_id in ids[::-1] if process_id != ids[3]]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "limit=-1", "cursor=x", "limit=" + "9" * 5000])
async def test_a_bad_page_is_400(service, query):
    """Limits outside 1 to 100 and cursors that no page gave are refused."""
    status, answer = await service.call("GET", f"/status?paginated=true&{query}")
    assert (status, answer["code"]) == (400, 400)
    assert len(answer["message"]) < 200


async def test_a_queued_job_is_cancelled_at_once(service, tmp_path):
    """Behind two busy workers a job is cancelled without ever starting; its credits are given back."""
    gate = tmp_path / "gate"
    busy = [await service.submit(f"wait {gate}") for _ in range(2)]
    for process_id in busy:
        await service.reached(process_id, "Processing")
    waiting = await service.submit()
    assert await service.call("DELETE", f"/cancel/{waiting}") == (204, None)
    assert (await service.row(waiting))["status"] == "Cancelled"
    gate.touch()
    for process_id in busy:
        await service.reached(process_id, "Completed")
    ledger = read_ledger(tmp_path / "service")
    assert (ledger.cancelled, ledger.refunded_credits, ledger.charged_credits, ledger.reserved_credits) == (1, 1, 2, 0)


async def test_a_running_job_is_cancelled_and_its_worker_replaced(tmp_path):
    """The only worker, which hangs, is killed for a cancel, and the next job is done by another."""
    async with running(tmp_path / "service", workers=1) as service:
        process_id = await service.submit("hang")
        await service.reached(process_id, "Processing")
        assert await service.call("DELETE", f"/cancel/{process_id}") == (204, None)
        assert (await service.row(process_id))["status"] == "Cancelled"
        await service.reached(await service.submit(), "Completed")
        assert (await service.row(process_id))["status"] == "Cancelled"


@pytest.mark.parametrize("order", ["", "fail"])
async def test_a_finished_job_can_not_be_cancelled(service, order):
    """After the end it is too late: 409, and nothing changes."""
    before = await service.reached(await service.submit(order), "Completed", "Failed")
    status, answer = await service.call("DELETE", f"/cancel/{before['process_id']}")
    assert (status, answer["code"]) == (409, 409)
    assert await service.row(before["process_id"]) == before


async def test_two_cancels_at_once_end_a_job_once(service, tmp_path):
    """Of two cancels that race, one is told that it was too late, and the ledger counts one."""
    gate = tmp_path / "gate"
    process_id = await service.submit(f"wait {gate}")
    answers = await asyncio.gather(*(service.call("DELETE", f"/cancel/{process_id}") for _ in range(2)))
    assert sorted(status for status, _ in answers) == [204, 409]
    assert read_ledger(tmp_path / "service").cancelled == 1


async def test_deleting_removes_the_row_and_both_files(service, tmp_path):
    """After DELETE the id is unknown, and neither input nor output lies on the disk."""
    process_id = await service.submit()
    await service.reached(process_id, "Completed")
    stored = tmp_path / "service"
    source_id = (await service.row(process_id))["source_id"]
    assert [len(list(stored.rglob(name))) for name in (process_id, source_id)] == [1, 1]
    link = await service.link(process_id)
    assert await service.call("DELETE", f"/status/{process_id}") == (204, None)
    assert not [*stored.rglob(process_id + "*"), *stored.rglob(source_id + "*")]
    assert (await service.call("GET", f"/status/{process_id}"))[0] == 404
    assert (await service.fetch(link["download_url"])).status == 404


async def test_an_unfinished_job_can_not_be_deleted(service, tmp_path):
    """Deleting a job that runs is 409, and it runs on."""
    gate = tmp_path / "gate"
    process_id = await service.submit(f"wait {gate}")
    status, answer = await service.call("DELETE", f"/status/{process_id}")
    assert (status, answer["code"]) == (409, 409)
    gate.touch()
    await service.reached(process_id, "Completed")


async def test_deleting_all_spares_what_is_not_finished(service, tmp_path):
    """DELETE /status counts and removes the finished jobs only."""
    gate = tmp_path / "gate"
    done, failed = await service.submit(), await service.submit("fail")
    await service.reached(done, "Completed")
    await service.reached(failed, "Failed")
    busy = await service.submit(f"wait {gate}")
    assert await service.call("DELETE", "/status") == (200, {"deleted_count": 2})
    assert [row["process_id"] for row in (await service.call("GET", "/status"))[1]] == [busy]
    gate.touch()
    await service.reached(busy, "Completed")


async def test_the_ledger_remembers_what_was_deleted(service, tmp_path):
    """Every job ever accepted stays in the ledger, and a filename that was accepted twice is named."""
    for order in ("", "", "fail"):
        process_id = await service.submit(order)
        await service.reached(process_id, "Completed", "Failed")
        await service.call("DELETE", f"/status/{process_id}")
    ledger = read_ledger(tmp_path / "service")
    assert (ledger.accepted, ledger.completed, ledger.failed, ledger.deleted) == (3, 2, 1, 3)
    assert (ledger.charged_credits, ledger.refunded_credits, ledger.reserved_credits) == (2, 1, 0)
    assert ledger.repeated_filenames == {"a.png": 3}


async def test_old_jobs_are_forgotten(tmp_path):
    """What ended longer ago than the retention is removed with its files; younger and unfinished jobs stay."""
    clock = ShiftedClock()
    async with running(tmp_path / "service", clock=clock) as service:
        process_id = await service.submit()
        await service.reached(process_id, "Completed")
    clock.ahead_s = 8 * 24 * 3600.0
    async with running(tmp_path / "service", clock=clock) as service:
        fresh = await service.submit()

        async def is_gone():
            return (await service.call("GET", f"/status/{process_id}"))[0] == 404

        await until(is_gone, "the old job to be forgotten")

        async def has_no_files():
            return not list((tmp_path / "service").rglob(process_id))

        await until(has_no_files, "its files to go")
        await service.reached(fresh, "Completed")


async def test_estimates_price_a_job_without_a_picture(service):
    """One estimate or many: credits by output megapixels, and a bad question is answered in its place."""
    good = {"category": "Restore", "model": "Faces", "input_width": 100, "input_height": 50, "output_width": 10_000}
    for path in ("/estimate", "/estimate-gen"):
        status, answer = await service.call("POST", path, json=good)
        assert (status, answer["credits"]) == (200, 3)
        assert answer["duration"] > 0
    status, answers = await service.call(
        "POST", "/estimate-bulk", json=[good, {"model": "Faces"}, {**good, "model": "X"}]
    )
    assert [item["status"] for item in answers] == ["success", "error", "error"]
    assert [item.get("message", "")[:12] for item in answers] == ["", "input_width:", "model: 'X' i"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/estimate", b"{", 400),
        ("/estimate", b"[]", 400),
        ("/estimate", b'{"model": "Faces", "input_width": 0, "input_height": 1}', 400),
        ("/estimate", b'{"model": "Faces", "input_width": 32000, "input_height": 32000}', 400),
        ("/estimate", b'{"model": "Faces", "input_width": 200, "input_height": 1, "output_height": 200}', 400),
        ("/estimate-bulk", b"{}", 400),
        ("/estimate-bulk", b" " * 2_000_000, 413),
    ],
)
async def test_a_bad_estimate_is_refused(service, path, body, status):
    """What can't be estimated is refused with a reason."""
    answered, answer = await service.call("POST", path, data=io.BytesIO(body))
    assert (answered, answer["code"]) == (status, status)
    assert answer["message"]


async def test_a_cancelled_job_is_no_longer_ahead_of_others(tmp_path):
    """What waited behind a busy worker and was cancelled does not make the next job's eta any later."""
    gate = tmp_path / "gate"
    async with running(tmp_path / "service", workers=1) as service:
        busy = await service.submit(f"wait {gate}")
        await service.reached(busy, "Processing")
        first = await _time_to_go(service)
        assert await service.call("DELETE", f"/cancel/{first[0]}") == (204, None)
        for _ in range(20):
            waiting = await service.submit(output_width="8000")
            assert await service.call("DELETE", f"/cancel/{waiting}") == (204, None)
        # No more than at first: of the busy worker's job some has been done meanwhile.
        assert 0.0 < (await _time_to_go(service))[1] <= first[1]
        gate.touch()
        await service.reached(busy, "Completed")


async def _time_to_go(service):
    """Submit a small job and return (its id, the seconds that its eta gives it)."""
    process_id = await service.submit()
    row = await service.row(process_id)
    return process_id, row["eta"] - row["creation_time"]


async def test_two_deletes_at_once_delete_a_job_once(service):
    """Of two deletes that race, the one that comes too late hears that there is no such job."""
    ids = [await service.submit() for _ in range(20)]
    for process_id in ids:
        await service.reached(process_id, "Completed")
    for process_id in ids:
        answers = await asyncio.gather(*(service.call("DELETE", f"/status/{process_id}") for _ in range(3)))
        assert sorted(status for status, _ in answers) == [204, 404, 404]


async def test_a_job_from_the_future_does_not_keep_old_ones(tmp_path):
    """A job that was accepted while the clock was ahead stays; what came after it is forgotten in time."""
    clock, folder = ShiftedClock(), tmp_path / "service"
    ids = []
    for days in (90, 0):
        clock.ahead_s = days * 24 * 3600.0
        async with running(folder, clock=clock) as service:
            ids.append(await service.submit())
            await service.reached(ids[-1], "Completed")
    clock.ahead_s = 8 * 24 * 3600.0
    async with running(folder, clock=clock) as service:

        async def is_gone():
            return (await service.call("GET", f"/status/{ids[1]}"))[0] == 404

        await until(is_gone, "the old job to be forgotten")
        assert (await service.row(ids[0]))["status"] == "Completed"
