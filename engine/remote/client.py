"""Typed calls of the contract. Each makes one exchange and raises RemoteError for all but success.

Nothing is retried here: what may be repeated, and when, is the lanes' decision. The key goes to the base URL's host
only; presigned links are fetched without it.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Self
from urllib.parse import quote

from engine.clock import Clock
from engine.remote import account, prices
from engine.remote.acceptance import Accepted, Route, submit
from engine.remote.account import Balance
from engine.remote.answer import as_row, members_of
from engine.remote.exchange import Exchange
from engine.remote.failures import Call
from engine.remote.link import Link, LinkedFile, link_of
from engine.remote.listing import PAGE_ROWS, Page, page_of, rows_of
from engine.remote.member_id import member_id, unqualified
from engine.remote.multipart import Upload
from engine.remote.pace import Pace
from engine.remote.prices import Question, Quote
from engine.remote.row import Row, finite
from engine.remote.transport import StreamedResponse, Transport

__all__ = ["PAGE_ROWS", "Accepted", "Client", "Link", "Page", "as_row"]

_IS_PLAIN = re.compile("[0-9A-Za-z_-]+").fullmatch  # as nearly all ids are; to quote one costs ten times as much


class Client:
    """The contract at one base URL, with one key. All calls share one pace, which follows the remote's 429s.

    `requests` counts those made, by call. A listing says what the remote is: `is_simulated`, the embedded service,
    playing; `is_ours`, the embedded service, whose extensions may be used. `id` names it as a member of a pool.
    """

    member = ""  # what its turns are of: it is no pool's

    def __init__(self, transport: Transport, base_url: str, key: str, clock: Clock) -> None:
        self._exchange = Exchange(transport, base_url, key, clock)
        self.requests = self._exchange.requests
        self.id = member_id(base_url, key)
        self.account = hash(key)  # the same for two that have one key, and not the key
        self.is_simulated = False
        self.is_ours = False

    def __repr__(self) -> str:
        return f"<Client {self._exchange.base}: {sum(self.requests.values())} requests>"

    @property
    def pace(self) -> Pace:
        return self._exchange.pace

    @property
    def refusals(self) -> int:
        """How many calls were answered 429."""
        return self._exchange.pace.rate.refusals

    @property
    def per_s(self) -> float | None:
        """The calls a second that the remote allows; None as long as it has refused none."""
        return self._exchange.pace.rate.per_s

    def moved_since(self, start: float) -> list[tuple[float, float]]:
        """Return how that moved: (seconds since `start`, calls a second)."""
        return self._exchange.pace.rate.timeline.since(start)

    def is_stranger(self, process_id: str) -> bool:
        """Say whether a job was accepted by a member of a pool: a client alone can't ask after it."""
        return bool(unqualified(process_id)[0])

    def is_away(self, member: str) -> bool:
        """Say whether a job that went to that member of a pool is where nobody can look; "": it went to none."""
        return member not in ("", self.id)

    def rests(self, process_id: str) -> bool:
        """Say whether the member that has a job rests after failures: a client alone leaves that to its lanes."""
        del process_id
        return False

    async def hello(self) -> None:
        """Find out whether an API answers, and takes the key."""
        await self.listing(limit=1)

    async def turn(self, tried: Sequence[str] = (), refused: Collection[str] = ()) -> Self:
        """Return, when the next submit may leave, what to submit with: a pool has more than one such."""
        del tried, refused
        await self._exchange.pace.turn()
        return self

    def pass_up(self) -> None:
        """Take note that a turn was not used."""

    async def submit(self, upload: Upload, route: str = Route.RESTORE_GEN) -> Accepted:
        """Send one form to `route`. Kind UNCLEAR means that it may have been accepted.

        The only call that does not wait for its turn: whoever submits takes that (`turn`) before the intent.
        """
        return await submit(self._exchange, upload, route)

    async def status(self, process_id: str) -> Row:
        """Return one row; kind GONE means that the remote has no such job."""
        answer = await self._exchange.call(Call.STATUS, "GET", _path("/status", process_id))
        members = members_of(answer)
        return as_row(self._exchange.discreet(members) if self._exchange.repeats_key(answer) else members)

    async def listing(self, cursor: str | None = None, limit: int = PAGE_ROWS) -> Page:
        """Return one page of all rows that the remote keeps; their order means nothing."""
        query = f"?paginated=true&limit={limit}" + (f"&cursor={quote(cursor, safe='')}" if cursor else "")
        answer = await self._exchange.call(Call.LISTING, "GET", "/status" + query)
        self.is_simulated = "X-Simulated" in answer.headers
        self.is_ours = self.is_ours or "X-Face-Recovery" in answer.headers  # a cache between may drop it
        page = page_of(members_of(answer))
        if not self._exchange.repeats_key(answer):
            return page
        return Page(tuple(map(self._exchange.discreet, page.members)), page.next_cursor)

    def rows(self, read: Callable[[str | None], Awaitable[Page]] | None = None) -> AsyncIterator[Row]:
        """Yield every row that the remote keeps, page by page; raises RemoteError when the pages go in a circle.

        `read` gets the page at a cursor, for whoever has more patience than `listing`.
        """
        return rows_of(read or self.listing)

    async def link(self, process_id: str) -> Link:
        """Mint a presigned link to the output; kind NOT_YET means that the job has not finished."""
        answer = await self._exchange.call(Call.LINK, "GET", _path("/download", process_id))
        return link_of(members_of(answer), self._exchange.base)

    async def input_link(self, process_id: str) -> Link:
        """Mint a presigned link to the input."""
        answer = await self._exchange.call(Call.INPUT_LINK, "GET", _path("/download/input", process_id))
        return link_of(members_of(answer), self._exchange.base)

    def file(self, url: str, headers: dict[str, str]) -> AbstractAsyncContextManager[StreamedResponse]:
        """GET a presigned link, without the key; its status is 200, 206 or 416, all else is raised."""
        self.requests[Call.FILE] += 1
        bare = {**headers, "Accept-Encoding": "identity"}
        return LinkedFile(self._exchange.transport.stream(url, headers=bare), self._exchange.error)

    async def forget(self, process_id: str) -> None:
        """Delete one finished job at the remote, files included where the remote is the embedded service."""
        await self._exchange.call(Call.FORGET, "DELETE", _path("/status", process_id))

    async def forget_all(self) -> int:
        """Delete every finished job of the key, whoever submitted it; return how many. No command of ours does."""
        members = members_of(await self._exchange.call(Call.FORGET_ALL, "DELETE", "/status"))
        return int(finite(members.get("deleted_count")))

    async def cancel(self, process_id: str) -> None:
        """Cancel one job; kind NOT_YET means that it is too late."""
        await self._exchange.call(Call.CANCEL, "DELETE", _path("/cancel", process_id))

    async def estimate(self, question: Question) -> Quote:
        """Return price and duration of one kind of job; kind BAD_JOB means that it would be refused."""
        return await prices.estimate(self._exchange, question)

    async def estimate_bulk(self, questions: Sequence[Question]) -> list[Quote]:
        """Return price and duration of several kinds of jobs, in their order; kind NOT_OFFERED: ask one by one."""
        return await prices.estimate_bulk(self._exchange, questions)

    async def balance(self) -> Balance:
        """Return the credits of the key's account."""
        return await account.balance(self._exchange)


def _path(call: str, process_id: str) -> str:
    """Return the path of a call about one job; an id from the remote can't lead it to another path."""
    return f"{call}/{process_id if _IS_PLAIN(process_id) else quote(process_id, safe='')}"
