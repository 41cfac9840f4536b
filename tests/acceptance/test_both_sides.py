"""Both sides of the contract: what the service says in raw HTTP is what the engine's own client makes of it."""

import contextlib
from pathlib import Path

import orjson
import pytest

from engine.clock import SystemClock
from engine.remote.acceptance import Route
from engine.remote.client import Client
from engine.remote.failures import Call, Kind, RemoteError, classify
from engine.remote.multipart import Upload
from engine.remote.prices import Question
from engine.remote.transport import AiohttpTransport
from engine.service.key import KeyLimits
from engine.service.openapi import describe, operations
from tests.service.harness import BASE, KEY, Running, picture, running

# Every call of the description that the client makes, by the client's name for it.
_CALLS = {
    "submitRestore": Call.SUBMIT,
    "submitEnhance": Call.SUBMIT,
    "status": Call.STATUS,
    "listing": Call.LISTING,
    "downloadOutput": Call.LINK,
    "downloadInput": Call.INPUT_LINK,
    "file": Call.FILE,
    "forget": Call.FORGET,
    "forgetAll": Call.FORGET_ALL,
    "cancel": Call.CANCEL,
    "estimate": Call.ESTIMATE,
    "estimateGen": Call.ESTIMATE,
    "estimateBulk": Call.ESTIMATE,
    "balance": Call.BALANCE,
}
# What the contract says an error means, whatever the call.
_MEANS = {
    401: Kind.KEY_REFUSED,
    402: Kind.NO_CREDITS,
    403: Kind.KEY_REFUSED,
    404: Kind.GONE,
    409: Kind.NOT_YET,
    413: Kind.BAD_JOB,
    415: Kind.BAD_JOB,
    422: Kind.BAD_JOB,
    429: Kind.TOO_FAST,
}
_QUESTION = Question(category="Restore", model="Faces", input_width=4000, input_height=3000, output_width=8000)


class Overhearing:
    """A transport that keeps the last answer, as it came."""

    def __init__(self, inner):
        self._inner = inner
        self.last = None

    async def request(self, *arguments, **options):
        self.last = await self._inner.request(*arguments, **options)
        return self.last

    def stream(self, *arguments, **options):
        return self._inner.stream(*arguments, **options)

    @property
    def said(self):
        return orjson.loads(self.last.body)


class BothSides:
    """A client of a running service, and what it overheard."""

    def __init__(self, service: Running, transport: AiohttpTransport, key: str):
        self.service = service
        self.wire = Overhearing(transport)
        self.client = Client(self.wire, service.base + BASE, key, SystemClock())

    async def submit(self, order: str = "", route: str = Route.RESTORE_GEN, **fields: str):
        return await self.client.submit(upload(picture(order), **fields), route)

    async def refused(self, doing) -> RemoteError:
        """Return the error that `doing` ends with, once its status and words are those on the wire."""
        with pytest.raises(RemoteError) as caught:
            await doing
        assert caught.value.status == self.wire.last.status == self.wire.said["code"]
        assert self.wire.said["message"] in str(caught.value)
        return caught.value


def upload(content: bytes, **fields: str) -> Upload:
    return Upload.of({"model": "Faces", **fields}, "a.png", Path("a.png"), len(content), content)


@contextlib.asynccontextmanager
async def both_sides(folder: Path, *, key: str = KEY, **settings):
    transport = AiohttpTransport(max_connections=4, connect_timeout_s=20.0, stall_timeout_s=20.0)
    async with running(folder / "service", **settings) as service, transport:
        yield BothSides(service, transport, key)


@pytest.fixture
async def sides(tmp_path):
    async with both_sides(tmp_path, workers=1) as sides:
        yield sides


def assert_same(row, said):
    """Assert that the client's `row` is the row that was `said`."""
    assert (row.process_id, row.filename, row.progress) == (said["process_id"], said["filename"], said["status"])
    assert (row.eta, row.created, row.modified) == (said["eta"], said["creation_time"], said["modification_time"])
    assert (row.output_width, row.output_height) == (said["output_width"], said["output_height"])
    assert (row.credits, row.output_bytes) == (said["credits"], said.get("output_bytes", 0))
    assert (row.faces, list(row.warnings)) == (said.get("faces"), said.get("warnings", []))
    assert row.message == said.get("message", "")


