"""Which requests go through which proxy."""

import pytest

from engine.errors import UsageError
from engine.remote.proxy import Proxies, is_loopback

FAR = "https://api.example.org/image/v1/status"
NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own proxies are kept out of the tests."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def _of(monkeypatch: pytest.MonkeyPatch, url: str, **variables: str) -> str | None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return Proxies().of(url)


@pytest.mark.parametrize(
    ("variables", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ({"https_proxy": "http://p:1"}, "http://p:1"),
        ({"https_proxy": "http://small:1", "HTTPS_PROXY": "http://LARGE:1"}, "http://small:1"),
        ({"HTTP_PROXY": "http://p:1"}, None),
        ({"ALL_PROXY": "http://p:1"}, "http://p:1"),
        ({"all_proxy": "http://p:1", "https_proxy": "http://q:2"}, "http://q:2"),
        ({"HTTPS_PROXY": "p.example:3128"}, "http://p.example:3128"),
        ({"HTTPS_PROXY": "https://user:word@p:1"}, "https://user:word@p:1"),
        ({"HTTPS_PROXY": ""}, None),
    ],
)
def test_the_scheme_chooses_the_proxy(variables: dict[str, str], proxy: str | None, monkeypatch: pytest.MonkeyPatch):
    """As curl and requests read the variables."""
    assert _of(monkeypatch, FAR, **variables) == proxy


@pytest.mark.parametrize(
    ("without", "host", "is_direct"),
    [
        ("api.example.org", "api.example.org", True),
        ("example.org", "api.example.org", True),
        (".example.org", "api.example.org", True),
        ("example.org", "notexample.org", False),
        ("other.org, example.org ,", "api.example.org", True),
        ("*", "api.example.org", True),
        ("api.example.org:8443", "api.example.org:8443", True),
        ("api.example.org:8443", "api.example.org:9443", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("fd00::/8", "[fd12::7]", True),
        ("10.0.0.0/8", "ten.example.org", False),
        ("not/a/network", "10.1.2.3", False),
    ],
)
def test_what_needs_no_proxy_is_asked_directly(
    without: str, host: str, is_direct: bool, monkeypatch: pytest.MonkeyPatch
):
    """Hosts, suffixes, ports, addresses and networks."""
    proxy = _of(monkeypatch, f"https://{host}/x", HTTPS_PROXY="http://p:1", NO_PROXY=without)
    assert proxy == (None if is_direct else "http://p:1")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "[::1]", "localhost", "a.localhost"])
def test_this_machine_is_never_asked_by_way_of_another(host: str, monkeypatch: pytest.MonkeyPatch):
    """What is restored locally stays here, whatever the environment says."""
    assert _of(monkeypatch, f"http://{host}:8321/x", HTTP_PROXY="http://p:1", ALL_PROXY="http://p:1") is None
    assert is_loopback(host.strip("[]"))


@pytest.mark.parametrize("proxy", ["socks5://p:1", "http://", "http://[p"])
def test_a_proxy_that_can_not_be_used_is_said_and_not_gone_around(proxy: str, monkeypatch: pytest.MonkeyPatch):
    """Pictures do not leave by a way that was closed on purpose; the text, which may hold a password, is not shown."""
    with pytest.raises(UsageError, match="HTTPS_PROXY") as caught:
        _of(monkeypatch, FAR, HTTPS_PROXY=proxy)
    assert proxy not in str(caught.value).replace("http://HOST:PORT", "")


@pytest.mark.parametrize("url", ["http://[bad/", "not a url", "https://h:port/"])
def test_an_address_that_is_none_is_left_to_whoever_asks_for_it(url: str, monkeypatch: pytest.MonkeyPatch):
    """The transport says what is wrong with it."""
    assert _of(monkeypatch, url, HTTPS_PROXY="http://p:1") is None
