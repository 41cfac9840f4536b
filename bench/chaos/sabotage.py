"""What would break the promises, done on purpose: the audit has to see it."""

from enum import StrEnum

from engine.journal.line import encode
from engine.journal.replay import read
from engine.pipeline.run_folder import RunFolder

__all__ = ["Sabotage", "lose_intents"]

_ENDS = ("done", "failed")


class Sabotage(StrEnum):
    """How the harness shows that it can fail."""

    LOSE_INTENTS = "lose-intents"  # the journal forgets what is in flight, and says that it is whole
    EMPTY_LISTING = "empty-listing"  # nobody can look up what became of an unclear submit


def lose_intents(folder: RunFolder) -> int:
    """Take every line of a job that has not ended from the journal, close it well, and return how many jobs those are.

    The mark at the end is what a run leaves that was not killed: the next one has no reason to look for lost jobs.
    """
    records = list(read(folder.journal))
    ended = {record["job"] for record in records if record["event"] in _ENDS}
    open_jobs = {record["job"] for record in records if "job" in record} - ended
    kept = [record for record in records if record.get("job") not in open_jobs and record["event"] != "closed"]
    closed = {"at": records[-1]["at"] if records else 0.0, "event": "closed", "reason": None, "is_sound": True}
    folder.journal.write_bytes(b"".join(map(encode, [*kept, closed])))
    folder.snapshot.unlink(missing_ok=True)
    return len(open_jobs)
