"""The ledger: every job ever accepted and every credit reserved, charged or given back.

Folded from the journal alone, so it survives the deletion of jobs and can be audited beside a running service.
Each record carries its own price: the fold needs no memory of single jobs.
"""

import contextlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from engine.journal.line import Record
from engine.journal.replay import read

__all__ = ["JOURNAL_NAME", "Ledger", "credits_of", "read_ledger"]

JOURNAL_NAME = "journal.jsonl"


@dataclass(slots=True, kw_only=True)
class Ledger:
    """Counts of jobs and sums of credits since the folder was made."""

    accepted: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    deleted: int = 0  # rows forgotten; still counted above
    reserved_credits: int = 0
    charged_credits: int = 0
    refunded_credits: int = 0
    repeated_filenames: dict[str, int] = field(default_factory=dict)  # filled by `read_ledger` only

    def apply(self, record: Record) -> None:
        """Count one record; those that move no credits and end nothing change nothing.

        Raises KeyError or TypeError, with nothing changed, for a record that lacks what `credits_of` needs.
        """
        moved = credits_of(record)
        match record["event"]:
            case "accepted":
                self.accepted += 1
                self.reserved_credits += moved
            case "completed":
                self.completed += 1
                self.reserved_credits -= moved
                self.charged_credits += moved
            case "failed" | "cancelled" as event:
                self.failed += event == "failed"
                self.cancelled += event == "cancelled"
                self.reserved_credits -= moved
                self.refunded_credits += moved
            case "deleted":
                self.deleted += 1


def credits_of(record: Record) -> int:
    """Return the credits that `record` moves; raises KeyError or TypeError when it should say so and does not."""
    match record["event"]:
        case "accepted":
            moved = record["price"]
        case "completed" | "failed" | "cancelled":
            moved = record["credits"]
        case _:
            return 0
    if not isinstance(moved, int):
        raise TypeError("credits are whole numbers")
    return moved


def read_ledger(folder: Path) -> Ledger:
    """Return the ledger of the service whose data lie in `folder`; safe while it runs.

    A torn or damaged line is left out, and so is one without its credits. Also counts the filenames that were
    accepted more than once: a client that never pays twice has none.
    """
    ledger = Ledger()
    names: Counter[str] = Counter()
    for record in read(folder / JOURNAL_NAME):
        with contextlib.suppress(KeyError, TypeError):
            ledger.apply(record)
            if record["event"] == "accepted":
                names[record["filename"]] += 1
    ledger.repeated_filenames = {name: count for name, count in names.items() if count > 1}
    return ledger
