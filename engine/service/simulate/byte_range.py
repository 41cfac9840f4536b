"""Which bytes of a picture a request asks for, by its Range and its conditions (RFC 9110, 13 and 14).

The answers are those that aiohttp gives for files on disk, with If-Range as `engine.service.files.StoredFile` reads it.
"""

from dataclasses import dataclass

from aiohttp import hdrs, web

from engine.service.files import is_date

__all__ = ["Part", "part_of"]


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes from `begin` up to `end`, answered with `status`; none at all with 304, 412 and 416."""

    status: int
    begin: int = 0
    end: int = 0


def part_of(request: web.BaseRequest, size_bytes: int, entity_tag: str, modified: int) -> Part:
    """Return what to answer; `entity_tag` in its quotes, `modified` in Unix seconds."""
    headers = request.headers
    if hdrs.IF_MATCH in headers and not _names(headers[hdrs.IF_MATCH], entity_tag):
        return Part(412)
    if hdrs.IF_NONE_MATCH in headers and _names(headers[hdrs.IF_NONE_MATCH], entity_tag):
        return Part(304)
    if hdrs.RANGE not in headers or not _is_current(request, entity_tag, modified):
        return Part(200, 0, size_bytes)
    return _range(request, size_bytes)


def _names(condition: str, entity_tag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in condition.split(",")]
    return "*" in tags or entity_tag in tags


def _is_current(request: web.BaseRequest, entity_tag: str, modified: int) -> bool:
    """Say whether If-Range, if there is one, names the picture as it is."""
    tag = request.headers.get(hdrs.IF_RANGE)
    if tag is None or tag == entity_tag:
        return True
    date = request.if_range if is_date(tag) else None
    return date is not None and modified <= date.timestamp()


def _range(request: web.BaseRequest, size_bytes: int) -> Part:
    try:
        asked = request.http_range
    except ValueError:
        return Part(416)
    begin, end = asked.start, asked.stop
    if begin is None:
        return Part(200, 0, size_bytes)
    if begin < 0:  # so many from the end
        return Part(206, max(0, size_bytes + begin), size_bytes)
    if begin >= size_bytes:
        return Part(416)
    return Part(206, begin, size_bytes if end is None else min(end, size_bytes))
