"""From what `--backend` and the environment say to the members of a backend."""

from pathlib import Path

import pytest

from engine.backend import TOPAZ_BASE, check_backend, open_backend
from engine.errors import UsageError

ONE, TWO, THREE = (f"https://{name}.example/image/v1" for name in ("one", "two", "three"))


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TOPAZ_API_KEY", "FACE_RECOVERY_API_KEY"):
        monkeypatch.delenv(name, raising=False)


async def _members(backend: str) -> tuple[tuple[str, str], ...]:
    async with open_backend(backend, service=Path("unused"), workers=0) as endpoint:
        assert endpoint.has_account
        return endpoint.members


@pytest.mark.parametrize(
    ("backend", "keys", "members"),
    [
        (ONE, "k", ((ONE, "k"),)),
        (f"{ONE},{TWO}", "k", ((ONE, "k"), (TWO, "k"))),
        (f" {ONE} , {TWO} ", " k , l ", ((ONE, "k"), (TWO, "l"))),
        (ONE, "k,l,m", ((ONE, "k"), (ONE, "l"), (ONE, "m"))),
        (f"{ONE},topaz", "k,l", ((ONE, "k"), (TOPAZ_BASE, "l"))),
    ],
)
async def test_keys_and_addresses_make_members(backend, keys, members, monkeypatch):
    """One key for all, one for each, or several for the only address."""
    monkeypatch.setenv("FACE_RECOVERY_API_KEY", keys)
    assert await _members(backend) == members


async def test_the_vendors_cloud_takes_several_keys_too(monkeypatch):
    monkeypatch.setenv("TOPAZ_API_KEY", "k,l")
    assert await _members("topaz") == ((TOPAZ_BASE, "k"), (TOPAZ_BASE, "l"))


@pytest.mark.parametrize(
    ("backend", "keys", "words"),
    [
        (f"{ONE},{TWO},{THREE}", "k,l", "names 3 addresses and FACE_RECOVERY_API_KEY 2 keys"),
        (f"{ONE},{TWO}", "", "needs a key"),
        (f"{ONE},", "k", "is not simulated, local, topaz or a base URL"),
        (f"{ONE},local", "k", "--backend local: is not simulated, local"),
        (f"{ONE},https://u:s3cret@h/v1", "k", "must not hold a password"),
    ],
)
def test_what_makes_no_members_is_said(backend, keys, words, monkeypatch):
    """At once, and without a secret."""
    monkeypatch.setenv("FACE_RECOVERY_API_KEY", keys)
    with pytest.raises(UsageError) as caught:
        check_backend(backend)
    assert words in str(caught.value)
    assert "s3cret" not in str(caught.value)
