"""From a host's name to its addresses: by this machine's resolver, or by a scripted one in tests.

Whoever runs a zone decides how long a look-up in it takes, and nothing can end one early. So look-ups are counted until
they end, not until somebody gives up waiting, and those for one client leave room for everybody else's.
"""

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from concurrent.futures import Future
from threading import Thread
from typing import Protocol
from weakref import WeakValueDictionary

__all__ = ["Names", "Resolver", "SystemResolver"]

# glibc asks each of up to three name servers twice and gives each five seconds. An answer that is there comes sooner.
_TIME_LIMIT_S = 5.0
_AT_ONCE, _AT_ONCE_PER_OWNER = 64, 8


class Resolver(Protocol):
    """Where addresses come from."""

    async def resolve(self, host: str) -> Sequence[str]:
        """Return every address of `host`, as text; raises OSError when there is none to be had."""
        ...


class SystemResolver:
    """What `getaddrinfo` says: hosts file, DNS, search domains."""

    async def resolve(self, host: str) -> Sequence[str]:
        # Not in the loop's threads: in those the journal is written. Nor in those of any other executor: Python waits
        # for them when it ends, and a look-up that hangs would keep a service that was told to stop.
        found: Future[list[str]] = Future()
        found.set_running_or_notify_cancel()  # from here on it can't be cancelled, only left alone
        try:
            Thread(target=_look_up_into, args=(found, host), name="names", daemon=True).start()
        except RuntimeError as error:
            raise OSError("no thread is left") from error
        return await asyncio.wrap_future(found)


class Names:
    """Look-ups of `resolver`: at most `at_once`, of one owner `at_once_per_owner`, in turn. Close it after use."""

    def __init__(
        self,
        resolver: Resolver,
        *,
        time_limit_s: float = _TIME_LIMIT_S,
        at_once: int = _AT_ONCE,
        at_once_per_owner: int = _AT_ONCE_PER_OWNER,
    ) -> None:
        self._resolver = resolver
        self._time_limit_s = time_limit_s
        self._places = asyncio.Semaphore(at_once)
        self._per_owner = at_once_per_owner
        self._places_of: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()  # as long as one is in use
        self._under_way: dict[tuple[str | None, str], asyncio.Task[Sequence[str]]] = {}

    def __repr__(self) -> str:
        return f"<Names: {len(self._under_way)} look-ups under way>"

    async def look_up(self, host: str, owner: str | None = None) -> Sequence[str]:
        """Return every address of `host`; raises OSError, TimeoutError among them when it takes too long.

        `owner` is whom it is for, None for nobody in particular. The same look-up for the same owner is made once.
        """
        async with asyncio.timeout(self._time_limit_s):
            under_way = self._under_way.get((owner, host)) or await self._begin(host, owner)
            await asyncio.wait([under_way])  # which goes on when this ends early
        return under_way.result()

    def close(self) -> None:
        """Leave alone what is under way."""
        for under_way in self._under_way.values():
            under_way.cancel()

    async def _begin(self, host: str, owner: str | None) -> asyncio.Task[Sequence[str]]:
        """Wait for a place, and begin to look `host` up, unless that was done meanwhile."""
        async with contextlib.AsyncExitStack() as places:
            if owner is not None:
                own_places = self._places_of.setdefault(owner, asyncio.Semaphore(self._per_owner))
                await places.enter_async_context(own_places)
            await places.enter_async_context(self._places)
            under_way = self._under_way.get((owner, host))
            if under_way is None:
                under_way = asyncio.create_task(self._resolve(host, places.pop_all()), name="look-up")
                self._under_way[owner, host] = under_way
                under_way.add_done_callback(lambda _: self._end(host, owner))
            return under_way

    async def _resolve(self, host: str, places: contextlib.AsyncExitStack) -> Sequence[str]:
        async with places:
            return await self._resolver.resolve(host)

    def _end(self, host: str, owner: str | None) -> None:
        under_way = self._under_way.pop((owner, host))
        if not under_way.cancelled():
            under_way.exception()  # nobody may have waited to hear of it


def _look_up_into(found: Future[list[str]], host: str) -> None:
    try:
        found.set_result(_look_up(host))
    except Exception as error:  # a name may be wrong in more than one way: whoever waits is to hear of it
        found.set_exception(error)


def _look_up(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [str(address[0]) for *_, address in found]
