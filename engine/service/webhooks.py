"""Tells receivers of each status that a job gets, until they have it: at least once, in order for each job.

Delivered is a 2xx. A 5xx, a 429, and a connection that failed are tried again for as long as the job is kept; every
other answer, and an address that must not be called, discards the notification for good. What is settled goes into
the outbox; a start sends what the outbox does not hold. Nothing is sent for a key that was revoked: whoever had it
could not tell our notification from a forged one, and its links would lead nowhere.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto
from typing import Protocol

from engine.clock import Clock, sleep_unless
from engine.service.dispatch import Dispatch
from engine.service.jobs import Job
from engine.service.notification import Notification, headers_of, notification_of
from engine.service.outbox import Outbox
from engine.service.refusal import Refusal
from engine.service.target import OutsideError

__all__ = ["Poster", "Verdict", "Webhooks", "verdict_of"]

_log = logging.getLogger(__name__)


class Poster(Protocol):
    """The way out: `engine.service.outside.Outside`, or a scripted one in tests."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, owner: str) -> int:
        """Return the status of the answer; raises OutsideError when there is none. `owner`: whom it is sent for."""
        ...


class Verdict(Enum):
    """What one attempt came to."""

    DELIVERED = auto()
    DISCARDED = auto()
    RETRY = auto()


def verdict_of(status: int) -> Verdict:
    """Return what an answer of `status` means. A redirect is no delivery, and is not followed: it discards."""
    if 200 <= status < 300:
        return Verdict.DELIVERED
    return Verdict.RETRY if status >= 500 or status == 429 else Verdict.DISCARDED


class Webhooks:
    """The sender. Its counters are of this run; `pending` ones are queued, under way or waiting for a retry."""

    def __init__(
        self,
        poster: Poster,
        outbox: Outbox,
        clock: Clock,
        *,
        find: Callable[[str], Job | None],
        links: Callable[[Job], Mapping[str, str]],
        secret_of: Callable[[str], bytes | None],
    ) -> None:
        """`find`: the job with a process id, None once it is forgotten, which ends its notifications.

        `links`: what is told of files, by the contract's names, signed at that moment; raises Refusal when the key
        is gone. `secret_of`: the SHA-256 of the API key with an id, None when it is gone, which ends its notifications.
        """
        self._poster = poster
        self._outbox = outbox
        self._clock = clock
        self._find = find
        self._links = links
        self._secret_of = secret_of
        self._dispatch = Dispatch()
        self._sooner = asyncio.Event()
        self._discarded = 0
        self.delivered = 0
        self.retries = 0

    def __repr__(self) -> str:
        return (
            f"<Webhooks: {self.pending} pending, {self.delivered} delivered, {self.discarded} discarded, "
            f"{self.retries} retries>"
        )

    @property
    def pending(self) -> int:
        return self._dispatch.pending

    @property
    def discarded(self) -> int:
        return self._discarded + self._dispatch.superseded

    def changed(self, job: Job) -> None:
        """Have the status that `job` has now told to its receiver, if it has one. Never waits; O(1)."""
        if job.submission.webhook_url:
            self._dispatch.add(notification_of(job))
            self._sooner.set()

    def recover(self, jobs: Iterable[Job]) -> None:
        """Have the status of each job told that no earlier run has settled. Call it once, before `run`."""
        for job in jobs:
            if job.submission.webhook_url and not self._outbox.was_settled(notification_of(job)):
                self.changed(job)

    async def run(self) -> None:
        """Send until cancelled; raises MachineError when the outbox can't be written.

        What is under way when it is cancelled is not settled: the next start sends it again.
        """
        try:
            async with asyncio.TaskGroup() as attempts:
                while True:
                    self._sooner.clear()
                    while (notification := self._dispatch.take(self._clock.monotonic())) is not None:
                        attempts.create_task(self._try(notification), name=f"webhook {notification.id}")
                    wait_s = self._dispatch.next_due() - self._clock.monotonic()
                    await sleep_unless(self._sooner, self._clock, wait_s)
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures

    async def _try(self, notification: Notification) -> None:
        said = self._said(notification)
        if said is None:
            self._discarded += self._dispatch.drop(notification)
        else:
            self._settle(notification, *await self._post(notification, *said))
        self._sooner.set()

    def _said(self, notification: Notification) -> tuple[bytes, dict[str, str]] | None:
        """Return body and headers of one attempt, with links and a signature of this moment; None for nothing more."""
        job, secret = self._find(notification.process_id), self._secret_of(notification.owner)
        if job is None or secret is None:
            return None
        try:
            body = notification.body(self._links(job))
        except Refusal:  # revoked since the line above
            return None
        return body, headers_of(body, self._clock.now(), secret)

    async def _post(self, notification: Notification, body: bytes, headers: dict[str, str]) -> tuple[Verdict, str]:
        """Make one attempt; return what it came to, and in words what the receiver did, without its address."""
        try:
            status = await self._poster.post(notification.url, body, headers, owner=notification.owner)
        except OutsideError as error:
            if error.retry_helps:
                return Verdict.RETRY, "no answer"
            return Verdict.DISCARDED, "an address that this service may not call"
        return verdict_of(status), f"answered {status}"

    def _settle(self, notification: Notification, verdict: Verdict, why: str) -> None:
        if verdict is Verdict.RETRY:
            self.retries += 1
            self._dispatch.retry(notification, self._clock.monotonic())
            _log.debug("webhook: '%s' of job %s waits: %s", notification.status, notification.process_id, why)
            return
        self._outbox.settle(notification)
        self._dispatch.settle(notification)
        if verdict is Verdict.DELIVERED:
            self.delivered += 1
        else:
            self._discarded += 1
            _log.warning("webhook: '%s' of job %s is not told: %s", notification.status, notification.process_id, why)
