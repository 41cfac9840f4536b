"""Which addresses may be called, and which URLs are clear enough to be looked at at all."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.service.address import is_allowed, is_public
from engine.service.target import OutsideError, target_of

PRIVATE = [
    "0.0.0.0",  # noqa: S104 - nothing is bound here
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::8.8.8.8",
    "100::1",
    "2001::7f00:1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "2606:4700::1%eth0",
]

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "100.63.255.255",
    "100.128.0.1",
    "128.0.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.169.0.1",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001::1",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
]


@pytest.mark.parametrize("text", PRIVATE)
def test_what_is_not_public_is_refused(text):
    """Nothing of this machine, its network, its cloud, or set aside for other uses may be called."""
    assert not is_allowed(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_what_is_public_is_allowed(text):
    """Neighbours of what is set aside are public, also when they are written as IPv6."""
    assert is_public(ip_address(text))
    assert is_allowed(ip_address(text))


@given(st.one_of(st.ip_addresses(v=4), st.integers(2**125, 2**126 - 1).map(IPv6Address)))
def test_nothing_is_public_that_python_calls_private(address):
    """The list here is at least as strict as the standard library's."""
    if is_public(address):
        assert not any((address.is_private, address.is_loopback, address.is_link_local, address.is_multicast))


@given(st.ip_addresses(v=4), st.sampled_from(["::ffff:0:0", "64:ff9b::"]))
def test_an_ipv4_address_in_ipv6_is_judged_as_itself(inner, prefix):
    """Writing an address as IPv6 changes nothing, neither for the public nor for an allowed network."""
    outer = IPv6Address(int(IPv6Address(prefix)) | int(inner))
    assert is_public(outer) == is_public(inner)
    assert is_allowed(outer, (IPv4Network(f"{inner}/32"),))


def test_an_allowed_network_allows_itself_and_nothing_else():
    """What the operator allowed is allowed; its neighbours, and zones within it, are not."""
    networks = (IPv4Network("10.1.0.0/16"), IPv6Network("fd00:1::/32"), IPv6Network("fe80::/10"))
    for text in ("10.1.2.3", "fd00:1::5", "::ffff:10.1.2.3", "fe80::1"):
        assert is_allowed(ip_address(text), networks)
    for text in ("10.2.0.1", "fd00:2::5", "::ffff:10.2.0.1", "fe80::1%eth0", "127.0.0.1"):
        assert not is_allowed(ip_address(text), networks)


@pytest.mark.parametrize(
    ("url", "host", "address", "shown"),
    [
        ("http://Example.COM/a?b", "example.com", None, "http://example.com/..."),
        ("HTTPS://example.com:443", "example.com", None, "https://example.com/..."),
        ("https://example.com.:8443/", "example.com.", None, "https://example.com.:8443/..."),
        ("http://1.2.3.4:80/x", "1.2.3.4", IPv4Address("1.2.3.4"), "http://1.2.3.4/..."),
        ("http://[2606:4700::1]:81/x", "2606:4700::1", IPv6Address("2606:4700::1"), "http://[2606:4700::1]:81/..."),
        ("http://my_bucket.s3-x.example/", "my_bucket.s3-x.example", None, "http://my_bucket.s3-x.example/..."),
        ("http://bücher.example/ä", "xn--bcher-kva.example", None, "http://xn--bcher-kva.example/..."),
        ("http://127。0。0。1/", "127.0.0.1", IPv4Address("127.0.0.1"), "http://127.0.0.1/..."),
        ("http://\uff11\uff12\uff17.0.0.1/", "127.0.0.1", IPv4Address("127.0.0.1"), "http://127.0.0.1/..."),
        ("http://ⓛocalhost/", "localhost", None, "http://localhost/..."),
        ("http://4chan.example/", "4chan.example", None, "http://4chan.example/..."),
        ("http://1.2.3.4.example/", "1.2.3.4.example", None, "http://1.2.3.4.example/..."),
    ],
)
def test_a_clear_url_is_taken_apart(url, host, address, shown):
    """Host and address are what a connection would go to, and the text of a target has no path and no query."""
    target = target_of(url)
    assert (target.host, target.address, str(target)) == (host, address, shown)


