"""Links to stored pictures: made for whoever owns the job, and proven when somebody comes with one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.clock import Clock
from engine.journal.line import Record
from engine.service.job_state import Status
from engine.service.job_store import JobStore
from engine.service.jobs import Job
from engine.service.key import Key
from engine.service.presign import Presigner
from engine.service.refusal import Refusal

__all__ = ["Links", "unknown_job"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """`find_key` returns the key with an id, None once it is revoked; `public_url` is "" for the caller's own words."""

    presigner: Presigner
    store: JobStore
    find_key: Callable[[str], Key | None]
    clock: Clock
    public_url: str = ""

    def download(self, job: Job, origin: str) -> Record:
        """Return the members of the answer to a download, to `job`'s output under `origin`."""
        return self._members("outputs", job, origin)

    def download_input(self, job: Job, origin: str) -> Record:
        """Return the same for the input."""
        return self._members("inputs", job, origin)

    def notice(self, job: Job, origin: str) -> dict[str, str]:
        """Return the links that a webhook's notification carries."""
        input_download_url, input_head_url, _ = self._signed("inputs", job, origin)
        members = {"input_download_url": input_download_url, "input_head_url": input_head_url}
        if job.status is Status.COMPLETED:
            members["download_url"], members["head_url"], _ = self._signed("outputs", job, origin)
        return members

    def job_of(self, method: str, path: str, query: Mapping[str, str]) -> Job:
        """Return the job whose picture is at the `path` of a link that holds; raises Refusal with 403 or 404."""
        mark = self.presigner.mark_in(method, path, query, self.clock.now())
        key = None if mark is None else self.find_key(mark.rpartition(".")[0])
        if key is None or key.is_suspended or self.presigner.mark_of(key) != mark:
            raise Refusal(403, "the link has expired or is not valid; ask for a new one")
        _, _, kind, process_id = path.split("/")
        job = self.store.get(process_id)
        if job is None or job.owner != key.id or (kind == "outputs" and job.status is not Status.COMPLETED):
            raise unknown_job()
        return job

    def _members(self, kind: str, job: Job, origin: str) -> Record:
        download_url, head_url, expiry = self._signed(kind, job, origin)
        return {"download_url": download_url, "head_url": head_url, "expiry": expiry}

    def _signed(self, kind: str, job: Job, origin: str) -> tuple[str, str, int]:
        base, path, now = self.public_url or origin, f"/files/{kind}/{job.id}", self.clock.now()
        key = self.find_key(job.owner)
        if key is None:  # revoked in this very moment
            raise unknown_job()
        mark = self.presigner.mark_of(key)
        download, expiry = self.presigner.sign("GET", path, mark, now)
        head, _ = self.presigner.sign("HEAD", path, mark, now)
        return base + download, base + head, expiry


def unknown_job() -> Refusal:
    return Refusal(404, "no job has this id; it may have been deleted or be older than a week")
