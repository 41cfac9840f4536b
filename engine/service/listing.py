"""Rows by sequence number, newest first unless another order is asked for, in pages that cost what the page holds.

A cursor is the position of the last row seen, and a row never moves: what is added or deleted on the way leaves no
gap, so a sweep sees every row that was there throughout exactly once. Rows lie in blocks, and empty blocks
vanish, so neither a page nor a delete walks over what is no longer there.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["NEWEST_FIRST", "Listing", "Order"]

Row = TypeVar("Row")

# A delete moves at most (rows / 128) block numbers; a page looks into at most one block a row.
_BLOCK = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Where a row stands: `place` gives each sequence number a position of its own, and the highest comes first.

    `block` positions share a block, which should hold about a page.
    """

    place: Callable[[int], int]
    block: int = _BLOCK


NEWEST_FIRST = Order(place=int)


class Listing(Generic[Row]):
    """An ordered set of rows under unique sequence numbers."""

    def __init__(self, order: Order = NEWEST_FIRST) -> None:
        self._place = order.place
        self._block = order.block
        self._blocks: dict[int, dict[int, Row]] = {}
        self._numbers: list[int] = []  # of the blocks that hold rows, ascending

    def add(self, sequence: int, row: Row) -> None:
        position = self._place(sequence)
        number = position // self._block
        if number not in self._blocks:
            self._blocks[number] = {}
            insort(self._numbers, number)
        self._blocks[number][position] = row

    def remove(self, sequence: int) -> None:
        position = self._place(sequence)
        number = position // self._block
        block = self._blocks[number]
        del block[position]
        if not block:
            del self._blocks[number]
            del self._numbers[bisect_left(self._numbers, number)]

    def page(self, limit: int, cursor: int | None = None) -> tuple[list[Row], int | None]:
        """Return the first `limit` rows, or those behind `cursor`, and the cursor of the next page if there is one."""
        rows: list[Row] = []
        last = 0
        for position, row in self._descending(cursor):
            if len(rows) == limit:
                return rows, last
            rows.append(row)
            last = position
        return rows, None

    def _descending(self, before: int | None) -> Iterator[tuple[int, Row]]:
        at = len(self._numbers) if before is None else bisect_left(self._numbers, before // self._block + 1)
        while at:
            at -= 1
            block = self._blocks[self._numbers[at]]
            for position in sorted(block, reverse=True):
                if before is None or position < before:
                    yield position, block[position]
