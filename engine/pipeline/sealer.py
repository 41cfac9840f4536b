"""Results on their way to the disk, in groups: while one is written and synced, the next one gathers.

As with the journal, a busy run makes few hops to a thread and few syncs of a folder; a quiet one waits for nobody.
"""

import asyncio
from collections import deque

from engine.pipeline.seal import Result, Sealed, seal_group

__all__ = ["Sealer"]

# Groups under way at once: file systems merge syncs that come together, and decoding takes more than one core.
_GROUPS = 4
_GROUP_RESULTS = 8


class Sealer:
    """Seals what it is given, in order of arrival as far as one can tell."""

    def __init__(self, *, sync: bool) -> None:
        self._sync = sync
        self._waiting: deque[tuple[Result, asyncio.Future[Sealed]]] = deque()
        self._groups: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Sealer {len(self._waiting)} waiting, {len(self._groups)} groups under way>"

    async def seal(self, result: Result) -> Sealed:
        """Return once `result` is verified, in place and durable; raises what `seal_group` says of it."""
        outcome: asyncio.Future[Sealed] = asyncio.get_running_loop().create_future()
        self._waiting.append((result, outcome))
        if len(self._groups) < _GROUPS:
            task = asyncio.create_task(self._work(), name="sealer")
            self._groups.add(task)
            task.add_done_callback(self._groups.discard)
        return await outcome

    async def _work(self) -> None:
        while self._waiting:
            group = [self._waiting.popleft() for _result in range(min(_GROUP_RESULTS, len(self._waiting)))]
            results = [result for result, _outcome in group]
            for (_result, outcome), sealed in zip(group, await self._sealed(results), strict=True):
                if outcome.done():  # whoever waited was cancelled
                    continue
                if isinstance(sealed, Sealed):
                    outcome.set_result(sealed)
                else:
                    outcome.set_exception(sealed)

    async def _sealed(self, results: list[Result]) -> list[Sealed | Exception]:
        try:
            return await asyncio.to_thread(seal_group, results, sync=self._sync)
        except Exception as error:  # no thread to be had, say: nobody may wait for ever
            return [error] * len(results)
