"""Typed calls of the contract. Each makes one exchange and raises RemoteError for all but success.

Nothing is retried here: what may be repeated, and when, is the lanes' decision. The key goes to the base URL
only; presigned links are fetched without it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import orjson

from engine.clock import Clock
from engine.remote.failures import Call, Kind, RemoteError, classify, parse_retry_after
from engine.remote.multipart import Upload
from engine.remote.pace import Pace
from engine.remote.row import Row, finite
from engine.remote.transport import ConnectError, Response, StreamedResponse, Transport, TransportError

__all__ = ["PAGE_ROWS", "Accepted", "Client", "Link", "Page", "as_row"]

PAGE_ROWS = 100  # the most that the contract lists a call
# The Date header has whole seconds and an answer takes its time: a smaller difference says nothing.
_SAME_CLOCK_S = 5.0


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to a submit; `eta` is Unix seconds by this machine's clock, 0 when not said."""

    process_id: str
    eta: float


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the listing; no `next_cursor` on the last. `members`: the rows as they came, read on demand."""

    members: tuple[dict[str, Any], ...]
    next_cursor: str | None

    def rows(self) -> Iterator[Row]:
        """Yield the rows that name a job. One without filename and process id can't be of this run; one without only
        the process id might, and raises RemoteError: a job that is overlooked would be sent again.
        """
        for members in self.members:
            if members.get("process_id") or members.get("filename"):
                yield as_row(members)


@dataclass(frozen=True, slots=True)
class Link:
    """A presigned link."""

    url: str


class Client:
    """The contract at one base URL, with one key. All calls share one pace, which follows the remote's 429s."""

    def __init__(self, transport: Transport, base_url: str, key: str, clock: Clock) -> None:
        self._transport = transport
        self.pace = Pace(clock)
        self._base = base_url.rstrip("/")
        self._headers = {"X-API-Key": key, "Accept": "application/json"}
        self._clock = clock
        self._date: tuple[str | None, float] = (None, 0.0)  # the newest Date header, and its Unix time
        self.requests = dict.fromkeys(Call, 0)
        self.is_simulated = False  # a listing said so: the remote is the embedded service, playing

    def __repr__(self) -> str:
        return f"<Client {self._base}: {sum(self.requests.values())} requests>"

    async def submit(self, upload: Upload) -> Accepted:
        """Send one picture. Kind UNCLEAR means that it may have been accepted.

        The only call that does not wait for its turn: whoever submits takes that (`pace.turn`) before the intent.
        """
        answer = await self._call(Call.SUBMIT, "POST", "/restore-gen/async", upload)
        members = _members(answer, otherwise=Kind.UNCLEAR)
        process_ids = members.get("process_id"), answer.headers.get("X-Process-ID")
        process_id = next((each for each in process_ids if isinstance(each, str) and each and each.isprintable()), None)
        if process_id is None:
            raise RemoteError(Kind.UNCLEAR, "the submit was answered without a process id", status=answer.status)
        eta = _time(members.get("eta")) or _time(answer.headers.get("X-ETA"))
        return Accepted(process_id, max(0.0, eta - self._skew_s(answer)) if eta else 0.0)

    def _skew_s(self, answer: Response) -> float:
        """Return how far the remote's clock is ahead, by the Date of its answer; 0 when it is about the same."""
        date = answer.headers.get("Date", "")
        if date != self._date[0]:  # a thousand answers a second have the same
            try:
                self._date = date, parsedate_to_datetime(date).timestamp()
            except (ValueError, TypeError, OverflowError):
                return 0.0
        skew_s = self._date[1] - self._clock.now()
        return skew_s if abs(skew_s) > _SAME_CLOCK_S else 0.0

    async def status(self, process_id: str) -> Row:
        answer = await self._call(Call.STATUS, "GET", f"/status/{quote(process_id, safe='')}")
        return as_row(_members(answer))

    async def listing(self, cursor: str | None = None, limit: int = PAGE_ROWS) -> Page:
        """Return one page of all rows that the remote keeps; their order means nothing."""
        query = f"?paginated=true&limit={limit}" + (f"&cursor={quote(cursor, safe='')}" if cursor else "")
        answer = await self._call(Call.LISTING, "GET", "/status" + query)
        self.is_simulated = "X-Simulated" in answer.headers
        members = _members(answer)
        rows, pagination = members.get("data"), members.get("pagination")
        if not isinstance(rows, list) or not isinstance(pagination, dict):
            raise RemoteError(Kind.TRANSIENT, "the listing was answered without data or pagination")
        cursor = pagination.get("next_cursor")
        if not pagination.get("has_next_page", cursor is not None):
            cursor = None
        elif not isinstance(cursor, str | int) or cursor == "":
            # Half a listing must not pass for a whole one: jobs missing from it would be sent again.
            raise RemoteError(Kind.TRANSIENT, "the listing announces a page without saying where it begins")
        return Page(tuple(row for row in rows if isinstance(row, dict)), None if cursor is None else str(cursor))

    async def rows(self, read: Callable[[str | None], Awaitable[Page]] | None = None) -> AsyncIterator[Row]:
        """Yield every row that the remote keeps, page by page; raises RemoteError when the pages go in a circle.

        `read` gets the page at a cursor, for whoever has more patience than `listing`.
        """
        read = read or self.listing
        cursor: str | None = None
        seen: set[str] = set()
        while True:
            page = await read(cursor)
            for row in page.rows():
                yield row
            if page.next_cursor is None:
                return
            if page.next_cursor in seen:
                raise RemoteError(Kind.TRANSIENT, "the listing's pages go in a circle")
            seen.add(page.next_cursor)
            cursor = page.next_cursor

    async def link(self, process_id: str) -> Link:
        """Mint a presigned link to the output."""
        answer = await self._call(Call.LINK, "GET", f"/download/{quote(process_id, safe='')}")
        members = _members(answer)
        url = members.get("download_url")
        if not isinstance(url, str) or not url:
            raise RemoteError(Kind.TRANSIENT, "the download was answered without a link")
        try:
            is_whole = urlsplit(url).scheme in ("https", "http")
            return Link(url if is_whole else urljoin(self._base + "/", url))
        except ValueError as error:
            raise RemoteError(Kind.TRANSIENT, f"the download was answered with a bad link ({error})") from error

    def file(self, url: str, headers: dict[str, str]) -> AbstractAsyncContextManager[StreamedResponse]:
        """GET a presigned link, without the key; its status is 200, 206 or 416, all else is raised."""
        self.requests[Call.FILE] += 1
        return _File(self._transport.stream(url, headers={**headers, "Accept-Encoding": "identity"}), self._error)

    async def forget(self, process_id: str) -> None:
        """Delete one finished job at the remote, files included where the remote is the embedded service."""
        await self._call(Call.FORGET, "DELETE", f"/status/{quote(process_id, safe='')}")

    async def cancel(self, process_id: str) -> None:
        """Cancel one job; kind NOT_YET means that it is too late."""
        await self._call(Call.CANCEL, "DELETE", f"/cancel/{quote(process_id, safe='')}")

    async def _call(self, call: Call, method: str, path: str, upload: Upload | None = None) -> Response:
        if call is not Call.SUBMIT:
            await self.pace.turn()
        self.requests[call] += 1
        sent_at = self._clock.monotonic()
        try:
            answer = await self._transport.request(method, self._base + path, headers=self._headers, upload=upload)
        except TransportError as error:
            raise RemoteError(_broken(call, error), f"{call} broke off ({error})") from error
        if 200 <= answer.status < 300:
            self.pace.worked()
            return answer
        refusal = self._error(call, answer)
        refusal.sent_at = sent_at
        if refusal.kind is Kind.TOO_FAST:
            self.pace.refused(sent_at, refusal.retry_after_s)
        else:
            self.pace.worked()
        raise refusal

    def _error(self, call: Call, answer: Response) -> RemoteError:
        retry_after_s = parse_retry_after(answer.headers.get("Retry-After"), self._clock.now())
        message = f"{call} was answered {answer.status}: {_message(answer)}"
        return RemoteError(classify(call, answer.status), message, status=answer.status, retry_after_s=retry_after_s)


