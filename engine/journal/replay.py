"""Read back what a crash left of a journal: every line that proves itself, and what could not be read.

A torn tail is what an interrupted write leaves: the bytes after the last line that proves itself. They are cut
before writing goes on. A damaged line with sound lines after it is something else (a flipped bit, an edit): it
is left where it is, skipped and counted, and whoever folds the records must distrust what they can't prove.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.journal.line import DamagedLine, Record, decode

__all__ = ["Reading", "read"]


@dataclass(slots=True)
class Reading:
    """What one pass over a journal found; complete once its records are exhausted."""

    lines: int = 0
    damaged_lines: int = 0
    sound_bytes: int = 0  # up to and including the last line that proves itself
    torn_bytes: int = 0  # after it

    @property
    def is_whole(self) -> bool:
        return self.damaged_lines == 0 and self.torn_bytes == 0


def read(path: Path, reading: Reading | None = None) -> Iterator[Record]:
    """Yield the records of the journal at `path` in order, filling in `reading`. A missing file has none."""
    reading = reading if reading is not None else Reading()
    if not path.exists():
        return
    with path.open("rb") as file:
        unproven = 0  # damaged lines since the last sound one
        for line in file:
            reading.torn_bytes += len(line)
            try:
                record = decode(line) if line.endswith(b"\n") else None
            except DamagedLine:
                record = None
            if record is None:
                unproven += 1
                continue
            reading.damaged_lines += unproven
            reading.sound_bytes += reading.torn_bytes
            reading.lines += 1
            reading.torn_bytes = unproven = 0
            yield record
