"""The endpoints of the contract, one method each. Light: no call does work for jobs it does not name."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import orjson
from aiohttp import web

from engine.journal.line import Json
from engine.service.caller import check_plain, key_of, origin_of
from engine.service.estimate import estimate, estimate_bulk
from engine.service.intake import Intake
from engine.service.job_state import Status
from engine.service.job_store import JobStore
from engine.service.jobs import Job
from engine.service.json_body import read_json
from engine.service.links import Links, unknown_job
from engine.service.parts import Pictures, Restoring
from engine.service.refusal import Refusal
from engine.service.retention import forget
from engine.service.route import SERVED, UNSERVED
from engine.service.submission import Submission
from engine.service.wire import answer, row

__all__ = ["BASE", "Api"]

BASE = "/image/v1"
_DEFAULT_LIMIT, _MAX_LIMIT = 50, 100  # the contract's
_UNLIMITED_CREDITS = 1_000_000_000  # shown where no limit was set; the contract wants a number
_SLICE = 100  # rows of a listing that are looked up at once
_PIECE_BYTES = 64 * 1024  # of it that are written at once; then others get their turn. asyncio buffers as much
_FORGOTTEN = 500  # jobs of a key that are deleted at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The endpoints over the parts that do the work."""

    store: JobStore
    crew: Restoring
    files: Pictures
    intake: Intake
    links: Links

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(BASE + "/status/{id}", self.status),
            web.get(BASE + "/download/{id}", self.download),
            web.get("/files/{kind}/{id}", self.file),  # HEAD too
            *(web.post(f"{BASE}/{route}/async", partial(self.submit, route)) for route in SERVED),
            *(web.post(f"{BASE}/{route}/async", self.submit_elsewhere) for route in UNSERVED),
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

    async def submit(self, route: str, request: web.Request) -> web.Response:
        return _accepted(await self.intake.submit(request, route))

    async def submit_elsewhere(self, request: web.Request) -> web.Response:
        """Answer a route of the family whose models are not here."""
        served = ", ".join(f"{BASE}/{route.name}/async ({route.model})" for route in SERVED.values())
        raise Refusal(400, f"{request.path} is not served here; this service has {served}")

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
        jobs, following = self.store.page(key_of(request).id, limit, None if cursor < 0 else cursor)
        pagination = {
            "next_cursor": None if following is None else str(following),
            "has_next_page": following is not None,
        }
        return answer({"data": [row(job) for job in jobs], "pagination": pagination})

    async def download(self, request: web.Request) -> web.Response:
        job = self._job(request)
        if job.status is not Status.COMPLETED:
            raise Refusal(409, f"the job is {job.status}; there is nothing to download")
        return answer(self.links.download(job, origin_of(request)))

    async def download_input(self, request: web.Request) -> web.Response:
        return answer(self.links.download_input(self._job(request), origin_of(request)))

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Hand out a stored picture to whoever holds a link to it."""
        job = self.links.job_of(request.method, request.path, request.query)
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
                raise unknown_job()
            raise Refusal(409, f"the job is {job.status}; cancel it first or wait for its end")
        return web.Response(status=204)

    async def forget_all(self, request: web.Request) -> web.Response:
        """Delete every finished job of this key with its files."""
        count = 0
        for ended in self.store.ended_of(key_of(request).id, _FORGOTTEN):
            count += await forget(ended, self.store, self.files)
            await asyncio.sleep(0)
        return answer({"deleted_count": count})

    async def estimate(self, request: web.Request) -> web.Response:
        return answer(estimate(await _json(request), self.crew.duration_s))

    async def estimate_bulk(self, request: web.Request) -> web.Response:
        return answer(estimate_bulk(await _json(request), self.crew.duration_s))

    async def balance(self, request: web.Request) -> web.Response:
        key = key_of(request)
        reserved, limited = self.store.reserved_credits(key.id), self.intake.available_credits(key)
        available = _UNLIMITED_CREDITS if limited is None else limited
        return answer(
            {"available_credits": available, "reserved_credits": reserved, "total_credits": available + reserved}
        )

    async def health(self, _request: web.Request) -> web.Response:
        """Say that calls are answered; how the work goes is told on the admin port only."""
        return answer({"status": "ok"})

    def _job(self, request: web.Request) -> Job:
        """Return the job that is asked for, if it belongs to whoever asks; raises Refusal with 404."""
        job = self.store.get(request.match_info["id"])
        if job is None or job.owner != key_of(request).id:
            raise unknown_job()
        return job

    async def _whole_listing(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        if request.method == "HEAD":  # aiohttp would send what is written
            return response
        text, separator = bytearray(b"["), b""
        for job in self._rows(key_of(request).id):
            text += separator + orjson.dumps(row(job))
            separator = b","
            if len(text) >= _PIECE_BYTES:
                await response.write(bytes(text))
                await asyncio.sleep(0)  # a write that finds room in the buffer does not wait
                text.clear()
        await response.write_eof(bytes(text + b"]"))
        return response

    def _rows(self, owner: str) -> Iterator[Job]:
        """Yield all jobs of a key in the order of the listing; others may come and go meanwhile."""
        cursor: int | None = None
        while True:
            jobs, cursor = self.store.page(owner, _SLICE, cursor)
            yield from jobs
            if cursor is None:
                return


def _accepted(submission: Submission) -> web.Response:
    body = {"process_id": submission.process_id, "source_id": submission.source_id, "eta": submission.eta}
    headers = {
        "X-Process-ID": submission.process_id,
        "X-Source-ID": submission.source_id,
        "X-ETA": str(submission.eta),
    }
    return answer(body, headers=headers)


async def _json(request: web.Request) -> Json:
    check_plain(request)
    return read_json(await request.read())


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise Refusal(400, f"{name}: '{text[:64]}' is not a whole number")
    return int(text)
