"""The way of one lane to the remote: open, or shut until a moment that backoff and Retry-After decide."""

from collections.abc import Callable

from engine.clock import Clock
from engine.errors import MachineError
from engine.policy.backoff import Backoff
from engine.remote.failures import Kind, RemoteError

__all__ = ["Gate"]

# Among a thousand requests one meets a server error: that is its own bad luck, two in a row are everybody's.
_ALONE = 2
_ITS_OWN = (Kind.UNCLEAR, Kind.TRANSIENT)


class Gate:
    """Shared by all workers of a lane, so that one refusal slows them all, once.

    A remote that can't be reached for `unreachable_limit_s` stops the run; for a lane that `is_vital` any failure
    counts, since nothing can go on without it.
    Failures that arrive while the gate is shut belong to the episode that shut it and count no further.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        backoff: Backoff,
        draw: Callable[[], float],
        unreachable_limit_s: float,
        *,
        is_vital: bool = False,
    ) -> None:
        self._name = name
        self._clock = clock
        self._backoff = backoff
        self._draw = draw
        self._limit_s = unreachable_limit_s
        self._is_vital = is_vital
        self._open_from = 0.0  # monotonic seconds
        self._failures = 0
        self._unanswered = 0  # failures since anything succeeded
        self._failing_since: float | None = None
        self.pauses = 0

    def __repr__(self) -> str:
        return f"<Gate {self._name}: {self._failures} failures in a row, {self.pauses} pauses>"

    async def passed(self) -> None:
        """Return once the gate is open."""
        while (wait_s := self._open_from - self._clock.monotonic()) > 0:
            await self._clock.sleep(wait_s)

    def worked(self) -> None:
        """An exchange succeeded: the next failure begins a new episode."""
        self._unanswered = 0
        self._failures = 0
        self._failing_since = None

    def failed(self, error: RemoteError) -> None:
        """Shut the gate for a while; raises MachineError when the remote has not been reached for too long."""
        now = self._clock.monotonic()
        if not error.elsewhere_helps:
            self._judge(error, now)
        self._unanswered += 1
        if self._unanswered < _ALONE and error.kind in _ITS_OWN and error.retry_after_s is None:
            return
        if now >= self._open_from:
            self._failures += 1
            self.pauses += 1
        wait_s = self._backoff.delay_s(max(1, self._failures), self._draw(), error.retry_after_s)
        self._open_from = max(self._open_from, now + wait_s)

    def _judge(self, error: RemoteError, now: float) -> None:
        if error.kind is not Kind.UNREACHABLE and not self._is_vital:
            self._failing_since = None
            return
        self._failing_since = now if self._failing_since is None else self._failing_since
        if now - self._failing_since >= self._limit_s:
            raise MachineError(f"the backend could not be reached for {self._limit_s:.0f} s: {error}; resume later")