@pytest.mark.parametrize("url", ["http://a.example/b%7E%2Fc?sig=a%2Bb+c%20d&x=%7e", "https://a.example/(x)?a='b'&c=|"])
def test_a_signed_url_goes_out_as_it_came(url):
    """No byte of path and query is quoted anew: a signature may cover them."""
    assert str(target_of(url).url) == url


def test_a_redirect_is_read_from_where_it_came():
    """Relative, absolute and scheme-less locations lead where RFC 3986 says."""
    target = target_of("http://a.example/x/y?z")
    for location, expected in {
        "w": "http://a.example/x/w",
        "/w?q=%2B": "http://a.example/w?q=%2B",
        "//b.example/": "http://b.example/",
        "https://c.example:8443/d": "https://c.example:8443/d",
    }.items():
        assert str(target.redirected(location).url) == expected


@pytest.mark.parametrize(
    "location",
    ["", "http://b.example/", "ftp://a.example/", "file:///etc/passwd", "//u@a.example/", "https://a b/", "//0x7f.1/"],
)
def test_a_redirect_that_is_not_taken(location):
    """From https nothing leads to http, and every form that is refused at first is refused here."""
    with pytest.raises(OutsideError, match=r"^https://a\.example/\.\.\.: redirects"):
        target_of("https://a.example/?secret").redirected(location)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://public.example/a b", "a space, a backslash or a control"),
        ("http://public.example/a\r\nX-Injected: yes", "a space, a backslash or a control"),
        ("http://public.example/a\tb", "a space, a backslash or a control"),
        ("http://public.example/a\x00", "a space, a backslash or a control"),
        ("http://public.example/a\x7f", "a space, a backslash or a control"),
        ("http://public.example\\@other.example/", "a space, a backslash or a control"),
        ("http://public.example/\\other", "a space, a backslash or a control"),
        ("http://user:secret@public.example/", "user name or a password"),
        ("http://@public.example/", "user name or a password"),
        ("http://public.example:80@other.example/", "user name or a password"),
        ("ftp://public.example/", "begin with http:// or https://"),
        ("//public.example/", "begin with http:// or https://"),
        ("public.example", "begin with http:// or https://"),
        ("", "begin with http:// or https://"),
        ("http:///x", "host or port can't be read"),
        ("http://public.example:0/", "host or port can't be read"),
        ("http://public.example:+80/", "host or port can't be read"),
        ("http://public%2eexample/", "host or port can't be read"),
        ("http://[2606:4700::1%25eth0]/", "host or port can't be read"),
        ("http://public.example:65536/", "can't be read"),
        ("http://[2606:4700::1/", "can't be read"),
        ("http://\ud800.example/", "can't be read"),
        ("http://public..example/", "no valid name"),
        ("http://-public.example/", "no valid name"),
        ("http://134744072/", "no address in its usual form"),
        ("http://0x8.8.8.8/", "no address in its usual form"),
        ("http://8.8.8.8./", "no address in its usual form"),
        ("http://8.8.2056/", "no address in its usual form"),
        ("http://08.8.8.8/", "no address in its usual form"),
        ("http://[8.8.8.8::]/", "no address in its usual form"),
        ("http://public.example/" + "a" * 8192, "8192 characters"),
    ],
)
def test_an_unclear_url_is_refused_by_its_form(url, said):
    """Also where it would lead to a public host: two readers might disagree on it. The line repeats nothing of it."""
    with pytest.raises(OutsideError, match=said) as caught:
        target_of(url)
    assert not {"secret", "other", "Injected"} & set(str(caught.value).replace("/", " ").split())
    assert not caught.value.retry_helps
