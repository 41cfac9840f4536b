"""The contract as a model: whatever is called in whatever order, the service answers what the contract says.

One worker takes jobs in the order they came, and some wait for a file. So the model knows at any time which jobs have
ended and how, and it waits for those that must have: nothing here depends on who is faster.
"""

import itertools
import shutil
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import requests
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, precondition, rule

from tests.service.live import live

_GRANTED = 20
_UNFINISHED = ("Pending", "Processing")
_PATIENCE_S = 30.0
# Output sizes and what they cost.
_SIZES = st.sampled_from([((40, 30), 1), ((6000, 4000), 1), ((6000, 4001), 2), ((10_000, 10_000), 5)])


@dataclass(kw_only=True)
class Job:
    """What the model knows of a job. `gate`: the file that it waits for; `end`: how it ended."""

    id: str
    source_id: str
    price: int
    ending: str  # unless it is cancelled
    gate: Path | None
    end: str | None = None

    @property
    def is_held(self) -> bool:
        return self.gate is not None and not self.gate.exists()


class Contract(RuleBasedStateMachine):
    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.folder = Path(tempfile.mkdtemp())
        self.stack.callback(shutil.rmtree, self.folder)
        self.service = self.stack.enter_context(live(self.folder / "service", workers=1, credits=_GRANTED))
        self.known: dict[str, Job] = {}  # in the order they came
        self.charged = 0
        self.numbers = itertools.count()

    def teardown(self) -> None:
        self.stack.close()

    @property
    def unfinished(self) -> list[Job]:
        return [job for job in self.known.values() if job.end is None]

    @property
    def available(self) -> int:
        return _GRANTED - self.charged - sum(job.price for job in self.unfinished)

    def advance(self) -> None:
        """Wait for every job that nothing holds up."""
        for job in itertools.takewhile(lambda job: not job.is_held, self.unfinished):
            assert self.outcome(job) == job.ending
            job.end = job.ending
            self.charged += job.price if job.end == "Completed" else 0

    def outcome(self, job: Job) -> str:
        deadline = time.monotonic() + _PATIENCE_S
        while (status := self.service.call("GET", f"/status/{job.id}").json()["status"]) in _UNFINISHED:
            assert time.monotonic() < deadline, job
            time.sleep(0.005)
        return status

    def accept(self, answer: requests.Response, price: int, ending: str, gate: Path | None):
        """Check the answer to a submit against the credits, and return the job or nothing."""
        if price > self.available:
            assert answer.status_code == 402
            return multiple()
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert answer.headers["X-Process-ID"] == body["process_id"]
        assert answer.headers["X-Source-ID"] == body["source_id"]
        assert float(answer.headers["X-ETA"]) == body["eta"]
        job = Job(id=body["process_id"], source_id=body["source_id"], price=price, ending=ending, gate=gate)
        self.known[job.id] = job
        self.advance()
        return job

    @rule(target=jobs, size=_SIZES, kind=st.sampled_from(["", "fail", "wait"]))
    def submit(self, size, kind):
        """A job is accepted while the credits last."""
        (width, height), price = size
        gate = self.folder / f"gate{next(self.numbers)}" if kind == "wait" else None
        order = f"wait {gate}" if gate else kind
        answer = self.service.submit(order, output_width=str(width), output_height=str(height))
        return self.accept(answer, price, "Failed" if kind == "fail" else "Completed", gate)

    @rule(target=jobs, job=jobs)
    def submit_again(self, job):
        """An input can be used by its id for as long as one of its jobs is kept."""
        is_kept = any(each.source_id == job.source_id for each in self.known.values())
        fields = {"model": (None, "Faces"), "source_id": (None, job.source_id)}
        answer = self.service.call("POST", "/restore-gen/async", files=fields)
        if not is_kept:
            assert answer.status_code == (402 if self.available == 0 else 400)
            return multiple()
        again = self.accept(answer, 1, job.ending, job.gate)
        assert not isinstance(again, Job) or again.source_id == job.source_id
        return again

    @rule(job=jobs)
    def release(self, job):
        """What it waited for is there: it ends, and so do those behind it."""
        if job.gate is not None:
            job.gate.touch()
        self.advance()

    @rule(job=jobs)
    def look(self, job):
        """A job that is there has a row and a link to its input; one that is gone has neither."""
        answer = self.service.call("GET", f"/status/{job.id}")
        link = self.service.call("GET", f"/download/input/{job.id}")
        if job.id not in self.known:
            assert (answer.status_code, link.status_code) == (404, 404)
            return
        row = answer.json()
        assert row["status"] in (_UNFINISHED if job.end is None else (job.end,))
        assert row["source_id"] == job.source_id
        assert row["credits"] == (job.price if job.end == "Completed" else 0)
        assert requests.get(link.json()["download_url"], timeout=_PATIENCE_S).status_code == 200

    @rule(job=jobs)
    def download(self, job):
        """Only what is completed can be fetched, and it is what its row says."""
        answer = self.service.call("GET", f"/download/{job.id}")
        if job.id not in self.known:
            assert answer.status_code == 404
        elif job.end != "Completed":
            assert answer.status_code == 409
        else:
            body = requests.get(answer.json()["download_url"], timeout=_PATIENCE_S).content
            head = requests.head(answer.json()["head_url"], timeout=_PATIENCE_S)
            row = self.service.call("GET", f"/status/{job.id}").json()
            assert len(body) == row["output_bytes"] == int(head.headers["Content-Length"])

    @rule(job=jobs)
    def cancel(self, job):
        """What has not ended can be cancelled and gives its credits back; the rest is 409, what is gone 404."""
        status = self.service.call("DELETE", f"/cancel/{job.id}").status_code
        if job.id not in self.known:
            assert status == 404
        elif job.end is not None:
            assert status == 409
        else:
            assert status == 204
            job.end = "Cancelled"
            self.advance()

    @rule(job=jobs)
    def forget(self, job):
        """What has ended can be deleted, once; the rest is 409."""
        status = self.service.call("DELETE", f"/status/{job.id}").status_code
        if job.id not in self.known:
            assert status == 404
        elif job.end is None:
            assert status == 409
        else:
            assert status == 204
            del self.known[job.id]

    @precondition(lambda self: len(self.known) > len(self.unfinished) + 2)  # else it leaves nothing to look at
    @rule()
    def forget_all(self):
        """Everything that has ended goes at once, and nothing else."""
        unfinished = {job.id: job for job in self.unfinished}
        count = self.service.call("DELETE", "/status").json()["deleted_count"]
        assert count == len(self.known) - len(unfinished)
        self.known = unfinished

    @precondition(lambda self: len(self.known) > 1)
    @rule(limit=st.integers(1, 4))
    def list_all(self, limit):
        """Every job is listed exactly once, in pages and without."""
        rows = self.service.call("GET", "/status").json()
        assert sorted(row["process_id"] for row in rows) == sorted(self.known)
        query = f"/status?paginated=true&limit={limit}"
        pages = [self.service.call("GET", query).json()]
        while pages[-1]["pagination"]["has_next_page"]:
            cursor = pages[-1]["pagination"]["next_cursor"]
            pages.append(self.service.call("GET", f"{query}&cursor={cursor}").json())
            assert 0 < len(pages[-1]["data"]) <= limit
        assert sorted(row["process_id"] for page in pages for row in page["data"]) == sorted(self.known)

    @invariant()
    def the_books_balance(self):
        """Reserved is what unfinished jobs cost, charged what completed ones did; the rest is available."""
        said = self.service.call("GET", "//account/v1/credits/balance").json()
        reserved = sum(job.price for job in self.unfinished)
        assert said == {
            "available_credits": _GRANTED - self.charged - reserved,
            "reserved_credits": reserved,
            "total_credits": _GRANTED - self.charged,
        }


TestContract = Contract.TestCase
TestContract.settings = settings(
    max_examples=8,
    stateful_step_count=60,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],  # each step towards a shorter example would start a service: it would take hours
    suppress_health_check=list(HealthCheck),  # a service takes longer to start than a health check likes
)
