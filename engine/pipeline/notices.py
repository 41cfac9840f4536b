"""Notices of the backend that a job has ended: hints that have it looked at now, and nothing that is believed.

What a notice says is never acted upon: it wakes the poll lane, which asks the backend itself. So a forged one costs a
request, a lost one some seconds; polling goes on behind them all.
"""

import hashlib
import hmac
from collections.abc import Callable, Collection
from http import HTTPStatus
from typing import Any

import orjson

from engine.clock import Clock
from engine.pipeline.book import Book
from engine.pipeline.flight import Flight
from engine.pipeline.poll import PollLane
from engine.remote.endpoint import Endpoint
from engine.remote.member_id import member_id, qualified
from engine.remote.row import Progress

__all__ = ["MAX_NOTICE_BYTES", "SIGNATURE", "Notices", "token_of"]

MAX_NOTICE_BYTES = 64 * 1024  # with its four presigned links one has some 2 KB
SIGNATURE = "X-Webhook-Signature"
# A repeated notice is signed anew; an honest clock is never this far away.
_FRESH_S = 300.0
# Each costs a line in the journal and a look. As many as two hundred jobs a second need, and twice as many again.
_MOST_PER_S = 400
_ENDED = {Progress.COMPLETED.value, Progress.CANCELLED.value, Progress.FAILED.value}
# Jobs whose notice may come after polling has found them: some seconds' worth.
_REMEMBERED = 20_000
_MOST_TEXT = 100  # of an id


def token_of(keys: Collection[str], run_id: str) -> str:
    """Return the last part of a run's webhook address: nobody guesses it, and every process of the run makes it.

    The order of a pool's keys does not matter.
    """
    return _token(min(keys), run_id)


def _token(key: str, run_id: str) -> str:
    return hmac.digest(key.encode(), b"notices of run " + run_id.encode(), "sha256").hex()


class Notices:
    """Answers notices for one run. `is_sending`: whether a submit, or what became of one, is still open.

    They name a job as its backend does, which is one of the members of a pool: it is looked for under each.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        run_id: str,
        *,
        book: Book,
        poll: PollLane,
        clock: Clock,
        is_sending: Callable[[], bool],
    ) -> None:
        keys = sorted(set(endpoint.keys))
        # Jobs of a process that had another pool were sent with the address that it made.
        self._tokens = [_token(key, run_id).encode() for key in keys]
        self._proofs = [hmac.digest(hashlib.sha256(key.encode()).digest(), b"webhook", "sha256") for key in keys]
        self._members = [member_id(*each) for each in endpoint.members] if endpoint.others else []
        self._book = book
        self._poll = poll
        self._clock = clock
        self._is_sending = is_sending
        self._met: dict[str, None] = {}  # ids of the newest jobs accepted, in order
        self._second, self._taken = 0, 0
        self.counts: dict[int, int] = {}

    def __repr__(self) -> str:
        return f"<Notices answered {self.counts}>"

    def before(self, add: Callable[[Flight], None]) -> Callable[[Flight], None]:
        """Return what does as `add` with an accepted flight, which is remembered from then on."""

        def meet(flight: Flight) -> None:
            self._met[flight.process_id] = None
            if len(self._met) > _REMEMBERED:
                del self._met[next(iter(self._met))]
            add(flight)

        return meet

    async def take(self, token: str, body: bytes, signature: str | None) -> HTTPStatus:
        """Return the answer to one notice: 204 once it is in the journal, 5xx where it has to come again.

        `body` are the bytes as they came, `token` the last part of the address that it came to.
        """
        status = await self._answer(token, body, signature)
        self.counts[status] = self.counts.get(status, 0) + 1
        return status

    async def _answer(self, token: str, body: bytes, signature: str | None) -> HTTPStatus:
        said = token.encode()
        if not any(hmac.compare_digest(said, each) for each in self._tokens):
            return HTTPStatus.NOT_FOUND
        if self._is_too_fast():
            return HTTPStatus.SERVICE_UNAVAILABLE
        if signature is not None and not self._is_genuine(body, signature):
            return HTTPStatus.UNAUTHORIZED
        members = _members(body)
        if members is None:
            return HTTPStatus.BAD_REQUEST
        if members["status"] not in _ENDED:
            return HTTPStatus.NO_CONTENT  # no reason to look; and the notice of its end waits behind this one
        return await self._wake(members)

    async def _wake(self, members: dict[str, Any]) -> HTTPStatus:
        names = self._names(members["process_id"])
        process_id = next(filter(self._poll.knows, names), None)
        if process_id is None:
            # An accepted job whose answer is still on its way, or was lost: it comes again.
            is_open = self._met.keys().isdisjoint(names) and self._is_sending()
            return HTTPStatus.SERVICE_UNAVAILABLE if is_open else HTTPStatus.NO_CONTENT
        said = members.get("notification_id")
        notice = said if isinstance(said, str) and len(said) <= _MOST_TEXT else ""
        await self._book.commit_mark("notified", process_id=process_id, status=members["status"], notice=notice)
        self._poll.wake(process_id)
        return HTTPStatus.NO_CONTENT

    def _names(self, own_id: str) -> list[str]:
        """Return under which ids this run may know the job that its backend calls `own_id`."""
        return [qualified(member, own_id) for member in self._members] or [own_id]

    def _is_too_fast(self) -> bool:
        second = int(self._clock.monotonic())
        if second != self._second:
            self._second, self._taken = second, 0
        self._taken += 1
        return self._taken > _MOST_PER_S

    def _is_genuine(self, body: bytes, signature: str) -> bool:
        """Say whether somebody who has one of the keys made `signature`, `t=<Unix seconds>,v1=<hex>`, just now."""
        said = dict(part.strip().partition("=")[::2] for part in signature.split(","))
        made_at, proof = said.get("t", ""), said.get("v1", "").encode()
        if not made_at.isdecimal() or len(made_at) > _MOST_TEXT:
            return False
        if abs(self._clock.now() - int(made_at)) > _FRESH_S:
            return False
        text = made_at.encode() + b"." + body
        return any(hmac.compare_digest(hmac.digest(key, text, "sha256").hex().encode(), proof) for key in self._proofs)


def _members(body: bytes) -> dict[str, Any] | None:
    """Return the members of a notice that says which job and what of it; None for all else."""
    try:
        members = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(members, dict):
        return None
    return members if all(isinstance(members.get(name), str) for name in ("process_id", "status")) else None
