"""Presigned links: minted with the key, fetched without it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urljoin, urlsplit

from engine.remote.exchange import broken
from engine.remote.failures import Call, Kind, RemoteError
from engine.remote.transport import Response, StreamedResponse, TransportError

__all__ = ["Link", "LinkedFile", "link_of"]

_WEB = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Link:
    """A presigned link: a secret for as long as it lives, so that no `repr` shows what signs it."""

    url: str

    def __repr__(self) -> str:
        return f"<Link {self.url.partition('?')[0]}>"


def link_of(members: dict[str, Any], base: str) -> Link:
    """Return the link in `members`, absolute or relative to `base`; raises RemoteError when there is none."""
    said = members.get("download_url")
    url = _web_address(said, base) if isinstance(said, str) and said else ""
    if not url:
        raise RemoteError(Kind.TRANSIENT, "no link was sent with the answer")
    return Link(url)


def _web_address(url: str, base: str) -> str:
    """Return `url`, absolute; empty when it is none of the web."""
    try:
        absolute = url if url.startswith(_WEB) else urljoin(base + "/", url)
        return absolute if urlsplit(absolute).scheme in ("http", "https") else ""
    except ValueError:
        return ""


class LinkedFile:
    """A GET of a presigned link as a context manager; its status is 200, 206 or 416, all else is raised."""

    def __init__(
        self,
        exchange: AbstractAsyncContextManager[StreamedResponse],
        explain: Callable[[Call, Response], RemoteError],
    ) -> None:
        self._exchange = exchange
        self._explain = explain

    async def __aenter__(self) -> StreamedResponse:
        try:
            answer = await self._exchange.__aenter__()
        except TransportError as error:
            raise broken(Call.FILE, error) from error
        if answer.status in (200, 206, 416):
            return answer
        try:
            body = await answer.read()
        except TransportError as error:
            raise broken(Call.FILE, error) from error
        finally:
            await self._exchange.__aexit__(None, None, None)
        raise self._explain(Call.FILE, Response(answer.status, answer.headers, body))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exchange.__aexit__(kind, error, trace)
        if isinstance(error, TransportError):
            raise broken(Call.FILE, error) from error
