"""`results.jsonl`: made whole again from the journal where a crash cut it short."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from engine.disk import AppendFile
from engine.job.state import Event, State
from engine.job.tally import Tally
from engine.journal.line import Record, bodies_of, encode
from engine.journal.replay import Reading, telling
from engine.pipeline.run_folder import RunFolder
from engine.pipeline.snapshot import Reach, Snapshot

__all__ = ["result_row", "rewrite_results"]

_IS_FINAL = bytes(byte in [state for state in State if state.is_final] for byte in range(256))
_ENDS = {Event.DONE.value: State.DONE, Event.FAILED.value: State.FAILED}
_MARKS = tuple(f'"event":"{event}"'.encode() for event in _ENDS)
_AGAIN = {Event.RETRIED.value, Event.RECLAIMED.value}
_AGAIN_MARK = b'"event":"re'  # of both, and of a refusal
_BLOCK_BYTES = 1024 * 1024  # longer than any row
_GROUP_ROWS = 2000  # one write a group: a rebuild of a million rows holds no more of them


def rewrite_results(folder: RunFolder, tally: Tally, since: Snapshot | None = None) -> None:
    """Give `results.jsonl` a row for every job that ended, in the journal's order, unless it has them already.

    A job that was retried has the row of its last end.

    What a snapshot stands for, `since`, is not looked at again. Cut short, this leaves rows missing for the next time.
    """
    begin, journal, ended = Reach(), Reading(), bytearray(tally.planned)
    if since is not None and since.results.size_bytes:
        begin, journal = since.results, Reading(sound_bytes=since.journal.size_bytes)
        ended[: len(since.still.states)] = since.still.states.translate(_IS_FINAL)
    if _has_all(folder.results, begin, tally.ended):
        return
    file = AppendFile(folder.results, sync=False)
    try:
        file.truncate(begin.size_bytes)
        for group in _groups(folder, journal, tally, ended):
            file.append(group)
    finally:
        file.close()


def _has_all(results: Path, begin: Reach, ended: int) -> bool:
    """Say whether the rows from `begin` on bring all of them to `ended`, and the last one is sound.

    Whatever a crash does to the file changes the number of its lines or the last of them; they are not read for that.
    """
    if not results.exists():
        return ended == 0
    rows, before, last = begin.lines, b"", b""
    with results.open("rb", buffering=0) as file:
        file.seek(begin.size_bytes)
        while block := file.read(_BLOCK_BYTES):
            rows += block.count(b"\n")
            before, last = last, block
    line, newline, rest = (before + last).rpartition(b"\n")
    return rows == ended and not rest and (not newline or bodies_of([line.rpartition(b"\n")[2]]) is not None)


def _groups(folder: RunFolder, journal: Reading, tally: Tally, ended: bytearray) -> Iterator[bytes]:
    """Yield the rows of jobs that have ended, and are not marked in `ended`, from where `journal` stands."""
    rows = []
    to_come = _retries(folder.journal, journal) if tally.retried else Counter[int]()
    marks = (*_MARKS, _AGAIN_MARK) if to_come else _MARKS
    for record in telling(folder.journal, marks, journal):
        if record.get("event") in _AGAIN:
            to_come[record.get("job", -1)] -= 1
        elif _is_end(tally, record) and not ended[record["job"]] and not _is_retried_later(record, to_come):
            ended[record["job"]] = True
            rows.append(encode(result_row(record)))
        if len(rows) >= _GROUP_ROWS:
            yield b"".join(rows)
            rows.clear()
    yield b"".join(rows)


def _retries(journal: Path, reading: Reading) -> Counter[int]:
    """Return how often each job is retried from where `reading` stands."""
    again = telling(journal, (_AGAIN_MARK,), replace(reading))
    return Counter(record.get("job", -1) for record in again if record.get("event") in _AGAIN)


def _is_retried_later(record: Record, to_come: Counter[int]) -> bool:
    return record["event"] == Event.FAILED and to_come[record["job"]] > 0


def _is_end(tally: Tally, record: Record) -> bool:
    end = _ENDS.get(record.get("event", ""))
    return end is not None and "job" in record and tally.state(record["job"]) is end


def result_row(record: Record) -> Record:
    """Return the row of the job that `record` ended."""
    members = {name: value for name, value in record.items() if name not in ("at", "event", "crc", "job")}
    return {"job": record["job"], "status": record["event"], **members}
