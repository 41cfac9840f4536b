"""A remote that speaks the contract in memory, as a `Transport`: honest by default, and wrong exactly when told to be.

Faults are queued by call and used up in order, or last until they are taken back; every other exchange goes well. What
it accepted and what it was asked stays readable, so a test can audit it like a ledger.
"""

import itertools
import random
import re
import uuid
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from enum import StrEnum
from urllib.parse import parse_qs, quote, unquote, urlsplit

import orjson

from engine.clock import Clock
from engine.remote.multipart import Upload
from engine.remote.transport import ConnectError, Response, TransportError

BASE = "https://remote.test/image/v1"
ACCOUNT = "https://remote.test/account/v1"
KEY = "secret-key"


@dataclass(frozen=True)
class Answer:
    """Answer this instead, and do nothing."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b'{"message": "as told"}'


@dataclass(frozen=True)
class NoConnection:
    """No connection comes about."""


@dataclass(frozen=True)
class Lost:
    """The exchange breaks off after `after_s`; the work behind it is done only if `is_done`."""

    is_done: bool
    after_s: float = 0.0


@dataclass(frozen=True)
class Cut:
    """A file ends after `at` bytes."""

    at: int


Fault = Answer | NoConnection | Lost | Cut


class Listed(StrEnum):
    """How the rows of the listing stand, and what a cursor is."""

    OLDEST_FIRST = "oldest first"  # the cursor is an offset
    NEWEST_FIRST = "newest first"  # the cursor is an offset, so pages shift with every new job
    SHUFFLED = "shuffled"  # anew for each page, so that rows come twice or not at all
    BY_KEY = "newest first, by key"  # the cursor is the last row's key, as the service's: pages stay put


@dataclass
class RemoteJob:
    process_id: str
    filename: str
    fields: dict[str, str]
    accepted_at: float
    result: bytes
    key: int  # counts the jobs ever accepted
    is_hidden: bool = False  # from the listing
    route: str = "restore-gen"
    source: bytes = b""  # the picture that it was sent, or told where to find

    @property
    def stage(self) -> int:
        return 2 if self.route == "enhance" else 1


class FakeRemote:
    """Jobs finish `job_s` after they were accepted; `result` is what each comes out as."""

    def __init__(self, clock: Clock, *, result: bytes, size: tuple[int, int], job_s: float = 1.0) -> None:
        self.clock = clock
        self.result = result
        self.size = size
        self.job_s = job_s
        self.jobs: dict[str, RemoteJob] = {}
        self.accepted: list[str] = []  # filenames, in order, those of deleted jobs too
        self.requests: list[tuple[str, str]] = []
        self.file_headers: list[Mapping[str, str]] = []
        self.faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self.etag = '"one"'
        self.always: dict[str, Fault] = {}  # what each exchange of a call meets that has no queued fault
        self.most_per_s: int | None = None  # calls taken within any second; the next one is answered 429
        self.listed = Listed.OLDEST_FIRST
        self.page_rows = 100
        self.links_minted = 0
        self.ahead_s = 0.0  # of the remote's clock
        self.eta_factor = 1.0  # between what a submit is told and what it takes
        self.credits: float = 1  # charged a finished job
        self.available = 1000  # credits
        self.new_id: Callable[[], str] = lambda: str(uuid.uuid4())
        self.has_length = True  # files say how long they are
        self.durations: dict[int, float] = {}  # of jobs of the run that do not take `job_s`
        self.fates: dict[int, tuple[str, str]] = {}  # status and message of a job of the run, whatever time says
        self.cancelled: set[str] = set()  # process ids
        self.is_circular = False  # the pages of its listing have no end
        self.is_ours = False  # it says that it is the embedded service, and takes pictures by links of its own
        self.enhanced, self.enhanced_size = result, size  # what `enhance` makes
        self.later_fates: dict[int, tuple[str, str]] = {}  # as `fates`, of second stages
        self.before: Callable[[str], None] = lambda _call: None  # told each call before it is answered
        self.web: dict[str, bytes] = {}  # what other hosts have, by address
        self.refusals: list[tuple[float, str]] = []  # calls answered 429 for `most_per_s`: when, and which
        self._taken: deque[float] = deque()  # when the calls of the last second were taken
        self._keys = itertools.count(1)
        self._shuffle = random.Random(5).shuffle

    def fault(self, call: str, *faults: Fault) -> None:
        """Queue `faults` for the next exchanges of `call`: submit, status, listing, link, file, forget, cancel."""
        self.faults[call].extend(faults)

    def job(self, number: int, suffix: str = "") -> RemoteJob | None:
        """Return the job that the remote keeps for job `number` of the run; `suffix`: of a retry, or a stage."""
        return next((job for job in self.jobs.values() if f"-{number:06d}{suffix}." in job.filename), None)

    def add_strangers(self, count: int) -> None:
        """Keep `count` finished jobs more, of other clients of the key."""
        for _each in range(count):
            self._keep("holiday.jpg", {}, self.clock.now() - 1e6)

    def _keep(self, filename: str, fields: dict[str, str], accepted_at: float) -> RemoteJob:
        job = RemoteJob(self.new_id(), filename, fields, accepted_at, self.result, next(self._keys))
        self.jobs[job.process_id] = job
        return job

    def count(self, call: str) -> int:
        return sum(1 for made, _url in self.requests if made == call)

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], upload: Upload | None = None
    ) -> Response:
        assert url.replace("http:", "https:").startswith((BASE, ACCOUNT))
        call = _call(method, url)
        self.requests.append((call, url))
        self.before(call)
        fault = self._next_fault(call)
        if headers.get("X-API-Key") != KEY:
            return _json(401, {"message": "no such key"})
        if isinstance(fault, Lost):
            await self.clock.sleep(fault.after_s)
        if isinstance(fault, Lost) and not fault.is_done:
            raise TransportError("lost before")
        if isinstance(fault, Answer):
            return Response(fault.status, dict(fault.headers), fault.body)
        if self._is_too_fast(call):
            return _json(429, {"message": "too fast"})
        answer = await self._do(call, url, upload)
        if self.is_ours:
            answer = Response(answer.status, {**answer.headers, "X-Face-Recovery": "test"}, answer.body)
        if isinstance(fault, Lost):
            raise TransportError("lost after")
        return answer

    def _next_fault(self, call: str) -> Fault | None:
        queue = self.faults[call]
        fault = queue.popleft() if queue else self.always.get(call)
        if isinstance(fault, NoConnection):
            raise ConnectError("refused")
        return fault

    def _is_too_fast(self, call: str) -> bool:
        now = self.clock.monotonic()
        while self._taken and self._taken[0] <= now - 1.0:
            self._taken.popleft()
        if self.most_per_s is not None and len(self._taken) >= self.most_per_s:
            self.refusals.append((now, call))
            return True
        self._taken.append(now)
        return False

    async def _do(self, call: str, url: str, upload: Upload | None) -> Response:
        name = unquote(urlsplit(url).path.rpartition("/")[2])
        match call:
            case "submit":
                assert upload is not None
                return await self._accept(upload, urlsplit(url).path.split("/")[-2])
            case "listing":
                return self._list(parse_qs(urlsplit(url).query))
            case "balance":
                return _json(200, {"available_credits": self.available, "reserved_credits": 0, "total_credits": 0})
        job = self.jobs.get(name)
        if job is None:
            return _json(404, {"message": "no such job"})
        match call:
            case "status":
                return _json(200, self._row(job))
            case "link":
                self.links_minted += 1
                link = f"http://files.test/{quote(name, safe='')}?signature={self.links_minted}"
                return _json(200, {"download_url": link, "head_url": link, "expiry": self.clock.now() + 3600})
            case "cancel":
                return self._cancel(job)
            case _:
                del self.jobs[name]
                return Response(204, {}, b"")

    def _cancel(self, job: RemoteJob) -> Response:
        if self._row(job)["status"] != "Processing":
            return _json(409, {"message": "too late"})
        self.cancelled.add(job.process_id)
        return Response(204, {}, b"")

    async def _accept(self, upload: Upload, route: str) -> Response:
        body = upload.body()
        data = body if isinstance(body, bytes) else b"".join([chunk async for chunk in body])
        assert len(data) == int(upload.headers["Content-Length"])
        source = data[len(upload.head) : -len(upload.tail)]
        if url := upload.fields.get("source_url"):
            linked = self.jobs.get(urlsplit(url).path.removeprefix("/")) if self.is_ours else None
            if linked is None or self._row(linked)["status"] != "Completed":
                return _json(400, {"message": "source_url: nothing there"})
            source = linked.result
        job = self._keep(upload.filename, dict(upload.fields), self.clock.now())
        job.route, job.source = route, source
        if job.stage == 2:
            job.result = self.enhanced
        self.accepted.append(job.filename)
        eta = job.accepted_at + self.ahead_s + self._takes_s(job) * self.eta_factor
        date = formatdate(job.accepted_at + self.ahead_s, usegmt=True)
        answer = {"process_id": job.process_id, "source_id": "", "eta": eta}
        return Response(200, {"Date": date}, orjson.dumps(answer))

    def _list(self, query: dict[str, list[str]]) -> Response:
        cursor = query.get("cursor", [""])[0]
        limit = min(self.page_rows, int(query["limit"][0]))
        jobs = [job for job in self.jobs.values() if not job.is_hidden]
        if self.listed in (Listed.NEWEST_FIRST, Listed.BY_KEY):
            jobs.reverse()
        elif self.listed is Listed.SHUFFLED:
            self._shuffle(jobs)
        start = int(cursor or 0)
        if self.listed is Listed.BY_KEY:
            start = sum(job.key >= int(cursor) for job in jobs) if cursor else 0
        page, end = jobs[start : start + limit], start + limit
        has_next = end < len(jobs)
        following = str(page[-1].key if self.listed is Listed.BY_KEY else end) if has_next else None
        if self.is_circular:
            following, has_next = ("0" if cursor == "1" else "1"), True
        pagination = {"next_cursor": following, "has_next_page": has_next}
        return _json(200, {"data": [self._row(job) for job in page], "pagination": pagination})

    def _takes_s(self, job: RemoteJob) -> float:
        return self.durations.get(_number(job), self.job_s)

    def _row(self, job: RemoteJob) -> dict[str, object]:
        over_at = job.accepted_at + self._takes_s(job)
        is_over = self.clock.now() >= over_at
        fates = self.fates if job.stage == 1 else self.later_fates
        fate, message = fates.get(_number(job), ("", ""))
        if job.process_id in self.cancelled:
            fate, message = "Cancelled", ""
        status = fate or ("Completed" if is_over else "Processing")
        row: dict[str, object] = {
            "process_id": job.process_id,
            "filename": job.filename,
            "status": status,
            "progress": 100 if is_over else 50,
            "eta": over_at,
            "creation_time": job.accepted_at,
            "modification_time": over_at,
            "output_width": (self.size if job.stage == 1 else self.enhanced_size)[0],
            "output_height": (self.size if job.stage == 1 else self.enhanced_size)[1],
            "credits": self.credits if status == "Completed" else 0,
        }
        return {**row, "message": message} if message else row

    @asynccontextmanager
    async def stream(self, url: str, *, headers: Mapping[str, str]) -> AsyncIterator["FakeFile"]:
        assert "X-API-Key" not in headers, "the key left for a presigned link"
        if url in self.web:
            yield FakeFile(200, {}, self.web[url])
            return
        self.requests.append(("file", url))
        self.file_headers.append(headers)
        fault = self._next_fault("file")
        if isinstance(fault, Answer):
            yield FakeFile(fault.status, dict(fault.headers), fault.body)
            return
        if isinstance(fault, Lost):
            raise TransportError("lost")
        job = self.jobs[unquote(urlsplit(url).path.removeprefix("/"))]
        yield self._file(job, headers, fault.at if isinstance(fault, Cut) else None)

    def _file(self, job: RemoteJob, headers: Mapping[str, str], cut: int | None) -> "FakeFile":
        start = 0
        if (asked := re.fullmatch(r"bytes=(\d+)-", headers.get("Range", ""))) and headers.get("If-Range") == self.etag:
            start = int(asked[1])
        body = job.result[start:]
        answered = {"ETag": self.etag, "Content-Disposition": 'attachment; filename="../../evil.jpg"'}
        if self.has_length:
            answered["Content-Length"] = str(len(body))
        if start:
            answered["Content-Range"] = f"bytes {start}-{len(job.result) - 1}/{len(job.result)}"
        return FakeFile(206 if start else 200, answered, body if cut is None else body[:cut], is_cut=cut is not None)


@dataclass
class FakeFile:
    """A `StreamedResponse`."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_cut: bool = False

    async def chunks(self, size_bytes: int) -> AsyncIterator[bytes]:
        for start in range(0, len(self.body), size_bytes):
            yield self.body[start : start + size_bytes]
        if self.is_cut:
            raise TransportError("cut")

    async def read(self) -> bytes:
        return b"".join([chunk async for chunk in self.chunks(1 << 20)])


def _number(job: RemoteJob) -> int:
    """Return which job of a run it is, -1 for a stranger's."""
    found = re.match(r"\w{10}-(\d{6})", job.filename)
    return int(found[1]) if found else -1


def _call(method: str, url: str) -> str:
    path = urlsplit(url).path
    if method == "POST":
        return "submit"
    if method == "DELETE":
        return "cancel" if "/cancel/" in path else "forget"
    if path.endswith("/credits/balance"):
        return "balance"
    if "/download/" in path:
        return "link"
    return "listing" if path.endswith("/status") else "status"


def _json(status: int, members: Mapping[str, object]) -> Response:
    return Response(status, {}, orjson.dumps(members))
