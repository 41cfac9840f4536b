"""Before anything is sent: is there an API behind the address, does it take the key, and what does the account have?"""

import asyncio

from engine.pipeline.scope import Scope
from engine.remote.failures import Kind, RemoteError

__all__ = ["greet"]

_ATTEMPTS = 3
_HOPELESS = (Kind.KEY_REFUSED, Kind.GONE, Kind.WRONG_ADDRESS)


async def greet(scope: Scope) -> bool:
    """Return True once the remote has answered as the API does; False when the run is told to leave meanwhile.

    Raises RemoteError when it does not, or refuses the key. What the account has is noted where there is one.
    """
    greeting = asyncio.create_task(_introduce(scope))
    leave = asyncio.create_task(scope.closing.leaving.wait())
    try:
        await asyncio.wait((greeting, leave), return_when=asyncio.FIRST_COMPLETED)
        if not greeting.done():
            return False
        await greeting
        return True
    finally:
        greeting.cancel()
        leave.cancel()


async def _introduce(scope: Scope) -> None:
    for address in scope.endpoint.in_clear:
        scope.notes.tell(address, f"{address} is plain HTTP: key and pictures travel there for everybody to read")
    await _say_hello(scope)
    if scope.endpoint.has_account and not scope.client.is_simulated:
        await _look_into_the_purse(scope)


async def _say_hello(scope: Scope) -> None:
    gate = scope.gate("greeting")
    for _attempt in range(_ATTEMPTS):
        await gate.passed()
        try:
            await scope.client.hello()
            return
        except RemoteError as error:
            last = error
            if error.kind in _HOPELESS or error.is_lasting:
                break
            gate.failed(error)
    raise last


async def _look_into_the_purse(scope: Scope) -> None:
    """Note the balance. Where it can't be had the run goes on without; raises RemoteError for a refused key."""
    try:
        balance = await scope.client.balance()
        scope.budget.has(balance.available, is_at_most=balance.is_at_most)
    except RemoteError as error:
        if error.kind is Kind.KEY_REFUSED:
            raise
        if error.kind is not Kind.NOT_OFFERED:
            scope.notes.tell("balance", f"how many credits are available could not be found out: {error}")
