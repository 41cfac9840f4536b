"""Several keys and base URLs as one remote: it offers what `Client` does, so that the lanes need not know.

Process ids and cursors are qualified by the member that they are of: a job is asked after, fetched and forgotten where
it was accepted. Each submit takes the member where it is expected to be done first. A member that fails rests, one
that refuses its key is closed, and the others go on; a failure of one says so by `elsewhere_helps`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from typing import Protocol, TypeVar

from engine.clock import Clock
from engine.remote.acceptance import Accepted, Route
from engine.remote.account import Balance
from engine.remote.failures import Call, Kind, RemoteError
from engine.remote.link import Link
from engine.remote.listing import PAGE_ROWS, Page, rows_of
from engine.remote.member import Member
from engine.remote.member_id import qualified, unqualified
from engine.remote.multipart import Upload
from engine.remote.prices import Question, Quote
from engine.remote.roster import Note, Roster
from engine.remote.row import Row, is_going_on
from engine.remote.transport import StreamedResponse

__all__ = ["Pool", "Seat", "Turn"]

T = TypeVar("T")


_STALE = 404  # what a cursor of a member that is no more leads to


class Turn(Protocol):
    """What one submit is made with, once it is its turn: a client, or a seat of a pool at its `member`."""

    @property
    def member(self) -> str:
        """The id of the member that it is of; empty for a client."""
        ...

    async def submit(self, upload: Upload, route: str = Route.RESTORE_GEN) -> Accepted:
        """As `Client.submit`."""
        ...

    def pass_up(self) -> None:
        """Take note that the turn is not used."""
        ...


class Pool:
    """`tell` notes a line on a topic for the user."""

    is_ours = False  # a link into one member's files is not the others' to follow

    def __init__(self, members: Sequence[Member], clock: Clock, tell: Note) -> None:
        self._roster = Roster(members, clock, tell)
        self.members = self._roster.members
        self._clock = clock

    def __repr__(self) -> str:
        return f"<Pool of {', '.join(map(repr, self.members.values()))}>"

    # What it is and what it did

    @property
    def requests(self) -> dict[Call, int]:
        return {call: sum(each.client.requests[call] for each in self.members.values()) for call in Call}

    @property
    def refusals(self) -> int:
        return sum(each.client.refusals for each in self.members.values())

    @property
    def per_s(self) -> float | None:
        """The pace that all members allow together; None while one of them is unlimited."""
        paces = [each.client.per_s for each in self._roster.open()]
        return sum(pace for pace in paces if pace is not None) if paces and None not in paces else None

    def moved_since(self, start: float) -> list[tuple[float, float]]:
        """Return how the pace moved: (seconds since `start`, requests a second), of those members that limited it."""
        steps = sorted(
            (at, each.id, value) for each in self.members.values() for at, value in each.client.moved_since(start)
        )
        paces: dict[str, float] = {}
        moved = []
        for at, member, value in steps:
            paces[member] = value
            moved.append((at, sum(paces.values())))
        return moved

    @property
    def is_simulated(self) -> bool:
        return all(each.client.is_simulated for each in self.members.values() if each.was_trusted)

    def is_stranger(self, process_id: str) -> bool:
        """Say whether a job is at a member that this pool does not have."""
        return unqualified(process_id)[0] not in self.members

    def is_away(self, member: str) -> bool:
        """Say whether a job that went to `member` is where nobody can look; of an unknown one ("") nobody can say."""
        return member not in self.members or bool(self.members[member].why_closed)

    def rests(self, process_id: str) -> bool:
        """Say whether the member that has a job rests after failures."""
        member = self.members.get(unqualified(process_id)[0])
        return member is not None and not member.rest.is_awake

    async def hello(self) -> None:
        """Greet all members; raises RemoteError when none takes the key, or none answers."""
        errors = [error for error in await asyncio.gather(*map(self._greet, self.members.values())) if error]
        if len(errors) == len(self.members):
            raise errors[0]

    async def _greet(self, member: Member) -> RemoteError | None:
        try:
            await self._roster.ask(member, lambda: member.client.listing(limit=1))
        except RemoteError as error:
            if error.kind is Kind.GONE:
                member.why_closed = f"this is not the API's base URL ({error})"
                self._roster.note_closed(member, error)
            return error
        return None

    # Submitting

    async def turn(self, tried: Sequence[str] = (), refused: Collection[str] = ()) -> "Seat":
        """Return, when the next submit may leave, a seat at the member where it will be done first.

        Waits for as long as all that are open rest; one of them is then probed by this submit. `tried`: the members
        where submits of the picture ended unclear, so often; `refused`: those that took it for a bad one.
        """
        while True:
            member = self._roster.choice(tried, refused)
            if member is None:
                await self._roster.wait_for_move()
                continue
            member.load.sent(self._clock.monotonic())
            is_seated = False
            try:
                await member.client.pace.turn()
                is_seated = self._roster.may_submit(member)
            finally:
                if not is_seated:
                    member.load.withdrawn(self._clock.monotonic())
            if is_seated:
                member.seat()
                return Seat(self, member, refused)

    async def submit(self, upload: Upload, route: str = Route.RESTORE_GEN) -> Accepted:
        """As `Client.submit`, where its turn has not been waited for."""
        return await (await self.turn()).submit(upload, route)

    async def submit_at(self, member: Member, upload: Upload, route: str, refused: Collection[str]) -> Accepted:
        """Submit to `member`, whose turn it is."""
        is_asked = is_taken = False
        try:
            self._roster.check_takes_submits(member)
            is_asked = True
            accepted = await self._roster.submit(member, lambda: member.client.submit(upload, route), refused)
            is_taken = True
        finally:
            if not is_asked:
                member.unseat()
            if not is_taken:
                member.load.withdrawn(self._clock.monotonic())
        member.accepted(accepted.process_id, accepted.eta - self._clock.now() if accepted.eta else None)
        return replace(accepted, process_id=qualified(member.id, accepted.process_id))

    def give_up(self, member: Member) -> None:
        """Take note that a seat at `member` was not used."""
        member.load.withdrawn(self._clock.monotonic())
        member.unseat()
        self._roster.moved()

    # Jobs, each at its own member

    async def status(self, process_id: str) -> Row:
        """As `Client.status`; kind GONE, too, for a job of a member that this pool does not have."""
        member, own_id = self._roster.of(process_id)
        row = await self._roster.ask(member, lambda: member.client.status(own_id))
        member.saw(row)
        return replace(row, process_id=qualified(member.id, row.process_id))

    async def link(self, process_id: str) -> Link:
        """As `Client.link`."""
        member, own_id = self._roster.of(process_id)
        return await self._roster.ask(member, lambda: member.client.link(own_id))

    async def input_link(self, process_id: str) -> Link:
        """As `Client.input_link`."""
        member, own_id = self._roster.of(process_id)
        return await self._roster.ask(member, lambda: member.client.input_link(own_id))

    def file(self, url: str, headers: dict[str, str]) -> AbstractAsyncContextManager[StreamedResponse]:
        """As `Client.file`: it needs no key, so it is nobody's."""
        return next(iter(self.members.values())).client.file(url, headers)

    async def forget(self, process_id: str) -> None:
        """As `Client.forget`."""
        member, own_id = self._roster.of(process_id)
        await self._roster.ask(member, lambda: member.client.forget(own_id))

    async def cancel(self, process_id: str) -> None:
        """As `Client.cancel`."""
        member, own_id = self._roster.of(process_id)
        await self._roster.ask(member, lambda: member.client.cancel(own_id))

    # The listing: those of all members, one behind the other

    async def listing(self, cursor: str | None = None, limit: int = PAGE_ROWS) -> Page:
        """As `Client.listing`; members that are closed or rest are left out, so it proves no absence (`rows` does)."""
        readable = [each.id for each in self._roster.open() if each.rest.wait_s(self._clock.monotonic()) <= 0]
        if cursor is None:
            if not readable:
                raise self._roster.shared(RemoteError(Kind.UNREACHABLE, "all members of the pool rest after failures"))
            cursor = qualified(readable[0], "")
        name, own_cursor = unqualified(cursor)
        if name not in self.members:
            raise RemoteError(Kind.TRANSIENT, "the page is of no member of this pool", status=_STALE)
        page = await self._page(self.members[name], own_cursor or None, limit)
        if page.next_cursor is not None:
            return page
        order = list(self.members)
        later = next((each for each in order[order.index(name) + 1 :] if each in readable), None)
        return page if later is None else replace(page, next_cursor=qualified(later, ""))

    async def _page(self, member: Member, cursor: str | None, limit: int) -> Page:
        page = await self._roster.ask(member, lambda: member.client.listing(cursor, limit))
        rows = []
        for members in page.members:
            own_id = members.get("process_id")
            if isinstance(own_id, str) and own_id:
                members = {**members, "process_id": qualified(member.id, own_id)}  # noqa: PLW2901 -- the same row
                if not is_going_on(members):
                    member.ended(own_id)
            rows.append(members)
        following = None if page.next_cursor is None else qualified(member.id, page.next_cursor)
        return Page(tuple(rows), following)

    async def rows(self, read: Callable[[str | None], Awaitable[Page]] | None = None) -> AsyncIterator[Row]:
        """As `Client.rows`: every row of every member that is not closed, or an error; `is_away` tells of the rest."""
        read = read or self.listing
        for member in sorted(self._roster.open(), key=lambda each: not each.rest.is_awake):
            async for row in rows_of(partial(_read_own, read, member), qualified(member.id, "")):
                yield row

    # Prices and account

    async def estimate(self, question: Question) -> Quote:
        """As `Client.estimate`, by a member that is open."""
        return await self._ask_any(lambda member: member.client.estimate(question))

    async def estimate_bulk(self, questions: Sequence[Question]) -> list[Quote]:
        """As `Client.estimate_bulk`, by a member that is open."""
        return await self._ask_any(lambda member: member.client.estimate_bulk(questions))

    async def _ask_any(self, question: Callable[[Member], Awaitable[T]]) -> T:
        """Return one member's answer: the first one's, or the next one's where that rests or is closed since."""
        while True:
            member = self._roster.first()
            try:
                return await self._roster.ask(member, partial(question, member))
            except RemoteError as error:
                if not error.elsewhere_helps or self._roster.first() is member:
                    raise

    async def balance(self) -> Balance:
        """Return what those members that say so have together.

        One key is one account, if it has the same balance everywhere. Two keys of one address may be of one account as
        well, which nobody tells: they are added up to what there is at most.
        """
        accounts: dict[tuple[int, Balance], str] = {}
        last: RemoteError | None = None
        for member in self._roster.open():
            try:
                found = await self._roster.ask(member, member.client.balance)
                accounts[member.client.account, found] = member.place.partition(" ")[0]
            except RemoteError as error:
                last = error
        if not accounts and last is not None:
            raise last
        every = [each for _account, each in accounts]
        return Balance(
            available=sum(each.available for each in every),
            reserved=sum(each.reserved for each in every),
            total=sum(each.total for each in every),
            is_at_most=len(set(accounts.values())) < len(accounts),
        )


async def _read_own(read: Callable[[str | None], Awaitable[Page]], member: Member, cursor: str | None) -> Page:
    """Return a page of the pool's listing; where the next one is another member's, it is the last one of `member`."""
    page = await read(cursor)
    is_last = page.next_cursor is None or unqualified(page.next_cursor)[0] != member.id
    return replace(page, next_cursor=None) if is_last else page


class Seat:
    """One submit's turn at one member."""

    def __init__(self, pool: Pool, member: Member, refused: Collection[str]) -> None:
        self._pool = pool
        self._member = member
        self._refused = refused

    @property
    def member(self) -> str:
        """The id of the member that it is at."""
        return self._member.id

    async def submit(self, upload: Upload, route: str = Route.RESTORE_GEN) -> Accepted:
        """As `Client.submit`."""
        return await self._pool.submit_at(self._member, upload, route, self._refused)

    def pass_up(self) -> None:
        """Give the seat back, unused."""
        self._pool.give_up(self._member)
