"""A submit, from the form to the accepted job. The input and the journal's line are on disk before the answer.

The picture comes with the form, from an address that the service fetches, or from an earlier submit.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from urllib.parse import parse_qsl, unquote, urlsplit

from aiohttp import web

from engine.clock import Clock
from engine.picture import Claims
from engine.service.caller import key_of
from engine.service.form import MAX_FILENAME_CHARS, Form, receive
from engine.service.job_store import JobStore
from engine.service.jobs import Job
from engine.service.key import Key
from engine.service.links import Links
from engine.service.outside import Outside, OutsideError
from engine.service.parts import Incoming, Pictures, Restoring
from engine.service.refusal import Refusal
from engine.service.route import SERVED
from engine.service.settings import ServiceSettings
from engine.service.submission import Submission
from engine.service.submit import Source, check, draft
from engine.service.turns import Turns
from engine.service.upload import Arrived

__all__ = ["Admit", "Intake"]

# Hears of a sound submit's filename before it is accepted, and may refuse it.
Admit = Callable[[web.Request, str], None]

_SOURCES = ("source_url", "source_id")
# Of one key at once. An upload holds up to a megabyte; a fetch may take as long as `fetch_time_limit_s`.
_MAX_UPLOADS = 256
_MAX_FETCHES = 4


def _admit_all(_request: web.Request, _filename: str) -> None:
    """Refuse nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Everything that a submit needs."""

    settings: ServiceSettings
    store: JobStore
    crew: Restoring
    files: Pictures
    links: Links
    outside: Outside
    clock: Clock
    admit: Admit = _admit_all
    uploads: Turns = field(default_factory=partial(Turns, "uploads", _MAX_UPLOADS))
    fetches: Turns = field(default_factory=partial(Turns, "fetches of a source_url", _MAX_FETCHES))

    async def submit(self, request: web.Request, route_name: str) -> Submission:
        """Accept one picture; raises Refusal, and then nothing of it stays."""
        route, key = SERVED[route_name], key_of(request)
        self.store.quota.check(key, request.content_length or 0)
        if self.available_credits(key) == 0:  # known before the upload; the price only after it
            raise Refusal(402, "no credits are available")
        source_id = str(uuid.uuid4())
        upload = self.files.incoming(source_id)
        with self.uploads.of(key):
            form = await receive(request, upload, self.settings.max_upload_bytes)
        try:
            settings = check(route, form.texts)
            await self._check_webhook(form.texts.get("webhook_url", ""), key)
            source = await self._source(form, source_id, upload, key)
            self.store.quota.check(key, source.new_bytes)
            asked = draft(route, settings, source, form.texts, process_id=str(uuid.uuid4()), now=self.clock.now())
            self._check_credits(key, asked)
            self.admit(request, asked.filename)
        except BaseException:
            upload.discard()
            raise
        return (await self._accept(replace(asked, owner=key.id))).submission

    def available_credits(self, key: Key) -> int | None:
        """Return what `key` may still spend; None for no limit."""
        if key.credits is None:
            return None
        return max(0, key.credits - self.store.charged_credits(key.id) - self.store.reserved_credits(key.id))

    async def _accept(self, asked: Submission) -> Job:
        with self.store.holding(asked.source_id):
            job = await self.store.accept(replace(asked, eta=self.crew.eta(asked)))
        self.crew.put([job])
        return job

    async def _check_webhook(self, url: str, key: Key) -> None:
        if not url:
            return
        try:
            await self.outside.check(url, owner=key.id)
        except OutsideError as error:
            raise Refusal(400, f"webhook_url: {error}") from error

    async def _source(self, form: Form, source_id: str, upload: Incoming, key: Key) -> Source:
        given = [name for name in _SOURCES if name in form.texts]
        named = form.filename is not None
        if named + len(given) != 1:
            what = " and ".join(["image"] * named + given) or "none"
            raise Refusal(400, f"exactly one of image, source_url, source_id is needed: {what} was given")
        if form.picture is not None and form.filename is not None:
            arrived = form.picture
            return Source(source_id=source_id, filename=form.filename, head=arrived.head, new_bytes=arrived.size_bytes)
        if given == ["source_id"]:
            return self._earlier(form.texts, key)
        return await self._fetched(form.texts, source_id, upload, key)

    def _earlier(self, texts: dict[str, str], key: Key) -> Source:
        """Return the input of an earlier submit. Nothing may await between this and the holding of it."""
        job = self.store.using(texts["source_id"])
        if job is None or job.owner != key.id:
            raise Refusal(400, "source_id: no input has this id; it may have been deleted or be older than a week")
        asked = job.submission
        head = Claims(format=asked.input_format, width=asked.input_width, height=asked.input_height)
        return Source(source_id=asked.source_id, filename=_filename(texts) or asked.filename, head=head)

    async def _fetched(self, texts: dict[str, str], source_id: str, upload: Incoming, key: Key) -> Source:
        """Return the picture at `source_url`. A link of this service's own needs no network."""
        url = texts["source_url"]
        arrived = await self._own(url, upload)
        if arrived is None:
            with self.fetches.of(key):
                arrived = await self._from_outside(url, upload, key)
        filename = _filename(texts) or _last_part(url)
        return Source(source_id=source_id, filename=filename, head=arrived.head, new_bytes=arrived.size_bytes)

    async def _own(self, url: str, upload: Incoming) -> Arrived | None:
        try:
            parts = urlsplit(url)
        except ValueError:
            return None
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        match parts.path.split("/"):
            case ["", "files", ("inputs" | "outputs") as kind, process_id] if self.store.get(process_id) is not None:
                try:
                    job = self.links.job_of("GET", parts.path, query)
                except Refusal as refusal:
                    raise Refusal(400, f"source_url: {refusal}") from refusal
                return await upload.adopt(job, kind)
        return None

    async def _from_outside(self, url: str, upload: Incoming, key: Key) -> Arrived:
        max_bytes, size_bytes = self.settings.max_upload_bytes, 0
        try:
            async with self.outside.get(url, owner=key.id) as fetched:
                if (fetched.content_length or 0) > max_bytes:
                    raise _too_large(max_bytes)
                async for data in fetched.chunks():
                    size_bytes += len(data)
                    if size_bytes > max_bytes:
                        raise _too_large(max_bytes)
                    await upload.add(data)
        except OutsideError as error:
            raise Refusal(400, f"source_url: {error}") from error
        return await upload.finish()

    def _check_credits(self, key: Key, asked: Submission) -> None:
        available = self.available_credits(key)
        if available is not None and available < asked.price:
            raise Refusal(402, f"the job costs {asked.price} credits and {available} are available")


def _filename(texts: dict[str, str]) -> str:
    filename = texts.get("filename", "")
    if len(filename) > MAX_FILENAME_CHARS:
        raise Refusal(400, f"filename: more than {MAX_FILENAME_CHARS} characters")
    return filename


def _last_part(url: str) -> str:
    return unquote(urlsplit(url).path.rsplit("/", 1)[-1])[:MAX_FILENAME_CHARS] or "image"


def _too_large(max_bytes: int) -> Refusal:
    return Refusal(413, f"source_url: the picture is larger than {max_bytes} bytes")
