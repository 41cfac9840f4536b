"""The life of a job in the service as a table: status x event -> status; a missing cell is the error.

The live service and the replay of its journal both go through `step`.
"""

from enum import StrEnum

__all__ = ["TABLE", "Event", "IllegalStep", "Status", "step"]


class Status(StrEnum):
    """Where a job is, in the words of the contract."""

    PENDING = "Pending"
    PROCESSING = "Processing"
    COMPLETED = "Completed"
    CANCELLED = "Cancelled"
    FAILED = "Failed"

    @property
    def is_final(self) -> bool:
        return self in _FINAL


_FINAL = frozenset({Status.COMPLETED, Status.CANCELLED, Status.FAILED})


class Event(StrEnum):
    """What the journal says happened to a job after it was accepted."""

    STARTED = "started"
    REQUEUED = "requeued"  # the service stopped, or the machine failed, while a worker had it
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


TABLE: dict[tuple[Status, Event], Status] = {
    (Status.PENDING, Event.STARTED): Status.PROCESSING,
    (Status.PENDING, Event.CANCELLED): Status.CANCELLED,
    (Status.PENDING, Event.FAILED): Status.FAILED,
    # The line that says "started" may be the one that a damaged journal lost.
    (Status.PENDING, Event.COMPLETED): Status.COMPLETED,
    (Status.PROCESSING, Event.REQUEUED): Status.PENDING,
    (Status.PROCESSING, Event.COMPLETED): Status.COMPLETED,
    (Status.PROCESSING, Event.FAILED): Status.FAILED,
    (Status.PROCESSING, Event.CANCELLED): Status.CANCELLED,
}


class IllegalStep(ValueError):
    """The table has no such cell: the job is already where it ends, or the journal lost lines."""


def step(status: Status, event: Event) -> Status:
    """Return the status after `event`; raises IllegalStep where the table has no cell."""
    try:
        return TABLE[status, event]
    except KeyError:
        raise IllegalStep(f"a job that is {status} can't take '{event}'") from None
