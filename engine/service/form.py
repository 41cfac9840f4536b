"""Read one multipart upload: texts into memory with caps, the picture to where it is kept as it arrives.

Whatever ends the reading early, no half-written file stays. Knows no jobs and checks no settings.
"""

from dataclasses import dataclass, field

from aiohttp import web

from engine.service.caller import check_plain
from engine.service.multipart import Body, Malformed, Multipart, Part
from engine.service.parts import Incoming
from engine.service.refusal import Refusal
from engine.service.upload import Arrived

__all__ = ["Form", "receive"]

MAX_FIELDS = 50  # the model has 16 settings
MAX_TEXT_BYTES = 64 * 1024  # room for the 500 face boxes that are taken, with all their digits
MAX_FORM_TEXT_BYTES = 256 * 1024  # of all fields with their names: one long one, and the others at their usual length
MAX_FILENAME_CHARS = 1024  # file systems stop at 255 bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One upload: its text fields, and the picture if there was one."""

    texts: dict[str, str]
    filename: str | None  # of the `image` part, verbatim; None without one
    picture: Arrived | None


async def receive(request: web.Request, upload: Incoming, max_bytes: int) -> Form:
    """Read the form in `request`, its picture into `upload`, which is finished when it returns.

    Raises Refusal with 400, 413 or 415; then `upload` is discarded.
    """
    if request.content_type != "multipart/form-data":
        raise Refusal(415, "the body must be multipart/form-data")
    check_plain(request)
    if (request.content_length or 0) > max_bytes:
        raise _too_large(max_bytes)
    filling = _Filling(upload)
    try:
        await _read(request, filling, max_bytes)
        texts = filling.decoded()
        picture = await upload.finish() if filling.filename is not None else None
    except Malformed as error:
        upload.discard()
        raise Refusal(400, f"the form is malformed: {error}") from error
    except BaseException:
        upload.discard()
        raise
    return Form(texts=texts, filename=filling.filename, picture=picture)


async def _read(request: web.Request, filling: "_Filling", max_bytes: int) -> None:
    body = Multipart(_boundary(request))
    size_bytes = 0
    async for data in request.content.iter_any():
        size_bytes += len(data)
        if size_bytes > max_bytes:  # a chunked body announces no length
            raise _too_large(max_bytes)
        for event in body.feed(data):
            await filling.take(event)
    if not body.is_complete:
        raise Malformed("it ends before its closing boundary")


def _boundary(request: web.Request) -> str:
    # aiohttp has no public name for the parameters of a request's content type.
    for parameter in request.headers["Content-Type"].split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "boundary":
            return value.strip().strip('"')
    raise Malformed("its content type names no boundary")


@dataclass(slots=True)
class _Filling:
    """A form while its parts arrive."""

    upload: Incoming
    filename: str | None = None
    texts: dict[str, bytearray] = field(default_factory=dict)
    parts: int = 0
    text_bytes: int = 0
    _name: str = ""  # of the part that began last

    async def take(self, event: Part | Body) -> None:
        match event:
            case Part(name=name, filename=filename):
                self._begin(_clean(name), filename)
            case Body(data=data) if self._name == "image":
                await self.upload.add(data)
            case Body(data=data):
                self._count(len(data))
                text = self.texts[self._name]
                text += data
                if len(text) > MAX_TEXT_BYTES:
                    raise Refusal(413, f"{self._name[:64]}: longer than {MAX_TEXT_BYTES} bytes")

    def _begin(self, name: str, filename: str | None) -> None:
        self.parts += 1
        if self.parts > MAX_FIELDS:
            raise Refusal(400, f"more than {MAX_FIELDS} form fields")
        if name in self.texts or (name == "image" and self.filename is not None):
            raise Refusal(400, f"{name[:64]}: given twice")
        self._name = name
        self._count(len(name))
        if name != "image":
            self.texts[name] = bytearray()
            return
        self.filename = _clean(filename or "image")
        if len(self.filename) > MAX_FILENAME_CHARS:
            raise Refusal(400, f"image: a filename of more than {MAX_FILENAME_CHARS} characters")

    def _count(self, size_bytes: int) -> None:
        self.text_bytes += size_bytes
        if self.text_bytes > MAX_FORM_TEXT_BYTES:
            raise Refusal(413, f"the fields of the form are longer than {MAX_FORM_TEXT_BYTES} bytes together")

    def decoded(self) -> dict[str, str]:
        return {name: _text(name, data) for name, data in self.texts.items()}


def _text(name: str, data: bytearray) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Refusal(400, f"{name[:64]}: is not UTF-8") from None


def _clean(text: str) -> str:
    """Return `text` as JSON can carry it."""
    return text.encode("utf-8", "replace").decode()


def _too_large(max_bytes: int) -> Refusal:
    return Refusal(413, f"the request is larger than {max_bytes} bytes")
