"""Whoever runs a service says who may call it: `keys` and the settings of `serve`, on a command line."""

import re
import stat
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from tests.acceptance.program import KEY, Finished, Running, finish, until

SERVICE_KEY = {"FACE_RECOVERY_SERVICE_KEY": KEY}


def keys(folder: Path, *arguments: str) -> Finished:
    return finish("keys", *arguments, "--folder", folder)


def added(folder: Path, *arguments: str) -> dict[str, object]:
    """Make a key and return what is known of it, its text included."""
    ended = keys(folder, "add", *arguments, "--json")
    assert (ended.code, ended.err) == (0, "")
    return dict(ended.summary)


class TestKeys:
    def test_a_key_is_shown_once(self, tmp_path: Path) -> None:
        """`add` prints it alone on the last line; neither the file nor the list has it."""
        ended = keys(tmp_path / "service", "add", "the team")
        assert (ended.code, ended.err) == (0, "")
        head, text = ended.out.splitlines()
        assert "of the team" in head
        assert re.fullmatch(r"fr_[A-Za-z0-9_-]{32}", text)
        file = tmp_path / "service" / "keys.json"
        assert text not in file.read_text()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert text not in keys(tmp_path / "service", "list").out

    def test_the_list(self, tmp_path: Path) -> None:
        """Each key with its limits: its own, or the service's."""
        assert "no named key" in keys(tmp_path, "list").out
        first = added(tmp_path, "team", "--rate", "2.5", "--burst", "10", "--max-jobs", "none", "--credits", "7")
        added(tmp_path, "other")
        lines = [line.split() for line in keys(tmp_path, "list").out.splitlines()]
        assert lines[0] == ["ID", "NAME", "STATE", "CREDITS", "CALLS/S", "BURST", "JOBS", "BYTES", "MADE"]
        assert lines[1][:8] == [first["id"], "team", "active", "7", "2.5", "10", "none", "default"]
        assert lines[2][1:8] == ["other", "active", "none", "default", "default", "default", "default"]
        [told, _] = keys(tmp_path, "list", "--json").summary["keys"]
        assert told == {name: value for name, value in first.items() if name != "key"}

    def test_a_key_is_changed_suspended_and_revoked(self, tmp_path: Path) -> None:
        """Each command says what it did, and the list shows it."""
        key_id = str(added(tmp_path, "team", "--rate", "2")["id"])
        assert keys(tmp_path, "change", key_id, "--rate", "default", "--max-bytes", "1000", "--credits", "5").code == 0
        assert "is suspended" in keys(tmp_path, "suspend", key_id).out
        [told] = keys(tmp_path, "list", "--json").summary["keys"]
        assert (told["limits"], told["credits"], told["suspended"]) == ({"max_stored_bytes": 1000}, 5, True)
        assert keys(tmp_path, "resume", key_id, "--json").summary["suspended"] is False
        assert "is revoked" in keys(tmp_path, "revoke", key_id).out
        assert keys(tmp_path, "list", "--json").summary["keys"] == []

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("add", "team"), "there is a key with the name 'team' already"),
            (("add", ""), "1 to 64 printable characters"),
            (("add", "x", "--rate", "0"), "--rate: 0 should be greater than 0, or be none or default"),
            (("add", "x", "--burst", "0.5"), "--burst: 0.5 should be greater than or equal to 1"),
            (("add", "x", "--max-jobs", "many"), "--max-jobs: many should be a valid integer"),
            (("add", "x", "--credits", "-1"), "--credits: -1 should be a whole number of at least 0, or none"),
            (("suspend", "nobody"), "no key with the id 'nobody'"),
            (("change", "nobody", "--rate", "1"), "no key with the id 'nobody'"),
            (("change", "nobody"), "nothing to change: give one of --credits, --rate"),
        ],
    )
    def test_bad_usage(self, arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
        """One line, exit code 2, and the file is as it was."""
        added(tmp_path, "team")
        before = (tmp_path / "keys.json").read_bytes()
        ended = keys(tmp_path, *arguments)
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert words in ended.err
        assert (tmp_path / "keys.json").read_bytes() == before


def status_of(base_url: str, key: str) -> int:
    """Return what a call with `key` is answered."""
    request = urllib.request.Request(f"{base_url}/status", headers={"X-API-Key": key})  # noqa: S310 -- our own service
    try:
        with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
            return int(response.status)
    except urllib.error.HTTPError as refused:
        return refused.code


@contextmanager
def serving(folder: Path, *options: str | Path, env: dict[str, str]) -> Iterator[tuple[Running, str, str]]:
    """Serve a simulation; yields the process, the base URL and all that it printed by then."""
    out = folder.parent / "serve.out"
    arguments = ("serve", "--simulate", "--folder", folder, "--port", "0", *options)
    process = Running.start(*arguments, env=env, into=out)
    try:
        process.until(lambda: "Ctrl-C stops\n" in out.read_text(), "it serves")
        printed = out.read_text()
        address = re.search(r"serving (http\S+/image/v1)", printed)
        assert address
        yield process, address[1], printed
    finally:
        process.stop()


class TestServe:
    def test_keys_work_on_a_running_service(self, tmp_path: Path) -> None:
        """A key is let in once it is made, refused by 403 while suspended, and unknown once revoked."""
        folder = tmp_path / "service"
        with serving(folder, env=SERVICE_KEY) as (_, base_url, printed):
            assert "key, made" not in printed
            assert status_of(base_url, KEY) == 200
            made = added(folder, "team")
            text, key_id = str(made["key"]), str(made["id"])
            until(lambda: status_of(base_url, text) == 200, "the new key to be let in")
            keys(folder, "suspend", key_id)
            until(lambda: status_of(base_url, text) == 403, "the suspended key to be refused")
            keys(folder, "revoke", key_id)
            until(lambda: status_of(base_url, text) == 401, "the revoked key to be unknown")
            assert status_of(base_url, KEY) == 200

    def test_named_keys_are_enough(self, tmp_path: Path) -> None:
        """With keys in the folder and none in the environment no key is made, let alone printed."""
        folder = tmp_path / "service"
        text = str(added(folder, "team")["key"])
        with serving(folder, env={}) as (_, base_url, printed):
            assert "key, made" not in printed
            assert status_of(base_url, text) == 200
            assert status_of(base_url, "") == 401

    def test_a_key_is_made_where_there_is_none(self, tmp_path: Path) -> None:
        """It is printed, and works."""
        with serving(tmp_path / "service", env={}) as (process, base_url, _):
            out = tmp_path / "serve.out"
            process.until(lambda: "key, made for this start" in out.read_text(), "it prints the key")
            assert status_of(base_url, out.read_text().split()[-1]) == 200

    def test_settings_come_from_a_file(self, tmp_path: Path) -> None:
        """A settings file is heeded; an option wins over it."""
        (tmp_path / "s.toml").write_text('port = 1\nhost = "nowhere.invalid"\nrate_per_s = 0.001\n')
        options = ("--config", tmp_path / "s.toml", "--host", "127.0.0.1")
        with serving(tmp_path / "service", *options, env=SERVICE_KEY) as (_, base_url, _printed):
            assert [status_of(base_url, KEY) for _ in range(2)] == [200, 429]

    @pytest.mark.parametrize(("options", "warns"), [((), True), (("--public-url", "https://faces.example.org"), False)])
    def test_an_open_address_in_the_clear_is_warned_of(
        self, options: tuple[str, ...], warns: bool, tmp_path: Path
    ) -> None:
        """One line on standard error, unless links say that a proxy with TLS stands in front."""
        with serving(tmp_path / "service", "--host", "0.0.0.0", *options, env=SERVICE_KEY) as (process, _, _printed):  # noqa: S104
            process.process.terminate()
            err = process.ended().err
        assert err.count("warning: 0.0.0.0 is reached from other machines") == warns

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (("--tls-cert", "c.pem"), "go together"),
            (("--admin-port", "x"), "--admin-port: x should be a valid integer"),
            (("--allow-network", "10.0.0.1/8"), "--allow-network: 10.0.0.1/8 is no network"),
            (("--config", "nowhere.toml"), "nowhere.toml can't be read"),
        ],
    )
    def test_bad_settings(self, options: tuple[str, ...], words: str, tmp_path: Path) -> None:
        """One line, exit code 2, nothing started."""
        ended = finish("serve", "--simulate", "--folder", tmp_path / "service", *options, env=SERVICE_KEY)
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert words in ended.err
        assert not (tmp_path / "service").exists()

    def test_a_damaged_key_file(self, tmp_path: Path) -> None:
        """No service starts while nobody knows whom it should let in."""
        (tmp_path / "keys.json").write_bytes(orjson.dumps({"keys": [{"id": 1}]}))
        ended = finish("serve", "--simulate", "--folder", tmp_path, env=SERVICE_KEY)
        assert (ended.code, ended.err.count("\n")) == (2, 1)
        assert "keys.json is damaged: keys.0.id" in ended.err
