"""Before anything is sent: is there an API behind the address, and does it take the key?"""

import asyncio

from engine.pipeline.scope import Scope
from engine.remote.failures import Kind, RemoteError

__all__ = ["greet"]

_ATTEMPTS = 3
_HOPELESS = (Kind.KEY_REFUSED, Kind.GONE, Kind.WRONG_ADDRESS)


async def greet(scope: Scope) -> bool:
    """Return True once the remote has answered as the API does; False when the run is told to leave meanwhile.

    Raises RemoteError when it does not, or refuses the key.
    """
    greeting = asyncio.create_task(_say_hello(scope))
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


async def _say_hello(scope: Scope) -> None:
    gate = scope.gate("greeting")
    for _attempt in range(_ATTEMPTS):
        await gate.passed()
        try:
            await scope.client.listing(limit=1)
            return
        except RemoteError as error:
            last = error
            if error.kind in _HOPELESS:
                break
            gate.failed(error)
    raise last
