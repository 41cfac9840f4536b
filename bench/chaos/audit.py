"""What a run came to, counted by who has no reason to be kind: the service's ledger, the disk, a slow replay."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.disk import path_of_text
from engine.errors import InputError
from engine.job.spec import JobSpec
from engine.job.state import IllegalStep
from engine.job.tally import Tally
from engine.journal.replay import Reading, read
from engine.picture import check_decodes
from engine.pipeline.marks import Marks
from engine.pipeline.order import Order
from engine.pipeline.past import replay
from engine.pipeline.run_folder import RunFolder
from engine.service.credits import JOURNAL_NAME, read_ledger

__all__ = ["Account", "audit", "replay_differs"]

Record = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Account:
    """The four numbers that have to be 0, and whatever else is not as promised, in words.

    `lost`: jobs without an output, or without their one row. `duplicated`: accepted submits beyond the first of a job.
    `too_many`: credits charged or still reserved beyond the plan's. `corrupt`: outputs that are not what was made.
    """

    jobs: int = 0
    lost: int = 0
    duplicated: int = 0
    too_many: int = 0
    corrupt: int = 0
    others: list[str] = field(default_factory=list)

    def add(self, other: "Account") -> None:
        self.jobs += other.jobs
        self.lost += other.lost
        self.duplicated += other.duplicated
        self.too_many += other.too_many
        self.corrupt += other.corrupt
        self.others += other.others

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.duplicated or self.too_many or self.corrupt or self.others)


def audit(folder: RunFolder, service: Path, inputs: int) -> Account:
    """Return the account of a run that says it is done; `inputs`: how many pictures it was given."""
    order = Order.load(folder.order)
    specs = [JobSpec.of_record(record) for record in read(folder.plan)]
    rows: dict[int, list[Record]] = {spec.number: [] for spec in specs}
    for row in read(folder.results):
        rows[row["job"]].append(row)
    remote = _Remote(service)
    account = Account(jobs=inputs)
    account.lost = max(0, inputs - len(specs)) + sum(not _is_home(order.out, spec, rows[spec.number]) for spec in specs)
    account.duplicated = remote.accepted.total() - len(remote.accepted)
    account.corrupt = sum(_is_corrupt(order, spec, rows[spec.number], remote) for spec in specs)
    account.too_many = max(0, remote.credits - sum(spec.credits for spec in specs))
    account.others = list(_others(folder, order.out, specs, rows, remote))
    return account


class _Remote:
    """The service's own journal: what it accepted, under which names, and what it made."""

    def __init__(self, service: Path) -> None:
        self.ledger = read_ledger(service)
        self.accepted: Counter[str] = Counter()  # by filename
        self.ids: dict[str, str] = {}  # process id to filename
        self.made: dict[str, set[str]] = {}  # filename to the hashes of its results
        for record in read(service / JOURNAL_NAME):
            if record["event"] == "accepted":
                self.accepted[record["filename"]] += 1
                self.ids[record["process_id"]] = record["filename"]
            elif record["event"] == "completed":
                self.made.setdefault(self.ids[record["id"]], set()).add(record["sha256"])

    @property
    def credits(self) -> int:
        return self.ledger.charged_credits + self.ledger.reserved_credits


def _is_home(out: Path, spec: JobSpec, rows: list[Record]) -> bool:
    return len(rows) == 1 and rows[0]["status"] == "done" and (out / path_of_text(spec.output)).is_file()


def _is_corrupt(order: Order, spec: JobSpec, rows: list[Record], remote: _Remote) -> bool:
    """Say whether an output that is there is other than its row, the service or a decoder says."""
    path = order.out / path_of_text(spec.output)
    if not spec.output or not path.is_file():
        return False
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    told = {row.get("output_sha256") for row in rows}
    last = f"-{spec.number:06d}{'s2' if order.then is not None else ''}."
    made = next((hashes for name, hashes in remote.made.items() if last in name), set())
    try:
        size = check_decodes(path)
    except InputError:
        return True
    return told != {sha256} or sha256 not in made or size != (spec.width, spec.height)


def _others(
    folder: RunFolder, out: Path, specs: list[JobSpec], rows: dict[int, list[Record]], remote: _Remote
) -> Iterator[str]:
    """Yield whatever else was promised and is not so."""
    ends = [end for of_job in rows.values() for row in of_job for end in row.get("stages", [row])]
    claimed = {end.get("process_id") for end in ends}
    if unclaimed := [each for each in remote.ids if each not in claimed]:
        yield f"{len(unclaimed)} remote jobs are in no result row, the first is {remote.ids[unclaimed[0]]}"
    if parts := sorted(path for path in out.rglob("*.part")):
        yield f"{len(parts)} .part files are left, the first is {parts[0]}"
    expected = {out / path_of_text(spec.output) for spec in specs if spec.output}
    if strays := sorted({path for path in out.iterdir() if path.is_file()} - expected):
        yield f"{len(strays)} files are no job's, the first is {strays[0]}"
    planned, said = sum(spec.credits for spec in specs), sum(row["credits"] for of in rows.values() for row in of)
    if not remote.credits == planned == said:
        yield f"{planned} credits were planned, the service charged {remote.credits}, the rows add up to {said}"
    if difference := replay_differs(folder):
        yield difference


def replay_differs(folder: RunFolder) -> str:
    """Say how the state that a resume would begin from differs from the journal folded line by line; empty if not.

    A snapshot knows how long the plan was, the lines only know the jobs that they name: both are made as long.
    """
    reading = Reading()
    try:
        slow, *others = _slowly(folder.journal)
        tally, marks, _since = replay(folder, reading)
    except IllegalStep as error:
        return f"the journal does what the table forbids: {error}"
    jobs = max(tally.planned, slow.planned)
    tally.grow(jobs)
    slow.grow(jobs)
    if (vars(slow), *others) != (vars(tally), marks, reading):
        return f"snapshot and tail give {tally}, {marks}, {reading}; line by line it is {slow}, {others}"
    return ""


def _slowly(journal: Path) -> tuple[Tally, Marks, Reading]:
    tally, marks, reading = Tally(), Marks(), Reading()
    for record in read(journal, reading):
        if "job" in record:
            tally.apply(record, is_damaged=reading.damaged_lines > 0)
            marks.is_closed = False
        else:
            marks.apply(record)
    return tally, marks, reading
