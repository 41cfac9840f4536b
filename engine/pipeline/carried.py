"""What is left of a lost journal about jobs that went to members of a pool.

The members that are given now may not be those that have them: such a job is neither listed nor gone, so the new
journal has to say of it what the old one said.
"""

import contextlib
from pathlib import Path

from engine.job.state import Event, State
from engine.job.tally import OpenJob, Tally
from engine.journal.line import Record
from engine.journal.replay import read, telling
from engine.remote.member_id import unqualified

__all__ = ["carried"]


def carried(journal: Path) -> dict[int, list[Record]]:
    """Return the events that bring each such job in flight, or between its stages, to where it was. Blocks."""
    if not any("job" in record for record in telling(journal, (b'"member":"',))):
        return {}
    tally = Tally()
    for record in read(journal):
        if "job" in record:
            with contextlib.suppress(LookupError, TypeError, ValueError):  # made by hand
                tally.apply(record, is_damaged=True)
    return {number: events for number, job in tally.open.items() if (events := _events(tally, number, job))}


def _events(tally: Tally, number: int, job: OpenJob) -> list[Record]:
    again = tally.again.get(number)
    known: Record = {"job": number, "credits": job.credits}
    if again is not None:
        known |= {"generation": again.generation, **({"output": again.output} if again.output else {})}
    events = _staged(job, known)
    if process_id := _of_a_member(job.process_id or job.lost_id):
        events.append({**known, "event": Event.UNCLEAR.value, "reason": "its journal was lost"})
        sent = {"attempt": job.attempts, "input_sha256": job.input_sha256}
        accepted = {"process_id": process_id, "eta": job.eta, "adopted": True}
        events.append({**known, "event": Event.ACCEPTED.value, **sent, **accepted})
    elif job.member and tally.state(number) is not State.PLANNED:
        sent = {"attempt": job.attempts, "input_sha256": job.input_sha256, "member": job.member}
        stage = {"stage": 2} if job.staged is not None else {}
        events.append({**known, "event": Event.INTENT.value, **sent, **stage})
    return events


def _staged(job: OpenJob, known: Record) -> list[Record]:
    if job.staged is None or not _of_a_member(job.staged.process_id):
        return []
    return [{**known, "event": Event.STAGED.value, "staged": job.staged.record()}]


def _of_a_member(process_id: str) -> str:
    return process_id if unqualified(process_id)[0] else ""
