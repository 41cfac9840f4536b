"""Where every job of a run is, folded from its events: one byte a job, and objects only for jobs in flight.

The same fold serves the live run (each event is applied, then journaled), the replay of a journal, and the
reports. Money is folded along: credits are reserved from an intent on and charged when the job is done. A chained job
reserves the price of both stages with its first intent: what the first one cost is charged once it is over, the rest
stays reserved for the second one whatever happens, so that no limit on credits can strand a job half-way.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from engine.job.stage import StageEnd
from engine.job.state import TABLE, Event, IllegalStep, State, step

__all__ = ["Again", "OpenJob", "Tally"]

# Every event leads to one state, whatever came before: what a damaged journal is replayed by. A download whose
# acceptance is lost leaves the job without a process id, to be looked up.
_TARGET = {event: after for (_before, event), after in TABLE.items()} | {Event.DOWNLOADING: State.UNKNOWN}

# Reasons that name sizes or paths differ from job to job; a summary needs no more than this many.
_MAX_REASONS = 100
_OTHER = "other reasons, see results.jsonl"


@dataclass(frozen=True, slots=True)
class Again:
    """What a retry made of a job: the `generation` that its upload's filename carries, 0 before the first one.

    `output`: where the result of a job belongs that the plan had refused and so given no place.
    """

    generation: int = 0
    output: str = ""


@dataclass(slots=True)
class OpenJob:
    """What the journal knows of a job in flight, or between its two stages. Times are Unix seconds by this machine's
    clock. All but `staged` is about the stage that it is at.
    """

    credits: int = 0  # reserved for it
    attempts: int = 0
    process_id: str = ""
    lost_id: str = ""  # under which it was accepted once, though the remote knows of no such job since
    member: str = ""  # of a pool, to which its last POST went
    input_sha256: str = ""
    accepted_at: float = 0.0
    unclear_at: float = 0.0
    eta: float = 0.0
    etag: str = ""  # of the bytes already in the .part file
    staged: StageEnd | None = None  # how its first stage ended; None: it is at that one


class Tally:
    """The sums of a run. `apply` is the only way to change it in a live run.

    A replay of millions of lines may mark jobs as done in `states` itself, where the table leads there from what it
    has not told of them; it then owes `charge` for each, and `recount` at its end.
    """

    def __init__(self) -> None:
        self.states = bytearray()
        self.counts = dict.fromkeys(State, 0)
        self.open: dict[int, OpenJob] = {}
        self.reserved = 0  # credits
        self.charged = 0
        self.faces = 0
        self.unclear = 0
        self.adopted = 0
        self.resubmitted = 0
        self.retried = 0  # failed jobs taken up again, in one way or the other
        self.damaged_steps = 0
        self.reasons: Counter[str] = Counter()  # of failed jobs
        self.again: dict[int, Again] = {}  # of retried jobs

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {state.name.lower()}" for state, count in self.counts.items() if count)
        return f"<Tally {counts or 'empty'}; {self.charged} credits charged, {self.reserved} reserved>"

    @property
    def planned(self) -> int:
        """How many jobs there are in all."""
        return len(self.states)

    @property
    def ended(self) -> int:
        return self.counts[State.DONE] + self.counts[State.FAILED]

    def state(self, number: int) -> State:
        """Return the state of job `number`; one that the plan has not named yet is planned."""
        return State(self.states[number]) if number < len(self.states) else State.PLANNED

    def generation(self, number: int) -> int:
        """Return how often job `number` was put back to be sent anew."""
        again = self.again.get(number)
        return again.generation if again is not None else 0

    def grow(self, jobs: int) -> None:
        """Make room for a plan of `jobs` jobs."""
        more = jobs - len(self.states)
        if more > 0:
            self.states.extend(bytes(more))
            self.counts[State.PLANNED] += more

    def apply(self, record: dict[str, Any], *, is_damaged: bool = False) -> State:
        """Take in one event and return the job's new state.

        Raises IllegalStep, with nothing changed, where the table has no such step. In a journal that is known to
        have lost lines (`is_damaged`) the event is believed instead, except about a job that has already ended and
        that the event does not show to have been retried since.
        """
        number, event = record["job"], Event(record["event"])
        before = self.state(number)
        try:
            after = step(before, event)
        except IllegalStep:
            if not is_damaged:
                raise
            self.damaged_steps += 1
            if self._is_over(before, record):
                return before
            after = _TARGET[event]
            if after is before and event is not Event.STAGED and "stage" not in record:
                self._learn_generation(record)
                return before
        self.grow(number + 1)
        self._count(before, after, event, record)
        self._keep(number, after, event, record)
        return after

    def _is_over(self, before: State, record: dict[str, Any]) -> bool:
        if before is State.FAILED:
            return bool(record.get("generation", 0) <= self.generation(record["job"]))
        return before.is_final

    def _count(self, before: State, after: State, event: Event, record: dict[str, Any]) -> None:
        self.states[record["job"]] = after
        self.counts[before] -= 1
        self.counts[after] += 1
        if before is State.FAILED:
            self._take_back(record, is_paid_back=event is Event.RECLAIMED)
        self._learn_generation(record)
        match event:
            case Event.UNCLEAR:
                self.unclear += 1
            case Event.ABSENT:
                self.resubmitted += 1
            case Event.ACCEPTED if record.get("adopted"):
                self.adopted += 1
            case Event.FAILED:
                self.charged += record.get("credits", 0)
                self._count_reason(str(record.get("reason", "")))
            case Event.DONE:
                self.charge(record)
            case Event.RETRIED | Event.RECLAIMED:
                self.retried += 1

    def _learn_generation(self, record: dict[str, Any]) -> None:
        if "generation" in record:
            known = self.again.get(record["job"], Again())
            self.again[record["job"]] = Again(record["generation"], record.get("output", known.output))

    def _take_back(self, record: dict[str, Any], *, is_paid_back: bool) -> None:
        """Forget a failure: its reason, and what it cost if that is to be charged when the job is done."""
        if is_paid_back:
            self.charged -= record.get("charged", 0)
        reason = record.get("reason", "")
        counted = next((each for each in (reason, _OTHER, *self.reasons) if self.reasons[each] > 0), _OTHER)
        self.reasons[counted] -= 1
        if not self.reasons[counted]:
            del self.reasons[counted]

    def charge(self, record: dict[str, Any], jobs: int = 1) -> None:
        """Add what `jobs` jobs have cost and found, of which each was done as `record` says."""
        self.charged += jobs * record.get("credits", 0)
        self.faces += jobs * (record.get("faces") or 0)

    def recount(self) -> None:
        """Count the states anew."""
        self.counts = {state: self.states.count(state) for state in State}

    def _count_reason(self, reason: str) -> None:
        known = reason in self.reasons or len(self.reasons) < _MAX_REASONS
        self.reasons[reason if known else _OTHER] += 1

    def _keep(self, number: int, after: State, event: Event, record: dict[str, Any]) -> None:
        if not after.is_in_flight and not self._is_between_stages(number, after, event):
            self._close(number, is_over=after.is_final)
            return
        job = self.open.setdefault(number, OpenJob())
        price = record.get("credits", job.credits)
        self.reserved += price - job.credits
        job.credits = price
        match event:
            case Event.INTENT:
                job.attempts = record.get("attempt", 1)
                job.input_sha256 = record.get("input_sha256", "")
                job.staged = (job.staged or StageEnd()) if "stage" in record else None
                _forget_remote(job, record)
                job.member = record.get("member", "")
            case Event.STAGED:
                self._stage(job, record)
                _forget_remote(job, record)
            case Event.UNCLEAR | Event.REFUSED | Event.ABSENT:
                _forget_remote(job, record)
                job.lost_id = record.get("process_id", "")
            case Event.ACCEPTED | Event.RECLAIMED:
                if "staged" in record:
                    self._stage(job, record)
                job.attempts = record.get("attempt", job.attempts)
                job.input_sha256 = record.get("input_sha256", job.input_sha256)
                job.process_id, job.lost_id = record["process_id"], ""
                job.accepted_at = record.get("at", 0.0)
                job.eta = record.get("eta", 0.0)
            case Event.DOWNLOADING:
                job.etag = record.get("etag", "")

    def _is_between_stages(self, number: int, after: State, event: Event) -> bool:
        if after is not State.PLANNED or event is Event.RETRIED:
            return False
        job = self.open.get(number)
        return event is Event.STAGED or (job is not None and job.staged is not None)

    def _stage(self, job: OpenJob, record: dict[str, Any]) -> None:
        """Charge for the first stage, once, however often that is said."""
        before, job.staged = job.staged, StageEnd.of_record(record["staged"])
        self.charged += job.staged.credits - (before.credits if before is not None else 0)

    def _close(self, number: int, *, is_over: bool) -> None:
        """Forget an open job: what it cost is said by its last event, a first stage that was charged included."""
        job = self.open.pop(number, None)
        if job is None:
            return
        self.reserved -= job.credits
        if is_over and job.staged is not None:
            self.charged -= job.staged.credits


def _forget_remote(job: OpenJob, record: dict[str, Any]) -> None:
    """From here on only a look-up by filename can tell which remote job is this one, if any."""
    job.process_id = job.lost_id = job.etag = ""
    job.eta = 0.0
    job.unclear_at = record.get("at", 0.0)
