"""The way through a proxy, as the usual environment variables have it: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY.

Small letters win over capitals, as everywhere. What is on this machine itself is never asked for by way of a proxy:
what is restored locally stays here.
"""

import ipaddress
import urllib.request
from urllib.parse import SplitResult, urlsplit

from engine.errors import UsageError

__all__ = ["Proxies", "is_loopback"]


class Proxies:
    """The environment's proxies as they were when this was made; raises UsageError for one that can't be used."""

    def __init__(self) -> None:
        found = urllib.request.getproxies()
        both = {scheme: found[scheme] for scheme in ("http", "https") if found.get(scheme)}
        if found.get("all"):
            both = {"http": found["all"], "https": found["all"], **both}
        self._by_scheme = {scheme: _checked(scheme, url) for scheme, url in both.items()}
        self._networks = list(map(_network, filter(_is_network, _parts(found.get("no", "")))))

    def __repr__(self) -> str:
        return f"<Proxies for {', '.join(self._by_scheme) or 'nothing'}>"

    def of(self, url: str) -> str | None:
        """Return the proxy to reach `url` by; None: go there directly."""
        if not self._by_scheme:
            return None
        try:
            parts = urlsplit(url)
            proxy = self._by_scheme.get(parts.scheme)
            return None if proxy is None or self._is_direct(parts) else proxy
        except ValueError:
            return None  # aiohttp will say what is wrong with it

    def _is_direct(self, parts: SplitResult) -> bool:
        host = parts.hostname or ""
        if is_loopback(host):
            return True
        place = f"{host}:{parts.port}" if parts.port else host
        return bool(urllib.request.proxy_bypass(place)) or self._is_in_network(host)

    def _is_in_network(self, host: str) -> bool:
        """curl and Go read NO_PROXY=10.0.0.0/8 as a network, urllib does not."""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def is_loopback(host: str) -> bool:
    """Say whether `host` is this machine by its name alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")  # RFC 6761, 6.3


def _checked(scheme: str, url: str) -> str:
    """Return `url` with a scheme, as other programs do without; its text is not shown, it may hold a password."""
    whole = url if "://" in url else f"http://{url}"
    try:
        is_usable = urlsplit(whole).scheme in ("http", "https") and bool(urlsplit(whole).hostname)
    except ValueError:
        is_usable = False
    if not is_usable:
        raise UsageError(f"{scheme.upper()}_PROXY or ALL_PROXY in the environment is not of the form http://HOST:PORT")
    return whole


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _is_network(part: str) -> bool:
    try:
        _network(part)
    except ValueError:
        return False
    return "/" in part


def _network(part: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(part, strict=False)
