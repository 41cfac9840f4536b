"""A URL that a client named, taken apart once: what is checked is what is connected to. Pure.

Stricter than the URL standard, because two readers of one odd URL may see two hosts: only plain host names and IP
addresses in their usual form are taken. `2130706433`, `0x7f.1`, `127.1` and `0177.0.0.1`, which the system's resolver
would read as 127.0.0.1, are refused as malformed. No text made here holds a path or a query: either may be a secret.
"""

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Self

from yarl import URL

from engine.errors import EngineError, Fault

__all__ = ["OutsideError", "Target", "target_of"]

_MAX_CHARS = 8192  # what aiohttp's and most other servers take as a request line
_DEFAULT_PORTS = {"http": 80, "https": 443}

# Spaces and controls are dropped, kept or taken for a line's end, and a backslash is a slash: depending on the reader.
_UNCLEAR = re.compile(r"[\x00-\x20\x7f\\]")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,254}}\Z){_LABEL}(?:\.{_LABEL})*\.?")
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")
# The WHATWG's "ends in a number": such a host is an IPv4 address or nothing.
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?")


class OutsideError(EngineError):
    """A host that a client named was not asked, or gave no good answer. `retry_helps`: it may, another time."""

    fault = Fault.REMOTE

    def __init__(self, message: str, *, retry_helps: bool = False) -> None:
        super().__init__(message)
        self.retry_helps = retry_helps


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where one exchange goes. `address`: of a host that was given as one."""

    url: URL = field(repr=False)
    host: str
    address: IPv4Address | IPv6Address | None

    def __str__(self) -> str:
        """Name the target in an error or a log: without what may be secret."""
        return f"{self.url.scheme}://{self.authority}/..."

    @property
    def authority(self) -> str:
        """Host, and port where it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.url.port == _DEFAULT_PORTS[self.url.scheme] else f"{host}:{self.url.port}"

    def redirected(self, location: str) -> Self:
        """Return where `location`, as this target answered it, leads; raises OutsideError."""
        if not location:
            raise OutsideError(f"{self}: redirects to nowhere")
        try:
            following = _target(self.url.join(_parse(location)))
        except OutsideError as error:
            raise OutsideError(f"{self}: redirects to a URL that is not taken: {error}") from None
        if (self.url.scheme, following.url.scheme) == ("https", "http"):
            raise OutsideError(f"{self}: redirects from https to http")
        return type(self)(url=following.url, host=following.host, address=following.address)


def target_of(url: str) -> Target:
    """Take `url` apart; raises OutsideError when its form can never be allowed. An address is not judged here."""
    return _target(_parse(url))


def _parse(text: str) -> URL:
    if len(text) > _MAX_CHARS:
        raise OutsideError(f"a URL may have {_MAX_CHARS} characters at most")
    if _UNCLEAR.search(text):
        raise OutsideError("the URL holds a space, a backslash or a control character")
    try:
        # An ASCII URL goes out as it stands: to quote it anew could break a signature over it.
        return URL(text, encoded=text.isascii())
    except ValueError:  # UnicodeError among them
        raise OutsideError("the URL can't be read") from None


def _target(url: URL) -> Target:
    if url.scheme not in _DEFAULT_PORTS:
        raise OutsideError("the URL has to begin with http:// or https://")
    if "@" in url.raw_authority:
        raise OutsideError("a URL with a user name or a password is not taken")
    found = _AUTHORITY.fullmatch(url.raw_authority)
    if found is None or not 0 < int(found["port"] or 1) < 65536:
        raise OutsideError("the URL's host or port can't be read")
    host = found["host"].strip("[]").lower()
    return Target(url=url, host=host, address=_address(host))


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """Return `host` as an address, None when it is a name; raises OutsideError when it is neither for certain."""
    if ":" not in host and not _NUMBER.fullmatch(host):
        if _NAME.fullmatch(host):
            return None
        raise OutsideError("the URL's host is no valid name")
    try:
        return ip_address(host)
    except ValueError:
        raise OutsideError("the URL's host is a number but no address in its usual form, like 192.0.2.1") from None
