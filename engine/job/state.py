"""The life of a job as a table: state x event -> state; a missing cell is the error.

The live run, the replay of a journal and the reports all go through `step`, so a run that was killed continues
in exactly the state that its journal proves. States are small integers: a plan of N jobs is N bytes.
"""

from enum import IntEnum, StrEnum

__all__ = ["TABLE", "Event", "IllegalStep", "State", "diagram", "step"]


class State(IntEnum):
    """Where a job is, as far as the journal proves."""

    PLANNED = 0  # nothing of its stage was sent, or what was sent was provably not accepted
    INTENT = 1  # a POST may be on its way
    UNKNOWN = 2  # a POST may have been accepted: to be looked up by filename before any repeat
    ACCEPTED = 3  # the remote has it, under a known process id
    DONE = 4  # the verified output is in place
    FAILED = 5  # it ended without an output, with a reason

    @property
    def is_final(self) -> bool:
        return self in (State.DONE, State.FAILED)

    @property
    def is_in_flight(self) -> bool:
        return self in (State.INTENT, State.UNKNOWN, State.ACCEPTED)


class Event(StrEnum):
    """What the journal says happened to a job."""

    INTENT = "intent"  # durable before the first byte of the POST leaves
    REFUSED = "refused"  # the answer proves that it was not accepted (429, 425, 402): may be sent again
    UNCLEAR = "unclear"  # the POST, or the known process id, led nowhere
    ABSENT = "absent"  # looked up and provably not there: may be sent again
    ACCEPTED = "accepted"  # by the answer to the POST, or adopted from the listing
    STAGED = "staged"  # its first stage is finished at the remote: the second one is to take the result
    DOWNLOADING = "downloading"  # a large result begins to arrive: its ETag, so that a resume can continue it
    DONE = "done"
    FAILED = "failed"
    RETRIED = "retried"  # it failed and is sent anew, under a filename of its own
    RECLAIMED = "reclaimed"  # it failed, but the remote has its result, which is paid for: fetched after all


TABLE: dict[tuple[State, Event], State] = {
    (State.PLANNED, Event.INTENT): State.INTENT,
    (State.PLANNED, Event.FAILED): State.FAILED,
    # A damaged journal may have lost this job's intent: then it is looked up like any unclear one.
    (State.PLANNED, Event.UNCLEAR): State.UNKNOWN,
    # Its output is found in place, verified, though the journal has lost how it came there.
    (State.PLANNED, Event.DONE): State.DONE,
    (State.UNKNOWN, Event.DONE): State.DONE,
    (State.INTENT, Event.ACCEPTED): State.ACCEPTED,
    (State.INTENT, Event.REFUSED): State.PLANNED,
    (State.INTENT, Event.UNCLEAR): State.UNKNOWN,
    # A run that was killed after the intent is resumed with a look-up, without having noted anything.
    (State.INTENT, Event.ABSENT): State.PLANNED,
    (State.INTENT, Event.FAILED): State.FAILED,
    (State.UNKNOWN, Event.ACCEPTED): State.ACCEPTED,
    (State.UNKNOWN, Event.ABSENT): State.PLANNED,
    (State.UNKNOWN, Event.FAILED): State.FAILED,
    (State.ACCEPTED, Event.UNCLEAR): State.UNKNOWN,
    (State.ACCEPTED, Event.DOWNLOADING): State.ACCEPTED,
    # A chained job begins anew with its second stage, which is looked for at the remote as the first one was.
    (State.ACCEPTED, Event.STAGED): State.PLANNED,
    # Its second stage is found there, so the first one is over, whatever the journal has lost of it.
    (State.PLANNED, Event.STAGED): State.PLANNED,
    (State.INTENT, Event.STAGED): State.PLANNED,
    (State.UNKNOWN, Event.STAGED): State.PLANNED,
    (State.ACCEPTED, Event.DONE): State.DONE,
    (State.ACCEPTED, Event.FAILED): State.FAILED,
    # A failed job has ended until somebody asks for more.
    (State.FAILED, Event.RETRIED): State.PLANNED,
    (State.FAILED, Event.RECLAIMED): State.ACCEPTED,
}


class IllegalStep(ValueError):
    """The table has no such cell: a broken programme or a journal that lost lines."""


def step(state: State, event: Event) -> State:
    """Return the state after `event`; raises IllegalStep where the table has no cell."""
    try:
        return TABLE[state, event]
    except KeyError:
        raise IllegalStep(f"a job that is {state.name.lower()} can't take '{event}'") from None


def diagram() -> str:
    """Return the table as a Mermaid state diagram, for the docs."""
    lines = ["stateDiagram-v2", "    [*] --> planned"]
    lines += [
        f"    {before.name.lower()} --> {after.name.lower()}: {event}" for (before, event), after in TABLE.items()
    ]
    lines += [f"    {state.name.lower()} --> [*]" for state in State if state.is_final]
    return "\n".join(lines)