async def test_a_submit(sides):
    """Both sides name the job, its source and its time alike."""
    accepted = await sides.submit()
    said = sides.wire.said
    assert (accepted.process_id, accepted.source_id, accepted.eta) == (
        said["process_id"],
        said["source_id"],
        said["eta"],
    )


async def test_a_submit_by_source_id(sides):
    """An input that is there is named, not sent again; the job has the name that the client gave it."""
    first = await sides.submit()
    fields = {"model": "Faces", "source_id": first.source_id}
    again = await sides.client.submit(Upload.of_fields(fields, "again.png"))
    assert again.source_id == first.source_id
    assert (await sides.client.status(again.process_id)).filename == "again.png"


async def test_rows_of_every_status(sides, tmp_path):
    """A row means the same on both sides, alone and in the listing, whatever became of the job."""
    gate = tmp_path / "gate"
    done, failed = await sides.submit(), await sides.submit("fail")
    await sides.service.reached(failed.process_id, "Failed")
    held, waiting, cancelled = [await sides.submit(f"wait {gate}") for _ in range(3)]
    await sides.client.cancel(cancelled.process_id)
    assert sides.wire.last.status == 204
    statuses = []
    for job in (done, failed, held, waiting, cancelled):
        row = await sides.client.status(job.process_id)
        assert_same(row, sides.wire.said)
        statuses.append(row.progress)
    assert statuses[:2] == ["Completed", "Failed"]
    assert statuses[4] == "Cancelled"
    page = await sides.client.listing()
    for row, said in zip(page.rows(), sides.wire.said["data"], strict=True):
        assert_same(row, said)


async def test_pages(sides):
    """The client walks the pages as the service lays them out, and knows whom it talks to."""
    jobs = {(await sides.submit()).process_id for _ in range(5)}
    cursor, seen = None, []
    while True:
        page = await sides.client.listing(cursor, limit=2)
        pagination = sides.wire.said["pagination"]
        assert page.next_cursor == (pagination["next_cursor"] if pagination["has_next_page"] else None)
        seen += [row.process_id for row in page.rows()]
        if (cursor := page.next_cursor) is None:
            break
    assert sorted(seen) == sorted(jobs)
    assert sides.client.is_ours


async def test_links_and_files(sides):
    """Links are passed on whole, and what they lead to is what the row says, in whole or in part."""
    job = await sides.submit()
    await sides.service.reached(job.process_id, "Completed")
    row = await sides.client.status(job.process_id)
    link = await sides.client.link(job.process_id)
    assert link.url == sides.wire.said["download_url"]
    for headers, status, size in (({}, 200, row.output_bytes), ({"Range": "bytes=3-9"}, 206, 7)):
        async with sides.client.file(link.url, headers) as answer:
            assert (answer.status, len(await answer.read())) == (status, size)
    async with sides.client.file(link.url, {"Range": "bytes=999999-"}) as answer:
        assert answer.status == 416
    assert (await sides.client.input_link(job.process_id)).url == sides.wire.said["download_url"]


async def test_tidying_up(sides):
    """One job goes, then all that have ended; the count is the service's."""
    jobs = [await sides.submit() for _ in range(3)]
    for job in jobs:
        await sides.service.reached(job.process_id, "Completed")
    await sides.client.forget(jobs[0].process_id)
    assert sides.wire.last.status == 204
    assert await sides.client.forget_all() == sides.wire.said["deleted_count"] == 2


async def test_prices_and_balance(tmp_path):
    """Estimates, one or many, and the balance say the same numbers on both sides."""
    async with both_sides(tmp_path, credits=5) as sides:
        quote = await sides.client.estimate(_QUESTION)
        assert (quote.credits, quote.duration_s) == (sides.wire.said["credits"], sides.wire.said["duration"])
        assert quote.credits == 2
        unknown = Question(category="Restore", model="Dust-Scratch", input_width=1, input_height=1)
        quotes = await sides.client.estimate_bulk([_QUESTION, unknown])
        assert [said["status"] for said in sides.wire.said] == ["success", "error"]
        assert quotes[0] == quote
        assert quotes[1].reason == sides.wire.said[1]["message"]
        balance = await sides.client.balance()
        assert (balance.available, balance.reserved, balance.total) == (5, 0, 5)
        assert [balance.available, balance.reserved, balance.total] == list(sides.wire.said.values())


