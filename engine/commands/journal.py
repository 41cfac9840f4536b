"""`journal show`: the events of a run, as lines for people or as they are; all, the last ones, or as they come."""

import contextlib
import os
import signal
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from engine.commands.terminal import print_line
from engine.journal.line import Record, encode
from engine.journal.replay import Reading, read
from engine.pipeline.run_folder import RunFolder

__all__ = ["Wanted", "show_journal"]

_LOOK_EVERY_S = 0.5  # as often as a person cares to be told
_BLOCK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is shown: the events of one `job` (None: of all), the last `tail` of them (None: all), as JSON if `is_raw`.

    `is_followed`: and those that are still to come.
    """

    job: int | None = None
    tail: int | None = None
    is_raw: bool = False
    is_followed: bool = False


def show_journal(run: Path, wanted: Wanted) -> None:
    """Print the events of a run; damage is told at the end, on standard error. Following ends with a Ctrl-C."""
    path = RunFolder.find(run.absolute()).journal
    if not wanted.is_followed:
        _show(path, wanted)
        return
    # A shell without job control has background commands ignore Ctrl-C; following heeds it all the same, as runs do.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        _follow(path, wanted)


def _show(path: Path, wanted: Wanted) -> None:
    reading, shown = Reading(sound_bytes=_beginning(path, wanted)), 0
    for record in _last(_of_job(path, reading, wanted), wanted.tail):
        _print(record, wanted)
        shown += 1
    if wanted.job is not None and not shown:
        print_line(f"the journal says nothing of job {wanted.job} yet", is_error=True)
    if not reading.is_whole:
        print_line(f"{reading.damaged_lines} damaged lines, {reading.torn_bytes} torn bytes at the end", is_error=True)


def _follow(path: Path, wanted: Wanted) -> None:
    """Print what there is and what is appended from now on. A journal that is cut or replaced begins anew."""
    at, tail = _beginning(path, wanted), wanted.tail
    while True:
        reading = Reading(sound_bytes=at)
        for record in _last(_of_job(path, reading, wanted), tail):
            _print(record, wanted)
        time.sleep(_LOOK_EVERY_S)
        size_bytes = path.stat().st_size if path.exists() else 0
        at, tail = (reading.sound_bytes if size_bytes >= reading.sound_bytes else 0), None


def _of_job(path: Path, reading: Reading, wanted: Wanted) -> Iterator[Record]:
    return (record for record in read(path, reading) if wanted.job is None or record.get("job") == wanted.job)


def _last(records: Iterator[Record], count: int | None) -> Iterator[Record]:
    return records if count is None else iter(deque(records, maxlen=count))


def _beginning(path: Path, wanted: Wanted) -> int:
    """Return from which byte on the journal has to be read: for the last lines of all jobs not from the start."""
    if wanted.tail is None or wanted.job is not None or not path.exists():
        return 0
    with path.open("rb") as file:
        at, lines, block = file.seek(0, os.SEEK_END), 0, b""
        while at and lines <= wanted.tail:
            before, at = at, max(0, at - _BLOCK_BYTES)
            file.seek(at)
            block = file.read(before - at)
            lines += block.count(b"\n")
    return at + block.find(b"\n") + 1 if at else 0


def _print(record: Record, wanted: Wanted) -> None:
    print_line(_raw(record) if wanted.is_raw else _line(record))


def _raw(record: dict[str, Any]) -> str:
    return encode({name: value for name, value in record.items() if name != "crc"}).decode().rstrip()


def _line(record: dict[str, Any]) -> str:
    when = datetime.fromtimestamp(record.get("at", 0.0)).astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    facts = [f"{name}={_short(value)}" for name, value in record.items() if name not in ("at", "job", "event", "crc")]
    return f"{when}  {record.get('job', '')!s:>7}  {record.get('event', ''):<11} {' '.join(facts)}"


def _short(value: object) -> str:
    text = "".join(each if each.isprintable() else repr(each)[1:-1] for each in str(value))
    return text if len(text) <= 80 else f"{text[:38]}…{text[-38:]}"
