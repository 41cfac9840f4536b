"""Rows by sequence number, newest first, in pages that cost what the page holds.

A cursor is the sequence number of the last row seen: rows added later come before it and rows deleted leave no
gap, so a sweep sees every row that was there throughout exactly once. Rows lie in blocks, and empty blocks
vanish, so neither a page nor a delete walks over what is no longer there.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Generic, TypeVar

__all__ = ["Listing"]

Row = TypeVar("Row")

# A delete moves at most (rows / 128) block numbers; a page looks into at most one block a row.
_BLOCK = 128


class Listing(Generic[Row]):
    """An ordered set of rows under unique sequence numbers."""

    def __init__(self) -> None:
        self._blocks: dict[int, dict[int, Row]] = {}
        self._numbers: list[int] = []  # of the blocks that hold rows, ascending

    def add(self, sequence: int, row: Row) -> None:
        number = sequence // _BLOCK
        if number not in self._blocks:
            self._blocks[number] = {}
            insort(self._numbers, number)
        self._blocks[number][sequence] = row

    def remove(self, sequence: int) -> None:
        number = sequence // _BLOCK
        block = self._blocks[number]
        del block[sequence]
        if not block:
            del self._blocks[number]
            del self._numbers[bisect_left(self._numbers, number)]

    def newest(self, limit: int, before: int | None = None) -> tuple[list[Row], int | None]:
        """Return up to `limit` rows older than `before`, and the cursor of the next page if there is one."""
        rows: list[Row] = []
        last = 0
        for sequence, row in self._descending(before):
            if len(rows) == limit:
                return rows, last
            rows.append(row)
            last = sequence
        return rows, None

    def oldest_first(self) -> Iterator[Row]:
        """Yield every row; rows may be removed and added on the way."""
        for number in list(self._numbers):
            block = self._blocks.get(number, {})
            for sequence in sorted(block):
                if sequence in block:
                    yield block[sequence]

    def _descending(self, before: int | None) -> Iterator[tuple[int, Row]]:
        at = len(self._numbers) if before is None else bisect_left(self._numbers, before // _BLOCK + 1)
        while at:
            at -= 1
            block = self._blocks[self._numbers[at]]
            for sequence in sorted(block, reverse=True):
                if before is None or sequence < before:
                    yield sequence, block[sequence]
