"""The listing of all rows that a remote keeps, page by page: half a listing must never pass for a whole one."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from engine.remote.answer import as_row
from engine.remote.failures import Kind, RemoteError
from engine.remote.row import Row

__all__ = ["PAGE_ROWS", "Page", "page_of", "rows_of"]

PAGE_ROWS = 100  # the most that the contract lists a call


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


def page_of(members: dict[str, Any]) -> Page:
    """Return the page in an answer's `members`; raises RemoteError when it is none, or hides where the next begins."""
    rows, pagination = members.get("data"), members.get("pagination")
    if not isinstance(rows, list) or not isinstance(pagination, dict):
        raise RemoteError(Kind.TRANSIENT, "the listing was answered without data or pagination")
    cursor = pagination.get("next_cursor")
    if not pagination.get("has_next_page", cursor is not None):
        cursor = None
    elif not isinstance(cursor, str | int) or cursor == "":
        # Jobs missing from what seems to be all would be sent again.
        raise RemoteError(Kind.TRANSIENT, "the listing announces a page without saying where it begins")
    return Page(tuple(row for row in rows if isinstance(row, dict)), None if cursor is None else str(cursor))


async def rows_of(read: Callable[[str | None], Awaitable[Page]], cursor: str | None = None) -> AsyncIterator[Row]:
    """Yield every row of a listing from `cursor` on, whose page at a cursor `read` gets.

    Raises RemoteError when the pages go in a circle.
    """
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
