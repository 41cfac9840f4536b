"""Which addresses the service may call for a client. Pure; knows neither names nor URLs.

Only global unicast is public. What the registries set aside is listed here and not left to `ipaddress`, whose answer
has changed between releases: IANA's special-purpose registries (RFC 6890) for IPv4; in IPv6 all that lies outside
2000::/3, and what is set aside within. An address that carries an IPv4 address is judged by that one when packets go
there (mapped, NAT64), and refused when it is a tunnel (6to4, Teredo). A translator under a prefix of the operator's
own (RFC 6052, 2.2) can't be told from any other network: keep its IPv6 side away from this machine.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

__all__ = ["is_allowed", "is_public"]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NOT_PUBLIC_4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # "this network"; Linux takes 0.0.0.0 for this machine
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # carrier-grade NAT; metadata of Alibaba Cloud
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # not in the registry: Azure's wire server, which every machine there reaches
            "169.254.0.0/16",  # link-local; metadata of most clouds
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # IETF protocols; metadata of Oracle Cloud
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # 6to4 relays, withdrawn
            "192.168.0.0/16",  # private
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
_UNICAST_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # IETF protocols, Teredo (RFC 4380) among them
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4 (RFC 3056)
            "3fff::/20",  # documentation
        ),
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: behind it, the IPv4 address in the last 32 bits


def is_allowed(address: Address, networks: Iterable[Network] = ()) -> bool:
    """Say whether `address` may be called: it is public, or in one of `networks`. A zone (`fe80::1%eth0`) never is."""
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return False
        address = _carried(address) or address
    return is_public(address) or any(address in network for network in networks)


def is_public(address: Address) -> bool:
    """Say whether `address` is global unicast that no registry sets aside."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    if (carried := _carried(address)) is not None:
        return is_public(carried)
    return address in _UNICAST_6 and not any(address in network for network in _NOT_PUBLIC_6)


def _carried(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that packets to `address` really go to."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped
