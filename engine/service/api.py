"""The endpoints of the contract, one method each. Light: no call does work for jobs it does not name."""

import math
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

import orjson
from aiohttp import web

from engine import __version__
from engine.clock import Clock
from engine.journal.line import Json
from engine.service.estimate import estimate, estimate_bulk
from engine.service.form import receive
from engine.service.host import host_of
from engine.service.job_state import Status
from engine.service.job_store import Job, JobStore
from engine.service.parts import Pictures, Restoring
from engine.service.presign import Presigner
from engine.service.refusal import Refusal
from engine.service.retention import forget
from engine.service.settings import ServiceSettings
from engine.service.submission import Submission
from engine.service.submit import draft
from engine.service.wire import answer, row

__all__ = ["BASE", "Api"]

BASE = "/image/v1"
_DEFAULT_LIMIT, _MAX_LIMIT = 50, 100  # the contract's
_UNLIMITED_CREDITS = 1_000_000_000  # shown where no limit was set; the contract wants a number
_SLICE = 500  # rows written before others get their turn


# Hears of a sound upload's filename before it is accepted, and may refuse it.
Admit = Callable[[web.Request, str], None]


def _admit_all(_request: web.Request, _filename: str) -> None:
    """Refuse nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The endpoints over the parts that do the work."""

    settings: ServiceSettings
    store: JobStore
    crew: Restoring
    files: Pictures
    links: Presigner
    clock: Clock
    admit: Admit = _admit_all

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(BASE + "/status/{id}", self.status),
            web.get(BASE + "/download/{id}", self.download),
            web.get("/files/{kind}/{id}", self.file),  # HEAD too
            web.post(BASE + "/restore-gen/async", self.submit),
            web.get(BASE + "/status", self.listing),
            web.get(BASE + "/download/input/{id}", self.download_input),
            web.delete(BASE + "/cancel/{id}", self.cancel),
            web.delete(BASE + "/status/{id}", self.forget),
            web.delete(BASE + "/status", self.forget_all),
            web.post(BASE + "/estimate", self.estimate),
            web.post(BASE + "/estimate-gen", self.estimate),
            web.post(BASE + "/estimate-bulk", self.estimate_bulk),
            web.get("/account/v1/credits/balance", self.balance),
            web.get("/health", self.health),
        ]

    async def submit(self, request: web.Request) -> web.Response:
        """Accept one picture. The input and the journal's line are on disk before the answer."""
        process_id = str(uuid.uuid4())
        upload = self.files.incoming(process_id)
        form = await receive(request, upload, self.settings.max_upload_bytes)
        try:
            asked = draft(form, process_id=process_id, source_id=str(uuid.uuid4()), now=self.clock.now())
            self._check_credits(asked)
            self.admit(request, asked.filename)
        except BaseException:
            upload.discard()
            raise
        job = await self.store.accept(replace(asked, eta=self.crew.eta(asked)))
        self.crew.put([job])
        return _accepted(job.submission)

    async def status(self, request: web.Request) -> web.Response:
        return answer(row(self._job(request)))

    async def listing(self, request: web.Request) -> web.StreamResponse:
        """Answer one page, or without `paginated=true` every row there is."""
        if request.query.get("paginated") != "true":
            return await self._whole_listing(request)
        limit = _number(request, "limit", _DEFAULT_LIMIT)
        if not 1 <= limit <= _MAX_LIMIT:
            raise Refusal(400, f"limit: {limit} is not a whole number from 1 to {_MAX_LIMIT}")
        cursor = _number(request, "cursor", -1)
        jobs, following = self.store.page(limit, None if cursor < 0 else cursor)
        pagination = {
            "next_cursor": None if following is None else str(following),
            "has_next_page": following is not None,
        }
        return answer({"data": [row(job) for job in jobs], "pagination": pagination})

    async def download(self, request: web.Request) -> web.Response:
        job = self._job(request)
        if job.status is not Status.COMPLETED:
            raise Refusal(409, f"the job is {job.status}; there is nothing to download")
        return self._links(request, "outputs", job.id)

    async def download_input(self, request: web.Request) -> web.Response:
        return self._links(request, "inputs", self._job(request).id)

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Hand out a stored picture to whoever holds a link to it."""
        expires, signature = request.query.get("expires", ""), request.query.get("signature", "")
        if not self.links.is_valid(request.method, request.path, expires, signature, self.clock.now()):
            raise Refusal(403, "the link has expired or is not valid; ask for a new one")
        job = self._job(request)
        if request.match_info["kind"] == "inputs":
            return await self.files.input_file(job)
        return await self.files.output_file(job, request)

    async def cancel(self, request: web.Request) -> web.Response:
        job = self._job(request)
        if not await self.crew.cancel(job):
            raise Refusal(409, f"the job is {job.status}; it is too late to cancel it")
        return web.Response(status=204)

    async def forget(self, request: web.Request) -> web.Response:
        """Delete one finished job with its files."""
        job = self._job(request)
        if not await forget([job], self.store, self.files):
            if job.status.is_final:  # somebody else is deleting it
                raise _unknown()
            raise Refusal(409, f"the job is {job.status}; cancel it first or wait for its end")
        return web.Response(status=204)

    async def forget_all(self, _request: web.Request) -> web.Response:
        """Delete every finished job with its files."""
        ended = self.store.ended_before(math.inf)
        return answer({"deleted_count": await forget(ended, self.store, self.files)})

    async def estimate(self, request: web.Request) -> web.Response:
        return answer(estimate(await _json(request), self.crew.duration_s))

    async def estimate_bulk(self, request: web.Request) -> web.Response:
        return answer(estimate_bulk(await _json(request), self.crew.duration_s))

    async def balance(self, _request: web.Request) -> web.Response:
        reserved, available = self.store.reserved_credits(), self._available_credits()
        return answer(
            {"available_credits": available, "reserved_credits": reserved, "total_credits": available + reserved}
        )

    async def health(self, _request: web.Request) -> web.Response:
        return answer({"status": "ok", "version": __version__, **self.crew.health()})

    def _job(self, request: web.Request) -> Job:
        job = self.store.get(request.match_info["id"])
        if job is None:
            raise _unknown()
        return job

    def _check_credits(self, asked: Submission) -> None:
        if (available := self._available_credits()) < asked.price:
            raise Refusal(402, f"the job costs {asked.price} credits and {available} are available")

    def _available_credits(self) -> int:
        if self.settings.credits is None:
            return _UNLIMITED_CREDITS
        return max(0, self.settings.credits - self.store.ledger.charged_credits - self.store.reserved_credits())

    def _links(self, request: web.Request, kind: str, process_id: str) -> web.Response:
        origin = f"{request.scheme}://{host_of(request)}"
        path, now = f"/files/{kind}/{process_id}", self.clock.now()
        download, expiry = self.links.sign("GET", path, now)
        head, _ = self.links.sign("HEAD", path, now)
        return answer({"download_url": origin + download, "head_url": origin + head, "expiry": expiry})

    async def _whole_listing(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        jobs, cursor = self.store.page(_SLICE, None)
        await response.write(b"[" + _joined(jobs))
        while cursor is not None:
            jobs, cursor = self.store.page(_SLICE, cursor)
            if jobs:
                await response.write(b"," + _joined(jobs))
        await response.write_eof(b"]")
        return response


def _unknown() -> Refusal:
    return Refusal(404, "no job has this id; it may have been deleted or be older than a week")


def _joined(jobs: list[Job]) -> bytes:
    return b",".join(orjson.dumps(row(job)) for job in jobs)


def _accepted(submission: Submission) -> web.Response:
    body = {"process_id": submission.process_id, "source_id": submission.source_id, "eta": submission.eta}
    headers = {
        "X-Process-ID": submission.process_id,
        "X-Source-ID": submission.source_id,
        "X-ETA": str(submission.eta),
    }
    return answer(body, headers=headers)


async def _json(request: web.Request) -> Json:
    try:
        return orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise Refusal(400, "the body is not JSON") from None


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise Refusal(400, f"{name}: '{text[:64]}' is not a whole number")
    return int(text)