class _File:
    """A GET of a presigned link as a context manager."""

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
            raise _broke_off(error) from error
        if answer.status in (200, 206, 416):
            return answer
        try:
            body = await answer.read()
        except TransportError as error:
            raise _broke_off(error) from error
        finally:
            await self._exchange.__aexit__(None, None, None)
        raise self._explain(Call.FILE, Response(answer.status, answer.headers, body))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exchange.__aexit__(kind, error, trace)
        if isinstance(error, TransportError):
            raise _broke_off(error) from error


def _broke_off(error: TransportError) -> RemoteError:
    return RemoteError(_broken(Call.FILE, error), f"the download broke off ({error})")


def _broken(call: Call, error: TransportError) -> Kind:
    if isinstance(error, ConnectError):
        return Kind.UNREACHABLE
    return Kind.UNCLEAR if call is Call.SUBMIT else Kind.TRANSIENT


def _message(answer: Response) -> str:
    """Return the remote's own words, on one line and not too many of them."""
    try:
        said = orjson.loads(answer.body)
        text = said.get("message") if isinstance(said, dict) else None
    except orjson.JSONDecodeError:
        text = None
    if not isinstance(text, str) or not text:
        text = answer.body[:200].decode(errors="replace")
    return " ".join(text.split())[:300] or "no message"


def _members(answer: Response, otherwise: Kind = Kind.TRANSIENT) -> dict[str, Any]:
    try:
        members = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        members = None
    if isinstance(members, dict):
        return members
    if answer.headers.get("X-Process-ID"):
        return {}
    raise RemoteError(otherwise, "the answer is not JSON", status=answer.status)


def _time(value: object) -> float:
    """Return Unix seconds from a number or the text of one, 0 when it is neither."""
    try:
        return finite(float(value) if isinstance(value, str) else value)
    except ValueError:
        return 0.0


def as_row(members: dict[str, Any]) -> Row:
    """Return the status row in `members`; raises RemoteError when it is none."""
    try:
        return Row.of_json(members)
    except (AttributeError, ValueError) as error:
        raise RemoteError(Kind.TRANSIENT, f"the answer is not a status row ({error})") from error
