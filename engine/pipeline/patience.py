"""A question to the remote, asked again after what may pass, while nothing is sent."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from engine.clock import Clock
from engine.policy.backoff import Backoff
from engine.remote.failures import RemoteError

__all__ = ["Patience"]

T = TypeVar("T")

# With the default waits between them, doubled from half a second, a stumble of some twenty seconds is waited out.
_ATTEMPTS = 7


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait between two tries. `draw` returns uniform numbers in [0, 1)."""

    backoff: Backoff
    clock: Clock
    draw: Callable[[], float]

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T:
        """Return the answer to `question`; raises RemoteError when asking again can't help, or has not."""
        attempt = 1
        while True:
            try:
                return await question()
            except RemoteError as error:
                if not error.retry_helps or error.is_lasting or attempt == _ATTEMPTS:
                    raise
                wait_s = self.backoff.delay_s(attempt, self.draw(), error.retry_after_s)
            await self.clock.sleep(wait_s)
            attempt += 1
