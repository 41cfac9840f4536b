"""What may be expected of an address."""

import pytest

from engine.remote.endpoint import Endpoint


@pytest.mark.parametrize(
    ("url", "in_clear"),
    [
        ("https://api.example.org/image/v1", ()),
        ("http://127.0.0.1:8300/image/v1", ()),
        ("http://[::1]:8300/image/v1", ()),
        ("http://localhost/image/v1", ()),
        ("http://10.0.0.7:8300/image/v1", ("http://10.0.0.7:8300",)),
        ("http://gpu.example.org/image/v1", ("http://gpu.example.org",)),
    ],
)
def test_only_plain_http_over_a_network_is_in_the_clear(url: str, in_clear: tuple[str, ...]):
    """This machine talks to itself unheard."""
    assert Endpoint(name="x", base_url=url, key="k3y").in_clear == in_clear


def test_no_repr_shows_the_key():
    assert "k3y" not in repr(Endpoint(name="x", base_url="https://h", key="k3y"))
