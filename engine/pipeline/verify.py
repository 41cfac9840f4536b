"""Every output of a run against what was recorded of it: there, of its size and hash, decoding, of its dimensions.

Reads only and takes no lock, so it may look while the run goes on. Memory is one byte a job and a few outputs at once.
"""

import hashlib
import itertools
import os
import stat
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from engine.disk import path_of_text
from engine.errors import InputError
from engine.job.state import Event, State
from engine.job.tally import Tally
from engine.journal.line import Record
from engine.journal.replay import telling
from engine.picture import check_decodes
from engine.pipeline.run_folder import RunFolder

__all__ = ["Bad", "Verified", "Wrong", "verify"]

_DONE_MARK = f'"event":"{Event.DONE}"'.encode()
_AHEAD = 4  # outputs a thread that are on their way to it


class Wrong(StrEnum):
    """What is the matter with an output."""

    MISSING = "missing"
    TRUNCATED = "truncated"  # shorter than it was
    CHANGED = "changed"  # other bytes
    UNREADABLE = "unreadable"  # the file system can't give it, or it does not decode
    UNRECORDED = "unrecorded"  # the journal has lost what it was like


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """An output that is not as it was recorded; `output` as in the plan, empty where that is lost."""

    job: int
    output: str
    wrong: Wrong
    why: str

    def record(self) -> dict[str, Any]:
        """Return the members for `--json` and for a list."""
        return {"job": self.job, "output": self.output, "wrong": self.wrong.value, "why": self.why}


@dataclass(slots=True)
class Verified:
    """How many outputs are good and bad so far."""

    verified: int = 0
    bad: int = 0


def verify(folder: RunFolder, out: Path, tally: Tally, on_bad: Callable[[Bad], None]) -> Iterator[Verified]:
    """Check the outputs of all jobs that are done by `tally`; yield the counts as they grow, the last time complete.

    `on_bad` is called in the journal's order, by the thread that iterates. Blocks.
    """
    counts, unseen = Verified(), bytearray(state == State.DONE for state in tally.states)
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        try:
            for bad in _checked(threads, out, _done(folder.journal, unseen)):
                _count(counts, bad, on_bad)
                yield counts
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
    for number in _numbers(unseen):
        why = "its line in the journal is damaged: nothing to compare it with"
        _count(counts, Bad(job=number, output="", wrong=Wrong.UNRECORDED, why=why), on_bad)
    yield counts


def _count(counts: Verified, bad: Bad | None, on_bad: Callable[[Bad], None]) -> None:
    if bad is None:
        counts.verified += 1
        return
    counts.bad += 1
    on_bad(bad)


def _done(journal: Path, unseen: bytearray) -> Iterator[Record]:
    """Yield the last line of each job marked in `unseen`, and take its mark away."""
    for record in telling(journal, (_DONE_MARK,)):
        number = record.get("job", len(unseen))
        if record.get("event") == Event.DONE and number < len(unseen) and unseen[number]:
            unseen[number] = False
            yield record


def _checked(threads: ThreadPoolExecutor, out: Path, done: Iterator[Record]) -> Iterator[Bad | None]:
    """Yield what is wrong with each output, in order, while so many more are being looked at."""
    ahead = _AHEAD * (os.cpu_count() or 1)
    under_way: deque[Future[Bad | None]] = deque(
        threads.submit(_check, out, record) for record in itertools.islice(done, ahead)
    )
    while under_way:
        yield under_way.popleft().result()
        under_way.extend(threads.submit(_check, out, record) for record in itertools.islice(done, 1))


def _check(out: Path, record: Record) -> Bad | None:
    output = record.get("output", "")
    problem = _problem(out / path_of_text(output), record)
    return None if problem is None else Bad(job=record["job"], output=output, wrong=problem[0], why=problem[1])


def _problem(path: Path, record: Record) -> tuple[Wrong, str] | None:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            return Wrong.UNREADABLE, "is not a file"
        with path.open("rb") as file:
            size_bytes, recorded = os.fstat(file.fileno()).st_size, record.get("output_bytes", 0)
            if size_bytes != recorded:
                wrong = Wrong.TRUNCATED if size_bytes < recorded else Wrong.CHANGED
                return wrong, f"has {size_bytes} bytes, not {recorded}"
            if hashlib.file_digest(file, "sha256").hexdigest() != record.get("output_sha256"):
                return Wrong.CHANGED, "its content is not what was published: another SHA-256"
        size, expected = check_decodes(path), (record.get("output_width"), record.get("output_height"))
    except FileNotFoundError:
        return Wrong.MISSING, "is not there"
    except OSError as error:
        return Wrong.UNREADABLE, f"can't be read: {error.strerror or error}"
    except InputError as error:
        return Wrong.UNREADABLE, str(error)
    if size != expected:
        return Wrong.CHANGED, f"is {size[0]} x {size[1]} pixels, not {expected[0]} x {expected[1]}"
    return None


def _numbers(marks: bytearray) -> Iterator[int]:
    at = marks.find(True)
    while at >= 0:
        yield at
        at = marks.find(True, at + 1)
