"""One base URL with one key as a member of a pool: its own pace, its load, its rests, and why it is closed if it is."""

from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import urlsplit

from engine.clock import Clock
from engine.policy.backoff import Backoff
from engine.policy.rest import Rest
from engine.policy.share import Load
from engine.remote.client import Client
from engine.remote.failures import Kind, RemoteError
from engine.remote.intake import Intake
from engine.remote.row import Row

__all__ = ["Member"]

T = TypeVar("T")

_CLOSING = (Kind.KEY_REFUSED, Kind.WRONG_ADDRESS)


class Member:
    """`id`, `client`, `load` and `intake` are its own. `why_closed`: it takes no call any more.

    `was_trusted`: it has taken the key at least once.
    """

    def __init__(
        self, client: Client, base_url: str, clock: Clock, backoff: Backoff, draw: Callable[[], float]
    ) -> None:
        self.id = client.id
        self.client = client
        self.place = f"{urlsplit(base_url).netloc} (member {self.id})"
        self.load = Load(clock.monotonic())
        self.rest = Rest(backoff)
        self.intake = Intake(clock, backoff, draw)
        self.why_closed = ""
        self._closed_by = Kind.KEY_REFUSED
        self.was_trusted = False
        self._clock = clock
        self._draw = draw
        self._jobs: set[str] = set()  # in flight there, by its own ids

    def __repr__(self) -> str:
        state = self.why_closed or repr(self.rest)
        return f"<Member {self.place}: {self.load!r}, {self.intake!r}, {state}>"

    @property
    def takes_submits(self) -> bool:
        """Whether it is one to submit to, now or once it has rested."""
        return not self.why_closed and not self.intake.why_full

    def submit_wait_s(self, now: float) -> float:
        """Return the seconds until a submit may go there: 0 now, infinity while a probe is under way."""
        return max(self.rest.wait_s(now), self.intake.wait_s(now))

    def seat(self) -> None:
        """A submit is about to go there."""
        self.rest.probe()
        self.intake.probe()

    def unseat(self) -> None:
        """It did not go, or told nothing."""
        self.rest.unproven()
        self.intake.unproven()

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T:
        """Return the answer to `question`, which is one call there; raises RemoteError, unasked while it rests."""
        self._check_open()
        self.rest.probe()
        return await self.hear(question)

    async def hear(self, question: Callable[[], Awaitable[T]]) -> T:
        """As `ask`, for a call that is admitted already."""
        is_heard = False
        try:
            answer = await question()
            is_heard = True
        except RemoteError as error:
            is_heard = True
            self.heard(error)
            raise
        finally:
            if not is_heard:
                self.rest.unproven()
        self.was_trusted = True
        self.rest.worked()
        return answer

    def heard(self, error: RemoteError) -> None:
        """Take in how a call failed: it rests after what may pass, and is closed by what does not."""
        if error.kind in _CLOSING:
            self.why_closed, self._closed_by = str(error), error.kind
        if error.kind in (Kind.UNREACHABLE, Kind.UNCLEAR, Kind.TRANSIENT) and not 200 <= error.status < 500:
            is_certain, retry_after_s = error.kind is Kind.UNREACHABLE, error.retry_after_s
            self.rest.failed(self._clock.monotonic(), self._draw(), is_certain=is_certain, retry_after_s=retry_after_s)
        else:
            self.rest.worked()

    def refusal_of_submits(self) -> RemoteError | None:
        """Return, as the remote said it, why it takes no submit any more; None when it does."""
        if self.why_closed:
            return self._closed()
        why_full = self.intake.why_full
        return RemoteError(Kind.NO_CREDITS, f"{self.place} takes no more: {why_full}") if why_full else None

    def _check_open(self) -> None:
        if self.why_closed:
            raise self._closed()
        wait_s = self.rest.wait_s(self._clock.monotonic())
        if wait_s > 0:
            retry_after_s = wait_s if wait_s < float("inf") else None
            raise RemoteError(Kind.UNREACHABLE, f"{self.place} rests after failures", retry_after_s=retry_after_s)

    def _closed(self) -> RemoteError:
        return RemoteError(self._closed_by, f"{self.place} is closed: {self.why_closed}")

    def accepted(self, process_id: str, wait_s: float | None) -> None:
        """Take in that it has a job, counted when it was sent; `wait_s`: until it is done, by its own word."""
        self._jobs.add(process_id)
        if wait_s is not None:
            self.load.told(wait_s)

    def saw(self, row: Row) -> None:
        """Take in the row of a job that was asked for by its id: whoever asks has it in flight."""
        if row.is_going_on:
            if row.process_id not in self._jobs:
                self._jobs.add(row.process_id)
                self.load.kept(self._clock.monotonic())
        else:
            self.ended(row.process_id)

    def ended(self, process_id: str) -> None:
        """Take in that a job has ended; does nothing for one that is not in flight there."""
        if process_id in self._jobs:
            self._jobs.remove(process_id)
            self.load.ended(self._clock.monotonic())
