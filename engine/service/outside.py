"""How the service calls hosts that a client named, so that no client reaches through it what only it can reach.

Every exchange resolves the name once, checks all of its addresses, and connects to those and no others: a name that
answers differently a moment later (DNS rebinding) gains nothing. Redirects are followed by hand, each checked anew.
Nothing of this service's goes along: no key, no cookie, no `.netrc`. Proxies of the environment are not used: a proxy
resolves names itself, and what it would connect to can't be checked from here. A service that has no other way out
can't fetch. Bodies are taken as they are; nothing is decompressed.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from engine import __version__
from engine.service.address import is_allowed, is_public
from engine.service.names import Names, Resolver, SystemResolver
from engine.service.target import OutsideError, Target, target_of

__all__ = ["Fetched", "Outside", "OutsideError"]

Address = IPv4Address | IPv6Address

_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TRY_AGAIN = frozenset({408, 425, 429})
_READ_BYTES = 256 * 1024  # as `engine.remote.transport`: with aiohttp's 64 KiB large pictures stop and start too often
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": f"face-recovery/{__version__}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A file on its way. `url`: where it came from after redirects; it may be a permission, so keep it out of logs."""

    url: str = field(repr=False)
    content_length: int | None  # as announced
    _target: Target
    _response: aiohttp.ClientResponse = field(repr=False)
    _deadline: float

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives; raises OutsideError when it breaks off or the time is up."""
        while chunk := await self._next():
            yield chunk

    async def _next(self) -> bytes:
        with _translated(self._target):
            async with asyncio.timeout_at(self._deadline):
                return await self._response.content.readany()


@dataclass(frozen=True, slots=True)
class _Call:
    """What is asked, of whichever host it comes to, and for whom."""

    method: str
    owner: str | None
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Outside:
    """Calls to named hosts. `allowed_networks`: private addresses that may be called all the same.

    `time_limit_s` is for a whole exchange: names, redirects, and the body to its end. `owner` is whom a call is made
    for, a key's id: names of one that take long to look up keep no other waiting. Use it as an async context manager.
    Every OutsideError is one line for the client, without path or query of a URL, and says the same of a name that is
    unknown and of one that must not be called.
    """

    def __init__(
        self,
        allowed_networks: tuple[IPv4Network | IPv6Network, ...],
        *,
        time_limit_s: float,
        resolver: Resolver | None = None,
    ) -> None:
        self._allowed = allowed_networks
        self._time_limit_s = time_limit_s
        self._names = Names(resolver or SystemResolver())

    def __repr__(self) -> str:
        return f"<Outside: {len(self._allowed)} private networks allowed, {self._time_limit_s:g} s an exchange>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._names.close()

    async def check(self, url: str, *, owner: str | None = None) -> None:
        """Raise OutsideError when `url` is malformed, unknown, or leads where no client may send this service."""
        target = target_of(url)
        with _translated(target):
            async with asyncio.timeout_at(self._deadline()):
                await self._addresses(target, owner)

    @contextlib.asynccontextmanager
    async def get(self, url: str, *, owner: str | None = None) -> AsyncIterator[Fetched]:
        """Ask for the file at `url`; raises OutsideError for anything but a 200 at the end of a few redirects."""
        target, deadline = target_of(url), self._deadline()
        for _ in range(_MAX_REDIRECTS + 1):
            async with self._exchange(_Call("GET", owner), target, deadline) as (response, addresses):
                if response.status not in _REDIRECTS:
                    _check(response, target, addresses)
                    yield Fetched(
                        url=str(target.url),
                        content_length=response.content_length,
                        _target=target,
                        _response=response,
                        _deadline=deadline,
                    )
                    return
                target = target.redirected(response.headers.get("Location", ""))
        raise OutsideError(f"{target}: more than {_MAX_REDIRECTS} redirects")

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, owner: str | None = None) -> int:
        """POST `body` and return the status, whatever it is. A redirect is not followed, the answer's body not read."""
        call = _Call("POST", owner, body, headers)
        async with self._exchange(call, target_of(url), self._deadline()) as (response, _):
            return response.status

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._time_limit_s

    @contextlib.asynccontextmanager
    async def _exchange(
        self, call: _Call, target: Target, deadline: float
    ) -> AsyncIterator[tuple[aiohttp.ClientResponse, Sequence[Address]]]:
        """Make one exchange with one host and yield its answer with the addresses that were allowed for it."""
        headers = {**_HEADERS, **call.headers}
        async with contextlib.AsyncExitStack() as stack:
            with _translated(target):
                async with asyncio.timeout_at(deadline):
                    addresses = await self._addresses(target, call.owner)
                    session = await stack.enter_async_context(_session(addresses))
                    asking = session.request(
                        call.method, target.url, data=call.body, headers=headers, allow_redirects=False
                    )
                    response = await stack.enter_async_context(asking)
            yield response, addresses

    async def _addresses(self, target: Target, owner: str | None) -> Sequence[Address]:
        """Return all addresses of `target`; raises OutsideError when one of them is not to be called."""
        refusal = f"{target}: no such host, or not one that this service may reach"
        try:
            addresses = [target.address] if target.address else await self._resolved(target.host, owner)
        except TimeoutError:
            raise
        except OSError:
            raise OutsideError(refusal, retry_helps=True) from None
        except ValueError:  # no valid name after all, or no address
            raise OutsideError(refusal) from None
        # Not the public ones among them: an answer that mixes them was made by somebody who tries something.
        if not addresses or not all(is_allowed(address, self._allowed) for address in addresses):
            raise OutsideError(refusal)
        return addresses

    async def _resolved(self, host: str, owner: str | None) -> list[Address]:
        return [ip_address(text) for text in await self._names.look_up(host, owner)]


