"""What a webhook says: one status of one job, as the contract writes it, and the proof of who sent it. Pure."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from engine import __version__
from engine.service.job_state import Status
from engine.service.jobs import Job
from engine.service.target import OutsideError, target_of
from engine.service.ulid import ulid

__all__ = ["SIGNATURE", "Notification", "headers_of", "notification_of"]

SIGNATURE = "X-Webhook-Signature"

_WHEN_COMPLETED = ("download_url", "head_url")
_ALWAYS = ("input_download_url", "input_head_url")

# Within one microsecond the order of a job's life decides.
_RANKS = {Status.PENDING: 0, Status.PROCESSING: 1}
_FINAL_RANK = 2
_HASH_BITS = 68  # 80 of a ULID, less 10 for the microseconds within its millisecond and 2 for the rank
_LATEST_US = (1 << 48) * 1000 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One status that a job got. `id` is the same after a retry and after a restart; later ones sort behind it."""

    id: str
    process_id: str
    owner: str
    url: str = field(repr=False)  # may hold a receiver's secret
    host: str
    status: Status
    created: float
    modified: float
    progress: int

    def body(self, links: Mapping[str, str]) -> bytes:
        """Return the JSON to send; of `links` go along what fits the status, whatever the job has come to since."""
        names = (*_WHEN_COMPLETED, *_ALWAYS) if self.status is Status.COMPLETED else _ALWAYS
        return orjson.dumps(
            {
                "notification_id": self.id,
                "process_id": self.process_id,
                "status": self.status,
                "creation_time": self.created,
                "modification_time": self.modified,
                "progress": self.progress,
                **{name: links[name] for name in names if name in links},
            }
        )


def notification_of(job: Job) -> Notification:
    """Return what is to be said of `job` as it stands; it must have a webhook."""
    asked = job.submission
    return Notification(
        id=_id(job),
        process_id=job.id,
        owner=asked.owner,
        url=asked.webhook_url,
        host=_host(asked.webhook_url),
        status=job.status,
        created=asked.created,
        modified=job.modified,
        progress=job.progress,
    )


def headers_of(body: bytes, now: float, digest: bytes) -> dict[str, str]:
    """Return the headers of one attempt. `digest`: SHA-256 of the job's API key.

    The signature is HMAC-SHA256 over `<t>.<body>` under HMAC-SHA256(digest, "webhook"): whoever has the API key can
    check it, and what is stored here suffices to make it. `t` is the time of the attempt, against replays.
    """
    told = str(int(now))
    key = hmac.digest(digest, b"webhook", "sha256")
    return {
        "Content-Type": "application/json",
        "User-Agent": f"face-recovery/{__version__}",
        SIGNATURE: f"t={told},v1={hmac.digest(key, told.encode() + b'.' + body, 'sha256').hex()}",
    }


def _id(job: Job) -> str:
    microseconds = min(max(0, round(job.modified * 1e6)), _LATEST_US)
    milliseconds, rest = divmod(microseconds, 1000)
    digest = hashlib.sha256(f"{job.id}\n{job.status}\n{job.modified!r}".encode()).digest()
    drawn = int.from_bytes(digest) >> 256 - _HASH_BITS
    rank = _RANKS.get(job.status, _FINAL_RANK)
    return ulid(milliseconds, rest << _HASH_BITS + 2 | rank << _HASH_BITS | drawn)


def _host(url: str) -> str:
    try:
        return target_of(url).host
    except OutsideError:
        return ""  # the attempt will say what is wrong with it
