"""The fold of the service's journal: all jobs, whose they are, in which order, what they cost. Never awaits."""

from dataclasses import dataclass, field

from engine.journal.line import Record
from engine.service.credits import Ledger, credits_of
from engine.service.job_state import Event, IllegalStep, Status, step
from engine.service.listing import NEWEST_FIRST, Listing, Order
from engine.service.quota import Quota
from engine.service.submission import Finished, Submission

__all__ = ["ROW_BYTES", "Account", "Gone", "Job", "Jobs", "row_bytes"]

# What a job takes whatever it asks for: its lines in the journal, and some 1.5 KB of memory.
ROW_BYTES = 2048


@dataclass(slots=True, kw_only=True)
class Job:
    """One job as it stands. Only `Jobs.apply` moves its status."""

    submission: Submission
    eta: float
    modified: float
    status: Status = Status.PENDING
    progress: int = 0
    finished: Finished | None = None
    message: str | None = None  # why it failed
    is_settling: bool = False  # its ending is on the way to the disk

    @property
    def id(self) -> str:
        return self.submission.process_id

    @property
    def owner(self) -> str:
        return self.submission.owner


@dataclass(slots=True, kw_only=True)
class Account:
    """What belongs to one key: the ids of its jobs in the order of the listing, and its ledger."""

    listing: Listing[str]
    ledger: Ledger = field(default_factory=Ledger)


@dataclass(frozen=True, slots=True)
class Gone:
    """A job that was forgotten; `source_id` is "" while another job still uses its input."""

    process_id: str
    source_id: str


@dataclass(slots=True, kw_only=True)
class _Input:
    """One input: the ids of the jobs that use it, the first one first, and how many bytes are counted for it."""

    users: dict[str, None] = field(default_factory=dict)
    size_bytes: int = 0


class Jobs:
    """Every job that the journal tells of."""

    def __init__(self, order: Order = NEWEST_FIRST) -> None:
        self._order = order
        self.by_id: dict[str, Job] = {}  # in the order they were accepted
        self.accounts: dict[str, Account] = {}
        self.ledger = Ledger()  # of all accounts
        self.quota = Quota()
        self.next_sequence = 0
        self.skipped = 0  # records that fit nothing: the journal lost lines before them
        self._inputs: dict[str, _Input] = {}  # by source id

    def __repr__(self) -> str:
        return f"<Jobs: {len(self.by_id)} of {len(self.accounts)} keys, {self.skipped} records skipped>"

    def account(self, owner: str) -> Account:
        """Return what belongs to the key `owner`, which need not have sent anything yet."""
        if owner not in self.accounts:
            self.accounts[owner] = Account(listing=Listing(self._order))
        return self.accounts[owner]

    def using(self, source_id: str) -> Job | None:
        """Return a job whose input is `source_id`; None when nobody's is."""
        kept = self._inputs.get(source_id)
        return self.by_id[next(iter(kept.users))] if kept else None

    def input_bytes(self, source_id: str) -> int:
        """Return the size of an input as far as it is known; 0 for one that is not here."""
        kept = self._inputs.get(source_id)
        return kept.size_bytes if kept else 0

    def new_bytes(self, asked: Submission) -> int:
        """Return what accepting `asked` adds to what its owner stores. An input counts once, whoever uses it again."""
        return row_bytes(asked) + max(0, asked.input_bytes - self.input_bytes(asked.source_id))

    def apply(self, record: Record) -> Gone | None:
        """Take in one durable record, and return what it made go; one that fits nothing is counted and does nothing."""
        try:
            credits_of(record)
            owner = record.get("owner", "") if record["event"] == "accepted" else self.by_id[record["id"]].owner
            gone = self._fold(record)
        except (IllegalStep, KeyError, TypeError, ValueError):
            self.skipped += 1
            return None
        self.ledger.apply(record)
        self.account(owner).ledger.apply(record)
        return gone

    def _fold(self, record: Record) -> Gone | None:
        match record["event"]:
            case "accepted":
                self._add(Submission.from_record(record))
            case "deleted":
                return self._remove(self.by_id[record["id"]])
            case event:
                self._change(self.by_id[record["id"]], Event(event), record)
        return None

    def _add(self, submission: Submission) -> None:
        job = Job(submission=submission, eta=submission.eta, modified=submission.created)
        self.by_id[job.id] = job
        self.account(job.owner).listing.add(submission.sequence, job.id)
        self.quota.added(job.owner, self.new_bytes(submission))
        kept = self._inputs.setdefault(submission.source_id, _Input())
        kept.users[job.id] = None
        kept.size_bytes = max(kept.size_bytes, submission.input_bytes)
        self.next_sequence = max(self.next_sequence, submission.sequence + 1)

    def _change(self, job: Job, event: Event, record: Record) -> None:
        after, at = step(job.status, event), record["at"]
        match event:
            case Event.COMPLETED:
                job.finished = Finished.from_record(record)
            case Event.FAILED:
                job.message = record["message"]
        job.status, job.modified = after, at
        job.progress = 100 if event is Event.COMPLETED else record.get("progress", 0)
        if after.is_final:
            job.eta = at
            self.quota.ended(job.owner, job.finished.size_bytes if job.finished else 0)

    def _remove(self, job: Job) -> Gone:
        asked = job.submission
        self.account(job.owner).listing.remove(asked.sequence)
        del self.by_id[job.id]
        self.quota.removed(job.owner, row_bytes(asked) + (job.finished.size_bytes if job.finished else 0))
        kept = self._inputs[asked.source_id]
        del kept.users[job.id]
        if kept.users:
            return Gone(job.id, "")
        del self._inputs[asked.source_id]
        self.quota.removed(job.owner, kept.size_bytes)
        return Gone(job.id, asked.source_id)


def row_bytes(asked: Submission) -> int:
    """Return what the record of a job takes, in memory and in the journal, until it is forgotten; about, and O(1)."""
    return ROW_BYTES + len(asked.options_json) + len(asked.filename) + len(asked.webhook_url)