def _session(addresses: Sequence[Address]) -> AbstractAsyncContextManager[aiohttp.ClientSession]:
    """Return a session that can connect to `addresses` and to nothing else. One for each exchange: none is reused."""

    def made(info: aiohttp.AddrInfoType) -> socket.socket:
        # aiohttp does not ask a resolver about a host that is an address: this sees whatever is connected to.
        if ip_address(str(info[4][0])) not in addresses:
            raise OSError("not an address that was checked")
        return socket.socket(*info[:3])

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            resolver=_Pinned(addresses), socket_factory=made, use_dns_cache=False, force_close=True
        ),
        timeout=aiohttp.ClientTimeout(total=None),  # the deadline stands above it
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        read_bufsize=_READ_BYTES,
    )


class _Pinned(AbstractResolver):
    """Answers with the addresses that were checked, whatever the name says by now."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
            if family in (socket.AF_UNSPEC, socket.AF_INET if address.version == 4 else socket.AF_INET6)
        ]

    async def close(self) -> None:
        pass


def _check(response: aiohttp.ClientResponse, target: Target, addresses: Sequence[Address]) -> None:
    """Raise OutsideError unless `response` brings the file itself."""
    status = response.status
    if status != 200:
        # What a private address answers is nobody's business but the operator's, who allowed it.
        told = f"answered {status}" if all(map(is_public, addresses)) else "did not answer 200"
        raise OutsideError(f"{target}: {told}", retry_helps=status >= 500 or status in _TRY_AGAIN)
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise OutsideError(f"{target}: sent a compressed body though it was asked not to")


@contextlib.contextmanager
def _translated(target: Target) -> Iterator[None]:
    """Raise what goes wrong on the way to `target` as OutsideError."""
    try:
        yield
    except TimeoutError:
        raise OutsideError(f"{target}: took too long", retry_helps=True) from None
    except aiohttp.ClientSSLError:
        raise OutsideError(f"{target}: its TLS certificate is not trusted, or TLS failed", retry_helps=True) from None
    except (aiohttp.ClientConnectorError, OSError):
        raise OutsideError(f"{target}: can't be reached", retry_helps=True) from None
    except aiohttp.ClientPayloadError:
        raise OutsideError(f"{target}: broke off in the middle of its answer", retry_helps=True) from None
    except (aiohttp.ClientError, ValueError):
        raise OutsideError(f"{target}: answered nothing that can be read", retry_helps=True) from None
