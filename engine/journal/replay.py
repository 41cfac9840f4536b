"""Read back what a crash left of a journal: every line that proves itself, and what could not be read.

A torn tail is what an interrupted write leaves: the bytes after the last line that proves itself. They are cut
before writing goes on. A damaged line with sound lines after it is something else (a flipped bit, an edit): it
is left where it is, skipped and counted, and whoever folds the records must distrust what they can't prove.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.journal.line import DamagedLine, Record, bodies_of, record_of, records_of

__all__ = ["Reading", "proven", "read", "records", "telling"]

# Long enough that a block's share of the calls is nothing, short enough to stay in a processor's cache.
_BLOCK_BYTES = 128 * 1024


@dataclass(slots=True)
class Reading:
    """What one pass over a journal found; complete once its records are exhausted."""

    lines: int = 0
    damaged_lines: int = 0
    sound_bytes: int = 0  # up to and including the last line that proves itself
    torn_bytes: int = 0  # after it
    _unproven: int = field(default=0, repr=False, compare=False)  # damaged lines since the last sound one

    @property
    def is_whole(self) -> bool:
        return self.damaged_lines == 0 and self.torn_bytes == 0

    def take(self, lines: int, size_bytes: int) -> None:
        """Count so many lines that prove themselves; damaged ones before them were no torn tail then."""
        self.damaged_lines += self._unproven
        self.sound_bytes += self.torn_bytes + size_bytes
        self.lines += lines
        self.torn_bytes = self._unproven = 0

    def doubt(self, line: bytes) -> None:
        """Count a line that does not prove itself."""
        self.torn_bytes += len(line) + 1
        self._unproven += 1


def read(path: Path, reading: Reading | None = None) -> Iterator[Record]:
    """Yield the records of the journal at `path` in order, filling in `reading`. A missing file has none."""
    reading = reading if reading is not None else Reading()
    for bodies in proven(path, reading):
        yield from records(bodies, reading)


def telling(path: Path, parts: Sequence[bytes], reading: Reading | None = None) -> Iterator[Record]:
    """As `read`, but only the records whose lines hold one of `parts`: the other lines are checked and not decoded."""
    reading = reading if reading is not None else Reading()
    for bodies in proven(path, reading):
        yield from records([body for body in bodies if any(part in body for part in parts)], reading)


def records(bodies: Sequence[bytes], reading: Reading) -> Iterator[Record]:
    """Yield the records of `bodies`; one that is no JSON object, made by hand, counts as damaged in `reading`."""
    try:
        yield from records_of(bodies)
    except DamagedLine:
        for body in bodies:
            try:
                record = record_of(body)
            except DamagedLine:
                reading.lines -= 1
                reading.damaged_lines += 1
            else:
                yield record


def proven(path: Path, reading: Reading, *, block_bytes: int = _BLOCK_BYTES) -> Iterator[list[bytes]]:
    """Yield the bodies of the lines that prove themselves, many at a time, and fill in `reading`.

    Begins at `reading.sound_bytes`, which must be the beginning of a line. A list ends where a damaged line follows,
    so that `reading` knows of the damage before the first line behind it is seen.
    """
    if not path.exists():
        return
    with path.open("rb", buffering=0) as file:
        file.seek(reading.sound_bytes)
        rest = b""
        while block := file.read(block_bytes):
            lines = (rest + block).split(b"\n")
            size_bytes = len(rest) + len(block)
            rest = lines.pop()
            yield from _sift(lines, size_bytes - len(rest), reading)
        reading.torn_bytes += len(rest)


def _sift(lines: list[bytes], size_bytes: int, reading: Reading) -> Iterator[list[bytes]]:
    bodies = bodies_of(lines)
    if bodies is not None:
        if bodies:
            reading.take(len(lines), size_bytes)
            yield bodies
        return
    if len(lines) == 1:
        reading.doubt(lines[0])
        return
    # Halving finds a few damaged lines among thousands without checking each one by itself.
    middle = len(lines) // 2
    for half in (lines[:middle], lines[middle:]):
        yield from _sift(half, sum(map(len, half)) + len(half), reading)