async def test_refused_submits(tmp_path):
    """Every way in which a submit can be wrong has the contract's status, and that means this job is bad."""
    async with both_sides(tmp_path, max_upload_bytes=5000) as sides:
        wrong = {
            400: upload(picture(), model="Dust-Scratch"),
            413: upload(bytes(6000)),
            415: upload(b"not a picture"),
            422: upload(picture(), strength="2"),
        }
        for status, form in wrong.items():
            refusal = await sides.refused(sides.client.submit(form))
            assert (refusal.status, refusal.kind) == (status, Kind.BAD_JOB)
        elsewhere = await sides.refused(sides.submit(route=Route.SHARPEN))
        assert (elsewhere.status, elsewhere.kind) == (400, Kind.BAD_JOB)


async def test_what_is_gone_and_what_is_too_early(sides, tmp_path):
    """404 and 409 of every call about one job; a link that was changed has expired."""
    client = sides.client
    for doing in (client.status, client.link, client.input_link, client.cancel, client.forget):
        refusal = await sides.refused(doing("nobody"))
        assert (refusal.status, refusal.kind) == (404, Kind.GONE)
    job = await sides.submit(f"wait {tmp_path / 'gate'}")
    for doing in (client.link, client.forget):
        refusal = await sides.refused(doing(job.process_id))
        assert (refusal.status, refusal.kind) == (409, Kind.NOT_YET)
    link = await client.input_link(job.process_id)
    with pytest.raises(RemoteError) as caught:
        async with client.file(link.url[:-4] + "0000", {}):
            pass
    assert (caught.value.status, caught.value.kind) == (403, Kind.EXPIRED_LINK)
    await client.cancel(job.process_id)
    refusal = await sides.refused(client.cancel(job.process_id))
    assert (refusal.status, refusal.kind) == (409, Kind.NOT_YET)


async def test_a_wrong_key(tmp_path):
    """401 means the same whatever was asked."""
    async with both_sides(tmp_path, key="of-somebody-else") as sides:
        client = sides.client
        calls = (lambda: client.status("x"), client.listing, client.balance, lambda: client.estimate(_QUESTION))
        for call in calls:
            refusal = await sides.refused(call())
            assert (refusal.status, refusal.kind) == (401, Kind.KEY_REFUSED)


async def test_no_credits(tmp_path):
    """402 is not this job's fault."""
    async with both_sides(tmp_path, credits=1) as sides:
        refusal = await sides.refused(sides.submit(output_width="8000", output_height="6000"))
        assert (refusal.status, refusal.kind) == (402, Kind.NO_CREDITS)


async def test_too_fast(tmp_path):
    """429 comes with the wait that the service asks for, and the client has understood it."""
    async with both_sides(tmp_path, limits=KeyLimits(rate_per_s=0.01, burst=1)) as sides:
        await sides.client.balance()
        refusal = await sides.refused(sides.submit())
        assert (refusal.status, refusal.kind) == (429, Kind.TOO_FAST)
        assert refusal.retry_after_s == float(sides.wire.last.headers["Retry-After"]) > 0


def meaning_of(call: Call, status: int) -> Kind:
    """Return what the contract says that `status` means as the answer to `call`."""
    match call, status:
        case Call.FILE, 403 | 404:
            return Kind.EXPIRED_LINK
        case Call.SUBMIT, 408 | 500 | 503:
            return Kind.UNCLEAR  # it may have been accepted
        case ((Call.SUBMIT | Call.ESTIMATE), 400):
            return Kind.BAD_JOB
    return _MEANS.get(status, Kind.TRANSIENT)


@pytest.mark.parametrize("name", _CALLS)
def test_every_documented_refusal_is_understood(name):
    """Each error status in the description of a call means to the client what the contract says."""
    [described] = [call for _, _, call, _ in operations(describe()["paths"]) if call["operationId"] == name]
    statuses = [int(status) for status in described["responses"] if int(status) >= 400]
    assert statuses
    for status in statuses:
        # 416 is no error to the client, and 412 answers conditions that it never makes.
        if status not in (412, 416):
            assert classify(_CALLS[name], status) is meaning_of(_CALLS[name], status), status


def test_every_described_call_has_its_client():
    """The client makes every call that is served, but for the checks of links and of the service itself."""
    described = {call["operationId"] for _, _, call, _ in operations(describe()["paths"]) if "200" in call["responses"]}
    assert described | {"forget", "cancel"} == set(_CALLS) | {"fileHead", "health"}
